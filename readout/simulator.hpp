#pragma once
// A detector's channels as the digitizer would deliver them, with the truth of what was put in. SIMULATOR.md says what
// is modelled; the numbers and their sources stand in simulator_config.hpp.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

#include "daq/core/source.hpp"
#include "readout/simulator_config.hpp"
#include "readout/simulator_plan.hpp"

namespace alleycat {

/// Generates the records of one board. The content of tick k is a pure function of (configuration, board, k); several
/// boards of a station with the same configuration see the same beam and the same events.
class Simulator final : public RecordSource {
  public:
    /// max_triggers: records to deliver before the end; 0: endless.
    /// Throws UsageError when the board and the configuration do not fit together.
    Simulator(const SimulatorConfig& config, const BoardInfo& board, std::uint16_t board_index,
              std::uint64_t max_triggers);
    ~Simulator() override;
    Simulator(const Simulator&) = delete;
    Simulator& operator=(const Simulator&) = delete;

    [[nodiscard]] const BoardInfo& board() const noexcept override;
    [[nodiscard]] Next next(RecordHeader& header, std::stop_token stop) override;
    void fill(std::span<std::byte> payload) override;
    /// One frame per tick, missed ones included; from the board with index 0 only. At the end of a limited run the
    /// frames that describe the last ticks still come.
    void take_beam_frames(std::vector<BeamFrame>& frames) override;
    [[nodiscard]] std::vector<std::pair<std::string, std::uint64_t>> defects() const override;
    [[nodiscard]] std::optional<double> fraction_done() const override;

    /// What is put into a tick, or into the strobe after it: the same whenever and however often it is asked.
    [[nodiscard]] TickPlan plan(std::int64_t tick, bool strobe = false) const;

  private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace alleycat
