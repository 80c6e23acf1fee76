#pragma once
// What the screen shows: every number computed here, in monitor/, none in gui/. A snapshot is immutable once made.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "daq/core/event_sink.hpp"
#include "daq/core/run_description.hpp"
#include "daq/core/status.hpp"
#include "monitor/disk_watch.hpp"

namespace alleycat {

/// A histogram ready to draw. `value` and `error` have `edges.size() - 1` entries; what fell outside is counted.
struct Spectrum {
    std::string title;  ///< "coincident, beam on"
    std::string axis;   ///< "charge [PE]"
    std::vector<double> edges;
    std::vector<double> value;
    std::vector<double> error;  ///< sqrt(N) of counts
    double below = 0, above = 0;
    double undefined = 0;  ///< NaN: no value at all
};

/// What C is compared with.
enum class Background : std::uint8_t {
    anticoincident,  ///< the AC windows of the same ticks
    strobe,          ///< the coincident windows of strobe triggers, in a station without AC windows
    none,            ///< there is neither: no AC window, and no strobe trigger so far
};

/// C, its background and what is left.
struct SpectrumTriple {
    Spectrum coincident;
    Spectrum anticoincident;  ///< AC or strobe at the exposure of C: alpha N, alpha sqrt(N); N while alpha is unknown
    Spectrum difference;      ///< error sqrt(N_c + alpha^2 N_ac); NaN while alpha is unknown
    double alpha = 1;         ///< exposure(C) / exposure(background); NaN: one of the two is zero
};

/// Counts on two axes, ready to draw.
struct Spectrum2D {
    std::string title;           ///< "coincident, loose"
    std::string x_axis, y_axis;  ///< "charge [PE]", "F90"
    std::vector<double> x_edges, y_edges;
    std::vector<double> counts;  ///< row by row, the lowest y first: counts[row * (x_edges.size() - 1) + column]
    double outside = 0;          ///< beyond either axis
    double undefined = 0;        ///< NaN in either value
};

/// One selection of the discriminant.
struct DiscriminantMaps {
    Spectrum2D coincident, anticoincident;  ///< AC or strobe: counts as they are
    Spectrum2D both;                        ///< their sum
    SpectrumTriple projection;              ///< of what is on the map, on the discriminant's axis
};

/// Where a cut of the profile stands on a map.
struct CutLine {
    enum class Along : std::uint8_t {
        x,        ///< across the map at x = at
        y,        ///< at y = at
        diagonal  ///< where both are equal
    };
    std::string cut;
    Along along = Along::x;
    double at = 0;

    friend bool operator==(const CutLine&, const CutLine&) = default;
};

/// The discriminant of the station against another feature: [monitor.discriminant].
struct DiscriminantView {
    std::string problem{"no discriminant is named"};  ///< why the maps are empty; "": they are not
    DiscriminantMaps on;                              ///< all cuts of the profile, beam on, arrivals in the box
    DiscriminantMaps loose;                           ///< an arrival that fits, no other cut, all beam states
    std::vector<CutLine> cuts;
};

/// One detector of a station of several, in this run.
struct DetectorState {
    std::string name;
    std::uint64_t events = 0;
    double rate_hz = 0, rate_error_hz = 0;                ///< by the board's clock, over the newest complete interval
    double mean_charge = 0, mean_charge_error = 0;        ///< charge_pe of loose coincident windows; NaN: none yet
    double spe_charge_adc = 0, spe_charge_error_adc = 0;  ///< of its newest calibration; 0: there is none
    bool silent = false;  ///< the others had events enough since its last one that it should have had one
};

/// Counts in the analysis box and what follows from them. All but the counts is NaN while alpha is unknown.
struct Excess {
    std::uint64_t n_on = 0, n_off = 0;
    double alpha = 1;         ///< exposure(on) / exposure(off)
    double excess = 0;        ///< n_on - alpha n_off
    double error = 0;         ///< sqrt(n_on + alpha^2 n_off)
    double li_ma = 0;         ///< significance, sign of the excess (Li & Ma 1983, eq. 17)
    double interval_low = 0;  ///< 68 % interval of the excess, from the profile likelihood ratio
    double interval_high = 0;
    double upper_limit_90 = 0;  ///< with the excess restricted to >= 0; what to quote when it is negative
};

struct Exposure {
    std::uint64_t ticks_on = 0, ticks_off = 0, ticks_no_beam_cycle = 0, ticks_unknown = 0, ticks_pending = 0;
    std::uint64_t ticks_on_without_power = 0;  ///< of ticks_on: beam energy is missing for them
    std::uint64_t strobes = 0;                 ///< recorded strobe triggers: the exposure of Background::strobe
    double live_on_s = 0, live_off_s = 0;      ///< off: no-beam cycles included; 0 for a source without ticks
    double beam_energy_gwh = 0;                ///< of the recorded ticks with beam on
};

/// Per window: rows, what each cut removed first, and what was left.
struct CutFlow {
    std::string window;
    std::uint64_t rows = 0;
    std::vector<std::string> names;            ///< cuts in their order
    std::vector<std::uint64_t> removed_first;  ///< by the first cut that failed: rows = accepted + sum
    std::vector<std::uint64_t> failed;         ///< every cut that failed, also after another
    std::uint64_t accepted = 0;
};

/// One point of the cumulative excess; made per step of beam energy or of time, thinned out as the run grows.
struct ExcessPoint {
    double beam_energy_gwh = 0;
    double excess = 0, error = 0;           ///< beam on, box
    double control = 0, control_error = 0;  ///< beam off (and no-beam cycles), box
};

struct TrendPoint {
    std::int64_t utc_ns = 0;
    double value = 0;
    double error = 0;  ///< 0: not known
};
struct Trend {
    std::string name;   ///< "trigger_rate"
    std::string title;  ///< "trigger rate"
    std::string unit;   ///< "Hz"
    std::vector<TrendPoint> points;
};

struct Snapshot {
    std::shared_ptr<const RunDescription> run;  ///< nullptr before the first run message
    std::optional<Status> status;               ///< latest; a file has none
    std::optional<DiskOutlook> disk;            ///< how long the writer's disk lasts; nullopt: not known
    std::shared_ptr<const Waveform> waveform;   ///< latest; nullptr before the first
    std::uint64_t message_number = 0;           ///< last message that is in here
    std::uint64_t events = 0;                   ///< triggers seen, all runs of the campaign
    std::int64_t newest_event_utc_ns = 0;
    std::uint64_t skipped_events = 0;  ///< out of order, before any run message, or with cuts the run does not have
    std::uint64_t unmatched_beam_states = 0;  ///< for a trigger that was not seen, or answered before
    std::uint64_t refused_triggers = 0;       ///< dead-time intervals, all runs of the campaign
    double dead_time_s = 0;
    std::optional<Calibration> calibration;  ///< SPE charge in force
    std::optional<DeadTime> last_dead_time;  ///< of this run
    Background background = Background::anticoincident;
    std::string charge_unit = "PE";  ///< of charge_pe, as people write it

    // analysis selection: all cuts of the profile, beam on
    SpectrumTriple pe_on, arrival_on;
    SpectrumTriple pe_off, arrival_off;  ///< the control: beam off and no-beam cycles
    // loose selection: an arrival that fits, no other cut; all beam states. Fills within minutes.
    // Spectra of the analysis selection are projections of the box: charge for arrivals in it, arrival for charges in
    // it; the loose ones are not restricted.
    SpectrumTriple pe_loose, arrival_loose;

    DiscriminantView discriminant;
    std::vector<DetectorState> detectors;  ///< in the order of RunDescription::detectors; empty: there is one

    Excess excess;   ///< beam on: C against its background in the box
    Excess control;  ///< beam off and no-beam cycles: must be null
    Exposure exposure;
    std::vector<CutFlow> cut_flow;  ///< one per window, all beam states
    std::vector<ExcessPoint> excess_history;
    std::vector<Trend> trends;     ///< trigger_rate, baseline_median, baseline_sigma, spe_charge, veto_percent,
                                   ///< gate_percent, overflow_percent, pretrace_peaks, beam_power
    std::vector<Alarm> alarms;     ///< active ones, worst first
    std::vector<Alarm> alarm_log;  ///< the newest 200, newest first
};

}  // namespace alleycat
