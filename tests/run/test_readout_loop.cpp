#include <catch2/catch.hpp>

#include "daq/core/error.hpp"
#include "daq/core/worker.hpp"
#include "daq/run/beam_item.hpp"
#include "daq/run/readout_loop.hpp"
#include "fakes.hpp"

using namespace run_test;
using Step = ScriptedSource::Step;
using Next = RecordSource::Next;

namespace {

constexpr std::size_t kRing = 1u << 20;  // less the stubs' reserve: room for a few records of 64 kB

RecordHeader big(std::uint64_t counter) {
    RecordHeader header = record_at(counter, static_cast<std::int64_t>(counter) * kTick);
    header.channels = 1;
    header.samples_per_channel = 60'000;
    if (counter % 3 == 2) header.trigger_class = TriggerClass::strobe;
    return header;
}

std::vector<Step> big_steps(std::uint64_t n) {
    std::vector<Step> steps;
    for (std::uint64_t i = 0; i < n; ++i) steps.push_back({Next::record, big(i), {}});
    return steps;
}

/// All headers in the ring, each released.
std::vector<RecordHeader> drain(BoardInput& input) {
    std::vector<RecordHeader> headers;
    for (auto slot = input.records.next(); slot.data() != nullptr; slot = input.records.next()) {
        RecordHeader header;
        std::memcpy(&header, slot.data(), sizeof header);
        headers.push_back(header);
        input.records.release();
    }
    return headers;
}

/// Triggers in order, whether with samples or as part of a stub.
std::uint64_t check_order(const std::vector<RecordHeader>& headers) {
    std::uint64_t next = 0;
    for (const RecordHeader& header : headers) {
        CHECK(header.counter == next);
        next += header.refused == 0 ? 1 : header.refused;
    }
    return next;
}

}  // namespace

TEST_CASE("a full ring refuses records and leaves a stub for each, in order", "[run][readout]") {
    CounterRegistry registry;
    BoardInput input{"board0", kRing};
    ScriptedSource source{big_steps(20)};
    readout_loop(source, input, registry, WhenFull::refuse, {});
    const std::vector<RecordHeader> headers = drain(input);
    CHECK(headers.size() == 20);
    CHECK(check_order(headers) == 20);
    const std::uint64_t refused = registry.get("readout.board0.refused").value();
    CHECK(refused > 10);
    CHECK(registry.get("readout.board0.records").value() + refused == 20);
    CHECK(headers.back().refusal == RefusalReason::buffer_full);
    CHECK(headers.back().channels == 0);
    CHECK(headers.back().samples_per_channel == 1);  // a tick
    CHECK(input.newest_time_ps == 19 * kTick);
}

TEST_CASE("when even the stubs' reserve is full, refused triggers share one stub and no record overtakes it",
          "[run][readout]") {
    CounterRegistry registry;
    BoardInput input{"board0", kRing};
    constexpr std::uint64_t kTriggers = 9'000;  // more than the whole ring has stubs
    // The reader of the ring makes room when the source is at its end of the first part: then a record follows.
    class Source final : public ScriptedSource {
      public:
        Source(BoardInput& input, std::vector<RecordHeader>& taken)
            : ScriptedSource{big_steps(kTriggers)}, input_{input}, taken_{taken} {}
        Next next(RecordHeader& header, std::stop_token stop) override {
            if (steps_taken() == kTriggers - 1) taken_ = drain(input_);
            return ScriptedSource::next(header, stop);
        }
        BoardInput& input_;
        std::vector<RecordHeader>& taken_;
    };
    std::vector<RecordHeader> headers;
    Source source{input, headers};
    readout_loop(source, input, registry, WhenFull::refuse, {});
    const std::vector<RecordHeader> rest = drain(input);
    REQUIRE(rest.size() == 2);
    CHECK(rest[0].refused > 1);
    std::uint32_t ticks = 0;
    for (std::uint64_t i = rest[0].counter; i <= kTriggers - 2; ++i) ticks += i % 3 != 2;
    CHECK(rest[0].samples_per_channel == ticks);
    CHECK(rest[0].refused_last_time_ps == static_cast<std::int64_t>(kTriggers - 2) * kTick);
    CHECK(rest[1].refusal == RefusalReason::none);
    headers.insert(headers.end(), rest.begin(), rest.end());
    CHECK(check_order(headers) == kTriggers);
}

TEST_CASE("a board that begins anew while its triggers share a stub: the next record says so, the stub ends before",
          "[run][readout]") {
    CounterRegistry registry;
    BoardInput input{"board0", kRing};
    constexpr std::uint64_t kTriggers = 9'000, kAnew = 8'500;
    std::vector<Step> steps = big_steps(kTriggers);
    for (std::uint64_t i = kAnew; i < kTriggers; ++i) steps[i].header.time_ps -= kAnew * kTick;
    steps[kAnew].header.flags |= record_flag::clock_restarted;
    class Source final : public ScriptedSource {
      public:
        Source(BoardInput& input, std::vector<Step> script) : ScriptedSource{std::move(script)}, input_{input} {}
        Next next(RecordHeader& header, std::stop_token stop) override {
            if (steps_taken() == kAnew) before_anew = input_.newest_time_ps;
            if (steps_taken() == kTriggers - 1) drain(input_);
            return ScriptedSource::next(header, stop);
        }
        std::int64_t before_anew = 0;

      private:
        BoardInput& input_;
    };
    Source source{input, std::move(steps)};
    readout_loop(source, input, registry, WhenFull::refuse, {});
    // Others see how far the board is though nothing of it finds room: they do not wait for its data time for ever.
    CHECK(source.before_anew == (kAnew - 1) * kTick);
    const std::vector<RecordHeader> rest = drain(input);
    REQUIRE(rest.size() == 2);
    CHECK(rest[0].refused > 500);
    CHECK((rest[0].flags & record_flag::clock_restarted) == 0);
    CHECK(rest[0].refused_last_time_ps == (kAnew - 1) * kTick);
    CHECK((rest[1].flags & record_flag::clock_restarted) != 0);
}

TEST_CASE("replay waits for room and refuses nothing", "[run][readout]") {
    CounterRegistry registry;
    BoardInput input{"board0", kRing};
    ScriptedSource source{big_steps(50)};
    Doorbell bell;
    input.records.set_bell(bell);
    Worker reader{"readout", [&](const std::stop_token& stop) {
                      const EndOfInput end{input};
                      readout_loop(source, input, registry, WhenFull::wait, stop);
                  }};
    std::vector<RecordHeader> headers;
    for (;;) {
        const std::uint32_t seen = bell.value();
        const bool ended = input.ended;
        const auto some = drain(input);
        headers.insert(headers.end(), some.begin(), some.end());
        if (ended && some.empty()) break;
        if (some.empty()) bell.wait(seen, {});
    }
    reader.finish();
    CHECK(headers.size() == 50);
    CHECK(check_order(headers) == 50);
    CHECK(registry.get("readout.board0.refused").value() == 0);
}

TEST_CASE("a reader that waits for room returns when it is stopped or abandoned", "[run][readout]") {
    const bool abandoned = GENERATE(false, true);
    CounterRegistry registry;
    BoardInput input{"board0", kRing};
    Doorbell bell;
    input.records.set_bell(bell);
    ScriptedSource source{big_steps(abandoned ? 20 : 1'000)};
    Worker reader{"readout", [&](const std::stop_token& stop) {
                      const EndOfInput end{input};
                      readout_loop(source, input, registry, WhenFull::wait, stop);
                  }};
    while (input.records.stats().records < 2) {
        const std::uint32_t seen = bell.value();
        if (input.records.stats().records < 2) bell.wait(seen, {});
    }
    abandoned ? input.abandon() : reader.request_stop();
    reader.finish();  // would wait for ever
    CHECK(input.ended);
    CHECK(registry.get("readout.board0.refused").value() == 0);
}

TEST_CASE("acquisition is over while the last stub still waits for room", "[run][readout]") {
    CounterRegistry registry;
    BoardInput input{"board0", kRing};
    ScriptedSource source{big_steps(9'000)};
    Doorbell bell;
    input.records.set_bell(bell);
    Worker reader{"readout", [&](const std::stop_token& stop) {
                      const EndOfInput end{input};
                      readout_loop(source, input, registry, WhenFull::refuse, stop);
                  }};
    while (!input.stopped) std::this_thread::yield();
    CHECK_FALSE(input.ended);
    std::vector<RecordHeader> headers;
    while (!input.ended) {
        const auto some = drain(input);
        headers.insert(headers.end(), some.begin(), some.end());
    }
    const auto rest = drain(input);
    headers.insert(headers.end(), rest.begin(), rest.end());
    reader.finish();
    CHECK(check_order(headers) == 9'000);
}

TEST_CASE("what a board that fails had refused before is told all the same", "[run][readout]") {
    CounterRegistry registry;
    BoardInput input{"board0", kRing};
    constexpr std::uint64_t kTriggers = 9'000;  // the ring is full of stubs, the last of them waits
    class Source final : public ScriptedSource {
      public:
        Source() : ScriptedSource{big_steps(kTriggers)} {}
        Next next(RecordHeader& header, std::stop_token stop) override {
            if (steps_taken() == kTriggers) throw Error{"board0: its cable was pulled"};
            return ScriptedSource::next(header, stop);
        }
    };
    Source source;
    Doorbell bell;
    input.records.set_bell(bell);
    Worker reader{"readout", [&](const std::stop_token& stop) {
                      const EndOfInput end{input};
                      readout_loop(source, input, registry, WhenFull::refuse, stop);
                  }};
    while (!input.stopped) std::this_thread::yield();
    std::vector<RecordHeader> headers;
    while (!input.ended) {
        const auto some = drain(input);
        headers.insert(headers.end(), some.begin(), some.end());
    }
    const auto rest = drain(input);
    headers.insert(headers.end(), rest.begin(), rest.end());
    CHECK_THROWS_WITH(reader.finish(), Catch::Contains("its cable was pulled"));
    CHECK(check_order(headers) == kTriggers);
}

TEST_CASE("a board that fails to stop: what it had refused is told, and its first failure counts", "[run][readout]") {
    const bool fails_before = GENERATE(false, true);
    CounterRegistry registry;
    BoardInput input{"board0", kRing};
    constexpr std::uint64_t kTriggers = 9'000;  // the ring is full of stubs, the last of them waits
    class Source final : public ScriptedSource {
      public:
        explicit Source(bool fails) : ScriptedSource{big_steps(kTriggers)}, fails_{fails} {}
        Next next(RecordHeader& header, std::stop_token stop) override {
            if (fails_ && steps_taken() == kTriggers) throw Error{"board0: its cable was pulled"};
            return ScriptedSource::next(header, stop);
        }
        void finish() override { throw Error{"board0: does not answer the stop"}; }

      private:
        bool fails_;
    };
    Source source{fails_before};
    Worker reader{"readout", [&](const std::stop_token& stop) {
                      const EndOfInput end{input};
                      readout_loop(source, input, registry, WhenFull::refuse, stop);
                  }};
    while (!input.stopped) std::this_thread::yield();
    std::vector<RecordHeader> headers;
    for (bool ended = false; !ended;) {
        ended = input.ended;
        const auto some = drain(input);
        headers.insert(headers.end(), some.begin(), some.end());
    }
    CHECK_THROWS_WITH(reader.finish(),
                      Catch::Contains(fails_before ? "its cable was pulled" : "does not answer the stop"));
    CHECK(check_order(headers) == kTriggers);
}

TEST_CASE("a record larger than the ring is an error that names the board", "[run][readout]") {
    CounterRegistry registry;
    BoardInput input{"board0", kRing};
    RecordHeader header = big(0);
    header.samples_per_channel = 2'000'000;
    ScriptedSource source{{{Next::record, header, {}}}};
    REQUIRE_THROWS_WITH(readout_loop(source, input, registry, WhenFull::refuse, {}),
                        Catch::Contains("board board0") && Catch::Contains("run.ring_mb"));
}

TEST_CASE("beam frames pass, before the record they came with, and defects are mirrored", "[run][readout]") {
    CounterRegistry registry;
    BoardInput input{"board0", kRing};
    BeamFrame frame;
    frame.tick = 3;
    ScriptedSource source{{{Next::idle, {}, {frame}}, {Next::record, big(4), {frame, frame}}, {Next::idle, {}, {}}}};
    readout_loop(source, input, registry, WhenFull::refuse, {});
    int items = 0;
    for (auto slot = input.beam.next(); slot.data() != nullptr; slot = input.beam.next(), ++items) {
        BeamItem item;
        std::memcpy(&item, slot.data(), sizeof item);
        CHECK(item.kind == BeamItem::Kind::frame);
        CHECK(item.frame == frame);
    }
    CHECK(items == 3);
    CHECK(registry.get("readout.board0.torn").value() == 3);
    CHECK(drain(input).size() == 1);
}

TEST_CASE("recorded stubs that do not fit wait in replay and are never merged", "[run][readout]") {
    CounterRegistry registry;
    BoardInput input{"board0", kRing};
    std::vector<Step> steps;
    for (std::uint64_t i = 0; i < 9'000; ++i) {
        RecordHeader header =
            stub_at(i * 10, static_cast<std::int64_t>(i) * kTick, 1, static_cast<std::int64_t>(i) * kTick);
        header.sequence = i * 10;
        steps.push_back({Next::record, header, {}});
    }
    ScriptedSource source{std::move(steps)};
    Worker reader{"readout", [&](const std::stop_token& stop) {
                      const EndOfInput end{input};
                      readout_loop(source, input, registry, WhenFull::wait, stop);
                  }};
    std::uint64_t n = 0;
    bool in_order = true;
    for (bool ended = false; !ended;) {
        ended = input.ended;
        for (const RecordHeader& header : drain(input))
            in_order = in_order && header.sequence == 10 * n++ && header.refused == 1;
    }
    reader.finish();
    CHECK(n == 9'000);
    CHECK(in_order);
}
