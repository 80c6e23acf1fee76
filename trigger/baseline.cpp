#include "trigger/baseline.hpp"

#include <algorithm>
#include <cmath>

namespace alleycat {

Baseline make_baseline(std::int32_t median, const BandSums& sums) noexcept {
    Baseline baseline;
    baseline.median = median;
    const double mean_offset = sums.n == 0 ? 0 : static_cast<double>(sums.sum) / static_cast<double>(sums.n);
    baseline.mean = median + mean_offset;
    if (sums.n > 1) {
        const double scatter = static_cast<double>(sums.sum_of_squares) - static_cast<double>(sums.sum) * mean_offset;
        baseline.sigma = std::sqrt(std::max(0.0, scatter) / static_cast<double>(sums.n - 1));
    }
    return baseline;
}

Baseline BaselineFinder::find(std::span<const std::int32_t> counts, std::int32_t band_adc) noexcept {
    if (counts.empty()) return {};
    std::int32_t lowest = kHighest;
    std::int32_t highest = kLowest;
    for (const std::int32_t code : counts) {
        ++histogram_[static_cast<std::size_t>(code - kLowest)];
        lowest = std::min(lowest, code);
        highest = std::max(highest, code);
    }
    const auto entries = [&](std::int32_t code) -> std::uint32_t& {
        return histogram_[static_cast<std::size_t>(code - kLowest)];
    };

    std::int32_t median = lowest;
    std::uint64_t cumulative = 0;
    for (std::int32_t code = lowest; code <= highest; ++code) {
        cumulative += entries(code);
        if (2 * cumulative >= counts.size()) {
            median = code;
            break;
        }
    }

    BandSums sums;
    const std::int32_t first = std::max(median - band_adc, lowest);
    const std::int32_t last = std::min(median + band_adc - 1, highest);
    for (std::int32_t code = first; code <= last; ++code) sums.add(code - median, entries(code));
    std::fill(histogram_.begin() + (lowest - kLowest), histogram_.begin() + (highest - kLowest) + 1, 0u);
    return make_baseline(median, sums);
}

}  // namespace alleycat
