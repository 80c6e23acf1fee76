#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "daq/core/config.hpp"
#include "daq/core/station.hpp"
#include "trigger/beam_monitor.hpp"
#include "trigger/calibration/calibration_config.hpp"
#include "trigger/cuts.hpp"
#include "trigger/detectors.hpp"
#include "trigger/features.hpp"
#include "trigger/linear_gate.hpp"
#include "trigger/peaks.hpp"

namespace alleycat {

/// A germanium preamplifier that is full is reset: its signal drops.
struct PreampReset {
    std::int32_t min_drop_adc = 0;
    std::int64_t within_samples = 1;  ///< between the two samples that are compared
};

/// [trigger] of a station file, in samples of the signal channel where it matters.
struct TriggerConfig {
    ChannelRef signal;
    std::vector<std::uint16_t> summed_channels;  ///< of the signal's board, which add up to the signal; empty: it alone
    std::vector<Detector> detectors;  ///< of hits, where there are several; `signal` is then the first one's
    bool self_triggered = false;      ///< triggers are hits: a window need not lie in the trace
    ChannelRef veto;
    std::int64_t tick_sample = 0;  ///< position of the tick in the trace
    std::int64_t baseline_samples = 20'000;
    std::int32_t baseline_band_adc = 5;
    std::int32_t overflow_low_code = -128;  ///< raw codes at or below, or at or above the next: overflow
    std::int32_t overflow_high_code = 127;
    PeakFinding peaks;
    PeakFinding veto_peaks{.threshold_adc = 10, .min_samples = 3, .margin_samples = 0};
    std::optional<LinearGate> linear_gate;
    std::optional<BeamMonitor> beam_monitor;  ///< [beam.monitor]
    std::int64_t local_baseline_samples = 500;
    std::int32_t local_baseline_band_adc = 3;
    double spe_charge_adc = 70;  ///< [ADC counts x sample]; with a calibration: until its first good fit
    std::string charge_unit = "pe";  ///< what charge_adc / spe_charge_adc is called: the unit of charge_pe
    CalibrationConfig calibration;
    std::int64_t sample_period_ps = 2'000;
    std::optional<PreampReset> reset;
    std::vector<WindowInfo> windows;
    FeatureConfig features;
    std::vector<Cut> cuts;
};

/// Reads [trigger]; everything that can be checked without the data is checked here.
[[nodiscard]] TriggerConfig parse_trigger(ConfigSection& root, const Station& station);

/// The columns of every window: the core features, the charge in this station's unit, then the profile's own.
[[nodiscard]] std::vector<FeatureInfo> feature_infos(const TriggerConfig& config);
[[nodiscard]] std::optional<std::size_t> find_feature(const TriggerConfig& config, std::string_view name);
/// All names so far, for a person to choose from.
[[nodiscard]] std::string feature_names(const TriggerConfig& config);
/// Whether the feature means nothing in a window without an arrival.
[[nodiscard]] bool feature_needs_arrival(const TriggerConfig& config, std::size_t feature);

/// The cuts as files and screens name them: no_peak and does_not_fit first.
[[nodiscard]] std::vector<CutInfo> cut_infos(const TriggerConfig& config);

}  // namespace alleycat
