#pragma once

#include "daq/core/run_description.hpp"
#include "monitor/snapshot.hpp"

namespace alleycat {

/// C windows are compared with AC windows where the station has some, else with strobe triggers, if any were recorded.
[[nodiscard]] Background background_of(const RunDescription* run, std::uint64_t strobes) noexcept;

/// Exposure of C over that of AC for arrivals between two times from the window's start [ns]. Both windows stand in
/// every tick, so only their lengths count; 1 when nothing is known.
[[nodiscard]] double window_alpha(const RunDescription* run, double from_ns, double to_ns);

}  // namespace alleycat
