#include <catch2/catch.hpp>

#include <cmath>

#include "trigger/charge.hpp"

using namespace alleycat;

TEST_CASE("charge is what lies inside peaks, with their margins, over the window", "[trigger][unit]") {
    //                                   0  1  2  3  4  5  6  7  8  9 10 11
    const std::vector<std::int32_t> heights{1, 1, 1, 5, 6, 7, 5, 2, 1, 1, 1, 1};
    const std::vector<Peak> peaks{{3, 7}};
    std::vector<double> curve(10);
    // Integration runs from onset - 2 = 1 to end + 2 = 9 (not included): 1 1 5 6 7 5 2 1 = 28.
    const WindowCharge charge = integrate_peaks(heights, peaks, {}, 1, 10, 0.0, curve);
    REQUIRE(charge.charge == 28);
    // Cumulative 1 2 7 13 20 25 27 28: 2.8 is 0.8 / 5 after sample 1, 14 is 1 / 7 after 3, 25.2 is 0.2 / 2 after 5.
    REQUIRE(charge.t10 == Approx(1 + 0.8 / 5));
    REQUIRE(charge.t50 == Approx(3 + 1.0 / 7));
    REQUIRE(charge.t90 == Approx(5 + 0.2 / 2));
    // With a local baseline of 0.5 the eight samples lose 4.
    REQUIRE(integrate_peaks(heights, peaks, {}, 1, 10, 0.5, curve).charge == Approx(24));
}

TEST_CASE("overlapping margins are not counted twice, and the window ends the integral", "[trigger][unit]") {
    //                                   0  1  2  3  4  5  6  7  8  9 10 11 12 13
    const std::vector<std::int32_t> heights{0, 0, 4, 4, 4, 4, 1, 4, 4, 4, 4, 0, 0, 0};
    const std::vector<Peak> peaks{{2, 6}, {7, 11}};
    std::vector<double> curve(14);
    REQUIRE(integrate_peaks(heights, peaks, {}, 0, 14, 0.0, curve).charge == 33);
    REQUIRE(integrate_peaks(heights, peaks, {}, 0, 9, 0.0, curve).charge == 25);  // samples 0..8
}

TEST_CASE("a charge that is there from the first sample rises at 0", "[trigger][unit]") {
    const std::vector<std::int32_t> heights{10, 10, 10, 10, 0, 0, 0};
    std::vector<double> curve(6);
    const WindowCharge charge =
        integrate_peaks(heights, std::vector<Peak>{{0, 4}}, {.margin_samples = 0}, 0, 6, 0.0, curve);
    REQUIRE(charge.charge == 40);
    REQUIRE(charge.t10 == 0);
    REQUIRE(charge.t50 == Approx(1));
}

TEST_CASE("a level that the charge rises through twice is reached the last time", "[trigger][unit]") {
    //                                   0  1  2   3   4   5  6  7  8    9   10  11  12  13  14 15 16
    const std::vector<std::int32_t> heights{0, 0, 10, 10, 10, 10, 0, 0, 0, -15, -15, 10, 10, 10, 10, 0, 0};
    const std::vector<Peak> peaks{{2, 6}, {11, 15}};
    std::vector<double> curve(17);
    const WindowCharge charge = integrate_peaks(heights, peaks, {}, 0, 17, 0.0, curve);
    // Cumulative 0 0 10 20 30 40 40 40 40 25 10 20 30 40 50: 5 is passed once, 25 between samples 3 and 4 and again
    // half-way between 11 and 12, 45 half-way between 13 and 14.
    REQUIRE(charge.charge == 50);
    REQUIRE(charge.t10 == Approx(1.5));
    REQUIRE(charge.t50 == Approx(11.5));
    REQUIRE(charge.t90 == Approx(13.5));
}

TEST_CASE("a charge of zero and less has the times its curve gives", "[trigger][unit]") {
    //                                   0   1  2  3  4  5   6   7
    const std::vector<std::int32_t> heights{-2, -2, 3, 3, 3, 3, -15, -15};
    const std::vector<Peak> peaks{{2, 6}};
    std::vector<double> curve(8);
    // Cumulative -2 -4 -1 2 5 8 -7 -22: -2.2 is passed 1.8 / 3 after sample 1; it never rises through -11 and -19.8.
    const WindowCharge negative = integrate_peaks(heights, peaks, {}, 0, 8, 0.0, curve);
    REQUIRE(negative.charge == -22);
    REQUIRE(negative.t10 == Approx(1 + 1.8 / 3));
    REQUIRE(negative.t50 == 0);
    REQUIRE(negative.t90 == 0);
    // Less -2.75 each, 8 samples x 2.75 more: 0. Cumulative 0.75 1.5 ... never rises through 0.
    const WindowCharge zero = integrate_peaks(heights, peaks, {}, 0, 8, -2.75, curve);
    REQUIRE(zero.charge == 0);
    REQUIRE(zero.t50 == 0);
}

TEST_CASE("peaks before the arrival do not enter, and no peak gives no charge", "[trigger][unit]") {
    const std::vector<std::int32_t> heights(20, 4);
    std::vector<double> curve(10);
    REQUIRE(integrate_peaks(heights, std::vector<Peak>{{6, 10}}, {}, 5, 10, 0.0, curve).charge == 0);
    const WindowCharge none = integrate_peaks(heights, {}, {}, 5, 10, 0.0, curve);
    REQUIRE(none.charge == 0);
    REQUIRE(none.t50 == 0);
}

TEST_CASE("the local baseline is the mean of quiet samples before the arrival", "[trigger][unit]") {
    const std::vector<std::int32_t> heights{2, 9, -3, 3, 4, -4, 1, 50};
    REQUIRE(local_baseline(heights, 7, 5, 3) == Approx((-3 + 3 + 1) / 3.0));  // samples 2..6, 4 and -4 are not quiet
    REQUIRE(local_baseline(heights, 7, 100, 3) == Approx((2 - 3 + 3 + 1) / 4.0));
}

TEST_CASE("without a quiet sample before the arrival the local charge is not known", "[trigger][unit]") {
    const std::vector<std::int32_t> heights{2, 9, -9, 0, 5, 5, 5, 5, 0, 0};
    REQUIRE(std::isnan(local_baseline(heights, 3, 2, 3)));  // the 9 and the -9
    REQUIRE(std::isnan(local_baseline(heights, 0, 5, 3)));  // no sample at all
    std::vector<double> curve(7);
    const WindowCharge charge = integrate_peaks(heights, std::vector<Peak>{{4, 8}}, {.margin_samples = 1}, 3, 7,
                                                local_baseline(heights, 3, 2, 3), curve);
    REQUIRE(std::isnan(charge.charge));
    REQUIRE(charge.t10 == 0);
    REQUIRE(charge.t90 == 0);
}
