// The simulated detectors beside CsI[Na]: liquid argon, germanium, capture-gated scintillator; strobe triggers.

#include <algorithm>
#include <array>
#include <set>

#include "test_simulator_tools.hpp"

using namespace simulator_test;

namespace {

constexpr std::array kDetectors{SimulatedDetector::lar, SimulatedDetector::germanium, SimulatedDetector::mars};

BoardInfo wide_board() {
    BoardInfo board;
    board.name = "adc";
    board.source = "simulator";
    board.sample_type = SampleType::uint16;
    board.sample_period_ps = 10'000;
    board.samples = 10'000;  // 100 us
    board.clock_period_ps = 10'000;
    board.channels = {{"one", false, "plain"}, {"two", false, "plain"}};
    return board;
}

/// Pulses in most traces.
SimulatorConfig busy_config(SimulatedDetector detector) {
    SimulatorConfig config = fast_config(5);
    config.detector = detector;
    config.signal_channels = {"one", "two"};
    config.veto_channel = "";
    config.adc_bits = 14;
    config.baseline_adc = 5'000;
    config.dark_rate_hz = 1e4;
    config.lar.electron_rate_hz = config.lar.recoil_rate_hz = 5'000;
    config.germanium.continuum_rate_hz = 5'000;
    config.germanium.reset_rate_hz = 1'000;
    config.mars.gamma_rate_hz = config.mars.neutron_rate_hz = 5'000;
    return config;
}

std::vector<Taken> take_all(Simulator& simulator) {
    std::vector<Taken> all;
    for (Taken record; take(simulator, record);) all.push_back(record);
    return all;
}

}  // namespace

TEST_CASE("every detector gives the same records for the same seed, whatever was asked before",
          "[readout][simulator]") {
    for (const SimulatedDetector detector : kDetectors) {
        SimulatorConfig config = busy_config(detector);
        config.strobe_every_ticks = 2;
        Simulator first{config, wide_board(), 0, 12}, again{config, wide_board(), 0, 12},
            skipping{config, wide_board(), 0, 12};
        config.seed = 6;
        Simulator other{config, wide_board(), 0, 12};
        const std::vector<Taken> a = take_all(first), b = take_all(again), c = take_all(other);
        REQUIRE(a.size() == 12);
        std::size_t truths = 0;
        for (std::size_t i = 0; i < 12; ++i) {
            CHECK(a[i].header == b[i].header);
            CHECK(a[i].words == b[i].words);
            CHECK(a[i].words != c[i].words);
            truths += a[i].header.truth_count;
        }
        CHECK(truths > 6);
        Taken last;
        for (int i = 0; i < 11; ++i) REQUIRE(skipping.next(last.header, {}) == RecordSource::Next::record);
        REQUIRE(take(skipping, last));
        CHECK(last.words == a[11].words);
    }
}

TEST_CASE("a strobe stands half a period after its tick, is counted by the board and has no beam",
          "[readout][simulator]") {
    SimulatorConfig config = busy_config(SimulatedDetector::lar);
    config.strobe_every_ticks = 3;
    config.lar.neutrons_per_gwh = 1e9;  // some 28 in every tick with beam
    config.tick_period_swing_ns = 0;
    config.beam_power_w = 6e6;
    Simulator simulator{config, wide_board(), 0, 40};
    std::vector<BeamFrame> frames;
    std::vector<std::uint64_t> ticks;
    std::int64_t tick_time = 0;
    std::uint64_t expected_counter = 0;
    int strobes = 0;
    for (Taken record; take(simulator, record);) {
        CHECK(record.header.counter == expected_counter++);
        const auto truth = record.view().truth();
        const bool beam = std::any_of(truth.begin(), truth.end(),
                                      [](const TruthPulse& p) { return p.kind == TruthKind::prompt_neutron; });
        if (record.header.trigger_class == TriggerClass::strobe) {
            ++strobes;
            CHECK(record.header.counter % 4 == 3);  // three ticks, then a strobe
            CHECK(record.header.time_ps - tick_time == Approx(16'666'200'000 / 2.0).margin(10'000));
            CHECK_FALSE(beam);
        } else {
            tick_time = record.header.time_ps;
            ticks.push_back(record.header.counter);
            if (ticks.size() > 1) CHECK(beam);  // tick 0 is the no-beam cycle
        }
    }
    CHECK(strobes == 10);
    // The frames come with the ticks, and with what the board's counter showed then.
    simulator.take_beam_frames(frames);
    REQUIRE(frames.size() == ticks.size());
    for (std::size_t i = 0; i < frames.size(); ++i) CHECK(frames[i].tick == ticks[i]);
}

TEST_CASE("a germanium step is a Gaussian rise times an exponential fall, and a reset its negative",
          "[readout][simulator]") {
    SimulatorConfig config = busy_config(SimulatedDetector::germanium);
    config.noise_sigma_adc = config.baseline_drift_adc = config.baseline_wander_adc = 0;
    config.cevns_strength = config.neutron_strength = 0;
    config.signal_channels = {"one"};
    config.germanium = {};
    config.germanium.fano_factor = 0;
    config.germanium.lines_kev = {100};
    config.germanium.lines_rate_hz = {2'000};
    config.germanium.continuum_rate_hz = 0;
    config.germanium.reset_rate_hz = 1'000;
    config.germanium.reset_drop_adc = 3'000;
    Simulator simulator{config, wide_board(), 0, 400};
    int steps = 0, resets = 0;
    for (Taken record; take(simulator, record);) {
        const TickPlan plan = simulator.plan(static_cast<std::int64_t>(record.header.counter));
        if (plan.pulses.size() != 1 || plan.pulses[0].onset_ns < 0 || plan.pulses[0].onset_ns > 60'000) continue;
        const PlannedPulse& pulse = plan.pulses[0];
        const bool reset = pulse.truth.kind == TruthKind::preamp_reset;
        (reset ? resets : steps) += 1;
        CHECK(pulse.truth.photoelectrons == (reset ? 0 : 33'784));  // 100 keV / 2.96 eV
        const double height = reset ? -3'000 : 33'784 * 2.96e-3 * 50;
        const double sigma = pulse.rise_ns / 2.5631;
        const double middle = pulse.onset_ns + 3 * sigma;
        const auto codes = record.view().channel<std::uint16_t>(0);
        for (std::size_t i = 0; i < codes.size(); i += 37) {
            // Convolution by sums: each piece of a Gaussian current falls with 50 us from its own time on.
            const double t = static_cast<double>(i) * 10 - middle;
            double charge = 0;
            for (double u = -5; u < 5; u += 0.01) {
                const double since = t - (u + 0.005) * sigma;
                if (since < 0) break;
                charge += 0.01 / std::sqrt(2 * std::numbers::pi) * std::exp(-(u + 0.005) * (u + 0.005) / 2) *
                          std::exp(-since / 50'000);
            }
            REQUIRE(codes[i] - 5'000 == Approx(height * charge).margin(1.5 + std::abs(height) * 0.004));
        }
        const auto other = record.view().channel<std::uint16_t>(1);
        REQUIRE(std::all_of(other.begin(), other.end(), [&](std::uint16_t code) { return code == other[0]; }));
    }
    CHECK(steps > 20);
    CHECK(resets > 10);
}

TEST_CASE("a neutron's capture follows it, a gamma has none", "[readout][simulator]") {
    SimulatorConfig config = busy_config(SimulatedDetector::mars);
    config.mars.gamma_rate_hz = 2'000;
    config.mars.neutron_rate_hz = 2'000;
    config.mars.proton_mean_mevee = 5;  // hardly any without light
    Simulator simulator{config, wide_board(), 0, 1};
    std::size_t neutrons = 0, captures = 0, gammas = 0;
    double waited = 0;
    for (std::int64_t tick = 0; tick < 4'000; ++tick) {
        const TickPlan plan = simulator.plan(tick, tick % 2 == 1);
        for (std::size_t i = 0; i < plan.pulses.size(); ++i) {
            const PlannedPulse& pulse = plan.pulses[i];
            neutrons += pulse.truth.kind == TruthKind::neutron;
            gammas += pulse.truth.kind == TruthKind::gamma;
            if (pulse.truth.kind != TruthKind::neutron_capture) continue;
            ++captures;
            CHECK(pulse.truth.photoelectrons > 40);  // 0.8 MeVee of 100 each
            if (i > 0 && plan.pulses[i - 1].truth.kind == TruthKind::neutron) {
                waited += (pulse.onset_ns - plan.pulses[i - 1].onset_ns) / 15'000;
            }
        }
    }
    CHECK(gammas > 1'000);
    CHECK(agrees(static_cast<double>(captures), static_cast<double>(neutrons), 0.5));
    CHECK(waited / static_cast<double>(captures) == Approx(1).margin(0.15));
}

TEST_CASE("a detector that is asked for too many pulses is refused", "[readout][simulator]") {
    for (const SimulatedDetector detector : kDetectors) {
        SimulatorConfig config = busy_config(detector);
        config.rate_boost = 1e5;
        CHECK_THROWS_WITH((Simulator{config, wide_board(), 0, 1}),
                          Catch::Contains("simulator.rate_boost: 100000 puts"));
    }
}
