#include <catch2/catch.hpp>
#include <random>
#include <vector>

#include "daq/run/dead_time.hpp"

using namespace alleycat;

namespace {

constexpr std::int64_t kNominal = 16'666'666'667;  // 60 Hz [ps]

/// One trigger of a made-up run; reason 0: it was recorded.
struct Tick {
    std::int64_t time_ps = 0;
    std::uint8_t reason = 0;
};

/// The intervals of a run, as the trigger thread would make them.
std::vector<DeadTime> intervals_of(const std::vector<Tick>& ticks, std::int64_t nominal_ps = kNominal) {
    DeadTimeKeeper keeper{nominal_ps};
    std::vector<DeadTime> intervals;
    const auto keep = [&](const std::optional<DeadTime>& ended) {
        if (ended) intervals.push_back(*ended);
    };
    for (std::uint64_t i = 0; i < ticks.size(); ++i) {
        keep(ticks[i].reason == 0 ? keeper.end(ticks[i].time_ps) : keeper.refuse(i, ticks[i].time_ps, ticks[i].reason));
    }
    keep(keeper.end(std::nullopt));
    return intervals;
}

/// Each refused trigger stands in one interval of its reason, each recorded one in none.
void check_sequences(const std::vector<Tick>& ticks, const std::vector<DeadTime>& intervals) {
    std::vector<std::uint8_t> reasons(ticks.size(), 0);
    for (const DeadTime& interval : intervals) {
        for (std::uint64_t s = interval.first_sequence; s <= interval.last_sequence; ++s) {
            REQUIRE(reasons.at(s) == 0);
            reasons[s] = interval.reason;
        }
    }
    for (std::size_t i = 0; i < ticks.size(); ++i) REQUIRE(reasons[i] == ticks[i].reason);
}

}  // namespace

TEST_CASE("an interval ends a nominal tick behind its last trigger, or at the next trigger", "[run][dead_time]") {
    // Two refused triggers, then one 16.5 ms behind: sooner than the nominal 16.67 ms.
    const auto clipped = intervals_of({{0, 0}, {100, 1}, {200, 1}, {200 + 16'500'000'000, 0}});
    REQUIRE(clipped.size() == 1);
    CHECK(clipped[0] == DeadTime{1, 2, 100, 200 + 16'500'000'000, 1, {}});
    // The next one is two periods on: the tick of the last refused one is all that is dead.
    const auto whole = intervals_of({{0, 1}, {2 * kNominal, 0}});
    REQUIRE(whole.size() == 1);
    CHECK(whole[0] == DeadTime{0, 0, 0, kNominal, 1, {}});
    // Another reason begins where the first one is cut.
    const auto two = intervals_of({{0, 1}, {16'000'000'000, 3}});
    REQUIRE(two.size() == 2);
    CHECK(two[0] == DeadTime{0, 0, 0, 16'000'000'000, 1, {}});
    CHECK(two[1] == DeadTime{1, 1, 16'000'000'000, 16'000'000'000 + kNominal, 3, {}});
}

TEST_CASE("a refused hit has no time of its own", "[run][dead_time]") {
    const auto intervals = intervals_of({{10, 1}, {30, 1}, {40, 0}, {50, 1}}, 0);
    REQUIRE(intervals.size() == 2);
    CHECK(intervals[0] == DeadTime{0, 1, 10, 30, 1, {}});
    CHECK(intervals[1] == DeadTime{3, 3, 50, 50, 1, {}});
}

TEST_CASE("with random ticks and reasons no interval overlaps another or a recorded trigger, none is negative",
          "[run][dead_time]") {
    std::mt19937_64 random{20151002};
    const auto pick = [&](std::int64_t low, std::int64_t high) {
        return std::uniform_int_distribution<std::int64_t>{low, high}(random);
    };
    for (int run = 0; run < 2'000; ++run) {
        std::vector<Tick> ticks(static_cast<std::size_t>(pick(1, 60)));
        std::int64_t time_ps = pick(-kNominal, kNominal);
        for (Tick& tick : ticks) {
            tick = {time_ps, static_cast<std::uint8_t>(std::max<std::int64_t>(0, pick(-2, 3)))};
            time_ps += pick(0, 2 * kNominal);
        }
        const std::vector<DeadTime> intervals = intervals_of(ticks);
        check_sequences(ticks, intervals);
        std::int64_t refused_ps = 0;  // no refused tick costs more than a nominal one and the time to the next refused
        for (std::size_t i = 0; i < intervals.size(); ++i) {
            const DeadTime& interval = intervals[i];
            REQUIRE(interval.begin_ps == ticks[interval.first_sequence].time_ps);
            REQUIRE(interval.end_ps >= interval.begin_ps);
            REQUIRE(interval.end_ps <= ticks[interval.last_sequence].time_ps + kNominal);
            if (interval.last_sequence + 1 < ticks.size())
                REQUIRE(interval.end_ps <= ticks[interval.last_sequence + 1].time_ps);
            if (i > 0) REQUIRE(interval.begin_ps >= intervals[i - 1].end_ps);
            refused_ps += interval.end_ps - interval.begin_ps;
        }
        REQUIRE(refused_ps <= ticks.back().time_ps - ticks.front().time_ps + kNominal);
    }
}

TEST_CASE("a clock that runs backwards costs length, never a trigger, and intervals stay in order",
          "[run][dead_time]") {
    std::mt19937_64 random{7};
    const auto pick = [&](std::int64_t low, std::int64_t high) {
        return std::uniform_int_distribution<std::int64_t>{low, high}(random);
    };
    for (int run = 0; run < 2'000; ++run) {
        std::vector<Tick> ticks(40);
        for (Tick& tick : ticks) {
            tick = {pick(-5 * kNominal, 5 * kNominal),
                    static_cast<std::uint8_t>(std::max<std::int64_t>(0, pick(-2, 3)))};
        }
        const std::vector<DeadTime> intervals = intervals_of(ticks);
        check_sequences(ticks, intervals);
        for (std::size_t i = 0; i < intervals.size(); ++i) {
            REQUIRE(intervals[i].end_ps >= intervals[i].begin_ps);
            if (i > 0) REQUIRE(intervals[i].begin_ps >= intervals[i - 1].end_ps);
        }
    }
}
