#include "readout/simulator_plan.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numbers>

#include "daq/core/error.hpp"

namespace alleycat {
namespace {

// Each purpose draws from a sequence of its own: changing one rate leaves everything else as it was. The detectors'
// purposes are others (csi_detector.cpp and its neighbours).
enum Purpose : std::uint64_t { kPower = 1, kCharge, kMissed };

constexpr double kJoulePerGwh = 3.6e12;
constexpr std::int64_t kPulsesPerSuperCycle = 600;
constexpr double kSwingTicks = 3600;  // the mains take about a minute to and fro

double sine(double amplitude, double time, double period) {
    return amplitude * std::sin(2 * std::numbers::pi * time / period);
}

}  // namespace

void TickPlan::add(TruthKind kind, double onset_ns, std::uint32_t photoelectrons, double height_adc) noexcept {
    if (pulses.size() >= kMaxPulses) return;  // cannot be: the detectors refuse such expectations
    PlannedPulse pulse;
    pulse.truth.onset_ns = static_cast<float>(onset_ns);
    pulse.truth.photoelectrons = photoelectrons;
    pulse.truth.kind = kind;
    pulse.onset_ns = onset_ns;
    pulse.height_adc = height_adc;
    pulses.push_back(pulse);
}

TickPlanner::TickPlanner(const SimulatorConfig& config, double trace_ns) : config_{config} {
    if (config.trigger_position_ns >= trace_ns) {
        throw UsageError{fmt::format("simulator.trigger_position_ns: {} lies behind the trace of {} ns",
                                     config.trigger_position_ns, trace_ns)};
    }
}

std::int64_t TickPlanner::time_ps(std::int64_t tick) const noexcept {
    // The period is the mean plus swing x sin(2 pi tick / kSwingTicks); this is its sum in closed form.
    const double phase =
        2 * std::numbers::pi * static_cast<double>(tick % static_cast<std::int64_t>(kSwingTicks)) / kSwingTicks;
    const double swing_ns = config_.tick_period_swing_ns * kSwingTicks / (2 * std::numbers::pi) * (1 - std::cos(phase));
    return tick * std::llround(config_.tick_period_ns * 1e3) + std::llround(swing_ns * 1e3);
}

std::int64_t TickPlanner::strobe_ps(std::int64_t tick) const noexcept {
    return time_ps(tick) + std::llround(config_.tick_period_ns * 1e3) / 2;
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
    frame.tick = config_.triggers_before(tick);
    frame.cycle = now.cycle;
    frame.flavor = of_flavor.flavor;
    if (of_charge.reported) {
        frame.power_w = static_cast<float>(of_charge.power_w);
        frame.charge_pc = static_cast<float>(of_charge.charge_pc);
    }
    return frame;
}

void TickPlanner::plan(std::int64_t tick, bool strobe, TickPlan& plan) const noexcept {
    plan.tick = tick;
    plan.strobe = strobe;
    plan.stream = strobe ? -1 - tick : tick;
    plan.time_ps = strobe ? strobe_ps(tick) : time_ps(tick);
    plan.missed = !strobe && RandomStream{config_.seed, tick, kMissed}.uniform() < config_.missed_tick_share;
    plan.beam = beam(tick);
    if (strobe) {
        plan.beam.delivered = false;
        plan.beam.charge_pc = 0;
    }
    plan.pulses.clear();

    const double time_s = static_cast<double>(plan.time_ps) * 1e-12;
    plan.spe_charge_adc = config_.spe_charge_adc * (1 + sine(config_.gain_drift, time_s, config_.gain_drift_period_s));
    plan.baseline_drift_adc = sine(config_.baseline_drift_adc, time_s, config_.baseline_drift_period_s);
    plan.dark_rate_hz = 0;
}

double beam_energy_gwh(const SimulatorConfig& config, double charge_pc) noexcept {
    return charge_pc * 1e-12 * config.proton_energy_gev * 1e9 / kJoulePerGwh;
}

double mean_beam_energy_gwh(const SimulatorConfig& config) noexcept {
    return config.beam_power_w * config.tick_period_ns * 1e-9 / kJoulePerGwh;
}

double mean_of_share(double share) noexcept { return -std::log1p(-share); }

void check_pulses_per_trace(const SimulatorConfig& config, double expected) {
    constexpr double most = 100;
    if (expected > most) {
        throw UsageError{
            fmt::format("simulator.rate_boost: {} puts {:.3g} pulses into every trace; at most {} make sense",
                        config.rate_boost, expected, most)};
    }
}

}  // namespace alleycat
