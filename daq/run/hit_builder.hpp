#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "daq/core/counter.hpp"
#include "daq/run/board_input.hpp"
#include "daq/run/builder_config.hpp"
#include "daq/run/hit_pairing.hpp"
#include "daq/run/trigger_builder.hpp"

namespace alleycat {

/// Makes a trigger of every hit of self-triggered boards: numbered in the order of time across boards, with its tick.
///
/// The boards share a clock. A hit waits, in its ring, until every board's data time has passed it by the skew and its
/// tick is known: what comes out is a function of the data times, not of the threads. Run time counts from the first
/// tick. In a recorded Alleycat run times and numbers are authoritative; hits are given their ticks again.
class HitBuilder final : public TriggerBuilder {
  public:
    HitBuilder(std::span<const std::unique_ptr<BoardInput>> inputs, const BuilderConfig& config,
               CounterRegistry& registry);

    /// Throws Error when a board can never go on: its ring is too small for the hits that have to wait (replay only).
    [[nodiscard]] Built next(Trigger& trigger, std::uint64_t& consumed) override;
    void release(std::uint64_t consumed) noexcept override;
    [[nodiscard]] bool next_tick(TickRecord& tick) override;
    /// Every board's hits are triggers of their own.
    [[nodiscard]] Backlog backlog() const noexcept override;
    [[nodiscard]] const Ledger& ledger() const noexcept override { return ledger_; }

  private:
    /// One board: how far it is, and its slots that are not given back yet.
    struct Board {
        bool at_end = false;                      // nothing is in its ring and nothing will come
        std::int64_t taken_until;                 // order of its newest record that was taken from the ring
        std::int64_t taken_ps;                    // data time of the same
        std::uint64_t taken = 0, given_back = 0;  // slots
        std::uint32_t waiting = 0;
        Backlog built;
        std::vector<std::uint8_t> done;  // slots that were released, by number modulo its size
    };
    /// A record that was taken from its ring and waits for its turn.
    struct Waiting {
        std::int64_t order = 0;  // data time; in a recorded run the sequence
        std::int64_t time_ps = 0;
        std::uint64_t slot = 0;
        RecordView view;
        std::uint16_t board = 0;
    };
    static bool comes_later(const Waiting& a, const Waiting& b) noexcept;

    void look_at_boards();
    void take_ticks();
    void take_records(std::size_t board);
    [[nodiscard]] bool looks_further(const Board& board) const noexcept;
    [[nodiscard]] bool has_passed(const Board& board, const Waiting& hit) const noexcept;
    [[nodiscard]] bool live() const noexcept { return config_.mode == WhenFull::refuse; }
    void follow_time() noexcept;
    void require_progress(const Waiting& first, bool waits_for_tick) const;
    [[nodiscard]] Waiting take_first();
    void build(const Waiting& hit, const TickOfHit& tick, Trigger& trigger, std::uint64_t& consumed);
    void build_refused(Trigger& trigger, std::uint64_t& consumed);
    [[nodiscard]] std::int64_t run_time(std::int64_t time_ps) const noexcept;
    void account(const JudgedTick& tick) noexcept;

    std::span<const std::unique_ptr<BoardInput>> inputs_;
    BuilderConfig config_;
    std::int64_t skew_;  // in units of Waiting::order
    Counter& out_of_order_;
    Counter& restarts_;  // of boards whose clock began anew: their times go on by the host's
    HitPairing pairing_;
    std::vector<Board> boards_;
    std::vector<Waiting> heap_;              // the earliest in front
    std::optional<Waiting> stub_;            // whose refused hits are being handed on
    std::uint32_t stub_index_ = 0;           // of the next of them
    std::uint64_t under_way_ = 0;            // slots that were handed on and not released
    std::int64_t newest_ps_ = kNever;        // data time of whatever is farthest
    std::int64_t passed_ps_ = kNever;        // all hits before were handed on
    std::int64_t handed_on_ps_ = kNever;     // newest hit that was handed on
    std::optional<std::int64_t> origin_ps_;  // run time 0
    std::uint64_t next_sequence_ = 0;
    std::optional<std::uint64_t> first_tick_;
    std::uint64_t newest_tick_ = 0;
    Ledger ledger_;
};

}  // namespace alleycat
