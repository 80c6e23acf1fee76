#pragma once

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

}  // namespace alleycat
