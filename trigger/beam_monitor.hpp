#pragma once
// A channel that is rich in beam (a neutron monitor, a pick-up): whether it saw a pulse at a tick.

#include <cstdint>
#include <optional>
#include <vector>

#include "daq/core/config.hpp"
#include "daq/core/run_description.hpp"
#include "daq/core/station.hpp"
#include "daq/core/trigger.hpp"
#include "trigger/auxiliary_channel.hpp"
#include "trigger/peaks.hpp"

namespace alleycat {

/// [beam.monitor] of a station file, in samples of its channel's board.
struct BeamMonitor {
    ChannelRef channel;
    PeakFinding pulse{.threshold_adc = 1, .min_samples = 3, .margin_samples = 0, .close_at_trace_end = true};
    std::int64_t start = 0;  ///< first sample in which a pulse of the beam may begin, for a tick at its usual place
    std::int64_t end = 0;    ///< one past the last
    std::int64_t baseline_samples = 0;
};

/// Reads [beam.monitor]; nothing where the station has none. `tick_ns` is where the tick stands in a trace.
[[nodiscard]] std::optional<BeamMonitor> parse_beam_monitor(ConfigSection& root, const Station& station, double tick_ns,
                                                            double baseline_ns);

/// A pure function of the trigger; holds scratch memory.
class BeamPulseFinder {
  public:
    /// boards  as found, in the station's order
    BeamPulseFinder(const BeamMonitor& config, const std::vector<BoardInfo>& boards, Kernels kernels);

    /// Whether a pulse begins in the beam's window. Allocates only for a trace longer than any before.
    [[nodiscard]] bool sees_pulse(const Trigger& trigger);

  private:
    BeamMonitor config_;
    std::int64_t sample_period_ps_;
    AuxiliaryChannel channel_;
};

}  // namespace alleycat
