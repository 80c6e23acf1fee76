// The shape variables, each calculated by hand on a few samples.

#include <catch2/catch.hpp>
#include <cmath>
#include <random>
#include <vector>

#include "trigger/shape.hpp"

using namespace alleycat;

namespace {

using Heights = std::vector<std::int32_t>;

/// A step of `height` at `at` that decays with `decay` samples (0: it stays), rounded to counts.
Heights step(std::size_t samples, std::size_t at, double height, double decay = 0) {
    Heights heights(samples, 0);
    for (std::size_t i = at; i < samples; ++i) {
        const double left = decay > 0 ? std::exp(-static_cast<double>(i - at) / decay) : 1;
        heights[i] = static_cast<std::int32_t>(std::lround(height * left));
    }
    return heights;
}

}  // namespace

TEST_CASE("charge is the sum of the gate's heights less its baseline", "[trigger][shape]") {
    const Heights heights{1, 2, 3, 4, 5};
    REQUIRE(gate_charge(heights, {1, 4}, 0) == 9);
    REQUIRE(gate_charge(heights, {1, 4}, 0.5) == 7.5);
    REQUIRE(gate_charge(heights, {0, 5}, 0) == 15);
}

TEST_CASE("a gate that is empty or leaves the trace measures nothing", "[trigger][shape]") {
    const Heights heights{1, 2, 3, 4, 5};
    for (const Gate gate : {Gate{-1, 3}, Gate{2, 6}, Gate{3, 3}, Gate{4, 2}, Gate{9, 12}}) {
        CHECK(std::isnan(gate_charge(heights, gate, 0)));
        CHECK(std::isnan(charge_ratio(heights, gate, {0, 5}, 0)));
        CHECK(std::isnan(charge_ratio(heights, {0, 5}, gate, 0)));
        CHECK(std::isnan(height_rise(heights, gate, 0, 0.1, 0.9, 1)));
        CHECK(std::isnan(charge_rise(heights, gate, 0, 0.1, 0.9)));
        CHECK(std::isnan(mean_time(heights, gate, 0)));
        CHECK(std::isnan(peak_height(heights, gate, 0)));
        CHECK(std::isnan(max_slope(heights, gate, 1)));
        CHECK(std::isnan(trapezoid(heights, gate, 0, {.rise = 1}).height));
    }
    REQUIRE(std::isnan(gate_charge({}, {0, 1}, 0)));
}

TEST_CASE("tail over total and prompt over total are ratios of two gates", "[trigger][shape]") {
    const Heights pulse{0, 10, 6, 2, 1, 1, 0};
    REQUIRE(charge_ratio(pulse, {3, 6}, {1, 6}, 0) == Approx(4.0 / 20));
    REQUIRE(charge_ratio(pulse, {1, 2}, {1, 6}, 0) == Approx(10.0 / 20));
    REQUIRE(charge_ratio(pulse, {3, 6}, {1, 6}, 0.5) == Approx((4 - 1.5) / (20 - 2.5)));
    REQUIRE(std::isnan(charge_ratio({{0, -3, 1, 0}}, {1, 2}, {0, 4}, 0)));  // nothing to divide by
    REQUIRE(std::isnan(charge_ratio({{0, 3, -3, 0}}, {1, 2}, {0, 4}, 0)));
}

TEST_CASE("the rise of the height is interpolated between samples", "[trigger][shape]") {
    // Levels 1 and 9 of 10: crossed at 1 + 1/4 (0 to 4) and 3 + 3/4 (6 to 10).
    const Heights pulse{0, 0, 4, 6, 10, 7, 3, 0};
    REQUIRE(height_rise(pulse, {0, 8}, 0, 0.1, 0.9, 1) == Approx(3.75 - 1.25));
    // 20 % to 60 % of 10: 2 is crossed at 1.5; 6 is reached exactly at 3.
    REQUIRE(height_rise(pulse, {0, 8}, 0, 0.2, 0.6, 1) == Approx(1.5));
    // A baseline of 2: the top is 8, levels 0.8 and 7.2 above it, that is 2.8 and 9.2.
    REQUIRE(height_rise(pulse, {0, 8}, 2, 0.1, 0.9, 1) == Approx(3 + 3.2 / 4 - (1 + 2.8 / 4)));
    // Where the height falls below the lower level again, its last rise counts.
    REQUIRE(height_rise({{0, 2, 0, 0, 10, 10}}, {0, 6}, 0, 0.1, 0.9, 1) == Approx(0.8));
    REQUIRE(std::isnan(height_rise({{5, 7, 10}}, {0, 3}, 0, 0.1, 0.9, 1)));  // begins above 1
    REQUIRE(std::isnan(height_rise({{-1, -2, 0}}, {0, 3}, 0, 0.1, 0.9, 1)));
}

TEST_CASE("averaging makes a step rise over as many samples as are averaged", "[trigger][shape]") {
    // Means over 4 samples of a step of 100: 25, 50, 75, 100. From 10 to 90 % of that: 3.2 samples.
    const Heights flat = step(40, 20, 100);
    REQUIRE(height_rise(flat, {5, 40}, 0, 0.1, 0.9, 1) == Approx(0.8));
    REQUIRE(height_rise(flat, {5, 40}, 0, 0.1, 0.9, 4) == Approx(3.2));
    REQUIRE(std::isnan(height_rise(flat, {5, 40}, 0, 0.1, 0.9, 36)));  // longer than the gate
}

TEST_CASE("the rise of the charge runs along the cumulative sum", "[trigger][shape]") {
    // Sums 0, 4, 10, 20, 20: 10 % of 20 is reached at 0 + 2/4, 90 % at 2 + 8/10 (the sum before sample i stands at i -
    // 1).
    const Heights pulse{0, 4, 6, 10, 0};
    REQUIRE(charge_rise(pulse, {0, 5}, 0, 0.1, 0.9) == Approx(2.8 - 0.5));
    // The gate's first sample rises from 0.
    REQUIRE(charge_rise({{8, 2}}, {0, 2}, 0, 0.1, 0.9) == Approx((0.5) - (-1 + 1.0 / 8)));
    REQUIRE(std::isnan(charge_rise({{1, -1, 0}}, {0, 3}, 0, 0.1, 0.9)));
    // Uniform light over n samples: 80 % of them.
    REQUIRE(charge_rise(Heights(100, 7), {0, 100}, 0, 0.1, 0.9) == Approx(80));
}

TEST_CASE("the mean time is the centre of charge", "[trigger][shape]") {
    REQUIRE(mean_time({{0, 0, 3, 1, 0}}, {0, 5}, 0) == Approx(2.25));
    REQUIRE(mean_time({{0, 0, 3, 1, 0}}, {1, 5}, 0) == Approx(2.25));
    // Heights 3, 1 less 0.5: 2.5 at 2 and 0.5 at 3.
    REQUIRE(mean_time({{9, 9, 3, 1, 9}}, {2, 4}, 0.5) == Approx((2.5 * 2 + 0.5 * 3) / 3));
    REQUIRE(std::isnan(mean_time({{1, -1}}, {0, 2}, 0)));
}

TEST_CASE("height and slope are maxima", "[trigger][shape]") {
    const Heights pulse{0, 1, 5, 11, 9, 2};
    REQUIRE(peak_height(pulse, {0, 6}, 0.5) == 10.5);
    REQUIRE(peak_height(pulse, {4, 6}, 0) == 9);
    REQUIRE(max_slope(pulse, {0, 6}, 1) == 6);
    REQUIRE(max_slope(pulse, {0, 6}, 2) == 5);   // 1 to 11
    REQUIRE(max_slope(pulse, {3, 6}, 1) == -2);  // it only falls there
    REQUIRE(std::isnan(max_slope(pulse, {0, 3}, 3)));
}

TEST_CASE("a trapezoid turns a step into its height", "[trigger][shape]") {
    // Rise 2, flat 1: (h[i-1] + h[i]) / 2 - (h[i-4] + h[i-3]) / 2. A step of 6 at 10: 3 at 10, 6 at 11, 12, 13, then
    // falling.
    const Heights flat = step(20, 10, 6);
    const TrapezoidShape shape{.rise = 2, .flat = 1};
    const auto at = [&](std::int64_t i) { return trapezoid(flat, {i, i + 1}, 0, shape).height; };
    REQUIRE(at(9) == 0);
    REQUIRE(at(10) == 3);
    for (const std::int64_t i : {11, 12}) REQUIRE(at(i) == 6);
    REQUIRE(at(13) == 3);
    REQUIRE(at(14) == 0);
    const TrapezoidTop top = trapezoid(flat, {5, 20}, 0, shape);
    REQUIRE(top.height == 6);
    REQUIRE(top.at == 11);
    REQUIRE(trapezoid(flat, {5, 20}, 2.5, shape).height == 6);  // it looks at differences
    REQUIRE(trapezoid(flat, {4, 20}, 0, shape).height == 6);    // the filter reaches back to sample 0
    REQUIRE(std::isnan(trapezoid(flat, {3, 20}, 0, shape).height));
}

TEST_CASE("the pole-zero correction gives a decaying step its height back", "[trigger][shape]") {
    // Without rounding the flat top is exactly the height; rounded to counts it is within half a count.
    const Heights falling = step(3'000, 1'500, 20'000, 500);
    const TrapezoidShape shape{.rise = 300, .flat = 100, .decay_samples = 500};
    REQUIRE(trapezoid(falling, {1'600, 2'000}, 0, shape).height == Approx(20'000).margin(0.5));
    // Uncorrected, the mean over the newest 300 samples after the step: 20000 x 500 / 300 x (1 - exp(-0.6)), about.
    const TrapezoidShape plain{.rise = 300, .flat = 100};
    REQUIRE(trapezoid(falling, {1'600, 2'000}, 0, plain).height ==
            Approx(20'000 * 500 / 300.0 * (1 - std::exp(-0.6))).epsilon(2e-3));
    // On a baseline of 7 counts the correction sees a ramp, and is told to expect it.
    Heights lifted = falling;
    for (std::int32_t& height : lifted) height += 7;
    REQUIRE(trapezoid(lifted, {1'600, 2'000}, 7, shape).height == Approx(20'000).margin(0.5));
    REQUIRE(trapezoid(lifted, {1'600, 2'000}, 0, shape).height > 20'005);
}

TEST_CASE("a step on the tail of another keeps its height", "[trigger][shape]") {
    Heights pile_up = step(6'000, 1'000, 5'000, 700);
    const Heights second = step(6'000, 3'000, 800, 700);
    for (std::size_t i = 0; i < pile_up.size(); ++i) pile_up[i] += second[i];
    const TrapezoidShape shape{.rise = 400, .flat = 50, .decay_samples = 700};
    REQUIRE(trapezoid(pile_up, {2'900, 3'600}, 0, shape).height == Approx(800).margin(1));
}

TEST_CASE("the trapezoid equals its definition on random traces", "[trigger][shape]") {
    std::mt19937 random{7};
    std::normal_distribution<double> noise{0, 30};
    for (int trial = 0; trial < 20; ++trial) {
        Heights heights(400);
        for (std::int32_t& height : heights) height = static_cast<std::int32_t>(std::lround(noise(random)));
        const std::int64_t rise = 1 + trial * 3, flat = trial % 5, reach = 2 * rise + flat;
        const double decay = trial % 2 == 0 ? 0 : 90.0, baseline = 1.5;
        // y[i] = h[i] + (1 - exp(-1/decay)) x sum of h before i, then the difference of two means.
        std::vector<double> y(heights.size());
        double before = 0;
        for (std::size_t i = 0; i < y.size(); ++i) {
            const double h = heights[i] - baseline;
            y[i] = h + (decay > 0 ? (1 - std::exp(-1 / decay)) * before : 0);
            before += h;
        }
        double best = -1e9;
        for (std::int64_t i = reach - 1; i < 400; ++i) {
            double late = 0, early = 0;
            for (std::int64_t k = 0; k < rise; ++k) {
                late += y[static_cast<std::size_t>(i - k)];
                early += y[static_cast<std::size_t>(i - k - rise - flat)];
            }
            best = std::max(best, (late - early) / static_cast<double>(rise));
        }
        const TrapezoidTop top =
            trapezoid(heights, {reach - 1, 400}, baseline, {.rise = rise, .flat = flat, .decay_samples = decay});
        REQUIRE(top.height == Approx(best).epsilon(1e-9));
    }
}

TEST_CASE("a reset is a drop between two samples", "[trigger][shape]") {
    Heights heights(50, 10);
    REQUIRE_FALSE(has_drop(heights, 1, 3));
    for (std::size_t i = 30; i < 50; ++i) heights[i] = -90;
    REQUIRE(has_drop(heights, 100, 3));
    REQUIRE_FALSE(has_drop(heights, 101, 3));
    // A ramp of 10 per sample drops 50 within 5 samples, not within 4.
    Heights ramp(50);
    for (std::size_t i = 0; i < 50; ++i) ramp[i] = -10 * static_cast<std::int32_t>(i);
    REQUIRE(has_drop(ramp, 50, 5));
    REQUIRE_FALSE(has_drop(ramp, 50, 4));
    REQUIRE_FALSE(has_drop(step(50, 20, 1'000), 1, 3));  // a step up is none
    REQUIRE_FALSE(has_drop(Heights{}, 1, 1));
}

TEST_CASE("the delayed cluster is the first whose peaks hold enough charge", "[trigger][shape]") {
    // Peaks of 4 samples: 10 high at 20, 5 high at 50, 20 high at 60, 30 high at 62 + 10.
    Heights heights(100, 0);
    std::vector<Peak> peaks;
    const auto pulse = [&](std::int32_t at, std::int32_t height) {
        for (std::int32_t i = at; i < at + 4; ++i) heights[static_cast<std::size_t>(i)] = height;
        peaks.push_back({at, at + 4});
    };
    pulse(20, 10);
    pulse(50, 5);
    pulse(60, 20);
    pulse(72, 30);
    const PeakFinding finding{.margin_samples = 1};
    // 40, 20, 80 and 120 in single peaks; from 50 on 15 samples hold 20 + 80, from 60 on 80 + 120.
    const auto from = [&](Gate gate, std::int64_t length, double least) {
        return find_cluster(heights, peaks, finding, gate, length, least, 0);
    };
    REQUIRE(from({30, 100}, 10, 20).start == 49);
    REQUIRE(from({30, 100}, 10, 20).charge == 20);
    REQUIRE(from({30, 100}, 10, 21).start == 59);
    REQUIRE(from({30, 100}, 16, 21).start == 49);  // with the next peak: 100
    REQUIRE(from({30, 100}, 16, 21).charge == 100);
    REQUIRE(from({30, 100}, 20, 101).charge == 200);
    REQUIRE(from({30, 100}, 10, 121).start == -1);
    REQUIRE(from({73, 100}, 10, 1).start == -1);  // onsets before the gate do not count
    REQUIRE(from({0, 50}, 10, 41).start == -1);
    // The cluster ends within the peak at 60: samples 49 to 61, of which two of that peak.
    REQUIRE(from({30, 100}, 13, 1).charge == 20 + 2 * 20);
    // A baseline of 1 count lies under 6 samples of each peak (4 and the margins).
    REQUIRE(find_cluster(heights, peaks, finding, {30, 100}, 10, 1, 1).charge == 20 - 6);
}
