#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace alleycat {

/// One run of samples above threshold. A plain pair of numbers, so that many are copied as one block.
struct Peak {
    std::int32_t onset;  ///< first sample at or above threshold: decides the region the peak is counted in
    std::int32_t end;    ///< first sample below again

    friend bool operator==(const Peak&, const Peak&) = default;
};

struct PeakFinding {
    std::int32_t threshold_adc = 3;   ///< a sample belongs to a peak when its height is at least this [ADC counts]
    std::int32_t min_samples = 4;     ///< consecutive samples a peak needs
    std::int32_t margin_samples = 2;  ///< a peak's integration starts this much before its onset and ends as much after
    bool close_at_trace_end = false;  ///< a peak still above threshold at the last sample ends there (steps of a
                                      ///< preamplifier); false: it has no end and is not counted, as published

    friend bool operator==(const PeakFinding&, const PeakFinding&) = default;
};

/// As many peaks as a trace of so many samples can have.
[[nodiscard]] constexpr std::size_t most_peaks(std::size_t samples, const PeakFinding& finding) noexcept {
    return samples / static_cast<std::size_t>(finding.min_samples + 1) + 1;
}

/// The first of the peaks whose onset is at `sample` or later. `peaks` in time order.
[[nodiscard]] inline auto first_from(std::span<const Peak> peaks, std::int64_t sample) noexcept {
    return std::lower_bound(peaks.begin(), peaks.end(), sample,
                            [](const Peak& peak, std::int64_t at) { return peak.onset < at; });
}

/// Appends the peaks of a trace to `peaks`, in time order. Does not allocate while `peaks` has room for most_peaks()
/// more.
///
/// heights  above the baseline, pulses positive [ADC counts], shape (n_samples,)
/// source   trigger/README.md#peaks
void find_peaks(std::span<const std::int32_t> heights, const PeakFinding& finding, std::vector<Peak>& peaks);

/// Number of peaks whose onset lies in [begin, end). `peaks` in time order.
[[nodiscard]] std::int64_t count_onsets(std::span<const Peak> peaks, std::int64_t begin, std::int64_t end) noexcept;

}  // namespace alleycat
