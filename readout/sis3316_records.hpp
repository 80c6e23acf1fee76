#pragma once
// From the events of single channels to records of the board: what the live driver and the reader of files share.

#include <cstddef>
#include <cstdint>
#include <span>

#include "daq/core/record.hpp"
#include "daq/core/run_description.hpp"
#include "readout/clock_unwrapper.hpp"
#include "readout/defect_log.hpp"
#include "readout/sis3316_events.hpp"

namespace alleycat::sis3316 {

/// Which of an event's traces is the record's.
enum class Trace : std::uint8_t { raw, averaged };

/// Joins the earliest events that wait, one per channel at most, to a record. Under an external trigger all channels
/// of a trigger carry one time stamp; a self-triggered board's events are records of their own. Counted:
///
///     missing_channel     triggers in which a channel has no event of this time stamp
///     unequal_length      events of another length than the trigger's first channel: left out
///     unexpected_length   records whose length differs from the configured one
///     clock_backwards     time stamp earlier than the one before, without a roll-over
///     duplicate_record    time stamp of the record before
class RecordMaker {
  public:
    RecordMaker(const BoardInfo& board, std::uint16_t board_index, Trace trace = Trace::raw) noexcept
        : board_{&board}, board_index_{board_index}, trace_{trace} {}

    /// Describes the next record. `waiting` holds one event per channel of the board, nullptr where none waits; at
    /// least one does.
    /// utc_ns   what the host observed
    /// returns  the channels whose event is used up, as a mask; those in `header.channel_mask` are in the record
    /// Throws Error when the time does not fit a run of 106 days.
    [[nodiscard]] std::uint64_t describe(std::span<const Event* const> waiting, std::int64_t utc_ns,
                                         RecordHeader& header, DefectLog& log);

    /// Samples and padding of the record described last, from the same events.
    void fill(std::span<const Event* const> waiting, std::uint64_t channel_mask,
              std::span<std::byte> payload) const noexcept;

    /// The board came back: its clock begins anew. The next record says so, and its time goes on from the one before
    /// by what the host's clock says.
    void restart_clock() noexcept { restarted_ = true; }

    [[nodiscard]] std::uint64_t records() const noexcept { return records_; }
    [[nodiscard]] std::uint32_t samples_of(const Event& event) const noexcept {
        return static_cast<std::uint32_t>(trace_of(event).size() * 2);
    }

  private:
    [[nodiscard]] std::span<const std::uint32_t> trace_of(const Event& event) const noexcept {
        return trace_ == Trace::raw ? event.raw : event.averaged;
    }
    [[nodiscard]] std::uint64_t earliest(std::span<const Event* const> waiting) const noexcept;
    void set_time(std::uint64_t stamp, std::int64_t utc_ns, RecordHeader& header, DefectLog& log);

    const BoardInfo* board_;
    std::uint16_t board_index_;
    Trace trace_;
    ClockUnwrapper clock_{kClockBits};
    std::uint64_t last_stamp_ = 0;
    std::int64_t offset_ps_ = 0;  ///< of the clock's zero; not 0 after a restart
    std::int64_t last_time_ps_ = 0, last_utc_ns_ = 0;
    std::uint64_t records_ = 0;
    bool restarted_ = false;
};

}  // namespace alleycat::sis3316
