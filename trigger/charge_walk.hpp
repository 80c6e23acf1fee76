#pragma once
// integrate_peaks() without its curve. The cumulative charge moves inside peaks only, so it can cross a level nowhere
// else: one walk over the samples inside peaks gives the sums for both baselines, and where each stretch began and how
// high it came; a level is crossed in the first stretch that came so high, which is walked once more. The additions are
// those of integrate_peaks, in its order: the same results to the last bit.

#include <algorithm>
#include <array>
#include <cstdint>
#include <limits>
#include <span>

#include "trigger/charge.hpp"

namespace alleycat {

/// What one walk leaves behind, for each baseline: 0 = global, 1 = local.
struct PeakStretch {
    std::int64_t from = 0, to = 0;    ///< samples
    std::array<double, 2> before{};   ///< cumulative charge where the stretch begins
    std::array<double, 2> highest{};  ///< the most it reached inside
};

/// height      gives the height of a sample above the median: height(std::int64_t) -> std::int32_t
/// end         the window's end, inside the trace
/// stretches   scratch with room for all peaks of the window
/// source      trigger/README.md#charge
template <class Height>
[[nodiscard]] WindowCharges walk_peaks(const Height& height, std::span<const Peak> peaks, const PeakFinding& finding,
                                       std::int64_t arrival, std::int64_t end, double local_baseline,
                                       std::span<PeakStretch> stretches) noexcept {
    constexpr double kNothing = -std::numeric_limits<double>::infinity();
    const std::array<double, 2> baseline{0.0, local_baseline};
    std::array<double, 2> sum{};
    std::size_t n = 0;
    const auto first = std::lower_bound(peaks.begin(), peaks.end(), arrival + finding.margin_samples,
                                        [](const Peak& peak, std::int64_t sample) { return peak.onset < sample; });
    for (auto peak = first; peak != peaks.end(); ++peak) {
        const std::int64_t done = n == 0 ? arrival : stretches[n - 1].to;
        PeakStretch stretch{.from = std::max<std::int64_t>(peak->onset - finding.margin_samples, done),
                            .to = std::min<std::int64_t>(peak->end + finding.margin_samples, end),
                            .before = sum,
                            .highest = {kNothing, kNothing}};
        if (stretch.from >= end) break;
        for (std::int64_t i = stretch.from; i < stretch.to; ++i) {
            const double above_median = height(i);
            sum[0] += above_median - baseline[0];
            sum[1] += above_median - baseline[1];
            stretch.highest[0] = std::max(stretch.highest[0], sum[0]);
            stretch.highest[1] = std::max(stretch.highest[1], sum[1]);
        }
        stretches[n++] = stretch;
    }

    /// Where the cumulative charge first reaches `level`, between samples. [samples from the arrival]
    const auto crossing = [&](std::size_t which, double level) -> double {
        for (const PeakStretch& stretch : stretches.first(n)) {
            if (stretch.highest[which] < level) continue;
            double now = stretch.before[which];
            for (std::int64_t i = stretch.from; i < stretch.to; ++i) {
                const double before = now;
                now += height(i) - baseline[which];
                if (now < level) continue;
                if (i == arrival) return 0;  // already in the first sample
                return static_cast<double>(i - arrival - 1) + (level - before) / (now - before);
            }
        }
        return 0;
    };
    const auto measured = [&](std::size_t which) {
        WindowCharge result;
        result.charge = sum[which];
        if (result.charge > 0) {
            result.t10 = crossing(which, 0.1 * result.charge);
            result.t50 = crossing(which, 0.5 * result.charge);
            result.t90 = crossing(which, 0.9 * result.charge);
        }
        return result;
    };
    return {measured(0), measured(1)};
}

}  // namespace alleycat
