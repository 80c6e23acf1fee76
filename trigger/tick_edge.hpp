#pragma once

#include <cstdint>
#include <vector>

#include "daq/core/run_description.hpp"
#include "daq/core/trigger.hpp"
#include "trigger/auxiliary_channel.hpp"
#include "trigger/tick_config.hpp"

namespace alleycat {

/// Finds the tick of a trigger as an edge in a digitized channel. A pure function of the record; holds scratch memory.
/// source: trigger/README.md#ticks
class TickEdgeFinder {
  public:
    struct Found {
        std::uint32_t flags = 0;         ///< no_tick: no edge; duplicate_tick: a second one
        std::int64_t since_tick_ps = 0;  ///< from the (first) edge to where the record's time stamp stands

        friend bool operator==(const Found&, const Found&) = default;
    };

    /// boards  as found, in the station's order
    TickEdgeFinder(const TickChannel& config, const std::vector<BoardInfo>& boards);

    /// Allocates only for a trace longer than any before.
    [[nodiscard]] Found find(const Trigger& trigger);

  private:
    TickChannel config_;
    std::int64_t sample_period_ps_;
    AuxiliaryChannel channel_;
};

}  // namespace alleycat
