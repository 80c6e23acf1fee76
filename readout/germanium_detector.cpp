#include "readout/germanium_detector.hpp"

#include <algorithm>
#include <cmath>
#include <span>

#include "readout/detector_model.hpp"
#include "readout/neutrino_times.hpp"

namespace alleycat {
namespace {

enum Purpose : std::uint64_t { kBeamPulses = 4, kSteadyPulses, kResets };

constexpr double kPairEnergyKev = 2.96e-3;
constexpr double kRiseOfSigma = 2.5631;  // 10 to 90 % of an integrated Gaussian

class GermaniumDetector final : public DetectorModel {
  public:
    GermaniumDetector(const SimulatorConfig& config, SimulatedBoard& board)
        : config_{config}, ge_{config.germanium}, board_{board}, lead_in_ns_{3 * ge_.decay_ns}, step_(board.samples()) {
        double rate_hz = ge_.continuum_rate_hz;
        for (const double line_hz : ge_.lines_rate_hz) rate_hz += line_hz;
        const double from_beam = mean_beam_energy_gwh(config) * (ge_.cevns_per_gwh + ge_.neutrons_per_gwh);
        check_pulses_per_trace(config, config.rate_boost * (from_beam + steady(rate_hz)) + steady(ge_.reset_rate_hz));
    }

    void plan(TickPlan& plan) const noexcept override {
        add_beam_pulses(plan);
        add_steady_pulses(plan);
        RandomStream random{config_.seed, plan.stream, kResets};
        for (auto n = random.poisson(steady(ge_.reset_rate_hz)); n > 0; --n) {
            add_step(plan, TruthKind::preamp_reset, at_any_time(random), 0, ge_.reset_fall_ns, -ge_.reset_drop_adc);
        }
    }

    void draw(const TickPlan& plan) noexcept override {
        for (const PlannedPulse& pulse : plan.pulses) {
            for (SimulatedInput* const input : board_.signals()) draw_step(input->canvas(), pulse);
        }
    }

  private:
    [[nodiscard]] double steady(double rate_hz) const noexcept {
        return rate_hz * (board_.trace_ns() + lead_in_ns_) * 1e-9;
    }
    [[nodiscard]] double at_any_time(RandomStream& random) const noexcept {
        return random.uniform(-lead_in_ns_, board_.trace_ns());
    }

    void add_beam_pulses(TickPlan& plan) const noexcept {
        if (!plan.beam.delivered) return;
        RandomStream random{config_.seed, plan.stream, kBeamPulses};
        const double scale = beam_energy_gwh(config_, plan.beam.charge_pc) * config_.rate_boost;
        const ProtonPulse protons{config_, random};
        for (auto n = random.poisson(scale * config_.cevns_strength * ge_.cevns_per_gwh); n > 0; --n) {
            const NeutrinoArrival neutrino = draw_neutrino(protons, random);
            add_bulk(plan, neutrino.kind, neutrino.time_ns, random.exponential(ge_.cevns_mean_kev), random);
        }
        for (auto n = random.poisson(scale * config_.neutron_strength * ge_.neutrons_per_gwh); n > 0; --n) {
            const double onset = protons.draw_ns(random);
            add_bulk(plan, TruthKind::prompt_neutron, onset, random.exponential(ge_.neutron_mean_kev), random);
        }
    }

    void add_steady_pulses(TickPlan& plan) const noexcept {
        RandomStream random{config_.seed, plan.stream, kSteadyPulses};
        for (std::size_t line = 0; line < ge_.lines_kev.size(); ++line) {
            for (auto n = random.poisson(config_.rate_boost * steady(ge_.lines_rate_hz[line])); n > 0; --n) {
                const double onset = at_any_time(random);
                add_bulk(plan, TruthKind::electron_recoil, onset, ge_.lines_kev[line], random);
            }
        }
        for (auto n = random.poisson(config_.rate_boost * steady(ge_.continuum_rate_hz)); n > 0; --n) {
            const double onset = at_any_time(random);
            const double energy = random.uniform(0, ge_.continuum_max_kev);
            if (random.uniform() < ge_.surface_share) {
                const double collected = random.uniform(ge_.surface_collected_min, 1);
                const double rise = random.uniform(ge_.surface_rise_min_ns, ge_.surface_rise_max_ns);
                add_deposit(plan, TruthKind::background, onset, energy * collected, rise, random);
            } else {
                add_bulk(plan, TruthKind::electron_recoil, onset, energy, random);
            }
        }
    }

    void add_bulk(TickPlan& plan, TruthKind kind, double onset_ns, double energy_kev,
                  RandomStream& random) const noexcept {
        const double rise = ge_.bulk_rise_ns * std::max(0.1, 1 + ge_.bulk_rise_spread * random.gaussian());
        add_deposit(plan, kind, onset_ns, energy_kev, rise, random);
    }

    void add_deposit(TickPlan& plan, TruthKind kind, double onset_ns, double energy_kev, double rise_ns,
                     RandomStream& random) const noexcept {
        const double mean = energy_kev / kPairEnergyKev;
        const double drawn = std::round(mean + std::sqrt(ge_.fano_factor * mean) * random.gaussian());
        const auto pairs = static_cast<std::uint32_t>(std::max(drawn, 0.0));
        add_step(plan, kind, onset_ns, pairs, rise_ns, pairs * kPairEnergyKev * ge_.gain_adc_per_kev);
    }

    static void add_step(TickPlan& plan, TruthKind kind, double onset_ns, std::uint32_t pairs, double rise_ns,
                         double height_adc) noexcept {
        plan.add(kind, onset_ns, pairs, height_adc);
        plan.pulses.back().rise_ns = rise_ns;
    }

    /// A Gaussian current, collected on a capacitor that loses its charge exponentially. The current's middle stands
    /// three sigma after the onset.
    void draw_step(PulseCanvas& canvas, const PlannedPulse& pulse) noexcept {
        const double period = board_.sample_period_ns();
        const double sigma = pulse.rise_ns / kRiseOfSigma;
        const double middle = pulse.onset_ns + 3 * sigma;
        const auto first = static_cast<std::ptrdiff_t>(std::max(0.0, std::ceil((middle - 5 * sigma) / period)));
        const auto end = static_cast<std::ptrdiff_t>(board_.samples());
        if (first >= end) return;
        const double per_sample = std::exp(-period / ge_.decay_ns);
        double height = 0;
        for (std::ptrdiff_t i = first; i < end; ++i) {
            const double t = static_cast<double>(i) * period - middle;
            if (i == first || t < 6 * sigma) {
                height = std::exp(sigma * sigma / (2 * ge_.decay_ns * ge_.decay_ns) - t / ge_.decay_ns) *
                         normal_cdf(t / sigma - sigma / ge_.decay_ns);
            } else {
                height *= per_sample;
            }
            step_[static_cast<std::size_t>(i - first)] = static_cast<float>(height);
        }
        canvas.add(first, std::span{step_}.first(static_cast<std::size_t>(end - first)),
                   static_cast<float>(pulse.height_adc));
    }

    SimulatorConfig config_;
    GermaniumConfig ge_;
    SimulatedBoard& board_;
    double lead_in_ns_;  // pulses before the trace still fall through it
    std::vector<float> step_;
};

}  // namespace

std::unique_ptr<DetectorModel> make_germanium_detector(const SimulatorConfig& config, SimulatedBoard& board) {
    return std::make_unique<GermaniumDetector>(config, board);
}

}  // namespace alleycat
