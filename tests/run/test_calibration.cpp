// The SPE charge of whole runs: it follows the data, two blocks late, and does not depend on who did the work.

#include <catch2/catch.hpp>
#include <cmath>
#include <cstdio>
#include <numbers>

#include "station.hpp"

using namespace run_test;

namespace {

/// What the data stream says about calibrations, and every event.
struct Story {
    std::vector<Calibration> calibrations;
    std::vector<Event> events;
    bool told_in_time = true;  ///< each one before the first trigger it applies to, after the last it does not
    CounterValues counters;

    void take(std::span<const std::byte> bytes) {
        FrameView frame;
        REQUIRE(read_frame(bytes, frame) == FrameError::none);
        if (const auto calibration = decode_calibration(frame)) {
            const bool late = !events.empty() && events.back().sequence >= calibration->from_sequence;
            told_in_time = told_in_time && !late;
            calibrations.push_back(*calibration);
        }
        if (TriggerFrame trigger; decode_trigger(frame, trigger)) {
            told_in_time = told_in_time && trigger.event.spe_charge_adc == calibrations.back().spe_charge_adc;
            events.push_back(trigger.event);
        }
    }
    [[nodiscard]] std::uint64_t counter(std::string_view name) const {
        for (const auto& [known, value] : counters) {
            if (known == name) return value;
        }
        return 0;
    }
};

Story story_of(const StationSetup& setup, std::uint64_t triggers) {
    RunBuffers buffers{4u << 20, 1u << 20};
    CounterRegistry registry;
    auto pipeline =
        make_pipeline(setup, triggers, WhenFull::wait, make_live_sources(setup, triggers), buffers, registry);
    pipeline->start();
    Story story;
    for (bool ended = false; !ended;) {
        const std::uint32_t seen = buffers.writer_bell.value();
        for (auto shown = buffers.monitor.next(); !shown.empty(); shown = buffers.monitor.next())
            buffers.monitor.release();
        const auto bytes = buffers.frames.next();
        if (bytes.empty()) {
            ended = pipeline->done() && buffers.frames.stats().used_bytes == 0;
            if (!ended) buffers.writer_bell.wait(seen, {});
            continue;
        }
        FrameView frame;
        ended = read_frame(bytes, frame) == FrameError::none && frame.header.kind == FrameKind::run_end;
        story.take(bytes);
        buffers.frames.release();
    }
    pipeline->finish();
    story.counters = registry.values();
    return story;
}

/// The shipped station with its SPE charge fitted; traces with 27 peaks instead of 6, for tests that must be short.
StationSetup calibrated_station() {
    StationSetup setup = csi_station();
    setup.simulator.missed_tick_share = 0;
    setup.simulator.rate_boost = 1;
    setup.simulator.dark_rate_hz = 400e3;
    setup.simulator.afterglow_share = 0;
    setup.run.ring_bytes = 4u << 20;
    setup.trigger.calibration.source = CalibrationConfig::Source::fit;
    return setup;
}

bool same(const std::vector<Event>& a, const std::vector<Event>& b) {
    return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                      [](const Event& one, const Event& other) { return identical(one, other); });
}

// ---- a day

struct BlockOfDay {
    double fitted = 0, error = 0;
    double truth = 0;  ///< mean of what the simulator put in, over the block's triggers
};

/// 24 blocks of an hour, two more so that the last one of them comes into force; `triggers` in each, spread evenly.
std::vector<BlockOfDay> simulate_day(StationSetup setup, std::uint64_t triggers) {
    setup.simulator.tick_period_ns = 3600e9 / static_cast<double>(triggers);
    setup.simulator.tick_period_swing_ns = 0;
    setup.station.tick_rate_hz = setup.builder.tick_rate_hz = 1e9 / setup.simulator.tick_period_ns;
    setup.trigger.calibration.block_ps = 3600'000'000'000'000;
    setup.run.workers = 2;
    const std::uint64_t all = 26 * triggers + 1;
    const Story story = story_of(setup, all);
    const Simulator simulator{setup.simulator, setup.station.boards.front(), 0, all};

    CHECK(story.told_in_time);
    REQUIRE(story.events.size() == all);
    REQUIRE(story.calibrations.size() == 1 + 25);
    std::vector<BlockOfDay> day;
    for (std::uint64_t k = 0; k < 24; ++k) {
        const Calibration& c = story.calibrations[k + 1];
        INFO("block " << k << ": " << c.peaks << " peaks, chi2 per ndf " << c.fit_quality);
        CHECK(c.block == k);
        CHECK(c.from_sequence == (k + 2) * triggers);
        CHECK(c.origin == CalibrationOrigin::fitted);
        BlockOfDay block{c.spe_charge_adc, c.spe_charge_error_adc, 0};
        for (std::uint64_t t = 0; t < triggers; ++t) {
            block.truth += simulator.plan(static_cast<std::int64_t>(k * triggers + t)).spe_charge_adc;
        }
        block.truth /= static_cast<double>(triggers);
        day.push_back(block);
    }
    CHECK(story.counter("calibration.fits_kept") == 0);
    return day;
}

/// The fit measures charges as the peak finder gives them, so it may differ from what was put in by one constant
/// factor; what varies must be the drift and the fit's own errors.
void check_day(const std::vector<BlockOfDay>& day, double expected_error) {
    double weights = 0, ratio = 0, mean = 0;
    for (const BlockOfDay& b : day) {
        const double weight = std::pow(b.truth / b.error, 2);
        weights += weight;
        ratio += weight * b.fitted / b.truth;
        mean += weight * b.fitted;
    }
    ratio /= weights;
    mean /= weights;
    double chi2_ratio = 0, chi2_constant = 0, along = 0, norm = 0;
    for (std::size_t k = 0; k < day.size(); ++k) {
        const BlockOfDay& b = day[k];
        chi2_ratio += std::pow((b.fitted - ratio * b.truth) / b.error, 2);
        chi2_constant += std::pow((b.fitted - mean) / b.error, 2);
        const double wave = std::sin(2 * std::numbers::pi * (static_cast<double>(k) + 0.5) / 24);
        along += wave * b.fitted / ratio;
        norm += wave * wave;
        CHECK(b.error / b.fitted < 2 * expected_error);
    }
    const double amplitude = along / norm / 70;
    const double amplitude_error = expected_error / std::sqrt(norm);
    std::printf(
        "simulated day: fitted / true %.4f +- %.4f, constant with chi2 %.1f of 23; a constant charge: chi2 %.0f; "
        "amplitude of the drift %.4f (0.03 put in)\n",
        ratio, 1 / std::sqrt(weights), chi2_ratio, chi2_constant, amplitude);
    CHECK(chi2_ratio < 49.7);       // 99.9 % of chi2 with 23 degrees of freedom
    CHECK(chi2_ratio > 7.5);        // 0.1 %: the errors are not blown up either
    CHECK(chi2_constant > 5 * 23);  // the drift is really there
    CHECK(amplitude == Approx(0.03).margin(4 * amplitude_error));
    CHECK(ratio > 0.97);  // tails outside the margins of 2 samples: README of trigger/
    CHECK(ratio < 1.0);
}

}  // namespace

TEST_CASE("a run's calibrations and events do not depend on the number of workers or on a block's length",
          "[run][calibration]") {
    const std::uint64_t length = GENERATE(1u, 3u, 40u, 64u, 65u);
    constexpr std::uint64_t triggers = 200;
    StationSetup setup = calibrated_station();
    setup.trigger.calibration.block_triggers = length;
    setup.trigger.calibration.fit.min_peaks = 500;  // blocks of 1 and 3 triggers are never fitted
    setup.trigger.calibration.fit.max_error_percent = 50;
    const Story one = story_of(setup, triggers);
    INFO("blocks of " << length);
    CHECK(one.told_in_time);
    REQUIRE(one.events.size() == triggers);
    const std::uint64_t blocks = (triggers + length - 1) / length;
    REQUIRE(one.calibrations.size() == 1 + blocks - 2);
    for (std::uint64_t k = 0; k + 2 < blocks; ++k) {
        CHECK(one.calibrations[k + 1].block == k);
        CHECK(one.calibrations[k + 1].from_sequence == (k + 2) * length);
        CHECK((one.calibrations[k + 1].origin == CalibrationOrigin::kept) == (length < 40));
    }
    CHECK(one.counter("calibration.fits") == blocks - 2);
    CHECK(one.counter("calibration.fits_kept") == (length < 40 ? blocks - 2 : 0));
    CHECK(one.counter("calibration.peaks") > 20 * triggers);
    for (const unsigned workers : {2u, 3u}) {
        setup.run.workers = workers;
        const Story more = story_of(setup, triggers);
        CHECK(more.told_in_time);
        CHECK(more.calibrations == one.calibrations);
        CHECK(same(more.events, one.events));
    }
}

TEST_CASE("a station without a fit has one calibration, the configured one", "[run][calibration]") {
    StationSetup setup = calibrated_station();
    setup.trigger.calibration.source = CalibrationConfig::Source::none;
    const Story story = story_of(setup, 50);
    CHECK(story.calibrations == std::vector<Calibration>{{.spe_charge_adc = 70}});
    CHECK(story.counter("calibration.peaks") == 0);
}

TEST_CASE("over a simulated day the fitted charge follows the drifting gain within its errors", "[run][calibration]") {
    check_day(simulate_day(calibrated_station(), 600), 0.01);
}

TEST_CASE("over a simulated day of the shipped station the fitted charge follows the gain within 0.4 %",
          "[run][calibration][long]") {
    StationSetup setup = csi_station();
    setup.simulator.missed_tick_share = 0;
    setup.simulator.rate_boost = 1;
    setup.trigger.calibration.source = CalibrationConfig::Source::fit;
    check_day(simulate_day(setup, 18'000), 0.004);
}
