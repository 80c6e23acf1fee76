#include "trigger/charge.hpp"

#include <algorithm>
#include <cstdlib>
#include <limits>

namespace alleycat {
namespace {

/// Where the cumulative curve last rises through `part` of the total, between samples; 0 when it never does because it
/// starts there. [samples from the arrival]
double crossing(std::span<const double> curve, double part) noexcept {
    const double level = part * curve.back();
    for (std::size_t i = curve.size() - 1; i > 0; --i) {
        const double before = curve[i - 1];
        if (before < level && curve[i] >= level) {
            return static_cast<double>(i - 1) + (level - before) / (curve[i] - before);
        }
    }
    return 0;
}

}  // namespace

double local_baseline(std::span<const std::int32_t> heights, std::int64_t arrival, std::int64_t length,
                      std::int32_t band_adc) noexcept {
    std::int64_t n = 0, sum = 0;
    for (std::int64_t i = std::max<std::int64_t>(arrival - length, 0); i < arrival; ++i) {
        const std::int32_t height = heights[static_cast<std::size_t>(i)];
        if (std::abs(height) <= band_adc) {
            ++n;
            sum += height;
        }
    }
    return n == 0 ? std::numeric_limits<double>::quiet_NaN() : static_cast<double>(sum) / static_cast<double>(n);
}

WindowCharge integrate_peaks(std::span<const std::int32_t> heights, std::span<const Peak> peaks,
                             const PeakFinding& finding, std::int64_t arrival, std::int64_t window, double baseline,
                             std::span<double> curve) noexcept {
    WindowCharge result;
    if (window <= 0) return result;
    const std::int64_t end = std::min<std::int64_t>(arrival + window, static_cast<std::int64_t>(heights.size()));
    double sum = 0;
    std::int64_t filled = arrival;  // the curve is written up to here
    for (const Peak& peak : peaks) {
        const std::int64_t from = std::max<std::int64_t>(peak.onset - finding.margin_samples, filled);
        const std::int64_t to = std::min<std::int64_t>(peak.end + finding.margin_samples, end);
        if (peak.onset - finding.margin_samples < arrival) continue;
        if (from >= end) break;
        for (; filled < from; ++filled) curve[static_cast<std::size_t>(filled - arrival)] = sum;
        for (; filled < to; ++filled) {
            sum += heights[static_cast<std::size_t>(filled)] - baseline;
            curve[static_cast<std::size_t>(filled - arrival)] = sum;
        }
    }
    for (; filled < arrival + window; ++filled) curve[static_cast<std::size_t>(filled - arrival)] = sum;

    result.charge = sum;
    const std::span<const double> whole = curve.first(static_cast<std::size_t>(window));
    result.t10 = crossing(whole, 0.1);
    result.t50 = crossing(whole, 0.5);
    result.t90 = crossing(whole, 0.9);
    return result;
}

}  // namespace alleycat
