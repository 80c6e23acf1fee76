#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <cstdlib>
#include <cstring>

#include "daq/run/event_builder.hpp"
#include "fakes.hpp"

using namespace run_test;
using Built = EventBuilder::Built;

namespace {

struct Bench {
    explicit Bench(std::size_t n, BuilderConfig config = {}) : inputs{boards(n)}, builder{inputs, config, registry} {}
    Built next() { return builder.next(trigger, consumed); }
    void end_all() {
        for (const auto& input : inputs) input->ended = true;
    }
    [[nodiscard]] std::uint64_t used(std::size_t b) const { return inputs[b]->records.stats().used_bytes; }

    CounterRegistry registry;
    std::vector<std::unique_ptr<BoardInput>> inputs;
    EventBuilder builder;
    Trigger trigger;
    std::uint64_t consumed = 0;
};

BuilderConfig waiting() {
    BuilderConfig config;
    config.mode = WhenFull::wait;
    return config;
}

}  // namespace

TEST_CASE("the triggers of one board are numbered from 0 and timed from the first", "[run][builder]") {
    Bench bench{1};
    for (std::uint64_t i = 0; i < 3; ++i)
        put(*bench.inputs[0], record_at(100 + i, 5'000 + static_cast<std::int64_t>(i) * kTick));
    for (std::uint64_t i = 0; i < 3; ++i) {
        REQUIRE(bench.next() == Built::trigger);
        CHECK(bench.trigger.sequence == i);
        CHECK(bench.trigger.time_ps == static_cast<std::int64_t>(i) * kTick);
        CHECK(bench.trigger.record_count == 1);
        CHECK(bench.trigger.tick == 100 + i);
        CHECK(bench.consumed == 1);
    }
    CHECK(bench.next() == Built::nothing);
    bench.end_all();
    CHECK(bench.next() == Built::end);
    for (int i = 0; i < 3; ++i) bench.builder.release(1);
    CHECK(bench.used(0) == 0);
}

TEST_CASE("two boards are merged by the time since their own first record", "[run][builder]") {
    Bench bench{2};
    for (int i = 0; i < 2; ++i) {
        put(*bench.inputs[0], record_at(10 + static_cast<std::uint64_t>(i), 7 * kMillisecond + i * kTick, 0));
        put(*bench.inputs[1],
            record_at(500 + static_cast<std::uint64_t>(i), 90 * kMillisecond + i * kTick + i * 900'000,
                      1));  // 0.9 us late: within the skew
    }
    for (std::uint64_t i = 0; i < 2; ++i) {
        REQUIRE(bench.next() == Built::trigger);
        CHECK(bench.trigger.record_count == 2);
        CHECK(bench.trigger.missing_boards == 0);
        CHECK(bench.consumed == 3);
        CHECK(bench.trigger.tick == 10 + i);
        CHECK(bench.trigger.of_board(1)->header().counter == 500 + i);
    }
    CHECK(bench.builder.ledger().closes() == false);  // recorded and refused are the pipeline's to count
    CHECK(bench.builder.ledger().triggers == 2);
}

TEST_CASE("live, a board is missing only when the others' data time is far enough on", "[run][builder]") {
    Bench bench{2};
    put(*bench.inputs[0], record_at(0, 0, 0));
    put(*bench.inputs[1], record_at(0, 0, 1));
    REQUIRE(bench.next() == Built::trigger);
    put(*bench.inputs[0], record_at(1, kTick, 0));
    CHECK(bench.next() == Built::nothing);
    put(*bench.inputs[0], record_at(2, kTick + 2'000 * kMillisecond, 0));  // exactly 2 s: not yet
    CHECK(bench.next() == Built::nothing);
    put(*bench.inputs[0], record_at(3, kTick + 2'000 * kMillisecond + 1, 0));
    REQUIRE(bench.next() == Built::trigger);
    CHECK(bench.trigger.sequence == 1);
    CHECK(bench.trigger.missing_boards == 2);
    CHECK(bench.trigger.record_count == 1);
    CHECK(bench.registry.get("builder.incomplete_triggers").value() == 1);
}

TEST_CASE("in replay a slow board is waited for until it has ended", "[run][builder]") {
    Bench bench{2, waiting()};
    put(*bench.inputs[0], record_at(0, 0, 0));
    put(*bench.inputs[0], record_at(1, 1'000'000 * kMillisecond, 0));
    CHECK(bench.next() == Built::nothing);
    bench.inputs[1]->ended = true;
    REQUIRE(bench.next() == Built::trigger);
    CHECK(bench.trigger.missing_boards == 2);
}

TEST_CASE("a missing reference board changes neither the tick numbers nor the ledger", "[run][builder]") {
    Bench bench{2, waiting()};
    for (std::uint64_t i = 0; i < 4; ++i) {
        const std::int64_t time_ps = static_cast<std::int64_t>(i) * kTick;
        if (i != 2) put(*bench.inputs[0], record_at(10 + i, time_ps, 0));
        put(*bench.inputs[1], record_at(7'000 + i, time_ps, 1));
    }
    bench.end_all();
    for (std::uint64_t i = 0; i < 4; ++i) {
        REQUIRE(bench.next() == Built::trigger);
        CHECK(bench.trigger.tick == 10 + i);
        CHECK(bench.trigger.missing_boards == (i == 2 ? 1u : 0u));
    }
    CHECK(bench.builder.ledger().ticks_expected == 4);
    CHECK(bench.builder.ledger().ticks_seen == 4);
    CHECK(bench.builder.ledger().ticks_missed == 0);
}

TEST_CASE("a stub numbers every trigger it stands for and refuses the whole of each", "[run][builder]") {
    Bench bench{2, waiting()};
    put(*bench.inputs[0], record_at(0, 0, 0));
    put(*bench.inputs[0], stub_at(1, kTick, 3, 3 * kTick, 0));
    put(*bench.inputs[0], record_at(4, 4 * kTick, 0));
    for (std::uint64_t i = 0; i < 5; ++i) {
        // 40 us off the even pace: the mains move the ticks, the stub's middle times are only interpolated.
        put(*bench.inputs[1], record_at(i, static_cast<std::int64_t>(i) * kTick + (i == 2 ? 40'000'000 : 0), 1));
    }
    bench.end_all();
    for (std::uint64_t i = 0; i < 5; ++i) {
        REQUIRE(bench.next() == Built::trigger);
        const bool refused = i >= 1 && i <= 3;
        CHECK(bench.trigger.sequence == i);
        CHECK(bench.trigger.missing_boards == 0);
        CHECK(bench.trigger.time_ps == static_cast<std::int64_t>(i) * kTick);
        CHECK(std::abs(bench.trigger.utc_ns - (1'000'000'000 + bench.trigger.time_ps / 1000)) <= 1);  // rounded twice
        CHECK(bench.trigger.refusal == (refused ? RefusalReason::buffer_full : RefusalReason::none));
        CHECK(bench.trigger.record_count == (refused ? 0 : 2));
        CHECK(bench.consumed == (i == 1 || i == 2 ? 2u : 3u));  // the stub's slot goes with its last trigger
        bench.builder.release(bench.consumed);
    }
    CHECK(bench.next() == Built::end);
    CHECK(bench.used(0) == 0);
    CHECK(bench.used(1) == 0);
    CHECK(bench.builder.ledger().ticks_expected == 5);
    CHECK(bench.builder.ledger().ticks_seen == 5);
}

TEST_CASE("recorded membership is authoritative and keeps its gaps", "[run][builder]") {
    Bench bench{2, waiting()};
    const auto recorded = [](std::uint64_t sequence, std::int64_t time_ps, std::uint16_t board) {
        RecordHeader header = record_at(sequence, time_ps, board);
        header.sequence = sequence;
        return header;
    };
    put(*bench.inputs[0], recorded(5, 5 * kTick, 0));
    put(*bench.inputs[0], recorded(9, 9 * kTick, 0));
    put(*bench.inputs[1], recorded(9, 9 * kTick + 50 * kMillisecond, 1));  // by time it would not belong
    put(*bench.inputs[1], recorded(10, 10 * kTick, 1));
    bench.end_all();
    const std::vector<std::pair<std::uint64_t, std::uint64_t>> expected{{5, 2}, {9, 0}, {10, 1}};
    for (const auto& [sequence, missing] : expected) {
        REQUIRE(bench.next() == Built::trigger);
        CHECK(bench.trigger.sequence == sequence);
        CHECK(bench.trigger.missing_boards == missing);
        CHECK(bench.trigger.time_ps == static_cast<std::int64_t>(sequence) * kTick);
    }
    CHECK(bench.next() == Built::end);
}

TEST_CASE("ticks expected by counter are those seen and those missed by time", "[run][builder]") {
    Bench bench{1};
    std::uint64_t seen = 0;
    for (const std::uint64_t counter : {100u, 101u, 104u, 105u, 110u}) {  // 102, 103 and 106 to 109 never came
        put(*bench.inputs[0], record_at(counter, static_cast<std::int64_t>(counter) * kTick));
        REQUIRE(bench.next() == Built::trigger);
        CHECK(bench.trigger.sequence == seen++);
    }
    CHECK(bench.builder.ledger().ticks_expected == 11);
    CHECK(bench.builder.ledger().ticks_seen == 5);
    CHECK(bench.builder.ledger().ticks_missed == 6);
}

TEST_CASE("triggers that are not ticks take no part in the books of ticks", "[run][builder]") {
    Bench bench{1};
    for (std::uint64_t i = 0; i < 9; ++i) {  // every third a strobe, half a tick after its tick
        const std::uint64_t tick = i / 3 * 2 + std::min<std::uint64_t>(i % 3, 1);
        RecordHeader header = record_at(i, static_cast<std::int64_t>(tick) * kTick + (i % 3 == 2 ? kTick / 2 : 0));
        if (i % 3 == 2) header.trigger_class = TriggerClass::strobe;
        put(*bench.inputs[0], header);
        REQUIRE(bench.next() == Built::trigger);
    }
    CHECK(bench.builder.ledger().ticks_expected == 6);
    CHECK(bench.builder.ledger().ticks_seen == 6);
    CHECK(bench.builder.ledger().ticks_missed == 0);
    CHECK(bench.builder.ledger().triggers == 9);
}

TEST_CASE("a clock that runs backwards is counted, and nothing wraps", "[run][builder]") {
    Bench bench{1};
    for (const auto& [counter, time] :
         std::vector<std::pair<std::uint64_t, std::int64_t>>{{100, 10}, {101, 11}, {3, 2}, {102, 12}}) {
        put(*bench.inputs[0], record_at(counter, time * kTick));
        REQUIRE(bench.next() == Built::trigger);
    }
    CHECK(bench.registry.get("builder.time_backwards").value() == 1);
    CHECK(bench.builder.ledger().ticks_expected == 3);
}

TEST_CASE("where ticks come only with beam a pause is no tick, and no number is doubted for it", "[run][builder]") {
    BuilderConfig config;
    config.gaps_are_missing = false;
    Bench bench{1, config};
    std::uint64_t counter = 40;
    for (const int at : {0, 1, 2, 3, 20, 21, 22, 700, 701, 2'000, 2'001}) {
        put(*bench.inputs[0], record_at(counter++, at * kTick));
        REQUIRE(bench.next() == Built::trigger);
        CHECK(bench.trigger.tick == counter - 1);
    }
    CHECK(bench.registry.get("builder.board0.number_disagreements").value() == 0);
    CHECK(bench.builder.ledger().ticks_expected == 11);
    CHECK(bench.builder.ledger().ticks_seen == 11);
    CHECK(bench.builder.ledger().ticks_missed == 0);
}

TEST_CASE("a clock that is set forward loses no tick and opens no books: the board's numbers tell", "[run][builder]") {
    const double forward = GENERATE(0.8, 1.5, 10.3);  // in periods
    Bench bench{1};
    for (std::uint64_t i = 0; i < 60; ++i) {
        const std::int64_t set_ps = i < 30 ? 0 : std::llround(forward * double(kTick));
        put(*bench.inputs[0], record_at(100 + i, static_cast<std::int64_t>(i) * kTick + set_ps));
        REQUIRE(bench.next() == Built::trigger);
        CHECK(bench.trigger.tick == 100 + i);
    }
    CHECK(bench.builder.ledger().ticks_expected == 60);
    CHECK(bench.builder.ledger().ticks_seen == 60);
    CHECK(bench.builder.ledger().ticks_missed == 0);
    CHECK(bench.registry.get("builder.board0.number_disagreements").value() == 0);
}

TEST_CASE("a second tick of one pulse, then a lost one: every number is the board's own", "[run][builder]") {
    const std::uint64_t at = GENERATE(1u, 2u, 20u);
    Bench bench{1};
    std::uint64_t number = 100;
    for (std::uint64_t i = 0; i < 40; ++i) {
        if (i == at + 1) {
            ++number;
            continue;
        }
        put(*bench.inputs[0], record_at(number++, static_cast<std::int64_t>(i) * kTick));
        REQUIRE(bench.next() == Built::trigger);
        CHECK(bench.trigger.tick == number - 1);
        if (i != at) continue;
        put(*bench.inputs[0], record_at(number++, static_cast<std::int64_t>(i) * kTick + kTick / 1000));
        REQUIRE(bench.next() == Built::trigger);
        CHECK(bench.trigger.tick == number - 1);
    }
    CHECK(bench.registry.get("builder.board0.number_disagreements").value() == 0);
    CHECK(bench.builder.ledger().ticks_expected == 41);
    CHECK(bench.builder.ledger().ticks_seen == 40);
    CHECK(bench.builder.ledger().ticks_missed == 1);
}

TEST_CASE("numbers are judged no finer than the stamps", "[run][builder]") {
    BuilderConfig config;
    config.time_resolution_ps = 15'600'000'000;  // 15.6 ms
    Bench bench{1, config};
    for (std::uint64_t i = 0; i < 1'200; ++i) {
        const std::int64_t time_ps = static_cast<std::int64_t>(i) * kTick;
        put(*bench.inputs[0], record_at(i, time_ps / config.time_resolution_ps * config.time_resolution_ps));
        REQUIRE(bench.next() == Built::trigger);
        CHECK(bench.trigger.tick == i);
    }
    CHECK(bench.registry.get("builder.board0.number_disagreements").value() == 0);
    CHECK(bench.builder.ledger().ticks_expected == 1'200);
    CHECK(bench.builder.ledger().ticks_missed == 0);
}

TEST_CASE("what a driver numbers by itself is given up when the board's own numbers go on", "[run][builder]") {
    Bench bench{1};
    std::uint64_t own = 100, given = 100;
    for (std::uint64_t i = 0; i < 200; ++i, ++own) {
        if (i == 50) continue;  // lost: the four behind it have numbers that the driver does not believe
        given = i > 50 && i <= 54 ? given + 1 : own;
        put(*bench.inputs[0], record_at(given, static_cast<std::int64_t>(i) * kTick));
        REQUIRE(bench.next() == Built::trigger);
    }
    CHECK(bench.trigger.tick == 299);
    CHECK(bench.builder.ledger().ticks_expected == 200);
    CHECK(bench.builder.ledger().ticks_seen == 199);
    CHECK(bench.builder.ledger().ticks_missed == 1);
}

TEST_CASE("a board that counts anew behind strobes leaves no absurd number of missing ticks", "[run][builder]") {
    Bench bench{1};
    std::uint64_t number = 0;
    const auto give = [&](double periods, TriggerClass trigger_class) {
        RecordHeader header = record_at(number++, std::llround(periods * double(kTick)));
        header.trigger_class = trigger_class;
        put(*bench.inputs[0], header);
        REQUIRE(bench.next() == Built::trigger);
    };
    for (int i = 0; i < 30; ++i) give(i, TriggerClass::beam_tick), give(i + 0.5, TriggerClass::strobe);
    number = 0;
    for (int i = 30; i < 60; ++i) give(i + 0.3, TriggerClass::beam_tick);
    CHECK(bench.builder.ledger().ticks_missed == 0);
}

TEST_CASE("ticks are judged by their times and the books of ticks still balance", "[run][builder]") {
    struct Tick {
        double at = 0;  // in periods
        std::uint32_t flags = 0;
    };
    Bench bench{1};
    std::vector<Tick> ticks;
    for (int i = 0; i < 20; ++i) ticks.push_back({double(i)});
    ticks.push_back({19.0001, trigger_flag::duplicate_tick});
    ticks.push_back({20});
    ticks.push_back({21.3, trigger_flag::tick_out_of_phase});  // instead of 21
    ticks.push_back({22});
    ticks.push_back({15, trigger_flag::tick_backwards});  // instead of 23
    ticks.push_back({24});
    std::uint64_t counter = 100;
    for (const Tick& tick : ticks) {
        put(*bench.inputs[0], record_at(counter++, std::llround(tick.at * double(kTick))));
        REQUIRE(bench.next() == Built::trigger);
        CHECK(bench.trigger.tick_flags == tick.flags);
    }
    counter += 3;  // 25, 26 and 27 never came
    put(*bench.inputs[0], record_at(counter, 28 * kTick));
    REQUIRE(bench.next() == Built::trigger);
    CHECK(bench.trigger.tick_flags == trigger_flag::after_missing_tick);
    const Ledger& ledger = bench.builder.ledger();
    CHECK(ledger.ticks_missed == 3);
    CHECK(ledger.ticks_expected == ledger.ticks_seen + ledger.ticks_missed);
    CHECK(bench.registry.get("ticks.missing").value() == 3);
    CHECK(bench.registry.get("ticks.duplicate").value() == 1);
    CHECK(bench.registry.get("ticks.out_of_phase").value() == 1);
    CHECK(bench.registry.get("ticks.backwards").value() == 1);
}

TEST_CASE("strobes between ticks and stamps that could not be read disturb no tick", "[run][builder]") {
    Bench bench{1};
    for (std::uint64_t i = 0; i < 40; ++i) {
        RecordHeader header = record_at(i, static_cast<std::int64_t>(i / 2) * kTick);
        if (i % 2 == 1) {
            header.trigger_class = TriggerClass::strobe;
            header.time_ps += kTick / 3;
        } else if (i == 20) {
            header.flags = record_flag::bad_time;
            header.time_ps -= 7 * kTick / 2;
        }
        put(*bench.inputs[0], header);
        REQUIRE(bench.next() == Built::trigger);
        CHECK(bench.trigger.tick_flags == 0);
    }
    CHECK(bench.builder.ledger().ticks_missed == 0);
}

TEST_CASE("refused ticks are there without a time: one stub or many, the next is judged the same", "[run][builder]") {
    const bool merged = GENERATE(false, true);
    Bench bench{1};
    for (std::uint64_t i = 0; i < 20; ++i) put(*bench.inputs[0], record_at(i, static_cast<std::int64_t>(i) * kTick));
    if (merged) {
        put(*bench.inputs[0], stub_at(20, 20 * kTick, 3, 23 * kTick));  // 21 to 23 with one that never came: 22
    } else {
        for (const int i : {20, 21, 23})
            put(*bench.inputs[0], stub_at(static_cast<std::uint64_t>(i), i * kTick, 1, i * kTick));
    }
    put(*bench.inputs[0], record_at(24, 24 * kTick));
    for (int i = 0; i < 23; ++i) {
        REQUIRE(bench.next() == Built::trigger);
        CHECK(bench.trigger.tick_flags == 0);
    }
    // Also if the run ended here; a merged stub hides the gap from the counter and from the clock alike.
    CHECK(bench.builder.ledger().ticks_missed == (merged ? 0 : 1));
    CHECK(bench.builder.ledger().ticks_expected == (merged ? 23 : 24));
    REQUIRE(bench.next() == Built::trigger);
    CHECK(bench.trigger.tick_flags == trigger_flag::after_missing_tick);
    CHECK(bench.builder.ledger().ticks_missed == 1);
    CHECK(bench.builder.ledger().ticks_expected == 25);
}

TEST_CASE("ticks missing before and within a merged stub open the books at no trigger", "[run][builder]") {
    Bench bench{1};
    for (std::uint64_t i = 0; i <= 20; ++i) put(*bench.inputs[0], record_at(i, static_cast<std::int64_t>(i) * kTick));
    put(*bench.inputs[0], stub_at(21, 21 * kTick, 1, 21 * kTick));
    put(*bench.inputs[0], stub_at(24, 24 * kTick, 100, 130 * kTick));  // 22 and 23 never came, and 7 of 24 to 130
    put(*bench.inputs[0], stub_at(132, 132 * kTick, 1, 132 * kTick));  // nor did 131
    put(*bench.inputs[0], record_at(133, 133 * kTick));
    const Ledger& ledger = bench.builder.ledger();
    std::uint64_t missed_at_21 = 99, missed_at_24 = 99, missed_at_132 = 99;
    for (std::uint64_t sequence = 0; sequence < 124; ++sequence) {
        REQUIRE(bench.next() == Built::trigger);
        REQUIRE(ledger.ticks_seen == sequence + 1);
        REQUIRE(ledger.ticks_expected == ledger.ticks_seen + ledger.ticks_missed);
        if (sequence == 21) missed_at_21 = ledger.ticks_missed;
        if (sequence == 22) missed_at_24 = ledger.ticks_missed;
        if (sequence == 122) missed_at_132 = ledger.ticks_missed;
    }
    CHECK(missed_at_21 == 0);
    CHECK(missed_at_24 == 2);
    CHECK(missed_at_132 == 10);
    CHECK(ledger.ticks_expected == 134);
    CHECK(ledger.ticks_missed == 10);
    CHECK(bench.trigger.tick_flags == trigger_flag::after_missing_tick);
}

TEST_CASE("in replay a trigger without samples is a tick as any other", "[run][builder]") {
    Bench bench{2, waiting()};
    for (std::uint64_t i = 0; i < 40; ++i) {
        const std::uint64_t tick = i < 30 ? i : i + 2;  // 30 and 31 never came
        RecordHeader header = record_at(100 + tick, static_cast<std::int64_t>(tick) * kTick);
        header.sequence = i;
        const bool bare = i % 3 != 0;  // 30 is kept; so is 27, not 28 and 29
        if (bare) {
            header.refusal = RefusalReason::not_kept;
            header.refused = 1;
            header.refused_last_time_ps = header.time_ps;
            header.samples_per_channel = 1;
        }
        put(*bench.inputs[0], header);
        if (!bare) {
            header.board = 1;
            put(*bench.inputs[1], header);
        }
    }
    bench.end_all();
    for (std::uint64_t i = 0; i < 40; ++i) {
        REQUIRE(bench.next() == Built::trigger);
        CHECK(bench.trigger.sequence == i);
        CHECK((bench.trigger.refusal == RefusalReason::not_kept) == (i % 3 != 0));
        CHECK(bench.trigger.tick_flags == (i == 30 ? trigger_flag::after_missing_tick : 0));
        CHECK(bench.builder.ledger().ticks_expected ==
              bench.builder.ledger().ticks_seen + bench.builder.ledger().ticks_missed);
    }
    CHECK(bench.builder.ledger().ticks_missed == 2);
    CHECK(bench.registry.get("builder.incomplete_triggers").value() == 0);  // its stub stands for all boards
}

TEST_CASE("a merged stub of ticks and strobes counts each as what it is", "[run][builder]") {
    // Ticks every period, a strobe half a period behind each: numbers 0, 1 are tick 0 and its strobe.
    const bool begins_with_strobe = GENERATE(false, true);
    const auto record = [](std::uint64_t number) {
        RecordHeader header = record_at(number, static_cast<std::int64_t>(number) * kTick / 2);
        if (number % 2 == 1) header.trigger_class = TriggerClass::strobe;
        return header;
    };
    Bench bench{1};
    const std::uint64_t first = begins_with_strobe ? 41 : 40;
    for (std::uint64_t i = 0; i < first; ++i) put(*bench.inputs[0], record(i));
    // As far as number 140, a tick; of ticks 25 to 29 (numbers 50, 52 .. 58) none came, of their strobes all.
    const std::uint64_t numbers = 140 - first + 1, refused = numbers - 5, ticks = begins_with_strobe ? 45 : 46;
    RecordHeader stub = record(first);
    stub.refusal = RefusalReason::buffer_full;
    stub.refused = static_cast<std::uint32_t>(refused);
    stub.samples_per_channel = static_cast<std::uint32_t>(ticks);
    stub.refused_last_time_ps = 70 * kTick;
    put(*bench.inputs[0], stub);
    put(*bench.inputs[0], record(141));
    put(*bench.inputs[0], record(142));
    const Ledger& ledger = bench.builder.ledger();
    for (std::uint64_t i = 0; i < first + refused + 2; ++i) {
        REQUIRE(bench.next() == Built::trigger);
        REQUIRE(ledger.ticks_expected == ledger.ticks_seen + ledger.ticks_missed);
    }
    CHECK(ledger.ticks_expected == 72);  // 0 to 71
    CHECK(ledger.ticks_seen == 67);
    CHECK(ledger.ticks_missed == 5);
}

TEST_CASE("behind a stall in which the mains wandered by a tick the counter says how many are missing",
          "[run][builder]") {
    // By hand: 20,000 periods that are 8e-5 longer than those before are 1.6 of the old ones more; the time alone says
    // that 20,002 have passed. It allows 20,000 x 1e-4 = 2 either way.
    const std::int64_t slow = kTick + kTick / 12'500;
    Bench bench{1};
    for (std::uint64_t i = 0; i <= 40; ++i) put(*bench.inputs[0], record_at(i, static_cast<std::int64_t>(i) * kTick));
    const std::int64_t last = 40 * kTick;
    put(*bench.inputs[0], stub_at(41, last + slow, 18'999, last + 19'998 * slow));
    put(*bench.inputs[0], stub_at(40 + 19'999, last + 19'999 * slow, 1, last + 19'999 * slow));
    const auto counter_is_wrong_by = GENERATE(0, 5);
    put(*bench.inputs[0],
        record_at(static_cast<std::uint64_t>(40 + 20'000 + counter_is_wrong_by), last + 20'000 * slow));
    for (int i = 0; i < 41 + 18'999 + 1; ++i) {
        REQUIRE(bench.next() == Built::trigger);
        REQUIRE(bench.builder.ledger().ticks_expected ==
                bench.builder.ledger().ticks_seen + bench.builder.ledger().ticks_missed);
    }
    REQUIRE(bench.next() == Built::trigger);
    const Ledger& ledger = bench.builder.ledger();
    CHECK(ledger.ticks_seen == 41 + 18'999 + 2);
    CHECK(ledger.ticks_missed ==
          (counter_is_wrong_by == 0 ? 999 : 1'001));  // a counter that cannot be is not believed:
    CHECK(ledger.ticks_expected == 20'041u + static_cast<unsigned>(counter_is_wrong_by));  // the books do not balance
}

TEST_CASE("a tick in a channel is judged where it stands, not where the board's stamp is", "[run][builder]") {
    Bench bench{1};
    BoardInfo board;
    board.samples = 400;
    board.sample_period_ps = 2'000'000;
    board.channels = {{"timing", false, "plain"}};
    bench.builder.look_for_ticks(TickEdgeFinder{{.channel = {0, 0, true},
                                                 .pulse = {.threshold_adc = 10, .min_samples = 3},
                                                 .dead_samples = 20,
                                                 .baseline_samples = 100,
                                                 .stamp_sample = 300},
                                                {board}});
    for (int i = 0; i < 30; ++i) {
        const std::int64_t early = i * 37 % 90;  // samples: up to 0.18 ms, nine times the tolerance of a tick
        RecordHeader header = record_at(static_cast<std::uint64_t>(i), i * kTick - early * board.sample_period_ps);
        header.channels = 1;
        header.channel_mask = 1;
        header.samples_per_channel = 400;
        const std::span<std::byte> slot = bench.inputs[0]->records.reserve(sizeof header + payload_bytes(header));
        std::memcpy(slot.data(), &header, sizeof header);
        const auto samples = slot.subspan(sizeof header);
        std::fill(samples.begin(), samples.end(), std::byte{0});
        const auto edge = samples.begin() + 300 + early;
        if (i != 25) std::fill(edge, edge + 5, std::byte{50});
        bench.inputs[0]->records.commit();

        REQUIRE(bench.next() == Built::trigger);
        const std::uint32_t expected = i == 25 ? trigger_flag::no_tick : i == 26 ? trigger_flag::after_missing_tick : 0;
        CHECK(bench.trigger.tick_flags == expected);
        CHECK(bench.trigger.since_tick_ps == (i == 25 ? 0 : -early * board.sample_period_ps));
    }
    CHECK(bench.registry.get("ticks.not_found").value() == 1);
    // The board counts triggers and the channel shows ticks: two things that need not be as many.
    CHECK_FALSE(bench.builder.ledger().has_ticks);
}
