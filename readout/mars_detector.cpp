#include "readout/mars_detector.hpp"

#include "readout/detector_model.hpp"

namespace alleycat {
namespace {

enum Purpose : std::uint64_t { kBeamPulses = 4, kNeutrons, kGammas, kLight = 101, kDark };

class MarsDetector final : public DetectorModel {
  public:
    MarsDetector(const SimulatorConfig& config, SimulatedBoard& board)
        : config_{config},
          mars_{config.mars},
          board_{board},
          lead_in_ns_{5 * mars_.capture_time_ns},
          tubes_{config, board} {
        const double from_beam = mean_beam_energy_gwh(config) * mars_.neutrons_per_gwh;
        check_pulses_per_trace(config, config.rate_boost * (2 * from_beam + 2 * steady(mars_.neutron_rate_hz) +
                                                            steady(mars_.gamma_rate_hz)));
    }

    void plan(TickPlan& plan) const noexcept override {
        plan.dark_rate_hz = config_.dark_rate_hz;
        add_beam_neutrons(plan);
        RandomStream random{config_.seed, plan.stream, kNeutrons};
        for (auto n = random.poisson(config_.rate_boost * steady(mars_.neutron_rate_hz)); n > 0; --n) {
            const double onset = random.uniform(-lead_in_ns_, board_.trace_ns());
            add_neutron(plan, TruthKind::neutron, onset, random);
        }
        RandomStream gammas{config_.seed, plan.stream, kGammas};
        for (auto n = gammas.poisson(config_.rate_boost * steady(mars_.gamma_rate_hz)); n > 0; --n) {
            const double onset = gammas.uniform(-lead_in_ns_, board_.trace_ns());
            add(plan, TruthKind::gamma, onset, gammas.exponential(mars_.gamma_mean_mevee), gammas);
        }
    }

    void draw(const TickPlan& plan) noexcept override {
        tubes_.dark(plan.dark_rate_hz, plan.spe_charge_adc, RandomStream{board_.seed(), plan.stream, kDark});
        RandomStream random{board_.seed(), plan.stream, kLight};
        for (const PlannedPulse& pulse : plan.pulses) {
            for (std::uint32_t i = 0; i < pulse.truth.photoelectrons; ++i) {
                const double time_ns = pulse.onset_ns + random.exponential(mars_.scintillation_ns);
                tubes_.photoelectron(time_ns, plan.spe_charge_adc, random);
            }
        }
    }

  private:
    /// Mean number in a trace and before it, whence captures still come into it.
    [[nodiscard]] double steady(double rate_hz) const noexcept {
        return rate_hz * (board_.trace_ns() + lead_in_ns_) * 1e-9;
    }

    void add(TickPlan& plan, TruthKind kind, double onset_ns, double energy_mevee,
             RandomStream& random) const noexcept {
        const std::uint32_t n = random.poisson_any(mars_.photoelectrons_per_mevee * energy_mevee);
        if (n > 0) plan.add(kind, onset_ns, n);
    }

    void add_neutron(TickPlan& plan, TruthKind kind, double onset_ns, RandomStream& random) const noexcept {
        add(plan, kind, onset_ns, random.exponential(mars_.proton_mean_mevee), random);
        if (random.uniform() >= mars_.capture_share) return;
        const double later_ns = random.exponential(mars_.capture_time_ns);
        const double gammas_mevee = random.uniform(mars_.capture_min_mevee, mars_.capture_max_mevee);
        add(plan, TruthKind::neutron_capture, onset_ns + later_ns, gammas_mevee, random);
    }

    void add_beam_neutrons(TickPlan& plan) const noexcept {
        if (!plan.beam.delivered) return;
        RandomStream random{config_.seed, plan.stream, kBeamPulses};
        const double scale = beam_energy_gwh(config_, plan.beam.charge_pc) * config_.rate_boost;
        const ProtonPulse protons{config_, random};
        for (auto n = random.poisson(scale * config_.neutron_strength * mars_.neutrons_per_gwh); n > 0; --n) {
            const double onset = protons.draw_ns(random);
            add_neutron(plan, TruthKind::prompt_neutron, onset, random);
        }
    }

    SimulatorConfig config_;
    MarsConfig mars_;
    SimulatedBoard& board_;
    double lead_in_ns_;
    Photomultipliers tubes_;
};

}  // namespace

std::unique_ptr<DetectorModel> make_mars_detector(const SimulatorConfig& config, SimulatedBoard& board) {
    return std::make_unique<MarsDetector>(config, board);
}

}  // namespace alleycat
