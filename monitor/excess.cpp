#include "monitor/excess.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <boost/math/special_functions/log1p.hpp>
#include <boost/math/tools/toms748_solve.hpp>
#include <cmath>
#include <limits>

#include "daq/core/error.hpp"

namespace alleycat {
namespace {

void require_alpha(double alpha) {
    if (!(alpha > 0) || !std::isfinite(alpha)) {
        throw Error{fmt::format("alpha is {}: the ratio of exposures on / off must be a positive number", alpha)};
    }
}

/// 2 (mu - n + n ln(n / mu)): how badly mu explains n counts; written so that large counts lose no digits.
double deviance(double n, double mu) {
    if (n == 0) return 2 * mu;
    if (!(mu > 0)) return std::numeric_limits<double>::infinity();
    const double d = (mu - n) / n;
    // n (d - ln(1 + d)); log1pmx is ln(1 + d) - d without cancellation, for d > -1.
    return d < -0.9 ? 2 * (mu - n - n * std::log(mu / n)) : -2 * n * boost::math::log1pmx(d);
}

/// Larger root of k x^2 - p x - q = 0, where disc = p^2 + 4 k q.
double larger_root(double k, double p, double q, double root_of_disc) {
    if (p >= 0) return (p + root_of_disc) / (2 * k);
    const double below = root_of_disc - p;  // no cancellation on this side
    return below > 0 ? 2 * q / below : 0;
}

/// -2 ln lambda(s). The unrestricted best fit explains both counts exactly, so the deviances of the profiled point are
/// all.
double profile(double s, double n_on, double n_off, double alpha) {
    // Setting d ln L / d b = 0 gives a quadratic in b, and one in m = s + b with the same discriminant.
    const double k = 1 + 1 / alpha;
    const double total = n_on + n_off;
    const double root = std::hypot(k * s - (n_on - n_off), 2 * std::sqrt(n_on) * std::sqrt(n_off));
    const double background = std::max(0.0, larger_root(k, total - k * s, n_off * s, root));
    const double sum = std::max(0.0, larger_root(k, total + k * s, -n_on * s, root));
    return deviance(n_on, sum) + deviance(n_off, background / alpha);
}

/// The s on the side of `step` where profile(s) reaches `target`; it lies below the target at `from`.
double crossing(double from, double step, double target, double n_on, double n_off, double alpha) {
    const auto above = [&](double s) { return profile(s, n_on, n_off, alpha) - target; };
    double inside = from;
    double outside = from + step;
    for (int i = 0; i < 200 && above(outside) < 0; ++i) {
        inside = outside;
        step *= 2;
        outside += step;
    }
    std::uintmax_t iterations = 200;
    const boost::math::tools::eps_tolerance<double> tolerance{50};
    const auto bracket = boost::math::tools::toms748_solve(above, std::min(inside, outside), std::max(inside, outside),
                                                           tolerance, iterations);
    return (bracket.first + bracket.second) / 2;
}

/// A first step of the size of the answer.
double first_step(double n_on, double n_off, double alpha) {
    return 0.5 * std::sqrt(n_on + alpha * alpha * n_off) + 0.1 * std::min(1.0, alpha);
}

}  // namespace

double minus_two_ln_lambda(double s, std::uint64_t n_on, std::uint64_t n_off, double alpha) {
    require_alpha(alpha);
    return profile(s, static_cast<double>(n_on), static_cast<double>(n_off), alpha);
}

ExcessInterval excess_interval(std::uint64_t n_on, std::uint64_t n_off, double alpha, double delta) {
    require_alpha(alpha);
    const auto on = static_cast<double>(n_on);
    const auto off = static_cast<double>(n_off);
    const double best = on - alpha * off;
    const double step = first_step(on, off, alpha);
    return {crossing(best, -step, delta, on, off, alpha), crossing(best, step, delta, on, off, alpha)};
}

double excess_upper_limit(std::uint64_t n_on, std::uint64_t n_off, double alpha, double delta) {
    require_alpha(alpha);
    const auto on = static_cast<double>(n_on);
    const auto off = static_cast<double>(n_off);
    const double best = std::max(0.0, on - alpha * off);
    return crossing(best, first_step(on, off, alpha), profile(best, on, off, alpha) + delta, on, off, alpha);
}

double li_ma(std::uint64_t n_on, std::uint64_t n_off, double alpha) {
    require_alpha(alpha);
    const auto on = static_cast<double>(n_on);
    const auto off = static_cast<double>(n_off);
    // Equation 17 is the root of -2 ln lambda at s = 0: both counts explained by one background.
    return std::copysign(std::sqrt(std::max(0.0, profile(0, on, off, alpha))), on - alpha * off);
}

Excess excess(std::uint64_t n_on, std::uint64_t n_off, double alpha) {
    require_alpha(alpha);
    const auto on = static_cast<double>(n_on);
    const auto off = static_cast<double>(n_off);
    const ExcessInterval interval = excess_interval(n_on, n_off, alpha);
    Excess result;
    result.n_on = n_on;
    result.n_off = n_off;
    result.alpha = alpha;
    result.excess = on - alpha * off;
    result.error = std::sqrt(on + alpha * alpha * off);
    result.li_ma = li_ma(n_on, n_off, alpha);
    result.interval_low = interval.low;
    result.interval_high = interval.high;
    result.upper_limit_90 = excess_upper_limit(n_on, n_off, alpha);
    return result;
}

Excess compared(std::uint64_t n_on, std::uint64_t n_off, double alpha) {
    if (!std::isnan(alpha)) return excess(n_on, n_off, alpha);
    return {n_on, n_off, alpha, alpha, alpha, alpha, alpha, alpha, alpha};
}

double exposure_ratio(std::uint64_t on, std::uint64_t off) noexcept {
    if (on == 0 || off == 0) return std::numeric_limits<double>::quiet_NaN();
    return static_cast<double>(on) / static_cast<double>(off);
}

}  // namespace alleycat
