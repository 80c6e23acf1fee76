#include "trigger/calibration/calibration_config.hpp"

#include <fmt/format.h>

#include <cmath>

namespace alleycat {
namespace {

constexpr double kMostBins = 10'000;

ChargeBinning parse_histogram(ConfigSection& section) {
    ChargeBinning binning;
    const double low = section.number("histogram_min_adc", binning.low, -1e9, 1e9);
    const double high = section.number("histogram_max_adc", binning.high(), -1e9, 1e9);
    const double width = section.number("histogram_bin_adc", binning.width, 1e-6, 1e9);
    const double bins = std::round((high - low) / width);
    if (!(high > low)) {
        section.problem("histogram_max_adc", fmt::format("{} is not above histogram_min_adc = {}", high, low));
    } else if (bins > kMostBins) {
        section.problem("histogram_bin_adc", fmt::format("{} makes more than {} bins", width, kMostBins));
    } else if (bins < 1 || std::abs(bins * width - (high - low)) > 1e-9 * (high - low)) {
        section.problem("histogram_bin_adc",
                        fmt::format("{} does not divide {} to {} into whole bins", width, low, high));
    } else {
        binning = {low, width, static_cast<std::uint32_t>(bins)};
    }
    return binning;
}

SpeFitConfig parse_fit(ConfigSection& section, double spe_charge_adc, const ChargeBinning& histogram) {
    SpeFitConfig fit;
    fit.start_adc = spe_charge_adc;
    fit.min_adc = section.number("spe_min_adc", fit.min_adc, 1e-6, 1e9);
    fit.max_adc = section.number("spe_max_adc", fit.max_adc, 1e-6, 1e9);
    fit.min_theta = section.number("theta_min", fit.min_theta, 0, 100);
    fit.max_theta = section.number("theta_max", fit.max_theta, 0, 100);
    fit.min_peaks = static_cast<std::uint64_t>(section.integer("min_peaks", 10'000, 100, 1'000'000'000'000));
    fit.max_error_percent = section.number("max_error_percent", fit.max_error_percent, 0.001, 100);
    fit.max_chi2_per_ndf = section.number("max_chi2_per_ndf", fit.max_chi2_per_ndf, 0.1, 1e6);
    if (fit.min_theta > fit.max_theta) {
        section.problem("theta_max", fmt::format("{} is below theta_min = {}", fit.max_theta, fit.min_theta));
    }
    if (!(fit.min_adc < spe_charge_adc && spe_charge_adc < fit.max_adc)) {
        section.problem("spe_min_adc",
                        fmt::format("trigger.spe_charge_adc = {}, where fits start, is not between {} and {}",
                                    spe_charge_adc, fit.min_adc, fit.max_adc));
    } else if (histogram.high() <= fit.max_adc) {
        section.problem("histogram_max_adc",
                        fmt::format("{} is not above spe_max_adc = {}", histogram.high(), fit.max_adc));
    } else if (10 * histogram.width > fit.min_adc) {
        section.problem("histogram_bin_adc",
                        fmt::format("{} is more than a tenth of spe_min_adc = {}", histogram.width, fit.min_adc));
    }
    return fit;
}

}  // namespace

CalibrationConfig parse_calibration(ConfigSection& section, double spe_charge_adc) {
    using Source = CalibrationConfig::Source;
    CalibrationConfig config;
    if (!section.present()) return config;
    if (!section.has("source")) section.problem("source", "is missing: none or fit");
    config.source = section.choice("source", Source::none, {{"none", Source::none}, {"fit", Source::fit}});
    config.block_triggers = static_cast<std::uint64_t>(section.integer("block_triggers", 0, 1, 1'000'000'000'000));
    config.block_ps = std::llround(section.number("block_s", 600, 1e-3, 1e6) * 1e12);
    if (section.has("block_triggers") && section.has("block_s")) {
        section.problem("block_triggers", "and block_s are both there: a block is one or the other");
    }
    config.histogram = parse_histogram(section);
    config.fit = parse_fit(section, spe_charge_adc, config.histogram);
    return config;
}

}  // namespace alleycat
