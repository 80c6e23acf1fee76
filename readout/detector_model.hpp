#pragma once
// A detector in front of the simulated digitizer. One file per detector, chosen by [simulator] detector.

#include <memory>

#include "readout/simulated_board.hpp"
#include "readout/simulator_config.hpp"
#include "readout/simulator_plan.hpp"

namespace alleycat {

/// What a detector makes of a tick. Both halves are pure functions of (configuration, board, tick): they never look at
/// a clock or at an earlier tick.
class DetectorModel {
  public:
    virtual ~DetectorModel() = default;

    /// Adds what happens in the detector to a plan that knows its time and its beam.
    virtual void plan(TickPlan& plan) const noexcept = 0;

    /// Draws the planned tick on the board's inputs.
    virtual void draw(const TickPlan& plan) noexcept = 0;
};

/// `board` must outlive the detector. Throws UsageError when the configuration asks for what a trace cannot hold.
[[nodiscard]] std::unique_ptr<DetectorModel> make_detector(const SimulatorConfig& config, SimulatedBoard& board);

}  // namespace alleycat
