#pragma once
// What must be known to read a run: travels as the first frame of every journal, part and stream.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "daq/core/event.hpp"
#include "daq/core/record.hpp"

namespace alleycat {

/// Names of profiles, boards, channels, windows and features become files, groups, columns and parts of counters:
/// 1 to 32 letters, digits, '_' or '-'.
[[nodiscard]] bool usable_name(std::string_view name) noexcept;

/// One input of a board, as configured.
struct ChannelInfo {
    std::string name;
    bool negative_pulses = true;     ///< pulses go to lower codes
    std::string code_map = "plain";  ///< how raw codes become ADC counts: plain, pci5153_signal, pci5153_veto

    friend bool operator==(const ChannelInfo&, const ChannelInfo&) = default;
};

/// One digitizer, as configured and as found.
struct BoardInfo {
    std::string name;    ///< also the name of its folder under /raw
    std::string source;  ///< simulator, labview, wavedump, ...
    std::string model;   ///< "" when the source does not know
    std::string serial;
    std::string firmware;  ///< as the board names it; "" when the source does not know
    SampleType sample_type = SampleType::int8;
    std::int64_t sample_period_ps = 0;
    std::uint32_t samples = 0;         ///< per channel and record; 0: they differ
    std::int64_t clock_period_ps = 0;  ///< one tick of RecordHeader::clock
    bool self_triggered = false;       ///< a record is a hit, with its time; else every record is a trigger of all
    std::vector<ChannelInfo> channels;

    friend bool operator==(const BoardInfo&, const BoardInfo&) = default;
};

enum class WindowRole : std::uint8_t { coincident = 0, anticoincident = 1 };

/// A window as the trigger stage uses it, in samples of the signal trace.
struct WindowInfo {
    std::string name;
    WindowRole role = WindowRole::coincident;
    std::int64_t pretrace_start = 0;  ///< first sample of the pretrace
    std::int64_t roi_start = 0;       ///< first sample of the region of interest = end of the pretrace
    std::int64_t roi_end = 0;         ///< one past the last
    std::int64_t integration = 0;     ///< samples integrated from the arrival on

    friend bool operator==(const WindowInfo&, const WindowInfo&) = default;
};

/// A cut: a range on a feature, or a flag, in its place in the order.
struct CutInfo {
    std::string name;
    std::string meaning;  ///< "pretrace_peaks <= 3"

    friend bool operator==(const CutInfo&, const CutInfo&) = default;
};

inline constexpr std::size_t kMaxDetectors = 256;

/// Where the signal and the veto are, for the scope and the readers of files.
struct ChannelRef {
    std::uint16_t board = 0;
    std::uint16_t channel = 0;
    bool present = false;

    friend bool operator==(const ChannelRef&, const ChannelRef&) = default;
};

/// The box in which the excess is counted: analysis, never a cut.
struct AnalysisBox {
    double min_pe = 6, max_pe = 30;                    ///< min <= PE < max
    double min_arrival_ns = 0, max_arrival_ns = 6000;  ///< min <= t < max

    friend bool operator==(const AnalysisBox&, const AnalysisBox&) = default;
};

struct RunDescription {
    std::uint64_t run = 0;
    std::string profile;   ///< "csi"
    std::string software;  ///< "alleycat 0.1.0"
    std::string host;
    std::int64_t start_utc_ns = 0;
    std::string config_name;   ///< file name of the station file, without its folder
    std::string config_text;   ///< the station file as it was used
    double tick_rate_hz = 60;  ///< nominal rate of the timing signal; 0: a source without ticks
    double rate_boost = 1;     ///< simulator: rates are this much higher than nature's
    std::vector<BoardInfo> boards;
    ChannelRef signal;  ///< the first where several make up the signal
    ChannelRef veto;
    std::vector<std::string> detectors;  ///< names, in the order of Event::detector; empty: there is one
    std::vector<WindowInfo> windows;
    std::vector<FeatureInfo> features;
    std::vector<CutInfo> cuts;
    AnalysisBox box;
    bool test_run = false;  ///< taken to try something: not for physics
    std::string revision;   ///< of the source it was built from, "unknown" where the build could not tell
    std::string compiler;   ///< "GCC 12.2.0"

    friend bool operator==(const RunDescription&, const RunDescription&) = default;
};

/// Whether the run's triggers are hits of self-triggered boards, and its ticks records of their own.
[[nodiscard]] bool triggers_are_hits(const RunDescription& run) noexcept;

}  // namespace alleycat
