// Hits of boards that trigger themselves: windows by the tick's time, detectors by their channels, by hand.

#include <catch2/catch.hpp>

#include <cmath>

#include "trigger/tick_config.hpp"
#include "trigger/trigger_stage.hpp"

using namespace alleycat;

namespace {

constexpr std::int64_t kNanosecond = 1'000;  // [ps]
constexpr std::int64_t kMicrosecond = 1'000'000;

/// Four channels of 200 samples of 4 ns: detector a in two gains, detector b, and one that nobody looks at. Baseline
/// 1000, pulses negative, the ADC ends at 0.
struct Hit {
    explicit Hit(std::uint64_t mask = 0b0001) {
        board.name = "board";
        board.samples = 200;
        board.sample_type = SampleType::int16;
        board.sample_period_ps = 4'000;
        board.self_triggered = true;
        board.channels = {
            {"a_high", true, "plain"}, {"a_low", true, "plain"}, {"b", true, "plain"}, {"x", true, "plain"}};
        header.channel_mask = mask;
        header.channels = static_cast<std::uint16_t>(std::popcount(mask));
        header.samples_per_channel = 200;
        header.sample_type = SampleType::int16;
        samples.assign(200u * header.channels, 1'000);
    }
    Hit& pulse(std::size_t position, std::size_t at, std::size_t length, int height) {
        for (std::size_t i = at; i < at + length; ++i)
            samples[position * 200 + i] = static_cast<std::int16_t>(1'000 - height);
        return *this;
    }
    Event process(const TriggerConfig& config, std::int64_t since_tick_ps, std::uint32_t tick_flags = 0,
                  double unit_adc = 100) const {
        Trigger trigger;
        trigger.trigger_class = TriggerClass::hit;
        trigger.tick = 99;
        trigger.since_tick_ps = since_tick_ps;
        trigger.tick_flags = tick_flags;
        trigger.add({header, std::as_bytes(std::span{samples})});
        Event event;
        TriggerStage{config, {board}}.process(trigger, unit_adc, event);
        return event;
    }
    BoardInfo board;
    RecordHeader header;
    std::vector<std::int16_t> samples;
};

/// The stamp stands at sample 50. C: 12 us from the tick on; AC: as long, 2 ms before it. 60 samples are integrated.
TriggerConfig hit_config() {
    TriggerConfig config;
    config.self_triggered = true;
    config.signal = {0, 0, true};
    config.tick_sample = 50;
    config.sample_period_ps = 4'000;
    config.baseline_samples = 40;
    config.local_baseline_samples = 20;
    config.overflow_low_code = 0;
    config.overflow_high_code = 4'095;
    config.peaks = {.threshold_adc = 10, .min_samples = 4, .margin_samples = 2};
    config.windows = {{"coincident", WindowRole::coincident, 50, 50, 3'050, 60},
                      {"before", WindowRole::anticoincident, 50 - 500'000, 50 - 500'000, 50 - 497'000, 60}};
    return config;
}

TriggerConfig two_detectors() {
    TriggerConfig config = hit_config();
    config.detectors = {{"a", {0, 0, true}, {0, 1, true}, 20, 100}, {"b", {0, 2, true}, {}, 1, 50}};
    return config;
}

const std::int64_t kAtStamp = 50;  // a pulse that begins here arrives at sample 48: 8 ns before the stamp

}  // namespace

TEST_CASE("a hit is in the window in which its tick's time puts it", "[trigger][hits]") {
    const Hit hit = Hit{}.pulse(0, kAtStamp, 5, 100);
    const Event event = hit.process(hit_config(), 10 * kMicrosecond);
    REQUIRE(event.flags == 0);
    REQUIRE(event.trigger_class == TriggerClass::hit);
    REQUIRE(event.tick == 99);
    REQUIRE(event.window[0].accepted());
    REQUIRE(event.window[0][Feature::arrival_sample] == 48);
    REQUIRE(event.window[0][Feature::arrival_ns] == 10'000 - 8);
    REQUIRE(event.window[0][Feature::charge_adc] == 500);
    REQUIRE(event.window[1].cuts == kCutNoPeak);

    const Event before = hit.process(hit_config(), -1'995 * kMicrosecond);  // 5 us after the window's start
    REQUIRE(before.window[0].cuts == kCutNoPeak);
    REQUIRE(before.window[1].accepted());
    REQUIRE(before.window[1][Feature::arrival_ns] == 5'000 - 8);

    const Event between = hit.process(hit_config(), 5'000 * kMicrosecond);
    REQUIRE(between.window[0].cuts == kCutNoPeak);
    REQUIRE(between.window[1].cuts == kCutNoPeak);
    REQUIRE(between.flags == 0);  // a window that is elsewhere does not make a trace short
}

TEST_CASE("arrival is exact though windows move by whole samples", "[trigger][hits]") {
    const Hit hit = Hit{}.pulse(0, kAtStamp, 5, 100);
    for (const std::int64_t ps : {0, 1, 1'300, 3'999}) {
        const Event event = hit.process(hit_config(), 10 * kMicrosecond + ps);
        REQUIRE(event.window[0][Feature::arrival_ns] == Approx(9'992 + static_cast<double>(ps) / 1'000).epsilon(1e-12));
    }
    // At the window's edges: the sample whose time after the tick lies in it.
    REQUIRE(hit.process(hit_config(), 8 * kNanosecond).window[0][Feature::arrival_ns] == 0);
    REQUIRE(hit.process(hit_config(), 8 * kNanosecond - 1).window[0].cuts == kCutNoPeak);
    REQUIRE(hit.process(hit_config(), -1).window[0].cuts == kCutNoPeak);
    REQUIRE(hit.process(hit_config(), 12 * kMicrosecond - 1).window[0].accepted());
    REQUIRE(hit.process(hit_config(), 12 * kMicrosecond).window[0].cuts == kCutNoPeak);
}

TEST_CASE("a hit's first peak decides, what follows does not", "[trigger][hits]") {
    const Hit hit = Hit{}.pulse(0, 44, 5, 100).pulse(0, 80, 5, 50);
    // The window begins at sample 50 - 1: between the two peaks.
    const Event event = hit.process(hit_config(), 4 * kNanosecond);
    REQUIRE(event.window[0][Feature::roi_peaks] == 1);
    REQUIRE(event.window[0].cuts == kCutNoPeak);
    REQUIRE(hit.process(hit_config(), 100 * kNanosecond).window[0][Feature::charge_adc] == 750);
}

TEST_CASE("a hit fits when its trace holds the integration, wherever the window ends", "[trigger][hits]") {
    REQUIRE(Hit{}.pulse(0, 142, 5, 100).process(hit_config(), kMicrosecond).window[0].accepted());
    REQUIRE(Hit{}.pulse(0, 143, 5, 100).process(hit_config(), kMicrosecond).window[0].cuts == kCutDoesNotFit);
    REQUIRE(Hit{}.pulse(0, 1, 5, 100).process(hit_config(), kMicrosecond).window[0].cuts == kCutDoesNotFit);
    // 4 ns before the window's end: the integration goes on behind it.
    REQUIRE(Hit{}.pulse(0, kAtStamp, 5, 100).process(hit_config(), 12 * kMicrosecond - 4'000).window[0].accepted());
}

TEST_CASE("a hit without a tick is in no window", "[trigger][hits]") {
    const Event event = Hit{}.pulse(0, kAtStamp, 5, 100).process(hit_config(), 0, trigger_flag::no_tick);
    REQUIRE(event.flags == trigger_flag::no_tick);
    REQUIRE(event.baseline_median_adc == 1'000);
    for (std::size_t w = 0; w < 2; ++w) {
        REQUIRE(event.window[w].cuts == kCutDoesNotFit);
        REQUIRE(event.window[w][Feature::arrival_sample] == -1);
    }
    REQUIRE(Hit{}.process(hit_config(), kMicrosecond, trigger_flag::after_missing_tick).flags ==
            trigger_flag::after_missing_tick);
}

TEST_CASE("the detector whose channel is in the record is measured", "[trigger][hits]") {
    const Event a = Hit{0b0011}.pulse(0, 50, 5, 100).process(two_detectors(), kMicrosecond);
    REQUIRE(a.detector == 0);
    REQUIRE(a.flags == 0);
    REQUIRE(a.spe_charge_adc == 100);
    REQUIRE(a.window[0][Feature::charge_pe] == 5);
    const Event b = Hit{0b0100}.pulse(0, 50, 5, 100).process(two_detectors(), kMicrosecond, 0, 50);
    REQUIRE(b.detector == 1);
    REQUIRE(b.window[0][Feature::charge_pe] == 10);
    const Event both = Hit{0b0101}.pulse(0, 50, 5, 100).pulse(1, 50, 5, 300).process(two_detectors(), kMicrosecond);
    REQUIRE(both.detector == 0);
    REQUIRE(both.flags == trigger_flag::several_detectors);
    REQUIRE(both.window[0][Feature::charge_adc] == 500);
    const Event none = Hit{0b1000}.pulse(0, 50, 5, 100).process(two_detectors(), kMicrosecond);
    REQUIRE(none.flags == trigger_flag::missing_channel);
    REQUIRE(none.window[0].cuts == kCutNoPeak);
}

TEST_CASE("where the high gain overflows the low gain is measured and scaled", "[trigger][hits]") {
    Hit hit{0b0011};
    hit.pulse(0, 50, 5, 1'000).pulse(1, 51, 5, 90);  // the high gain is at code 0
    for (std::size_t i = 0; i < 200; ++i) hit.samples[200 + i] = static_cast<std::int16_t>(hit.samples[200 + i] - 100);
    const Event event = hit.process(two_detectors(), kMicrosecond);
    REQUIRE(event.flags == trigger_flag::low_gain);
    REQUIRE(event.baseline_median_adc == 900);
    REQUIRE(event.window[0][Feature::arrival_sample] == 49);
    REQUIRE(event.window[0][Feature::charge_adc] == 20 * 450);
    REQUIRE(event.window[0][Feature::charge_global_adc] == 20 * 450);
    REQUIRE(event.window[0][Feature::charge_pe] == 90);
    REQUIRE(event.window[0].accepted());

    hit.pulse(1, 60, 1, 1'000);
    REQUIRE(hit.process(two_detectors(), kMicrosecond).flags == (trigger_flag::low_gain | trigger_flag::overflow));
    const Event alone = Hit{0b0001}.pulse(0, 50, 5, 1'000).process(two_detectors(), kMicrosecond);
    REQUIRE(alone.flags == trigger_flag::overflow);  // the low gain was not recorded
    // The next hit is measured in its own gain again.
    TriggerStage stage{two_detectors(), {hit.board}};
    for (const bool overflows : {true, false}) {
        Hit next{0b0011};
        next.pulse(0, 50, 5, overflows ? 1'000 : 100).pulse(1, 50, 5, 50);
        Trigger trigger;
        trigger.since_tick_ps = kMicrosecond;
        trigger.add({next.header, std::as_bytes(std::span{next.samples})});
        Event measured;
        stage.process(trigger, 70, measured);
        REQUIRE(measured.window[0][Feature::charge_adc] == (overflows ? 5'000 : 500));
    }
}

// ---- the station file

namespace {

std::vector<std::string> problems_of(const std::string& rest, const std::string& trigger_word = "self") {
    const std::string board = "[[board]]\nname = \"b1\"\nsource = \"simulator\"\ntrigger = \"" + trigger_word +
                              "\"\nsample_type = \"uint16\"\nsample_period_ps = 4000\nsamples = 500\n"
                              "channel = [{name = \"high\"}, {name = \"low\"}, {name = \"timing\"}]\n"
                              "[[board]]\nname = \"b2\"\nsource = \"simulator\"\ntrigger = \"self\"\n"
                              "sample_type = \"uint16\"\nsample_period_ps = 2000\nchannel = [{name = \"other\"}]\n";
    const ConfigFile file = ConfigFile::parse("[station]\nprofile = \"p\"\n" + board + rest, "s.toml");
    ConfigProblems problems;
    ConfigSection root{file, problems};
    const Station station = parse_station(root);
    (void)parse_tick(root, station, parse_trigger(root, station));
    root.finish();
    return problems.lines();
}

bool says(const std::vector<std::string>& lines, const std::string& what) {
    return std::any_of(lines.begin(), lines.end(),
                       [&](const std::string& line) { return line.find(what) != std::string::npos; });
}

const std::string kTick = "[tick]\nsource = \"stamps\"\n";
const std::string kWindow =
    "[[trigger.window]]\nname = \"c\"\nstart_ns = -5000000\nlength_ns = 12000\nintegration_ns = 1400\n";
const std::string kTrigger = "[trigger]\nbaseline_ns = 400\n";

}  // namespace

TEST_CASE("windows of hits may lie anywhere, and detectors are told apart", "[trigger][hits][config]") {
    REQUIRE(problems_of(kTick + kTrigger +
                        "detector = [{name = \"d\", channel = \"high\", low_gain = \"low\", low_gain_ratio = 20}]\n" +
                        kWindow)
                .empty());
    REQUIRE(
        problems_of(kTick + "board = \"b2\"\nmax_wait_ms = 20\n" + kTrigger + "signal = \"high\"\n" + kWindow).empty());
    REQUIRE(
        problems_of("[tick]\nsource = \"channel\"\nchannel = \"timing\"\n" + kTrigger + "signal = \"high\"\n" + kWindow)
            .empty());
}

TEST_CASE("what hits cannot have is refused", "[trigger][hits][config]") {
    const auto with = [](const std::string& trigger) { return problems_of(kTick + kTrigger + trigger + kWindow); };
    REQUIRE(says(with(""), "trigger.signal: is missing"));
    REQUIRE(says(with("signal = \"high\"\nveto = \"low\"\n"), "trigger.veto: a hit holds no channel but its own"));
    REQUIRE(says(with("signal = \"high\"\ndetector = [{name = \"d\", channel = \"high\"}]\n"), "each names its own"));
    REQUIRE(says(with("detector = [{name = \"d\", channel = \"nobody\"}]\n"), "no board has a channel 'nobody'"));
    REQUIRE(says(with("detector = [{name = \"d\"}]\n"), "trigger.detector.channel: is missing"));
    REQUIRE(says(with("detector = [{name = \"d\", channel = \"high\", low_gain = \"low\"}]\n"), "belong together"));
    REQUIRE(says(with("detector = [{name = \"d\", channel = \"high\", low_gain = \"other\", low_gain_ratio = 2}]\n"),
                 "is on another board than channel"));
    REQUIRE(says(with("detector = [{name = \"d\", channel = \"high\"}, {name = \"d\", channel = \"low\"}]\n"),
                 "two detectors have this name"));
    REQUIRE(says(with("detector = [{name = \"d\", channel = \"high\"}, {name = \"e\", channel = \"high\"}]\n"),
                 "is detector 'd' already"));
    REQUIRE(says(with("detector = [{name = \"d\", channel = \"high\"}, {name = \"e\", channel = \"other\"}]\n"),
                 "samples otherwise"));
    REQUIRE(says(with("detector = [{name = \"d\", channel = \"high\", spe_charge_adc = 45}]\n"
                      "calibration = {source = \"fit\"}\n"),
                 "spe_charge_adc = 45 of detector d is not between 50 and 100"));
    REQUIRE(says(with("signal = \"high\"\ntick_position_ns = 2000\n"), "lies behind the trace"));
    REQUIRE(says(problems_of(kTick + kTrigger + "signal = \"high\"\n" + kWindow +
                             "[[trigger.window]]\nname = \"d\"\n"
                             "length_ns = 12000\nintegration_ns = 2400\n"),
                 "integration is longer than the trace"));
    const std::string rest = kTrigger + "signal = \"high\"\n" + kWindow;
    REQUIRE(says(problems_of(rest), "tick.source: a hit is no tick"));
    REQUIRE(
        says(problems_of("[tick]\nsource = \"channel\"\nchannel = \"no\"\n" + rest), "no board has a channel 'no'"));
    REQUIRE(says(problems_of("[tick]\nsource = \"stamps\"\nboard = \"b3\"\n" + rest), "there is no board 'b3'"));
    REQUIRE(says(problems_of(kTick + rest, "external"), "board.trigger: is not that of board 'b1'"));
}
