#pragma once
// [simulator.nai] and [simulator.cells] of a station file: detectors behind simulated boards that trigger themselves.

#include <cstdint>
#include <string>

#include "daq/core/config.hpp"

namespace alleycat {

/// Numbers of many detectors of a kind, each behind channels of its own. Beam, timing signal, seed, pace and ADC are
/// those of [simulator]. "ADC counts" of the high-gain channel. Rates are before rate_boost.
struct HitSimulatorConfig {
    enum class Detector : std::uint8_t {
        nai,    ///< NaI[Tl] crystals with dual-gain bases: channels in pairs, high gain first
        cells,  ///< liquid-scintillator cells, a channel each: neutrons and gammas differ in their slow light
    };
    Detector detector = Detector::nai;
    std::string tick_channel;  ///< of a board: the timing signal as hits of a channel; "": only as stamps

    // board
    double disorder_ns = 0;      ///< a board delivers its hits in wrong order by up to this
    double late_tick_share = 0;  ///< ticks that are delivered ...
    int late_by_ticks = 3;       ///< ... so much later, and hold up those behind them

    // light
    double photoelectrons_per_kev = 1.7;
    double charge_per_kev_adc = 280;  ///< [ADC counts x sample]
    double low_gain_ratio = 20;       ///< high gain over low gain
    double gain_spread = 0.05;        ///< relative sigma from detector to detector; each drifts at a phase of its own
    double response_ns = 12;          ///< Gaussian sigma of the photomultiplier
    double fast_ns = 230, slow_ns = 1'500;
    double slow_share_electron = 0, slow_share_recoil = 0;  ///< of the light, for gammas and electrons, and for recoils

    // what a detector sees at any time
    double threshold_kev = 100;
    double background_rate_hz = 10;  ///< per detector
    double continuum_kev = 400;      ///< falls exponentially from the threshold with this constant
    double potassium_share = 0.1;    ///< of the background: 40K, 1461 keV
    double thallium_share = 0.04;    ///< 208Tl, 2615 keV

    // what comes with the beam, per detector and pulse of nominal charge
    double prompt_per_pulse = 2e-4;   ///< neutrons with the protons
    double prompt_kev = 300;          ///< their light, falling exponentially from the threshold
    double delayed_per_pulse = 1e-3;  ///< with the muon's lifetime after the protons
    double delayed_min_kev = 10'000, delayed_max_kev = 50'000;
};

[[nodiscard]] HitSimulatorConfig nai_hits();
[[nodiscard]] HitSimulatorConfig cell_hits();

/// Reads the section of either detector into its numbers. Problems are reported, not thrown.
void read_hits(ConfigSection section, HitSimulatorConfig& config);

}  // namespace alleycat
