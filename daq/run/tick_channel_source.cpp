#include "daq/run/tick_channel_source.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

#include "daq/core/event.hpp"

namespace alleycat {

TickChannelSource::TickChannelSource(std::unique_ptr<RecordSource> source, std::uint16_t channel,
                                     const TickConfig& config)
    : source_{std::move(source)}, mask_{std::uint64_t{1} << channel}, tracker_{config, counters_} {}

RecordSource::Next TickChannelSource::next(RecordHeader& header, std::stop_token stop) {
    for (;;) {
        const Next next = source_->next(header, stop);
        if (next != Next::record || (header.channel_mask & mask_) == 0) return next;
        add_tick(header);
        if (header.channel_mask != mask_) return next;
    }
}

void TickChannelSource::add_tick(const RecordHeader& header) {
    const std::int64_t before_ps = tracker_.last_good_ps();
    const TickVerdict verdict = tracker_.add(header.time_ps);
    if (any_ && (verdict.flags & trigger_flag::distrusted_tick) == 0) {
        const double periods = static_cast<double>(header.time_ps - before_ps) / tracker_.period_ps();
        number_ += static_cast<std::uint64_t>(std::max(1.0, std::round(periods)));
    }
    any_ = true;
    TickRecord tick;
    tick.tick = number_;
    tick.time_ps = header.time_ps;
    tick.utc_ns = header.utc_ns;
    ticks_.push_back(tick);
}

void TickChannelSource::take_ticks(std::vector<TickRecord>& ticks) {
    source_->take_ticks(of_source_);  // nobody asked for them, and they are not to pile up
    of_source_.clear();
    ticks.insert(ticks.end(), ticks_.begin(), ticks_.end());
    ticks_.clear();
}

}  // namespace alleycat
