#include "trigger/tick_edge.hpp"

#include <algorithm>

#include "daq/core/event.hpp"

namespace alleycat {

TickEdgeFinder::TickEdgeFinder(const TickChannel& config, const std::vector<BoardInfo>& boards)
    : config_{config},
      sample_period_ps_{boards.at(config.channel.board).sample_period_ps},
      channel_{{config.channel, config.pulse, config.baseline_samples}, boards, Kernels::simd} {}

TickEdgeFinder::Found TickEdgeFinder::find(const Trigger& trigger) {
    constexpr Found nothing{.flags = trigger_flag::no_tick};
    if (!channel_.open(trigger)) return nothing;
    const std::span<const Peak> pulses = channel_.find_peaks();

    // A level that is there from the first sample on is no edge.
    const auto first = std::find_if(pulses.begin(), pulses.end(), [](const Peak& p) { return p.onset > 0; });
    if (first == pulses.end()) return nothing;
    const bool second = std::any_of(
        first + 1, pulses.end(), [&](const Peak& pulse) { return pulse.onset - first->onset >= config_.dead_samples; });
    return {.flags = second ? trigger_flag::duplicate_tick : 0,
            .since_tick_ps = (config_.stamp_sample - first->onset) * sample_period_ps_};
}

}  // namespace alleycat
