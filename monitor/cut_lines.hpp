#pragma once

#include <vector>

#include "daq/core/run_description.hpp"
#include "monitor/monitor_config.hpp"
#include "monitor/snapshot.hpp"

namespace alleycat {

/// Where the profile's cuts stand on the discriminant's map, from the station text of the run. Only cuts of one range
/// on one of its two features: what is a choice of several ("any") is no line. Empty when the text cannot be read.
[[nodiscard]] std::vector<CutLine> cut_lines(const RunDescription& run, const DiscriminantConfig& discriminant);

}  // namespace alleycat
