#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "trigger/calibration/calibration_config.hpp"
#include "trigger/calibration/spe_histogram.hpp"
#include "trigger/calibration/spe_model.hpp"

namespace alleycat {

enum class SpeFitVerdict : std::uint8_t { good, too_few_peaks, not_converged, at_a_limit, large_error, large_chi2 };
inline constexpr std::array<std::string_view, 6> kSpeFitVerdictNames{
    "good", "too few peaks", "not converged", "at a limit", "its error is too large", "its chi2 is too large"};

/// What a histogram says about the SPE charge. Only a good fit may be used.
struct SpeFit {
    SpeFitVerdict verdict = SpeFitVerdict::too_few_peaks;
    double spe_charge_adc = 0;  ///< [ADC x sample]
    double error_adc = 0;       ///< 68 %
    double chi2_per_ndf = 0;    ///< 0: there was no fit
    SpeModel::Values values{};

    [[nodiscard]] bool good() const noexcept { return verdict == SpeFitVerdict::good; }
};

/// Fits the model to the histogram by binned maximum likelihood. The same histogram gives the same bits.
[[nodiscard]] SpeFit fit_spe(const SpeHistogram& histogram, const SpeFitConfig& config);

}  // namespace alleycat
