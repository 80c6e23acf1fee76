#pragma once

#include <cstdint>

namespace alleycat {

/// Which frame: its run and its number within the run.
struct FramePosition {
    std::uint64_t run = 0;
    std::uint64_t ordinal = 0;

    friend bool operator==(const FramePosition&, const FramePosition&) = default;
};

}  // namespace alleycat
