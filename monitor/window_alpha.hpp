#pragma once

#include "daq/core/run_description.hpp"

namespace alleycat {

/// Exposure of C over that of AC for arrivals between two times from the window's start [ns]. Both windows stand in
/// every tick, so only their lengths count; 1 when nothing is known.
[[nodiscard]] double window_alpha(const RunDescription* run, double from_ns, double to_ns);

}  // namespace alleycat
