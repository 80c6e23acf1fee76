#pragma once
// One signal of a trigger, as the trigger stage looks at it: raw codes where the record holds them; heights above the
// baseline are made only for the pieces that somebody asks for.

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "daq/core/record.hpp"
#include "daq/core/run_description.hpp"
#include "trigger/baseline.hpp"
#include "trigger/peaks.hpp"

namespace alleycat {

/// A closed gate forces the signal to low codes.
struct LinearGate {
    std::int32_t closed_at_adc = 18;     ///< closed: counts at or below
    std::int32_t min_baseline_adc = 50;  ///< a median below means closed from the start
};

/// Scratch memory for one signal at a time: one per thread. The record must stay where it is while its trace is used.
class Trace {
  public:
    /// Room for traces of so many samples; a longer one allocates once.
    explicit Trace(std::size_t longest = 0);
    void make_room(std::size_t samples);

    /// Looks at the channel that stands at `position` in the record's payload. No baseline is known yet: heights count
    /// from 0.
    void open(const RecordView& record, std::size_t position, const ChannelInfo& channel);
    /// No samples at all: every region is outside.
    void close() noexcept;

    [[nodiscard]] std::int64_t samples() const noexcept { return static_cast<std::int64_t>(counts_.size()); }

    /// A raw code at or below `low_code`, or at or above `high_code`.
    [[nodiscard]] bool overflows(std::int32_t low_code, std::int32_t high_code) const noexcept;

    /// Median, mean and sigma of the first `region` samples (at most all); heights count from this median from now on.
    Baseline take_baseline(std::int64_t region, std::int32_t band_adc) noexcept;

    /// A gate that opened or closed within the trace, or a baseline so low that it was closed from the start.
    /// source: trigger/README.md#flags
    [[nodiscard]] bool gate_closed(const LinearGate& gate) const noexcept;

    /// Appends the peaks of the whole trace, in time order. source: trigger/README.md#peaks
    void find_peaks(const PeakFinding& finding, std::vector<Peak>& peaks) const;

    /// Heights above the baseline, pulses positive [ADC counts], indexed like the trace; only [begin, end) is filled
    /// in (cut to the trace). Valid until the next open().
    [[nodiscard]] std::span<const std::int32_t> heights(std::int64_t begin, std::int64_t end) noexcept;

  private:
    RecordView record_;
    std::size_t position_ = 0;
    bool negative_ = true;
    std::int32_t median_ = 0;
    BaselineFinder baseline_;
    std::vector<std::int32_t> counts_;   // ADC counts of the whole trace
    std::vector<std::int32_t> heights_;  // the same above the median
};

}  // namespace alleycat
