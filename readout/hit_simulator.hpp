#pragma once
// Many detectors whose boards trigger themselves, with the timing signal beside: hits as the digitizers would deliver
// them, and the truth of each. SIMULATOR.md says what is modelled.

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

namespace alleycat {

/// One hit before it is digitized.
struct PlannedHit {
    static constexpr std::uint32_t kTimingSignal = ~std::uint32_t{0};

    std::int64_t time_ps = 0;    ///< since tick 0
    std::uint32_t detector = 0;  ///< of the board; kTimingSignal: none
    TruthKind kind = TruthKind::background;
    double energy_kev = 0;  ///< electron equivalent
};

/// Generates the hits of one board. What happens from tick k to the next is a pure function of (configuration, board,
/// k); boards of a station share clock, beam and timing signal.
class HitSimulator final : public RecordSource {
  public:
    /// tells_ticks: this board's source delivers the ticks, as stamps. max_ticks: periods before the end; 0: endless.
    /// Throws UsageError when the board and the configuration do not fit together.
    HitSimulator(const SimulatorConfig& config, const BoardInfo& board, std::uint16_t board_index, bool tells_ticks,
                 std::uint64_t max_ticks);
    ~HitSimulator() override;
    HitSimulator(const HitSimulator&) = delete;
    HitSimulator& operator=(const HitSimulator&) = delete;

    [[nodiscard]] const BoardInfo& board() const noexcept override;
    [[nodiscard]] Next next(RecordHeader& header, std::stop_token stop) override;
    void fill(std::span<std::byte> payload) override;
    /// One frame per tick, lost ones included; from the board with index 0 only.
    void take_beam_frames(std::vector<BeamFrame>& frames) override;
    void take_ticks(std::vector<TickRecord>& ticks) override;
    [[nodiscard]] std::vector<std::pair<std::string, std::uint64_t>> defects() const override;
    [[nodiscard]] std::optional<double> fraction_done() const override;

    /// The hits from a tick to the next, in the order they are delivered in.
    [[nodiscard]] std::vector<PlannedHit> plan(std::int64_t tick) const;

  private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace alleycat
