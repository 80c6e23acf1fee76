#pragma once
// A channel beside the signal: the timing signal, a beam-rich channel, another photomultiplier.

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "daq/core/run_description.hpp"
#include "daq/core/trigger.hpp"
#include "trigger/peaks.hpp"
#include "trigger/trace.hpp"

namespace alleycat {

/// How an auxiliary channel is looked at.
struct AuxiliaryLook {
    ChannelRef channel;
    PeakFinding peaks;
    std::int64_t baseline_samples = 0;
    std::int32_t baseline_band_adc = 1;
};

/// One such channel, trigger by trigger, with a baseline and peaks of its own. Holds scratch memory: one per thread.
class AuxiliaryChannel {
  public:
    /// boards  as found, in the station's order
    AuxiliaryChannel(const AuxiliaryLook& look, const std::vector<BoardInfo>& boards, Kernels kernels);
    /// Room for traces of so many samples.
    void make_room(std::size_t samples);

    /// Takes its baseline in this trigger; no peaks are known yet. false: it is not there, or shorter than its
    /// baseline. Allocates only for a trace longer than any before.
    bool open(const Trigger& trigger);
    /// All peaks of the trigger opened last, in time order.
    std::span<const Peak> find_peaks();

    /// What the last open() said.
    [[nodiscard]] bool present() const noexcept { return present_; }
    [[nodiscard]] Trace& trace() noexcept { return trace_; }
    /// As found; none before find_peaks().
    [[nodiscard]] std::span<const Peak> peaks() const noexcept { return peaks_; }
    [[nodiscard]] const PeakFinding& finding() const noexcept { return look_.peaks; }

  private:
    AuxiliaryLook look_;
    ChannelInfo info_;
    Trace trace_;
    std::vector<Peak> peaks_;
    bool present_ = false;
};

}  // namespace alleycat
