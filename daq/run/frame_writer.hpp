#pragma once

#include <chrono>
#include <stop_token>

#include "daq/core/snapshot_box.hpp"
#include "daq/core/status.hpp"
#include "daq/run/run_buffers.hpp"
#include "daq/store/frame_sink.hpp"

namespace alleycat {

/// The writer inside the daemon's process: takes frames from the retransmit buffer where they stand, hands them to the
/// store, and frees them only when the store says they are on disk. While the disk refuses it waits and says so in
/// `status`. Ends when stop is requested and the buffer is empty, or the disk refuses: then frames are left. Throws
/// what else the store throws: then nothing more is freed.
void write_frames(RunBuffers& buffers, FrameSink& sink, std::chrono::milliseconds sync_interval,
                  SnapshotBox<WriterStatus>& status, const std::stop_token& stop);

}  // namespace alleycat
