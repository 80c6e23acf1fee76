#include "trigger/beam_monitor.hpp"

#include <fmt/format.h>

#include <cmath>

#include "daq/core/event.hpp"
#include "trigger/samples.hpp"

namespace alleycat {

std::optional<BeamMonitor> parse_beam_monitor(ConfigSection& root, const Station& station, double tick_ns,
                                              double baseline_ns) {
    ConfigSection section = root.section("beam").section("monitor");
    if (!section.present()) return std::nullopt;
    BeamMonitor monitor;
    monitor.channel = station.required_channel(section, "channel");
    monitor.pulse.threshold_adc = static_cast<std::int32_t>(section.required_integer("threshold_adc", 1, 65'535));
    monitor.pulse.min_samples = static_cast<std::int32_t>(section.integer("min_samples", 3, 1, 10'000));
    const double start_ns = section.number("start_ns", 0, -1e12, 1e12);
    const double length_ns = section.number("length_ns", 5'000, 0, 1e12);
    section.finish();
    if (!monitor.channel.present) return std::nullopt;

    const BoardInfo& board = station.boards[monitor.channel.board];
    const auto samples = [&](double time_ns) {
        return std::llround(time_ns * 1000.0 / static_cast<double>(board.sample_period_ps));
    };
    monitor.start = samples(tick_ns + start_ns);
    monitor.end = samples(tick_ns + start_ns + length_ns);
    monitor.baseline_samples = samples(baseline_ns);
    if (monitor.start < 0) section.problem("start_ns", "the beam's window starts before the trace");
    if (monitor.end <= monitor.start) section.problem("length_ns", "the beam's window holds no sample");
    if (board.samples != 0 && monitor.end > board.samples) {
        section.problem("length_ns", fmt::format("the beam's window ends at sample {}, after the trace of {}",
                                                 monitor.end, board.samples));
    }
    return monitor;
}

BeamPulseFinder::BeamPulseFinder(const BeamMonitor& config, const std::vector<BoardInfo>& boards, Kernels kernels)
    : config_{config},
      sample_period_ps_{boards.at(config.channel.board).sample_period_ps},
      channel_{{config.channel, config.pulse, config.baseline_samples}, boards, kernels} {}

bool BeamPulseFinder::sees_pulse(const Trigger& trigger) {
    if ((trigger.tick_flags & trigger_flag::no_tick) != 0) return false;
    if (!channel_.open(trigger)) return false;
    const std::int64_t earlier = whole_samples(trigger.since_tick_ps, sample_period_ps_);
    return count_onsets(channel_.find_peaks(), config_.start - earlier, config_.end - earlier) > 0;
}

}  // namespace alleycat
