#include <catch2/catch.hpp>

#include <cmath>
#include <cstring>

#include "daq/core/code_map.hpp"
#include "trigger/trigger_stage.hpp"

using namespace alleycat;

namespace {

/// A trace of 400 samples with the tick at 300: AC region 200..299, C region 300..399, pretraces of 100, integration 40.
TriggerConfig small_config() {
    TriggerConfig config;
    config.signal = {0, 0, true};
    config.veto = {0, 1, true};
    config.tick_sample = 300;
    config.baseline_samples = 100;
    config.local_baseline_samples = 50;
    config.windows = {{"coincident", WindowRole::coincident, 200, 300, 400, 40},
                      {"anticoincident", WindowRole::anticoincident, 100, 200, 300, 40}};
    config.cuts = {{"muon_veto", "", trigger_flag::muon_veto, {}, false},
                   {"pretrace", "", 0, {{.feature = static_cast<std::size_t>(Feature::pretrace_peaks), .max = 1}}, false}};
    return config;
}

/// One board, two channels, in one sample type; the samples of a Trigger live here.
template <class Sample>
struct TestBoard {
    explicit TestBoard(Sample baseline, std::size_t length = 400) : samples(2 * length, baseline), n{length} {
        info.name = "board";
        info.samples = static_cast<std::uint32_t>(n);
        info.sample_period_ps = 2'000;
        info.sample_type = std::is_same_v<Sample, std::int8_t>    ? SampleType::int8
                           : std::is_same_v<Sample, std::uint8_t> ? SampleType::uint8
                           : std::is_same_v<Sample, std::int16_t> ? SampleType::int16
                                                                  : SampleType::uint16;
        info.channels = {{"signal", true, "plain"}, {"veto", true, "plain"}};
        header.samples_per_channel = static_cast<std::uint32_t>(n);
        header.channels = 2;
        header.channel_mask = 3;
        header.sample_type = info.sample_type;
    }
    void pulse(std::size_t channel, std::size_t at, std::size_t length, int height) {
        for (std::size_t i = at; i < at + length; ++i) {
            samples[channel * n + i] = static_cast<Sample>(samples[channel * n + i] + (negative ? -height : height));
        }
    }
    Event process(const TriggerConfig& config) {
        Trigger trigger;
        trigger.sequence = 7;
        trigger.add({header, std::as_bytes(std::span{samples})});
        Event event;
        TriggerStage{config, {info}}.process(trigger, 70, event);
        return event;
    }
    std::vector<Sample> samples;
    std::size_t n;
    bool negative = true;
    BoardInfo info;
    RecordHeader header;
};

}  // namespace

TEST_CASE("a quiet trace has a baseline and no arrival in any window", "[trigger][stage]") {
    const Event event = TestBoard<std::int8_t>{100}.process(small_config());
    REQUIRE(event.sequence == 7);
    REQUIRE(event.flags == 0);
    REQUIRE(event.baseline_median_adc == 100);
    REQUIRE(event.window_count == 2);
    for (std::size_t w = 0; w < 2; ++w) {
        REQUIRE(event.window[w].cuts == kCutNoPeak);
        REQUIRE(event.window[w][Feature::arrival_sample] == -1);
        REQUIRE(std::isnan(event.window[w][Feature::arrival_ns]));
        REQUIRE(event.window[w][Feature::charge_adc] == 0);
    }
}

TEST_CASE("a pulse in C is measured in C and stands in no other window", "[trigger][stage]") {
    TestBoard<std::int8_t> board{100};
    board.pulse(0, 320, 5, 10);
    const Event event = board.process(small_config());
    const WindowEvent& c = event.window[0];
    REQUIRE(c.accepted());
    REQUIRE(c[Feature::roi_peaks] == 1);
    REQUIRE(c[Feature::window_peaks] == 1);
    REQUIRE(c[Feature::arrival_sample] == 318);
    REQUIRE(c[Feature::arrival_ns] == 36);         // 18 samples of 2 ns
    REQUIRE(c[Feature::charge_adc] == 50);
    REQUIRE(c[Feature::charge_pe] == Approx(50.0 / 70));
    REQUIRE(c[Feature::t50_ns] == Approx(2 * (1 + 2.5)));  // 25 of 50 lies 2.5 samples after the second margin sample
    REQUIRE(event.window[1].cuts == kCutNoPeak);
}

TEST_CASE("positive pulses on 16-bit boards give what negative ones give on 8-bit boards", "[trigger][stage]") {
    TestBoard<std::int8_t> narrow{100};
    TestBoard<std::uint16_t> wide{8'000};
    wide.negative = false;
    wide.info.channels[0].negative_pulses = wide.info.channels[1].negative_pulses = false;
    for (std::size_t at : {210u, 340u}) {
        narrow.pulse(0, at, 6, 12);
        wide.pulse(0, at, 6, 12);
    }
    TriggerConfig wide_config = small_config();
    wide_config.overflow_low_code = 0;
    wide_config.overflow_high_code = 16'383;
    const Event a = narrow.process(small_config());
    const Event b = wide.process(wide_config);
    REQUIRE(b.baseline_median_adc == 8'000);
    for (std::size_t w = 0; w < 2; ++w) {
        REQUIRE(a.window[w].cuts == b.window[w].cuts);
        for (std::size_t f = 0; f < kCoreFeatures; ++f) REQUIRE(a.window[w].value[f] == b.window[w].value[f]);
    }
}

TEST_CASE("a pulse that starts too late does not fit its window", "[trigger][stage]") {
    TestBoard<std::int8_t> board{100};
    board.pulse(0, 362, 5, 10);  // arrival 360: 360 + 40 reaches the region's end
    REQUIRE(board.process(small_config()).window[0].cuts == kCutDoesNotFit);
    TestBoard<std::int8_t> earlier{100};
    earlier.pulse(0, 361, 5, 10);
    REQUIRE(earlier.process(small_config()).window[0].accepted());
}

TEST_CASE("a peak that crosses in the region's first two samples is counted but is not the arrival", "[trigger][stage]") {
    TestBoard<std::int8_t> board{100};
    board.pulse(0, 301, 4, 10);
    const Event alone = board.process(small_config());
    REQUIRE(alone.window[0][Feature::roi_peaks] == 1);
    REQUIRE(alone.window[0].cuts == kCutNoPeak);
    board.pulse(0, 330, 4, 10);
    const Event followed = board.process(small_config());
    REQUIRE(followed.window[0][Feature::roi_peaks] == 2);
    REQUIRE(followed.window[0][Feature::arrival_sample] == 328);
}

TEST_CASE("flags: overflow at the ends of the range, veto anywhere, gate by its crossings", "[trigger][stage]") {
    TriggerConfig config = small_config();
    config.linear_gate = LinearGate{};
    {
        TestBoard<std::int8_t> board{100};
        board.samples[399] = 127;
        REQUIRE(board.process(config).flags == trigger_flag::overflow);
        board.samples[399] = 126;
        REQUIRE(board.process(config).flags == 0);
    }
    {
        TestBoard<std::int8_t> board{100};
        board.pulse(0, 250, 20, 90);  // closes and opens again: 10 <= 18, equal crossings
        REQUIRE(board.process(config).flags == 0);
        board.pulse(0, 390, 10, 90);  // closes and stays closed
        REQUIRE(board.process(config).flags == trigger_flag::linear_gate);
    }
    {
        TestBoard<std::int8_t> board{49};  // a median below 50
        REQUIRE(board.process(config).flags == trigger_flag::linear_gate);
    }
    {
        TestBoard<std::int8_t> board{100};
        board.pulse(1, 10, 2, 10);
        REQUIRE(board.process(config).flags == 0);
        board.pulse(1, 20, 3, 10);
        const Event event = board.process(config);
        REQUIRE(event.flags == trigger_flag::muon_veto);
        REQUIRE(event.window[0].cuts == (kCutNoPeak | 1u << kFixedCuts));
    }
}

TEST_CASE("cuts are evaluated in their places, and not on features that were not measured", "[trigger][stage]") {
    TestBoard<std::int8_t> board{100};
    board.pulse(0, 210, 4, 10);
    board.pulse(0, 220, 4, 10);
    board.pulse(0, 330, 4, 10);
    const Event event = board.process(small_config());
    REQUIRE(event.window[0][Feature::pretrace_peaks] == 2);
    REQUIRE(event.window[0].cuts == 1u << (kFixedCuts + 1));  // pretrace <= 1 fails
    REQUIRE(event.window[1].accepted());
}

TEST_CASE("a trace too short, a missing channel and a missing board are flagged, never guessed", "[trigger][stage]") {
    TestBoard<std::int8_t> short_board{100, 350};
    Event event = short_board.process(small_config());
    REQUIRE(event.flags == trigger_flag::short_trace);
    REQUIRE(event.window[0].cuts == kCutDoesNotFit);   // C leaves the trace
    REQUIRE(event.window[1].cuts == kCutNoPeak);       // AC is inside and quiet

    TestBoard<std::int8_t> tiny{100, 50};
    event = tiny.process(small_config());
    REQUIRE(event.flags == trigger_flag::short_trace);
    REQUIRE(std::isnan(event.baseline_median_adc));
    REQUIRE_FALSE(event.window[1].accepted());

    TestBoard<std::int8_t> half{100};
    half.header.channel_mask = 2;  // only the veto channel came
    half.header.channels = 1;
    half.samples.resize(400);
    event = half.process(small_config());
    REQUIRE((event.flags & trigger_flag::missing_channel) != 0);
    REQUIRE_FALSE(event.window[0].accepted());

    TestBoard<std::int8_t> blind{100};
    blind.header.channel_mask = 1;  // only the signal came: nobody knows about muons
    blind.header.channels = 1;
    blind.samples.resize(400);
    blind.n = 400;
    REQUIRE(blind.process(small_config()).flags == trigger_flag::missing_veto);

    Trigger nothing;
    nothing.missing_boards = 1;
    TriggerStage{small_config(), {half.info}}.process(nothing, 70, event);
    REQUIRE((event.flags & trigger_flag::missing_board) != 0);
    REQUIRE_FALSE(event.window[0].accepted());
}

TEST_CASE("missing codes are closed before anything is measured", "[trigger][stage]") {
    TestBoard<std::int8_t> board{code_for(kPci5153Signal, 100)};
    board.info.channels[0].code_map = "pci5153_signal";
    for (std::size_t i = 320; i < 326; ++i) board.samples[i] = code_for(kPci5153Signal, 70);
    const Event event = board.process(small_config());
    REQUIRE(event.baseline_median_adc == 100);
    REQUIRE(event.window[0][Feature::charge_adc] == 6 * 30);
}
