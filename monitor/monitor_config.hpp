#pragma once
// The table [monitor] of a station file: binning, trends and the limits that raise alarms.

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "daq/core/config.hpp"
#include "daq/core/event.hpp"
#include "daq/core/run_description.hpp"

namespace alleycat {

/// Bins of one width from `low` on, in the unit of what is filled.
struct Binning {
    double low = 0;
    double width = 1;
    std::uint32_t bins = 1;

    [[nodiscard]] double high() const noexcept { return low + width * bins; }
    friend bool operator==(const Binning&, const Binning&) = default;
};

/// Limits of AlarmWatch. 0 switches a limit off where it says so.
struct AlarmConfig {
    double warm_up_s = 3;          ///< after a run's start: no judgement of rates
    double clear_after_s = 5;      ///< an alarm goes when its condition was absent for so long
    double rate_warning_hz = 0.1;  ///< |rate - nominal|, by the board's clock
    double rate_alarm_hz = 1;      ///< |rate - nominal|, by either clock
    double silence_s = 2;          ///< no trigger for so long
    double stale_after_s = 5;      ///< newest event is older, although triggers come
    double refused_hold_s = 60;    ///< the alarm stays for so long after the last refused trigger
    double ledger_patience_s = 5;  ///< a ledger that closes at no look within this time does not close
    double writer_away_s = 5;
    double disk_warning_h = 24;  ///< hours until writing stops for want of space; 0: never
    double disk_alarm_h = 2;
    double baseline_min_adc = 85;  ///< mean baseline median [ADC counts]
    double baseline_max_adc = 115;
    double baseline_sigma_max_adc = 1.5;
    double spe_min_adc = 50;  ///< SPE charge [ADC x sample]
    double spe_max_adc = 100;
    double spe_kept_blocks = 3;          ///< so many blocks in a row without a good fit of the SPE charge; 0: never
    double beam_unknown_s = 60;          ///< 0: a station without beam information
    double silent_detector_events = 50;  ///< of the others, each on average, since its last one; 0: never
    double buffer_warning_percent = 50;  ///< retransmit buffer
    double buffer_alarm_percent = 90;
    double board_missing_s = 5;          ///< triggers go on without a board for so long; 0: never
    double board_temperature_degc = 80;  ///< highest of a board's temperatures; 0: never
    double board_clock_drift_ppm = 10;   ///< |drift| of a board's clock against the reference board's; 0: never

    friend bool operator==(const AlarmConfig&, const AlarmConfig&) = default;
};

/// [monitor.discriminant]: the feature that tells one kind of pulse from another (F90, tail over total, a rise time),
/// and the one it is drawn against. Both are columns of the run's schema, which only the run knows.
struct DiscriminantConfig {
    std::string feature;  ///< "": the station names none
    std::string against = "charge_pe";
    Binning bins{0, 0.02, 50};         ///< in the feature's unit
    Binning against_bins{0, 2, 25};    ///< in the other's
    std::string title, against_title;  ///< of the axes, without the unit; "": the feature's name

    friend bool operator==(const DiscriminantConfig&, const DiscriminantConfig&) = default;
};

struct MonitorConfig {
    Binning charge_pe{0, 2, 25};
    Binning arrival_ns{0, 500, 24};
    DiscriminantConfig discriminant;
    double trend_interval_s = 10;         ///< one point of a trend [s of event time]
    std::uint32_t trend_points = 2000;    ///< at most, per trend
    double history_step_kwh = 1;          ///< first step of the cumulative excess [kWh of beam energy]
    std::uint32_t history_points = 2000;  ///< at most
    std::uint32_t pending_events =
        100'000;  ///< how far a beam state may be behind the newest event; then it is unknown
    AlarmConfig alarms;

    friend bool operator==(const MonitorConfig&, const MonitorConfig&) = default;
};

/// Reads [monitor] and the tables in it; problems go to the section's ConfigProblems. Whether a feature exists is not
/// known here: check_features() asks for it where the schema is.
[[nodiscard]] MonitorConfig parse_monitor(ConfigSection& root);

/// Reports at its place every feature of [monitor.discriminant] that is not a column of `schema`.
void check_features(ConfigSection& root, const MonitorConfig& config, const std::vector<FeatureInfo>& schema);

/// [monitor] of the station text that stands in a recorded run; other tables are left alone.
struct RecordedMonitorConfig {
    MonitorConfig config;  ///< the defaults where the text cannot be used
    std::string problem;   ///< why it cannot: its first problem; "": it can
};
[[nodiscard]] RecordedMonitorConfig monitor_config_of(const RunDescription& run);

/// True when every number is within the range that parse_monitor() accepts: for configurations that came as bytes.
[[nodiscard]] bool plausible(const MonitorConfig& config) noexcept;

}  // namespace alleycat
