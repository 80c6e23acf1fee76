#pragma once

#include <cstdint>

namespace alleycat {

/// Which frame: its run and its number within the run.
struct FramePosition {
    std::uint64_t run = 0;
    std::uint64_t ordinal = 0;

    friend bool operator==(const FramePosition&, const FramePosition&) = default;
};

/// What a writer has on its disk: the last frame, and the last trigger of that run.
struct DurablePosition {
    DurablePosition() = default;
    DurablePosition(FramePosition last, std::uint64_t last_sequence = ~std::uint64_t{0},
                    std::int64_t trigger_utc_ns = 0)
        : frame{last}, sequence{last_sequence}, utc_ns{trigger_utc_ns} {}

    FramePosition frame;
    std::uint64_t sequence = ~std::uint64_t{0};  ///< 2^64-1: no trigger
    std::int64_t utc_ns = 0;                     ///< host time of that trigger; 0: not known

    friend bool operator==(const DurablePosition&, const DurablePosition&) = default;
};

}  // namespace alleycat
