#pragma once

#include <cstdint>
#include <optional>

#include "daq/core/status.hpp"

namespace alleycat {

/// Makes intervals of refused triggers: a row of consecutive ones with the same reason is one interval. Used by the
/// trigger thread, in the order of the sequence numbers.
///
/// An interval ends a nominal tick behind its last trigger, but never behind the next trigger, which came sooner where
/// the period is shorter than nominal. Intervals are in order, do not overlap and have no negative length, whatever the
/// board's clock did: one that ran backwards costs length, never a sequence number.
class DeadTimeKeeper {
  public:
    /// `one_tick_ps`: what a refused trigger costs; 0: no time of its own (a hit).
    explicit DeadTimeKeeper(std::int64_t one_tick_ps) : one_tick_ps_{one_tick_ps} {}

    /// A trigger was refused. Gives the interval that ended before it, where it does not continue it.
    [[nodiscard]] std::optional<DeadTime> refuse(std::uint64_t sequence, std::int64_t time_ps, std::uint8_t reason);
    /// The next trigger is not refused (`next_ps`: its time), or there is none: the interval that ends, if any.
    [[nodiscard]] std::optional<DeadTime> end(std::optional<std::int64_t> next_ps);
    /// The interval that goes on, as far as it is known; nullptr: the trigger before was recorded.
    [[nodiscard]] const DeadTime* open() const noexcept { return open_ ? &*open_ : nullptr; }

  private:
    std::int64_t one_tick_ps_;
    std::optional<DeadTime> open_;
    std::int64_t last_refused_ps_ = 0;      // of the open one
    std::optional<std::int64_t> ended_ps_;  // end of the interval before
};

}  // namespace alleycat
