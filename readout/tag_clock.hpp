#pragma once

#include <chrono>
#include <cstdint>

#include "readout/clock_unwrapper.hpp"

namespace alleycat {

/// A board's short clock, unwrapped, and held against the host's: what rolled over unseen while no event came is added.
///
/// An event that is read came after the board was last found empty, and the one before it came before it was read. So
/// much time has passed at least, however long events waited in the board: where the clock shows less by more than half
/// its range, roll-overs were missed. A board with an event more often than that is never corrected.
class TagClock {
  public:
    using TimePoint = std::chrono::steady_clock::time_point;

    /// bits  width of the clock, 1..63; period_ps  its unit
    TagClock(unsigned bits, std::int64_t period_ps) noexcept
        : unwrapper_{bits},
          range_{static_cast<double>(std::uint64_t{1} << bits)},
          ticks_per_ns_{1000 / static_cast<double>(period_ps)} {}

    /// The board had no event at that time.
    void found_empty(TimePoint at) noexcept { empty_ = at; }

    struct Result {
        std::uint64_t ticks = 0;
        bool backwards = false;
        std::uint64_t missed_rollovers = 0;
    };
    /// later  the event's number says that it came after the one before
    [[nodiscard]] Result stamp(std::uint64_t tag, bool later, TimePoint read) noexcept {
        const ClockUnwrapper::Result clock = unwrapper_.unwrap(tag, later);
        Result result{.ticks = clock.ticks + missed_, .backwards = clock.backwards};
        if (seen_ && empty_ > last_read_) {
            const double passed = static_cast<double>(static_cast<std::int64_t>(result.ticks - last_ticks_));
            const double least = std::chrono::duration<double, std::nano>{empty_ - last_read_}.count() * ticks_per_ns_;
            if (least - passed > range_ / 2) {
                result.missed_rollovers = static_cast<std::uint64_t>((least - passed) / range_ + 0.5);
                const std::uint64_t ticks = result.missed_rollovers * static_cast<std::uint64_t>(range_);
                missed_ += ticks;
                result.ticks += ticks;
                result.backwards = false;
            }
        }
        seen_ = true;
        last_ticks_ = result.ticks;
        last_read_ = read;
        return result;
    }

  private:
    ClockUnwrapper unwrapper_;
    double range_, ticks_per_ns_;
    std::uint64_t missed_ = 0;  ///< ticks
    std::uint64_t last_ticks_ = 0;
    TimePoint empty_{}, last_read_{};
    bool seen_ = false;
};

}  // namespace alleycat
