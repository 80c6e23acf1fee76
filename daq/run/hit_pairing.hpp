#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "daq/core/beam.hpp"
#include "daq/core/counter.hpp"
#include "daq/core/data_time.hpp"
#include "daq/run/fifo.hpp"
#include "daq/run/tick_tracker.hpp"

namespace alleycat {

/// The tick a hit belongs to.
struct TickOfHit {
    std::uint64_t tick = 0;
    std::int64_t since_tick_ps = 0;  ///< negative: the hit came before it
    std::uint32_t flags = 0;         ///< of the tick; no_tick: there is none

    friend bool operator==(const TickOfHit&, const TickOfHit&) = default;
};

/// A tick on its way to the file, with what the ledger needs.
struct JudgedTick {
    TickRecord record;
    std::uint64_t missing = 0;  ///< ticks that should have come before it and did not
};

/// Gives each hit the tick nearest in time. All times are of the boards' common clock; nothing else is looked at, so
/// the answers do not depend on which thread was faster. Serial.
///
/// A hit is answered when a later tick is known, or when the tick's source has gone so far that none will come. Ticks
/// that cannot be trusted take no part. A tick that comes after its source had gone past it is late: it is recorded,
/// flagged and changes nothing, whether its hits are still there or not.
/// source: daq/run/README.md#hits
class HitPairing {
  public:
    HitPairing(const TickConfig& config, CounterRegistry& registry);

    /// How far from its tick a hit may be: half a period, and what the mains may move it by. [ps]
    [[nodiscard]] std::int64_t reach_ps() const noexcept { return reach_ps_; }

    [[nodiscard]] std::int64_t half_period_ps() const noexcept { return half_period_ps_; }

    /// The next tick, in the order of its source. Flags it came with (from a file) stay. `complete_ps`: up to where the
    /// source had said that no tick will come any more, when this one came.
    void add(const TickRecord& tick, std::int64_t complete_ps);
    /// No tick up to this time will come any more.
    void complete_until(std::int64_t time_ps) noexcept;

    /// The answer for a hit, or nullopt: it has to wait. `give_up`: do not wait, what is known has to do.
    [[nodiscard]] std::optional<TickOfHit> find(std::int64_t hit_ps, bool give_up);

    /// Hits between these times were refused: ticks near them are no exposure.
    void refused(std::int64_t first_ps, std::int64_t last_ps);

    /// The next tick, in the order they came, once all hits before `passed_ps` have been answered.
    [[nodiscard]] bool next_tick(std::int64_t passed_ps, JudgedTick& tick);

    /// Time of the first tick; nullopt: there was none yet.
    [[nodiscard]] std::optional<std::int64_t> first_ps() const noexcept { return first_ps_; }
    /// Time of the newest tick that came; kNever: there was none.
    [[nodiscard]] std::int64_t newest_ps() const noexcept { return newest_ps_; }

  private:
    struct Known {
        std::int64_t time_ps = 0;
        std::uint64_t tick = 0;
        std::uint32_t flags = 0;
    };
    struct Interval {
        std::int64_t first_ps = 0, last_ps = 0;
    };
    [[nodiscard]] const Known& known(std::uint64_t index) const noexcept { return known_[index % known_.size()]; }
    void remember(const TickRecord& tick) noexcept;
    [[nodiscard]] bool near_refused(std::int64_t time_ps) const noexcept;

    TickTracker tracker_;
    std::int64_t half_period_ps_;  // nominal
    std::int64_t reach_ps_;
    Counter& seen_;
    Counter& late_;
    Counter& without_tick_;

    // Ticks that hits may belong to, by rising time: the last of them, in a ring.
    std::vector<Known> known_;
    std::uint64_t known_begin_ = 0, known_end_ = 0;

    Fifo<JudgedTick> waiting_;       // for their hits, in the order they came
    std::vector<Interval> refused_;  // that ticks to come may be near, apart from each other
    std::optional<std::int64_t> first_ps_;
    std::int64_t newest_ps_ = kNever;
    std::int64_t complete_until_ps_ = kNever;
    std::int64_t gave_up_ps_ = kNever;  // newest hit that did not wait long enough
};

}  // namespace alleycat
