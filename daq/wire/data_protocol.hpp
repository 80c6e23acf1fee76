#pragma once
// Private to daq/wire: what both ends of the data stream agree on.

#include <cstddef>
#include <cstdint>

#include "daq/wire/data_position.hpp"
#include "proto/data.pb.h"

namespace alleycat::wire {

inline constexpr std::uint32_t kDataStreamVersion = 1;

/// Most that a writer may ask to have under way.
inline constexpr std::uint64_t kMaxCreditBytes = 64u << 20;

/// What a frame under way is charged with: its bytes and what ZeroMQ keeps per message. Part of the protocol.
[[nodiscard]] constexpr std::uint64_t credit_cost(std::size_t frame_bytes) noexcept { return frame_bytes + 512; }

[[nodiscard]] inline FramePosition position_from(const v1::FramePosition& from) { return {from.run(), from.ordinal()}; }
inline void to_proto(FramePosition from, v1::FramePosition& to) {
    to.set_run(from.run);
    to.set_ordinal(from.ordinal);
}

}  // namespace alleycat::wire
