#include "trigger/peaks.hpp"

namespace alleycat {

void find_peaks(std::span<const std::int32_t> heights, const PeakFinding& finding, std::vector<Peak>& peaks) {
    const auto n = static_cast<std::int32_t>(heights.size());
    std::int32_t onset = -1;
    for (std::int32_t i = 0; i < n; ++i) {
        const bool above = heights[static_cast<std::size_t>(i)] >= finding.threshold_adc;
        if (above && onset < 0) {
            onset = i;
        } else if (!above && onset >= 0) {
            if (i - onset >= finding.min_samples) peaks.push_back({onset, i});
            onset = -1;
        }
    }
    if (finding.close_at_trace_end && onset >= 0 && n - onset >= finding.min_samples) peaks.push_back({onset, n});
}

std::int64_t count_onsets(std::span<const Peak> peaks, std::int64_t begin, std::int64_t end) noexcept {
    const auto first = first_from(peaks, begin);
    return first_from({first, peaks.end()}, end) - first;
}

}  // namespace alleycat
