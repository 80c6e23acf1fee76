// Whether each profile's discriminant separates what it should, on its simulated detector. What is expected comes from
// the statistics of photoelectrons, of electron-hole pairs and of time constants, not from the measurement.

#include <optional>

#include "simulated_station.hpp"

using namespace simulated_station;

namespace {

/// The only pulse of a trigger, when its onset lies in [begin, end).
const PlannedPulse* alone(const TickPlan& plan, double begin_ns, double end_ns) {
    if (plan.pulses.size() != 1) return nullptr;
    const PlannedPulse& pulse = plan.pulses.front();
    return pulse.onset_ns >= begin_ns && pulse.onset_ns < end_ns ? &pulse : nullptr;
}

}  // namespace

// --- liquid argon: F90

namespace {

struct LightOf {
    std::vector<double> f90;
    std::vector<double> photoelectrons;
};

/// F90 of single recoils of 60 to 140 photoelectrons that come within the window's first 5 us.
LightOf measure_f90(bool electrons) {
    SimulatedStation lar{"lar"};
    lar.simulator.rate_boost = 1;
    lar.simulator.dark_rate_hz = 0;
    lar.simulator.cevns_strength = lar.simulator.neutron_strength = 0;
    lar.simulator.lar.electron_rate_hz = electrons ? 26'000 : 0;  // one in a trace and its lead-in
    lar.simulator.lar.recoil_rate_hz = electrons ? 0 : 26'000;
    lar.simulator.lar.electron_endpoint_kevee = 45;
    lar.simulator.lar.neutron_mean_kevee = 20;
    const std::size_t f90 = lar.feature("f90");
    LightOf found;
    lar.run(6'000, [&](const TickPlan& plan, const Event& event) {
        const PlannedPulse* const pulse = alone(plan, 15'050, 20'000);
        if (pulse == nullptr || pulse->truth.photoelectrons < 60 || pulse->truth.photoelectrons > 140) return;
        REQUIRE(event.window[0][Feature::arrival_sample] > 0);
        found.f90.push_back(event.window[0].value[f90]);
        found.photoelectrons.push_back(pulse->truth.photoelectrons);
    });
    return found;
}

/// Share of the light in the first 92 ns over that of the 5.992 us after the onset (two samples stand before it).
double expected_f90(double singlet_share) {
    const auto within = [&](double t) {
        return singlet_share * (1 - std::exp(-t / 7)) + (1 - singlet_share) * (1 - std::exp(-t / 1'600));
    };
    return within(92) / within(5'992);
}

/// Its spread: binomial, each photoelectron with a charge that scatters by 1 / sqrt(1 + theta), and the noise of two
/// tubes in the gates (1500 samples, and the baseline of 1000 taken off all of them).
double sigma_at(double f90, double photoelectrons) {
    const double light = f90 * (1 - f90) / photoelectrons * (1 + 1 / 7.0);
    const double noise_per_sample = std::sqrt(2 * (1.0 + 1 / 12.0));
    const double total_noise = noise_per_sample * std::sqrt(1'500 + 1'500.0 * 1'500 / 1'000) / 30;
    const double noise = f90 * total_noise / photoelectrons;  // of the denominator: the numerator's is 1/8 of it
    return std::sqrt(light + noise * noise);
}
double expected_sigma(double f90, const std::vector<double>& photoelectrons) {
    double variance = 0;
    for (const double n : photoelectrons) variance += sigma_at(f90, n) * sigma_at(f90, n);
    return std::sqrt(variance / static_cast<double>(photoelectrons.size()));
}

}  // namespace

TEST_CASE("F90 tells nuclear recoils in argon from electrons as well as photoelectron statistics allow",
          "[trigger][separation]") {
    const LightOf electron = measure_f90(true);
    const LightOf recoil = measure_f90(false);
    REQUIRE(electron.f90.size() > 100);
    REQUIRE(recoil.f90.size() > 60);

    // The mean of a ratio and the ratio of means differ by a few parts in a thousand at 100 photoelectrons; the onset's
    // place between samples and the rise of the pulse move a little light across the gate.
    CHECK(mean(electron.f90) == Approx(expected_f90(0.3)).margin(0.02));
    CHECK(mean(recoil.f90) == Approx(expected_f90(0.7)).margin(0.02));
    const double electron_sigma = expected_sigma(expected_f90(0.3), electron.photoelectrons);
    const double recoil_sigma = expected_sigma(expected_f90(0.7), recoil.photoelectrons);
    CHECK(sigma(electron.f90) < 1.3 * electron_sigma);
    CHECK(sigma(recoil.f90) < 1.3 * recoil_sigma);

    const double possible = (expected_f90(0.7) - expected_f90(0.3)) / (2.355 * (electron_sigma + recoil_sigma));
    CHECK(possible > 1.3);
    CHECK(figure_of_merit(electron.f90, recoil.f90) > 0.8 * possible);

    // The profile's cut at 0.5, 2.3 sigma from the electrons at 60 photoelectrons: at most one in 90 leaks.
    const double away = (0.5 - expected_f90(0.3)) / sigma_at(expected_f90(0.3), 60);
    const double leakage = 0.5 * std::erfc(away / std::sqrt(2.0));
    const auto n = static_cast<double>(electron.f90.size());
    CHECK(share_above(electron.f90, 0.5) * n <= leakage * n + 3 * std::sqrt(leakage * n) + 2);
    CHECK(share_above(recoil.f90, 0.5) > 0.97);
}

TEST_CASE("the light of an argon recoil comes out at its energy", "[trigger][separation]") {
    SimulatedStation lar{"lar"};
    lar.simulator.rate_boost = 1;
    lar.simulator.dark_rate_hz = 0;
    lar.simulator.cevns_strength = lar.simulator.neutron_strength = 0;
    lar.simulator.lar.recoil_rate_hz = 0;
    lar.simulator.lar.electron_rate_hz = 26'000;
    lar.simulator.lar.electron_endpoint_kevee = 400;
    const std::size_t energy = lar.feature("energy_kevee");
    std::vector<double> ratio;
    lar.run(3'000, [&](const TickPlan& plan, const Event& event) {
        const PlannedPulse* const pulse = alone(plan, 15'050, 20'000);
        if (pulse == nullptr || pulse->truth.photoelectrons < 300) return;
        ratio.push_back(event.window[0].value[energy] / (pulse->truth.photoelectrons / 4.5));
    });
    REQUIRE(ratio.size() > 40);
    CHECK(mean(ratio) == Approx(1).margin(0.03));  // 98 % of the light comes in 6 us
    CHECK(sigma(ratio) < 0.06);                    // charges of 600 photoelectrons: 0.38 / sqrt(600), and their times
}

TEST_CASE("strobe triggers carry the same background as beam ticks, and nothing of the beam", "[trigger][separation]") {
    SimulatedStation lar{"lar"};
    lar.simulator.rate_boost = 1;
    lar.simulator.cevns_strength = 0;
    lar.simulator.lar.recoil_rate_hz = 0;
    lar.simulator.lar.electron_rate_hz = 5'000;
    lar.simulator.neutron_strength = 1'000;
    lar.simulator.lar.neutrons_per_gwh = 1e5;  // one in two ticks
    std::array<std::size_t, 2> triggers{}, neutrons{}, electrons{};
    lar.run(2'000, [&](const TickPlan& plan, const Event& event) {
        const std::size_t strobe = event.trigger_class == TriggerClass::strobe ? 1 : 0;
        REQUIRE((strobe == 1) == plan.strobe);
        ++triggers[strobe];
        for (const PlannedPulse& pulse : plan.pulses) {
            neutrons[strobe] += pulse.truth.kind == TruthKind::prompt_neutron;
            electrons[strobe] += pulse.truth.kind == TruthKind::electron_recoil;
        }
    });
    CHECK(triggers == std::array<std::size_t, 2>{1'000, 1'000});
    CHECK(neutrons[0] > 300);
    CHECK(neutrons[1] == 0);
    const auto sum = static_cast<double>(electrons[0] + electrons[1]);
    CHECK(std::abs(static_cast<double>(electrons[0]) - sum / 2) < 4 * std::sqrt(sum) / 2);
}

// --- germanium

namespace {

SimulatedStation germanium_station() {
    SimulatedStation ge{"germanium"};
    ge.simulator.rate_boost = 1;
    ge.simulator.cevns_strength = ge.simulator.neutron_strength = 0;
    ge.simulator.germanium.reset_rate_hz = 0;
    ge.simulator.germanium.continuum_rate_hz = 0;
    ge.simulator.germanium.lines_kev = {};
    ge.simulator.germanium.lines_rate_hz = {};
    return ge;
}

/// The window of the only pulse, when it lies well inside: C from 40 us on, AC from 20 us on, arrivals in the first 12
/// us (a slow pulse arrives up to 3 us after its onset).
const WindowEvent* window_of(const TickPlan& plan, const Event& event) {
    if (alone(plan, 40'500, 48'500) != nullptr) return &event.window[0];
    if (alone(plan, 20'500, 28'500) != nullptr) return &event.window[1];
    return nullptr;
}

}  // namespace

TEST_CASE("the trapezoid is linear and resolves germanium's lines as noise and pair statistics allow",
          "[trigger][separation]") {
    SimulatedStation ge = germanium_station();
    ge.simulator.germanium.lines_kev = {1.30, 8.98, 10.37};
    ge.simulator.germanium.lines_rate_hz = {1'400, 1'400, 1'400};
    const std::size_t energy = ge.feature("energy_kev");
    std::array<std::vector<double>, 3> found;
    ge.run(9'000, [&](const TickPlan& plan, const Event& event) {
        const WindowEvent* const window = window_of(plan, event);
        if (window == nullptr) return;
        const std::size_t line = plan.pulses[0].height_adc < 200 ? 0 : plan.pulses[0].height_adc < 480 ? 1 : 2;
        found[line].push_back(window->value[energy]);
    });
    for (std::size_t line = 0; line < 3; ++line) {
        const double kev = ge.simulator.germanium.lines_kev[line];
        REQUIRE(found[line].size() > 40);
        // White noise of 8 counts (and rounding), averaged over twice 400 samples, at 50 counts per keV.
        const double noise = std::sqrt((64 + 1 / 12.0) * 2 / 400) / 50;
        const double pairs = std::sqrt(0.11 * kev * 2.96e-3);
        const double expected = std::sqrt(noise * noise + pairs * pairs);
        const double statistics = expected / std::sqrt(static_cast<double>(found[line].size()));
        // The maximum of noise on the flat top lies up to two sigma of the noise high.
        CHECK(mean(found[line]) > kev - 4 * statistics);
        CHECK(mean(found[line]) < kev + 2 * noise + 4 * statistics);
        CHECK(sigma(found[line]) < expected * (1.1 + 3 / std::sqrt(2.0 * static_cast<double>(found[line].size()))));
    }
}

TEST_CASE("the rise time tells slow surface events in germanium from fast bulk events", "[trigger][separation]") {
    SimulatedStation ge = germanium_station();
    ge.simulator.germanium.continuum_rate_hz = 4'300;
    ge.simulator.germanium.surface_share = 0.5;
    const std::size_t rise = ge.feature("rise_ns");
    std::vector<double> bulk, surface, difference;
    ge.run(9'000, [&](const TickPlan& plan, const Event& event) {
        const WindowEvent* const window = window_of(plan, event);
        if (window == nullptr || plan.pulses[0].height_adc < 2 * 50) return;  // from 2 keV on
        const bool slow = plan.pulses[0].truth.kind == TruthKind::background;
        (slow ? surface : bulk).push_back(window->value[rise]);
        difference.push_back(window->value[rise] - plan.pulses[0].rise_ns);
    });
    REQUIRE(bulk.size() > 60);
    REQUIRE(surface.size() > 60);
    // A mean over 100 ns widens 350 ns by 10 ns; noise of 8 / sqrt(10) counts on a slope of 100 counts in 350 ns or
    // more moves each of the two crossings by tens of ns.
    CHECK(std::abs(mean(difference)) < 60);
    CHECK(mean(bulk) == Approx(360).margin(40));
    CHECK(share_above(bulk, 700) < 0.02);
    CHECK(share_above(surface, 700) > 0.98);
    CHECK(figure_of_merit(bulk, surface) > 0.8);  // 350 +- 35 ns against 900 to 2500 ns, uniform
}

TEST_CASE("every reset of germanium's preamplifier is flagged, and nothing else", "[trigger][separation]") {
    SimulatedStation ge = germanium_station();
    ge.simulator.germanium.reset_rate_hz = 2'000;  // one in two traces and their lead-in
    ge.simulator.germanium.continuum_rate_hz = 1e5;
    ge.simulator.rate_boost = 0.04;
    std::size_t resets = 0, quiet = 0;
    ge.run(2'000, [&](const TickPlan& plan, const Event& event) {
        const bool flagged = (event.flags & trigger_flag::preamp_reset) != 0;
        // One that begins before the trace, or at its end, may have its drop outside.
        const auto is_reset = [](const PlannedPulse& p) { return p.truth.kind == TruthKind::preamp_reset; };
        const auto inside = [&](const PlannedPulse& p) {
            return is_reset(p) && p.onset_ns > 1'000 && p.onset_ns < 80'000;
        };
        if (std::any_of(plan.pulses.begin(), plan.pulses.end(), inside)) {
            ++resets;
            REQUIRE(flagged);
        } else if (std::none_of(plan.pulses.begin(), plan.pulses.end(), is_reset)) {
            ++quiet;
            REQUIRE_FALSE(flagged);
        }
    });
    CHECK(resets > 200);
    CHECK(quiet > 1'000);
}

// --- delayed coincidence

namespace {

SimulatedStation mars_station() {
    SimulatedStation mars{"mars"};
    mars.simulator.rate_boost = 1;
    mars.simulator.neutron_strength = 0;
    mars.simulator.dark_rate_hz = 0;
    mars.simulator.mars.neutron_rate_hz = mars.simulator.mars.gamma_rate_hz = 0;
    return mars;
}

/// Windows of MARS in which the first pulse of the plan is the first thing that happens: C from 130 us on, AC from 20
/// us on.
const WindowEvent* window_of_first(const TickPlan& plan, const Event& event) {
    if (plan.pulses.empty() || plan.pulses[0].truth.photoelectrons < 30) return nullptr;
    const double onset = plan.pulses[0].onset_ns;
    if (onset > 130'100 && onset < 139'000) return &event.window[0];
    if (onset > 20'100 && onset < 29'000) return &event.window[1];
    return nullptr;
}

}  // namespace

TEST_CASE("the delayed coincidence recovers the capture time and finds the share of neutrons that it can",
          "[trigger][separation]") {
    SimulatedStation mars = mars_station();
    mars.simulator.mars.neutron_rate_hz = 3'000;
    const std::size_t time = mars.feature("capture_ns");
    std::vector<double> after;
    std::size_t neutrons = 0;
    mars.run(9'000, [&](const TickPlan& plan, const Event& event) {
        const bool one = plan.pulses.size() == 1 ||
                         (plan.pulses.size() == 2 && plan.pulses[1].truth.kind == TruthKind::neutron_capture);
        const WindowEvent* const window = one ? window_of_first(plan, event) : nullptr;
        if (window == nullptr) return;
        ++neutrons;
        const double found = window->value[time];
        if (!std::isnan(found)) after.push_back(found);
    });
    REQUIRE(neutrons > 150);
    // Half are captured; of these the gate from 0.6 to 80.6 us holds exp(-0.04) - exp(-5.37).
    const double share = 0.5 * (std::exp(-0.6 / 15) - std::exp(-80.6 / 15));
    const auto n = static_cast<double>(neutrons);
    const auto found = static_cast<double>(after.size());
    CHECK(std::abs(found - n * share) < 3.5 * std::sqrt(n * share * (1 - share)));
    // The mean of an exponential cut off after T: tau - T / (exp(T / tau) - 1); solved by iteration.
    const double observed = mean(after) - 600;
    double tau = observed;
    for (int i = 0; i < 50; ++i) tau = observed + 80'000 / std::expm1(80'000 / tau);
    CHECK(std::abs(tau - 15'000) < 3.5 * 15'000 / std::sqrt(found));
}

TEST_CASE("gammas show a delayed pulse only by chance", "[trigger][separation]") {
    SimulatedStation mars = mars_station();
    mars.simulator.mars.gamma_rate_hz = 3'000;
    const std::size_t time = mars.feature("capture_ns");
    std::size_t gammas = 0, mistaken = 0;
    mars.run(9'000, [&](const TickPlan& plan, const Event& event) {
        std::array<const WindowEvent*, 2> windows{&event.window[0], &event.window[1]};
        for (const WindowEvent* window : windows) {
            if ((*window)[Feature::arrival_sample] < 0) continue;
            ++gammas;
            mistaken += !std::isnan(window->value[time]);
        }
        (void)plan;
    });
    REQUIRE(gammas > 300);
    // Another gamma of 0.7 MeVee or more within 80 us.
    const double chance = -std::expm1(-3'000 * 80e-6 * std::exp(-0.7 / 0.8));
    const auto n = static_cast<double>(gammas);
    CHECK(std::abs(static_cast<double>(mistaken) - n * chance) < 3.5 * std::sqrt(n * chance * (1 - chance)));
    CHECK(chance < 0.1);  // against 0.48 of the neutrons, at ten times the station's rate of gammas
}

// --- scintillator with two decay times: tail over total

TEST_CASE("tail over total tells neutrons from gammas in liquid scintillator, on generated pulses",
          "[trigger][separation]") {
    // Light of two decays, 4 ns and 90 ns; the slow part holds 12 % for gammas and 26 % for neutrons. 500
    // photoelectrons, 2 ns per sample, a gate of 400 ns whose tail begins 30 ns after the onset.
    const auto tail = [](double slow_share, std::int64_t pulse) {
        RandomStream random{3, pulse, 7};
        std::vector<std::int32_t> heights(240, 0);
        for (int i = 0; i < 500; ++i) {
            const double time = random.exponential(random.uniform() < slow_share ? 90 : 4);
            const auto sample = static_cast<std::size_t>(20 + time / 2);
            if (sample < heights.size()) heights[sample] += 20;
        }
        return charge_ratio(heights, {20 + 15, 20 + 200}, {20, 20 + 200}, 0);
    };
    std::vector<double> gammas, neutrons;
    for (std::int64_t pulse = 0; pulse < 1'000; ++pulse) {
        gammas.push_back(tail(0.12, pulse));
        neutrons.push_back(tail(0.26, -1 - pulse));
    }
    const auto expected = [](double slow) {
        const auto within = [&](double t) { return slow * -std::expm1(-t / 90) + (1 - slow) * -std::expm1(-t / 4); };
        return (within(400) - within(30)) / within(400);
    };
    const auto spread = [&](double p) { return std::sqrt(p * (1 - p) / 500); };
    CHECK(mean(gammas) == Approx(expected(0.12)).margin(4 * spread(expected(0.12)) / std::sqrt(1'000)));
    CHECK(mean(neutrons) == Approx(expected(0.26)).margin(4 * spread(expected(0.26)) / std::sqrt(1'000)));
    CHECK(sigma(gammas) == Approx(spread(expected(0.12))).epsilon(0.1));
    const double possible =
        (expected(0.26) - expected(0.12)) / (2.355 * (spread(expected(0.12)) + spread(expected(0.26))));
    CHECK(figure_of_merit(gammas, neutrons) == Approx(possible).epsilon(0.1));
    CHECK(possible > 1.3);
}

// --- boards that trigger themselves

TEST_CASE("tail over total tells neutrons from gammas in the scintillator cells as photoelectrons and noise allow",
          "[trigger][separation]") {
    SimulatedStation cells{"cells"};
    cells.simulator.hits.prompt_per_pulse = 0.2;
    const std::size_t tail_over_total = cells.feature("tail_over_total");
    // The tail begins 24 ns or so after the pulse, at the latest: of the slow light (80 ns) exp(-24 / 80) = 0.74 is
    // left.
    const std::array<double, 2> expected{0.1 * 0.74, 0.26 * 0.74};
    std::array<std::vector<double>, 2> measured, variance;
    std::array<std::size_t, 2> on_its_side{};
    cells.run_hits(1'500, [&](const TruthPulse& truth, const Event& event) {
        const WindowEvent& window = event.window[0];
        if (window[Feature::arrival_sample] < 0 || truth.photoelectrons < 1.7 * 200) return;  // from 200 keVee on
        const std::size_t kind = truth.kind == TruthKind::neutron ? 1 : 0;
        measured[kind].push_back(window.value[tail_over_total]);
        const double p = expected[kind];
        // Binomial, and noise of 2 counts: 185 samples in the tail, the baseline of 70 samples taken off each of them.
        const double charge = truth.photoelectrons / 1.7 * 20;
        const double noise = 2 * std::sqrt(185 + 185.0 * 185 / 70) / charge;
        variance[kind].push_back(p * (1 - p) / truth.photoelectrons + noise * noise);
        on_its_side[kind] += (window.value[tail_over_total] > 0.135) == (kind == 1);
    });
    double possible = expected[1] - expected[0];
    double widths = 0;
    for (std::size_t kind = 0; kind < 2; ++kind) {
        REQUIRE(measured[kind].size() > 150);
        const double allowed = std::sqrt(mean(variance[kind]));
        CHECK(mean(measured[kind]) == Approx(expected[kind]).margin(0.015));
        CHECK(sigma(measured[kind]) < 1.3 * allowed);
        widths += 2.355 * allowed;
        CHECK(static_cast<double>(on_its_side[kind]) > 0.97 * static_cast<double>(measured[kind].size()));
    }
    possible /= widths;
    CHECK(possible > 1);
    CHECK(figure_of_merit(measured[0], measured[1]) > 0.8 * possible);
}

TEST_CASE("the lines of NaI[Tl] stand at their energies, and its light passes the cut on the mean time",
          "[trigger][separation]") {
    SimulatedStation nai{"nai"};
    nai.simulator.hits.background_rate_hz = 100;
    const std::size_t mean_time = nai.feature("mean_time_ns");
    std::array<std::vector<double>, 2> energies;  // near 1461 keV (40K), near 2615 keV (208Tl)
    std::size_t hits = 0, scintillation = 0;
    nai.run_hits(1'000, [&](const TruthPulse& truth, const Event& event) {
        const WindowEvent& window = event.window[0];
        if (window[Feature::arrival_sample] < 0 || truth.photoelectrons < 1.7 * 200) return;
        ++hits;
        scintillation += window.value[mean_time] >= 200 && window.value[mean_time] <= 600;
        for (std::size_t line = 0; line < 2; ++line) {
            const double photoelectrons = 1.7 * (line == 0 ? 1'461 : 2'615);
            if (std::abs(truth.photoelectrons - photoelectrons) < 2 * std::sqrt(photoelectrons)) {
                energies[line].push_back(window[Feature::charge_pe]);  // of this station in keV
            }
        }
    });
    REQUIRE(hits > 5'000);
    CHECK(static_cast<double>(scintillation) > 0.99 * static_cast<double>(hits));
    // Eight crystals with gains that differ by 5 % and drift by 3 %; 99 % of the light comes in 1.3 us.
    const std::array<double, 2> lines{1'461, 2'615};
    for (std::size_t line = 0; line < 2; ++line) {
        REQUIRE(energies[line].size() > 100);
        CHECK(mean(energies[line]) == Approx(lines[line]).epsilon(0.05));
        CHECK(sigma(energies[line]) < 0.09 * lines[line]);
    }
}
