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
#include "daq/run/fifo.hpp"
#include "daq/run/tick_tracker.hpp"
#include "daq/run/trigger_builder.hpp"
#include "trigger/tick_edge.hpp"

namespace alleycat {

struct BuilderConfig {
    double tick_rate_hz = 60;  ///< nominal; 0: no timing signal, nothing can be missed
    std::int64_t phase_tolerance_ps = TickConfig{}.phase_tolerance_ps;
    std::int64_t time_resolution_ps = 0;        ///< of the boards' clocks
    bool gaps_are_missing = true;               ///< a tick comes every period; false: only when there is beam
    std::optional<TickChannel> tick_channel{};  ///< where the tick of a trigger is an edge in its trace
    bool triggers_are_ticks = true;    ///< a trigger's time stamp is its tick, or its tick is an edge in its trace
    bool counter_is_hardware = true;   ///< the reference board counts triggers it could not record
    std::int64_t skew_ps = 1'000'000;  ///< records within this belong to one trigger
    std::int64_t missing_after_ps =
        2'000'000'000'000;             ///< a silent board is missing once the others' data time is so far on
    WhenFull mode = WhenFull::refuse;  ///< replay (wait) never calls a slow file a missing board
    /// Boards run beside the host's clock: it tells to within half a tick how their clocks stand to each other, at the
    /// start and when one begins anew. false (files, a simulator without pacing): they all begin with the same trigger.
    bool clocks_by_host = false;
    std::uint32_t records_to_place = 16;  ///< of a board, before the host's clock is asked: the least delay counts

    // Of stations of self-triggered boards.
    bool recorded = false;                              ///< an Alleycat run: numbers and times are authoritative
    std::uint16_t tick_board = 0;                       ///< whose source delivers the ticks
    std::int64_t max_tick_wait_ps = 1'000'000'000'000;  ///< live, a hit waits for its tick for so much data time
};

/// How ticks are judged.
[[nodiscard]] TickConfig tick_config(const BuilderConfig& config);

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
    void look_for_ticks(TickEdgeFinder finder) {
        tick_edges_ = std::move(finder);
        ledger_.has_ticks = false;
    }

    /// The next whole trigger, in time order. Its views stay valid until release() has paid back what it `consumed`.
    [[nodiscard]] Built next(Trigger& trigger, std::uint64_t& consumed) override;

    /// Gives the ring slots of a trigger back: `consumed` as next() told, in the same order.
    void release(std::uint64_t consumed) noexcept override;

    /// Boards see the same triggers: what waits is what waits of the board that is behind most.
    [[nodiscard]] Backlog backlog() const noexcept override;

    /// Ticks of this run so far.
    [[nodiscard]] const Ledger& ledger() const noexcept override { return ledger_; }

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

        Fifo<RecordView> ahead;  // taken from its ring and not looked at yet; the first is its head
        std::optional<Head> head;
        bool ended = false;               // it was at its end before we looked at its ring
        std::int64_t newest_ps = kNever;  // its data time before we looked at its ring, by its clock
        std::int64_t newest_utc_ns = 0;   // and the host's
        BoardClock clock;
        std::optional<LastStamp> last;  // of the clock as it is known: what the next one is judged by
        bool in_question = false;       // its next record does not fit its clock, and the one after is not here yet
        std::optional<std::uint64_t> counter_offset;  // its counter - tick_ (modulo 2^64), when last seen
        std::uint64_t agreed =
            0;  // numbers, one after the other, by this offset, after the one that it was learnt from
        bool counts_anew = false;  // its clock does, and so may its counter: none of its records was built since
        std::optional<std::uint64_t> doubted_number;  // its counter, of the last trigger that it numbered wrongly
        std::int64_t last_built_ps = kNever;          // run time of the last trigger that it was in
        std::optional<std::uint64_t> last_counter;    // of its record that was built last ...
        std::int64_t last_board_ps = 0;               // ... and its time
        std::uint32_t alone = 0;    // triggers that it was in alone, one after the other, though others are there
        std::uint32_t late = 0;     // records that came too late since its clock was last known exactly
        Backlog taken;              // built of this board
        Fifo<std::uint32_t> owed;   // ring slots to give back with each trigger that was handed on
        std::uint32_t to_skip = 0;  // slots of records that are in no trigger, to be given back behind these

        // Of triggers without this board, and of its records that are in no trigger or not where they should be.
        Counter& missing;
        Counter& late_records;
        Counter& duplicates;
        Counter& number_disagreements;
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
    [[nodiscard]] bool fits(const LastStamp& last, const RecordHeader& header) const noexcept;
    [[nodiscard]] bool is_repeated(const Board& board) const noexcept;
    [[nodiscard]] bool came_too_late(const Board& board) const noexcept;
    void doubt_place(Board& board) noexcept;
    void skip_head(std::size_t board);

    // Where their clocks stand.
    void place_boards();
    void begin_time_line();
    [[nodiscard]] bool can_be_placed(std::size_t board) const noexcept;
    [[nodiscard]] bool is_to_be_placed(std::size_t board);
    [[nodiscard]] static std::size_t by_one_clock(const Board& board) noexcept;
    void leave_out(std::size_t board);
    [[nodiscard]] bool is_catching_up(const Board& board) const noexcept;
    [[nodiscard]] static std::int64_t usual_host_minus_board_ns(const Board& board, std::size_t begin,
                                                                std::size_t end) noexcept;
    [[nodiscard]] static bool begins_far_off(const Board& board) noexcept;
    [[nodiscard]] static std::int64_t least_host_minus_board_ns(const Board& board, std::size_t begin,
                                                                std::size_t end) noexcept;
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
    [[nodiscard]] std::optional<std::uint64_t> agreed_tick(std::uint64_t voters) const noexcept;
    [[nodiscard]] bool believes_number(Board& board, std::int64_t time_ps) noexcept;
    [[nodiscard]] bool time_counts_ticks() const noexcept;
    [[nodiscard]] double periods_since_good(std::int64_t time_ps) const noexcept;
    [[nodiscard]] std::uint64_t tick_by_time(std::int64_t time_ps) const noexcept;
    void count_tick(std::uint64_t members, std::int64_t time_ps);
    void take(std::size_t board, Trigger& trigger, std::uint64_t& consumed);
    void note_missing(std::uint64_t members, std::int64_t time_ps, bool counts);
    void judge_tick(Trigger& trigger, const RecordHeader& reference, bool measured);
    void account(const Trigger& trigger, bool measured);
    void account_tick(bool measured);

    std::span<const std::unique_ptr<BoardInput>> inputs_;
    BuilderConfig config_;
    Counter& incomplete_;
    Counter& backwards_;
    Counter& ticks_not_found_;
    TickTracker ticks_;
    std::optional<TickEdgeFinder> tick_edges_;
    std::vector<Board> boards_;
    bool has_time_line_ = false;  // the first board's clock is the run's
    HostLag lag_;                 // of the host behind the run's time
    std::uint64_t last_members_ = 0;
    std::int64_t last_merged_ps_ = kNever;  // run time of the newest trigger, before the first one's is taken off
    std::uint64_t next_sequence_ = 0;
    // Trigger counter of the trigger built last, in the numbering of the board that was there first (the others' are
    // carried over, so that a missing reference board changes nothing): identifies its tick to the beam join.
    std::uint64_t tick_ = 0;
    std::int64_t first_time_ps_ = 0;
    std::int64_t last_time_ps_ = kNever;  // newest so far
    bool started_ = false;
    std::optional<std::uint64_t> first_tick_;  // of the triggers of class beam_tick
    std::uint64_t missing_ticks_ = 0;          // before the newest good tick
    std::uint64_t missing_since_ = 0;          // among the refused ones after it, so far
    std::uint64_t other_triggers_ = 0;         // of another class, since the first tick: the boards count them too
    std::optional<std::uint64_t> good_tick_;   // tick_ of the newest good tick ...
    std::uint64_t others_at_good_ = 0;         // ... and other_triggers_ then
    Ledger ledger_;
};

}  // namespace alleycat
