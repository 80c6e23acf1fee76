#include "readout/beam_instruments.hpp"

#include <algorithm>
#include <cmath>

#include "readout/simulated_board.hpp"

namespace alleycat {
namespace {

enum Purpose : std::uint64_t { kMonitor = 210 };

}  // namespace

BeamInstrumentsConfig parse_beam_instruments(ConfigSection& s) {
    BeamInstrumentsConfig c;
    c.monitor_channel = s.text("beam_monitor_channel", "");
    c.monitor_efficiency = s.number("beam_monitor_efficiency", c.monitor_efficiency, 0, 1);
    c.monitor_noise_hz = s.number("beam_monitor_noise_hz", c.monitor_noise_hz, 0, 1e5);
    c.monitor_height_adc = s.number("beam_monitor_height_adc", c.monitor_height_adc, 0, 65'535);
    c.tick_channel = s.text("tick_channel", "");
    c.tick_height_adc = s.number("tick_height_adc", c.tick_height_adc, 1, 65'535);
    c.tick_length_ns = s.number("tick_length_ns", c.tick_length_ns, 1, 1e6);
    return c;
}

BeamInstruments::BeamInstruments(const SimulatorConfig& config, const BoardInfo& info, SimulatedBoard& board)
    : config_{config},
      trace_ns_{board.trace_ns()},
      sample_period_ns_{board.sample_period_ns()},
      monitor_{board.input(config.instruments.monitor_channel)},
      tick_{board.input(config.instruments.tick_channel)},
      shape_{config.veto_rise_ns, config.veto_fall_ns, board.sample_period_ns()} {
    for (const ChannelInfo& channel : info.channels) {
        if (channel.name != config.instruments.tick_channel) continue;
        const double height = config.instruments.tick_height_adc;
        tick_level_adc_ = config.veto_baseline_adc + (channel.negative_pulses ? -height : height);
    }
}

void BeamInstruments::plan(TickPlan& plan) const noexcept {
    const BeamInstrumentsConfig& c = config_.instruments;
    if (c.monitor_channel.empty()) return;
    RandomStream random{config_.seed, plan.stream, kMonitor};
    const double protons_ns = ProtonPulse{config_, random}.draw_ns(random);
    if (random.uniform() < c.monitor_efficiency && plan.beam.delivered) {
        plan.add(TruthKind::beam_pulse, protons_ns, 0, c.monitor_height_adc);
    }
    for (auto n = random.poisson(c.monitor_noise_hz * trace_ns_ * 1e-9); n > 0; --n) {
        plan.add(TruthKind::beam_pulse, random.uniform(0, trace_ns_), 0, c.monitor_height_adc);
    }
}

void BeamInstruments::draw(const TickPlan& plan) noexcept {
    if (monitor_ != nullptr) {
        for (const PlannedPulse& pulse : plan.pulses) {
            if (pulse.truth.kind != TruthKind::beam_pulse) continue;
            shape_.add(monitor_->canvas(), pulse.onset_ns, pulse.height_adc * shape_.charge_per_height());
        }
    }
    if (tick_ == nullptr || plan.strobe) return;
    const auto sample_at = [&](double time_ns) {
        return static_cast<std::size_t>(std::clamp(time_ns, 0.0, trace_ns_) / sample_period_ns_ + 0.5);
    };
    tick_->force_level(tick_level_adc_, sample_at(config_.trigger_position_ns),
                       sample_at(config_.trigger_position_ns + config_.instruments.tick_length_ns));
}

}  // namespace alleycat
