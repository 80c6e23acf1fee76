#pragma once
// [simulator] of a station file: what stands in front of the simulated digitizer.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "daq/core/config.hpp"
#include "daq/core/time.hpp"
#include "readout/beam_instruments_config.hpp"
#include "readout/germanium_detector.hpp"
#include "readout/hit_simulator_config.hpp"
#include "readout/lar_detector.hpp"
#include "readout/mars_detector.hpp"
#include "readout/timing_defects.hpp"

namespace alleycat {

enum class Pacing : std::uint8_t {
    realtime,  ///< a tick is delivered when its time has come
    fast,      ///< as fast as asked for
};

enum class SimulatedDetector : std::uint8_t { csi, lar, germanium, mars, nai, cells };

/// Whether boards with such detectors trigger themselves.
[[nodiscard]] constexpr bool triggers_itself(SimulatedDetector detector) noexcept {
    return detector == SimulatedDetector::nai || detector == SimulatedDetector::cells;
}

/// Defaults are those of the CsI[Na] detector of 2015-17. Heights and levels are ADC counts with the PCI-5153's holes
/// closed; "share" is the share of triggers; rates are nature's, before rate_boost.
struct SimulatorConfig {
    SimulatedDetector detector = SimulatedDetector::csi;
    std::uint64_t seed = 1;
    Pacing pacing = Pacing::realtime;
    std::optional<UtcTime> start_utc;  ///< of tick 0; absent: when the simulator is made
    double rate_boost = 1;  ///< multiplies signal, prompt neutrons and steady background; expectations scale with it

    // board
    std::vector<std::string> signal_channels{"csi"};  ///< light is shared evenly among those that the board has
    std::string veto_channel = "veto";
    int adc_bits = 0;                            ///< resolution inside the sample type; 0: all of its bits
    std::int64_t clock_start_ticks = 1'000'000;  ///< what the board's 31-bit clock shows at tick 0

    // timing signal
    double tick_period_ns = 16'666'200;
    double tick_period_swing_ns = 100;    ///< the mains move the period by this much, to and fro
    double missed_tick_share = 0;         ///< ticks whose record never arrives; the board's counter counts them
    std::int64_t strobe_every_ticks = 0;  ///< a strobe trigger half a period after every so many ticks; 0: none

    // beam
    double beam_power_w = 1.01e6;      ///< while on
    double beam_power_spread = 0.01;   ///< relative sigma from second to second
    double beam_charge_spread = 0.01;  ///< relative sigma from pulse to pulse
    double proton_energy_gev = 0.957;
    double beam_on_s = 1800;          ///< length of a period with beam
    double beam_off_s = 300;          ///< and of the trip after it; 0: no trips
    double beam_unknown_every_s = 0;  ///< distance of the periods in which power and charge are not reported; 0: none
    double beam_unknown_s = 0;        ///< length of such a period; beam goes on in it
    int frame_index_shift = 0;        ///< frame of tick k holds the charge of pulse k + shift
    int flavor_index_shift = 0;       ///< the same for its flavor

    // beam-related pulses
    double trigger_position_ns = 54'950;  ///< from the first sample: start of the C region
    double pulse_delay_ns = 690;          ///< from there to the middle of the proton pulse
    double proton_pulse_sigma_ns = 144;
    double timing_offset_ns = 0;  ///< constant over a run
    double timing_jitter_ns = 5;  ///< sigma from tick to tick
    double cevns_strength = 1;    ///< 1: Standard Model
    double neutron_strength = 1;  ///< 1: as published

    BeamInstrumentsConfig instruments;  ///< a channel that sees the beam, one with the timing signal
    TimingDefectsConfig defects;

    // pulses that come at any time
    double background_rate_hz = 0.45;  ///< steady scintillation pulses per second of live trace
    std::uint32_t background_min_pe = 3, background_max_pe = 60;
    double background_flat_share = 0.32;  ///< uniform between min and max; the others fall exponentially
    double background_exponential_pe = 5;
    double cherenkov_share = 0.002;
    double cherenkov_mean_pe = 10;
    double cherenkov_width_ns = 20;    ///< exponential time constant of a burst
    double big_pulse_share = 0.00315;  ///< deposits that saturate the digitizer
    double big_pulse_min_pe = 3'000, big_pulse_max_pe = 30'000;
    double big_pulse_afterglow_hz_per_pe = 100;  ///< single photoelectrons after a big pulse: rate / (1 + t / time)
    double big_pulse_afterglow_time_ns = 10'000;
    double linear_gate_share = 0.00809;
    double linear_gate_length_ns = 100'000;  ///< longer than the trace: a gate that opened and closed in it is not seen
    double linear_gate_level_adc = 8;        ///< where the signal stands while gated
    double veto_share = 0.01095;
    double veto_min_adc = 20, veto_mean_adc = 60;  ///< height of a veto pulse: exponential from min on
    double veto_rise_ns = 3, veto_fall_ns = 15;    ///< Gaussian sigmas

    // light
    double spe_charge_adc = 70;                   ///< mean charge of a photoelectron [ADC counts x sample]
    double spe_theta = 6;                         ///< Polya parameter
    double spe_rise_ns = 4.5, spe_fall_ns = 6.5;  ///< Gaussian sigmas of its pulse
    double gain_drift = 0.03;                     ///< relative amplitude
    double gain_drift_period_s = 86'400;
    double scintillation_fast_recoil_ns = 589, scintillation_fast_electron_ns = 527;
    double scintillation_slow_ns = 5'600;
    double scintillation_slow_over_fast = 0.41;
    double dark_rate_hz = 46'000;        ///< single photoelectrons of most triggers
    double afterglow_share = 0.36;       ///< triggers that follow a large deposit: their rate is drawn
    double afterglow_rate_hz = 151'500;  ///< exponentially with this mean

    // electronics
    double noise_sigma_adc = 0.9;
    double baseline_adc = 100;
    double veto_baseline_adc = 21;
    double baseline_drift_adc = 1;  ///< amplitude over baseline_drift_period_s
    double baseline_drift_period_s = 3'600;
    double baseline_wander_adc = 0.2;  ///< amplitude inside a trace
    double baseline_wander_period_ns = 60'000;

    // of one detector only
    LarConfig lar;
    GermaniumConfig germanium;
    MarsConfig mars;
    HitSimulatorConfig hits;  ///< of nai and cells

    /// Triggers before this tick, which is what the board's counter shows: ticks (missed ones too) and strobes.
    [[nodiscard]] std::uint64_t triggers_before(std::int64_t tick) const noexcept {
        return static_cast<std::uint64_t>(tick + (strobe_every_ticks > 0 ? tick / strobe_every_ticks : 0));
    }
};

/// Reads [simulator] of a station file; every key is optional. Problems are reported, not thrown.
[[nodiscard]] SimulatorConfig parse_simulator(ConfigSection& root);

}  // namespace alleycat
