#include "trigger/calibration/spe_fit.hpp"

#include <algorithm>
#include <cmath>
#include <nlopt.hpp>
#include <vector>

namespace alleycat {
namespace {

constexpr std::size_t kParameters = SpeModel::parameters;
constexpr double kLeastExpected = 1e-9;  // peaks in a bin: keeps a logarithm finite where the model says never
constexpr int kMostSteps = 2'000;
constexpr double kBinsOfExpected = 10;  // for chi2, bins are joined until so many peaks are expected

using Values = SpeModel::Values;

/// The likelihood of a histogram. Parameters are in units of `scale`, so that the minimiser sees numbers near 1.
class Likelihood {
  public:
    Likelihood(const SpeHistogram& histogram, const SpeFitConfig& config) {
        const ChargeBinning& binning = histogram.binning();
        width_ = binning.width;
        for (std::uint32_t b = 0; b < binning.bins; ++b) {
            if (binning.middle(b) <= 0) continue;  // a Polya charge is positive
            charges_.push_back(binning.middle(b));
            counts_.push_back(static_cast<double>(histogram.counts()[b]));
            peaks_ += counts_.back();
        }
        const double q = config.start_adc;
        scale_ = {q, 1, peaks_, peaks_, peaks_, peaks_, q, q, q};
        // Noise stays noise: with a mean above a fifth of a photoelectron it imitates small photoelectrons.
        low_ = {config.min_adc, config.min_theta, 0, 0, 0, 0, 0.02 * q, 0, 0.005 * q};
        high_ = {config.max_adc, config.max_theta, 3 * peaks_, peaks_, peaks_, 3 * peaks_, 0.2 * q, 0.8 * q, 0.3 * q};
        start_ = {q,
                  std::clamp(6.0, config.min_theta, config.max_theta),
                  0.9 * peaks_,
                  0.05 * peaks_,
                  0.01 * peaks_,
                  0.02 * peaks_,
                  0.1 * q,
                  0.25 * q,
                  0.05 * q};
    }

    [[nodiscard]] double peaks() const noexcept { return peaks_; }
    [[nodiscard]] std::vector<double> low() const { return in_scale(low_); }
    [[nodiscard]] std::vector<double> high() const { return in_scale(high_); }
    [[nodiscard]] std::vector<double> start() const { return in_scale(start_); }
    [[nodiscard]] Values values(const std::vector<double>& x) const noexcept {
        Values p{};
        for (std::size_t k = 0; k < kParameters; ++k) p[k] = x[k] * scale_[k];
        return p;
    }
    [[nodiscard]] bool at_limit(const Values& p, std::size_t k) const noexcept {
        const double near = 1e-6 * (high_[k] - low_[k]);
        return p[k] <= low_[k] + near || p[k] >= high_[k] - near;
    }

    /// -ln(likelihood ratio to a perfect description) per peak.
    double operator()(const std::vector<double>& x, std::vector<double>& gradient) const noexcept {
        const Values p = values(x);
        Values slope{}, sum{};
        double cost = 0;
        for (std::size_t b = 0; b < charges_.size(); ++b) {
            const double n = counts_[b];
            const double expected = std::max(kLeastExpected, width_ * SpeModel::density(p, charges_[b], slope));
            cost += expected - n + (n > 0 ? n * std::log(n / expected) : 0);
            for (std::size_t k = 0; k < kParameters; ++k) sum[k] += width_ * slope[k] * (1 - n / expected);
        }
        for (std::size_t k = 0; k < gradient.size(); ++k) gradient[k] = sum[k] * scale_[k] / peaks_;
        return cost / peaks_;
    }

    [[nodiscard]] double error_of(std::size_t which, const Values& p) const;
    [[nodiscard]] double chi2_per_ndf(const Values& p) const;

  private:
    [[nodiscard]] std::vector<double> in_scale(const Values& p) const {
        std::vector<double> x(kParameters);
        for (std::size_t k = 0; k < kParameters; ++k) x[k] = p[k] / scale_[k];
        return x;
    }

    double width_ = 1, peaks_ = 0;
    std::vector<double> charges_, counts_;
    Values scale_{}, low_{}, high_{}, start_{};
};

/// From the expected information: the inverse's diagonal element is 1 / |d|^2, where d is the part of the parameter's
/// weighted derivative that no other parameter can imitate. Parameters that change nothing (the mean of a noise that is
/// not there) drop out by themselves.
double Likelihood::error_of(std::size_t which, const Values& p) const {
    const std::size_t bins = charges_.size();
    std::array<std::vector<double>, kParameters> by{};
    for (std::vector<double>& column : by) column.resize(bins);
    for (std::size_t b = 0; b < bins; ++b) {
        Values slope{};
        const double expected = std::max(kLeastExpected, width_ * SpeModel::density(p, charges_[b], slope));
        for (std::size_t k = 0; k < kParameters; ++k) by[k][b] = width_ * slope[k] * scale_[k] / std::sqrt(expected);
    }
    const auto dot = [bins](const std::vector<double>& a, const std::vector<double>& b) {
        double sum = 0;
        for (std::size_t i = 0; i < bins; ++i) sum += a[i] * b[i];
        return sum;
    };
    std::vector<std::vector<double>> others;  // orthonormal
    const auto without_others = [&](std::vector<double> column) {
        for (int twice = 0; twice < 2; ++twice) {
            for (const std::vector<double>& other : others) {
                const double part = dot(column, other);
                for (std::size_t i = 0; i < bins; ++i) column[i] -= part * other[i];
            }
        }
        return column;
    };
    for (std::size_t k = 0; k < kParameters; ++k) {
        if (k == which) continue;
        const double before = std::sqrt(dot(by[k], by[k]));
        std::vector<double> rest = without_others(by[k]);
        const double after = std::sqrt(dot(rest, rest));
        if (!(after > 1e-7 * before)) continue;
        for (double& value : rest) value /= after;
        others.push_back(std::move(rest));
    }
    const std::vector<double> own = without_others(by[which]);
    return scale_[which] / std::sqrt(dot(own, own));
}

/// Pearson's, over bins joined until enough peaks are expected in each.
double Likelihood::chi2_per_ndf(const Values& p) const {
    double chi2 = 0, expected = 0, n = 0, last_expected = 0, last_n = 0;
    int joined = 0;
    Values slope{};
    for (std::size_t b = 0; b < charges_.size(); ++b) {
        expected += width_ * SpeModel::density(p, charges_[b], slope);
        n += counts_[b];
        if (expected < kBinsOfExpected) continue;
        chi2 += (n - expected) * (n - expected) / expected;
        ++joined;
        last_expected = expected, last_n = n;
        expected = n = 0;
    }
    if (joined == 0) return 0;
    chi2 -= (last_n - last_expected) * (last_n - last_expected) / last_expected;  // the rest goes to the last one
    last_n += n, last_expected += expected;
    chi2 += (last_n - last_expected) * (last_n - last_expected) / last_expected;
    return chi2 / std::max(1, joined - static_cast<int>(kParameters));
}

}  // namespace

SpeFit fit_spe(const SpeHistogram& histogram, const SpeFitConfig& config) {
    SpeFit fit;
    const Likelihood likelihood{histogram, config};
    if (histogram.peaks() < config.min_peaks || likelihood.peaks() <= 0) return fit;

    nlopt::opt minimiser{nlopt::LD_SLSQP, kParameters};
    minimiser.set_lower_bounds(likelihood.low());
    minimiser.set_upper_bounds(likelihood.high());
    minimiser.set_min_objective([](const std::vector<double>& x, std::vector<double>& gradient,
                                   void* of) { return (*static_cast<const Likelihood*>(of))(x, gradient); },
                                const_cast<Likelihood*>(&likelihood));
    minimiser.set_ftol_abs(1e-6 / likelihood.peaks());
    minimiser.set_maxeval(kMostSteps);
    std::vector<double> x = likelihood.start();
    fit.verdict = SpeFitVerdict::not_converged;
    try {
        double least = 0;
        const nlopt::result result = minimiser.optimize(x, least);
        if (result == nlopt::MAXEVAL_REACHED) return fit;
    } catch (const std::exception&) {  // it could not go on: this block has no fit
        return fit;
    }
    fit.values = likelihood.values(x);
    fit.spe_charge_adc = fit.values[SpeModel::spe_charge];
    fit.chi2_per_ndf = likelihood.chi2_per_ndf(fit.values);
    // Where the model does not describe the peaks as they are, the likelihood alone is too sure of itself.
    fit.error_adc = likelihood.error_of(SpeModel::spe_charge, fit.values) * std::sqrt(std::max(1.0, fit.chi2_per_ndf));
    if (!std::isfinite(fit.error_adc) || !std::isfinite(fit.chi2_per_ndf)) return fit;
    fit.verdict = likelihood.at_limit(fit.values, SpeModel::spe_charge)                  ? SpeFitVerdict::at_a_limit
                  : fit.error_adc > 0.01 * config.max_error_percent * fit.spe_charge_adc ? SpeFitVerdict::large_error
                  : fit.chi2_per_ndf > config.max_chi2_per_ndf                           ? SpeFitVerdict::large_chi2
                                                                                         : SpeFitVerdict::good;
    return fit;
}

}  // namespace alleycat
