#include "trigger/calibration/single_peaks.hpp"

#include <algorithm>
#include <cstdlib>

namespace alleycat {
namespace {

/// Mean of the heights near 0.
class QuietHeights {
  public:
    void add(std::span<const std::int32_t> heights, std::int32_t band) noexcept {
        for (const std::int32_t height : heights) {
            if (std::abs(height) > band) continue;
            ++samples_;
            sum_ += height;
        }
    }
    [[nodiscard]] double mean() const noexcept {
        return samples_ == 0 ? 0 : static_cast<double>(sum_) / static_cast<double>(samples_);
    }

  private:
    std::int64_t samples_ = 0, sum_ = 0;
};

}  // namespace

void add_single_peaks(Trace& trace, std::span<const Peak> peaks, const SinglePeakRule& rule,
                      PeakCharges& charges) noexcept {
    for (const Peak& peak : peaks) {
        if (charges.count == PeakCharges::kMost) return;
        const std::int64_t begin = peak.onset - rule.margin_samples;
        const std::int64_t end = peak.end + rule.margin_samples;
        if (begin < 0 || end > trace.samples()) continue;
        const std::int64_t first = std::max<std::int64_t>(0, begin - rule.baseline_samples);
        const std::int64_t last = std::min(trace.samples(), end + rule.baseline_samples);
        const std::span<const std::int32_t> heights = trace.heights(first, last);
        const auto piece = [&](std::int64_t from, std::int64_t to) {
            return heights.subspan(static_cast<std::size_t>(from), static_cast<std::size_t>(to - from));
        };
        QuietHeights baseline;
        baseline.add(piece(first, begin), rule.baseline_band_adc);
        baseline.add(piece(end, last), rule.baseline_band_adc);
        std::int64_t sum = 0;
        for (const std::int32_t height : piece(begin, end)) sum += height;
        charges.charge_adc[charges.count++] =
            static_cast<float>(static_cast<double>(sum) - baseline.mean() * static_cast<double>(end - begin));
    }
}

}  // namespace alleycat
