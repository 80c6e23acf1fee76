#pragma once
// integrate_peaks() without its curve. The cumulative charge moves inside peaks only, so it can cross a level nowhere
// else: one walk over the samples inside peaks gives the sums above both baselines, and of every stretch what the sum
// was where it began and how high it came; a level is crossed in the first stretch that came so high, and only that one
// is walked again. The additions are those of integrate_peaks, in its order: the same results to the last bit.

#include <algorithm>
#include <array>
#include <cstdint>
#include <limits>
#include <span>

#include "trigger/charge.hpp"

namespace alleycat {

/// Some samples inside peaks, one behind the other. Of two baselines: 0 = global, 1 = local.
struct PeakStretch {
    std::int64_t from = 0, to = 0;
    std::array<double, 2> before{};   ///< cumulative charge where the stretch begins
    std::array<double, 2> highest{};  ///< the most it reached inside
};
inline constexpr std::int64_t kLongestStretch = 32;  ///< [samples]: what has to be walked again is never much

/// How many stretches a window of so many samples can have.
[[nodiscard]] constexpr std::size_t most_stretches(std::size_t samples) noexcept {
    return samples / 2 + samples / static_cast<std::size_t>(kLongestStretch) + 2;
}

/// One window of one trace. `Height` gives heights above the median: height(std::int64_t sample), a whole number.
template <class Height>
class ChargeWalk {
  public:
    /// stretches  scratch with room for most_stretches() of the window
    ChargeWalk(Height height, std::int64_t arrival, double local_baseline, std::span<PeakStretch> stretches) noexcept
        : height_{height}, arrival_{arrival}, baseline_{0.0, local_baseline}, stretches_{stretches} {}

    /// end     the window's end, inside the trace
    /// source  trigger/README.md#charge
    [[nodiscard]] WindowCharges integrate(std::span<const Peak> peaks, const PeakFinding& finding,
                                          std::int64_t end) noexcept {
        std::int64_t from = arrival_, to = arrival_;  // inside peaks that touch, not walked yet
        const auto first = std::lower_bound(peaks.begin(), peaks.end(), arrival_ + finding.margin_samples,
                                            [](const Peak& peak, std::int64_t sample) { return peak.onset < sample; });
        for (auto peak = first; peak != peaks.end() && peak->onset - finding.margin_samples < end; ++peak) {
            if (peak->onset - finding.margin_samples > to) {
                walk(from, to);
                from = peak->onset - finding.margin_samples;
            }
            to = std::min<std::int64_t>(peak->end + finding.margin_samples, end);
        }
        walk(from, to);
        return {measured(0), measured(1)};
    }

  private:
    void walk(std::int64_t from, std::int64_t to) noexcept {
        constexpr double kNothing = -std::numeric_limits<double>::infinity();
        for (; from < to; from += kLongestStretch) {
            PeakStretch stretch{from, std::min(to, from + kLongestStretch), sum_, {kNothing, kNothing}};
            for (std::int64_t i = stretch.from; i < stretch.to; ++i) {
                const double above_median = height_(i);
                for (std::size_t b = 0; b < 2; ++b) {
                    sum_[b] += above_median - baseline_[b];
                    stretch.highest[b] = std::max(stretch.highest[b], sum_[b]);
                }
            }
            stretches_[count_++] = stretch;
        }
    }

    [[nodiscard]] WindowCharge measured(std::size_t b) const noexcept {
        WindowCharge result;
        result.charge = sum_[b];
        if (result.charge <= 0) return result;
        std::size_t s = 0;  // a higher level is not crossed before a lower one
        result.t10 = crossing(b, 0.1 * result.charge, s);
        result.t50 = crossing(b, 0.5 * result.charge, s);
        result.t90 = crossing(b, 0.9 * result.charge, s);
        return result;
    }

    /// Where the cumulative charge first reaches `level`, between samples. Looks from stretch `s` on and leaves there
    /// the one in which it was found. [samples from the arrival]
    [[nodiscard]] double crossing(std::size_t b, double level, std::size_t& s) const noexcept {
        while (s < count_ && stretches_[s].highest[b] < level) ++s;
        if (s == count_) return 0;
        double sum = stretches_[s].before[b];
        for (std::int64_t i = stretches_[s].from; i < stretches_[s].to; ++i) {
            const double before = sum;
            sum += height_(i) - baseline_[b];
            if (sum < level) continue;
            if (i == arrival_) return 0;  // already in the first sample
            return static_cast<double>(i - arrival_ - 1) + (level - before) / (sum - before);
        }
        return 0;
    }

    Height height_;
    std::int64_t arrival_;
    std::array<double, 2> baseline_;
    std::array<double, 2> sum_{};
    std::span<PeakStretch> stretches_;
    std::size_t count_ = 0;
};

}  // namespace alleycat
