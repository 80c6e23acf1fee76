#pragma once
// What a FlashCam stream says, as records of a board: shared by files and by the live stream.

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "daq/core/source.hpp"
#include "readout/channel_numbers.hpp"
#include "readout/clock_unwrapper.hpp"
#include "readout/defect_log.hpp"
#include "readout/fcio.hpp"

namespace alleycat {

/// Counted here:
///
///     no_listed_channel   events without any of the board's channels, skipped
///     number_gap          events whose number is not the next: some before them were lost, damaged or out of order
///     missing_channel     events without one of the board's channels
///     unexpected_length   events whose length differs from the configured one
///     clock_backwards     time earlier than the one before
///     duplicate_record    same number and time as the event before
///     counter_backwards   event number that started again
///     missed_pps          events more than a second after their pulse per second
///     bad_time            events whose time no run can have: they keep the one before
///     dead_time           dead times that the board told of
class FcioRecords {
  public:
    /// `traces`: number of each channel's trace; empty: 0, 1, 2, ... Throws UsageError when that does not fit the
    /// board.
    FcioRecords(const BoardInfo& board, std::uint16_t board_index, const std::vector<std::uint16_t>& traces);

    [[nodiscard]] const BoardInfo& board() const noexcept { return board_; }
    /// Fills in what the station file left open. Throws Error when the stream does not have a trace that is a channel.
    void take_config(const fcio::Decoder& decoder);
    /// The board came back: its clock and its numbers may have begun anew, which the next record says.
    void restart() noexcept { restarted_ = true; }

    /// Describes the decoder's event; false when it is skipped. utc_ns is what the event itself says.
    [[nodiscard]] bool describe(const fcio::Decoder& decoder, RecordHeader& header, DefectLog& log);
    void fill(const fcio::Decoder& decoder, std::span<std::byte> payload) const;

  private:
    void follow_number(std::int32_t number, DefectLog& log);
    [[nodiscard]] std::optional<std::int64_t> time_of(const fcio::Event& event, DefectLog& log);

    BoardInfo board_;
    std::uint16_t board_index_;
    ChannelNumbers numbers_;
    std::uint64_t ticks_per_second_;  ///< nominal
    std::optional<std::int64_t> first_pps_;
    ClockUnwrapper counter_{32};
    std::optional<std::int32_t> last_number_;
    std::uint64_t last_counter_ = 0;
    std::int64_t last_time_ps_ = 0;
    std::array<std::int32_t, 4> last_dead_region_{};
    bool restarted_ = false, any_ = false;
};

}  // namespace alleycat
