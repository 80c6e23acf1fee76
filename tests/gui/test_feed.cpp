#include <QTemporaryDir>
#include <catch2/catch.hpp>
#include <chrono>
#include <fstream>
#include <memory>
#include <optional>

#include "daq/core/error.hpp"
#include "daq/core/frame.hpp"
#include "daq/store/part_writer.hpp"
#include "daq/wire/control.hpp"
#include "daq/wire/monitor_publisher.hpp"
#include "fake_snapshot.hpp"
#include "gui/feed.hpp"

using namespace alleycat;
using namespace alleycat::gui;
using namespace std::chrono_literals;

namespace {

RunDescription run_of(std::uint64_t number) {
    RunDescription run = fake::run_description();
    run.run = number;
    run.features = core_features();
    return run;
}

/// Every tenth has a coincident arrival of 12 PE at 1 us that passes all cuts.
Event event_of(std::uint64_t sequence) {
    Event event;
    event.sequence = sequence;
    event.time_ps = static_cast<std::int64_t>(sequence) * 16'666'666'667;
    event.utc_ns = fake::kNoonNs + static_cast<std::int64_t>(sequence) * 16'666'667;
    event.window_count = 2;
    event.feature_count = kCoreFeatures;
    event.baseline_median_adc = event.baseline_mean_adc = 91;
    event.baseline_sigma_adc = 0.9;
    event.spe_charge_adc = 70;
    for (WindowEvent& window : event.window) {
        window.cuts = 1;  // no_peak
        window.set(Feature::arrival_sample, -1);
    }
    if (sequence % 10 == 0) {
        WindowEvent& coincident = event.window[1];
        coincident.cuts = 0;
        coincident.set(Feature::arrival_sample, 27'975);
        coincident.set(Feature::arrival_ns, 1000);
        coincident.set(Feature::charge_pe, 12);
    }
    return event;
}

/// What a daemon keeps and serves, as far as a monitor sees it.
class ToyDaemon {
  public:
    ToyDaemon(std::uint64_t run, std::string monitor, std::string control)
        : publisher{{.endpoint = std::move(monitor), .security = {}}},
          server{{.endpoint = std::move(control), .security = {}}, counters, [this](const ControlRequest&) {
                     ControlReply reply;
                     reply.snapshot = {publisher.identity(), publisher.message_number(), state.state()};
                     return reply;
                 }} {
        state.on_run(run_of(run));
        publisher.on_run(run_of(run));
    }
    void pulse() {
        for (EventSink* sink : {static_cast<EventSink*>(&state), static_cast<EventSink*>(&publisher)}) {
            sink->on_event(event_of(next_));
            sink->on_beam({next_, 1.4e6F, BeamState::on});
        }
        ++next_;
        (void)server.serve(0ms);
    }

    CounterRegistry counters;
    Accumulator state;
    MonitorPublisher publisher;
    ControlServer server;

  private:
    std::uint64_t next_ = 0;
};

/// Steps until `done`, for 20 s at most; a step waits on its socket itself.
template <class Done, class Step>
bool eventually(const Done& done, const Step& step) {
    const auto deadline = std::chrono::steady_clock::now() + 20s;
    while (!done()) {
        if (std::chrono::steady_clock::now() > deadline) return false;
        step();
    }
    return true;
}

MonitorClient::Config config_for(const ToyDaemon& daemon) {
    MonitorClient::Config config;
    config.monitor_endpoint = daemon.publisher.endpoint();
    config.control_endpoint = daemon.server.endpoint();
    return config;
}

/// A closed part with `n` triggers, beam on, without samples.
void write_part(const std::filesystem::path& path, std::uint64_t n, const std::string& station = "") {
    RunDescription run = run_of(12);
    run.config_name = "csi.toml";
    run.config_text = station;
    std::uint64_t ordinal = 0;
    const auto content = [&](std::vector<std::byte>& bytes) {
        FrameView view;
        REQUIRE(read_frame(bytes, view) == FrameError::none);
        FrameContent frame;
        read_content(view, &run, frame);
        return frame;
    };
    std::vector<std::byte> start = encode_run_start(run, ordinal++);
    FrameView first;
    REQUIRE(read_frame(start, first) == FrameError::none);
    PartWriter writer{path, first, 0, Compression::none, RawData::none};
    for (std::uint64_t k = 0; k < n; ++k) {
        Trigger trigger;
        const Event event = event_of(k);
        trigger.sequence = event.sequence;
        trigger.time_ps = event.time_ps;
        trigger.utc_ns = event.utc_ns;
        trigger.missing_boards = 1;
        std::vector<std::byte> bytes(trigger_frame_bytes(trigger, event));
        bytes.resize(encode_trigger(bytes, run.run, ordinal++, trigger, event));
        writer.add(content(bytes));
        const BeamResolution beam{k, 1.4e6F, BeamState::on};
        std::vector<std::byte> states = encode_beam_states(run.run, ordinal++, std::span{&beam, 1});
        writer.add(content(states));
    }
    writer.close({.run_ended = true, .clean = true, .repaired = false, .reason = "stopped"});
}

}  // namespace

TEST_CASE("a live feed shows what the daemon accumulated, also what was before it came", "[gui][feed]") {
    ToyDaemon daemon{12, "tcp://127.0.0.1:*", "tcp://127.0.0.1:*"};
    for (int k = 0; k < 50; ++k) daemon.pulse();  // nobody listens yet
    SnapshotBox<FeedState> box;
    LiveFeed feed{config_for(daemon), box};
    CHECK_FALSE(box.get()->connected);
    CHECK(box.get()->source == daemon.publisher.endpoint());

    const auto shown = [&] { return box.get()->snapshot ? box.get()->snapshot->events : 0; };
    REQUIRE(eventually([&] { return shown() > 60; },
                       [&] {
                           daemon.pulse();
                           feed.step();
                       }));
    const std::uint64_t last = daemon.publisher.message_number();
    REQUIRE(eventually([&] { return box.get()->snapshot->message_number == last; },
                       [&] {
                           (void)daemon.server.serve(0ms);
                           feed.step();
                       }));
    const std::shared_ptr<const FeedState> state = box.get();
    const std::shared_ptr<const Snapshot> truth = daemon.state.snapshot(last);
    CHECK(state->connected);
    CHECK(state->problem.empty());
    CHECK(state->snapshot->events == truth->events);
    CHECK(state->snapshot->run->run == 12);
    CHECK(state->snapshot->excess.n_on == truth->excess.n_on);
    CHECK(state->snapshot->excess.n_on == (truth->events + 9) / 10);  // every tenth, from the first on
    CHECK(state->snapshot->pe_on.coincident.value == truth->pe_on.coincident.value);
}

TEST_CASE("a live feed says that nobody is there, and follows a daemon that comes back", "[gui][feed]") {
    std::optional<ToyDaemon> daemon{std::in_place, 12, "tcp://127.0.0.1:*", "tcp://127.0.0.1:*"};
    MonitorClient::Config config = config_for(*daemon);
    config.silent_after = 50ms;
    daemon.reset();
    SnapshotBox<FeedState> box;
    LiveFeed feed{config, box};
    REQUIRE(eventually([&] { return !box.get()->problem.empty(); }, [&] { feed.step(); }));
    CHECK_FALSE(box.get()->connected);
    CHECK(box.get()->snapshot == nullptr);

    const auto seen_run = [&](std::uint64_t run) {
        const auto state = box.get();
        return state->connected && state->snapshot && state->snapshot->run && state->snapshot->run->run == run &&
               state->snapshot->events > 0;
    };
    for (const std::uint64_t run : {13, 14}) {
        daemon.emplace(run, config.monitor_endpoint, config.control_endpoint);
        REQUIRE(eventually([&] { return seen_run(run); },
                           [&] {
                               daemon->pulse();
                               feed.step();
                           }));
        daemon.reset();
        REQUIRE(eventually([&] { return !box.get()->connected; }, [&] { feed.step(); }));
        CHECK(box.get()->snapshot != nullptr);  // the last one stays
    }
}

TEST_CASE("a feed without messages puts nothing new into the box", "[gui][feed]") {
    MonitorClient::Config config;
    config.monitor_endpoint = "ipc:///tmp/alleycat-no-daemon-monitor";
    config.control_endpoint = "ipc:///tmp/alleycat-no-daemon-control";
    SnapshotBox<FeedState> box;
    LiveFeed feed{config, box};
    std::string problem;
    std::shared_ptr<const FeedState> before = box.get();
    for (int k = 0; k < 6; ++k) {
        feed.step();
        const std::shared_ptr<const FeedState> now = box.get();
        CHECK((now == before || now->problem != before->problem));
        before = now;
    }
}

TEST_CASE("an endpoint that is none ends a feed at its start", "[gui][feed]") {
    MonitorClient::Config config;
    config.monitor_endpoint = "5556";
    SnapshotBox<FeedState> box;
    REQUIRE_THROWS_AS((LiveFeed{config, box}), UsageError);
}

TEST_CASE("a file feed plays a part to its end", "[gui][feed]") {
    const QTemporaryDir folder;
    const std::filesystem::path path = std::filesystem::path{folder.path().toStdString()} / "run000012_part0000.h5";
    write_part(path, 200);
    SnapshotBox<FeedState> box;
    FileFeed feed{{path}, box};
    CHECK(box.get()->source == "run000012_part0000.h5");
    CHECK_FALSE(box.get()->ended);
    while (feed.step()) {
    }
    const std::shared_ptr<const FeedState> end = box.get();
    CHECK(end->ended);
    CHECK_FALSE(end->live);
    CHECK(end->fraction == 1.0);
    REQUIRE(end->snapshot);
    CHECK(end->snapshot->events == 200);
    CHECK(end->snapshot->run->run == 12);
    CHECK(end->snapshot->excess.n_on == 20);  // every tenth of 200 lies in the box
    CHECK(end->snapshot->excess.n_off == 0);
    CHECK(end->snapshot->exposure.ticks_on == 200);
}

TEST_CASE("a file is shown with the binning of its own station text", "[gui][feed]") {
    const QTemporaryDir folder;
    const std::filesystem::path path = std::filesystem::path{folder.path().toStdString()} / "run000012_part0000.h5";
    const auto shown = [&](const std::string& station) {
        write_part(path, 20, station);
        SnapshotBox<FeedState> box;
        FileFeed feed{{path}, box};
        while (feed.step()) {
        }
        std::filesystem::remove(path);
        return box.get();
    };
    const std::string good =
        "[trigger]\nunknown_to_the_monitor = 1\n[monitor]\ncharge_max_pe = 20\ncharge_bin_pe = 0.5\n"
        "[monitor.discriminant]\nfeature = \"t50_ns\"\nmax = 3000\nbin = 100\n";
    std::shared_ptr<const FeedState> state = shown(good);
    CHECK(state->snapshot->pe_on.coincident.value.size() == 40);
    CHECK(state->snapshot->pe_on.coincident.value[24] == 2);  // 12 PE, twice in 20
    CHECK(state->snapshot->discriminant.problem.empty());
    CHECK(state->snapshot->discriminant.loose.both.y_axis == "t50 [ns]");
    CHECK(state->remark.empty());

    state = shown("[monitor]\ncharge_bin_pe = 7\n");
    CHECK(state->snapshot->pe_on.coincident.value.size() == 25);
    CHECK(state->snapshot->events == 20);
    CHECK(state->remark ==
          "shown with default binning, not the file's: csi.toml:2:17: monitor.charge_bin_pe: 7 pe does not divide 0 to "
          "50 pe "
          "into whole bins");
}

TEST_CASE("a file that is absent or no file of ours is named", "[gui][feed]") {
    const QTemporaryDir folder;
    const std::filesystem::path path = std::filesystem::path{folder.path().toStdString()} / "notes.h5";
    SnapshotBox<FeedState> box;
    REQUIRE_THROWS_WITH((FileFeed{{path}, box}), Catch::Contains("notes.h5"));
    std::ofstream{path} << "this is no recording\n";
    REQUIRE_THROWS_WITH((FileFeed{{path}, box}), Catch::Contains("notes.h5"));
}
