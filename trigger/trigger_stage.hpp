#pragma once
// The physics of one trigger: from raw samples to features and cuts.

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "daq/core/event.hpp"
#include "daq/core/trigger.hpp"
#include "trigger/beam_monitor.hpp"
#include "trigger/calibration/single_peaks.hpp"
#include "trigger/features.hpp"
#include "trigger/peaks.hpp"
#include "trigger/signal_sum.hpp"
#include "trigger/trace.hpp"
#include "trigger/trigger_config.hpp"

namespace alleycat {

/// Turns triggers into events. A pure function of (trigger, configuration, SPE charge in force): no clock, no random
/// numbers, no I/O. The object only holds scratch memory: one per thread, and the results do not depend on which.
class TriggerStage {
  public:
    /// boards  as found, in the station's order: the longest configured trace sizes the scratch memory
    /// kernels the speed; the results are the same
    TriggerStage(TriggerConfig config, const std::vector<BoardInfo>& boards, Kernels kernels = Kernels::simd);

    /// Measures one trigger. Every field of `event` is written. Allocates only for a trace longer than any before.
    void process(const Trigger& trigger, double spe_charge_adc, Event& event);

    /// Charges of the single peaks of the trigger processed last, which gave `event`; none when something spoils its
    /// trace. Every field of `charges` that counts is written.
    void measure_single_peaks(const Event& event, PeakCharges& charges) noexcept;

    /// Peaks of the signal channel in the trigger processed last (for the scope).
    [[nodiscard]] std::span<const Peak> peaks() const noexcept { return peaks_; }
    [[nodiscard]] const TriggerConfig& config() const noexcept { return config_; }

  private:
    /// Where the signal stands in the record; kMaxChannels when it, or a part of its sum, is not there.
    [[nodiscard]] std::size_t find_signal(const RecordHeader& header) noexcept;
    void place_windows(std::int64_t since_tick_ps) noexcept;
    void leave_windows_out(Event& event, std::uint32_t because) const noexcept;
    /// All of it, and its pretrace.
    [[nodiscard]] bool is_inside(const WindowInfo& window) const noexcept {
        if (config_.self_triggered) return trace_.samples() > 0;  // a hit's window need not be
        return window.pretrace_start >= 0 && window.roi_end <= trace_.samples();
    }
    void measure_detector(const Trigger& trigger, Event& event);
    void measure_signal(Event& event);
    void open_signal(const RecordView& record, std::size_t position);
    [[nodiscard]] bool signal_overflows() noexcept;
    [[nodiscard]] bool holds(const WindowInfo& window, std::int64_t arrival) const noexcept;
    void measure_window(const WindowInfo& window, Event& event, WindowEvent& result);
    [[nodiscard]] bool has_veto_peak(const RecordView& record, std::size_t position);
    void open(const RecordView& record, std::size_t position, const ChannelInfo& channel);
    void make_room(std::size_t samples);

    TriggerConfig config_;
    ChannelInfo signal_channel_;
    ChannelInfo veto_channel_;
    struct DetectorChannels {
        ChannelInfo channel, low_gain;
    };
    std::vector<DetectorChannels> detector_channels_;  // of config_.detectors
    double gain_ = 1;                                  // of the detector's channel over the one that is measured
    std::vector<WindowInfo> windows_;                  // those of config_, moved to where the trigger's tick stands
    std::int64_t part_of_sample_ps_ = 0;               // the tick stands so much before a sample
    std::optional<BeamPulseFinder> beam_pulses_;
    Trace trace_;
    SignalSum sum_;
    std::vector<std::size_t> summed_;  // where the channels of the sum stand in the record
    FeatureStage features_;
    std::size_t room_ = 0;  // longest trace the scratch memory holds
    std::vector<Peak> peaks_;
    std::vector<Peak> veto_peaks_;
};

}  // namespace alleycat
