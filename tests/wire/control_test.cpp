#include "daq/wire/control.hpp"

#include <atomic>
#include <catch2/catch.hpp>
#include <random>
#include <zmq.hpp>

#include "daq/core/error.hpp"
#include "daq/core/worker.hpp"
#include "proto/control.pb.h"
#include "samples.hpp"

using namespace alleycat;
using namespace alleycat::test;
using namespace std::chrono_literals;

namespace {

/// A control socket in its own thread, as the daemon has it.
class Served {
  public:
    explicit Served(ControlServer::Handler handler)
        : server{{.endpoint = "tcp://127.0.0.1:*", .security = {}}, counters, std::move(handler)},
          thread_{"control", [this](std::stop_token stop) {
                      while (!stop.stop_requested()) (void)server.serve(20ms);
                  }} {}
    CounterRegistry counters;
    ControlServer server;

  private:
    Worker thread_;
};

/// One request of raw bytes, its answer parsed; false: none within 10 s.
bool exchange(const std::string& endpoint, const std::string& request, v1::ControlReply& reply) {
    zmq::context_t context;
    zmq::socket_t socket{context, zmq::socket_type::req};  // a plain REQ socket must do
    socket.set(zmq::sockopt::linger, 0);
    socket.set(zmq::sockopt::rcvtimeo, 10'000);
    socket.connect(endpoint);
    socket.send(zmq::buffer(request), zmq::send_flags::none);
    zmq::message_t answer;
    return socket.recv(answer) && reply.ParseFromArray(answer.data(), static_cast<int>(answer.size()));
}

}  // namespace

TEST_CASE("a control request reaches the handler and its reply comes back whole", "[wire][control]") {
    const MonitorSnapshot snapshot{kBig, kBig - 1, {std::byte{0}, std::byte{255}, std::byte{7}}};
    Served served{[&](const ControlRequest& request) {
        ControlReply reply;
        reply.message = std::string{to_text(request.command)} + " " + request.argument + request.text + request.author;
        reply.status = sample_status();
        reply.snapshot = snapshot;
        return reply;
    }};
    ControlClient client{served.server.endpoint()};
    for (const std::string_view word : {"status", "start", "stop", "snapshot", "quit", "comment", "mark"}) {
        const ControlReply reply = client.request({control_command(word).value(), "now", ", at", " once"}, 10s);
        CHECK(reply.ok);
        CHECK(reply.message == std::string{word} + " now, at once");
        CHECK(reply.status.value() == sample_status());
        CHECK(reply.snapshot.value().publisher == kBig);
        CHECK(reply.snapshot.value().number == kBig - 1);
        CHECK(reply.snapshot.value().state == snapshot.state);
    }
    CHECK_FALSE(control_command("explode").has_value());
}

TEST_CASE("what a handler throws is the answer", "[wire][control]") {
    Served served{[](const ControlRequest&) -> ControlReply { throw Error{"a run is going on already"}; }};
    ControlClient client{served.server.endpoint()};
    const ControlReply reply = client.request({ControlCommand::start, ""}, 10s);
    CHECK_FALSE(reply.ok);
    CHECK(reply.message == "a run is going on already");
}

TEST_CASE("a daemon that is not there gives one sentence in the time allowed", "[wire][control]") {
    ControlClient client{"tcp://127.0.0.1:1"};
    CHECK_THROWS_WITH(client.request({ControlCommand::status, ""}, 50ms),
                      "no answer from tcp://127.0.0.1:1 within 0.05 s");
    CounterRegistry counters;
    ControlServer mute{{.endpoint = "tcp://127.0.0.1:*", .security = {}}, counters, [](const ControlRequest&) {
                           return ControlReply{};
                       }};
    ControlClient other{mute.endpoint()};
    CHECK_THROWS_WITH(other.request({ControlCommand::status, ""}, 2000ms),
                      "no answer from " + mute.endpoint() + " within 2 s");
    CHECK_THROWS_AS(ControlClient{"http://somewhere"}, UsageError);
}

TEST_CASE("a newer or malformed control request is refused, counted and answered", "[wire][control]") {
    std::atomic<int> handled{0};
    Served served{[&](const ControlRequest&) {
        ++handled;
        return ControlReply{};
    }};
    v1::ControlReply reply;
    v1::ControlRequest request;
    request.set_version(kControlVersion + 1);
    request.set_id(99);
    REQUIRE(exchange(served.server.endpoint(), request.SerializeAsString(), reply));
    CHECK_FALSE(reply.ok());
    CHECK(reply.id() == 99);
    CHECK(reply.message() == "this daemon speaks version 1 of the control messages, not 2: update it");

    request.set_version(kControlVersion);
    request.set_command(static_cast<v1::ControlCommand>(77));
    REQUIRE(exchange(served.server.endpoint(), request.SerializeAsString(), reply));
    CHECK(reply.message() == "not a control request");
    CHECK(handled == 0);
    CHECK(served.counters.get("control.bad_requests").value() == 2);
}

TEST_CASE("no damaged control request stops the server", "[wire][hostile]") {
    Served served{[](const ControlRequest&) { return ControlReply{}; }};
    zmq::context_t context;
    zmq::socket_t socket{context, zmq::socket_type::dealer};
    socket.set(zmq::sockopt::linger, 0);
    socket.connect(served.server.endpoint());
    std::mt19937_64 random{1};
    for (int i = 0; i < 500; ++i) {
        const std::size_t parts = 1 + random() % 12;
        for (std::size_t p = 0; p < parts; ++p) {
            std::string bytes(random() % 40, '\0');
            for (char& c : bytes) c = static_cast<char>(random());
            socket.send(zmq::buffer(bytes), p + 1 < parts ? zmq::send_flags::sndmore : zmq::send_flags::none);
        }
    }
    ControlClient client{served.server.endpoint()};
    CHECK(client.request({ControlCommand::status, ""}, 10s).ok);
}
