#pragma once
// Private to daq/wire: what both ends of the data stream agree on.

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>

#include "daq/wire/data_position.hpp"
#include "daq/wire/socket.hpp"
#include "proto/data.pb.h"

namespace alleycat::wire {

/// Raised whenever a frame may come that the other side does not know: a writer cannot pass over one.
/// 1: frames of kinds 0 to 8; 2: gaps and notes too.
inline constexpr std::uint32_t kDataStreamVersion = 2;

/// Most that a writer may ask to have under way.
inline constexpr std::uint64_t kMaxCreditBytes = 64u << 20;

/// What a frame under way is charged with: its bytes and what ZeroMQ keeps per message. Part of the protocol.
[[nodiscard]] constexpr std::uint64_t credit_cost(std::size_t frame_bytes) noexcept { return frame_bytes + 512; }

// A reply and its frame travel as one part: length of the reply (u32), reply, zeros up to a multiple of 8, frame. In
// two parts libzmq 4.3.4 leaks the first when a connection breaks between them.

[[nodiscard]] inline zmq::message_t pack(const std::string& reply, std::span<const std::byte> frame) {
    const std::size_t frame_at = (sizeof(std::uint32_t) + reply.size() + 7) / 8 * 8;
    zmq::message_t message{frame_at + frame.size()};
    auto* const to = static_cast<std::byte*>(message.data());
    const auto length = static_cast<std::uint32_t>(reply.size());
    std::memset(to, 0, frame_at);
    std::memcpy(to, &length, sizeof length);
    std::memcpy(to + sizeof length, reply.data(), reply.size());
    if (!frame.empty()) std::memcpy(to + frame_at, frame.data(), frame.size());
    return message;
}

struct Packed {
    std::span<const std::byte> reply;
    std::span<const std::byte> frame;  ///< aligned as the message is
};
/// false: the message is not one that pack() made.
[[nodiscard]] inline bool unpack(std::span<const std::byte> message, Packed& to) {
    std::uint32_t length = 0;
    if (message.size() < sizeof length) return false;
    std::memcpy(&length, message.data(), sizeof length);
    const std::size_t frame_at = (sizeof length + std::size_t{length} + 7) / 8 * 8;
    if (frame_at > message.size()) return false;
    to = {message.subspan(sizeof length, length), message.subspan(frame_at)};
    return true;
}

[[nodiscard]] inline FramePosition position_from(const v1::FramePosition& from) { return {from.run(), from.ordinal()}; }
inline void to_proto(FramePosition from, v1::FramePosition& to) {
    to.set_run(from.run);
    to.set_ordinal(from.ordinal);
}

}  // namespace alleycat::wire
