#include "daq/run/dead_time.hpp"

#include <algorithm>
#include <utility>

namespace alleycat {

std::optional<DeadTime> DeadTimeKeeper::refuse(std::uint64_t sequence, std::int64_t time_ps, std::uint8_t reason) {
    std::optional<DeadTime> before;
    if (open_ && (open_->reason != reason || open_->last_sequence + 1 != sequence)) before = end(time_ps);
    if (!open_) {
        const std::int64_t begin_ps = ended_ps_ ? std::max(*ended_ps_, time_ps) : time_ps;
        open_ = DeadTime{.first_sequence = sequence,
                         .last_sequence = sequence,
                         .begin_ps = begin_ps,
                         .end_ps = begin_ps,
                         .reason = reason};
        last_refused_ps_ = time_ps;
    }
    open_->last_sequence = sequence;
    open_->end_ps = std::max(open_->end_ps, time_ps + one_tick_ps_);
    last_refused_ps_ = std::max(last_refused_ps_, time_ps);
    return before;
}

std::optional<DeadTime> DeadTimeKeeper::end(std::optional<std::int64_t> next_ps) {
    if (!open_) return std::nullopt;
    // A next trigger that is not behind the last one says that the clock ran backwards, not when the dead time ended.
    if (next_ps && *next_ps >= last_refused_ps_) open_->end_ps = std::min(open_->end_ps, *next_ps);
    open_->end_ps = std::max(open_->end_ps, open_->begin_ps);
    ended_ps_ = open_->end_ps;
    return std::exchange(open_, std::nullopt);
}

}  // namespace alleycat
