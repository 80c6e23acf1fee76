#include "readout/csi_detector.hpp"

#include <algorithm>
#include <cmath>
#include <vector>

#include "readout/csi_spectra.hpp"
#include "readout/neutrino_times.hpp"

namespace alleycat {
namespace {

enum Purpose : std::uint64_t { kBeamPulses = 4, kSteadyPulses, kVetoAndGate, kDarkRate, kLight = 101, kDark };

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

class CsiDetector final : public DetectorModel {
  public:
    CsiDetector(const SimulatorConfig& config, SimulatedBoard& board);
    void plan(TickPlan& plan) const noexcept override;
    void draw(const TickPlan& plan) noexcept override;

  private:
    void add_beam_pulses(TickPlan& plan) const noexcept;
    void add_steady_pulses(TickPlan& plan) const noexcept;
    void add_vetoes_and_gates(TickPlan& plan) const noexcept;
    void draw_signal(const PlannedPulse& pulse, double spe_charge_adc, RandomStream& random) noexcept;
    void draw_scintillation(const PlannedPulse& pulse, double fast_ns, double spe_charge_adc,
                            RandomStream& random) noexcept;
    void draw_afterglow(const PlannedPulse& pulse, double spe_charge_adc, RandomStream& random) noexcept;
    void close_gate(double onset_ns) noexcept;

    SimulatorConfig config_;
    SimulatedBoard& board_;
    double lead_in_ns_;  // background pulses that began before the trace still shine into it
    Photomultipliers tubes_;
    PulseShape veto_shape_;
    PhotoelectronDice prompt_dice_, delayed_dice_, neutron_dice_, background_dice_;
};

CsiDetector::CsiDetector(const SimulatorConfig& config, SimulatedBoard& board)
    : config_{config},
      board_{board},
      lead_in_ns_{3 * config.scintillation_slow_ns},
      tubes_{config, board},
      veto_shape_{config.veto_rise_ns, config.veto_fall_ns, board.sample_period_ns()},
      prompt_dice_{std::span<const double>{}},
      delayed_dice_{std::span<const double>{}},
      neutron_dice_{csi_prompt_neutron_spectrum()},
      background_dice_{background_spectrum(config)} {
    const CevnsSpectra cevns = csi_cevns_spectra();
    prompt_dice_ = PhotoelectronDice{cevns.prompt};
    delayed_dice_ = PhotoelectronDice{cevns.delayed};
    const double background = config.background_rate_hz * config.rate_boost * (board.trace_ns() + lead_in_ns_) * 1e-9;
    const double from_beam = mean_beam_energy_gwh(config) * config.rate_boost *
                             (config.cevns_strength * (prompt_dice_.total() + delayed_dice_.total()) +
                              config.neutron_strength * neutron_dice_.total());
    check_pulses_per_trace(config, background + from_beam);
}

void CsiDetector::plan(TickPlan& plan) const noexcept {
    RandomStream dark{config_.seed, plan.stream, kDarkRate};
    const bool afterglow = dark.uniform() < config_.afterglow_share;
    plan.dark_rate_hz = afterglow ? dark.exponential(config_.afterglow_rate_hz) : config_.dark_rate_hz;
    add_beam_pulses(plan);
    add_steady_pulses(plan);
    add_vetoes_and_gates(plan);
}

void CsiDetector::add_beam_pulses(TickPlan& plan) const noexcept {
    if (!plan.beam.delivered) return;
    RandomStream random{config_.seed, plan.stream, kBeamPulses};
    const double scale = beam_energy_gwh(config_, plan.beam.charge_pc) * config_.rate_boost;
    const ProtonPulse protons{config_, random};

    for (auto n = random.poisson(scale * config_.cevns_strength * prompt_dice_.total()); n > 0; --n) {
        const double onset = protons.draw_ns(random) + random.exponential(kPionLifetimeNs);
        plan.add(TruthKind::cevns_prompt, onset, prompt_dice_.throw_with(random.uniform()));
    }
    for (auto n = random.poisson(scale * config_.cevns_strength * delayed_dice_.total()); n > 0; --n) {
        const double onset =
            protons.draw_ns(random) + random.exponential(kPionLifetimeNs) + random.exponential(kMuonLifetimeNs);
        plan.add(TruthKind::cevns_delayed, onset, delayed_dice_.throw_with(random.uniform()));
    }
    for (auto n = random.poisson(scale * config_.neutron_strength * neutron_dice_.total()); n > 0; --n) {
        // The published time distribution is the proton pulse with a tail of 3 % that dies in 0.8 us.
        const double late = random.uniform() < 0.03 ? random.exponential(800) : 0;
        plan.add(TruthKind::prompt_neutron, protons.draw_ns(random) + late, neutron_dice_.throw_with(random.uniform()));
    }
}

void CsiDetector::add_steady_pulses(TickPlan& plan) const noexcept {
    RandomStream random{config_.seed, plan.stream, kSteadyPulses};
    const double background =
        config_.background_rate_hz * config_.rate_boost * (board_.trace_ns() + lead_in_ns_) * 1e-9;
    for (auto n = random.poisson(background); n > 0; --n) {
        const double onset = random.uniform(-lead_in_ns_, board_.trace_ns());
        plan.add(TruthKind::background, onset, background_dice_.throw_with(random.uniform()));
    }
    for (auto n = random.poisson(mean_of_share(config_.cherenkov_share)); n > 0; --n) {
        const double onset = random.uniform(0, board_.trace_ns());
        const double above_one = random.exponential(-1 / std::log1p(-1 / config_.cherenkov_mean_pe));  // cut: geometric
        plan.add(TruthKind::cherenkov, onset, 1 + static_cast<std::uint32_t>(std::min(above_one, 1e4)));
    }
    for (auto n = random.poisson(mean_of_share(config_.big_pulse_share)); n > 0; --n) {
        const double onset = random.uniform(0, board_.trace_ns());
        const double ratio = config_.big_pulse_max_pe / config_.big_pulse_min_pe;
        const double photoelectrons = config_.big_pulse_min_pe * std::pow(ratio, random.uniform());
        plan.add(TruthKind::big_pulse, onset, static_cast<std::uint32_t>(photoelectrons));
    }
}

void CsiDetector::add_vetoes_and_gates(TickPlan& plan) const noexcept {
    RandomStream random{config_.seed, plan.stream, kVetoAndGate};
    for (auto n = random.poisson(mean_of_share(config_.veto_share)); n > 0; --n) {
        const double onset = random.uniform(0, board_.trace_ns());
        const double height = config_.veto_min_adc + random.exponential(config_.veto_mean_adc - config_.veto_min_adc);
        plan.add(TruthKind::muon_veto, onset, 0, height);
    }
    // At most one gate per trace: it may have closed before the trace began.
    if (random.uniform() < config_.linear_gate_share) {
        plan.add(TruthKind::gated, random.uniform(-config_.linear_gate_length_ns, board_.trace_ns()), 0);
    }
}

void CsiDetector::draw(const TickPlan& plan) noexcept {
    if (!board_.signals().empty()) {
        tubes_.dark(plan.dark_rate_hz, plan.spe_charge_adc, RandomStream{board_.seed(), plan.stream, kDark});
    }
    RandomStream random{board_.seed(), plan.stream, kLight};
    for (const PlannedPulse& pulse : plan.pulses) {
        if (pulse.truth.kind == TruthKind::muon_veto) {
            if (board_.veto() == nullptr) continue;
            veto_shape_.add(board_.veto()->canvas(), pulse.onset_ns,
                            pulse.height_adc * veto_shape_.charge_per_height());
        }
        if (!board_.signals().empty()) draw_signal(pulse, plan.spe_charge_adc, random);
    }
}

void CsiDetector::draw_signal(const PlannedPulse& pulse, double spe_charge_adc, RandomStream& random) noexcept {
    switch (pulse.truth.kind) {
        case TruthKind::cevns_prompt:
        case TruthKind::cevns_delayed:
        case TruthKind::prompt_neutron:
            draw_scintillation(pulse, config_.scintillation_fast_recoil_ns, spe_charge_adc, random);
            break;
        case TruthKind::background:
            draw_scintillation(pulse, config_.scintillation_fast_electron_ns, spe_charge_adc, random);
            break;
        case TruthKind::big_pulse:
            draw_scintillation(pulse, config_.scintillation_fast_electron_ns, spe_charge_adc, random);
            draw_afterglow(pulse, spe_charge_adc, random);
            break;
        case TruthKind::cherenkov:
            for (std::uint32_t i = 0; i < pulse.truth.photoelectrons; ++i) {
                const double time_ns = pulse.onset_ns + random.exponential(config_.cherenkov_width_ns);
                tubes_.photoelectron(time_ns, spe_charge_adc, random);
            }
            break;
        case TruthKind::gated: close_gate(pulse.onset_ns); break;
        case TruthKind::muon_veto:  // on the veto's input
        case TruthKind::nuclear_recoil:
        case TruthKind::electron_recoil:
        case TruthKind::neutron:
        case TruthKind::gamma:
        case TruthKind::neutron_capture:
        case TruthKind::preamp_reset:
        case TruthKind::beam_pulse:  // of other detectors
            break;
    }
}

void CsiDetector::draw_scintillation(const PlannedPulse& pulse, double fast_ns, double spe_charge_adc,
                                     RandomStream& random) noexcept {
    const ScintillationTime light{fast_ns, config_.scintillation_slow_ns, config_.scintillation_slow_over_fast};
    for (std::uint32_t i = 0; i < pulse.truth.photoelectrons; ++i) {
        tubes_.photoelectron(pulse.onset_ns + light.draw(random), spe_charge_adc, random);
    }
}

void CsiDetector::draw_afterglow(const PlannedPulse& pulse, double spe_charge_adc, RandomStream& random) noexcept {
    const double rate = config_.big_pulse_afterglow_hz_per_pe * pulse.truth.photoelectrons * 1e-9;  // [1/ns] at onset
    if (rate <= 0) return;
    for (double t = random.exponential(1 / rate); pulse.onset_ns + t < board_.trace_ns();
         t += random.exponential(1 / rate)) {
        const bool kept = random.uniform() * (1 + t / config_.big_pulse_afterglow_time_ns) < 1;
        if (kept) tubes_.photoelectron(pulse.onset_ns + t, spe_charge_adc, random);
    }
}

void CsiDetector::close_gate(double onset_ns) noexcept {
    const auto sample_at = [&](double t) {
        return static_cast<std::size_t>(
            std::clamp(std::ceil(t / board_.sample_period_ns()), 0.0, static_cast<double>(board_.samples())));
    };
    const std::size_t begin = sample_at(onset_ns);
    const std::size_t end = sample_at(onset_ns + config_.linear_gate_length_ns);
    for (SimulatedInput* const input : board_.signals()) {
        input->force_level(config_.linear_gate_level_adc, begin, end);
    }
}

}  // namespace

std::unique_ptr<DetectorModel> make_csi_detector(const SimulatorConfig& config, SimulatedBoard& board) {
    return std::make_unique<CsiDetector>(config, board);
}

}  // namespace alleycat
