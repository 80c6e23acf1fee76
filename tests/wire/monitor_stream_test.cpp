#include <array>
#include <catch2/catch.hpp>
#include <cstring>
#include <memory>
#include <zmq.hpp>

#include "daq/wire/control.hpp"
#include "daq/wire/monitor_client.hpp"
#include "daq/wire/monitor_codec.hpp"
#include "daq/wire/monitor_publisher.hpp"
#include "samples.hpp"

using namespace alleycat;
using namespace alleycat::test;
using namespace std::chrono_literals;

namespace {

/// What a daemon has: state accumulated from the same messages that it publishes, and a control socket.
class ToyDaemon {
  public:
    explicit ToyDaemon(std::string monitor = "tcp://127.0.0.1:*", std::string control = "tcp://127.0.0.1:*")
        : publisher{{.endpoint = std::move(monitor), .security = {}}},
          server{{.endpoint = std::move(control), .security = {}}, counters, [this](const ControlRequest& request) {
                     ControlReply reply;
                     if (request.command == ControlCommand::snapshot) {
                         ++snapshots;
                         reply.snapshot = {publisher.identity(), publisher.message_number(), state.state()};
                     }
                     return reply;
                 }} {}

    void run() {
        state.on_run(sample_run());
        publisher.on_run(sample_run());
    }
    void event() {
        const Event event = sample_event(next_++);
        state.on_event(event);
        publisher.on_event(event);
    }
    void mixed() {
        event();
        const BeamResolution beam{next_, 1e6f, BeamState::on};
        state.on_beam(beam);
        publisher.on_beam(beam);
        state.on_dead_time(sample_dead_time());
        publisher.on_dead_time(sample_dead_time());
        publisher.repeat_run();
        state.on_calibration({1, 2, 3, 4});
        publisher.on_calibration({1, 2, 3, 4});
        state.on_waveform(sample_waveform());
        publisher.on_waveform(sample_waveform());
        state.on_status(sample_status());
        publisher.on_status(sample_status());
        state.on_alarm(sample_alarm());
        publisher.on_alarm(sample_alarm());
    }

    CounterRegistry counters;
    DiarySink state;
    int snapshots = 0;
    MonitorPublisher publisher;
    ControlServer server;

  private:
    std::uint64_t next_ = 1;
};

struct ToyMonitor {
    explicit ToyMonitor(const ToyDaemon& daemon)
        : ToyMonitor{{.monitor_endpoint = daemon.publisher.endpoint(),
                      .control_endpoint = daemon.server.endpoint(),
                      .security = {}}} {}
    explicit ToyMonitor(MonitorClient::Config config) : client{std::move(config)} {}

    std::size_t poll(std::chrono::milliseconds timeout = 5ms) {
        return client.poll(
            state, [this](std::span<const std::byte> bytes) { return state.restore(bytes); }, timeout);
    }

    DiarySink state;
    MonitorClient client;
};

/// A PUB socket of which the test decides what it sends.
class RawPublisher {
  public:
    RawPublisher() : socket_{context_, zmq::socket_type::pub} {
        socket_.set(zmq::sockopt::linger, 0);
        socket_.bind("tcp://127.0.0.1:*");
    }
    [[nodiscard]] std::string endpoint() const { return socket_.get(zmq::sockopt::last_endpoint); }
    void send(std::span<const std::byte> body, std::uint32_t version = kMonitorSchemaVersion) {
        socket_.send(zmq::str_buffer("event"), zmq::send_flags::sndmore);
        socket_.send(zmq::buffer(&version, sizeof version), zmq::send_flags::sndmore);
        socket_.send(zmq::buffer(body.data(), body.size()), zmq::send_flags::none);
    }

  private:
    zmq::context_t context_;
    zmq::socket_t socket_;
};

}  // namespace

TEST_CASE("a monitor that joins late has the state of one that was there from the start", "[wire][stream]") {
    ToyDaemon daemon;
    ToyMonitor early{daemon};
    daemon.run();
    const auto step = [&](ToyMonitor& monitor) {
        daemon.mixed();
        (void)daemon.server.serve(0ms);
        (void)monitor.poll();
    };
    REQUIRE(eventually([&] { return early.client.synchronized(); }, [&] { step(early); }));
    for (int i = 0; i < 100; ++i) step(early);

    ToyMonitor late{daemon};
    REQUIRE(eventually([&] { return late.client.synchronized(); }, [&] { step(late); }));
    for (int i = 0; i < 20; ++i) step(late);

    const std::uint64_t last = daemon.publisher.message_number();
    for (ToyMonitor* monitor : {&early, &late}) {
        REQUIRE(eventually([&] { return monitor->client.message_number() == last; },
                           [&] {
                               (void)daemon.server.serve(0ms);
                               (void)monitor->poll();
                           }));
        CHECK(monitor->state.lines == daemon.state.lines);
        CHECK(monitor->client.holes() == 0);
        CHECK(monitor->client.connected());
        CHECK(monitor->client.problem() == "");
    }
}

TEST_CASE("a monitor that connects while the daemon is silent gets its state from the snapshot alone",
          "[wire][stream]") {
    ToyDaemon daemon;
    daemon.run();
    daemon.event();
    ToyMonitor monitor{daemon};
    REQUIRE(eventually([&] { return monitor.client.synchronized(); },
                       [&] {
                           (void)daemon.server.serve(0ms);
                           (void)monitor.poll();
                       }));
    CHECK(monitor.state.lines == daemon.state.lines);
    CHECK(monitor.client.message_number() == 2);
    CHECK_FALSE(monitor.client.connected());
}

TEST_CASE("a hole in the message numbers is counted and made good by a snapshot", "[wire][stream]") {
    RawPublisher publisher;
    MonitorEncoder encoder;
    DiarySink truth;  // what the daemon accumulated, of all messages
    constexpr std::uint64_t kPublisher = 42;
    std::uint64_t number = 0;
    int snapshots = 0;
    CounterRegistry counters;
    ControlServer server{{.endpoint = "tcp://127.0.0.1:*", .security = {}}, counters, [&](const ControlRequest&) {
                             ++snapshots;
                             ControlReply reply;
                             reply.snapshot = {kPublisher, number, truth.state()};
                             return reply;
                         }};
    ToyMonitor monitor{
        {.monitor_endpoint = publisher.endpoint(), .control_endpoint = server.endpoint(), .security = {}}};
    const auto publish = [&](bool lost) {
        const Event event = sample_event(++number);
        truth.on_event(event);
        if (!lost) publisher.send(encoder.encode({kPublisher, number}, event));
    };
    const auto step = [&] {
        publish(false);
        (void)server.serve(0ms);
        (void)monitor.poll();
    };
    const auto caught_up = [&] { return monitor.client.synchronized() && monitor.client.message_number() == number; };
    const auto drain = [&] {
        (void)server.serve(0ms);
        (void)monitor.poll();
    };
    REQUIRE(eventually([&] { return monitor.client.synchronized(); }, step));
    REQUIRE(eventually(caught_up, drain));
    const int before = snapshots;
    CHECK(monitor.client.holes() == 0);

    publish(true);
    publish(true);
    publish(false);
    REQUIRE(eventually([&] { return monitor.client.holes() == 1; }, drain));
    for (int i = 0; i < 5; ++i) publish(false);
    REQUIRE(eventually(caught_up, drain));
    CHECK(monitor.state.lines == truth.lines);
    CHECK(monitor.client.holes() == 1);
    CHECK(snapshots > before);
}

TEST_CASE("a restarted daemon is noticed and its state taken over", "[wire][stream]") {
    const TemporaryFolder folder;
    const std::string monitor_endpoint = "ipc://" + (folder / "monitor").string();
    const std::string control_endpoint = "ipc://" + (folder / "control").string();
    auto daemon = std::make_unique<ToyDaemon>(monitor_endpoint, control_endpoint);
    ToyMonitor monitor{*daemon};
    daemon->run();
    const auto step = [&] {
        daemon->event();
        (void)daemon->server.serve(0ms);
        (void)monitor.poll();
    };
    REQUIRE(eventually([&] { return monitor.client.synchronized(); }, step));
    for (int i = 0; i < 50; ++i) step();

    daemon.reset();
    daemon = std::make_unique<ToyDaemon>(monitor_endpoint, control_endpoint);
    daemon->run();
    const auto caught_up = [&] {
        return monitor.client.synchronized() && monitor.client.message_number() == daemon->publisher.message_number() &&
               monitor.state.lines == daemon->state.lines;
    };
    REQUIRE(eventually(caught_up, step));
}

TEST_CASE("a newer schema version is refused with one clear sentence and nothing of it is applied", "[wire][stream]") {
    RawPublisher publisher;
    MonitorEncoder encoder;
    ToyMonitor monitor{
        {.monitor_endpoint = publisher.endpoint(), .control_endpoint = "tcp://127.0.0.1:1", .security = {}}};
    std::uint64_t number = 0;
    REQUIRE(eventually([&] { return monitor.client.refused_messages() >= 3; },
                       [&] {
                           publisher.send(encoder.encode({1, ++number}, sample_event()), kMonitorSchemaVersion + 1);
                           (void)monitor.poll();
                       }));
    CHECK(monitor.client.problem() ==
          publisher.endpoint() + " speaks version 2 of the monitor messages, this program knows 1: update it");
    CHECK(monitor.state.lines.empty());
    CHECK(monitor.client.bad_messages() == 0);
}

TEST_CASE("a daemon that never answers does not hang the monitor, which says what is missing", "[wire][stream]") {
    RawPublisher publisher;
    MonitorEncoder encoder;
    // A control socket that accepts connections and says nothing: nobody calls serve().
    CounterRegistry counters;
    ControlServer mute{{.endpoint = "tcp://127.0.0.1:*", .security = {}}, counters, [](const ControlRequest&) {
                           return ControlReply{};
                       }};
    ToyMonitor monitor{{.monitor_endpoint = publisher.endpoint(),
                        .control_endpoint = mute.endpoint(),
                        .security = {},
                        .snapshot_timeout = 20ms,
                        .waiting_messages = 10}};
    std::uint64_t number = 0;
    const std::string expected = mute.endpoint() + " does not answer when asked for a snapshot";
    REQUIRE(eventually([&] { return monitor.client.problem() == expected; },
                       [&] {
                           publisher.send(encoder.encode({1, ++number}, sample_event()));
                           (void)monitor.poll();
                       }));
    CHECK(monitor.state.lines.empty());
    CHECK_FALSE(monitor.client.synchronized());
}

TEST_CASE("a snapshot older than the stream is not applied, a newer one is asked for", "[wire][stream]") {
    ToyDaemon daemon;
    daemon.run();
    MonitorSnapshot old{daemon.publisher.identity(), daemon.publisher.message_number(), daemon.state.state()};
    int asked = 0;
    CounterRegistry counters;
    ControlServer server{{.endpoint = "tcp://127.0.0.1:*", .security = {}}, counters, [&](const ControlRequest&) {
                             ControlReply reply;
                             reply.snapshot = ++asked == 1 ? old
                                                           : MonitorSnapshot{daemon.publisher.identity(),
                                                                             daemon.publisher.message_number(),
                                                                             daemon.state.state()};
                             return reply;
                         }};
    for (int i = 0; i < 10; ++i) daemon.event();  // nobody listens yet: these are in no monitor's queue
    ToyMonitor monitor{
        {.monitor_endpoint = daemon.publisher.endpoint(), .control_endpoint = server.endpoint(), .security = {}}};
    REQUIRE(eventually([&] { return monitor.client.synchronized(); },
                       [&] {
                           daemon.event();
                           if (monitor.client.last_message() != UtcTime{}) (void)server.serve(0ms);
                           (void)monitor.poll();
                       }));
    REQUIRE(eventually([&] { return monitor.client.message_number() == daemon.publisher.message_number(); },
                       [&] { (void)monitor.poll(); }));
    CHECK(asked == 2);
    CHECK(monitor.state.lines == daemon.state.lines);
}

TEST_CASE("hostile bytes on the monitor stream are counted and never applied", "[wire][hostile]") {
    RawPublisher publisher;
    ToyMonitor monitor{
        {.monitor_endpoint = publisher.endpoint(), .control_endpoint = "tcp://127.0.0.1:1", .security = {}}};
    std::mt19937_64 random{4711};
    REQUIRE(eventually([&] { return monitor.client.bad_messages() >= 500; },
                       [&] {
                           for (int i = 0; i < 100; ++i) {
                               std::vector<std::byte> body(random() % 300);
                               for (std::byte& b : body) b = static_cast<std::byte>(random());
                               publisher.send(body, static_cast<std::uint32_t>(random() % 2));
                           }
                           (void)monitor.poll();
                       }));
    CHECK(monitor.state.lines.empty());
}

TEST_CASE("a monitor that does not listen does not slow the publisher", "[wire][stream]") {
    MonitorPublisher publisher{{.endpoint = "tcp://127.0.0.1:*", .security = {}, .high_water_messages = 10}};
    zmq::context_t context;
    zmq::socket_t deaf{context, zmq::socket_type::sub};
    deaf.set(zmq::sockopt::linger, 0);
    deaf.set(zmq::sockopt::rcvhwm, 1);
    deaf.set(zmq::sockopt::subscribe, "");
    deaf.connect(publisher.endpoint());
    Waveform waveform = sample_waveform();
    waveform.channels[0].codes.assign(35'000, 100);
    for (int i = 0; i < 2000; ++i) publisher.on_waveform(waveform);  // far more than sockets and queues hold
    CHECK(publisher.message_number() == 2000);
}
