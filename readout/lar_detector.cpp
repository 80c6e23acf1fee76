#include "readout/lar_detector.hpp"

#include <algorithm>
#include <cmath>

#include "readout/detector_model.hpp"
#include "readout/neutrino_times.hpp"

namespace alleycat {
namespace {

enum Purpose : std::uint64_t { kBeamPulses = 4, kSteadyPulses, kLight = 101, kDark };

constexpr double kElectronMassKev = 511;

/// Shape of an allowed beta spectrum, without the Coulomb correction.
double beta_density(double energy_kev, double endpoint_kev) noexcept {
    const double momentum = std::sqrt(energy_kev * (energy_kev + 2 * kElectronMassKev));
    const double left = endpoint_kev - energy_kev;
    return momentum * (energy_kev + kElectronMassKev) * left * left;
}

class LarDetector final : public DetectorModel {
  public:
    LarDetector(const SimulatorConfig& config, SimulatedBoard& board)
        : config_{config}, lar_{config.lar}, board_{board}, lead_in_ns_{3 * lar_.triplet_ns}, tubes_{config, board} {
        for (double share = 0.001; share < 1; share += 0.001) {
            const double energy = share * lar_.electron_endpoint_kevee;
            beta_maximum_ = std::max(beta_maximum_, beta_density(energy, lar_.electron_endpoint_kevee));
        }
        const double from_beam = mean_beam_energy_gwh(config) * (lar_.cevns_per_gwh + lar_.neutrons_per_gwh);
        check_pulses_per_trace(
            config, config.rate_boost * (from_beam + steady(lar_.electron_rate_hz) + steady(lar_.recoil_rate_hz)));
    }

    void plan(TickPlan& plan) const noexcept override {
        plan.dark_rate_hz = config_.dark_rate_hz;
        add_beam_pulses(plan);
        RandomStream random{config_.seed, plan.stream, kSteadyPulses};
        const auto at_any_time = [&] { return random.uniform(-lead_in_ns_, board_.trace_ns()); };
        for (auto n = random.poisson(config_.rate_boost * steady(lar_.electron_rate_hz)); n > 0; --n) {
            const double onset = at_any_time();
            add(plan, TruthKind::electron_recoil, onset, beta_energy(random), random);
        }
        for (auto n = random.poisson(config_.rate_boost * steady(lar_.recoil_rate_hz)); n > 0; --n) {
            const double onset = at_any_time();
            add(plan, TruthKind::nuclear_recoil, onset, random.exponential(lar_.neutron_mean_kevee), random);
        }
    }

    void draw(const TickPlan& plan) noexcept override {
        tubes_.dark(plan.dark_rate_hz, plan.spe_charge_adc, RandomStream{board_.seed(), plan.stream, kDark});
        RandomStream random{board_.seed(), plan.stream, kLight};
        for (const PlannedPulse& pulse : plan.pulses) {
            const bool of_electron = pulse.truth.kind == TruthKind::electron_recoil;
            const double singlet_share = of_electron ? lar_.electron_singlet_share : lar_.recoil_singlet_share;
            for (std::uint32_t i = 0; i < pulse.truth.photoelectrons; ++i) {
                const double lifetime_ns = random.uniform() < singlet_share ? lar_.singlet_ns : lar_.triplet_ns;
                const double time_ns = pulse.onset_ns + random.exponential(lifetime_ns);
                tubes_.photoelectron(time_ns, plan.spe_charge_adc, random);
            }
        }
    }

  private:
    /// Mean number in a trace and before it, where pulses still shine into it.
    [[nodiscard]] double steady(double rate_hz) const noexcept {
        return rate_hz * (board_.trace_ns() + lead_in_ns_) * 1e-9;
    }

    void add(TickPlan& plan, TruthKind kind, double onset_ns, double energy_kevee,
             RandomStream& random) const noexcept {
        const double spread = energy_kevee > 0 ? lar_.light_spread / std::sqrt(energy_kevee) : 0;
        const double light = std::max(0.0, 1 + spread * random.gaussian());
        const std::uint32_t n = random.poisson_any(lar_.photoelectrons_per_kevee * energy_kevee * light);
        if (n > 0) plan.add(kind, onset_ns, n);
    }

    void add_beam_pulses(TickPlan& plan) const noexcept {
        if (!plan.beam.delivered) return;
        RandomStream random{config_.seed, plan.stream, kBeamPulses};
        const double scale = beam_energy_gwh(config_, plan.beam.charge_pc) * config_.rate_boost;
        const ProtonPulse protons{config_, random};
        for (auto n = random.poisson(scale * config_.cevns_strength * lar_.cevns_per_gwh); n > 0; --n) {
            const NeutrinoArrival neutrino = draw_neutrino(protons, random);
            add(plan, neutrino.kind, neutrino.time_ns, random.exponential(lar_.cevns_mean_kevee), random);
        }
        for (auto n = random.poisson(scale * config_.neutron_strength * lar_.neutrons_per_gwh); n > 0; --n) {
            const double onset = protons.draw_ns(random);
            add(plan, TruthKind::prompt_neutron, onset, random.exponential(lar_.neutron_mean_kevee), random);
        }
    }

    [[nodiscard]] double beta_energy(RandomStream& random) const noexcept {
        while (true) {
            const double energy = lar_.electron_endpoint_kevee * random.uniform();
            if (random.uniform() * beta_maximum_ < beta_density(energy, lar_.electron_endpoint_kevee)) return energy;
        }
    }

    SimulatorConfig config_;
    LarConfig lar_;
    SimulatedBoard& board_;
    double lead_in_ns_;
    Photomultipliers tubes_;
    double beta_maximum_ = 0;
};

}  // namespace

std::unique_ptr<DetectorModel> make_lar_detector(const SimulatorConfig& config, SimulatedBoard& board) {
    return std::make_unique<LarDetector>(config, board);
}

}  // namespace alleycat
