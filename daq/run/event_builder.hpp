#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "daq/core/counter.hpp"
#include "daq/core/status.hpp"
#include "daq/core/trigger.hpp"
#include "daq/run/board_clock.hpp"
#include "daq/run/board_input.hpp"
#include "daq/run/board_numbers.hpp"
#include "daq/run/builder_config.hpp"
#include "daq/run/fifo.hpp"
#include "daq/run/host_times.hpp"
#include "daq/run/tick_book.hpp"
#include "daq/run/trigger_builder.hpp"
#include "trigger/tick_edge.hpp"

namespace alleycat {

/// Merges the records of all boards into triggers by time and numbers them. Serial: one thread.
///
/// Live, membership follows from the data times: every board's clock is carried over to the time of the run
/// (BoardClock), which is that of the first board. In a recorded Alleycat run membership is authoritative: records
/// carry their sequence and are never merged again.
/// source: daq/run/README.md#boards
class EventBuilder final : public TriggerBuilder {
  public:
    EventBuilder(std::span<const std::unique_ptr<BoardInput>> inputs, const BuilderConfig& config,
                 CounterRegistry& registry);

    /// From now on the tick of a trigger is an edge in one of its channels, not its time stamp.
    /// Then the board's counter of triggers says nothing about ticks.
    void look_for_ticks(TickEdgeFinder finder) { book_.look_for_ticks(std::move(finder)); }

    /// The next whole trigger, in time order. Its views stay valid until release() has paid back what it `consumed`.
    [[nodiscard]] Built next(Trigger& trigger, std::uint64_t& consumed) override;

    /// Gives the ring slots of a trigger back: `consumed` as next() told, in the same order.
    void release(std::uint64_t consumed) noexcept override;

    /// Boards see the same triggers: what waits is what waits of the board that is behind most.
    [[nodiscard]] Backlog backlog() const noexcept override;

    /// Ticks of this run so far.
    [[nodiscard]] const Ledger& ledger() const noexcept override { return book_.ledger(); }

  private:
    struct Head {
        RecordView view;
        std::int64_t board_ps = 0;      // by the board's clock; of the current trigger of a stub
        std::int64_t time_ps = 0;       // the same in the run's time
        std::int64_t tolerance_ps = 0;  // how far a time that was interpolated may be off
        std::uint32_t stub_index = 0;   // how many triggers of a stub have been built
    };
    /// Of a record whose time was trusted.
    struct LastStamp {
        std::int64_t time_ps = 0, utc_ns = 0;
        std::uint64_t counter = 0;
    };
    enum class Stamp : std::uint8_t {
        good,
        doubtful,           ///< too early, once
        ahead_of_its_time,  ///< once
        unknown,            ///< more records have to come first
    };
    /// One board: what it has delivered, its clock, and what became of it.
    struct Board {
        explicit Board(const BoardInput& input, CounterRegistry& registry);

        RecordsAhead ahead;  // taken from its ring and not looked at yet
        std::optional<Head> head;
        bool ended = false;               // it was at its end before we looked at its ring
        std::int64_t newest_ps = kNever;  // its data time before we looked at its ring, by its clock
        std::int64_t newest_utc_ns = 0;   // and the host's
        BoardClock clock;
        std::optional<LastStamp> last;  // of the clock as it is known: what the next one is judged by
        bool in_question = false;       // its next record does not fit its clock, and the one after is not here yet
        BoardNumbers numbers;
        bool counts_anew = false;  // its clock does, and so may its counter: none of its records was built since
        std::int64_t last_built_ps = kNever;        // run time of the last trigger that it was in
        std::optional<std::uint64_t> last_counter;  // of its record that was built last ...
        std::int64_t last_board_ps = 0;             // ... and its time
        std::uint32_t alone = 0;    // triggers that it was in alone, one after the other, though others are there
        std::uint32_t late = 0;     // records that came too late since its clock was last known exactly
        Backlog taken;              // built of this board
        Fifo<std::uint32_t> owed;   // ring slots to give back with each trigger that was handed on
        std::uint32_t to_skip = 0;  // slots of records that are in no trigger, to be given back behind these

        // Of triggers without this board, and of its records that are in no trigger or not where they should be.
        Counter& missing;
        Counter& late_records;
        Counter& duplicates;
        Counter& held_up;
        Counter& clock_restarts;
        Counter& bad_times;
        Counter& realigned;
    };
    [[nodiscard]] static TriggerClass class_of(const Head& head) noexcept;
    [[nodiscard]] static std::uint64_t counter_of(const Board& board) noexcept;
    [[nodiscard]] bool several() const noexcept { return boards_.size() > 1; }

    // What the boards have delivered.
    void look_at_boards();
    bool take_ahead(std::size_t board);
    void find_head(std::size_t board);
    [[nodiscard]] Stamp judge_stamp(std::size_t board);
    void set_head(Board& board, bool trusted) noexcept;
    void set_stub_time(Board& board) noexcept;
    [[nodiscard]] static LastStamp stamp_of(const RecordHeader& header) noexcept;
    [[nodiscard]] bool fits_clock(const LastStamp& last, const RecordHeader& header) const noexcept;
    [[nodiscard]] bool is_repeated(const Board& board) const noexcept;
    [[nodiscard]] bool came_too_late(const Board& board) const noexcept;
    void doubt_place(Board& board) noexcept;
    void skip_head(std::size_t board);

    // Where their clocks stand.
    void place_boards();
    void begin_time_line();
    [[nodiscard]] bool can_be_placed(std::size_t board) const noexcept;
    [[nodiscard]] bool is_to_be_placed(std::size_t board);
    void leave_out(std::size_t board);
    void place(Board& board) noexcept;
    [[nodiscard]] std::int64_t on_a_tick(std::int64_t run_ps, TriggerClass trigger_class) const noexcept;
    void follow_clocks(std::uint64_t members, std::size_t reference);
    [[nodiscard]] static bool is_there(const Board& board) noexcept;
    void look_for_loners(std::uint64_t members);

    [[nodiscard]] std::int64_t believed_newest_ps(const Board& board) const noexcept;
    [[nodiscard]] bool all_heads_known(std::int64_t earliest_ps) const noexcept;
    [[nodiscard]] std::int64_t reach_of_doubt_ps() const noexcept;
    [[nodiscard]] bool is_next(const Board& board, const Board& earliest, std::uint64_t sequence) const noexcept;
    [[nodiscard]] std::size_t reference_of(std::uint64_t members) const noexcept;
    [[nodiscard]] std::optional<std::uint64_t> agreed_number(std::uint64_t voters) const noexcept;
    [[nodiscard]] bool believes_number(Board& board, std::int64_t time_ps) noexcept;
    [[nodiscard]] std::uint64_t number_of(std::uint64_t members, std::int64_t time_ps);
    void take(std::size_t board, Trigger& trigger, std::uint64_t& consumed);
    void note_missing(std::uint64_t members, std::int64_t time_ps, bool counts);

    std::span<const std::unique_ptr<BoardInput>> inputs_;
    BuilderConfig config_;
    Counter& incomplete_;
    TickBook book_;
    std::vector<Board> boards_;
    bool has_time_line_ = false;  // the first board's clock is the run's
    HostLag lag_;                 // of the host behind the run's time
    std::uint64_t last_members_ = 0;
    std::int64_t last_merged_ps_ = kNever;  // run time of the newest trigger, before the first one's is taken off
    std::uint64_t next_sequence_ = 0;
    std::int64_t first_time_ps_ = 0;
    bool started_ = false;
};

}  // namespace alleycat
