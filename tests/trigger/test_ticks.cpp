#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include "trigger/samples.hpp"
#include "trigger/tick_config.hpp"
#include "trigger/tick_edge.hpp"
#include "trigger/trigger_stage.hpp"

using namespace alleycat;
using Found = TickEdgeFinder::Found;

namespace {

constexpr std::int64_t kSample = 2'000;  // [ps]

/// One board of three channels, 400 samples of 2 ns: signal (negative pulses), tick (positive), monitor (negative).
struct Traces {
    Traces() {
        board.name = "board";
        board.samples = 400;
        board.sample_period_ps = kSample;
        board.channels = {{"signal", true, "plain"}, {"tick", false, "plain"}, {"monitor", true, "plain"}};
        header.samples_per_channel = 400;
        header.channels = 3;
        header.channel_mask = 0b111;
    }
    void step(std::size_t channel, std::size_t begin, std::size_t end, int height) {
        for (std::size_t i = begin; i < end; ++i) samples[channel * 400 + i] = static_cast<std::int8_t>(20 + height);
    }
    [[nodiscard]] Trigger trigger() const {
        Trigger trigger;
        trigger.add({header, std::as_bytes(std::span{samples})});
        return trigger;
    }
    std::vector<std::int8_t> samples = std::vector<std::int8_t>(1'200, 20);
    BoardInfo board;
    RecordHeader header;
};

TickChannel tick_channel() {
    return {.channel = {0, 1, true},
            .pulse = {.threshold_adc = 10, .min_samples = 3, .margin_samples = 0, .close_at_trace_end = true},
            .dead_samples = 20,
            .baseline_samples = 100,
            .stamp_sample = 300};
}

Found tick_of(const Traces& traces) { return TickEdgeFinder{tick_channel(), {traces.board}}.find(traces.trigger()); }

/// C from the tick on, 60 samples; AC the 60 before; pretraces of 80, integration of 20. The tick's usual place: 300.
TriggerConfig stage_config() {
    TriggerConfig config;
    config.signal = {0, 0, true};
    config.tick_sample = 300;
    config.baseline_samples = 100;
    config.local_baseline_samples = 50;
    config.windows = {{"coincident", WindowRole::coincident, 220, 300, 360, 20},
                      {"anticoincident", WindowRole::anticoincident, 160, 240, 300, 20}};
    return config;
}

Event event_of(const TriggerConfig& config, const Traces& traces, std::int64_t since_tick_ps,
               std::uint32_t tick_flags = 0) {
    Trigger trigger = traces.trigger();
    trigger.since_tick_ps = since_tick_ps;
    trigger.tick_flags = tick_flags;
    Event event;
    TriggerStage{config, {traces.board}}.process(trigger, 70, event);
    return event;
}

const std::string kStation = R"(
[station]
profile = "test"
[[board]]
name = "digitizer"
source = "simulator"
sample_period_ps = 2000
samples = 35000
[[board.channel]]
name = "csi"
[[board.channel]]
name = "timing"
pulses = "positive"
[[board]]
name = "other"
source = "simulator"
sample_period_ps = 4000
samples = 10000
[[board.channel]]
name = "far"
[trigger]
signal = "csi"
tick_position_ns = 10000
[[trigger.window]]
name = "coincident"
length_ns = 10000
)";

struct Parsed {
    explicit Parsed(const std::string& text) {
        const ConfigFile file = ConfigFile::parse(kStation + text, "station.toml");
        ConfigProblems found;
        ConfigSection root{file, found};
        const Station station = parse_station(root);
        trigger = parse_trigger(root, station);
        tick = parse_tick(root, station, trigger);
        problems = found.lines();
    }
    [[nodiscard]] bool says(const std::string& what) const {
        return std::any_of(problems.begin(), problems.end(),
                           [&](const std::string& line) { return line.find(what) != std::string::npos; });
    }
    TriggerConfig trigger;
    TickSignal tick;
    std::vector<std::string> problems;
};

}  // namespace

TEST_CASE("whole samples are rounded down on both sides of 0", "[trigger][unit]") {
    REQUIRE(whole_samples(0, 2'000) == 0);
    REQUIRE(whole_samples(1'999, 2'000) == 0);
    REQUIRE(whole_samples(2'000, 2'000) == 1);
    REQUIRE(whole_samples(-1, 2'000) == -1);
    REQUIRE(whole_samples(-2'000, 2'000) == -1);
    REQUIRE(whole_samples(-2'001, 2'000) == -2);
}

TEST_CASE("the tick stands where its channel crosses", "[trigger][ticks]") {
    Traces traces;
    REQUIRE(tick_of(traces) == Found{trigger_flag::no_tick, 0});  // no edge at all
    traces.step(1, 290, 310, 10);                                 // exactly the threshold
    REQUIRE(tick_of(traces) == Found{0, 10 * kSample});           // 10 samples before the stamp
    Traces later;
    later.step(1, 320, 400, 50);  // still high at the trace's end
    REQUIRE(tick_of(later) == Found{0, -20 * kSample});
}

TEST_CASE("what is no edge gives no tick", "[trigger][ticks]") {
    Traces low, narrow, other_way, level;
    low.step(1, 290, 310, 9);
    narrow.step(1, 290, 292, 50);  // two samples, three are asked for
    other_way.step(1, 290, 310, -50);
    level.step(1, 0, 40, 50);  // high from the first sample on: when it rose nobody knows
    for (const Traces* traces : {&low, &narrow, &other_way, &level}) {
        REQUIRE(tick_of(*traces) == Found{trigger_flag::no_tick, 0});
    }
    level.step(1, 290, 310, 50);
    REQUIRE(tick_of(level) == Found{0, 10 * kSample});
}

TEST_CASE("a second edge is a duplicate, ringing is not", "[trigger][ticks]") {
    Traces ringing;
    ringing.step(1, 290, 295, 50);
    ringing.step(1, 300, 305, 50);
    ringing.step(1, 309, 312, 50);  // 19 samples after the first
    REQUIRE(tick_of(ringing) == Found{0, 10 * kSample});
    Traces twice;
    twice.step(1, 290, 295, 50);
    twice.step(1, 310, 315, 50);  // 20 samples after
    REQUIRE(tick_of(twice) == Found{trigger_flag::duplicate_tick, 10 * kSample});
}

TEST_CASE("a record without the tick's channel has no tick", "[trigger][ticks]") {
    Traces traces;
    traces.step(1, 290, 310, 50);
    traces.header.channels = 2;
    traces.header.channel_mask = 0b101;
    REQUIRE(tick_of(traces) == Found{trigger_flag::no_tick, 0});
    Trigger nothing;
    REQUIRE(TickEdgeFinder(tick_channel(), {traces.board}).find(nothing) == Found{trigger_flag::no_tick, 0});
}

TEST_CASE("windows move with the tick by whole samples, arrival times are exact", "[trigger][ticks]") {
    Traces traces;
    traces.step(0, 302, 308, -12);  // arrival at 300: two samples of margin
    const auto c = [&](std::int64_t since_tick_ps) {
        return event_of(stage_config(), traces, since_tick_ps).window[0];
    };
    // The tick at its usual place: C is 300..359.
    REQUIRE(c(0)[Feature::arrival_sample] == 300);
    REQUIRE(c(0)[Feature::arrival_ns] == 0);
    // 10 samples earlier: C is 290..349, the arrival 20 ns after its start.
    REQUIRE(c(10 * kSample)[Feature::arrival_sample] == 300);
    REQUIRE(c(10 * kSample)[Feature::arrival_ns] == 20);
    // 10 samples and 1.5 ns earlier: the first sample in C is 290, 1.5 ns after the tick; the arrival 21.5 ns.
    REQUIRE(c(10 * kSample + 1'500)[Feature::arrival_ns] == 21.5);
    // 0.5 ns later: the first sample in C is 301; the arrival is before the tick, so in no C.
    REQUIRE(c(-500)[Feature::arrival_sample] == -1);
    REQUIRE(event_of(stage_config(), traces, -30 * kSample).window[1][Feature::arrival_ns] == 60);  // AC is 270..329
    // C as late as the trace holds it: 340..399; one sample later it leaves the trace.
    REQUIRE((event_of(stage_config(), traces, -40 * kSample).flags & trigger_flag::short_trace) == 0);
    const Event outside = event_of(stage_config(), traces, -41 * kSample);
    REQUIRE((outside.flags & trigger_flag::short_trace) != 0);
    REQUIRE(outside.window[0].cuts == kCutDoesNotFit);
    // AC's pretrace as early as the trace holds it, and one sample earlier.
    REQUIRE((event_of(stage_config(), traces, 160 * kSample).flags & trigger_flag::short_trace) == 0);
    REQUIRE(event_of(stage_config(), traces, 161 * kSample).window[1].cuts == kCutDoesNotFit);
}

TEST_CASE("a trigger without a tick is in no window and says so", "[trigger][ticks]") {
    Traces traces;
    traces.step(0, 310, 316, -12);
    TriggerConfig config = stage_config();
    config.cuts = {{"tick", "not no_tick", trigger_flag::no_tick, {}, false}};
    const Event event = event_of(config, traces, 0, trigger_flag::no_tick);
    REQUIRE(event.flags == trigger_flag::no_tick);
    REQUIRE(event.baseline_median_adc == 20);  // the signal is looked at all the same
    for (std::size_t w = 0; w < 2; ++w) {
        REQUIRE(event.window[w].cuts == (kCutDoesNotFit | 1u << kFixedCuts));
        REQUIRE(event.window[w][Feature::arrival_sample] == -1);
        REQUIRE(std::isnan(event.window[w][Feature::arrival_ns]));
        REQUIRE(event.window[w][Feature::charge_adc] == 0);
    }
    const Event fine = event_of(config, traces, 0);
    REQUIRE(fine.window[0].accepted());
}

TEST_CASE("a pulse in the beam's window of the monitor channel is flagged, wherever the tick stands",
          "[trigger][ticks]") {
    TriggerConfig config = stage_config();
    config.beam_monitor = {.channel = {0, 2, true},
                           .pulse = {.threshold_adc = 15, .min_samples = 3, .close_at_trace_end = true},
                           .start = 305,
                           .end = 325,
                           .baseline_samples = 100};
    const auto flagged = [&](std::size_t begin, std::size_t end, int height, std::int64_t since_tick_ps = 0,
                             std::uint32_t tick_flags = 0) {
        Traces traces;
        traces.step(2, begin, end, height);
        return (event_of(config, traces, since_tick_ps, tick_flags).flags & trigger_flag::beam_pulse) != 0;
    };
    REQUIRE(flagged(305, 310, -15));
    REQUIRE(flagged(324, 330, -15));
    REQUIRE_FALSE(flagged(304, 310, -15));  // begins one sample too early
    REQUIRE_FALSE(flagged(325, 330, -15));
    REQUIRE_FALSE(flagged(310, 312, -15));  // too narrow
    REQUIRE_FALSE(flagged(310, 320, -14));
    REQUIRE_FALSE(flagged(310, 320, 15));           // the wrong way
    REQUIRE(flagged(295, 300, -15, 10 * kSample));  // the tick 10 samples earlier, and the window with it
    REQUIRE_FALSE(flagged(315, 320, -15, 10 * kSample + 0));
    REQUIRE_FALSE(flagged(310, 320, -15, 0, trigger_flag::no_tick));
    // The signal channel may be absent: the monitor is looked at all the same.
    Traces traces;
    traces.step(2, 310, 320, -15);
    traces.header.channels = 2;
    traces.header.channel_mask = 0b110;
    traces.samples.erase(traces.samples.begin(), traces.samples.begin() + 400);
    REQUIRE(event_of(config, traces, 0).flags == (trigger_flag::missing_channel | trigger_flag::beam_pulse));
}

TEST_CASE("the timing line and the beam monitor are read in samples of their boards", "[trigger][config]") {
    const Parsed parsed{
        "[tick]\nsource = \"channel\"\nmeaning = \"beam_present\"\nchannel = \"timing\"\nthreshold_adc = 40\n"
        "dead_time_ns = 500\nphase_tolerance_us = 5\n"
        "[beam.monitor]\nchannel = \"far\"\nthreshold_adc = 7\nstart_ns = -400\nlength_ns = 2000\n"};
    REQUIRE(parsed.problems.empty());
    REQUIRE(parsed.tick.source == TickSource::channel);
    REQUIRE(parsed.tick.meaning == TickMeaning::beam_present);
    REQUIRE(parsed.tick.phase_tolerance_ps == 5'000'000);
    REQUIRE(parsed.tick.channel->channel == ChannelRef{0, 1, true});
    REQUIRE(parsed.tick.channel->pulse.threshold_adc == 40);
    REQUIRE(parsed.tick.channel->dead_samples == 250);
    REQUIRE(parsed.tick.channel->stamp_sample == 5'000);
    REQUIRE(parsed.trigger.beam_monitor->channel == ChannelRef{1, 0, true});
    REQUIRE(parsed.trigger.beam_monitor->start == 2'400);  // (10000 - 400) ns of 4 ns
    REQUIRE(parsed.trigger.beam_monitor->end == 2'900);
    REQUIRE(parsed.trigger.beam_monitor->baseline_samples == 10'000);
    REQUIRE_FALSE(Parsed{""}.trigger.beam_monitor.has_value());
    REQUIRE(Parsed{""}.tick.source == TickSource::trigger);
}

TEST_CASE("what is wrong with the timing line or the beam monitor is told with its place", "[trigger][config]") {
    const std::string channel = "[tick]\nsource = \"channel\"\nthreshold_adc = 40\n";
    REQUIRE(Parsed{"[tick]\nsource = \"radio\"\n"}.says("'radio' is not one of trigger, channel, stamps"));
    REQUIRE(Parsed{"[tick]\nsource = \"stamps\"\n"}.says("stamps are for boards with trigger = \"self\""));
    REQUIRE(Parsed{"[tick]\nmeaning = \"sometimes\"\n"}.says("'sometimes' is not one of always_60Hz, beam_present"));
    REQUIRE(Parsed{channel}.says("tick.channel: is missing"));
    REQUIRE(Parsed{channel + "channel = \"nix\"\n"}.says("no board has a channel 'nix'"));
    REQUIRE(Parsed{channel + "channel = \"far\"\n"}.says("'far' is not on the signal's board"));
    REQUIRE(Parsed{"[tick]\nsource = \"channel\"\nchannel = \"timing\"\n"}.says("tick.threshold_adc: is missing"));
    REQUIRE(Parsed{"[tick]\nthreshold_adc = 40\n"}.says("threshold_adc: belongs to source = \"channel\""));
    REQUIRE(Parsed{"[tick]\nphase_tolerance_us = 0\n"}.says("tick.phase_tolerance_us: 0 is outside"));
    const std::string monitor = "[beam.monitor]\nthreshold_adc = 7\n";
    REQUIRE(Parsed{monitor}.says("beam.monitor.channel: is missing"));
    REQUIRE(Parsed{monitor + "channel = \"nix\"\n"}.says("beam.monitor.channel: no board has a channel 'nix'"));
    REQUIRE(Parsed{"[beam.monitor]\nchannel = \"far\"\n"}.says("beam.monitor.threshold_adc: is missing"));
    REQUIRE(
        Parsed{monitor + "channel = \"far\"\nstart_ns = -10010\n"}.says("start_ns: the beam's window starts before"));
    REQUIRE(
        Parsed{monitor + "channel = \"far\"\nlength_ns = 1\n"}.says("length_ns: the beam's window holds no sample"));
    REQUIRE(Parsed{monitor + "channel = \"far\"\nlength_ns = 40000\n"}.says("after the trace of 10000"));
    REQUIRE(Parsed{monitor + "channel = \"far\"\nheight = 3\n"}.says("beam.monitor.height: unknown key"));
}
