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
#include "daq/run/board_input.hpp"
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

    // Of stations of self-triggered boards.
    bool recorded = false;                              ///< an Alleycat run: numbers and times are authoritative
    std::uint16_t tick_board = 0;                       ///< whose source delivers the ticks
    std::int64_t max_tick_wait_ps = 1'000'000'000'000;  ///< live, a hit waits for its tick for so much data time
};

/// How ticks are judged.
[[nodiscard]] TickConfig tick_config(const BuilderConfig& config);

/// Merges the records of all boards into triggers by time and numbers them. Serial: one thread.
///
/// Live, membership follows from the data times (each board's clock counts from its first record). In a recorded
/// Alleycat run membership is authoritative: records carry their sequence and are never merged again.
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
        bool there = false;
        RecordView view;
        std::int64_t time_ps = 0;       // since the board's first record; of the current trigger of a stub
        std::int64_t tolerance_ps = 0;  // how far a time that was interpolated may be off
        std::uint32_t stub_index = 0;   // how many triggers of a stub have been built
        bool ended = false;             // the board was at its end before we looked at its ring
        std::int64_t newest_ps = 0;     // its data time before we looked at its ring
        Backlog taken;                  // built of this board
    };
    [[nodiscard]] static TriggerClass class_of(const Head& head) noexcept;
    bool refresh(std::size_t board);
    [[nodiscard]] bool all_heads_known(std::int64_t earliest_ps) const noexcept;
    [[nodiscard]] bool is_next(const Head& head, const Head& earliest, std::uint64_t sequence) const noexcept;
    void count_tick(std::uint64_t members, std::int64_t time_ps);
    void take(std::size_t board, Trigger& trigger, std::uint64_t& consumed);
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
    std::vector<Head> heads_;
    std::vector<std::int64_t> origin_ps_;  // of each board: its first record; kNever: none has come
    std::vector<std::optional<std::uint64_t>>
        counter_offset_;  // a board's counter - tick_ (modulo 2^64), when last seen
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
    Ledger ledger_;
};

}  // namespace alleycat
