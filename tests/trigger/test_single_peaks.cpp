#include <catch2/catch.hpp>

#include <vector>

#include "trigger/trigger_stage.hpp"

using namespace alleycat;

namespace {

/// A trace of positive 8-bit samples and what the single peaks of it are worth.
struct OneTrace {
    std::vector<std::int8_t> samples;
    BoardInfo info;
    RecordHeader header;
    TriggerConfig config;

    explicit OneTrace(std::size_t n) : samples(n, 0) {
        info.name = "board";
        info.samples = static_cast<std::uint32_t>(n);
        info.sample_period_ps = 2'000;
        info.sample_type = SampleType::int8;
        info.channels = {{"signal", false, "plain"}};
        header.samples_per_channel = info.samples;
        header.channels = 1;
        header.channel_mask = 1;
        header.sample_type = SampleType::int8;
        config.signal = {0, 0, true};
        config.baseline_samples = static_cast<std::int64_t>(n);
    }
    void add(std::size_t begin, std::size_t end, int height) {
        for (std::size_t i = begin; i < end; ++i) samples[i] = static_cast<std::int8_t>(samples[i] + height);
    }
    std::vector<float> charges(std::uint32_t tick_flags = 0) {
        Trigger trigger;
        trigger.tick_flags = tick_flags;
        trigger.add({header, std::as_bytes(std::span{samples})});
        TriggerStage stage{config, {info}};
        Event event;
        stage.process(trigger, 70, event);
        PeakCharges charges;
        charges.count = 17;  // of the trigger before
        stage.measure_single_peaks(event, charges);
        return {charges.all().begin(), charges.all().end()};
    }
};

}  // namespace

TEST_CASE("a single peak's charge is less the baseline on both sides of it", "[trigger][calibration]") {
    OneTrace trace{600};
    trace.add(100, 251, 1);   // the baseline is a count higher here
    trace.add(170, 176, 10);  // so the peak is 11 high; it is integrated from 168 to 177
    // Sum: 6 x 11 + 4 x 1 = 70. Baseline: of the 75 samples before (93 to 167) 68 are 1, of the 75 after (178 to
    // 252) 73.
    const double baseline = (68.0 + 73.0) / 150;
    const std::vector<float> charges = trace.charges();
    REQUIRE(charges.size() == 1);
    CHECK(charges[0] == Approx(70 - 10 * baseline).epsilon(1e-6));
}

TEST_CASE("what is far from the baseline is no baseline: neither a neighbour nor an undershoot",
          "[trigger][calibration]") {
    OneTrace trace{600};
    trace.add(200, 205, 10);
    trace.add(220, 225, 20);  // within 75 samples of the first
    trace.add(240, 250, -4);
    trace.add(180, 190, -3);  // this is: the band ends at 3
    const std::vector<float> charges = trace.charges();
    REQUIRE(charges.size() == 2);
    // Around the first one (198 to 206 integrated): 75 samples before; after it 207 to 281 without 5 and 10 of the
    // others.
    CHECK(charges[0] == Approx(50 - 9 * (-30.0 / (75 + 75 - 15))).epsilon(1e-6));
    // Around the second one (218 to 226): before, 143 to 217 without the five of the first; after, 227 to 301 without
    // ten.
    CHECK(charges[1] == Approx(100 - 9 * (-30.0 / (70 + 65))).epsilon(1e-6));
}

TEST_CASE("a peak whose integration leaves the trace has no charge, one that just fits has", "[trigger][calibration]") {
    OneTrace trace{300};
    trace.add(1, 6, 10);  // integration would start at -1
    trace.add(100, 105, 10);
    trace.add(293, 298, 12);  // integrated from 291 to 299, the last sample
    const std::vector<float> charges = trace.charges();
    REQUIRE(charges.size() == 2);
    CHECK(charges[0] == 50);
    CHECK(charges[1] == 60);
    trace.add(298, 299, 12);  // one sample longer: it leaves the trace
    CHECK(trace.charges().size() == 1);
}

TEST_CASE("a trace gives its first 64 peaks", "[trigger][calibration]") {
    OneTrace trace{3'000};
    for (std::size_t p = 0; p < 80; ++p) trace.add(20 + 30 * p, 26 + 30 * p, 5 + static_cast<int>(p));
    const std::vector<float> charges = trace.charges();
    REQUIRE(charges.size() == 64);
    CHECK(charges.front() == 6 * 5);
    CHECK(charges.back() == 6 * (5 + 63));
}

TEST_CASE("a trace that something spoils gives no single peaks", "[trigger][calibration]") {
    OneTrace trace{600};
    trace.add(300, 305, 10);
    REQUIRE(trace.charges().size() == 1);
    CHECK(trace.charges(trigger_flag::tick_out_of_phase).size() == 1);  // its tick is none of the light's business
    SECTION("overflow") { trace.add(400, 401, 127); }
    SECTION("a closed gate") { trace.config.linear_gate = LinearGate{.closed_at_adc = -10, .min_baseline_adc = 1}; }
    SECTION("too short a trace") { trace.config.baseline_samples = 601; }
    SECTION("no signal channel") { trace.header.channel_mask = 0; }
    CHECK(trace.charges().empty());
}

TEST_CASE("a muon's trace gives no single peaks", "[trigger][calibration]") {
    OneTrace trace{600};
    trace.add(300, 305, 10);
    trace.info.channels.push_back({"veto", false, "plain"});
    trace.config.veto = {0, 1, true};
    trace.header.channels = 2;
    trace.header.channel_mask = 3;
    trace.samples.resize(1'200, 0);
    REQUIRE(trace.charges().size() == 1);
    trace.add(600 + 50, 600 + 60, 20);
    CHECK(trace.charges().empty());
}
