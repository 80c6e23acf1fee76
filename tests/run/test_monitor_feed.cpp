#include <catch2/catch.hpp>

#include "daq/core/error.hpp"
#include "daq/core/worker.hpp"
#include "daq/run/monitor_feed.hpp"
#include "station.hpp"

using namespace run_test;

namespace {

void put(Ring& ring, const std::vector<std::byte>& frame) {
    const std::span<std::byte> slot = ring.reserve(frame.size());
    if (slot.data() == nullptr) throw Error{"the test's ring is too small"};
    std::copy(frame.begin(), frame.end(), slot.begin());
    ring.commit();
}

void put(Ring& ring, const Event& event) {
    Trigger trigger;
    trigger.sequence = event.sequence;
    const std::span<std::byte> slot = ring.reserve(trigger_frame_bytes(trigger, event));
    if (slot.data() == nullptr) throw Error{"the test's ring is too small"};
    ring.commit(encode_trigger(slot, 1, 0, trigger, event));
}

Event event_of(const RunDescription& run, std::uint64_t sequence) {
    Event event;
    event.sequence = sequence;
    event.time_ps = static_cast<std::int64_t>(sequence) * 16'666'666'667;
    event.utc_ns = run.start_utc_ns + event.time_ps / 1000;
    event.window_count = static_cast<std::uint8_t>(run.windows.size());
    event.feature_count = static_cast<std::uint8_t>(run.features.size());
    event.baseline_median_adc = 100 + static_cast<double>(sequence % 3);
    event.spe_charge_adc = 70;
    return event;
}

}  // namespace

TEST_CASE("a snapshot is the state after exactly the message it names", "[run][feed]") {
    const TemporaryFolder folder;
    const StationSetup setup = csi_station();
    RunDescription run = describe_run(setup, 1, make_live_sources(setup, 1));
    run.start_utc_ns = 1'000'000'000'000;
    RunBuffers buffers{1u << 20, 8u << 20};
    SnapshotBox<Status> status;  // empty: then the feed sends nothing of its own accord
    CounterRegistry registry;
    const std::filesystem::path campaign = folder.path() / "csi.campaign";
    std::vector<std::byte> last;
    {
        MonitorFeed feed{{.monitor = setup.monitor,
                          .trigger = setup.trigger,
                          .tick_rate_hz = 60,
                          .real_time = false,
                          .campaign_file = campaign,
                          .publish = MonitorPublisher::Config{.endpoint = "tcp://127.0.0.1:*", .security = {}}},
                         buffers,
                         status,
                         registry};
        Worker thread{"monitor", [&](const std::stop_token& stop) { feed.run(stop); }};

        // Message 1 is the run, message 1 + n the nth event: an accumulator of our own hears the same.
        Accumulator ours{setup.monitor};
        std::uint64_t heard = 0;
        put(buffers.monitor, encode_run_start(run, 0));
        for (std::uint64_t i = 0; i < 200; ++i) put(buffers.monitor, event_of(run, i));
        for (int look = 0; look < 5; ++look) {
            const std::shared_ptr<const MonitorSnapshot> snapshot = feed.snapshot({});
            REQUIRE(snapshot);
            REQUIRE(snapshot->number >= heard);
            REQUIRE(snapshot->number <= 201);
            CHECK(snapshot->publisher != 0);
            for (; heard < snapshot->number; ++heard)
                heard == 0 ? ours.on_run(run) : ours.on_event(event_of(run, heard - 1));
            CHECK(snapshot->state == ours.state());
            Accumulator restored{setup.monitor};
            REQUIRE(restored.restore(snapshot->state));
            CHECK(restored.state() == ours.state());
        }
        put(buffers.monitor, std::vector<std::byte>(64, std::byte{1}));  // damaged: counted, and life goes on
        thread.request_stop();
        thread.finish();
        for (; heard < 201; ++heard) heard == 0 ? ours.on_run(run) : ours.on_event(event_of(run, heard - 1));
        last = ours.state();
        CHECK(registry.get("monitor.damaged_frames").value() == 1);
        CHECK(feed.snapshot({}) == nullptr);  // the loop has ended: nobody waits for ever
    }
    CHECK(read_state_file(campaign) == last);
}

TEST_CASE("a test run adds nothing to the station's campaign, which goes on behind it", "[run][feed]") {
    const TemporaryFolder folder;
    const StationSetup setup = csi_station();
    RunDescription data = describe_run(setup, 1, make_live_sources(setup, 1));
    data.start_utc_ns = 1'000'000'000'000;
    RunDescription test = data, more_data = data;
    test.run = 2;
    test.test_run = true;
    more_data.run = 3;
    RunBuffers buffers{1u << 20, 8u << 20};
    SnapshotBox<Status> status;
    CounterRegistry registry;
    const std::filesystem::path campaign = folder.path() / "csi.campaign";
    {
        MonitorFeed feed{
            {.monitor = setup.monitor, .trigger = setup.trigger, .campaign_file = campaign, .publish = {}},
            buffers,
            status,
            registry};
        Worker thread{"monitor", [&](const std::stop_token& stop) { feed.run(stop); }};
        const auto take = [&](const RunDescription& run, std::uint64_t events) {
            put(buffers.monitor, encode_run_start(run, 0));
            for (std::uint64_t i = 0; i < events; ++i) put(buffers.monitor, event_of(run, i));
            put(buffers.monitor, encode_run_end(run.run, 0, RunEnd{}));
        };
        take(data, 50);
        take(test, 7);
        take(more_data, 20);
        thread.request_stop();
        thread.finish();
        CHECK(feed.result()->events == 70);
    }
    Accumulator kept{setup.monitor};
    REQUIRE(kept.restore(read_state_file(campaign)));
    CHECK(kept.snapshot()->events == 70);
}

TEST_CASE("a campaign that cannot be kept does not end the monitor", "[run][feed]") {
    const TemporaryFolder folder;
    const StationSetup setup = csi_station();
    RunBuffers buffers{1u << 20, 8u << 20};
    SnapshotBox<Status> status;
    CounterRegistry registry;
    MonitorFeed feed{{.monitor = setup.monitor,
                      .trigger = setup.trigger,
                      .campaign_file = folder.path() / "absent" / "csi.campaign",
                      .publish = {}},
                     buffers,
                     status,
                     registry};
    Worker thread{"monitor", [&](const std::stop_token& stop) { feed.run(stop); }};
    put(buffers.monitor, encode_run_end(1, 0, RunEnd{}));  // keeps the campaign
    REQUIRE(feed.snapshot({}));
    thread.request_stop();
    CHECK_NOTHROW(thread.finish());
}
