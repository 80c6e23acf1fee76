#pragma once
// The digitizer that the simulator stands for: its inputs, with baseline, noise and codes. Detectors draw on the
// inputs.

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "daq/core/run_description.hpp"
#include "readout/pulse_model.hpp"
#include "readout/simulator_config.hpp"
#include "readout/simulator_plan.hpp"

namespace alleycat {

/// From an analog level [ADC counts] to the code one channel delivers.
class Digitizer {
  public:
    /// adc_bits 0: all bits of the sample type.
    Digitizer(SampleType type, const ChannelInfo& channel, int adc_bits);
    [[nodiscard]] std::int32_t code(double level) const noexcept;

  private:
    int low_ = 0, high_ = 0;
    std::vector<std::int8_t> holes_;  // code for -128 + i counts; empty: codes are counts
};

/// One input of the board: turns a baseline, noise and the pulses on a canvas into codes.
class SimulatedInput {
  public:
    /// `noise` must outlive this.
    SimulatedInput(const BoardInfo& board, const ChannelInfo& channel, const SimulatorConfig& config,
                   double baseline_adc, const NoiseTable& noise);

    [[nodiscard]] PulseCanvas& canvas() noexcept { return canvas_; }

    /// In this tick samples [begin, end) show noise around a fixed level: what a closed gate lets through.
    void force_level(double level_adc, std::size_t begin, std::size_t end) noexcept {
        forced_ = {level_adc, begin, end};
    }

    /// Chooses noise and baseline of each block of a tick. `drift_adc` holds for the whole trace.
    void begin(RandomStream random, double drift_adc, double wander_adc, double wander_per_block) noexcept;

    /// Writes all samples of the tick and empties the canvas.
    template <class Sample>
    void digitize(Sample* out) noexcept;

  private:
    using Codes = std::array<std::int16_t, 256>;  // code (its 16 low bits) for each step of the noise
    struct Block {
        const std::uint8_t* noise = nullptr;
        int baseline_step = 0;
    };
    struct Forced {
        double level_adc = 0;
        std::size_t begin = 0, end = 0;
    };
    static_assert(NoiseTable::kBlock % PulseCanvas::kSegment == 0, "a segment lies in one block");

    [[nodiscard]] int step_of(double level) const noexcept;
    [[nodiscard]] double level_of(int step) const noexcept {
        return static_cast<double>(step) / noise_->steps_per_adc();
    }
    [[nodiscard]] Codes codes_at(double level) const noexcept;
    template <class Sample>
    void draw_segment(std::size_t s, Sample* out) noexcept;

    const NoiseTable* noise_;
    Digitizer digitizer_;
    double baseline_adc_;
    double sign_;
    PulseCanvas canvas_;
    std::vector<Block> blocks_;
    Forced forced_;
    int first_step_ = 0;
    std::vector<Codes> codes_;  // one table per baseline step, from first_step_ on
};

/// The whole board. Signal inputs are those the configuration names; another may be the veto; others show noise.
class SimulatedBoard {
  public:
    /// Throws UsageError when board and configuration do not fit together.
    SimulatedBoard(const SimulatorConfig& config, const BoardInfo& board, std::uint16_t board_index);
    SimulatedBoard(const SimulatedBoard&) = delete;
    SimulatedBoard& operator=(const SimulatedBoard&) = delete;

    /// Noise, light and charges of boards that see the same events differ: for the sequences of this board.
    [[nodiscard]] std::uint64_t seed() const noexcept { return seed_; }
    [[nodiscard]] std::size_t samples() const noexcept { return samples_; }
    [[nodiscard]] double sample_period_ns() const noexcept { return sample_period_ns_; }
    [[nodiscard]] double trace_ns() const noexcept { return static_cast<double>(samples_) * sample_period_ns_; }
    [[nodiscard]] std::size_t inputs() const noexcept { return inputs_.size(); }

    /// In the board's order; empty: this board has none.
    [[nodiscard]] std::span<SimulatedInput* const> signals() const noexcept { return signals_; }
    [[nodiscard]] SimulatedInput* veto() const noexcept { return veto_; }  ///< nullptr: this board has none
    /// Of this name; nullptr: this board has none.
    [[nodiscard]] SimulatedInput* input(std::string_view name) noexcept;

    /// Writes the tick that was drawn, shape (channels, samples), and empties every canvas.
    void digitize(const TickPlan& plan, SampleType type, std::byte* out) noexcept;

  private:
    std::uint64_t seed_;
    std::size_t samples_;
    double sample_period_ns_;
    double wander_adc_;
    double wander_per_block_;
    NoiseTable noise_;
    std::vector<std::string> names_;  // of the inputs
    std::vector<SimulatedInput> inputs_;
    std::vector<SimulatedInput*> signals_;
    SimulatedInput* veto_ = nullptr;
};

/// The photomultipliers of a board: each photoelectron is a pulse of Polya charge on one of the signal inputs.
class Photomultipliers {
  public:
    /// `board` must outlive this.
    Photomultipliers(const SimulatorConfig& config, SimulatedBoard& board);

    /// Nothing for a board without signal inputs.
    void photoelectron(double time_ns, double mean_charge_adc, RandomStream& random) noexcept;
    /// Single photoelectrons at any time of the trace.
    void dark(double rate_hz, double mean_charge_adc, RandomStream random) noexcept;

  private:
    SimulatedBoard* board_;
    PolyaCharge polya_;
    PulseShape shape_;
};

}  // namespace alleycat
