#pragma once
// CAEN digitizers x720 to x751 with the waveform recording firmware, through CAEN's library. CAEN.md: parameters,
// wiring, what goes wrong.

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "daq/core/source.hpp"
#include "readout/caen_board_config.hpp"
#include "readout/caen_connection.hpp"
#include "readout/caen_records.hpp"
#include "readout/defect_log.hpp"
#include "readout/event_numbers.hpp"
#include "readout/restart_bridge.hpp"
#include "readout/tag_clock.hpp"

namespace alleycat {

/// One board. The constructor opens and configures it, the first next() starts it. A board that the library no longer
/// reaches, or that has stopped by itself, is opened, configured and started again for as long as it takes, while
/// next() says idle: that takes one call of the library after another, and it looks at the time between them. Counted,
/// besides what CaenRecords counts:
///
///     disconnects         the library no longer reached the board, or the board had stopped by itself
///     reconnects          it was got back
///     failed_attempts     to get it back
///     missed_triggers     numbers between records: triggers that the board could not record, or events that got lost
///     wrong_counter       numbers not behind the one before, or far ahead: such a record is numbered as the next; the
///                         second of two that follow each other is a board that counts anew, or a gap after all
///     duplicate_record    the same number and tag as the record before
///     clock_backwards     tags before that of the record before
///     missed_rollovers    of the tag, found by the host's clock
///     bad_time            records whose time does not fit a run of 106 days
///     clock_lost          times that the board said its clock had been lost
class CaenBoard final : public RecordSource {
  public:
    /// Throws Error naming board, link and what it did not do.
    CaenBoard(const BoardInfo& board, std::uint16_t board_index, const CaenBoardConfig& config);

    [[nodiscard]] const BoardInfo& board() const noexcept override { return board_; }
    [[nodiscard]] Next next(RecordHeader& header, std::stop_token stop) override;
    void fill(std::span<std::byte> payload) override { records_.fill(payload); }
    void finish() override;
    [[nodiscard]] std::vector<std::pair<std::string, std::uint64_t>> defects() const override { return log_.counts(); }
    /// "busy": share of the times it was asked that its memory was full; "temperature_N" of the ADC of input N.
    [[nodiscard]] std::vector<BoardReading> readings() const override { return readings_; }

  private:
    using TimePoint = std::chrono::steady_clock::time_point;

    [[nodiscard]] bool take_event(RecordHeader& header);
    void warn_once(bool& said, std::string_view why);
    void describe(RecordHeader& header);
    void stamp(RecordHeader& header, std::uint64_t tag, const EventNumbers::Result& number);
    [[nodiscard]] bool read_block(TimePoint now);
    void look_after(TimePoint now);
    void read_status(TimePoint now);
    void read_next_sensor(TimePoint now);
    void send_trigger_if_due(TimePoint now);
    [[nodiscard]] bool bring_up(TimePoint until, const std::stop_token& stop);
    void lose(const std::string& why);
    void count_from_here();
    void wait(TimePoint until, const std::stop_token& stop);

    BoardInfo board_;
    std::uint16_t board_index_;
    CaenBoardConfig config_;
    caen::Connection connection_;
    CaenRecords records_;

    std::span<const std::uint32_t> block_;  ///< what is left of it; its words are the library's
    TimePoint block_read_{};
    std::int64_t block_utc_ns_ = 0;
    EventNumbers numbers_{24};
    TagClock clock_;
    RestartBridge bridge_;
    bool restarted_ = false;  ///< since the last record
    bool ran_ = false;        ///< a record came, ever

    bool was_up_ = false;     ///< it was started, ever
    bool said_away_ = false;  ///< why it does not come back
    bool said_excess_bits_ = false, said_suppressed_ = false;
    TimePoint up_since_{}, try_at_{}, status_at_{}, sensors_at_{}, trigger_at_{};
    std::uint32_t status_full_ = 0, status_read_ = 0;
    std::size_t next_sensor_ = 0;
    std::vector<BoardReading> readings_, next_readings_;
    DefectLog log_;

    std::mutex mutex_;  // guards nothing: a condition variable is how to wait for a time and for a stop at once
    std::condition_variable_any wake_;
};

struct BoardIdentity;
/// Opens the board, asks who it is, and closes it: it stays as it was. Throws Error naming board and link.
[[nodiscard]] BoardIdentity identify_caen(const BoardInfo& board, const CaenBoardConfig& config);

}  // namespace alleycat
