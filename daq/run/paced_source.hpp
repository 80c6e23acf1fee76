#pragma once

#include <memory>
#include <optional>

#include "daq/core/real_time.hpp"
#include "daq/core/source.hpp"

namespace alleycat {

/// Delivers the records of another source at the pace they were recorded at.
class PacedSource final : public RecordSource {
  public:
    explicit PacedSource(std::unique_ptr<RecordSource> source) : source_{std::move(source)} {}

    [[nodiscard]] const BoardInfo& board() const noexcept override { return source_->board(); }
    [[nodiscard]] Next next(RecordHeader& header, std::stop_token stop) override;
    void fill(std::span<std::byte> payload) override { source_->fill(payload); }
    void finish() override { source_->finish(); }
    void take_beam_frames(std::vector<BeamFrame>& frames) override { source_->take_beam_frames(frames); }
    void take_ticks(std::vector<TickRecord>& ticks) override { source_->take_ticks(ticks); }
    void take_beam_resolutions(std::vector<BeamResolution>& r) override { source_->take_beam_resolutions(r); }
    [[nodiscard]] std::vector<std::pair<std::string, std::uint64_t>> defects() const override {
        return source_->defects();
    }
    [[nodiscard]] std::vector<BoardReading> readings() const override { return source_->readings(); }
    [[nodiscard]] std::optional<double> fraction_done() const override { return source_->fraction_done(); }
    [[nodiscard]] std::vector<std::string> remarks() const override { return source_->remarks(); }

  private:
    std::unique_ptr<RecordSource> source_;
    std::optional<RecordHeader> waiting_;  // described, not yet due
    std::optional<std::int64_t> first_time_ps_;
    RealTime real_time_;
};

}  // namespace alleycat
