#pragma once
// From an event of a CAEN board to a record of the station: the same for files and boards.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "daq/core/record.hpp"
#include "daq/core/run_description.hpp"
#include "readout/caen_events.hpp"
#include "readout/channel_numbers.hpp"
#include "readout/defect_log.hpp"

namespace alleycat {

/// Judges events, and writes those that are taken. Counted, besides damage by the names of caen::Status:
///
///     no_listed_channel   events without any of the board's channels, skipped
///     empty_record        events without samples, skipped
///     no_suppressed_code  events with suppressed samples, and nobody says what these were: skipped
///     board_failed        events during which the board had lost its clock or was too hot: kept
///     missing_channel     events without one of the board's channels
///     unexpected_length   events whose length differs from the configured one
class CaenRecords {
  public:
    CaenRecords(caen::Family family, ChannelNumbers inputs, std::optional<std::uint16_t> suppressed_code);

    enum class Taken : std::uint8_t {
        record,
        skipped,
        excess_bits,         ///< skipped; Pack2.5, or another family than configured
        no_suppressed_code,  ///< skipped
    };
    /// What is not a record is counted, but for filler. The event's words must stay until fill().
    [[nodiscard]] Taken take(const caen::Event& event, DefectLog& log);

    /// Channels, samples and what is wrong with them, of the event that was taken last; counter and times are the
    /// caller's.
    void describe(RecordHeader& header, const BoardInfo& board, DefectLog& log) const;
    void fill(std::span<std::byte> payload) const noexcept;

    [[nodiscard]] const caen::Event& event() const noexcept { return event_; }
    [[nodiscard]] std::uint32_t samples() const noexcept { return layout_.samples; }

  private:
    caen::Family family_;
    ChannelNumbers inputs_;
    std::optional<std::uint16_t> suppressed_code_;
    std::uint32_t wanted_ = 0;  ///< bits: inputs that are channels of the board
    caen::Event event_;
    caen::Layout layout_;
};

}  // namespace alleycat
