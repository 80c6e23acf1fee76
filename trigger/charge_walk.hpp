#pragma once
// integrate_peaks() without its curve. The cumulative charge moves inside peaks only, so it can rise through a level
// nowhere else: one walk over the samples inside peaks gives the sums above both baselines, and of every stretch what
// the sum was where it began and how far it went up and down; only a stretch that lies on both sides of a level is
// walked again. The additions are those of integrate_peaks, in its order: the same results to the last bit.

#include <algorithm>
#include <array>
#include <cstdint>
#include <span>

#include "trigger/charge.hpp"

namespace alleycat {

/// A number for each of two baselines, 0 = global and 1 = local: the processor adds them side by side.
using ForBoth [[gnu::vector_size(16)]] = double;

/// Some samples inside peaks, one behind the other.
struct PeakStretch {
    std::int64_t from = 0, to = 0;
    ForBoth before{};   ///< cumulative charge where the stretch begins
    ForBoth lowest{};   ///< the least it was, the beginning included
    ForBoth highest{};  ///< the most it was, the beginning included
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
        for (auto peak = first_from(peaks, arrival_ + finding.margin_samples);
             peak != peaks.end() && peak->onset - finding.margin_samples < end; ++peak) {
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
        for (; from < to; from += kLongestStretch) {
            PeakStretch stretch{from, std::min(to, from + kLongestStretch), sum_, sum_, sum_};
            for (std::int64_t i = stretch.from; i < stretch.to; ++i) {
                const double above_median = height_(i);
                sum_ += ForBoth{above_median, above_median} - baseline_;
                stretch.lowest = sum_ < stretch.lowest ? sum_ : stretch.lowest;
                stretch.highest = sum_ > stretch.highest ? sum_ : stretch.highest;
            }
            stretches_[count_++] = stretch;
        }
    }

    [[nodiscard]] WindowCharge measured(std::size_t b) const noexcept {
        return {sum_[b], rise_through(b, 0.1 * sum_[b]), rise_through(b, 0.5 * sum_[b]),
                rise_through(b, 0.9 * sum_[b])};
    }

    /// Where the cumulative charge last rises through `level`, between samples; 0 when it never does.
    /// [samples from the arrival]
    [[nodiscard]] double rise_through(std::size_t b, double level) const noexcept {
        for (std::size_t s = count_; s-- > 0;) {
            const PeakStretch& stretch = stretches_[s];
            if (!(stretch.lowest[b] < level && stretch.highest[b] >= level)) continue;
            double sum = stretch.before[b];
            double found = -1;
            for (std::int64_t i = stretch.from; i < stretch.to; ++i) {
                const double before = sum;
                sum += height_(i) - baseline_[b];
                if (before < level && sum >= level && i > arrival_)  // at the arrival it starts there
                    found = static_cast<double>(i - arrival_ - 1) + (level - before) / (sum - before);
            }
            if (found >= 0) return found;
        }
        return 0;
    }

    Height height_;
    std::int64_t arrival_;
    ForBoth baseline_;
    ForBoth sum_{};
    std::span<PeakStretch> stretches_;
    std::size_t count_ = 0;
};

}  // namespace alleycat
