// Hits of several boards become triggers in the order of time, each with its tick, whatever the threads do.

#include <catch2/catch.hpp>

#include <random>

#include "daq/core/event.hpp"
#include "daq/run/beam_item.hpp"
#include "daq/run/hit_builder.hpp"
#include "fakes.hpp"

using namespace run_test;
using Built = TriggerBuilder::Built;

namespace {

constexpr std::int64_t kMicrosecond = 1'000'000;  // [ps]
constexpr std::int64_t kPeriod = 1'000 * kMicrosecond;

RecordHeader hit_at(std::int64_t us, std::uint16_t board) {
    RecordHeader header = record_at(0, us * kMicrosecond, board);
    header.trigger_class = TriggerClass::hit;
    return header;
}

BuilderConfig at_1_kHz(WhenFull mode) {
    BuilderConfig config;
    config.tick_rate_hz = 1'000;
    config.skew_ps = 2 * kMicrosecond;
    config.missing_after_ps = 50'000 * kMicrosecond;
    config.max_tick_wait_ps = 20'000 * kMicrosecond;
    config.mode = mode;
    return config;
}

/// What the tests compare of a trigger.
struct Seen {
    std::uint64_t sequence = 0;
    std::int64_t us = 0;
    std::uint16_t board = 0;
    std::uint64_t tick = 0;
    std::int64_t since_us = 0;
    std::uint32_t flags = 0;
    bool refused = false;
    friend bool operator==(const Seen&, const Seen&) = default;
};

struct Bench {
    explicit Bench(std::size_t n, BuilderConfig config = at_1_kHz(WhenFull::wait))
        : inputs{boards(n)}, builder{inputs, config, registry} {}

    void hit(std::int64_t us, std::uint16_t board = 0) { put(*inputs[board], hit_at(us, board)); }
    void tick(std::uint64_t number, std::int64_t late_us = 0) {
        const std::int64_t time_ps = static_cast<std::int64_t>(number) * kPeriod + late_us * kMicrosecond;
        const TickItem item{{.tick = number, .time_ps = time_ps, .utc_ns = 5, .reserved = {}},
                            inputs[0]->newest_time_ps};
        const std::span<std::byte> slot = inputs[0]->ticks.reserve(sizeof item);
        std::memcpy(slot.data(), &item, sizeof item);
        inputs[0]->ticks.commit();
    }
    void ticks(std::uint64_t first, std::uint64_t last) {
        for (std::uint64_t i = first; i <= last; ++i) tick(i);
    }
    Built next() { return builder.next(trigger, consumed); }
    /// All triggers that come out now.
    std::vector<Seen> take() {
        std::vector<Seen> all;
        while (next() == Built::trigger) {
            Seen seen{trigger.sequence,
                      trigger.time_ps / kMicrosecond,
                      0,
                      trigger.tick,
                      trigger.since_tick_ps / kMicrosecond,
                      trigger.tick_flags,
                      trigger.refusal != RefusalReason::none};
            if (!seen.refused) seen.board = trigger.record[0].header().board;
            all.push_back(seen);
            builder.release(consumed);
        }
        return all;
    }
    std::vector<TickRecord> take_ticks() {
        std::vector<TickRecord> all;
        for (TickRecord tick; builder.next_tick(tick);) all.push_back(tick);
        return all;
    }
    void end(std::size_t board) { inputs[board]->ended = true; }
    void end_all() {
        for (const auto& input : inputs) input->ended = true;
    }
    [[nodiscard]] std::uint64_t used(std::size_t b) const { return inputs[b]->records.stats().used_bytes; }
    std::uint64_t count(const char* name) { return registry.get(name).value(); }

    CounterRegistry registry;
    std::vector<std::unique_ptr<BoardInput>> inputs;
    HitBuilder builder;
    Trigger trigger;
    std::uint64_t consumed = 0;
};

}  // namespace

TEST_CASE("hits are numbered in the order of time across boards, timed from the first tick", "[run][hits]") {
    Bench bench{2};
    bench.ticks(5, 8);  // run time 0 is tick 5
    bench.hit(5'300, 0);
    bench.hit(4'900, 1);
    bench.hit(5'200, 1);
    bench.hit(5'600, 0);
    bench.end_all();
    REQUIRE(bench.take() ==
            std::vector<Seen>{
                {0, -100, 1, 5, -100, 0}, {1, 200, 1, 5, 200, 0}, {2, 300, 0, 5, 300, 0}, {3, 600, 0, 6, -400, 0}});
    REQUIRE(bench.next() == Built::end);
    REQUIRE(bench.used(0) + bench.used(1) == 0);
    REQUIRE(bench.trigger.trigger_class == TriggerClass::hit);
    const std::vector<TickRecord> ticks = bench.take_ticks();
    REQUIRE(ticks.size() == 4);
    REQUIRE(ticks[1].time_ps == kPeriod);
    REQUIRE(bench.builder.ledger().ticks_expected == 4);
    REQUIRE(bench.builder.ledger().ticks_seen == 4);
    REQUIRE(bench.builder.ledger().ticks_missed == 0);
    REQUIRE(bench.builder.ledger().triggers == 4);
}

TEST_CASE("a hit waits until every board has passed it by the skew", "[run][hits]") {
    Bench bench{2};
    bench.ticks(0, 9);
    bench.hit(100, 0);
    REQUIRE(bench.take().empty());  // its own board may still bring an earlier one
    bench.hit(102, 0);
    REQUIRE(bench.take().empty());
    bench.hit(101, 1);  // 101 is not 102
    REQUIRE(bench.take().empty());
    bench.hit(102, 1);
    REQUIRE(bench.take() == std::vector<Seen>{{0, 100, 0, 0, 100, 0}});
}

TEST_CASE("hits of one board that come in wrong order within the skew are put in order", "[run][hits]") {
    Bench bench{2};
    bench.ticks(0, 9);
    for (const std::int64_t us : {101, 100, 103, 102, 200}) bench.hit(us, 0);
    bench.hit(150, 1);
    bench.end_all();
    const std::vector<Seen> seen = bench.take();
    REQUIRE(seen.size() == 6);
    for (std::size_t i = 0; i < 4; ++i) {
        REQUIRE(seen[i].us == 100 + static_cast<std::int64_t>(i));
        REQUIRE(seen[i].flags == 0);
    }
    REQUIRE(bench.count("builder.hits_out_of_order") == 0);
    REQUIRE(bench.used(0) == 0);  // given back in the ring's order, though handed on in another
}

TEST_CASE("a board whose clock began anew is counted: its hits stand where the host's clock puts them", "[run][hits]") {
    Bench bench{1};
    bench.ticks(0, 9);
    bench.hit(100);
    RecordHeader back = hit_at(2'000, 0);
    back.flags = record_flag::clock_restarted;
    put(*bench.inputs[0], back);
    bench.hit(2'100);
    bench.end_all();
    REQUIRE(bench.take().size() == 3);
    REQUIRE(bench.count("builder.hit_clock_restarts") == 1);
}

TEST_CASE("a hit that comes later than the skew allows is counted, flagged and kept", "[run][hits]") {
    Bench bench{1};
    bench.ticks(0, 9);
    for (const std::int64_t us : {100, 110, 120, 95, 130}) bench.hit(us);
    bench.end_all();
    const std::vector<Seen> seen = bench.take();
    REQUIRE(seen.size() == 5);
    // 100 was handed on when 110 was there, 110 when 120 was; 95 comes then.
    REQUIRE(seen[2] == Seen{2, 95, 0, 0, 95, trigger_flag::clock_backwards});
    REQUIRE(seen[3] == Seen{3, 120, 0, 0, 120, 0});
    REQUIRE(bench.count("builder.hits_out_of_order") == 1);
}

TEST_CASE("the triggers do not depend on how the boards' records interleave", "[run][hits]") {
    // 300 hits of three boards, up to 1 us out of order on each board, 20 ticks, one of them lost.
    struct Item {
        std::int64_t us;
        std::uint16_t board;
    };
    std::mt19937 random{7};
    std::vector<std::vector<std::int64_t>> times(3);
    for (std::uint16_t b = 0; b < 3; ++b) {
        for (int i = 0; i < 100; ++i)
            times[b].push_back(std::uniform_int_distribution<std::int64_t>{0, 20'000}(random));
        std::sort(times[b].begin(), times[b].end());
        times[b].erase(std::unique(times[b].begin(), times[b].end()), times[b].end());
        for (std::size_t i = 1; i < times[b].size(); i += 2) {
            if (times[b][i] - times[b][i - 1] <= 1) std::swap(times[b][i], times[b][i - 1]);
        }
    }
    std::vector<Seen> first;
    std::vector<TickRecord> first_ticks;
    for (int round = 0; round < 50; ++round) {
        Bench bench{3};
        std::array<std::size_t, 3> at{};
        std::uint64_t next_tick = 0;
        std::vector<Seen> seen;
        std::vector<TickRecord> ticks;
        const auto look = [&] {
            for (const Seen& s : bench.take()) seen.push_back(s);
            for (const TickRecord& t : bench.take_ticks()) ticks.push_back(t);
        };
        while (at[0] < times[0].size() || at[1] < times[1].size() || at[2] < times[2].size()) {
            const auto b = static_cast<std::uint16_t>(std::uniform_int_distribution<int>{0, 2}(random));
            if (at[b] == times[b].size()) continue;
            const std::int64_t us = times[b][at[b]++];
            // A tick comes before any record of its board that is half a period later, and else when it likes.
            const std::int64_t ahead = std::uniform_int_distribution<std::int64_t>{0, 499}(random);
            while (b == 0 && static_cast<std::int64_t>(next_tick) * 1'000 <= us - ahead) {
                if (next_tick != 7) bench.tick(next_tick);
                ++next_tick;
            }
            bench.hit(us, b);
            if (random() % 3 == 0) look();
        }
        for (; next_tick <= 20; ++next_tick) bench.tick(next_tick);
        std::array<std::size_t, 3> order{0, 1, 2};
        std::shuffle(order.begin(), order.end(), random);
        for (const std::size_t b : order) {
            bench.end(b);
            look();
        }
        REQUIRE(bench.next() == Built::end);
        for (std::size_t i = 1; i < seen.size(); ++i) REQUIRE(seen[i].us >= seen[i - 1].us);
        if (round == 0) {
            first = seen;
            first_ticks = ticks;
            REQUIRE(first.size() == times[0].size() + times[1].size() + times[2].size());
            REQUIRE(first_ticks.size() == 20);
        }
        REQUIRE(seen == first);
        REQUIRE(ticks == first_ticks);
        REQUIRE(bench.builder.ledger().ticks_expected == 21);
        REQUIRE(bench.builder.ledger().ticks_missed == 1);
        for (std::size_t b = 0; b < 3; ++b) REQUIRE(bench.used(b) == 0);
    }
}

TEST_CASE("live, a silent board is not waited for beyond missing_after", "[run][hits]") {
    Bench bench{2, at_1_kHz(WhenFull::refuse)};
    bench.ticks(0, 9);
    bench.hit(100, 0);
    bench.hit(1'000, 0);
    REQUIRE(bench.take().empty());
    bench.hit(50'100, 0);  // exactly 50 ms on: not yet
    REQUIRE(bench.take().empty());
    bench.hit(50'101, 0);
    REQUIRE(bench.take().size() == 1);
    Bench replay{2};
    replay.ticks(0, 9);
    for (const std::int64_t us : {100, 1'000, 50'101}) replay.hit(us, 0);
    REQUIRE(replay.take().empty());  // a slow file is not silent
}

TEST_CASE("ticks alone carry time on: a quiet detector's last hit and its ticks do not wait for the next",
          "[run][hits]") {
    Bench bench{1, at_1_kHz(WhenFull::refuse)};
    bench.ticks(0, 1);
    bench.hit(100);
    REQUIRE(bench.take().empty());
    bench.ticks(2, 51);
    REQUIRE(bench.take() == std::vector<Seen>{{0, 100, 0, 0, 100, 0}});
    REQUIRE(bench.take_ticks().size() == 1);  // 1 ms is through; the reach of tick 1 ends at 1505 us
}

TEST_CASE("live, a hit whose tick's source is silent gives up, and the tick that comes then is late", "[run][hits]") {
    Bench bench{2, at_1_kHz(WhenFull::refuse)};
    bench.ticks(0, 2);
    bench.hit(100, 0);
    bench.hit(2'950, 0);  // then board 0 and its ticks are silent
    bench.hit(2'900, 1);
    bench.hit(22'900, 1);
    REQUIRE(bench.take() == std::vector<Seen>{{0, 100, 0, 0, 100, 0}});
    bench.hit(60'000, 1);
    REQUIRE(bench.take() ==
            std::vector<Seen>{{1, 2'900, 1, 0, 0, trigger_flag::no_tick}, {2, 2'950, 0, 0, 0, trigger_flag::no_tick}});
    bench.tick(3);
    bench.end_all();
    REQUIRE(bench.take().size() == 2);
    REQUIRE(bench.count("ticks.late") == 1);
    const std::vector<TickRecord> ticks = bench.take_ticks();
    REQUIRE(ticks.size() == 4);
    REQUIRE(ticks[3].flags == trigger_flag::late_tick);
}

TEST_CASE("refused hits have numbers in a row, and ticks near them are no exposure", "[run][hits]") {
    Bench bench{2};
    bench.ticks(0, 9);
    bench.hit(100, 0);
    RecordHeader stub = hit_at(2'900, 0);
    stub.refusal = RefusalReason::buffer_full;
    stub.refused = 3;
    stub.refused_last_time_ps = 4'100 * kMicrosecond;
    put(*bench.inputs[0], stub);
    bench.hit(5'000, 0);
    for (const std::int64_t us : {200, 3'000, 5'100}) bench.hit(us, 1);
    bench.end_all();
    const std::vector<Seen> seen = bench.take();
    REQUIRE(seen.size() == 8);
    REQUIRE(seen[1] == Seen{1, 200, 1, 0, 200, 0});
    for (std::size_t i = 2; i < 5; ++i) {
        REQUIRE(seen[i].refused);
        REQUIRE(seen[i].sequence == i);
        REQUIRE(seen[i].us == 2'900 + 600 * (static_cast<std::int64_t>(i) - 2));
    }
    REQUIRE(seen[5] == Seen{5, 3'000, 1, 3, 0, 0});  // of the other board, no wrong order
    REQUIRE(bench.count("builder.hits_out_of_order") == 0);
    REQUIRE(bench.used(0) == 0);
    const std::vector<TickRecord> ticks = bench.take_ticks();
    REQUIRE(ticks.size() == 10);
    for (std::size_t i = 0; i < 10; ++i) {
        REQUIRE(ticks[i].flags == (i == 3 || i == 4 ? trigger_flag::hits_refused : 0));  // reach: 2395 to 4605 us
    }
}

TEST_CASE("in a recorded run numbers and times are authoritative, ticks are given again", "[run][hits]") {
    BuilderConfig config = at_1_kHz(WhenFull::wait);
    config.recorded = true;
    Bench bench{2, config};
    const auto recorded = [&](std::uint64_t sequence, std::int64_t us, std::uint16_t board) {
        RecordHeader header = hit_at(us, board);
        header.sequence = sequence;
        put(*bench.inputs[board], header);
    };
    bench.ticks(0, 5);
    recorded(3, 300, 0);
    recorded(9, 2'000, 0);
    recorded(4, 1'200, 1);
    recorded(8, 1'100, 1);  // was flagged live
    REQUIRE(bench.take() == std::vector<Seen>{{3, 300, 0, 0, 300, 0},
                                              {4, 1'200, 1, 1, 200, 0},
                                              {8, 1'100, 1, 1, 100, trigger_flag::clock_backwards}});
    bench.end_all();
    REQUIRE(bench.take() == std::vector<Seen>{{9, 2'000, 0, 2, 0, 0}});
}

TEST_CASE("hits before the first tick, without a tick, and with no tick at all", "[run][hits]") {
    Bench early{1};
    early.hit(9'000);  // no tick in its reach: run time starts with it
    early.ticks(10, 11);
    early.hit(10'100);
    early.end_all();
    REQUIRE(early.take() == std::vector<Seen>{{0, 0, 0, 0, 0, trigger_flag::no_tick}, {1, 1'100, 0, 10, 100, 0}});

    Bench none{1};
    none.hit(100);
    none.hit(300);
    none.end_all();
    REQUIRE(none.take() ==
            std::vector<Seen>{{0, 0, 0, 0, 0, trigger_flag::no_tick}, {1, 200, 0, 0, 0, trigger_flag::no_tick}});
    REQUIRE(none.count("ticks.hits_without_tick") == 2);
    REQUIRE(none.builder.ledger().ticks_seen == 0);
}

TEST_CASE("the books of ticks balance for lost, doubled and strayed ticks", "[run][hits]") {
    Bench bench{1};
    bench.ticks(0, 4);
    bench.tick(4);      // delivered twice
    bench.ticks(7, 9);  // two lost
    bench.tick(6);      // one of them comes after all, out of order
    bench.tick(10);
    bench.end_all();
    REQUIRE(bench.next() == Built::end);
    REQUIRE(bench.take_ticks().size() == 11);
    REQUIRE(bench.builder.ledger().ticks_expected == 11);
    REQUIRE(bench.builder.ledger().ticks_seen == 10);
    REQUIRE(bench.builder.ledger().ticks_missed == 1);
}

TEST_CASE("a replay whose ring is too small for the hits of a tick says so instead of waiting for ever",
          "[run][hits]") {
    Bench bench{1};
    bench.hit(100);
    bench.hit(300);
    REQUIRE(bench.take().empty());
    bench.inputs[0]->waits = std::uint64_t{bench.inputs[0]->space.value()} + 1;  // as the reader says it
    REQUIRE_THROWS_WITH(bench.next(), Catch::Contains("board board0: its ring holds less than"));
    bench.inputs[0]->space.ring();  // there was room since
    REQUIRE(bench.next() == Built::nothing);
}
