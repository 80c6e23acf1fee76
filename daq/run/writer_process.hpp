#pragma once

#include <optional>

#include "daq/core/shutdown.hpp"
#include "daq/run/station_setup.hpp"
#include "daq/store/frame_sink.hpp"
#include "daq/wire/data_position.hpp"

namespace alleycat {

/// What a store has on disk, as the data stream tells it.
[[nodiscard]] std::optional<DurablePosition> last_on_disk(const std::optional<Durable>& durable);

/// `alleycat write`: connects to the daemon's data socket, stores what comes, acknowledges what is on disk. Goes on
/// until a signal; a daemon that is away is waited for, and so is a disk that is full or fails, with the reason in the
/// status. Returns the exit status. Throws Error when the folder cannot be used at the start.
int serve_writer(const StationSetup& setup, ShutdownSignals& signals);

}  // namespace alleycat
