#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "trigger/calibration/calibration_config.hpp"

namespace alleycat {

/// Charges of single peaks, counted. Does not allocate after it is made.
class SpeHistogram {
  public:
    explicit SpeHistogram(const ChargeBinning& binning) : binning_{binning}, counts_(binning.bins) {}

    /// What lies outside the range is counted as a peak and in no bin.
    void fill(std::span<const float> charges) noexcept {
        for (const float charge : charges) {
            const double bin = (static_cast<double>(charge) - binning_.low) / binning_.width;
            if (bin >= 0 && bin < binning_.bins) ++counts_[static_cast<std::size_t>(bin)];
        }
        peaks_ += charges.size();
    }

    [[nodiscard]] const ChargeBinning& binning() const noexcept { return binning_; }
    [[nodiscard]] std::span<const std::uint64_t> counts() const noexcept { return counts_; }
    [[nodiscard]] std::uint64_t peaks() const noexcept { return peaks_; }

  private:
    ChargeBinning binning_;
    std::vector<std::uint64_t> counts_;
    std::uint64_t peaks_ = 0;
};

}  // namespace alleycat
