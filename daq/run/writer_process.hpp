#pragma once

#include <optional>

#include "daq/core/shutdown.hpp"
#include "daq/run/station_setup.hpp"
#include "daq/store/frame_sink.hpp"
#include "daq/wire/data_position.hpp"

namespace alleycat {

/// What a store has on disk, as the data stream tells it.
[[nodiscard]] std::optional<DurablePosition> last_on_disk(const std::optional<Durable>& durable);

/// Frames that a store could not take and never will: each would come again for ever.
struct PassedOver {
    std::uint64_t frames = 0;
    std::uint64_t run = 0;  ///< of the last
    std::string first;      ///< why, of the first
};

/// Hands a frame to the store. What is wrong with the frame itself is counted and said once per run; the gap it leaves
/// is the store's to record. Throws DiskRefused.
void store_or_pass_over(FrameSink& store, const FrameView& frame, PassedOver& passed_over);

/// `alleycat write`: connects to the daemon's data socket, stores what comes, acknowledges what is on disk. Goes on
/// until a signal; a daemon that is away is waited for, and so is a disk that is full or fails, with the reason in the
/// status. Returns the exit status. Throws Error when the folder cannot be used at the start.
int serve_writer(const StationSetup& setup, ShutdownSignals& signals);

}  // namespace alleycat
