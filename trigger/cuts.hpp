#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "daq/core/event.hpp"

namespace alleycat {

/// A range on one feature. The upper edge may be another feature of the same window.
struct CutRange {
    std::size_t feature = 0;
    double min = -std::numeric_limits<double>::infinity();   ///< inclusive
    double max = std::numeric_limits<double>::infinity();    ///< inclusive
    std::optional<std::size_t> below_feature{};              ///< strictly below this one

    [[nodiscard]] bool holds(const WindowEvent& window) const noexcept {
        const double value = window.value[feature];
        return value >= min && value <= max && (!below_feature || value < window.value[*below_feature]);
    }
};

/// A named condition. Holds when the flags are absent and, if there are ranges, one of them holds.
struct Cut {
    std::string name;
    std::string meaning;
    std::uint32_t forbidden_flags = 0;  ///< trigger_flag bits that fail the cut
    std::vector<CutRange> any_of;
    bool needs_arrival = true;  ///< not evaluated in a window without an arrival: there is nothing to measure
};

/// The first two bits of WindowEvent::cuts, before the profile's cuts.
inline constexpr std::uint32_t kCutNoPeak = 1u << 0;      ///< no peak starts in the region of interest
inline constexpr std::uint32_t kCutDoesNotFit = 1u << 1;  ///< the integration window leaves the region (or the trace)
inline constexpr std::size_t kFixedCuts = 2;

/// Bits of the profile's cuts that fail, from bit kFixedCuts on.
[[nodiscard]] std::uint32_t failed_cuts(const std::vector<Cut>& cuts, const WindowEvent& window,
                                        std::uint32_t trigger_flags, bool has_arrival) noexcept;

/// Features that mean something in a window without an arrival.
[[nodiscard]] constexpr bool needs_arrival(std::size_t feature) noexcept {
    return feature != static_cast<std::size_t>(Feature::pretrace_peaks) &&
           feature != static_cast<std::size_t>(Feature::roi_peaks);
}

}  // namespace alleycat
