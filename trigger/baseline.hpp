#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace alleycat {

/// Where a trace lies when nothing happens.
struct Baseline {
    std::int32_t median = 0;  ///< smallest code whose cumulative count reaches half of the samples [ADC counts]
    double mean = 0;          ///< of the codes within the band around the median
    double sigma = 0;         ///< of the same codes, divided by N - 1; 0 for fewer than two
};

/// Sums over samples in a band, relative to the median: small integers, so exact in whatever order they are added.
struct BandSums {
    std::int64_t n = 0;
    std::int64_t sum = 0;
    std::int64_t sum_of_squares = 0;

    constexpr void add(std::int64_t offset, std::int64_t times = 1) noexcept {
        n += times;
        sum += times * offset;
        sum_of_squares += times * offset * offset;
    }
    /// The sums of the same samples with `shift` added to each.
    [[nodiscard]] constexpr BandSums moved(std::int64_t shift) const noexcept {
        return {n, sum + shift * n, sum_of_squares + 2 * shift * sum + shift * shift * n};
    }
    friend bool operator==(const BandSums&, const BandSums&) = default;
};

/// source: trigger/README.md#baseline
[[nodiscard]] Baseline make_baseline(std::int32_t median, const BandSums& sums) noexcept;

/// Finds the integer median by counting codes. Keeps its histogram between calls: one per thread.
/// source: trigger/README.md#baseline
class BaselineFinder {
  public:
    /// counts    samples of the baseline region [ADC counts], shape (n,); none: all 0
    /// band_adc  codes from median - band to median + band - 1 enter mean and sigma (the upper end is open)
    [[nodiscard]] Baseline find(std::span<const std::int32_t> counts, std::int32_t band_adc) noexcept;

  private:
    static constexpr std::int32_t kLowest = -32768;  // below every int16 and uint16 code
    static constexpr std::int32_t kHighest = 65535;
    std::vector<std::uint32_t> histogram_ = std::vector<std::uint32_t>(kHighest - kLowest + 1);
};

}  // namespace alleycat
