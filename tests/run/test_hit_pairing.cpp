// Which tick a hit belongs to, by hand: ticks every 100 us make the numbers short.

#include <catch2/catch.hpp>

#include "daq/core/event.hpp"
#include "daq/run/hit_pairing.hpp"

using namespace alleycat;

namespace {

constexpr std::int64_t kMicrosecond = 1'000'000;  // [ps]
constexpr std::int64_t kPeriod = 100 * kMicrosecond;

/// Ticks at 10 kHz, counted from 1000 on.
struct Bench {
    CounterRegistry counters;
    HitPairing pairing{{.rate_hz = 10'000, .phase_tolerance_ps = kMicrosecond}, counters};

    explicit Bench(int ticks = 0) {
        for (int i = 0; i < ticks; ++i) tick(i);
    }
    void tick(int number, std::int64_t late_ps = 0, std::int64_t complete_ps = kNever) {
        pairing.add({.tick = 1'000 + static_cast<std::uint64_t>(number),
                     .time_ps = number * kPeriod + late_ps,
                     .utc_ns = 7,
                     .reserved = {}},
                    complete_ps);
    }
    std::optional<TickOfHit> hit(std::int64_t us, bool give_up = false) {
        return pairing.find(us * kMicrosecond, give_up);
    }
    /// All ticks whose hits before `us` are through.
    std::vector<JudgedTick> ticks(std::int64_t us) {
        std::vector<JudgedTick> all;
        for (JudgedTick tick; pairing.next_tick(us * kMicrosecond, tick);) all.push_back(tick);
        return all;
    }
    std::uint64_t count(const char* name) { return counters.get(std::string{"ticks."} + name).value(); }
};

const TickOfHit kNone{.tick = 0, .since_tick_ps = 0, .flags = trigger_flag::no_tick};

}  // namespace

TEST_CASE("a hit belongs to the nearest tick, before or after it", "[run][hits]") {
    Bench bench{3};  // at 0, 100, 200 us
    REQUIRE(bench.hit(0) == TickOfHit{1'000, 0, 0});
    REQUIRE(bench.hit(12) == TickOfHit{1'000, 12 * kMicrosecond, 0});
    REQUIRE(bench.hit(49) == TickOfHit{1'000, 49 * kMicrosecond, 0});
    REQUIRE(bench.hit(51) == TickOfHit{1'001, -49 * kMicrosecond, 0});
    REQUIRE(bench.hit(50) == TickOfHit{1'000, 50 * kMicrosecond, 0});  // exactly between: the tick that was
    REQUIRE(bench.hit(100) == TickOfHit{1'001, 0, 0});
    REQUIRE(bench.count("hits_without_tick") == 0);
}

TEST_CASE("a hit before the first tick belongs to it within half a period, and to none before", "[run][hits]") {
    Bench bench{2};
    REQUIRE(bench.hit(-50) == TickOfHit{1'000, -50 * kMicrosecond, 0});
    REQUIRE(bench.hit(-51) == kNone);  // reach is 50.5 us
    REQUIRE(bench.count("hits_without_tick") == 1);
}

TEST_CASE("a hit waits until a later tick is known", "[run][hits]") {
    Bench bench{2};
    REQUIRE(bench.hit(112) == std::nullopt);
    bench.pairing.complete_until(162 * kMicrosecond);  // a tick at 162.5 us would still be nearer than none
    REQUIRE(bench.hit(112) == std::nullopt);
    bench.tick(2);
    REQUIRE(bench.hit(112) == TickOfHit{1'001, 12 * kMicrosecond, 0});
    REQUIRE(bench.hit(200) == std::nullopt);
}

TEST_CASE("a hit is answered when the tick's source has gone so far that none will come", "[run][hits]") {
    Bench bench{2};
    bench.pairing.complete_until(250 * kMicrosecond);
    REQUIRE(bench.hit(112) == TickOfHit{1'001, 12 * kMicrosecond, 0});  // the tick at 200 us is lost
    REQUIRE(bench.hit(199) == kNone);
    REQUIRE(bench.hit(200) == std::nullopt);
    bench.pairing.complete_until(std::numeric_limits<std::int64_t>::max());  // the source has ended
    REQUIRE(bench.hit(200) == kNone);
    REQUIRE(bench.count("hits_without_tick") == 2);
}

TEST_CASE("hits around a lost tick belong to no tick and the next tick tells of it", "[run][hits]") {
    Bench bench{2};
    bench.tick(3);
    REQUIRE(bench.hit(149) == TickOfHit{1'001, 49 * kMicrosecond, 0});
    REQUIRE(bench.hit(151) == kNone);
    REQUIRE(bench.hit(212) == kNone);
    REQUIRE(bench.hit(249) == kNone);
    REQUIRE(bench.hit(251) == TickOfHit{1'003, -49 * kMicrosecond, trigger_flag::after_missing_tick});
    const std::vector<JudgedTick> ticks = bench.ticks(1'000);
    REQUIRE(ticks.size() == 3);
    REQUIRE(ticks[1].missing == 0);
    REQUIRE(ticks[2].missing == 1);
    REQUIRE(bench.count("missing") == 1);
}

TEST_CASE("a duplicate and a tick out of phase take no part", "[run][hits]") {
    Bench bench{2};
    bench.tick(1, 1 * kMicrosecond);   // again, a reflection
    bench.tick(1, 40 * kMicrosecond);  // noise on the line
    bench.tick(2);
    REQUIRE(bench.hit(112) == TickOfHit{1'001, 12 * kMicrosecond, 0});
    REQUIRE(bench.hit(141) == TickOfHit{1'001, 41 * kMicrosecond, 0});
    const std::vector<JudgedTick> ticks = bench.ticks(1'000);
    REQUIRE(ticks.size() == 5);  // all of them go to the file
    REQUIRE(ticks[2].record.flags == trigger_flag::duplicate_tick);
    REQUIRE(ticks[3].record.flags == trigger_flag::tick_out_of_phase);
    REQUIRE(ticks[4].record.flags == 0);
}

TEST_CASE("a tick that comes after its source went past it is late and changes nothing", "[run][hits]") {
    for (const bool answered_before : {true, false}) {  // whether the hit was quicker must not matter
        Bench bench{2};
        if (answered_before) {
            bench.pairing.complete_until(260 * kMicrosecond);
            REQUIRE(bench.hit(205) == kNone);
        }
        bench.tick(2, 0, 210 * kMicrosecond);
        bench.pairing.complete_until(260 * kMicrosecond);
        if (!answered_before) REQUIRE(bench.hit(205) == kNone);
        bench.tick(3, 0, 260 * kMicrosecond);
        REQUIRE(bench.hit(312) == std::nullopt);
        bench.tick(4, 0, 260 * kMicrosecond);
        REQUIRE(bench.hit(312)->tick == 1'003);
        const std::vector<JudgedTick> ticks = bench.ticks(1'000);
        REQUIRE(ticks.size() == 5);
        REQUIRE(ticks[2].record.flags == trigger_flag::late_tick);
        REQUIRE(ticks[3].record.flags == 0);
        REQUIRE(bench.count("late") == 1);
        REQUIRE(bench.count("missing") == 0);  // it did come
    }
}

TEST_CASE("a hit that gives up takes the tick it knows, and what comes after is late", "[run][hits]") {
    Bench bench{2};
    REQUIRE(bench.hit(112, true) == TickOfHit{1'001, 12 * kMicrosecond, 0});
    REQUIRE(bench.hit(180, true) == kNone);
    bench.tick(2);
    bench.tick(3);
    const std::vector<JudgedTick> ticks = bench.ticks(1'000);
    REQUIRE(ticks[2].record.flags == trigger_flag::late_tick);
    REQUIRE(ticks[3].record.flags == 0);
}

TEST_CASE("flags a tick was recorded with decide as they did live", "[run][hits]") {
    Bench bench{2};
    bench.pairing.add({.tick = 1'002, .time_ps = 2 * kPeriod, .flags = trigger_flag::late_tick, .reserved = {}},
                      kNever);
    bench.pairing.add({.tick = 1'003, .time_ps = 3 * kPeriod, .flags = trigger_flag::hits_refused, .reserved = {}},
                      kNever);
    REQUIRE(bench.hit(205) == kNone);
    REQUIRE(bench.hit(295) == TickOfHit{1'003, -5 * kMicrosecond, 0});  // that others were refused is the tick's own
    const std::vector<JudgedTick> ticks = bench.ticks(1'000);
    REQUIRE(ticks[2].record.flags == trigger_flag::late_tick);
    REQUIRE(ticks[3].record.flags == trigger_flag::hits_refused);
}

TEST_CASE("a tick leaves when all hits in its reach are through, in the order it came", "[run][hits]") {
    Bench bench{3};
    REQUIRE(bench.ticks(50).empty());
    REQUIRE(bench.ticks(51).size() == 1);
    REQUIRE(bench.ticks(251).size() == 2);
    bench.tick(3);
    bench.tick(1, 2 * kMicrosecond);  // backwards: it waits for the one that came before it
    REQUIRE(bench.ticks(300).empty());
    REQUIRE(bench.ticks(351).size() == 2);
}

TEST_CASE("ticks near refused hits are no exposure, those between are", "[run][hits]") {
    Bench bench{2};
    bench.pairing.refused(20 * kMicrosecond, 30 * kMicrosecond);    // tick 0
    bench.pairing.refused(190 * kMicrosecond, 420 * kMicrosecond);  // ticks 2, 3, 4, which come later
    bench.pairing.refused(430 * kMicrosecond, 431 * kMicrosecond);
    for (int i = 2; i < 8; ++i) bench.tick(i);
    const std::vector<JudgedTick> ticks = bench.ticks(10'000);
    REQUIRE(ticks.size() == 8);
    for (const std::size_t i : {0u, 2u, 3u, 4u}) REQUIRE(ticks[i].record.flags == trigger_flag::hits_refused);
    for (const std::size_t i : {1u, 5u, 6u, 7u}) REQUIRE(ticks[i].record.flags == 0);
}

TEST_CASE("impossible times of a damaged file break nothing", "[run][hits]") {
    Bench bench{2};
    constexpr std::int64_t most = std::numeric_limits<std::int64_t>::max();
    constexpr std::int64_t least = std::numeric_limits<std::int64_t>::min();
    for (const std::int64_t time : {least, most, least + 1, std::int64_t{0}}) {
        bench.pairing.add({.tick = 5, .time_ps = time, .reserved = {}}, time);
        for (const std::int64_t hit : {least, most, std::int64_t{0}}) (void)bench.pairing.find(hit, true);
        bench.pairing.refused(time, least);
    }
    JudgedTick tick;
    while (bench.pairing.next_tick(most, tick)) {
    }
    REQUIRE(bench.hit(12)->tick == 1'000);
}
