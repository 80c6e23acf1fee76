#pragma once
// What stands beside a simulated detector: a channel that sees the beam itself, and one that shows the timing signal.

#include "daq/core/run_description.hpp"
#include "readout/beam_instruments_config.hpp"
#include "readout/pulse_model.hpp"
#include "readout/simulator_plan.hpp"

namespace alleycat {

class SimulatedBoard;
class SimulatedInput;

/// Both halves are pure functions of (configuration, board, tick), as of a DetectorModel.
class BeamInstruments {
  public:
    /// `board` must outlive this; channels it does not have are on another.
    BeamInstruments(const SimulatorConfig& config, const BoardInfo& info, SimulatedBoard& board);

    /// Adds the pulses of the monitor; as truth they are `beam_pulse`, also when they are noise.
    void plan(TickPlan& plan) const noexcept;
    void draw(const TickPlan& plan) noexcept;

  private:
    SimulatorConfig config_;
    double trace_ns_;
    double sample_period_ns_;
    double tick_level_adc_ = 0;
    SimulatedInput* monitor_ = nullptr;
    SimulatedInput* tick_ = nullptr;
    PulseShape shape_;
};

}  // namespace alleycat
