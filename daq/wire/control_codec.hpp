#pragma once
// Private to daq/wire: control messages to bytes and back.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "daq/wire/control.hpp"
#include "daq/wire/socket.hpp"

namespace alleycat::wire {

/// Largest reply a client takes; a snapshot is a few MB.
inline constexpr std::int64_t kLargestReply = std::int64_t{1} << 30;

struct NumberedRequest {
    std::uint32_t version = kControlVersion;
    std::uint64_t id = 0;
    ControlRequest request;
};
struct NumberedReply {
    std::uint32_t version = kControlVersion;
    std::uint64_t id = 0;
    ControlReply reply;
};

[[nodiscard]] std::string encode(std::uint64_t id, const ControlRequest& request);
[[nodiscard]] std::string encode(std::uint64_t id, const ControlReply& reply);

enum class ControlDecode : std::uint8_t { ok, newer_version, malformed };
/// With newer_version, `to` has the version and the id.
[[nodiscard]] ControlDecode decode(std::span<const std::byte> bytes, NumberedRequest& to);
[[nodiscard]] ControlDecode decode(std::span<const std::byte> bytes, NumberedReply& to);

/// What a client uses to talk to a control socket.
[[nodiscard]] Socket connect_control(const std::string& endpoint, const Security& security);
/// false: earlier requests still wait for a connection.
[[nodiscard]] bool send_request(Socket& socket, std::uint64_t id, const ControlRequest& request);
/// Takes one message off the socket; nullopt when there is none. An empty span stands for one that is not a reply.
[[nodiscard]] std::optional<zmq::message_t> receive_reply(Socket& socket);

}  // namespace alleycat::wire
