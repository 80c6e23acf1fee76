#pragma once
// Counting statistics of one box: what stands above the background, how sure that is, and how big it may be.

#include <cstdint>

#include "monitor/snapshot.hpp"

namespace alleycat {

/// Rise of -2 ln lambda at the ends of an interval: 68 % and 90 % of one parameter.
inline constexpr double kDelta68 = 1.0;
inline constexpr double kDelta90 = 2.705543454095404;

/// Everything of Excess from two counts; alpha = exposure(on) / exposure(off).
///
/// The interval is that of the profile likelihood ratio of Pois(n_on | s + b) Pois(n_off | b / alpha), the background b
/// profiled out (Rolke et al., NIM A 551 (2005) 493, without systematics of the background). s may be negative, as an
/// unbiased estimate must (only s + b >= 0 and b >= 0 are physical); only the upper limit restricts s to >= 0.
/// Throws Error when alpha is not a positive number.
[[nodiscard]] Excess excess(std::uint64_t n_on, std::uint64_t n_off, double alpha);

/// The same, or the counts alone and NaN for all else while alpha is NaN: one of the exposures is zero.
[[nodiscard]] Excess compared(std::uint64_t n_on, std::uint64_t n_off, double alpha);

/// alpha from two exposures; NaN while one of them is zero.
[[nodiscard]] double exposure_ratio(std::uint64_t on, std::uint64_t off) noexcept;

/// Significance of n_on against n_off with the sign of the excess (Li & Ma, ApJ 272 (1983) 317, eq. 17). A count of 0
/// contributes 0 to its term; two zeros give 0.
[[nodiscard]] double li_ma(std::uint64_t n_on, std::uint64_t n_off, double alpha);

/// -2 ln lambda(s): how much worse the counts fit an excess s than their best fit does. 0 at s = n_on - alpha n_off.
[[nodiscard]] double minus_two_ln_lambda(double s, std::uint64_t n_on, std::uint64_t n_off, double alpha);

struct ExcessInterval {
    double low = 0, high = 0;
};
/// Where -2 ln lambda(s) = delta on either side of the best fit.
[[nodiscard]] ExcessInterval excess_interval(std::uint64_t n_on, std::uint64_t n_off, double alpha,
                                             double delta = kDelta68);

/// The upper limit with s restricted to >= 0: where -2 ln lambda rises by delta above its smallest value at s >= 0. It
/// stays positive however far n_on falls below its background.
[[nodiscard]] double excess_upper_limit(std::uint64_t n_on, std::uint64_t n_off, double alpha, double delta = kDelta90);

}  // namespace alleycat
