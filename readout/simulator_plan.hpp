#pragma once
// What happens in a tick: time, beam, and the pulses to inject. A pure function of (configuration, tick).

#include <cstddef>
#include <cstdint>
#include <vector>

#include "daq/core/beam.hpp"
#include "daq/core/record.hpp"
#include "readout/simulator_config.hpp"
#include "readout/simulator_random.hpp"

namespace alleycat {

/// What the accelerator really did at a tick, and whether anybody is told.
struct BeamTruth {
    bool delivered = false;   ///< protons came
    bool reported = true;     ///< false: power and charge are not in the frame
    std::uint8_t flavor = 0;  ///< 0 on the no-beam cycle; else 1 or 2, beam or not
    std::uint16_t cycle = 0;  ///< 0..599
    double power_w = 0;       ///< the beam's at that time; 0 in a trip
    double charge_pc = 0;     ///< of this pulse

    [[nodiscard]] BeamState state() const noexcept {
        if (!reported) return BeamState::unknown;
        if (cycle == 0) return power_w > 0 ? BeamState::no_beam_cycle : BeamState::off;
        return delivered ? BeamState::on : BeamState::off;
    }
};

struct PlannedPulse {
    TruthPulse truth;
    double onset_ns = 0;    ///< truth.onset_ns before it was rounded
    double height_adc = 0;  ///< of veto pulses and of germanium's steps (negative: a reset)
    double rise_ns = 0;     ///< germanium only: 10 to 90 % of the charge collection
};

struct TickPlan {
    /// No tick can hold more: detectors refuse expectations that come near.
    static constexpr std::size_t kMaxPulses = 400;

    std::int64_t tick = 0;
    bool strobe = false;       ///< not the tick but the strobe half a period after it
    std::int64_t stream = 0;   ///< what RandomStreams of this trigger start from: the tick; of a strobe -1 - tick
    std::int64_t time_ps = 0;  ///< since tick 0
    bool missed = false;       ///< its record never arrives
    BeamTruth beam;
    double dark_rate_hz = 0;
    double spe_charge_adc = 0;  ///< mean at this time
    double baseline_drift_adc = 0;
    std::vector<PlannedPulse> pulses;

    void add(TruthKind kind, double onset_ns, std::uint32_t photoelectrons, double height_adc = 0) noexcept;
};

/// Time and beam of any tick; what the detector sees of it is for its DetectorModel to add.
class TickPlanner {
  public:
    /// trace_ns: length of the trace. Throws UsageError when the beam comes behind it.
    TickPlanner(const SimulatorConfig& config, double trace_ns);

    /// Overwrites `plan`, without pulses. Its vector is reused: no allocation once it has kMaxPulses of capacity.
    void plan(std::int64_t tick, bool strobe, TickPlan& plan) const noexcept;
    [[nodiscard]] std::int64_t time_ps(std::int64_t tick) const noexcept;
    /// Of the strobe after a tick: half a period later.
    [[nodiscard]] std::int64_t strobe_ps(std::int64_t tick) const noexcept;
    [[nodiscard]] BeamTruth beam(std::int64_t tick) const noexcept;
    /// What the host is told at a tick.
    [[nodiscard]] BeamFrame frame(std::int64_t tick, std::int64_t start_utc_ns) const noexcept;

  private:
    SimulatorConfig config_;
};

/// When the protons of one pulse reach the target, in the trace.
class ProtonPulse {
  public:
    /// The jitter of this tick is drawn at once.
    ProtonPulse(const SimulatorConfig& config, RandomStream& random) noexcept
        : middle_ns_{config.trigger_position_ns + config.pulse_delay_ns + config.timing_offset_ns +
                     config.timing_jitter_ns * random.gaussian()},
          sigma_ns_{config.proton_pulse_sigma_ns} {}
    [[nodiscard]] double draw_ns(RandomStream& random) const noexcept {
        return middle_ns_ + sigma_ns_ * random.gaussian();
    }

  private:
    double middle_ns_, sigma_ns_;
};

/// Beam energy of one pulse of this charge, or of one at nominal power. [GWh]
[[nodiscard]] double beam_energy_gwh(const SimulatorConfig& config, double charge_pc) noexcept;
[[nodiscard]] double mean_beam_energy_gwh(const SimulatorConfig& config) noexcept;

/// Mean number of pulses that gives at least one in this share of the triggers.
[[nodiscard]] double mean_of_share(double share) noexcept;

/// Throws UsageError when rate_boost makes this the expected number of pulses in every trace and that is too many.
void check_pulses_per_trace(const SimulatorConfig& config, double expected);

}  // namespace alleycat
