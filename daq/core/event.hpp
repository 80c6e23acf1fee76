#pragma once
// An event is the result of one trigger: flat numbers, described by a schema. No tag map, no pointers.

#include <array>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include "daq/core/beam.hpp"
#include "daq/core/record.hpp"

namespace alleycat {

inline constexpr std::size_t kMaxWindows = 4;
inline constexpr std::size_t kMaxFeatures = 32;
inline constexpr std::size_t kMaxCuts = 32;

/// Bits of Event::flags, in the order of their names in the file's attribute "bits".
namespace trigger_flag {
inline constexpr std::uint32_t overflow = 1u << 0;         ///< a signal sample at the end of the ADC range
inline constexpr std::uint32_t muon_veto = 1u << 1;        ///< a veto peak anywhere in the trace
inline constexpr std::uint32_t linear_gate = 1u << 2;      ///< linear gate closed within the trace
inline constexpr std::uint32_t missing_board = 1u << 3;    ///< a board of the station gave no record
inline constexpr std::uint32_t missing_channel = 1u << 4;  ///< the signal channel is absent: no features
inline constexpr std::uint32_t short_trace = 1u << 5;      ///< trace too short for its baseline or a window
inline constexpr std::uint32_t clock_backwards = 1u << 6;  ///< a board's clock ran backwards
inline constexpr std::uint32_t missing_veto = 1u << 7;     ///< the veto channel is absent: nobody knows about muons
// Of the tick the trigger belongs to (or is). A tick that cannot be trusted counts neither as ON nor as OFF.
inline constexpr std::uint32_t no_tick = 1u << 8;              ///< no tick is known: the trigger is in no window
inline constexpr std::uint32_t duplicate_tick = 1u << 9;       ///< the same pulse again
inline constexpr std::uint32_t tick_backwards = 1u << 10;      ///< earlier than the tick before
inline constexpr std::uint32_t tick_out_of_phase = 1u << 11;   ///< not a whole number of periods after the one before
inline constexpr std::uint32_t after_missing_tick = 1u << 12;  ///< ticks are missing before this one
inline constexpr std::uint32_t late_tick = 1u << 17;     ///< came after its source had gone past it, or hits had given it up
inline constexpr std::uint32_t hits_refused = 1u << 18;  ///< hits near this tick were refused: it is no exposure
inline constexpr std::uint32_t of_ticks =
    no_tick | duplicate_tick | tick_backwards | tick_out_of_phase | after_missing_tick | late_tick | hits_refused;
/// Nothing about the beam is known at such a tick: it is unknown to the join. (What comes after a missing tick is
/// good.)
inline constexpr std::uint32_t distrusted_tick =
    no_tick | duplicate_tick | tick_backwards | tick_out_of_phase | late_tick | hits_refused;
// Of the signal.
inline constexpr std::uint32_t low_gain = 1u << 13;           ///< measured in the low-gain channel: the other overflows
inline constexpr std::uint32_t preamp_reset = 1u << 14;       ///< the preamplifier was reset within the trace
inline constexpr std::uint32_t beam_pulse = 1u << 15;         ///< the beam-rich channel shows a pulse at this tick
inline constexpr std::uint32_t several_detectors = 1u << 16;  ///< in the record: the first of them counts
}  // namespace trigger_flag
inline constexpr std::array<std::string_view, 19> kTriggerFlagNames{
    "overflow",       "muon_veto",         "linear_gate",        "missing_board", "missing_channel",
    "short_trace",    "clock_backwards",   "missing_veto",       "no_tick",       "duplicate_tick",
    "tick_backwards", "tick_out_of_phase", "after_missing_tick", "low_gain",      "preamp_reset",
    "beam_pulse",     "several_detectors", "late_tick",          "hits_refused"};
static_assert(!kTriggerFlagNames.back().empty());

/// Features every profile has, at fixed places; a profile's own follow from Feature::count on.
/// Times count from the window's start (arrival_ns) or from the arrival (t10, t50, t90).
enum class Feature : std::uint8_t {
    pretrace_peaks,
    roi_peaks,
    window_peaks,
    arrival_sample,     ///< start of the first peak's integration; -1: none, or the integration window does not fit
    arrival_ns,         ///< NaN without an arrival
    charge_adc,         ///< local baseline, as published [ADC x sample]; 0 without an arrival
    charge_global_adc,  ///< median baseline
    charge_pe,          ///< charge_adc / SPE charge in force
    t10_ns,             ///< of charge_adc, as t50_ns and t90_ns
    t50_ns,
    t90_ns,
    t10_global_ns,  ///< of charge_global_adc, as t50_global_ns and t90_global_ns
    t50_global_ns,
    t90_global_ns,
    rise_10_90_ns,  ///< t90_ns - t10_ns
    count
};
inline constexpr std::size_t kCoreFeatures = static_cast<std::size_t>(Feature::count);

enum class FeatureType : std::uint8_t { u32 = 0, i32 = 1, f64 = 2 };

/// One column of a window: how the number is called, in what unit, and how it is stored.
struct FeatureInfo {
    std::string name;
    std::string unit;  ///< "" for a pure number
    FeatureType type = FeatureType::f64;
    std::string meaning;

    friend bool operator==(const FeatureInfo&, const FeatureInfo&) = default;
};
/// The features of Feature, in its order.
[[nodiscard]] std::vector<FeatureInfo> core_features();

/// What was measured in one window. `value` follows the schema (RunDescription::features).
struct WindowEvent {
    std::array<double, kMaxFeatures> value{};
    std::uint32_t cuts = 0;  ///< a bit per cut failed, in the order of RunDescription::cuts; 0: accepted

    [[nodiscard]] bool accepted() const noexcept { return cuts == 0; }
    [[nodiscard]] double operator[](Feature f) const noexcept { return value[static_cast<std::size_t>(f)]; }
    void set(Feature f, double v) noexcept { value[static_cast<std::size_t>(f)] = v; }
};

/// The result of one trigger. Its beam state is not here: it comes later, as a BeamResolution.
struct Event {
    std::uint64_t sequence = 0;
    std::int64_t time_ps = 0;
    std::int64_t utc_ns = 0;
    TriggerClass trigger_class = TriggerClass::beam_tick;
    std::uint8_t window_count = 0;
    std::uint8_t feature_count = 0;
    std::uint32_t flags = 0;         ///< trigger_flag
    std::uint16_t detector = 0;      ///< index in RunDescription::detectors; 0 where there is one
    std::uint64_t tick = 0;          ///< number of the tick it belongs to, counted by the timing signal
    std::int64_t since_tick_ps = 0;  ///< its time after that tick (negative: before); 0: it is the tick
    double baseline_median_adc = std::numeric_limits<double>::quiet_NaN();  ///< of the signal channel [ADC counts]
    double baseline_mean_adc = std::numeric_limits<double>::quiet_NaN();
    double baseline_sigma_adc = std::numeric_limits<double>::quiet_NaN();
    double spe_charge_adc = 0;  ///< SPE charge that was in force [ADC x sample]
    std::array<WindowEvent, kMaxWindows> window{};
};

/// Same bits in everything that live and replay must share (so not utc_ns). NaN equals NaN.
[[nodiscard]] bool identical(const Event& a, const Event& b) noexcept;

}  // namespace alleycat
