#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "daq/core/counter.hpp"
#include "daq/core/source.hpp"
#include "daq/run/tick_tracker.hpp"

namespace alleycat {

/// Makes ticks of the hits of one channel, which carries the timing signal: they come by take_ticks() and are no
/// records any more. A record that holds other channels too is both. The channel counts nothing, so ticks are numbered
/// from 0 by their times: a lost one leaves a gap, a second one or noise repeats the number before.
class TickChannelSource final : public RecordSource {
  public:
    /// channel  index in the board's list
    TickChannelSource(std::unique_ptr<RecordSource> source, std::uint16_t channel, const TickConfig& config);

    [[nodiscard]] const BoardInfo& board() const noexcept override { return source_->board(); }
    [[nodiscard]] Next next(RecordHeader& header, std::stop_token stop) override;
    void fill(std::span<std::byte> payload) override { source_->fill(payload); }
    void finish() override { source_->finish(); }
    void take_beam_frames(std::vector<BeamFrame>& frames) override { source_->take_beam_frames(frames); }
    void take_ticks(std::vector<TickRecord>& ticks) override;
    void take_beam_resolutions(std::vector<BeamResolution>& r) override { source_->take_beam_resolutions(r); }
    [[nodiscard]] std::vector<std::pair<std::string, std::uint64_t>> defects() const override {
        return source_->defects();
    }
    [[nodiscard]] std::vector<BoardReading> readings() const override { return source_->readings(); }
    [[nodiscard]] std::optional<double> fraction_done() const override { return source_->fraction_done(); }
    [[nodiscard]] std::vector<std::string> remarks() const override { return source_->remarks(); }

  private:
    void add_tick(const RecordHeader& header);

    std::unique_ptr<RecordSource> source_;
    std::uint64_t mask_;
    CounterRegistry counters_;  // of this tracker alone: the builder's counts what is wrong
    TickTracker tracker_;
    std::vector<TickRecord> ticks_, of_source_;
    std::uint64_t number_ = 0;  // of the last tick that fits
    bool any_ = false;
};

}  // namespace alleycat
