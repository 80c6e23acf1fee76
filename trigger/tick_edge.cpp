#include "trigger/tick_edge.hpp"

#include <algorithm>

#include "daq/core/event.hpp"
#include "trigger/record_channel.hpp"

namespace alleycat {

TickEdgeFinder::TickEdgeFinder(const TickChannel& config, const std::vector<BoardInfo>& boards)
    : config_{config},
      channel_{boards.at(config.channel.board).channels.at(config.channel.channel)},
      sample_period_ps_{boards.at(config.channel.board).sample_period_ps},
      trace_{boards.at(config.channel.board).samples} {
    pulses_.reserve(boards.at(config.channel.board).samples / 2 + 1);
}

TickEdgeFinder::Found TickEdgeFinder::find(const Trigger& trigger) {
    constexpr Found nothing{.flags = trigger_flag::no_tick};
    const RecordView* const record = trigger.of_board(config_.channel.board);
    if (record == nullptr) return nothing;
    const std::size_t position = position_of(record->header(), config_.channel.channel);
    if (position == kMaxChannels) return nothing;

    trace_.make_room(record->header().samples_per_channel);
    trace_.open(*record, position, channel_);
    if (trace_.samples() < config_.baseline_samples) return nothing;
    (void)trace_.take_baseline(config_.baseline_samples, 1);
    pulses_.clear();
    trace_.find_peaks(config_.pulse, pulses_);

    // A level that is there from the first sample on is no edge.
    const auto first = std::find_if(pulses_.begin(), pulses_.end(), [](const Peak& p) { return p.onset > 0; });
    if (first == pulses_.end()) return nothing;
    const bool second = std::any_of(first + 1, pulses_.end(), [&](const Peak& pulse) {
        return pulse.onset - first->onset >= config_.dead_samples;
    });
    return {.flags = second ? trigger_flag::duplicate_tick : 0,
            .since_tick_ps = (config_.stamp_sample - first->onset) * sample_period_ps_};
}

}  // namespace alleycat
