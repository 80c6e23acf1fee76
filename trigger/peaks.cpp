#include "trigger/peaks.hpp"

#include <algorithm>

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
    const auto before = [](const Peak& peak, std::int64_t sample) { return peak.onset < sample; };
    const auto first = std::lower_bound(peaks.begin(), peaks.end(), begin, before);
    const auto last = std::lower_bound(first, peaks.end(), end, before);
    return last - first;
}

}  // namespace alleycat
