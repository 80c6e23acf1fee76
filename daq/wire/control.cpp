#include "daq/wire/control.hpp"

#include <fmt/format.h>

#include <array>
#include <exception>
#include <utility>

#include "daq/core/error.hpp"
#include "daq/core/log.hpp"
#include "daq/wire/control_codec.hpp"
#include "daq/wire/convert.hpp"
#include "daq/wire/socket.hpp"
#include "proto/control.pb.h"

namespace alleycat {

namespace wire {
namespace {

template <class Message>
bool parse(std::span<const std::byte> bytes, Message& message) {
    return bytes.size() <= static_cast<std::size_t>(kLargestReply) &&
           message.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()));
}

}  // namespace

std::string encode(std::uint64_t id, const ControlRequest& request) {
    v1::ControlRequest message;
    message.set_version(kControlVersion);
    message.set_id(id);
    message.set_command(static_cast<v1::ControlCommand>(request.command));
    message.set_argument(valid_utf8(request.argument));
    message.set_text(valid_utf8(request.text));
    message.set_author(valid_utf8(request.author));
    return message.SerializeAsString();
}

std::string encode(std::uint64_t id, const ControlReply& reply) {
    v1::ControlReply message;
    message.set_version(kControlVersion);
    message.set_id(id);
    message.set_ok(reply.ok);
    message.set_message(valid_utf8(reply.message));
    if (reply.status) to_proto(*reply.status, *message.mutable_status());
    if (reply.snapshot) {
        v1::Snapshot& snapshot = *message.mutable_snapshot();
        snapshot.set_publisher(reply.snapshot->publisher);
        snapshot.set_number(reply.snapshot->number);
        snapshot.set_state(reply.snapshot->state.data(), reply.snapshot->state.size());
    }
    return message.SerializeAsString();
}

ControlDecode decode(std::span<const std::byte> bytes, NumberedRequest& to) {
    v1::ControlRequest message;
    if (!parse(bytes, message) || message.version() == 0) return ControlDecode::malformed;
    to.version = message.version();
    to.id = message.id();
    if (to.version > kControlVersion) return ControlDecode::newer_version;
    if (!v1::ControlCommand_IsValid(message.command())) return ControlDecode::malformed;
    to.request = {static_cast<ControlCommand>(message.command()), message.argument(), message.text(), message.author()};
    return ControlDecode::ok;
}

ControlDecode decode(std::span<const std::byte> bytes, NumberedReply& to) {
    v1::ControlReply message;
    if (!parse(bytes, message) || message.version() == 0) return ControlDecode::malformed;
    to.version = message.version();
    to.id = message.id();
    if (to.version > kControlVersion) return ControlDecode::newer_version;
    to.reply = {message.ok(), message.message(), std::nullopt, std::nullopt};
    if (message.has_status() && !from_proto(message.status(), to.reply.status.emplace()))
        return ControlDecode::malformed;
    if (message.has_snapshot()) {
        const v1::Snapshot& from = message.snapshot();
        MonitorSnapshot& snapshot = to.reply.snapshot.emplace();
        snapshot.publisher = from.publisher();
        snapshot.number = from.number();
        const auto state = std::as_bytes(std::span{from.state()});
        snapshot.state.assign(state.begin(), state.end());
    }
    return ControlDecode::ok;
}

Socket connect_control(const std::string& endpoint, const Security& security) {
    return Socket::connect(zmq::socket_type::dealer, endpoint, security,
                           {.send_high_water = 2, .receive_high_water = 16, .largest_message = kLargestReply});
}

bool send_request(Socket& socket, std::uint64_t id, const ControlRequest& request) {
    const std::string bytes = encode(id, request);
    std::array<zmq::message_t, 2> parts{zmq::message_t{}, zmq::message_t{bytes.data(), bytes.size()}};
    return socket.send(parts);
}

std::optional<zmq::message_t> receive_reply(Socket& socket) {
    std::vector<zmq::message_t> parts;
    if (!socket.receive(parts)) return std::nullopt;
    if (parts.size() != 2 || parts[0].size() != 0) return zmq::message_t{};
    return std::move(parts[1]);
}

}  // namespace wire

std::optional<ControlCommand> control_command(std::string_view word) noexcept {
    for (const ControlCommand command :
         {ControlCommand::status, ControlCommand::start, ControlCommand::stop, ControlCommand::snapshot,
          ControlCommand::quit, ControlCommand::comment, ControlCommand::mark}) {
        if (to_text(command) == word) return command;
    }
    return std::nullopt;
}

// ---- server

struct ControlServer::Impl {
    google::protobuf::LogSilencer quiet;  // damaged requests are counted, not printed by Protobuf
    Handler handler;
    wire::Socket socket;
    std::string endpoint;
    Counter& bad_requests;
    Counter& lost_replies;

    Impl(const Config& config, CounterRegistry& counters, Handler answer)
        : handler{std::move(answer)},
          // The answer to `quit` must still get out when the server goes.
          socket{wire::Socket::listen(zmq::socket_type::router, config.endpoint, config.security,
                                      {.send_high_water = 64, .linger = std::chrono::milliseconds{500}})},
          endpoint{socket.endpoint()},
          bad_requests{counters.get("control.bad_requests")},
          lost_replies{counters.get("control.lost_replies")} {}

    [[nodiscard]] ControlReply answer(const ControlRequest& request) const {
        try {
            return handler(request);
        } catch (const std::exception& e) {
            log::wire().warn("control {}: {}", to_text(request.command), e.what());
            return {.ok = false, .message = e.what(), .status = std::nullopt, .snapshot = std::nullopt};
        }
    }

    void handle(std::vector<zmq::message_t>& parts) {
        wire::NumberedRequest request;
        ControlReply reply;
        if (parts.size() != 3 || parts[1].size() != 0) {
            bad_requests.add();
            return;  // who sent it does not speak the protocol and would not understand an answer
        }
        switch (wire::decode(wire::bytes_of(parts[2]), request)) {
            case wire::ControlDecode::ok: reply = answer(request.request); break;
            case wire::ControlDecode::newer_version:
                bad_requests.add();
                reply.ok = false;
                reply.message = fmt::format("this daemon speaks version {} of the control messages, not {}: update it",
                                            kControlVersion, request.version);
                break;
            case wire::ControlDecode::malformed:
                bad_requests.add();
                reply.ok = false;
                reply.message = "not a control request";
                break;
        }
        const std::string bytes = wire::encode(request.id, reply);
        parts[2].rebuild(bytes.data(), bytes.size());
        if (!socket.send(parts)) lost_replies.add();
    }
};

ControlServer::ControlServer(Config config, CounterRegistry& counters, Handler handler)
    : impl_{std::make_unique<Impl>(config, counters, std::move(handler))} {}
ControlServer::~ControlServer() = default;

bool ControlServer::serve(std::chrono::milliseconds timeout) {
    impl_->socket.wait(timeout);
    std::vector<zmq::message_t> parts;
    int served = 0;
    while (served < 16 && impl_->socket.receive(parts)) {
        impl_->handle(parts);
        ++served;
    }
    return served > 0;
}

const std::string& ControlServer::endpoint() const noexcept { return impl_->endpoint; }

// ---- client

ControlClient::ControlClient(std::string endpoint, Security security)
    : endpoint_{std::move(endpoint)}, security_{std::move(security)} {
    if (const std::string problem = endpoint_problem(endpoint_); !problem.empty()) throw UsageError{problem};
}

ControlReply ControlClient::request(const ControlRequest& request, std::chrono::milliseconds timeout) {
    const auto deadline = wire::Clock::now() + timeout;
    const std::uint64_t id = wire::draw_identity();
    wire::Socket socket = wire::connect_control(endpoint_, security_);
    (void)wire::send_request(socket, id, request);  // the first in an empty queue: always taken
    for (;;) {
        if (const std::optional<zmq::message_t> message = wire::receive_reply(socket)) {
            wire::NumberedReply reply;
            const wire::ControlDecode decoded = wire::decode(wire::bytes_of(*message), reply);
            if (decoded == wire::ControlDecode::newer_version) {
                throw Error{
                    fmt::format("{} answers in version {} of the control messages, this program knows {}: update it",
                                endpoint_, reply.version, kControlVersion)};
            }
            if (decoded == wire::ControlDecode::malformed)
                throw Error{fmt::format("{} does not speak the control protocol", endpoint_)};
            if (reply.id == id) return std::move(reply.reply);
            continue;
        }
        const auto left = std::chrono::ceil<wire::Milliseconds>(deadline - wire::Clock::now());
        if (left.count() <= 0) {
            throw Error{
                fmt::format("no answer from {} within {} s", endpoint_, static_cast<double>(timeout.count()) / 1000)};
        }
        socket.wait(left);
    }
}

}  // namespace alleycat
