// A station of boards that trigger themselves, through the whole pipeline, live and in replay.

#include <algorithm>
#include <catch2/catch.hpp>
#include <thread>

#include "daq/core/error.hpp"
#include "daq/run/daemon.hpp"
#include "daq/run/tick_channel_source.hpp"
#include "daq/store/file_reader.hpp"
#include "fakes.hpp"
#include "station.hpp"

using namespace run_test;

namespace {

/// A shipped station of hits, simulated as fast as it goes.
StationSetup hit_station(const std::string& name) {
    StationSetup setup = load_station(std::filesystem::path{ALLEYCAT_SOURCE_DIR} / "config" / (name + ".toml"));
    setup.simulator.pacing = Pacing::fast;
    setup.simulator.start_utc = from_iso8601("2026-01-01T00:00:00Z");
    setup.simulator.missed_tick_share = 0.05;
    setup.simulator.hits.late_tick_share = 0.02;
    setup.run.ring_bytes = 1u << 20;
    return setup;
}

struct Taken {
    std::vector<Event> events;
    std::vector<BeamResolution> states;
    std::vector<TickRecord> ticks;
    std::vector<DeadTime> dead_time;
    std::optional<RunEnd> end;

    void take_all(RunBuffers& buffers) {
        std::uint64_t next = 0;
        while (!end) {
            const std::uint32_t seen = buffers.writer_bell.value();
            const auto bytes = buffers.frames.next();
            if (bytes.data() == nullptr) {
                buffers.writer_bell.wait(seen, {});
                continue;
            }
            FrameView frame;
            REQUIRE(read_frame(bytes, frame) == FrameError::none);
            REQUIRE(frame.header.ordinal == next++);
            if (TriggerFrame trigger; decode_trigger(frame, trigger)) events.push_back(trigger.event);
            if (const auto some = decode_beam_states(frame)) states.insert(states.end(), some->begin(), some->end());
            if (const auto some = decode_ticks(frame)) ticks.insert(ticks.end(), some->begin(), some->end());
            if (const auto interval = decode_dead_time(frame)) dead_time.push_back(*interval);
            if (const auto run_end = decode_run_end(frame)) end = run_end;
            buffers.frames.release();
        }
    }
};

bool same(const std::vector<Event>& a, const std::vector<Event>& b) {
    return std::equal(a.begin(), a.end(), b.begin(), b.end(), identical);
}

Taken take_run(const StationSetup& setup, std::vector<std::unique_ptr<RecordSource>> sources, bool recorded = false) {
    RunBuffers buffers{1u << 21, 32u << 20};
    CounterRegistry registry;
    Pipeline::Config config{.mode = WhenFull::wait, .run = setup.run, .builder = setup.builder};
    config.builder.mode = WhenFull::wait;
    config.builder.recorded = recorded;
    config.ticks_know_the_beam = recorded;
    if (recorded) config.builder.tick_board = 0;
    RunDescription run = describe_run(setup, 1, sources);
    Pipeline pipeline{config,  std::move(run), setup.trigger, make_beam_join(setup, registry), std::move(sources),
                      buffers, registry};
    pipeline.start();
    Taken taken;
    taken.take_all(buffers);
    pipeline.finish();
    return taken;
}

}  // namespace

TEST_CASE("a run of hits is the same whatever the number of workers and the threads", "[run][hits]") {
    constexpr std::uint64_t kTicks = 300;
    for (const char* name : {"nai", "cells"}) {
        StationSetup setup = hit_station(name);
        const Taken one = take_run(setup, make_live_sources(setup, kTicks));
        REQUIRE(one.end->clean);
        REQUIRE(one.end->ledger.closes());
        REQUIRE(one.end->ledger.ticks_missed > 5);
        REQUIRE(one.end->ledger.ticks_seen == one.ticks.size());
        REQUIRE(one.events.size() > 500);
        REQUIRE(one.states.size() == one.events.size());
        for (std::size_t i = 0; i < one.events.size(); ++i) {
            REQUIRE(one.events[i].sequence == i);
            REQUIRE(one.states[i].sequence == i);
            if (i > 0) REQUIRE(one.events[i].time_ps >= one.events[i - 1].time_ps);
        }
        for (const unsigned workers : {2u, 3u}) {
            setup.run.workers = workers;
            const Taken more = take_run(setup, make_live_sources(setup, kTicks));
            CHECK(same(more.events, one.events));
            CHECK(more.states == one.states);
            CHECK(more.ticks == one.ticks);
        }
    }
}

TEST_CASE("a file of hits replays to itself, on one worker and on two", "[run][hits]") {
    for (const char* name : {"nai", "cells"}) {
        const TemporaryFolder folder;
        StationSetup setup = hit_station(name);
        setup.store.folder = folder.path();
        const std::filesystem::path output = folder.path() / "run.h5";
        ShutdownSignals signals;
        Daemon daemon{setup,
                      {.writer = DaemonOptions::Writer::single_file,
                       .output = output,
                       .sockets = false,
                       .end_with_run = true,
                       .triggers = 200,
                       .mode = WhenFull::wait,
                       .keep_campaign = false}};
        const RunResult live = daemon.serve(signals);
        REQUIRE(live.status.ledger.closes());
        const AlleycatFile file{output};
        std::vector<Event> events;
        std::vector<BeamResolution> states;
        file.read_events(0, file.triggers(), events, states);
        const std::vector<TickRecord> ticks = file.ticks();
        REQUIRE(ticks.size() == live.status.ledger.ticks_seen);
        for (const unsigned workers : {1u, 2u}) {
            setup.run.workers = workers;
            const Taken again = take_run(setup, open_recorded_run({output}), true);
            CHECK(again.end->ledger.closes());
            CHECK(same(again.events, events));
            CHECK(again.states == states);
            CHECK(again.ticks == ticks);
        }
        // The exposure on the screen is that of the file.
        REQUIRE(live.monitor != nullptr);
        const auto& in_file = file.summary()->ticks;
        const auto count = [&](BeamState state) { return in_file[index_of(state)]; };
        CHECK(live.monitor->exposure.ticks_on == count(BeamState::on));
        CHECK(live.monitor->exposure.ticks_off == count(BeamState::off));
        CHECK(live.monitor->exposure.ticks_no_beam_cycle == count(BeamState::no_beam_cycle));
        CHECK(live.monitor->exposure.ticks_unknown == count(BeamState::unknown));
        // The scope shows the channels of the one detector that was hit.
        REQUIRE(live.monitor->waveform != nullptr);
        const std::vector<WaveformChannel>& channels = live.monitor->waveform->channels;
        REQUIRE(channels.size() == (setup.trigger.detectors.front().low_gain.present ? 2 : 1));
        CHECK(channels.front().codes.size() == setup.station.boards.front().samples);
        const std::string detector = channels.front().channel.substr(0, setup.trigger.detectors.front().name.size());
        CHECK(std::any_of(setup.trigger.detectors.begin(), setup.trigger.detectors.end(),
                          [&](const Detector& d) { return d.name == detector; }));
        for (const WaveformChannel& channel : channels) CHECK(channel.channel.starts_with(detector));
        CHECK(!live.monitor->waveform->peaks.empty());
    }
}

TEST_CASE("live, refused hits stand as dead time and take their ticks out of the exposure", "[run][hits]") {
    StationSetup setup = hit_station("nai");
    setup.simulator.hits.late_tick_share = 0;
    setup.simulator.rate_boost = 5;
    // The simulated boards run as fast as they are given time: one that is behind is not silent.
    setup.builder.missing_after_ps = setup.builder.max_tick_wait_ps = 1'000'000'000'000'000;
    RunBuffers buffers{1u << 20, 1u << 20};
    CounterRegistry registry;
    auto pipeline = make_pipeline(setup, 0, WhenFull::refuse, make_live_sources(setup, 600), buffers, registry);
    pipeline->start();
    const auto refused = [&] {
        std::uint64_t n = 0;
        for (const BoardInfo& board : setup.station.boards)
            n += registry.get("readout." + board.name + ".refused").value();
        return n;
    };
    while (refused() < 500) std::this_thread::yield();  // nobody reads
    Taken taken;
    taken.take_all(buffers);
    pipeline->finish();
    REQUIRE(taken.end->ledger.closes());
    REQUIRE(taken.end->ledger.refused == refused());
    REQUIRE(taken.end->ledger.recorded == taken.events.size());
    REQUIRE(taken.end->ledger.ticks_seen == taken.ticks.size());
    std::vector<int> times_seen(taken.end->ledger.triggers, 0);
    for (const Event& event : taken.events) ++times_seen.at(event.sequence);
    for (const DeadTime& interval : taken.dead_time) {
        REQUIRE(interval.end_ps >= interval.begin_ps);
        for (std::uint64_t s = interval.first_sequence; s <= interval.last_sequence; ++s) ++times_seen.at(s);
    }
    REQUIRE(std::all_of(times_seen.begin(), times_seen.end(), [](int n) { return n == 1; }));
    std::size_t without_exposure = 0;
    const std::int64_t reach = std::llround(0.505e12 / 60);
    for (const TickRecord& tick : taken.ticks) {
        const bool near = std::any_of(taken.dead_time.begin(), taken.dead_time.end(), [&](const DeadTime& d) {
            return d.begin_ps - reach <= tick.time_ps && tick.time_ps <= d.end_ps + reach;
        });
        REQUIRE(((tick.flags & trigger_flag::hits_refused) != 0) == near);
        REQUIRE((tick.state == BeamState::unknown) == near);
        without_exposure += near ? 1 : 0;
    }
    REQUIRE(without_exposure > 0);
    REQUIRE(without_exposure < taken.ticks.size());
}

TEST_CASE("ten thousand hits a second come through in order", "[run][hits]") {
    StationSetup setup = hit_station("nai");
    setup.simulator.rate_boost = 45;  // x 240 Hz of background alone
    const Taken taken = take_run(setup, make_live_sources(setup, 60));
    REQUIRE(taken.events.size() > 10'000);
    REQUIRE(taken.end->ledger.closes());
    for (std::size_t i = 1; i < taken.events.size(); ++i) {
        REQUIRE(taken.events[i].time_ps >= taken.events[i - 1].time_ps);
    }
}

// ---- ticks from a channel

namespace {

/// Hits of channel 0, and of the timing signal on channel 2, at these times [us].
std::vector<TickRecord> ticks_of(const std::vector<std::pair<std::int64_t, int>>& hits, std::size_t& records) {
    std::vector<ScriptedSource::Step> steps;
    for (const auto& [us, mask] : hits) {
        ScriptedSource::Step step;
        step.header = record_at(steps.size(), us * 1'000'000);
        step.header.channel_mask = static_cast<std::uint64_t>(mask);
        steps.push_back(step);
    }
    TickChannelSource source{
        std::make_unique<ScriptedSource>(steps), 2, {.rate_hz = 1'000, .phase_tolerance_ps = 5'000'000}};
    std::vector<TickRecord> ticks;
    records = 0;
    for (RecordHeader header; source.next(header, {}) == RecordSource::Next::record;) {
        source.take_ticks(ticks);
        for (const TickRecord& tick : ticks) REQUIRE(tick.time_ps <= header.time_ps);
        ++records;
    }
    source.take_ticks(ticks);
    return ticks;
}

}  // namespace

TEST_CASE("hits of the tick channel become ticks, numbered by their times", "[run][hits]") {
    constexpr int hit = 1, tick = 4;
    std::size_t records = 0;
    const std::vector<TickRecord> ticks = ticks_of({{0, tick},
                                                    {100, hit},
                                                    {1'000, tick},
                                                    {1'001, tick},
                                                    {1'500, tick},
                                                    {2'000, hit | tick},
                                                    {2'700, hit},
                                                    {5'000, tick}},
                                                   records);
    REQUIRE(records == 3);  // two hits, and the record that is both
    std::vector<std::uint64_t> numbers;
    for (const TickRecord& t : ticks) numbers.push_back(t.tick);
    // A reflection at 1001 us and noise at 1500 us repeat the number before; 3 and 4 were lost.
    REQUIRE(numbers == std::vector<std::uint64_t>{0, 1, 1, 1, 2, 5});
    REQUIRE(ticks.back().time_ps == 5'000'000'000);
    REQUIRE(ticks.back().utc_ns == 1'000'000'000 + 5'000'000);
}
