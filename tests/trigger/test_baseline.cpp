#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>
#include <random>

#include "trigger/baseline.hpp"

using namespace alleycat;

TEST_CASE("the median is the smallest code whose cumulative count reaches half", "[trigger][unit]") {
    BaselineFinder finder;
    const std::vector<std::int32_t> even{100, 101, 99, 101};  // sorted 99 100 101 101: 100 reaches 2 of 4
    REQUIRE(finder.find(even, 5).median == 100);
    const std::vector<std::int32_t> odd{7, 3, 5};
    REQUIRE(finder.find(odd, 5).median == 5);
    const std::vector<std::int32_t> one{-128};
    REQUIRE(finder.find(one, 5).median == -128);
}

TEST_CASE("mean and sigma use the codes from median - band up to, not including, median + band", "[trigger][unit]") {
    BaselineFinder finder;
    // Median 100; 95 is the lowest code inside, 104 the highest, 94 and 105 are outside.
    const std::vector<std::int32_t> counts{100, 100, 100, 100, 100, 95, 104, 94, 105};
    const Baseline baseline = finder.find(counts, 5);
    REQUIRE(baseline.median == 100);
    REQUIRE(baseline.mean == Approx(699.0 / 7));                       // 5 x 100 + 95 + 104
    // Sum of squares about 100: 25 + 16 = 41, sum of offsets -1: variance (41 - 1/7) / 6.
    REQUIRE(baseline.sigma == Approx(std::sqrt((41 - 1.0 / 7) / 6)));
}

TEST_CASE("a trace of equal samples has sigma 0", "[trigger][unit]") {
    BaselineFinder finder;
    const std::vector<std::int32_t> flat(20'000, 97);
    const Baseline baseline = finder.find(flat, 5);
    REQUIRE(baseline.median == 97);
    REQUIRE(baseline.mean == 97);
    REQUIRE(baseline.sigma == 0);
}

TEST_CASE("the finder agrees with sorting, over the whole range of codes, call after call", "[trigger][property]") {
    std::mt19937 random{1};
    BaselineFinder finder;
    for (int round = 0; round < 300; ++round) {
        const std::int32_t low = std::uniform_int_distribution{-32768, 65535}(random);
        const std::int32_t high = std::uniform_int_distribution{low, 65535}(random);
        std::vector<std::int32_t> counts(std::uniform_int_distribution<std::size_t>{1, 400}(random));
        for (std::int32_t& code : counts) code = std::uniform_int_distribution{low, high}(random);
        const Baseline baseline = finder.find(counts, 5);
        std::vector<std::int32_t> sorted = counts;
        std::sort(sorted.begin(), sorted.end());
        REQUIRE(baseline.median == sorted[(sorted.size() + 1) / 2 - 1]);
    }
}
