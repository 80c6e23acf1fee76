#pragma once
// The physics of one trigger: from raw samples to features and cuts.

#include <cstdint>
#include <span>
#include <vector>

#include "daq/core/event.hpp"
#include "daq/core/trigger.hpp"
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
    void measure_signal(const RecordView& record, std::size_t position, Event& event);
    void open_signal(const RecordView& record, std::size_t position);
    [[nodiscard]] bool signal_overflows() noexcept;
    void measure_window(const WindowInfo& window, Event& event, WindowEvent& result);
    [[nodiscard]] bool has_veto_peak(const RecordView& record, std::size_t position);
    void open(const RecordView& record, std::size_t position, const ChannelInfo& channel);
    void make_room(std::size_t samples);

    TriggerConfig config_;
    ChannelInfo signal_channel_;
    ChannelInfo veto_channel_;
    Trace trace_;
    SignalSum sum_;
    std::vector<std::size_t> summed_;  // where the channels of the sum stand in the record
    FeatureStage features_;
    std::size_t room_ = 0;  // longest trace the scratch memory holds
    std::vector<Peak> peaks_;
    std::vector<Peak> veto_peaks_;
};

}  // namespace alleycat
