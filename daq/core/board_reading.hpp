#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace alleycat {

/// What a board says of itself: its temperature, the share of time it was busy.
struct BoardReading {
    std::string name;  ///< "temperature", "busy"
    double value = 0;
    std::string unit;  ///< "degC", "" for a share or a number

    friend bool operator==(const BoardReading&, const BoardReading&) = default;
};
/// "temperature 38.25 degC"; a busy share in per cent
[[nodiscard]] std::string to_text(const BoardReading& reading);
/// The same without the name.
[[nodiscard]] std::string value_text(const BoardReading& reading);

/// Bytes that a file keeps of the two; more are cut off.
inline constexpr std::size_t kMaxReadingName = 64, kMaxReadingUnit = 16;

/// One reading on its way into a file.
struct ReadingSample {
    std::int64_t utc_ns = 0;  ///< of the host, when it was taken down
    std::uint16_t board = 0;  ///< index in the run's description
    BoardReading reading;

    friend bool operator==(const ReadingSample&, const ReadingSample&) = default;
};

}  // namespace alleycat
