#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "daq/core/config.hpp"
#include "daq/core/station.hpp"
#include "trigger/trigger_config.hpp"

namespace alleycat {

/// Reads [[trigger.feature]] into `config`, whose windows and peaks are known already: gates are checked against them.
///
/// trace_samples  of the signal; 0: it differs from record to record, and a gate that leaves it measures nothing
void parse_features(ConfigSection& trigger, const Station& station, std::int64_t trace_samples, TriggerConfig& config);

/// A time of the station file as whole samples. What is not whole, or less than `at_least` samples, is a problem.
[[nodiscard]] std::int64_t parse_samples(ConfigSection& section, std::string_view key, double fallback_ns,
                                         std::int64_t at_least, double min_ns, std::int64_t sample_period_ps);

/// Units stand in files and beside numbers on screens.
[[nodiscard]] bool usable_unit(std::string_view unit) noexcept;
inline constexpr std::string_view kUsableUnit = "must be 1 to 16 ASCII characters without blanks";

}  // namespace alleycat
