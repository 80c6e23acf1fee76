#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>

#include "daq/core/record.hpp"

namespace alleycat {

/// Where channel `index` of the board stands in the payload; kMaxChannels when the record does not have it.
[[nodiscard]] inline std::size_t position_of(const RecordHeader& header, std::uint16_t index) noexcept {
    const std::uint64_t bit = std::uint64_t{1} << index;
    if ((header.channel_mask & bit) == 0) return kMaxChannels;
    return static_cast<std::size_t>(std::popcount(header.channel_mask & (bit - 1)));
}

}  // namespace alleycat
