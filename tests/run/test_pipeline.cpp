#include <fmt/format.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <thread>

#include "daq/core/error.hpp"
#include "daq/core/worker.hpp"
#include "station.hpp"

using namespace run_test;

namespace {

/// What the data stream gave.
struct Taken {
    std::vector<FrameKind> kinds;
    std::vector<Event> events;
    std::vector<std::uint64_t> ordinals;
    std::vector<BeamResolution> states;
    std::vector<DeadTime> dead_time;
    std::vector<ReadingSample> readings;
    std::optional<RunEnd> end;
    std::uint64_t damaged = 0;
    std::vector<bool> with_samples;  ///< of each event
    std::uint64_t records = 0, truth_pulses = 0;

    void take(std::span<const std::byte> bytes) {
        FrameView frame;
        if (read_frame(bytes, frame) != FrameError::none) {
            ++damaged;
            return;
        }
        kinds.push_back(frame.header.kind);
        ordinals.push_back(frame.header.ordinal);
        if (TriggerFrame trigger; decode_trigger(frame, trigger)) take(trigger);
        if (const auto interval = decode_dead_time(frame)) dead_time.push_back(*interval);
        if (const auto some = decode_beam_states(frame)) states.insert(states.end(), some->begin(), some->end());
        if (const auto some = decode_readings(frame)) readings.insert(readings.end(), some->begin(), some->end());
        if (const auto run_end = decode_run_end(frame)) end = run_end;
    }
    void take(const TriggerFrame& frame) {
        events.push_back(frame.event);
        with_samples.push_back(false);
        for (const RecordView& record : frame.trigger.records()) {
            ++records;
            truth_pulses += record.truth().size();
            if (!record.sample_bytes().empty()) with_samples.back() = true;
        }
    }
    /// Until the run's last frame.
    void take_all(RunBuffers& buffers) {
        while (!end) {
            const std::uint32_t seen = buffers.writer_bell.value();
            const auto bytes = buffers.frames.next();
            if (bytes.data() == nullptr) {
                buffers.writer_bell.wait(seen, {});
                continue;
            }
            take(bytes);
            buffers.frames.release();
        }
    }
    void check_order() const {
        REQUIRE(end);
        CHECK(damaged == 0);
        CHECK(kinds.front() == FrameKind::run_start);
        CHECK(kinds.back() == FrameKind::run_end);
        CHECK(std::count(kinds.begin(), kinds.end(), FrameKind::run_start) == 1);
        for (std::size_t i = 0; i < ordinals.size(); ++i) CHECK(ordinals[i] == i);
        CHECK(end->ledger.closes());
    }
};

Taken take_run(unsigned workers, std::uint64_t triggers) {
    StationSetup setup = csi_station();
    setup.run.workers = workers;
    setup.run.ring_bytes = 1u << 20;
    RunBuffers buffers{1u << 21, 32u << 20};
    CounterRegistry registry;
    auto pipeline =
        make_pipeline(setup, triggers, WhenFull::wait, make_live_sources(setup, triggers), buffers, registry);
    pipeline->start();
    Taken taken;
    taken.take_all(buffers);
    pipeline->finish();
    CHECK(pipeline->progress().ledger == taken.end->ledger);
    return taken;
}

/// Delivers so many records, then fails.
class FailingSource final : public RecordSource {
  public:
    FailingSource(std::unique_ptr<RecordSource> source, int good) : source_{std::move(source)}, left_{good} {}
    [[nodiscard]] const BoardInfo& board() const noexcept override { return source_->board(); }
    [[nodiscard]] Next next(RecordHeader& header, std::stop_token stop) override {
        if (left_-- == 0) throw Error{"board pci5153: no trigger within 5 s"};
        return source_->next(header, stop);
    }
    void fill(std::span<std::byte> payload) override { source_->fill(payload); }

  private:
    std::unique_ptr<RecordSource> source_;
    int left_;
};

/// A board that tells how many records it gave.
class TellingSource final : public RecordSource {
  public:
    explicit TellingSource(std::unique_ptr<RecordSource> source) : source_{std::move(source)} {}
    [[nodiscard]] const BoardInfo& board() const noexcept override { return source_->board(); }
    [[nodiscard]] Next next(RecordHeader& header, std::stop_token stop) override {
        const Next next = source_->next(header, stop);
        if (next == Next::record) ++records_;
        return next;
    }
    void fill(std::span<std::byte> payload) override { source_->fill(payload); }
    [[nodiscard]] std::vector<BoardReading> readings() const override {
        return {{"temperature", 41.5, "degC"}, {"given", static_cast<double>(records_), ""}};
    }

  private:
    std::unique_ptr<RecordSource> source_;
    std::uint64_t records_ = 0;
};

}  // namespace

TEST_CASE("a run gives the same frames of triggers whatever the number of workers", "[run][pipeline]") {
    constexpr std::uint64_t kTriggers = 300;
    const Taken one = take_run(1, kTriggers);
    one.check_order();
    CHECK(one.end->clean);
    CHECK(one.end->ledger.triggers == kTriggers);
    CHECK(one.end->ledger.recorded == kTriggers);
    CHECK(one.end->ledger.ticks_missed > 0);  // the simulator leaves out one tick in twenty
    REQUIRE(one.events.size() == kTriggers);
    REQUIRE(one.states.size() == kTriggers);
    for (std::uint64_t i = 0; i < kTriggers; ++i) {
        CHECK(one.events[i].sequence == i);
        CHECK(one.states[i].sequence == i);
        CHECK(one.states[i].state != BeamState::unknown);
    }
    for (const unsigned workers : {2u, 3u}) {
        const Taken more = take_run(workers, kTriggers);
        more.check_order();
        REQUIRE(more.events.size() == kTriggers);
        bool same = true;
        for (std::uint64_t i = 0; i < kTriggers; ++i) same = same && identical(one.events[i], more.events[i]);
        CHECK(same);
        CHECK(more.states == one.states);
    }
}

TEST_CASE("samples that nobody keeps do not pass the frame buffer, all else does", "[run][pipeline]") {
    constexpr std::uint64_t kTriggers = 200;
    const auto run_that_keeps = [](RawData keep) {
        StationSetup setup = csi_station();
        setup.simulator.rate_boost = 1e4;  // pulses in most traces, some of them accepted
        setup.simulator.background_rate_hz = 0.9;
        setup.simulator.background_min_pe = 15;
        setup.simulator.afterglow_share = 0;
        RunBuffers buffers{1u << 22, 32u << 20};
        CounterRegistry registry;
        auto pipeline = make_pipeline(setup, kTriggers, WhenFull::wait, make_live_sources(setup, kTriggers), buffers,
                                      registry, keep);
        pipeline->start();
        Taken taken;
        taken.take_all(buffers);
        pipeline->finish();
        taken.check_order();
        return taken;
    };
    const Taken all = run_that_keeps(RawData::all);
    REQUIRE(all.events.size() == kTriggers);
    REQUIRE(all.truth_pulses > 100);
    CHECK(std::count(all.with_samples.begin(), all.with_samples.end(), true) == static_cast<std::ptrdiff_t>(kTriggers));
    for (const RawData keep : {RawData::accepted, RawData::none}) {
        const Taken less = run_that_keeps(keep);
        REQUIRE(less.events.size() == kTriggers);
        CHECK(less.records == all.records);
        CHECK(less.truth_pulses == all.truth_pulses);
        bool same = true, as_asked = true;
        for (std::size_t i = 0; i < kTriggers; ++i) {
            const Event& event = less.events[i];
            same = same && identical(event, all.events[i]);
            const bool accepted = event.window[0].accepted() || event.window[1].accepted();
            as_asked = as_asked && less.with_samples[i] == (keep == RawData::accepted && accepted);
        }
        CHECK(same);
        CHECK(as_asked);
        const std::ptrdiff_t kept = std::count(less.with_samples.begin(), less.with_samples.end(), true);
        CHECK((keep == RawData::none ? kept == 0 : kept > 0 && kept < static_cast<std::ptrdiff_t>(kTriggers)));
    }
}

TEST_CASE("live, a reader that stalls costs triggers, and each of them stands as dead time", "[run][pipeline]") {
    constexpr std::uint64_t kTriggers = 400;
    StationSetup setup = csi_station();
    setup.run.ring_bytes = 1u << 20;
    RunBuffers buffers{1u << 20, 1u << 20};
    CounterRegistry registry;
    auto pipeline =
        make_pipeline(setup, kTriggers, WhenFull::refuse, make_live_sources(setup, kTriggers), buffers, registry);
    pipeline->start();
    while (registry.get("readout.pci5153.refused").value() < 50) std::this_thread::yield();  // nobody reads
    Taken taken;
    taken.take_all(buffers);
    pipeline->finish();
    taken.check_order();
    CHECK(taken.end->ledger.triggers == kTriggers);
    CHECK(taken.end->ledger.recorded == taken.events.size());
    CHECK(taken.end->ledger.refused >= 50);
    // Every sequence number is an event or in one interval; intervals are in order and do not touch.
    std::vector<int> times_seen(kTriggers, 0);
    for (const Event& event : taken.events) ++times_seen.at(event.sequence);
    for (std::size_t i = 0; i < taken.dead_time.size(); ++i) {
        const DeadTime& interval = taken.dead_time[i];
        CHECK(interval.reason == static_cast<std::uint8_t>(RefusalReason::buffer_full));
        CHECK(interval.end_ps > interval.begin_ps);
        if (i > 0) CHECK(interval.first_sequence > taken.dead_time[i - 1].last_sequence + 1);
        for (std::uint64_t s = interval.first_sequence; s <= interval.last_sequence; ++s) ++times_seen.at(s);
    }
    CHECK(std::count(times_seen.begin(), times_seen.end(), 1) == static_cast<std::ptrdiff_t>(kTriggers));
}

TEST_CASE("while a reader stalls the books close at every look, and refusals and dead time grow", "[run][pipeline]") {
    // A stall of a second, as a station would see it, and one of the hours that the simulator runs through flat out:
    // then stubs stand for thousands of triggers, and what waits may be stubs alone.
    const bool flat_out = GENERATE(false, true);
    StationSetup setup = csi_station();
    setup.run.ring_bytes = 1u << 20;
    if (!flat_out) setup.simulator.pacing = Pacing::realtime;
    RunBuffers buffers{1u << 20, 1u << 20};
    CounterRegistry registry;
    auto pipeline = make_pipeline(setup, 0, WhenFull::refuse, make_live_sources(setup, 0), buffers, registry);
    pipeline->start();
    Progress before;
    std::uint64_t least = ~std::uint64_t{0};  // in hand
    int grown = 0;
    while (grown < 3) {  // nobody reads the frames
        const Progress now = pipeline->progress();
        INFO(fmt::format("triggers {} recorded {} refused {} in hand {}; ticks expected {} seen {} missed {}",
                         now.ledger.triggers, now.ledger.recorded, now.ledger.refused, now.in_hand,
                         now.ledger.ticks_expected, now.ledger.ticks_seen, now.ledger.ticks_missed));
        REQUIRE(now.ledger.closes());
        if (!now.backed_up || now.ledger.refused == 0 || now.made_at == before.made_at) continue;
        // On a busy host the reader may not have run between two looks.
        if (before.backed_up && now.last_trigger_utc_ns == before.last_trigger_utc_ns) continue;
        CHECK(now.ledger.triggers == now.ledger.recorded + now.ledger.refused);
        CHECK((flat_out || now.in_hand > 0));  // in the board's ring, and one that waits for room
        if (before.backed_up) {
            least = std::min({least, now.in_hand, before.in_hand});
            CHECK(now.ledger.refused > before.ledger.refused);
            CHECK(now.ledger.recorded == before.ledger.recorded);
            CHECK(std::max(now.in_hand, before.in_hand) - least <= 1);  // one that its reader is about to refuse
            CHECK(now.dead_s > before.dead_s);
            CHECK(now.last_trigger_utc_ns > before.last_trigger_utc_ns);
            CHECK(now.last_published_utc_ns == before.last_published_utc_ns);
            ++grown;
        }
        before = now;
    }
    // What was seen is what the board's reader counts: records it took, and those it refused.
    const std::uint64_t counted = registry.get("readout.pci5153.refused").value();
    CHECK(before.ledger.refused <= counted);
    CHECK(before.ledger.recorded + least + 1 - registry.get("readout.pci5153.records").value() <= 2);
    pipeline->request_stop();
    Taken taken;
    taken.take_all(buffers);
    pipeline->finish();
    taken.check_order();
    CHECK(pipeline->progress().in_hand == 0);
    CHECK(pipeline->progress().ledger == taken.end->ledger);
    CHECK(taken.end->ledger.refused == registry.get("readout.pci5153.refused").value());
}

TEST_CASE("what is given up while draining is counted and stands as dead time before the run's end",
          "[run][pipeline]") {
    constexpr std::uint64_t kTriggers = 200;
    StationSetup setup = csi_station();
    setup.run.ring_bytes = 1u << 25;  // all of them wait here while the small frame buffer is full
    RunBuffers buffers{1u << 20, 1u << 20};
    CounterRegistry registry;
    auto pipeline =
        make_pipeline(setup, kTriggers, WhenFull::refuse, make_live_sources(setup, kTriggers), buffers, registry);
    pipeline->start();
    while (!pipeline->acquisition_ended()) std::this_thread::yield();
    CHECK_FALSE(pipeline->done());
    pipeline->give_up();
    pipeline->finish();
    Taken taken;
    for (auto bytes = buffers.frames.next(); bytes.data() != nullptr; bytes = buffers.frames.next()) taken.take(bytes);
    taken.check_order();
    CHECK(taken.end->ledger.triggers == kTriggers);
    const std::uint64_t given_up = registry.get("run.given_up_triggers").value();
    CHECK(given_up > 0);
    std::uint64_t in_intervals = 0, of_stopping = 0;
    for (const DeadTime& interval : taken.dead_time) {
        const std::uint64_t n = interval.last_sequence - interval.first_sequence + 1;
        in_intervals += n;
        if (interval.reason == static_cast<std::uint8_t>(RefusalReason::run_stopping)) of_stopping += n;
    }
    CHECK(of_stopping == given_up);
    CHECK(taken.events.size() + in_intervals == kTriggers);
}

TEST_CASE("a board that fails ends the run with its reason", "[run][pipeline]") {
    const StationSetup setup = csi_station();
    RunBuffers buffers{64u << 20, 32u << 20};
    CounterRegistry registry;
    auto sources = make_live_sources(setup, 0);
    sources.front() = std::make_unique<FailingSource>(std::move(sources.front()), 20);
    auto pipeline = make_pipeline(setup, 0, WhenFull::wait, std::move(sources), buffers, registry);
    pipeline->start();
    Taken taken;
    taken.take_all(buffers);
    CHECK_THROWS_WITH(pipeline->finish(), "board pci5153: no trigger within 5 s");
    taken.check_order();
    CHECK(taken.events.size() == 20);
    CHECK_FALSE(taken.end->clean);
    CHECK(taken.end->reason == "board pci5153: no trigger within 5 s");
}

TEST_CASE("what a board says of itself stands in the data stream and in the status", "[run][pipeline][boards]") {
    constexpr std::uint64_t kTriggers = 50;
    const StationSetup setup = csi_station();
    RunBuffers buffers{1u << 21, 32u << 20};
    CounterRegistry registry;
    auto sources = make_live_sources(setup, kTriggers);
    sources[0] = std::make_unique<TellingSource>(std::move(sources[0]));
    auto pipeline = make_pipeline(setup, kTriggers, WhenFull::wait, std::move(sources), buffers, registry);
    pipeline->start();
    Taken taken;
    taken.take_all(buffers);
    pipeline->finish();
    taken.check_order();

    // Once at the end in any case; at the beginning if the run is not over before somebody looks.
    const std::vector<BoardReading> last{{"temperature", 41.5, "degC"}, {"given", kTriggers, ""}};
    REQUIRE(taken.readings.size() >= 2);
    const std::size_t end = taken.readings.size();
    CHECK(taken.readings[end - 2].reading == last[0]);
    CHECK(taken.readings[end - 1].reading == last[1]);
    for (const ReadingSample& sample : taken.readings) CHECK(sample.board == 0);
    REQUIRE(pipeline->boards().size() == 1);
    CHECK(pipeline->boards()[0].name == "pci5153");
    CHECK(pipeline->boards()[0].readings == last);
}

TEST_CASE("a trigger thread that fails ends acquisition and the run", "[run][pipeline]") {
    StationSetup setup = csi_station();
    RunBuffers buffers{1u << 18, 32u << 20};  // a trigger of 70 kB does not fit beside the reserve
    CounterRegistry registry;
    auto pipeline = make_pipeline(setup, 0, WhenFull::refuse, make_live_sources(setup, 0), buffers, registry);
    pipeline->start();
    Taken taken;
    taken.take_all(buffers);
    while (!pipeline->acquisition_ended()) std::this_thread::yield();
    CHECK_THROWS_WITH(pipeline->finish(), Catch::Contains("raise run.retransmit_mb"));
    CHECK_FALSE(taken.end->clean);
    CHECK_THAT(taken.end->reason, Catch::Contains("raise run.retransmit_mb"));
}

TEST_CASE("a pipeline that is dropped while it runs ends its threads", "[run][pipeline]") {
    StationSetup setup = csi_station();
    setup.run.workers = 2;
    RunBuffers buffers{1u << 20, 1u << 20};
    CounterRegistry registry;
    const WhenFull mode = GENERATE(WhenFull::refuse, WhenFull::wait);
    auto pipeline = make_pipeline(setup, 0, mode, make_live_sources(setup, 0), buffers, registry);
    pipeline->start();
    while (buffers.frames.stats().records < 5) std::this_thread::yield();
    pipeline.reset();  // would wait for ever
    CHECK(buffers.frames.stats().records >= 5);
}
