#pragma once
// What the families of CAEN digitizers differ in, and their names.

#include <cstdint>
#include <optional>
#include <string_view>

#include "daq/core/config.hpp"
#include "readout/caen_events.hpp"

namespace alleycat::caen {

/// "x720"
[[nodiscard]] std::string_view to_text(Family family) noexcept;
[[nodiscard]] std::int64_t sample_period_ps(Family family) noexcept;
/// x731 and x751 can take the ADCs of two inputs for one (dual edge sampling).
[[nodiscard]] bool samples_twice_as_fast(Family family) noexcept;
/// x725, x730 and x751 have a thermometer at each ADC, and ADCs that are to be calibrated when they are warm.
[[nodiscard]] bool has_thermometers(Family family) noexcept;

/// Reads the key `family`; its absence is a problem.
[[nodiscard]] std::optional<Family> required_family(ConfigSection& section);

}  // namespace alleycat::caen
