#include <catch2/catch.hpp>

#include "trigger/peaks.hpp"

using namespace alleycat;

namespace {
std::vector<Peak> peaks_of(const std::vector<std::int32_t>& heights, const PeakFinding& finding = {}) {
    std::vector<Peak> peaks;
    find_peaks(heights, finding, peaks);
    return peaks;
}
}  // namespace

TEST_CASE("a peak needs four samples at or above three counts", "[trigger][unit]") {
    REQUIRE(peaks_of({0, 3, 3, 3, 0}).empty());
    REQUIRE(peaks_of({0, 3, 3, 3, 3, 0}) == std::vector<Peak>{{1, 5}});
    REQUIRE(peaks_of({0, 2, 9, 9, 2, 9, 9, 0}).empty());
}

TEST_CASE("a peak at the first sample counts, one still above at the last sample does not", "[trigger][unit]") {
    REQUIRE(peaks_of({5, 5, 5, 5, 0}) == std::vector<Peak>{{0, 4}});
    REQUIRE(peaks_of({0, 5, 5, 5, 5, 5}).empty());
}

TEST_CASE("where the profile says so, a peak still above at the last sample ends there", "[trigger][unit]") {
    const PeakFinding step{.close_at_trace_end = true};
    REQUIRE(peaks_of({0, 5, 5, 5, 5, 5}, step) == std::vector<Peak>{{1, 6}});
    REQUIRE(peaks_of({0, 0, 0, 5, 5, 5}, step).empty());  // three samples are too few
}

TEST_CASE("two peaks may be one sample apart", "[trigger][unit]") {
    REQUIRE(peaks_of({4, 4, 4, 4, 2, 4, 4, 4, 4, 0}) == std::vector<Peak>{{0, 4}, {5, 9}});
}

TEST_CASE("threshold and length are configuration", "[trigger][unit]") {
    REQUIRE(peaks_of({0, 10, 10, 10, 0}, {.threshold_adc = 10, .min_samples = 3}) == std::vector<Peak>{{1, 4}});
    REQUIRE(peaks_of({0, 10, 9, 10, 0}, {.threshold_adc = 10, .min_samples = 1}) == std::vector<Peak>{{1, 2}, {3, 4}});
}

TEST_CASE("a peak is counted in the region of its onset", "[trigger][unit]") {
    const std::vector<Peak> peaks{{10, 20}, {19, 25}, {30, 34}};
    REQUIRE(count_onsets(peaks, 10, 19) == 1);
    REQUIRE(count_onsets(peaks, 10, 20) == 2);
    REQUIRE(count_onsets(peaks, 11, 30) == 1);
    REQUIRE(count_onsets(peaks, 0, 100) == 3);
    REQUIRE(count_onsets({}, 0, 100) == 0);
}
