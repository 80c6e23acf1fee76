// Boards with clocks of their own, merged by what their stamps and the host's clock say. Every record carries the
// number of its tick in `clock`, which the builder does not look at: what belongs together is known here.

#include <catch2/catch.hpp>
#include <cmath>
#include <random>

#include "daq/run/board_clock.hpp"
#include "daq/run/event_builder.hpp"
#include "fakes.hpp"
#include "readout/clock_unwrapper.hpp"

using namespace run_test;
using Built = EventBuilder::Built;

namespace {

constexpr std::int64_t kSecond = 1'000'000'000'000;  // [ps]

/// A timing signal as the mains make it: its period wanders by 100 ns.
std::int64_t tick_time(std::uint64_t tick) {
    const double t = static_cast<double>(tick);
    return static_cast<std::int64_t>(tick) * kTick + std::llround(5e6 * std::sin(t / 40)) +
           std::llround(9e4 * std::sin(7.3 * t));
}

/// A board that stamps ticks with a clock of its own.
struct FakeBoard {
    std::uint16_t index = 0;
    std::int64_t clock_ps = 8'000;  // its unit
    double fast_ppm = 0;
    std::int64_t zero_ps = 0;       // when its clock began
    std::uint64_t first_ticks = 0;  // what it showed then
    std::uint64_t first_number = 0;
    unsigned bits = 63;
    double slowest_ms = 3;  // its records reach the host after up to so long

    ClockUnwrapper unwrapper{bits};
    std::uint64_t number = first_number;
    std::mt19937_64 random{index + 1u};

    void reboot(std::int64_t at_ps) {
        zero_ps = at_ps;
        first_ticks = number = 0;
        unwrapper = ClockUnwrapper{bits};
    }
    RecordHeader record(std::uint64_t tick) {
        const double since = static_cast<double>(tick_time(tick) - zero_ps) * (1 + fast_ppm * 1e-6);
        const std::uint64_t raw = first_ticks + static_cast<std::uint64_t>(since / static_cast<double>(clock_ps));
        RecordHeader header;
        header.counter = number++;
        header.clock = tick;
        header.time_ps =
            static_cast<std::int64_t>(unwrapper.unwrap(raw & ((std::uint64_t{1} << bits) - 1)).ticks) * clock_ps;
        const double delay_ms = 0.2 + std::uniform_real_distribution<double>{0, slowest_ms}(random);
        header.utc_ns = 1'800'000'000'000'000'000 + tick_time(tick) / 1000 + std::llround(delay_ms * 1e6);
        header.board = index;
        return header;
    }
};

BuilderConfig by_host() {
    BuilderConfig config;
    config.clocks_by_host = true;
    config.time_resolution_ps = 10'000;
    return config;
}

struct Bench {
    explicit Bench(std::size_t n, BuilderConfig config = by_host())
        : inputs{boards(n)}, builder{inputs, config, registry} {}

    void give(const RecordHeader& header) { put(*inputs[header.board], header); }
    /// Builds what can be built and checks that each trigger's records are of one tick.
    void build() {
        std::uint64_t consumed = 0;
        while (builder.next(trigger, consumed) == Built::trigger) {
            const std::uint64_t tick = trigger.records().front().header().clock;
            for (const RecordView& record : trigger.records()) mixed += record.header().clock == tick ? 0 : 1;
            ticks.push_back(tick);
            numbers.push_back(trigger.tick);
            missing.push_back(trigger.missing_boards);
            times.push_back(trigger.time_ps);
            if (trigger.tick_flags != 0) ++flagged;
            backwards += trigger.time_ps < newest_ps ? 1 : 0;
            newest_ps = std::max(newest_ps, trigger.time_ps);
            builder.release(consumed);
        }
    }
    void end() {
        for (const auto& input : inputs) input->ended = true;
        build();
    }
    [[nodiscard]] std::uint64_t count(const std::string& name) { return registry.get("builder." + name).value(); }
    [[nodiscard]] bool ticks_balance() const {
        const Ledger& ledger = builder.ledger();
        return ledger.ticks_expected == ledger.ticks_seen + ledger.ticks_missed;
    }
    /// Of the triggers from one tick to another, how many lacked exactly these boards.
    [[nodiscard]] std::size_t lacking(std::uint64_t from, std::uint64_t to, std::uint64_t which) const {
        std::size_t n = 0;
        for (std::size_t i = 0; i < ticks.size(); ++i) n += ticks[i] >= from && ticks[i] < to && missing[i] == which;
        return n;
    }

    CounterRegistry registry;
    std::vector<std::unique_ptr<BoardInput>> inputs;
    EventBuilder builder;
    Trigger trigger;
    std::vector<std::uint64_t> ticks, numbers, missing;
    std::vector<std::int64_t> times;
    std::size_t mixed = 0, flagged = 0, backwards = 0;
    std::int64_t newest_ps = kNever;
};

}  // namespace

TEST_CASE("three boards run ten minutes with clocks that drift and roll over, one unplugged and back twice",
          "[run][builder][clocks]") {
    constexpr std::uint64_t kTicks = 36'000;  // ten minutes
    FakeBoard a{.index = 0, .clock_ps = 4'000, .first_number = 500};
    // 31 bits of 10 ns: 21.5 s, 28 times round, the first time after 0.2 s.
    FakeBoard b{.index = 1,
                .clock_ps = 10'000,
                .fast_ppm = 1,
                .first_ticks = (std::uint64_t{1} << 31) - 20'000'000,
                .bits = 31,
                .slowest_ms = 6};
    FakeBoard c{.index = 2, .clock_ps = 8'000, .fast_ppm = -1, .first_ticks = 123'456'789, .first_number = 9};
    Bench bench{3};
    for (std::uint64_t tick = 0; tick < kTicks; ++tick) {
        bench.give(a.record(tick));
        bench.give(b.record(tick));
        const bool unplugged = (tick >= 6'000 && tick < 12'000) || (tick >= 20'000 && tick < 26'123);
        if (tick == 12'000 || tick == 26'123) c.reboot(tick_time(tick) - kSecond);
        if (!unplugged) {
            RecordHeader header = c.record(tick);
            if (tick == 12'000 || tick == 26'123) header.flags |= record_flag::clock_restarted;
            bench.give(header);
        }
        bench.build();
        if (tick == 19'000) {
            CHECK(bench.inputs[1]->clock_drift_ppm == Approx(1).epsilon(0.01));
            CHECK(bench.inputs[2]->clock_drift_ppm == Approx(-1).epsilon(0.01));
            CHECK(bench.inputs[1]->clock_offset_ns == Approx(1e-6 * 19'000 / 60 * 1e9).epsilon(0.01));
            CHECK(std::isnan(bench.inputs[0]->clock_drift_ppm));
            CHECK(bench.inputs[2]->missing_ps == -1);
        }
        // A trigger without the third board is built 2 s late.
        if (tick == 11'000)
            CHECK(std::llround(double(bench.inputs[2]->missing_ps) / double(kTick)) == 11'000 - 5'999 - 121);
    }
    bench.end();
    REQUIRE(bench.ticks.size() == kTicks);
    CHECK(bench.mixed == 0);
    for (std::uint64_t tick = 0; tick < kTicks; ++tick) REQUIRE(bench.ticks[tick] == tick);
    CHECK(bench.lacking(0, 6'000, 0) == 6'000);
    CHECK(bench.lacking(6'000, 12'000, 4) == 6'000);
    CHECK(bench.lacking(12'000, 20'000, 0) == 8'000);
    CHECK(bench.lacking(20'000, 26'123, 4) == 6'123);
    CHECK(bench.lacking(26'123, kTicks, 0) == kTicks - 26'123);
    CHECK(bench.count("board2.missing") == 12'123);
    CHECK(bench.count("board2.clock_restarts") == 2);
    CHECK(bench.count("board0.missing") + bench.count("board1.missing") == 0);
    CHECK(bench.count("board1.clock_restarts") == 0);
    CHECK(bench.count("board2.number_disagreements") == 0);
    CHECK(bench.count("board2.late_records") == 0);
    CHECK(bench.flagged == 0);
    CHECK(bench.builder.ledger().ticks_expected == kTicks);
    CHECK(bench.ticks_balance());
}

TEST_CASE("the first board may be the one that is away: the others go on in its time", "[run][builder][clocks]") {
    FakeBoard a{.index = 0}, b{.index = 1, .fast_ppm = 3, .zero_ps = -5 * kSecond, .first_number = 7};
    Bench bench{2};
    for (std::uint64_t tick = 0; tick < 4'000; ++tick) {
        bench.give(b.record(tick));
        if (tick == 3'000) a.reboot(tick_time(tick) - 40 * kSecond);
        if (tick < 1'000 || tick >= 3'000) {
            RecordHeader header = a.record(tick);
            if (tick == 3'000) header.flags |= record_flag::clock_restarted;
            bench.give(header);
        }
        bench.build();
    }
    bench.end();
    REQUIRE(bench.ticks.size() == 4'000);
    CHECK(bench.mixed == 0);
    CHECK(bench.lacking(0, 1'000, 0) == 1'000);
    CHECK(bench.lacking(1'000, 3'000, 1) == 2'000);
    CHECK(bench.lacking(3'000, 4'000, 0) == 1'000);
    // 33 s in the other's time, 3 ppm fast: uncorrected it would be 100 us off.
    for (std::uint64_t tick = 0; tick < 4'000; ++tick)
        REQUIRE(std::abs(bench.times[tick] - (tick_time(tick) - tick_time(0))) < 1'000'000);
    CHECK(bench.flagged == 0);
    CHECK(bench.ticks_balance());
    CHECK(bench.builder.ledger().ticks_expected == 4'000);
}

TEST_CASE("a board that was started later stands beside the ticks it saw", "[run][builder][clocks]") {
    FakeBoard a{.index = 0}, b{.index = 1, .zero_ps = tick_time(17)};
    Bench bench{2};
    for (std::uint64_t tick = 0; tick < 200; ++tick) {
        bench.give(a.record(tick));
        if (tick >= 18) bench.give(b.record(tick));
        bench.build();
    }
    bench.end();
    CHECK(bench.mixed == 0);
    REQUIRE(bench.ticks.size() == 200);
    CHECK(bench.lacking(0, 18, 2) == 18);
    CHECK(bench.lacking(18, 200, 0) == 182);
}

TEST_CASE("a single board that begins anew goes on in the run's time, on a tick", "[run][builder][clocks]") {
    FakeBoard a{.index = 0, .zero_ps = -100 * kSecond, .first_number = 70};
    Bench bench{1};
    for (std::uint64_t tick = 0; tick < 900; ++tick) {
        if (tick >= 300 && tick < 480) continue;  // 3 s
        if (tick == 480) a.reboot(tick_time(tick) - kSecond / 4);
        RecordHeader header = a.record(tick);
        if (tick == 480) header.flags |= record_flag::clock_restarted;
        bench.give(header);
        bench.build();
    }
    bench.end();
    REQUIRE(bench.ticks.size() == 720);
    // While it was away the mains wandered as they liked: 180 periods that differ from those before by 125 ns at most.
    for (std::size_t i = 0; i < 720; ++i)
        REQUIRE(std::abs(bench.times[i] - (tick_time(bench.ticks[i]) - tick_time(0))) < 2 * 180 * 125'000);
    CHECK(bench.backwards == 0);
    CHECK(bench.builder.ledger().ticks_expected == 900);
    CHECK(bench.builder.ledger().ticks_missed == 180);
    CHECK(bench.ticks_balance());
    CHECK(bench.flagged == 1);  // the first one behind the gap: after_missing_tick
}

TEST_CASE("a single board whose data come faster than the host's time goes on after a restart all the same",
          "[run][builder][clocks]") {
    FakeBoard a{.index = 0};
    Bench bench{1};
    for (std::uint64_t tick = 0; tick < 500; ++tick) {  // an emulator at five times its rate
        if (tick == 200) a.reboot(tick_time(tick) - kSecond / 4);
        RecordHeader header = a.record(tick);
        header.utc_ns = 1'800'000'000'000'000'000 + tick_time(tick) / 5'000;
        if (tick == 200) header.flags |= record_flag::clock_restarted;
        bench.give(header);
        bench.build();
        if (tick == 300) CHECK(bench.ticks.size() > 200);
    }
    CHECK(bench.ticks.size() == 500);
    bench.end();
    CHECK(bench.backwards == 0);
    CHECK(bench.ticks_balance());
}

TEST_CASE("a board that comes back with its clock and its numbers as they were goes on with them",
          "[run][builder][clocks]") {
    FakeBoard a{.index = 0};
    Bench bench{1};
    for (std::uint64_t tick = 0; tick < 400; ++tick) {
        RecordHeader header = a.record(tick);  // it counts on while nobody listens
        if (tick >= 100 && tick < 250) continue;
        if (tick == 250) header.flags |= record_flag::clock_restarted;
        bench.give(header);
        bench.build();
    }
    bench.end();
    CHECK(bench.trigger.tick == 399);
    for (std::size_t i = 0; i < bench.ticks.size(); ++i)
        REQUIRE(std::abs(bench.times[i] - (tick_time(bench.ticks[i]) - tick_time(0))) < 2 * 150 * 125'000);
    CHECK(bench.builder.ledger().ticks_missed == 150);
    CHECK(bench.ticks_balance());
}

TEST_CASE("a clock that jumps without a word is found by the host's clock", "[run][builder][clocks]") {
    const std::int64_t jump_ps = GENERATE(10 * kSecond, -10 * kSecond);
    const std::size_t n = GENERATE(1u, 2u);
    FakeBoard a{.index = 0, .zero_ps = -60 * kSecond},
        b{.index = static_cast<std::uint16_t>(n - 1), .zero_ps = -50 * kSecond};
    Bench bench{n};
    for (std::uint64_t tick = 0; tick < 600; ++tick) {
        if (tick == 200) b.zero_ps -= jump_ps;
        if (n == 2) bench.give(a.record(tick));
        bench.give(b.record(tick));
        bench.build();
    }
    bench.end();
    CHECK(bench.ticks.size() == 600);
    CHECK(bench.mixed == 0);
    CHECK(bench.lacking(0, 600, 0) == 600);
    CHECK(bench.backwards == 0);
    CHECK(bench.count("board" + std::to_string(n - 1) + ".clock_restarts") == 1);
    CHECK(bench.ticks_balance());
    CHECK(bench.builder.ledger().ticks_missed == 0);
}

TEST_CASE("one stamp that is wrong costs one record of that board, not the ones after it", "[run][builder][clocks]") {
    const std::int64_t wrong_by_ps = GENERATE(100 * kSecond, -20 * kSecond);
    FakeBoard a{.index = 0}, b{.index = 1, .zero_ps = -50 * kSecond};
    Bench bench{2};
    for (std::uint64_t tick = 0; tick < 600; ++tick) {
        bench.give(a.record(tick));
        RecordHeader header = b.record(tick);
        if (tick == 200) header.time_ps += wrong_by_ps;
        bench.give(header);
        bench.build();
    }
    bench.end();
    CHECK(bench.ticks.size() == 600);
    CHECK(bench.mixed == 0);
    CHECK(bench.lacking(0, 600, 0) == 599);
    CHECK(bench.lacking(200, 201, 2) == 1);
    CHECK(bench.count("board1.clock_restarts") == 0);
    CHECK(bench.count("board1.bad_times") + bench.count("board1.late_records") == 1);
    CHECK(bench.inputs[1]->records.stats().used_bytes == 0);  // the skipped one was given back too
}

TEST_CASE("the host's clock is set back or forward, and no board moves", "[run][builder][clocks]") {
    const std::int64_t step_ns = GENERATE(-2'000'000'000, 3'000'000'000);
    FakeBoard a{.index = 0}, b{.index = 1, .zero_ps = -50 * kSecond};
    Bench bench{2};
    for (std::uint64_t tick = 0; tick < 3'000; ++tick) {
        for (FakeBoard* board : {&a, &b}) {
            RecordHeader header = board->record(tick);
            if (tick >= 1'000) header.utc_ns += step_ns;
            bench.give(header);
        }
        bench.build();
    }
    bench.end();
    CHECK(bench.lacking(0, 3'000, 0) == 3'000);
    CHECK(bench.count("board0.clock_restarts") + bench.count("board1.clock_restarts") == 0);
}

TEST_CASE("a clock is set back by less than the time in which triggers were lost: the numbers tell of these",
          "[run][builder][clocks]") {
    FakeBoard a{.index = 0};
    Bench bench{1};
    for (std::uint64_t tick = 0; tick < 200; ++tick) {
        RecordHeader header = a.record(tick);
        if (tick == 100) continue;
        if (tick > 100) header.time_ps -= 3 * kTick / 2;  // 101 comes half a period after 99
        bench.give(header);
        bench.build();
    }
    bench.end();
    CHECK(bench.ticks.size() == 199);
    CHECK(bench.builder.ledger().ticks_expected == 200);
    CHECK(bench.builder.ledger().ticks_missed == 1);
    CHECK(bench.numbers.back() == 199);
    CHECK(bench.registry.get("ticks.phase_jumps").value() == 1);
}

TEST_CASE("a clock that slips by a few microseconds is set right by the triggers themselves",
          "[run][builder][clocks]") {
    FakeBoard a{.index = 0}, b{.index = 1, .zero_ps = -50 * kSecond};
    Bench bench{2};
    for (std::uint64_t tick = 0; tick < 400; ++tick) {
        if (tick == 200) b.zero_ps -= 3'000'000;  // 3 us, three times the skew
        bench.give(a.record(tick));
        bench.give(b.record(tick));
        bench.build();
    }
    bench.end();
    CHECK(bench.mixed == 0);
    CHECK(bench.count("board1.realigned") == 1);
    CHECK(bench.lacking(0, 200, 0) == 200);
    CHECK(bench.lacking(240, 400, 0) == 160);
}

TEST_CASE("records that come too late or twice are counted and in no trigger", "[run][builder][clocks]") {
    FakeBoard a{.index = 0}, b{.index = 1, .zero_ps = -50 * kSecond};
    Bench bench{2};
    std::vector<RecordHeader> held;
    for (std::uint64_t tick = 0; tick < 1'000; ++tick) {
        bench.give(a.record(tick));
        const RecordHeader header = b.record(tick);
        // From 100 to 399 they are held up on their way: 5 s, three more than anybody waits for.
        if (tick >= 100 && tick < 400) {
            held.push_back(header);
        } else {
            for (const RecordHeader& late : held) bench.give(late);
            held.clear();
            bench.give(header);
            if (tick == 500) bench.give(header);
        }
        bench.build();
    }
    bench.end();
    CHECK(bench.ticks.size() == 1'000);
    CHECK(bench.mixed == 0);
    CHECK(bench.backwards == 0);
    // When they come, tick 399 is the newest of the other's: what is more than 2 s older was built without them.
    std::size_t too_late = 0;
    for (std::uint64_t tick = 100; tick < 400; ++tick) too_late += tick_time(399) - tick_time(tick) > 2 * kSecond;
    CHECK(bench.count("board1.late_records") == too_late);
    CHECK(bench.lacking(100, 400, 2) == too_late);
    CHECK(bench.count("board1.duplicates") == 1);
    CHECK(bench.lacking(400, 1'000, 0) == 600);
    CHECK(bench.inputs[1]->records.stats().used_bytes == 0);
    CHECK(bench.ticks_balance());
}

TEST_CASE("a single board that numbers, stamps and orders a few records wrongly leaves the books closed",
          "[run][builder][clocks]") {
    FakeBoard a{.index = 0};
    Bench bench{1};
    for (std::uint64_t tick = 0; tick < 1'000; ++tick) {
        RecordHeader header = a.record(tick);
        if (tick % 100 == 30) header.counter += 1'000;
        if (tick % 100 == 50) header.counter -= 5;
        if (tick == 770) header.time_ps += 100 * kSecond;
        if (tick == 880) {  // it comes after the next one
            bench.give(a.record(881));
            bench.give(header);
            ++tick;
        } else {
            bench.give(header);
        }
        bench.build();
    }
    bench.end();
    CHECK(bench.ticks.size() == 998);
    CHECK(bench.backwards == 0);
    CHECK(bench.count("board0.number_disagreements") == 20);
    CHECK(bench.count("board0.bad_times") == 1);
    CHECK(bench.count("board0.late_records") == 1);
    CHECK(bench.builder.ledger().ticks_expected == 1'000);
    CHECK(bench.builder.ledger().ticks_missed == 2);
    CHECK(bench.trigger.tick == 999);
}

TEST_CASE("a record that comes after the next one, just before its board begins anew, is in no trigger",
          "[run][builder][clocks]") {
    FakeBoard a{.index = 0, .zero_ps = -9 * kSecond};
    Bench bench{1};
    for (std::uint64_t tick = 0; tick < 300; ++tick) {
        if (tick == 100) a.reboot(tick_time(tick) - kSecond / 4);
        RecordHeader header = a.record(tick);
        if (tick == 98) {
            bench.give(a.record(99));
            ++tick;
        }
        if (tick == 100) header.flags |= record_flag::clock_restarted;
        bench.give(header);
        bench.build();
    }
    bench.end();
    CHECK(std::is_sorted(bench.ticks.begin(), bench.ticks.end()));
    CHECK(bench.ticks.size() == 299);
    CHECK(bench.count("board0.late_records") == 1);
    CHECK(bench.ticks_balance());
}

TEST_CASE("a record that comes after the next one, just before its clock jumps, is in no trigger",
          "[run][builder][clocks]") {
    FakeBoard a{.index = 0, .zero_ps = -9 * kSecond};
    Bench bench{1};
    for (std::uint64_t tick = 0; tick < 300; ++tick) {
        if (tick == 100) a.zero_ps += kSecond / 3;
        const RecordHeader header = a.record(tick);
        if (tick == 98) {
            bench.give(a.record(99));
            ++tick;
        }
        bench.give(header);
        bench.build();
    }
    bench.end();
    CHECK(std::is_sorted(bench.ticks.begin(), bench.ticks.end()));
    CHECK(bench.ticks.size() == 299);
    CHECK(bench.count("board0.clock_restarts") == 1);
    CHECK(bench.ticks_balance());
}

TEST_CASE("the first number after a restart, wrong or where its driver put it, is none to judge those behind it by",
          "[run][builder][clocks]") {
    struct Numbers {
        std::uint64_t first;  // 180 fits the time
        std::int64_t first_is_wrong_by, others_go_on_by;
    };
    const Numbers numbers = GENERATE(Numbers{7, 5, 0}, Numbers{7, -5, 0}, Numbers{7, 1'000, 0}, Numbers{180, 0, 5},
                                     Numbers{180, 0, -5}, Numbers{180, 0, 1'000});
    FakeBoard a{.index = 0, .zero_ps = -9 * kSecond, .first_number = 20};
    Bench bench{1};
    for (std::uint64_t tick = 0; tick < 400; ++tick) {
        if (tick >= 100 && tick < 160) continue;
        if (tick == 160) a.reboot(tick_time(tick) - kSecond / 4), a.number = numbers.first;
        if (tick == 161) a.number += static_cast<std::uint64_t>(numbers.others_go_on_by);
        RecordHeader header = a.record(tick);
        if (tick == 160) {
            header.flags |= record_flag::clock_restarted;
            header.counter += static_cast<std::uint64_t>(numbers.first_is_wrong_by);
        }
        bench.give(header);
        bench.build();
    }
    bench.end();
    CHECK(bench.ticks.size() == 340);
    CHECK(bench.builder.ledger().ticks_expected == 400);
    CHECK(bench.builder.ledger().ticks_missed == 60);
}

TEST_CASE("a board that begins anew where ticks come only with beam does not take the other's numbers along",
          "[run][builder][clocks]") {
    BuilderConfig config = by_host();
    config.gaps_are_missing = false;
    FakeBoard a{.index = 0}, b{.index = 1, .first_number = 700};
    Bench bench{2, config};
    for (std::uint64_t tick = 0; tick < 300; ++tick) {
        if (tick == 160) a.reboot(tick_time(tick) - kSecond / 4);
        RecordHeader header = a.record(tick);
        if (tick == 160) header.flags |= record_flag::clock_restarted;
        if (tick < 140 || tick >= 160) bench.give(header);
        bench.give(b.record(tick));
        bench.build();
    }
    bench.end();
    CHECK(bench.numbers == bench.ticks);
    CHECK(bench.builder.ledger().ticks_expected == 300);
    CHECK(bench.builder.ledger().ticks_seen == 300);
    CHECK(bench.count("board0.number_disagreements") + bench.count("board1.number_disagreements") == 0);
}

TEST_CASE("a number that is one behind where a trigger was lost does not stand for another tick",
          "[run][builder][clocks]") {
    FakeBoard a{.index = 0};
    Bench bench{1};
    for (std::uint64_t tick = 0; tick < 300; ++tick) {
        RecordHeader header = a.record(tick);
        if (tick == 100) continue;
        if (tick == 101) --header.counter;  // its driver did not believe its own number and gave it the next
        bench.give(header);
        bench.build();
    }
    bench.end();
    REQUIRE(bench.ticks.size() == 299);
    CHECK(bench.numbers == bench.ticks);
    CHECK(bench.count("board0.number_disagreements") == 1);
    CHECK(bench.ticks_balance());
}

TEST_CASE("what a single board delivers twice is one trigger", "[run][builder][clocks]") {
    FakeBoard a{.index = 0};
    Bench bench{1};
    for (std::uint64_t tick = 0; tick < 100; ++tick) {
        const RecordHeader header = a.record(tick);
        bench.give(header);
        if (tick % 10 == 3) bench.give(header);
        bench.build();
    }
    bench.end();
    CHECK(bench.ticks.size() == 100);
    CHECK(bench.count("board0.duplicates") == 10);
    CHECK(bench.inputs[0]->records.stats().used_bytes == 0);
    CHECK(bench.builder.backlog().triggers == 0);
    CHECK(bench.ticks_balance());
}

TEST_CASE("boards that count a trigger differently are counted, and the most of them are believed",
          "[run][builder][clocks]") {
    FakeBoard a{.index = 0}, b{.index = 1}, c{.index = 2};
    Bench bench{3};
    for (std::uint64_t tick = 0; tick < 200; ++tick) {
        if (tick == 100) a.number += 1'000;  // it has skipped numbers that the others have not
        for (FakeBoard* board : {&a, &b, &c}) bench.give(board->record(tick));
        bench.build();
    }
    bench.end();
    CHECK(bench.trigger.tick == 199);
    CHECK(bench.count("board0.number_disagreements") == 1);
    CHECK(bench.count("board1.number_disagreements") == 0);
    CHECK(bench.builder.ledger().ticks_expected == 200);
    CHECK(bench.ticks_balance());
}

TEST_CASE("a board that comes back between ticks and strobe triggers finds its place though it is early",
          "[run][builder][clocks]") {
    // Its records reach the host 3 ms faster than the other's: it is placed 3 ms early, between ticks 8.3 ms apart.
    FakeBoard a{.index = 0, .slowest_ms = 0}, b{.index = 1, .slowest_ms = 0};
    Bench bench{2};
    constexpr std::int64_t kEarly = 3'000'000;  // [ns]
    for (std::uint64_t half = 0; half < 2'000; ++half) {
        // Odd ones are strobe triggers, half a period behind their tick.
        const auto record = [&](FakeBoard& board) {
            RecordHeader header = board.record(half / 2);
            header.clock = half;
            if (half % 2 == 0) return header;
            header.time_ps += kTick / 2;
            header.utc_ns += kTick / 2000;
            header.trigger_class = TriggerClass::strobe;
            return header;
        };
        RecordHeader header = record(a);
        header.utc_ns += kEarly;
        bench.give(header);
        if (half == 1'000) b.reboot(tick_time(half / 2) - kSecond);
        if (half < 500 || half >= 1'000) {
            header = record(b);
            if (half == 1'000) header.flags |= record_flag::clock_restarted;
            bench.give(header);
        }
        bench.build();
    }
    bench.end();
    CHECK(bench.mixed == 0);
    CHECK(bench.ticks.size() == 2'000);
    CHECK(bench.lacking(1'100, 2'000, 0) == 900);
    CHECK(bench.count("board1.late_records") < 20);
}

TEST_CASE("the host's clock is set forward while a board is away", "[run][builder][clocks]") {
    FakeBoard a{.index = 0}, b{.index = 1};
    Bench bench{2};
    for (std::uint64_t tick = 0; tick < 3'000; ++tick) {
        const auto give = [&](RecordHeader header) {
            if (tick >= 1'000) header.utc_ns += 3'000'000'000;
            bench.give(header);
        };
        give(a.record(tick));
        if (tick == 1'400) b.reboot(tick_time(tick) - kSecond);
        if (tick < 900 || tick >= 1'400) {
            RecordHeader header = b.record(tick);
            if (tick == 1'400) header.flags |= record_flag::clock_restarted;
            give(header);
        }
        bench.build();
    }
    bench.end();
    CHECK(bench.mixed == 0);
    CHECK(bench.ticks.size() == 3'000);
    CHECK(bench.lacking(1'400, 3'000, 0) == 1'600);
}

TEST_CASE("of three boards any one may slip", "[run][builder][clocks]") {
    const std::uint16_t slips = GENERATE(std::uint16_t{0}, std::uint16_t{1}, std::uint16_t{2});
    FakeBoard a{.index = 0}, b{.index = 1, .zero_ps = -50 * kSecond}, c{.index = 2, .zero_ps = -9 * kSecond};
    FakeBoard* boards[] = {&a, &b, &c};
    Bench bench{3};
    for (std::uint64_t tick = 0; tick < 1'000; ++tick) {
        if (tick == 200) boards[slips]->zero_ps -= 3'000'000;  // 3 us
        for (FakeBoard* board : boards) bench.give(board->record(tick));
        bench.build();
    }
    bench.end();
    CHECK(bench.mixed == 0);
    CHECK(bench.lacking(0, 200, 0) == 200);
    CHECK(bench.lacking(240, 1'000, 0) == 760);
    CHECK(bench.count("board" + std::to_string(slips) + ".realigned") == 1);
}

TEST_CASE("boards that are triggered every ten seconds lose none, at the start and when one begins anew",
          "[run][builder][clocks]") {
    BuilderConfig config = by_host();
    config.tick_rate_hz = 0.1;
    FakeBoard a{.index = 0}, b{.index = 1, .zero_ps = -50 * kSecond};
    Bench bench{2, config};
    for (std::uint64_t tick = 0; tick < 40; ++tick) {
        const auto record = [&](FakeBoard& board) {
            RecordHeader header = board.record(600 * tick);
            header.clock = tick;
            return header;
        };
        bench.give(record(a));
        bench.build();
        if (tick == 20) b.reboot(tick_time(600 * tick) - kSecond);
        RecordHeader header = record(b);
        if (tick == 20) header.flags |= record_flag::clock_restarted;
        bench.give(header);
        bench.build();
    }
    bench.end();
    CHECK(bench.mixed == 0);
    CHECK(bench.ticks.size() == 40);
    CHECK(bench.lacking(0, 40, 0) == 40);
    CHECK(bench.count("board1.late_records") == 0);
}

TEST_CASE("all boards begin anew and one does not come back: the other measures time as before",
          "[run][builder][clocks]") {
    // The mains slow down by a part in 10^4 meanwhile: who puts ticks where they are expected loses 100 us a second.
    FakeBoard a{.index = 0}, b{.index = 1};
    const auto slow = [](std::uint64_t tick) {
        return tick < 1'000 ? 0 : static_cast<std::int64_t>(tick - 1'000) * kTick / 10'000;
    };
    const bool b_comes_back = GENERATE(false, true);
    Bench bench{2};
    for (std::uint64_t tick = 0; tick < 4'000; ++tick) {
        if (tick >= 800 && tick < 1'000) continue;
        if (tick == 1'000) a.reboot(tick_time(tick) - kSecond);
        if (tick == 2'000) b.reboot(tick_time(tick) - kSecond);
        for (FakeBoard* board : {&a, &b}) {
            if (board == &b && tick >= 800 && (!b_comes_back || tick < 2'000)) continue;
            RecordHeader header = board->record(tick);
            header.time_ps += slow(tick);
            header.utc_ns += slow(tick) / 1000;
            if (tick == (board == &a ? 1'000u : 2'000u)) header.flags |= record_flag::clock_restarted;
            bench.give(header);
        }
        bench.build();
    }
    bench.end();
    CHECK(bench.mixed == 0);
    REQUIRE(bench.ticks.size() == 3'800);
    const auto time_of = [&](std::uint64_t tick) { return bench.times[tick < 1'000 ? tick : tick - 200]; };
    for (std::uint64_t tick = 1'001; tick < 4'000; ++tick)
        REQUIRE(std::abs(time_of(tick) - time_of(1'000) - (tick_time(tick) - tick_time(1'000) + slow(tick))) <
                2'000'000);
    CHECK(bench.lacking(2'000, 4'000, 0) == (b_comes_back ? 2'000u : 0u));
}

TEST_CASE("one wrong stamp does not make a slower board missing", "[run][builder][clocks]") {
    FakeBoard a{.index = 0}, b{.index = 1}, c{.index = 2};
    Bench bench{3};
    std::vector<RecordHeader> on_their_way;  // of the third board, five ticks late
    for (std::uint64_t tick = 0; tick < 600; ++tick) {
        bench.give(a.record(tick));
        RecordHeader header = b.record(tick);
        if (tick == 200) header.time_ps += 100 * kSecond;
        bench.give(header);
        on_their_way.push_back(c.record(tick));
        if (tick >= 5) bench.give(on_their_way[tick - 5]);
        bench.build();
    }
    for (std::size_t i = 595; i < 600; ++i) bench.give(on_their_way[i]);
    bench.end();
    CHECK(bench.ticks.size() == 600);
    CHECK(bench.mixed == 0);
    CHECK(bench.count("board2.missing") == 0);
    CHECK(bench.lacking(0, 600, 0) == 599);
}

TEST_CASE("stamps and host times that are any number stop nobody", "[run][builder][clocks]") {
    constexpr std::int64_t kAny[] = {0, -1, 1, kNever, kForever, kNever + 1, -9 * kSecond, kForever / 1000};
    const bool host = GENERATE(false, true);
    const bool live = GENERATE(false, true);
    BuilderConfig config = by_host();
    config.clocks_by_host = live;
    config.mode = live ? WhenFull::refuse : WhenFull::wait;
    std::mt19937_64 random{7};
    FakeBoard a{.index = 0, .zero_ps = kSecond / 3}, b{.index = 1};
    Bench bench{2, config};
    for (std::uint64_t tick = 30; tick < 2'000; ++tick) {
        for (FakeBoard* board : {&a, &b}) {
            RecordHeader header = board->record(tick);
            if (tick < 1'000 && random() % 20 == 0) (host ? header.utc_ns : header.time_ps) = kAny[random() % 8];
            bench.give(header);
        }
        bench.build();
    }
    bench.end();
    if (live) {
        CHECK(bench.lacking(1'900, 2'000, 0) == 100);
        CHECK(bench.lacking(0, 1'000, 0) > (host ? 960u : 800u));
    }
    for (const auto& input : bench.inputs) CHECK(input->records.stats().used_bytes == 0);
}

TEST_CASE("what a board had kept until it was read again comes at once, and stands beside its own ticks",
          "[run][builder][clocks]") {
    const bool at_start = GENERATE(false, true);
    FakeBoard a{.index = 0}, b{.index = 1};
    Bench bench{2};
    std::vector<RecordHeader> kept;
    const std::uint64_t from = at_start ? 0 : 1'000, read = from + 90;  // 1.5 s, less than anybody waits for
    for (std::uint64_t tick = 0; tick < 2'000; ++tick) {
        bench.give(a.record(tick));
        if (tick == from) b.reboot(tick_time(tick) - kSecond);
        if (tick < 900 || tick >= from) kept.push_back(b.record(tick));
        if (tick == from) kept.back().flags |= record_flag::clock_restarted;
        if (tick < from || tick >= read) {
            // Read as fast as the link allows, one after the other, with a look in between.
            for (RecordHeader& header : kept) {
                if (tick == read) header.utc_ns = kept.back().utc_ns - 10'000'000 + 100'000 * (&header - kept.data());
                bench.give(header);
                if (!at_start) bench.build();
            }
            kept.clear();
        }
        bench.build();
    }
    bench.end();
    CHECK(bench.mixed == 0);
    CHECK(bench.ticks.size() == 2'000);
    CHECK(bench.lacking(from + 20, 2'000, 0) == 1'980 - from);
}

TEST_CASE("a board that triggers on noise beside the ticks keeps its place", "[run][builder][clocks]") {
    const std::uint16_t noisy = GENERATE(std::uint16_t{0}, std::uint16_t{1});
    FakeBoard a{.index = 0}, b{.index = 1, .zero_ps = -50 * kSecond};
    Bench bench{2};
    for (std::uint64_t tick = 0; tick < 600; ++tick) {
        const RecordHeader of_a = a.record(tick), of_b = b.record(tick);
        bench.give(of_a);
        bench.give(of_b);
        for (std::int64_t i = 1; i < 50 && tick >= 100; ++i) {
            RecordHeader header = noisy == 0 ? of_a : of_b;
            header.time_ps += i * 300'000'000;
            header.utc_ns += i * 300'000;
            header.clock = 1'000'000 + tick * 50 + static_cast<std::uint64_t>(i);
            bench.give(header);
        }
        bench.build();
    }
    bench.end();
    CHECK(bench.mixed == 0);
    CHECK(bench.lacking(0, 600, 0) == 600);
    CHECK(bench.ticks.size() == 600 + 500 * 49);
    CHECK(bench.count("board0.realigned") + bench.count("board1.realigned") == 0);
}

TEST_CASE("an ended board's records are built though it began anew again and again", "[run][builder][clocks]") {
    FakeBoard a{.index = 0}, b{.index = 1};
    Bench bench{2};
    for (std::uint64_t tick = 0; tick < 400; ++tick) {
        bench.give(a.record(tick));
        const bool anew = tick > 300 && tick % 3 == 0;
        if (anew) b.reboot(tick_time(tick) - kSecond / 100);
        RecordHeader header = b.record(tick);
        if (anew) header.flags |= record_flag::clock_restarted;
        bench.give(header);
        if (tick < 300) bench.build();
    }
    bench.end();
    CHECK(bench.mixed == 0);
    CHECK(bench.ticks.size() == 400);
    CHECK(bench.lacking(0, 400, 0) == 400);
    CHECK(bench.builder.backlog().triggers == 0);
    for (const auto& input : bench.inputs) CHECK(input->records.stats().used_bytes == 0);
}

TEST_CASE("all boards begin anew at the same moment", "[run][builder][clocks]") {
    FakeBoard a{.index = 0}, b{.index = 1, .zero_ps = -50 * kSecond}, c{.index = 2, .slowest_ms = 6};
    Bench bench{3};
    for (std::uint64_t tick = 0; tick < 1'200; ++tick) {
        if (tick >= 400 && tick < 700) continue;
        for (FakeBoard* board : {&a, &b, &c}) {
            if (tick == 700) board->reboot(tick_time(tick) - (1 + board->index) * kSecond);
            RecordHeader header = board->record(tick);
            if (tick == 700) header.flags |= record_flag::clock_restarted;
            bench.give(header);
            bench.build();
        }
    }
    bench.end();
    CHECK(bench.mixed == 0);
    CHECK(bench.ticks.size() == 900);
    CHECK(bench.lacking(0, 1'200, 0) == 900);
    CHECK(bench.builder.ledger().ticks_missed == 300);
    CHECK(bench.ticks_balance());
}

TEST_CASE("whatever boards do, their slots come back and every trigger has its own records", "[run][builder][clocks]") {
    const unsigned seed = GENERATE(range(1u, 100u));
    std::mt19937_64 random{seed};
    FakeBoard a{.index = 0, .fast_ppm = 2}, b{.index = 1, .zero_ps = -9 * kSecond, .slowest_ms = 5}, c{.index = 2};
    FakeBoard* boards[] = {&a, &b, &c};
    BuilderConfig config = by_host();
    CounterRegistry registry;
    const auto inputs = run_test::boards(3);
    EventBuilder builder{inputs, config, registry};
    std::vector<std::uint64_t> to_release;
    Trigger trigger;
    std::size_t mixed = 0, whole = 0, backwards = 0, n = 0;
    std::int64_t newest_ps = kNever;
    std::uint64_t last_tick = 0;
    const auto build = [&] {
        std::uint64_t consumed = 0;
        while (builder.next(trigger, consumed) == Built::trigger) {
            ++n;
            to_release.push_back(consumed);
            if (trigger.record_count > 0) {
                const std::uint64_t tick = trigger.records().front().header().clock;
                for (const RecordView& record : trigger.records()) mixed += record.header().clock != tick;
                if (tick > 9'000) whole += trigger.missing_boards == 0;
                last_tick = tick;
            }
            backwards += trigger.time_ps < newest_ps;
            newest_ps = std::max(newest_ps, trigger.time_ps);
            while (to_release.size() > random() % 40) {
                builder.release(to_release.front());
                to_release.erase(to_release.begin());
            }
        }
    };
    std::vector<RecordHeader> waiting[3];
    std::uint64_t away_until[3] = {0, 0, 0}, held_until[3] = {0, 0, 0};
    for (std::uint64_t tick = 0; tick < 10'000; ++tick) {
        for (int i = 0; i < 3; ++i) {
            FakeBoard& board = *boards[i];
            const bool quiet = tick > 8'000;
            if (tick < away_until[i]) continue;
            const bool back = away_until[i] == tick && tick > 0;
            if (back && random() % 4 != 0)
                board.reboot(tick_time(tick) - static_cast<std::int64_t>(random() % 5'000) * kMillisecond);
            RecordHeader header = board.record(tick);
            if (back) header.flags |= record_flag::clock_restarted;
            if (!quiet && random() % 500 == 0) {
                away_until[i] = tick + 1 + random() % 300;
                if (random() % 3 == 0) away_until[i] = tick + 1 + random() % 4;
            }
            if (!quiet && random() % 700 == 0) held_until[i] = tick + random() % 60;
            if (!quiet && random() % 300 == 0) header.time_ps += (random() % 2 == 0 ? 1 : -1) * 50 * kSecond;
            if (!quiet && random() % 300 == 0) {
                header.refusal = RefusalReason::buffer_full;
                header.refused = 1;
                header.samples_per_channel = 1;
                header.refused_last_time_ps = header.time_ps;
            }
            waiting[i].push_back(header);
            if (!quiet && random() % 400 == 0) waiting[i].push_back(header);
            if (tick < held_until[i]) continue;
            for (RecordHeader& one : waiting[i]) {
                one.utc_ns = std::max(one.utc_ns, header.utc_ns - 1'000'000);
                put(*inputs[i], one);
            }
            waiting[i].clear();
        }
        if (random() % 3 != 0) build();
    }
    for (int i = 0; i < 3; ++i)
        for (const RecordHeader& one : waiting[i]) put(*inputs[i], one);
    for (const auto& input : inputs) input->ended = true;
    build();
    build();
    for (const std::uint64_t consumed : to_release) builder.release(consumed);
    CAPTURE(seed, n);
    CHECK(mixed == 0);
    CHECK(backwards == 0);
    CHECK(whole == 999);
    CHECK(last_tick == 9'999);
    for (const auto& input : inputs) CHECK(input->records.stats().used_bytes == 0);
    CHECK(builder.backlog().triggers == 0);
}
