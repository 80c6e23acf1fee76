#include "readout/simulator_plan.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numbers>

#include "daq/core/error.hpp"

namespace alleycat {
namespace {

// Each purpose draws from a sequence of its own: changing one rate leaves everything else as it was.
enum Purpose : std::uint64_t { kPower = 1, kCharge, kMissed, kBeamPulses, kSteadyPulses, kVetoAndGate, kDarkRate };

constexpr double kPionLifetimeNs = 26.03;
constexpr double kMuonLifetimeNs = 2196.98;
constexpr double kJoulePerGwh = 3.6e12;
constexpr std::int64_t kPulsesPerSuperCycle = 600;
constexpr double kSwingTicks = 3600;  // the mains take about a minute to and fro

double sine(double amplitude, double time, double period) {
    return amplitude * std::sin(2 * std::numbers::pi * time / period);
}

/// Mean number of pulses that gives at least one in this share of the triggers.
double mean_of_share(double share) { return -std::log1p(-share); }

std::vector<double> background_spectrum(const SimulatorConfig& config) {
    const std::size_t first = config.background_min_pe;
    const std::size_t last = config.background_max_pe;
    std::vector<double> spectrum(last + 1);
    double norm = 0;
    const auto exponential = [&](std::size_t n) {
        return std::exp(-static_cast<double>(n - first) / config.background_exponential_pe);
    };
    for (std::size_t n = first; n <= last; ++n) norm += exponential(n);
    const double flat = config.background_flat_share / static_cast<double>(last - first + 1);
    for (std::size_t n = first; n <= last; ++n) {
        spectrum[n] = flat + (1 - config.background_flat_share) * exponential(n) / norm;
    }
    return spectrum;
}

}  // namespace

TickPlanner::TickPlanner(const SimulatorConfig& config, double trace_ns)
    : config_{config},
      trace_ns_{trace_ns},
      lead_in_ns_{3 * config.scintillation_slow_ns},
      prompt_dice_{std::span<const double>{}},
      delayed_dice_{std::span<const double>{}},
      neutron_dice_{csi_prompt_neutron_spectrum()},
      background_dice_{background_spectrum(config)} {
    const CevnsSpectra cevns = csi_cevns_spectra();
    prompt_dice_ = PhotoelectronDice{cevns.prompt};
    delayed_dice_ = PhotoelectronDice{cevns.delayed};

    if (config.trigger_position_ns >= trace_ns) {
        throw UsageError{fmt::format("simulator.trigger_position_ns: {} lies behind the trace of {} ns",
                                     config.trigger_position_ns, trace_ns)};
    }
    const double background = config.background_rate_hz * config.rate_boost * (trace_ns + lead_in_ns_) * 1e-9;
    const double beam_gwh = config.beam_power_w * config.tick_period_ns * 1e-9 / kJoulePerGwh;
    const double from_beam = beam_gwh * config.rate_boost *
                             (config.cevns_strength * (prompt_dice_.total() + delayed_dice_.total()) +
                              config.neutron_strength * neutron_dice_.total());
    constexpr double most = 100;
    if (background + from_beam > most) {
        throw UsageError{
            fmt::format("simulator.rate_boost: {} puts {:.3g} pulses into every trace; at most {} make sense",
                        config.rate_boost, background + from_beam, most)};
    }
}

std::int64_t TickPlanner::time_ps(std::int64_t tick) const noexcept {
    // The period is the mean plus swing x sin(2 pi tick / kSwingTicks); this is its sum in closed form.
    const double phase =
        2 * std::numbers::pi * static_cast<double>(tick % static_cast<std::int64_t>(kSwingTicks)) / kSwingTicks;
    const double swing_ns = config_.tick_period_swing_ns * kSwingTicks / (2 * std::numbers::pi) * (1 - std::cos(phase));
    return tick * std::llround(config_.tick_period_ns * 1e3) + std::llround(swing_ns * 1e3);
}

BeamTruth TickPlanner::beam(std::int64_t tick) const noexcept {
    BeamTruth beam;
    const double time_s = static_cast<double>(time_ps(tick)) * 1e-12;
    const double period_s = config_.beam_on_s + config_.beam_off_s;
    const bool running = std::fmod(std::max(time_s, 0.0), period_s) < config_.beam_on_s;
    const std::int64_t cycle = (tick % kPulsesPerSuperCycle + kPulsesPerSuperCycle) % kPulsesPerSuperCycle;
    beam.cycle = static_cast<std::uint16_t>(cycle);
    // Most pulses go to the target as flavor 1, one in ten as flavor 2.
    beam.flavor = static_cast<std::uint8_t>(cycle == 0 ? 0 : cycle % 10 == 5 ? 2 : 1);
    beam.delivered = running && cycle != 0;
    beam.reported =
        config_.beam_unknown_every_s <= 0 || std::fmod(std::max(time_s, 0.0), config_.beam_unknown_every_s) <
                                                 config_.beam_unknown_every_s - config_.beam_unknown_s;
    if (running) {
        RandomStream this_second{config_.seed, static_cast<std::int64_t>(std::floor(time_s)), kPower};
        beam.power_w = config_.beam_power_w * std::max(0.1, 1 + config_.beam_power_spread * this_second.gaussian());
    }
    if (beam.delivered) {
        // The power is what such pulses would carry, one at every tick.
        RandomStream this_pulse{config_.seed, tick, kCharge};
        const double mean_pc = beam.power_w * config_.tick_period_ns * 1e-9 / (config_.proton_energy_gev * 1e9) * 1e12;
        beam.charge_pc = mean_pc * std::max(0.1, 1 + config_.beam_charge_spread * this_pulse.gaussian());
    }
    return beam;
}

BeamFrame TickPlanner::frame(std::int64_t tick, std::int64_t start_utc_ns) const noexcept {
    const BeamTruth now = beam(tick);
    const BeamTruth of_charge = config_.frame_index_shift == 0 ? now : beam(tick + config_.frame_index_shift);
    const BeamTruth of_flavor = config_.flavor_index_shift == 0 ? now : beam(tick + config_.flavor_index_shift);
    BeamFrame frame;
    frame.utc_ns = start_utc_ns + time_ps(tick) / 1000;
    frame.tick = static_cast<std::uint64_t>(tick);
    frame.cycle = now.cycle;
    frame.flavor = of_flavor.flavor;
    if (of_charge.reported) {
        frame.power_w = static_cast<float>(of_charge.power_w);
        frame.charge_pc = static_cast<float>(of_charge.charge_pc);
    }
    return frame;
}

void TickPlanner::plan(std::int64_t tick, TickPlan& plan) const noexcept {
    plan.tick = tick;
    plan.time_ps = time_ps(tick);
    plan.missed = RandomStream{config_.seed, tick, kMissed}.uniform() < config_.missed_tick_share;
    plan.beam = beam(tick);
    plan.pulses.clear();

    const double time_s = static_cast<double>(plan.time_ps) * 1e-12;
    plan.spe_charge_adc = config_.spe_charge_adc * (1 + sine(config_.gain_drift, time_s, config_.gain_drift_period_s));
    plan.baseline_drift_adc = sine(config_.baseline_drift_adc, time_s, config_.baseline_drift_period_s);
    RandomStream dark{config_.seed, tick, kDarkRate};
    const bool afterglow = dark.uniform() < config_.afterglow_share;
    plan.dark_rate_hz = afterglow ? dark.exponential(config_.afterglow_rate_hz) : config_.dark_rate_hz;

    add_beam_pulses(plan);
    add_steady_pulses(plan);
    add_vetoes_and_gates(plan);
}

void TickPlanner::add(TickPlan& plan, TruthKind kind, double onset_ns, std::uint32_t photoelectrons,
                      double height_adc) const noexcept {
    if (plan.pulses.size() >= kMaxPulses) return;  // cannot be: the constructor refuses such expectations
    PlannedPulse pulse;
    pulse.truth.onset_ns = static_cast<float>(onset_ns);
    pulse.truth.photoelectrons = photoelectrons;
    pulse.truth.kind = kind;
    pulse.onset_ns = onset_ns;
    pulse.height_adc = height_adc;
    plan.pulses.push_back(pulse);
}

void TickPlanner::add_beam_pulses(TickPlan& plan) const noexcept {
    if (!plan.beam.delivered) return;
    RandomStream random{config_.seed, plan.tick, kBeamPulses};
    const double energy_gwh = plan.beam.charge_pc * 1e-12 * config_.proton_energy_gev * 1e9 / kJoulePerGwh;
    const double scale = energy_gwh * config_.rate_boost;
    const double protons_ns = config_.trigger_position_ns + config_.pulse_delay_ns + config_.timing_offset_ns +
                              config_.timing_jitter_ns * random.gaussian();
    const auto in_proton_pulse = [&] { return protons_ns + config_.proton_pulse_sigma_ns * random.gaussian(); };

    for (auto n = random.poisson(scale * config_.cevns_strength * prompt_dice_.total()); n > 0; --n) {
        const double onset = in_proton_pulse() + random.exponential(kPionLifetimeNs);
        add(plan, TruthKind::cevns_prompt, onset, prompt_dice_.throw_with(random.uniform()));
    }
    for (auto n = random.poisson(scale * config_.cevns_strength * delayed_dice_.total()); n > 0; --n) {
        const double onset =
            in_proton_pulse() + random.exponential(kPionLifetimeNs) + random.exponential(kMuonLifetimeNs);
        add(plan, TruthKind::cevns_delayed, onset, delayed_dice_.throw_with(random.uniform()));
    }
    for (auto n = random.poisson(scale * config_.neutron_strength * neutron_dice_.total()); n > 0; --n) {
        // The published time distribution is the proton pulse with a tail of 3 % that dies in 0.8 us.
        const double late = random.uniform() < 0.03 ? random.exponential(800) : 0;
        add(plan, TruthKind::prompt_neutron, in_proton_pulse() + late, neutron_dice_.throw_with(random.uniform()));
    }
}

void TickPlanner::add_steady_pulses(TickPlan& plan) const noexcept {
    RandomStream random{config_.seed, plan.tick, kSteadyPulses};
    const double background = config_.background_rate_hz * config_.rate_boost * (trace_ns_ + lead_in_ns_) * 1e-9;
    for (auto n = random.poisson(background); n > 0; --n) {
        const double onset = random.uniform(-lead_in_ns_, trace_ns_);
        add(plan, TruthKind::background, onset, background_dice_.throw_with(random.uniform()));
    }
    for (auto n = random.poisson(mean_of_share(config_.cherenkov_share)); n > 0; --n) {
        const double onset = random.uniform(0, trace_ns_);
        const double above_one = random.exponential(-1 / std::log1p(-1 / config_.cherenkov_mean_pe));  // cut: geometric
        add(plan, TruthKind::cherenkov, onset, 1 + static_cast<std::uint32_t>(std::min(above_one, 1e4)));
    }
    for (auto n = random.poisson(mean_of_share(config_.big_pulse_share)); n > 0; --n) {
        const double onset = random.uniform(0, trace_ns_);
        const double ratio = config_.big_pulse_max_pe / config_.big_pulse_min_pe;
        const double photoelectrons = config_.big_pulse_min_pe * std::pow(ratio, random.uniform());
        add(plan, TruthKind::big_pulse, onset, static_cast<std::uint32_t>(photoelectrons));
    }
}

void TickPlanner::add_vetoes_and_gates(TickPlan& plan) const noexcept {
    RandomStream random{config_.seed, plan.tick, kVetoAndGate};
    for (auto n = random.poisson(mean_of_share(config_.veto_share)); n > 0; --n) {
        const double onset = random.uniform(0, trace_ns_);
        const double height = config_.veto_min_adc + random.exponential(config_.veto_mean_adc - config_.veto_min_adc);
        add(plan, TruthKind::muon_veto, onset, 0, height);
    }
    // At most one gate per trace: it may have closed before the trace began.
    if (random.uniform() < config_.linear_gate_share) {
        add(plan, TruthKind::gated, random.uniform(-config_.linear_gate_length_ns, trace_ns_), 0);
    }
}

}  // namespace alleycat
