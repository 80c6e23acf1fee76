#include "trigger/tick_config.hpp"

#include <algorithm>
#include <cmath>
#include <initializer_list>

namespace alleycat {
namespace {

/// An edge may be found this much of a sample early or late: times here need not be whole samples.
std::int64_t samples(ConfigSection& section, std::string_view key, double fallback_ns, std::int64_t sample_period_ps) {
    const double time_ns = section.number(key, fallback_ns, 0, 1e9);
    return std::llround(time_ns * 1000.0 / static_cast<double>(sample_period_ps));
}

TickChannel parse_channel(ConfigSection& section, const Station& station, const TriggerConfig& trigger) {
    TickChannel tick;
    tick.channel = station.required_channel(section, "channel");
    if (tick.channel.present && trigger.signal.present && tick.channel.board != trigger.signal.board) {
        section.problem("channel", "'" + section.text("channel", "") +
                                       "' is not on the signal's board: its samples are not those of the windows");
    }
    tick.pulse.threshold_adc = static_cast<std::int32_t>(section.required_integer("threshold_adc", 1, 65'535));
    tick.pulse.min_samples =
        static_cast<std::int32_t>(section.integer("min_samples", tick.pulse.min_samples, 1, 10'000));
    tick.dead_samples = samples(section, "dead_time_ns", 1'000, trigger.sample_period_ps);
    tick.baseline_samples = trigger.baseline_samples;
    tick.stamp_sample = trigger.tick_sample;
    return tick;
}

/// Keys that this station has no use for.
void refuse_keys(ConfigSection& section, std::initializer_list<std::string_view> keys, std::string_view why) {
    for (const std::string_view key : keys) {
        if (!section.has(key)) continue;
        section.problem(key, why);
        section.leave_to_others(key);
    }
}

HitTicks parse_hit_ticks(ConfigSection& section, const Station& station, TickSource source) {
    HitTicks ticks;
    ticks.max_wait_ps = std::llround(section.number("max_wait_ms", 1'000, 1, 1e6) * 1e9);
    if (source == TickSource::channel) {
        ticks.channel = station.required_channel(section, "channel");
        ticks.board = ticks.channel.board;
        refuse_keys(section, {"board"}, "belongs to source = \"stamps\": a channel has its board");
    } else if (source == TickSource::stamps) {
        const std::string name = section.text("board", station.boards.front().name);
        const auto found = std::find_if(station.boards.begin(), station.boards.end(),
                                        [&](const BoardInfo& board) { return board.name == name; });
        if (found == station.boards.end()) {
            section.problem("board", "there is no board '" + name + "'");
        } else {
            ticks.board = static_cast<std::uint16_t>(found - station.boards.begin());
        }
        refuse_keys(section, {"channel"}, "belongs to source = \"channel\"");
    } else {
        section.problem("source",
                        "a hit is no tick: the boards trigger themselves, their ticks are stamps, or a channel");
        refuse_keys(section, {"board", "channel"}, "belongs to source = \"stamps\" or \"channel\"");
    }
    refuse_keys(section, {"threshold_adc", "min_samples", "dead_time_ns"}, "belongs to boards triggered from outside");
    return ticks;
}

}  // namespace

TickSignal parse_tick(ConfigSection& root, const Station& station, const TriggerConfig& trigger) {
    ConfigSection section = root.section("tick");
    TickSignal tick;
    tick.source = section.choice(
        "source", tick.source,
        {{"trigger", TickSource::trigger}, {"channel", TickSource::channel}, {"stamps", TickSource::stamps}});
    tick.meaning =
        section.choice("meaning", tick.meaning,
                       {{"always_60Hz", TickMeaning::always_60Hz}, {"beam_present", TickMeaning::beam_present}});
    tick.phase_tolerance_ps = std::llround(section.number("phase_tolerance_us", 20, 0.1, 1e6) * 1e6);
    if (station.self_triggered()) {
        tick.of_hits = parse_hit_ticks(section, station, tick.source);
    } else {
        if (tick.source == TickSource::channel) {
            tick.channel = parse_channel(section, station, trigger);
        } else {
            refuse_keys(section, {"channel", "threshold_adc", "min_samples", "dead_time_ns"},
                        "belongs to source = \"channel\"");
        }
        if (tick.source == TickSource::stamps) {
            section.problem("source",
                            "stamps are for boards with trigger = \"self\", whose records each get the nearest; "
                            "others have their tick in the trigger or in a channel");
        }
        refuse_keys(section, {"board", "max_wait_ms"}, "belongs to boards that trigger themselves");
    }
    if (station.tick_rate_hz == 0 && (section.present() || station.self_triggered())) {
        section.problem("source", "station.tick_rate_hz is 0: there is no timing signal");
    }
    section.finish();
    return tick;
}

}  // namespace alleycat
