#include "trigger/baseline.hpp"

#include <algorithm>
#include <cmath>

namespace alleycat {

Baseline BaselineFinder::find(std::span<const std::int32_t> counts, std::int32_t band_adc) noexcept {
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

    Baseline baseline;
    std::uint64_t cumulative = 0;
    for (std::int32_t code = lowest; code <= highest; ++code) {
        cumulative += entries(code);
        if (2 * cumulative >= counts.size()) {
            baseline.median = code;
            break;
        }
    }

    // Sums relative to the median are small integers: exact.
    std::int64_t n = 0, sum = 0, sum_of_squares = 0;
    const std::int32_t first = std::max(baseline.median - band_adc, lowest);
    const std::int32_t last = std::min(baseline.median + band_adc - 1, highest);
    for (std::int32_t code = first; code <= last; ++code) {
        const std::int64_t times = entries(code);
        const std::int64_t offset = code - baseline.median;
        n += times;
        sum += times * offset;
        sum_of_squares += times * offset * offset;
    }
    const double mean_offset = n == 0 ? 0 : static_cast<double>(sum) / static_cast<double>(n);
    baseline.mean = baseline.median + mean_offset;
    if (n > 1) {
        const double scatter = static_cast<double>(sum_of_squares) - static_cast<double>(sum) * mean_offset;
        baseline.sigma = std::sqrt(std::max(0.0, scatter) / static_cast<double>(n - 1));
    }
    std::fill(histogram_.begin() + (lowest - kLowest), histogram_.begin() + (highest - kLowest) + 1, 0u);
    return baseline;
}

}  // namespace alleycat
