#include <catch2/catch.hpp>
#include <cmath>

#include "daq/core/error.hpp"
#include "monitor/excess.hpp"

using namespace alleycat;

namespace {

/// Equation 17 as it stands in the paper.
double equation_17(double on, double off, double alpha) {
    const double first = on > 0 ? on * std::log((1 + alpha) / alpha * on / (on + off)) : 0;
    const double second = off > 0 ? off * std::log((1 + alpha) * off / (on + off)) : 0;
    return std::sqrt(2 * (first + second));
}

/// -ln L of s and b, constants left out.
double minus_ln_likelihood(double s, double b, double on, double off, double alpha) {
    if (s + b < 0 || b < 0) return INFINITY;
    const auto poisson = [](double n, double mu) { return n > 0 ? mu - n * std::log(mu) : mu; };
    return poisson(on, s + b) + poisson(off, b / alpha);
}

/// The smallest -ln L over b by golden section: nothing of the closed form is in it.
double profiled(double s, double on, double off, double alpha) {
    double low = std::max(0.0, -s), high = low + 10 * (on + alpha * off + 10);
    const double golden = (std::sqrt(5.0) - 1) / 2;
    for (int i = 0; i < 200; ++i) {
        const double a = high - golden * (high - low), b = low + golden * (high - low);
        if (minus_ln_likelihood(s, a, on, off, alpha) < minus_ln_likelihood(s, b, on, off, alpha)) {
            high = b;
        } else {
            low = a;
        }
    }
    return std::min(minus_ln_likelihood(s, (low + high) / 2, on, off, alpha),
                    minus_ln_likelihood(s, std::max(0.0, -s), on, off, alpha));
}

}  // namespace

TEST_CASE("the published counts of 2017 give the published excess", "[monitor][physics]") {
    const Excess e = excess(547, 405, 1);
    CHECK(e.excess == 142);
    CHECK(e.error == Approx(30.854).epsilon(1e-4));  // sqrt(952)
    CHECK(e.li_ma == Approx(4.61).margin(0.005));
    CHECK(e.n_on == 547);
    CHECK(e.n_off == 405);
    CHECK(e.interval_low == Approx(142 - 30.85).margin(0.3));  // Gaussian at these counts
    CHECK(e.interval_high == Approx(142 + 30.85).margin(0.3));
}

TEST_CASE("the beam-off control of 2017 is null", "[monitor][physics]") {
    const Excess e = excess(209, 207, 1);
    CHECK(e.excess == 2);
    CHECK(e.error == Approx(20.396).epsilon(1e-4));
    CHECK(e.li_ma == Approx(0.098).margin(0.001));
}

TEST_CASE("reactor ON against OFF of CONUS comes out with unequal exposures", "[monitor][physics]") {
    const Excess e2019 = excess(2405, 354, 417.0 / 65.0);
    CHECK(e2019.excess == Approx(133.95).margin(0.01));
    CHECK(e2019.error == Approx(130.3).margin(0.1));
    CHECK(e2019.li_ma == Approx(1.01).margin(0.005));
    const Excess e2018 = excess(653, 582, 112.0 / 114.0);
    CHECK(e2018.excess == Approx(81.2).margin(0.05));
    CHECK(e2018.error == Approx(34.9).margin(0.05));
    CHECK(e2018.li_ma == Approx(2.33).margin(0.005));
}

TEST_CASE("the significance is equation 17 of Li and Ma", "[monitor][physics]") {
    for (const double alpha : {0.05, 1.0, 6.4154}) {
        for (const std::uint64_t on : {0u, 1u, 3u, 40u, 547u}) {
            for (const std::uint64_t off : {0u, 1u, 7u, 405u}) {
                if (on + off == 0) continue;
                const double sign = static_cast<double>(on) < alpha * static_cast<double>(off) ? -1 : 1;
                const double expected = sign * equation_17(static_cast<double>(on), static_cast<double>(off), alpha);
                CHECK(li_ma(on, off, alpha) == Approx(expected).margin(1e-6));
            }
        }
    }
}

TEST_CASE("zero counts have finite significances and no sign of their own", "[monitor][unit]") {
    CHECK(li_ma(0, 0, 1) == 0);
    CHECK(li_ma(5, 0, 1) == Approx(std::sqrt(10 * std::log(2.0))));  // 5 ln 2 by hand
    CHECK(li_ma(0, 5, 1) == Approx(-std::sqrt(10 * std::log(2.0))));
    CHECK(li_ma(100, 100, 1) == Approx(0).margin(1e-9));
}

TEST_CASE("the profiled likelihood agrees with a numeric minimisation over the background", "[monitor][physics]") {
    for (const double alpha : {0.1, 1.0, 6.4154}) {
        for (const double on : {0.0, 1.0, 4.0, 30.0, 547.0}) {
            for (const double off : {0.0, 1.0, 12.0, 405.0}) {
                const double best = on - alpha * off;
                const double at_best = profiled(best, on, off, alpha);
                for (const double step : {-2.0, -0.7, 0.3, 1.0, 3.0}) {
                    const double s = best + step * (1 + std::sqrt(on + alpha * alpha * off));
                    const double expected = 2 * (profiled(s, on, off, alpha) - at_best);
                    const double got =
                        minus_two_ln_lambda(s, static_cast<std::uint64_t>(on), static_cast<std::uint64_t>(off), alpha);
                    INFO("on " << on << " off " << off << " alpha " << alpha << " s " << s);
                    CHECK(got == Approx(expected).epsilon(1e-5).margin(1e-5));
                }
            }
        }
    }
}

TEST_CASE("the interval's ends are where a scan of the likelihood crosses 1", "[monitor][physics]") {
    for (const double alpha : {0.2, 1.0, 3.0}) {
        for (const double on : {0.0, 1.0, 5.0, 60.0}) {
            for (const double off : {0.0, 2.0, 50.0}) {
                const ExcessInterval interval =
                    excess_interval(static_cast<std::uint64_t>(on), static_cast<std::uint64_t>(off), alpha);
                const double best = on - alpha * off;
                const double at_best = profiled(best, on, off, alpha);
                const auto inside = [&](double s) { return 2 * (profiled(s, on, off, alpha) - at_best) < 1; };
                const double step = 0.002 * (1 + std::sqrt(on + alpha * alpha * off)) * std::min(alpha, 1.0);
                double low = best, high = best;
                while (inside(low - step)) low -= step;
                while (inside(high + step)) high += step;
                INFO("on " << on << " off " << off << " alpha " << alpha);
                CHECK(interval.low == Approx(low).margin(1.01 * step));
                CHECK(interval.high == Approx(high).margin(1.01 * step));
            }
        }
    }
}

TEST_CASE("no counts at all bound the signal from above by half a count", "[monitor][physics]") {
    // L = exp(-s) for s >= 0: -2 ln lambda = 2 s, so 1/2 at 68 % and 2.7055 / 2 at 90 %.
    const Excess e = excess(0, 0, 1);
    CHECK(e.excess == 0);
    CHECK(e.error == 0);
    CHECK(e.interval_high == Approx(0.5));
    CHECK(e.interval_low == Approx(-0.5));  // b = -s is seen in OFF: 2 b / alpha
    CHECK(e.upper_limit_90 == Approx(1.35277));
}

TEST_CASE("a deficit keeps its negative estimate and a positive limit", "[monitor][physics]") {
    const Excess e = excess(3, 12, 1);
    CHECK(e.excess == -9);
    CHECK(e.interval_high < 0);
    CHECK(e.upper_limit_90 > 0);
    CHECK(e.upper_limit_90 < excess(12, 12, 1).upper_limit_90);
    // The limit is measured from s = 0, the best fit with s >= 0.
    const double rise = minus_two_ln_lambda(e.upper_limit_90, 3, 12, 1) - minus_two_ln_lambda(0, 3, 12, 1);
    CHECK(rise == Approx(2.705543).epsilon(1e-6));
}

TEST_CASE("huge counts lose no digits", "[monitor][unit]") {
    const Excess e = excess(1'000'000'000'000'000, 1'000'000'000'000'000, 1);
    CHECK(e.excess == 0);
    CHECK(e.interval_high == Approx(std::sqrt(2e15)).epsilon(1e-5));
    CHECK(li_ma(1'000'000'031'622'776, 1'000'000'000'000'000, 1) == Approx(31'622'776 / std::sqrt(2e15)).epsilon(1e-5));
}

TEST_CASE("a ratio of exposures that is not positive is refused", "[monitor][unit]") {
    for (const double alpha : {0.0, -1.0, double(NAN), double(INFINITY)}) CHECK_THROWS_AS(excess(1, 1, alpha), Error);
}

TEST_CASE("while an exposure is zero only the counts are known", "[monitor][statistics]") {
    CHECK(exposure_ratio(30, 6) == 5);
    CHECK(std::isnan(exposure_ratio(0, 6)));
    CHECK(std::isnan(exposure_ratio(30, 0)));
    const Excess e = compared(7, 3, exposure_ratio(30, 0));
    CHECK(e.n_on == 7);
    CHECK(e.n_off == 3);
    for (const double x : {e.alpha, e.excess, e.error, e.li_ma, e.interval_low, e.interval_high, e.upper_limit_90}) {
        CHECK(std::isnan(x));
    }
    CHECK(compared(7, 3, 2).excess == 1);
}
