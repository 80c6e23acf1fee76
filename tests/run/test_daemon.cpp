#include <catch2/catch.hpp>
#include <fstream>
#include <iterator>

#include "daq/core/error.hpp"
#include "daq/run/daemon.hpp"
#include "daq/store/file_reader.hpp"
#include "station.hpp"

using namespace run_test;

namespace {

/// Ports of their own for programs that run side by side, below those the system lends to connections.
StationSetup with_sockets(StationSetup setup) {
    const int base = 10'000 + static_cast<int>(getpid() % 3'500) * 3;
    const auto endpoint = [&](int i) { return "tcp://127.0.0.1:" + std::to_string(base + i); };
    setup.wire.data_endpoint = endpoint(0);
    setup.wire.monitor_endpoint = endpoint(1);
    setup.wire.control_endpoint = endpoint(2);
    return setup;
}

/// A daemon in a thread of its own, spoken to over its socket.
struct Served {
    Served(const StationSetup& setup, DaemonOptions options)
        : daemon{setup, std::move(options)},
          client{setup.wire.control_endpoint},
          thread{"daemon", [this](const std::stop_token&) { result = daemon.serve(signals); }} {}
    ControlReply ask(ControlCommand command) { return client.request({command, ""}, std::chrono::seconds{30}); }
    Status status() { return ask(ControlCommand::status).status.value(); }
    Status until(RunState state) {
        for (;;) {
            if (const Status now = status(); now.state == state) return now;
        }
    }
    static std::uint64_t counter(const Status& status, std::string_view name) {
        for (const auto& [known, value] : status.counters) {
            if (known == name) return value;
        }
        return 0;
    }
    ShutdownSignals signals;
    RunResult result;
    Daemon daemon;
    ControlClient client;
    Worker thread;
};

std::string text_of(const std::filesystem::path& path) {
    std::ifstream in{path};
    return {std::istreambuf_iterator<char>{in}, {}};
}

}  // namespace

TEST_CASE("a simulated run into one file closes the file and the ledger", "[run][daemon]") {
    const TemporaryFolder folder;
    StationSetup setup = csi_station();
    setup.store.folder = folder.path();
    const std::filesystem::path output = folder.path() / "run.h5";
    ShutdownSignals signals;
    Daemon daemon{setup,
                  {.writer = DaemonOptions::Writer::single_file,
                   .output = output,
                   .sockets = false,
                   .end_with_run = true,
                   .triggers = 100,
                   .mode = WhenFull::wait,
                   .keep_campaign = false}};
    const RunResult result = daemon.serve(signals);
    CHECK(result.status.ledger.closes());
    CHECK(result.status.ledger.recorded == 100);
    REQUIRE(result.files == std::vector<std::filesystem::path>{output});
    const AlleycatFile file{output};
    CHECK(file.closed());
    CHECK(file.triggers() == 100);
    CHECK(result.monitor != nullptr);
}

TEST_CASE("without a writer stop answers, draining gives up in time, and a second run counts from 0", "[run][daemon]") {
    const TemporaryFolder folder;
    StationSetup setup = with_sockets(csi_station());
    setup.simulator.pacing = Pacing::realtime;
    setup.simulator.start_utc.reset();
    setup.simulator.missed_tick_share = 0;
    setup.store.folder = folder.path();
    setup.run.drain_timeout_s = 0.3;
    setup.run.autostart = false;
    std::uint64_t recorded = 0;
    {
        Served served{setup, {.writer = DaemonOptions::Writer::stream, .keep_campaign = false}};
        CHECK(served.status().state == RunState::idle);
        CHECK_FALSE(served.ask(ControlCommand::stop).ok);
        for (int run = 1; run <= 2; ++run) {
            const ControlReply start = served.ask(ControlCommand::start);
            REQUIRE(start.ok);
            CHECK_FALSE(served.ask(ControlCommand::start).ok);
            Status status;
            do {
                status = served.status();
            } while (status.run != static_cast<std::uint64_t>(run) || status.ledger.recorded < 10);
            CHECK(status.state == RunState::running);
            CHECK(served.ask(ControlCommand::stop).message == "acquisition has ended");
            status = served.until(RunState::idle);
            CHECK(status.ledger.closes());
            CHECK(status.ledger.refused == 0);
            CHECK(Served::counter(status, "run.recorded_triggers") == status.ledger.recorded);
            CHECK(Served::counter(status, "readout.pci5153.records") >= status.ledger.recorded);
            CHECK(Served::counter(status, "readout.pci5153.records") < status.ledger.recorded + 10);
            CHECK(status.ledger.lost_estimated == 0);
            recorded += status.ledger.recorded;
        }
        CHECK(served.ask(ControlCommand::quit).ok);
        // Both runs stood in memory and nobody took them: the program says how many, and fails.
        CHECK_THROWS_WITH(served.thread.finish(), std::to_string(recorded) + " triggers are lost: no writer has put them on disk");
    }
    CHECK_THAT(text_of(folder.path() / "daemon.state"), Catch::Contains("run 2") && Catch::Contains("clean 0"));

    // The next process estimates what was lost.
    Served served{setup, {.writer = DaemonOptions::Writer::embedded, .keep_campaign = false}};
    REQUIRE(served.ask(ControlCommand::start).ok);
    Status status;
    do {
        status = served.status();
    } while (status.ledger.recorded < 5);
    CHECK(status.run == 3);
    served.ask(ControlCommand::stop);
    served.until(RunState::idle);
    served.signals.request_stop();
    served.thread.finish();
    CHECK(served.result.files.size() == 1);
    CHECK_THAT(text_of(folder.path() / "daemon.state"), Catch::Contains("run 3") && Catch::Contains("clean 1"));
}

TEST_CASE("a gap after a run that was cut off is counted as lost, estimated", "[run][daemon]") {
    const TemporaryFolder folder;
    StationSetup setup = csi_station();
    setup.store.folder = folder.path();
    const std::int64_t start_ns = setup.simulator.start_utc->time_since_epoch().count();
    std::ofstream{folder.path() / "daemon.state"} << "run 4\non_disk_until_utc_ns " << start_ns - 10'000'000'000
                                                  << "\nclean 0\n";
    ShutdownSignals signals;
    Daemon daemon{
        setup,
        {.sockets = false, .end_with_run = true, .triggers = 20, .mode = WhenFull::wait, .keep_campaign = false}};
    const RunResult result = daemon.serve(signals);
    CHECK(result.status.ledger.lost_estimated >= 600);  // 10 s at 60 Hz; the first ticks may be missed ones
    CHECK(result.status.ledger.lost_estimated < 610);
    REQUIRE(result.status.gap);
    CHECK(result.status.gap->previous_run == 4);
    CHECK(result.status.gap->last_sequence == kNoSequence);  // the folder holds nothing of run 4
    CHECK(result.status.gap->from_utc_ns == start_ns - 10'000'000'000);
    CHECK(result.status.gap->lost_estimated == result.status.ledger.lost_estimated);
}

TEST_CASE("a writer that fails puts the daemon into error, says why, and the program fails", "[run][daemon]") {
    const TemporaryFolder folder;
    StationSetup setup = with_sockets(csi_station());
    setup.store.folder = folder.path();
    setup.simulator.pacing = Pacing::realtime;
    setup.simulator.start_utc.reset();
    const std::filesystem::path output = folder.path() / "run.h5";
    Served served{setup, {.writer = DaemonOptions::Writer::single_file, .output = output, .keep_campaign = false}};
    Status status;
    do {
        status = served.status();
    } while (status.ledger.recorded < 3);
    served.ask(ControlCommand::stop);
    served.until(RunState::idle);
    served.ask(ControlCommand::start);  // a second run into a file that is closed
    status = served.until(RunState::error);
    CHECK_THAT(status.reason, Catch::Contains("start this program again"));
    CHECK_THAT(served.ask(ControlCommand::start).message,
               Catch::Contains("writer of this process") || Catch::Contains("a run is going on"));
    CHECK(served.ask(ControlCommand::quit).ok);
    CHECK_THROWS_AS(served.thread.finish(), Error);
}
