#pragma once
// [trigger.calibration] of a station file: how the SPE charge follows the data.

#include <cstdint>

#include "daq/core/config.hpp"

namespace alleycat {

/// Which charges are counted, in bins of one width [ADC x sample].
struct ChargeBinning {
    double low = -50;
    double width = 1;
    std::uint32_t bins = 300;

    [[nodiscard]] double high() const noexcept { return low + width * bins; }
    [[nodiscard]] double middle(std::uint32_t bin) const noexcept { return low + width * (bin + 0.5); }
    friend bool operator==(const ChargeBinning&, const ChargeBinning&) = default;
};

/// What a fit may find, and when it is no good.
struct SpeFitConfig {
    double start_adc = 70;               ///< SPE charge the fit starts from [ADC x sample]
    double min_adc = 50, max_adc = 100;  ///< its limits; at one of them the fit is no good
    double min_theta = 4.75;             ///< limits of the Polya parameter; it may lie at one
    double max_theta = 6.75;
    std::uint64_t min_peaks = 10'000;  ///< fewer are not fitted
    double max_error_percent = 3;      ///< a larger error of the SPE charge is no good
    double max_chi2_per_ndf = 3;       ///< nor is a larger chi2 per degree of freedom
};

struct CalibrationConfig {
    enum class Source : std::uint8_t {
        none,  ///< spe_charge_adc of the station file, for ever
        fit,   ///< from the single peaks of each block of the data
    };
    Source source = Source::none;
    std::uint64_t block_triggers = 0;  ///< a block is so many sequence numbers; 0: it is a time
    std::int64_t block_ps = 600'000'000'000'000;
    ChargeBinning histogram;
    SpeFitConfig fit;
    std::int64_t baseline_samples = 75;  ///< of a single peak: so many on either side of its integration
};

/// Reads [trigger.calibration], but for times in samples. The caller finishes the section.
///
/// spe_charge_adc  of [trigger]: in force until the first good fit, and where fits start
[[nodiscard]] CalibrationConfig parse_calibration(ConfigSection& section, double spe_charge_adc);

}  // namespace alleycat
