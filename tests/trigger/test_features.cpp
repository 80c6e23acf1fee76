// A profile's own features: read from a station file, measured by the stage, cut on.

#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <string>
#include <vector>

#include "trigger/trigger_stage.hpp"

using namespace alleycat;

namespace {

/// Two boards' channels of 16 bits, 10 ns per sample, 1000 samples; windows are 300 samples long from 200 and 500 on.
const std::string kStation = R"(
[station]
profile = "test"
[[board]]
name = "adc"
source = "simulator"
sample_type = "uint16"
sample_period_ps = 10000
samples = 1000
[[board.channel]]
name = "left"
pulses = "positive"
[[board.channel]]
name = "right"
pulses = "positive"
[[board.channel]]
name = "inverted"
[[board]]
name = "slow"
source = "simulator"
sample_type = "uint16"
sample_period_ps = 20000
samples = 1000
[[board.channel]]
name = "far"
)";
const std::string kWindows = R"(
[[trigger.window]]
name = "coincident"
start_ns = 5000
length_ns = 3000
pretrace_ns = 1000
integration_ns = 500
[[trigger.window]]
name = "anticoincident"
role = "anticoincident"
start_ns = 2000
length_ns = 3000
pretrace_ns = 1000
integration_ns = 500
)";
const std::string kTrigger = R"(
[trigger]
signal = "left"
baseline_ns = 1000
overflow_low_code = 0
overflow_high_code = 4095
[trigger.peaks]
threshold_adc = 5
min_samples = 3
margin_samples = 2
[trigger.local_baseline]
length_ns = 200
)";

struct Read {
    Station station;
    TriggerConfig trigger;
    std::vector<std::string> problems;
};

Read read(const std::string& features, const std::string& trigger = kTrigger) {
    const ConfigFile file = ConfigFile::parse(kStation + trigger + kWindows + features, "station.toml");
    ConfigProblems problems;
    ConfigSection root{file, problems};
    Read result;
    result.station = parse_station(root);
    result.trigger = parse_trigger(root, result.station);
    root.finish();
    result.problems = problems.lines();
    return result;
}

std::string feature(const std::string& body) { return "[[trigger.feature]]\nname = \"x\"\n" + body; }

/// The only problem there is.
std::string problem_of(const std::string& features, const std::string& trigger = kTrigger) {
    const std::vector<std::string> problems = read(features, trigger).problems;
    for (const std::string& line : problems) UNSCOPED_INFO(line);
    REQUIRE(problems.size() == 1);
    return problems.front();
}

/// A trigger of the first board: 1000 samples at 100 counts in each of three channels.
struct TestTrigger {
    TestTrigger() : samples(3'000, 100) {
        header.channels = 3;
        header.channel_mask = 7;
        header.samples_per_channel = 1'000;
        header.sample_type = SampleType::uint16;
    }
    void pulse(std::size_t channel, std::size_t at, const std::vector<int>& heights) {
        for (std::size_t i = 0; i < heights.size(); ++i) {
            std::uint16_t& sample = samples[channel * 1'000 + at + i];
            sample = static_cast<std::uint16_t>(sample + heights[i]);
        }
    }
    Event process(const Read& config) {
        for (const std::string& line : config.problems) UNSCOPED_INFO(line);
        REQUIRE(config.problems.empty());
        Trigger trigger;
        trigger.add({header, std::as_bytes(std::span{samples})});
        Event event;
        TriggerStage{config.trigger, config.station.boards}.process(trigger, 70, event);
        return event;
    }
    std::vector<std::uint16_t> samples;
    RecordHeader header;
};

double own(const Event& event, std::size_t window, std::size_t index) {
    return event.window[window].value[kCoreFeatures + index];
}

const std::vector<int> kPulse{10, 40, 20, 10, 10, 10};  // 100 in all

}  // namespace

TEST_CASE("features become columns after the core ones, in their order", "[trigger][features]") {
    const Read config = read(R"(
[[trigger.feature]]
name = "early_adc"
kind = "charge"
length_ns = 40
[[trigger.feature]]
name = "peaks_later"
kind = "peak_count"
start_ns = 60
length_ns = 1000
)");
    const std::vector<FeatureInfo> infos = feature_infos(config.trigger);
    REQUIRE(infos.size() == kCoreFeatures + 2);
    REQUIRE(infos[kCoreFeatures].name == "early_adc");
    REQUIRE(infos[kCoreFeatures].unit == "adc*sample");
    REQUIRE(infos[kCoreFeatures].type == FeatureType::f64);
    REQUIRE(infos[kCoreFeatures].meaning == "charge from 0 ns to 40 ns after the arrival, local baseline");
    REQUIRE(infos[kCoreFeatures + 1].type == FeatureType::u32);

    TestTrigger trigger;
    trigger.pulse(0, 520, kPulse);
    trigger.pulse(0, 540, kPulse);
    const Event event = trigger.process(config);
    REQUIRE(event.feature_count == kCoreFeatures + 2);
    REQUIRE(event.window[0][Feature::arrival_sample] == 518);
    REQUIRE(own(event, 0, 0) == 50);  // two samples of margin, then 10 and 40
    REQUIRE(own(event, 0, 1) == 1);
    // Nothing arrives in the other window: nothing is measured there.
    REQUIRE(std::isnan(own(event, 1, 0)));
    REQUIRE(own(event, 1, 1) == 0);
}

TEST_CASE("every kind is measured where its gate lies", "[trigger][features]") {
    const Read config = read(R"(
[[trigger.feature]]
name = "tail_over_total"
kind = "charge_ratio"
numerator = {start_ns = 40, length_ns = 40}
denominator = {start_ns = 0, length_ns = 80}
[[trigger.feature]]
name = "prompt"
kind = "prompt_fraction"
prompt_ns = 40
length_ns = 80
[[trigger.feature]]
name = "rise_ns"
kind = "rise_time"
low = 0.25
high = 0.75
[[trigger.feature]]
name = "charge_rise_ns"
kind = "rise_time"
of = "charge"
low = 0.1
high = 0.5
length_ns = 80
[[trigger.feature]]
name = "mean_ns"
kind = "mean_time"
length_ns = 80
[[trigger.feature]]
name = "height_adc"
kind = "peak_height"
[[trigger.feature]]
name = "slope"
kind = "max_slope"
[[trigger.feature]]
name = "region_adc"
kind = "charge"
from = "window"
[[trigger.feature]]
name = "halves"
kind = "ratio"
of = "height_adc"
over = "region_adc"
[[trigger.feature]]
name = "energy_kev"
kind = "linear"
of = "charge_adc"
offset = 3
slope = 0.5
unit = "keV"
)");
    TestTrigger trigger;
    trigger.pulse(0, 520, kPulse);
    const Event event = trigger.process(config);  // from the arrival on: 0 0 10 40 20 10 10 10
    REQUIRE(own(event, 0, 0) == Approx(50.0 / 100));
    REQUIRE(own(event, 0, 1) == Approx(50.0 / 100));
    REQUIRE(own(event, 0, 2) == Approx(10 * (20.0 / 30)));  // 10 at 2, 30 at 2 + 20/30
    REQUIRE(own(event, 0, 3) == Approx(10 * (3.0 - 2.0)));  // sums 10 at 2 and 50 at 3
    REQUIRE(own(event, 0, 4) == Approx(10 * (20 + 120 + 80 + 50 + 60 + 70) / 100.0));
    REQUIRE(own(event, 0, 5) == 40);
    REQUIRE(own(event, 0, 6) == Approx(30.0 / 10));
    REQUIRE(own(event, 0, 7) == 100);
    REQUIRE(own(event, 0, 8) == Approx(0.4));
    REQUIRE(own(event, 0, 9) == Approx(53));
    // The region of a window without a pulse has a charge; what is made of an arrival has none, whatever the offset.
    REQUIRE(own(event, 1, 7) == 0);
    REQUIRE(std::isnan(own(event, 1, 9)));
    REQUIRE(feature_infos(config.trigger)[kCoreFeatures + 9].unit == "keV");
}

TEST_CASE("charges use the local baseline unless the median is asked for", "[trigger][features]") {
    const Read config = read(R"(
[[trigger.feature]]
name = "local"
kind = "charge"
length_ns = 80
[[trigger.feature]]
name = "median"
kind = "charge"
baseline = "median"
length_ns = 80
[[trigger.feature]]
name = "region"
kind = "charge"
from = "window"
)");
    TestTrigger trigger;
    for (std::size_t i = 450; i < 1'000; ++i) ++trigger.samples[i];  // one count up from sample 450 on
    trigger.pulse(0, 520, kPulse);
    const Event event = trigger.process(config);
    REQUIRE(own(event, 0, 0) == Approx(100));
    REQUIRE(own(event, 0, 1) == Approx(108));
    // The window's local baseline are the 20 samples before its start, all one count up.
    REQUIRE(own(event, 0, 2) == Approx(100));
}

TEST_CASE("a trapezoid measures a step, in energy and in time", "[trigger][features]") {
    const Read config = read(R"(
[[trigger.feature]]
name = "energy_adc"
kind = "trapezoid"
rise_ns = 400
flat_ns = 100
length_ns = 1000
[[trigger.feature]]
name = "top_ns"
kind = "trapezoid"
measure = "time"
rise_ns = 400
flat_ns = 100
length_ns = 1000
)");
    TestTrigger trigger;
    trigger.pulse(0, 600, std::vector<int>(400, 300));
    trigger.pulse(0, 990, std::vector<int>(10, -300));  // so that the peak ends
    const Event event = trigger.process(config);
    REQUIRE(event.window[0][Feature::arrival_sample] == 598);
    REQUIRE(own(event, 0, 0) == 300);
    REQUIRE(own(event, 0, 1) == Approx(10 * (600 + 39 - 598)));  // the 40th sample of the step fills the newer mean
}

TEST_CASE("the delayed coincidence finds time and charge of the later pulse", "[trigger][features]") {
    const std::string gate =
        "kind = \"delayed_coincidence\"\nstart_ns = 300\nlength_ns = 1500\ncluster_ns = 200\n"
        "min_charge_adc = 90\n";
    const Read config = read("[[trigger.feature]]\nname = \"after_ns\"\n" + gate +
                             "[[trigger.feature]]\nname = \"after_adc\"\nmeasure = \"charge\"\n" + gate + R"(
[[trigger.cut]]
name = "neutron"
feature = "after_ns"
min = 300
max = 1200
)");
    TestTrigger trigger;
    trigger.pulse(0, 520, kPulse);
    trigger.pulse(0, 600, {10, 10, 10});  // too small
    trigger.pulse(0, 620, kPulse);
    const Event event = trigger.process(config);
    // 20 samples from the small one's start (598) end just where the next one's integration starts (618).
    REQUIRE(own(event, 0, 0) == Approx(10 * (618 - 518)));
    REQUIRE(own(event, 0, 1) == 100);
    REQUIRE(event.window[0].accepted());
    REQUIRE(event.window[1].cuts == kCutNoPeak);
}

TEST_CASE("other channels: a charge at the signal's arrival, and coincidences", "[trigger][features]") {
    const std::string text = R"(
[[trigger.feature]]
name = "right_adc"
kind = "charge"
channel = "right"
length_ns = 80
[[trigger.feature]]
name = "together"
kind = "coincidence"
channels = ["right", "inverted"]
start_ns = -50
length_ns = 150
[[trigger.feature]]
name = "together_big"
kind = "coincidence"
channels = ["right", "inverted"]
threshold_adc = 30
min_samples = 1
start_ns = -50
length_ns = 150
[[trigger.feature]]
name = "right_peaks"
kind = "peak_count"
channel = "right"
from = "window"
)";
    const Read config = read(text);
    TestTrigger trigger;
    trigger.pulse(0, 520, kPulse);
    trigger.pulse(1, 523, kPulse);
    trigger.pulse(2, 516, {-10, -10, -10});
    const Event event = trigger.process(config);
    REQUIRE(own(event, 0, 0) == 10 + 40 + 20);  // samples 518 to 525: the pulse's first three
    REQUIRE(own(event, 0, 1) == 2);
    REQUIRE(own(event, 0, 2) == 1);
    REQUIRE(own(event, 0, 3) == 1);
    REQUIRE(own(event, 1, 3) == 0);

    TestTrigger alone;  // a record with the signal only: the others measure nothing
    alone.pulse(0, 520, kPulse);
    alone.header.channels = 1;
    alone.header.channel_mask = 1;
    alone.samples.resize(1'000);
    const Event blind = alone.process(config);
    REQUIRE(std::isnan(own(blind, 0, 0)));
    REQUIRE(own(blind, 0, 1) == 0);
    REQUIRE(blind.window[0].accepted());
}

TEST_CASE("several channels add up to the signal, and one of them at the end of its range is an overflow",
          "[trigger][features]") {
    std::string trigger_text = kTrigger;
    trigger_text.replace(trigger_text.find("\"left\""), 6, "[\"left\", \"right\"]");
    const Read config = read("", trigger_text);
    TestTrigger trigger;
    trigger.pulse(0, 520, kPulse);
    trigger.pulse(1, 521, kPulse);
    Event event = trigger.process(config);
    REQUIRE(event.flags == 0);
    REQUIRE(event.baseline_median_adc == 200);
    REQUIRE(event.window[0][Feature::arrival_sample] == 518);
    REQUIRE(event.window[0][Feature::charge_adc] == 200);

    trigger.samples[1'000 + 700] = 4'095;
    event = trigger.process(config);
    REQUIRE(event.flags == trigger_flag::overflow);

    trigger.header.channels = 2;  // the second of the sum is not there
    trigger.header.channel_mask = 5;
    trigger.samples.resize(2'000);
    REQUIRE(trigger.process(config).flags == trigger_flag::missing_channel);
}

TEST_CASE("a channel whose codes are beyond the configured ends cannot spoil the sum", "[trigger][features]") {
    std::string trigger_text = kTrigger;
    trigger_text.replace(trigger_text.find("\"left\""), 6, "[\"left\", \"right\"]");
    TestTrigger trigger;
    trigger.samples[500] = 65'535;
    trigger.samples[1'500] = 65'535;
    const Event event = trigger.process(read("", trigger_text));
    REQUIRE(event.flags == trigger_flag::overflow);
    REQUIRE(event.window[0][Feature::roi_peaks] == 0);  // one sample of 4095 + 4095 is no peak of three
}

TEST_CASE("a preamplifier's reset is flagged wherever it is in the trace, and can be cut on", "[trigger][features]") {
    const Read config = read(R"(
[[trigger.cut]]
name = "reset"
flag = "preamp_reset"
[trigger.reset]
min_drop_adc = 50
within_ns = 30
)");
    TestTrigger trigger;
    trigger.pulse(0, 520, kPulse);
    REQUIRE(trigger.process(config).flags == 0);
    trigger.pulse(0, 900, std::vector<int>(100, -50));
    const Event event = trigger.process(config);
    REQUIRE(event.flags == trigger_flag::preamp_reset);
    REQUIRE_FALSE(event.window[0].accepted());
}

TEST_CASE("a feature without a value fails its cut", "[trigger][features]") {
    const Read config = read(R"(
[[trigger.feature]]
name = "ratio"
kind = "charge_ratio"
numerator = {start_ns = 40, length_ns = 40}
denominator = {start_ns = 100, length_ns = 40}
[[trigger.cut]]
name = "shape"
feature = "ratio"
min = 0
)");
    TestTrigger trigger;
    trigger.pulse(0, 520, kPulse);  // no charge in the denominator
    const Event event = trigger.process(config);
    REQUIRE(std::isnan(own(event, 0, 0)));
    REQUIRE(event.window[0].cuts == 1u << kFixedCuts);
    REQUIRE(event.window[1].cuts == kCutNoPeak);  // no arrival: not evaluated
}

TEST_CASE("a trigger without its signal has no features", "[trigger][features]") {
    const Read config = read(feature("kind = \"charge\"\n"));
    Event event;
    TriggerStage{config.trigger, config.station.boards}.process(Trigger{}, 70, event);
    REQUIRE(std::isnan(own(event, 0, 0)));
    TestTrigger tiny;
    tiny.header.samples_per_channel = 20;  // shorter than its baseline
    REQUIRE(std::isnan(own(tiny.process(config), 0, 0)));
}

TEST_CASE("wrong features are refused with their place and a reason", "[trigger][features][config]") {
    using Catch::Contains;
    const std::string gate = "length_ns = 100\n";
    CHECK_THAT(problem_of(feature("kind = \"energy\"\n")),
               Contains("trigger.feature.kind: 'energy' is not one of charge,"));
    CHECK_THAT(problem_of(feature("")), Contains("trigger.feature.kind"));
    CHECK_THAT(problem_of(feature("kind = \"charge\"\nlenght_ns = 3\n")), Contains("lenght_ns: unknown key"));
    CHECK_THAT(problem_of("[[trigger.feature]]\nname = \"charge_pe\"\nkind = \"charge\"\n"),
               Contains("a feature or a column 'charge_pe' is there already"));
    CHECK_THAT(problem_of("[[trigger.feature]]\nname = \"accepted\"\nkind = \"charge\"\n"),
               Contains("is there already"));
    CHECK_THAT(problem_of(feature("kind = \"charge\"\n") + feature("kind = \"mean_time\"\n")),
               Contains("is there already"));
    CHECK_THAT(problem_of("[[trigger.feature]]\nname = \"a b\"\nkind = \"charge\"\n"), Contains("letters, digits"));

    // Gates.
    CHECK_THAT(
        problem_of(feature("kind = \"charge\"\nlength_ns = 600\n")),
        Contains(
            "length_ns: the gate ends 600 ns after the arrival, the integration of window 'coincident' after 500 ns"));
    CHECK_THAT(problem_of(feature("kind = \"charge\"\nlength_ns = 0\n")), Contains("0 ns is less than 1 sample"));
    CHECK_THAT(problem_of(feature("kind = \"charge\"\nlength_ns = 15\n")),
               Contains("not a whole number of samples of 10000 ps"));
    CHECK_THAT(problem_of(feature("kind = \"charge\"\nstart_ns = 500\n")),
               Contains("the gate is empty in window 'coincident'"));
    CHECK_THAT(problem_of(feature("kind = \"charge\"\nstart_ns = -3000\nlength_ns = 100\n")),
               Contains("start_ns: the gate starts before the trace in window 'anticoincident'"));
    CHECK_THAT(problem_of(feature("kind = \"peak_count\"\nstart_ns = 0\nlength_ns = 3000\n")),
               Contains("the gate ends at sample 1049, after the trace of 1000, in window 'coincident'"));
    CHECK_THAT(problem_of(feature("kind = \"charge\"\nfrom = \"window\"\nlength_ns = 3010\n")),
               Contains("the gate ends after window 'coincident'"));
    CHECK_THAT(problem_of(feature("kind = \"charge\"\nfrom = \"tick\"\n")),
               Contains("'tick' is not one of arrival, window"));
    CHECK_THAT(problem_of(feature("kind = \"charge_ratio\"\nnumerator = {length_ns = 10}\n")),
               Contains("trigger.feature.denominator: is missing"));
    CHECK_THAT(
        problem_of(feature("kind = \"charge_ratio\"\nnumerator = {length_ns = 10}\ndenominator = {length_ns = 600}\n")),
        Contains("trigger.feature.denominator.length_ns: the gate ends 600 ns after the arrival"));
    CHECK_THAT(problem_of(feature("kind = \"prompt_fraction\"\nprompt_ns = 100\nlength_ns = 100\n")),
               Contains("prompt_ns: the prompt part is as long as the whole gate"));

    // The kinds' own keys.
    CHECK_THAT(problem_of(feature("kind = \"rise_time\"\nlow = 0.9\nhigh = 0.1\n")),
               Contains("low: 0.9 is not below high 0.1"));
    CHECK_THAT(problem_of(feature("kind = \"rise_time\"\nlow = 0\n")), Contains("low: 0 is outside [0.001, 0.999]"));
    CHECK_THAT(problem_of(feature("kind = \"rise_time\"\naverage_ns = 200\nlength_ns = 100\n")),
               Contains("longer than the gate"));
    CHECK_THAT(problem_of(feature("kind = \"max_slope\"\nover_ns = 100\nlength_ns = 100\n")),
               Contains("not shorter than the gate"));
    CHECK_THAT(problem_of(feature("kind = \"trapezoid\"\nlength_ns = 100\n")),
               Contains("rise_ns: 0 ns is less than 1 sample"));
    CHECK_THAT(problem_of(feature("kind = \"trapezoid\"\nrise_ns = 1100\nlength_ns = 100\n")),
               Contains("the gate with what the filter looks back starts before the trace in window 'anticoincident'"));
    CHECK_THAT(problem_of(feature("kind = \"delayed_coincidence\"\ncluster_ns = 50\nmin_charge_adc = 0\n" + gate)),
               Contains("min_charge_adc: 0 is outside"));
    CHECK_THAT(problem_of(feature("kind = \"coincidence\"\nchannels = [\"right\"]\nthreshold_adc = 0\n" + gate)),
               Contains("threshold_adc: 0 is outside [1, 65535]"));
    CHECK_THAT(problem_of(feature("kind = \"coincidence\"\n" + gate)), Contains("channels: is missing"));
    CHECK_THAT(problem_of(feature("kind = \"coincidence\"\nchannels = [\"up\"]\n" + gate)),
               Contains("no board has a channel 'up'"));
    CHECK_THAT(problem_of(feature("kind = \"coincidence\"\nchannels = [\"right\", \"right\"]\n" + gate)),
               Contains("'right' stands there twice"));
    CHECK_THAT(problem_of(feature("kind = \"charge\"\nchannel = \"far\"\n")),
               Contains("another sample period than the signal"));
    CHECK_THAT(problem_of(feature("kind = \"linear\"\nof = \"energy\"\nslope = 1\n")),
               Contains("of: 'energy' is not a feature before this one: pretrace_peaks,"));
    CHECK_THAT(problem_of(feature("kind = \"ratio\"\nof = \"x\"\nover = \"charge_adc\"\n")),
               Contains("'x' is not a feature before"));
    CHECK_THAT(problem_of(feature("kind = \"charge\"\n") + "[[trigger.cut]]\nname = \"c\"\nfeature = \"y\"\nmin = 1\n"),
               Contains("'y' is not a feature: pretrace_peaks,") && Contains(", x"));

    std::string many;
    for (int i = 0; i < 18; ++i)
        many += "[[trigger.feature]]\nname = \"f" + std::to_string(i) + "\"\nkind = \"charge\"\n";
    CHECK_THAT(problem_of(many),
               Contains("trigger.feature: there are more than 17 features besides the 15 of every profile"));
}

TEST_CASE("wrong sums and resets are refused", "[trigger][features][config]") {
    using Catch::Contains;
    const auto with = [](const std::string& signal, int high = 4'095) {
        return "[trigger]\nsignal = " + signal +
               "\nbaseline_ns = 1000\noverflow_low_code = 0\noverflow_high_code = " + std::to_string(high) + "\n";
    };
    CHECK_THAT(problem_of("", with("[\"left\", \"up\"]")), Contains("no board has a channel 'up'"));
    CHECK_THAT(problem_of("", with("[\"left\", \"left\"]")), Contains("'left' stands there twice"));
    CHECK_THAT(problem_of("", with("[\"left\", \"far\"]")), Contains("'far' is on another board"));
    CHECK_THAT(problem_of("", with("[\"left\", \"inverted\"]")), Contains("the same polarity"));
    CHECK_THAT(problem_of("", with("[\"left\", \"right\"]", 65'535)),
               Contains("the sum of 2 channels does not fit 16 bits"));
    CHECK_THAT(problem_of("", "[trigger]\nsignal = []\nbaseline_ns = 1000\n"), Contains("trigger.signal: is missing"));
    CHECK_THAT(problem_of("[trigger.reset]\nmin_drop_adc = 0\n"), Contains("min_drop_adc: 0 is outside [1, 65535]"));
    CHECK_THAT(problem_of("[trigger.reset]\nmin_drop_adc = 9\nwithin_ns = 10000\n"),
               Contains("within_ns: is longer than the trace"));
}
