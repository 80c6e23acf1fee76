#pragma once

#include <cstddef>

#include "daq/core/doorbell.hpp"
#include "daq/core/ring.hpp"

namespace alleycat {

/// What leaves the pipeline, and the bell that wakes its trigger thread. Outlives the runs, as do those who read it.
struct RunBuffers {
    RunBuffers(std::size_t frame_bytes, std::size_t monitor_bytes) : frames{frame_bytes}, monitor{monitor_bytes} {
        frames.set_space_bell(trigger_bell);
        monitor.set_space_bell(trigger_bell);
        frames.set_bell(writer_bell);
        monitor.set_bell(monitor_bell);
    }
    Doorbell trigger_bell;  ///< rung by commits of boards, finished jobs, freed space and stop
    Doorbell writer_bell;
    Doorbell monitor_bell;
    Ring frames;   ///< the data stream: every frame until it is on disk
    Ring monitor;  ///< for the screen: events, and now and then a whole trigger
};

}  // namespace alleycat
