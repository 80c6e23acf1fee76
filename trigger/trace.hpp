#pragma once
// One signal of a trigger, as the trigger stage looks at it: raw codes where the record holds them; heights above the
// baseline are made only for the pieces that somebody asks for.

#include <cstddef>
#include <cstdint>
#include <span>
#include <variant>
#include <vector>

#include "daq/core/record.hpp"
#include "daq/core/run_description.hpp"
#include "trigger/code_trace.hpp"
#include "trigger/kernels.hpp"
#include "trigger/plain_trace.hpp"

namespace alleycat {

/// Scratch memory for one signal at a time: one per thread. The record must stay where it is while its trace is used.
/// The results do not depend on the kernels.
class Trace {
  public:
    /// Room for traces of so many samples; a longer one allocates once.
    explicit Trace(std::size_t longest = 0, Kernels kernels = Kernels::simd);
    void make_room(std::size_t samples);

    /// Looks at the channel that stands at `position` in the record's payload. No baseline is known yet: heights count
    /// from 0.
    void open(const RecordView& record, std::size_t position, const ChannelInfo& channel);
    /// No samples at all: every region is outside.
    void close() noexcept;

    [[nodiscard]] std::int64_t samples() const noexcept;

    /// A raw code at or below `low_code`, or at or above `high_code`. Costs nothing once peaks have been looked for.
    [[nodiscard]] bool overflows(std::int32_t low_code, std::int32_t high_code) noexcept;

    /// Median, mean and sigma of the first `region` samples (at most all); heights count from this median from now on.
    Baseline take_baseline(std::int64_t region, std::int32_t band_adc) noexcept;

    /// A gate that opened or closed within the trace, or a baseline so low that it was closed from the start.
    /// source: trigger/README.md#flags
    [[nodiscard]] bool gate_closed(const LinearGate& gate) const noexcept;

    /// Appends the peaks of the whole trace, in time order. source: trigger/README.md#peaks
    void find_peaks(const PeakFinding& finding, std::vector<Peak>& peaks) noexcept;

    /// Heights above the baseline, pulses positive [ADC counts], indexed like the trace; only [begin, end) is filled
    /// in (cut to the trace). Valid until the next open().
    [[nodiscard]] std::span<const std::int32_t> heights(std::int64_t begin, std::int64_t end) noexcept;

    /// Mean of the heights within +-band among the `length` samples before the arrival (the arrival not included); NaN
    /// when there is none. [ADC counts]
    [[nodiscard]] double local_baseline(std::int64_t arrival, std::int64_t length, std::int32_t band_adc) noexcept;

    /// What lies inside peaks over `window` samples from the arrival on (cut to the trace), and when it arrived.
    /// peaks: of this trace. source: trigger/README.md#charge
    [[nodiscard]] WindowCharges charges(std::span<const Peak> peaks, const PeakFinding& finding, std::int64_t arrival,
                                        std::int64_t window, double local_baseline) noexcept;

  private:
    std::variant<CodeTrace, PlainTrace> trace_;
};

}  // namespace alleycat
