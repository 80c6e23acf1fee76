#pragma once

#include "daq/core/shutdown.hpp"
#include "daq/run/station_setup.hpp"

namespace alleycat {

/// `alleycat write`: connects to the daemon's data socket, stores what comes, acknowledges what is on disk. Goes on
/// until a signal; a daemon that is away is waited for. Returns the exit status. Throws Error when the disk refuses.
int serve_writer(const StationSetup& setup, ShutdownSignals& signals);

}  // namespace alleycat
