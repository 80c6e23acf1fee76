#pragma once
// CAEN 27xx digitizers ("Dig2": 2740, 2745, 2730, scope firmware) over TCP. DIG2.md: parameters, wiring, protocol.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

#include "daq/core/source.hpp"
#include "readout/clock_unwrapper.hpp"
#include "readout/defect_log.hpp"
#include "readout/dig2_config.hpp"
#include "readout/dig2_events.hpp"
#include "readout/dig2_keeper.hpp"
#include "readout/event_numbers.hpp"
#include "readout/restart_bridge.hpp"

namespace alleycat {

/// One board. The constructor opens and configures it, the first next() arms and starts it. A board that goes away is
/// opened, configured and started again for as long as it takes, while next() says idle. Counted:
///
///     disconnects         the board closed a connection, did not answer, or sent what makes no sense
///     reconnects          it was got back
///     failed_attempts     to get it back
///     bad_header          a block header that makes no sense: the board is opened again
///     damaged_event       an event that makes no sense; one that says no believable length costs the rest of its block
///     event_count         blocks with another number of events than their headers say
///     board_fail          records for which the board reports an error of its own
///     wrong_trigger_id    not behind the one before, or far ahead: such a record is numbered as the next
///     missed_triggers     numbers between records: triggers that the board could not record
///     repeated_event      the same number and clock as the record before
///     clock_backwards     clock before that of the record before
///     bad_time            records whose time does not fit a run of 106 days
///     missing_channel     records without a configured input
///     unexpected_channel  records with an input that is not configured
///     unexpected_length   records of another length than configured
///     runs_stopped        stop events
///     run_time_ns, dead_time_ns   what they say, together
class Dig2Board final : public RecordSource {
  public:
    /// Throws Error naming board, address and what it did not do.
    Dig2Board(const BoardInfo& board, std::uint16_t board_index, const Dig2Config& config);

    [[nodiscard]] const BoardInfo& board() const noexcept override { return board_; }
    [[nodiscard]] Next next(RecordHeader& header, std::stop_token stop) override;
    void fill(std::span<std::byte> payload) override;
    void finish() override;
    [[nodiscard]] std::vector<std::pair<std::string, std::uint64_t>> defects() const override;
    [[nodiscard]] std::vector<BoardReading> readings() const override { return keeper_.readings(); }

  private:
    static constexpr std::size_t kNotConfigured = dig2::kMostChannels;
    using TimePoint = std::chrono::steady_clock::time_point;

    [[nodiscard]] bool have_link(TimePoint until, const std::stop_token& stop);
    [[nodiscard]] bool receive(TimePoint until);
    void drop_link();
    [[nodiscard]] bool read_event();
    [[nodiscard]] bool wait_for_rest(const dig2::Event& event);
    void drop_block();
    void end_block();
    void end_run(const dig2::Event& stop);
    [[nodiscard]] bool describe(RecordHeader& header);
    void find_channels(RecordHeader& header);
    void number(RecordHeader& header);
    void stamp(RecordHeader& header, const EventNumbers::Result& number);
    void count_from_here();

    BoardInfo board_;
    std::uint16_t board_index_;
    std::uint32_t most_samples_;
    std::vector<std::size_t> channel_of_input_;  ///< index in the station's channels, or kNotConfigured
    std::optional<dig2::DataLink> link_;
    std::uint64_t generation_ = 0;  ///< of it

    dig2::Event event_;  ///< that next() described; its samples stand in the link
    std::size_t event_bytes_ = 0;
    std::uint64_t channel_mask_ = 0;  ///< of the station's channels in it
    bool in_block_ = false;
    bool dropping_ = false;  ///< the rest of the block
    std::uint64_t events_in_block_ = 0;

    ClockUnwrapper clock_{dig2::kClockBits};
    EventNumbers numbers_{dig2::kTriggerIdBits};
    RestartBridge bridge_;
    bool restarted_ = false;  ///< since the last record
    bool ran_ = false;        ///< a record came, ever

    DefectLog log_;
    bool begun_ = false;
    dig2::Keeper keeper_;
};

}  // namespace alleycat
