#pragma once

#include <cstdint>
#include <optional>

#include "daq/core/counter.hpp"
#include "daq/core/record.hpp"
#include "daq/core/status.hpp"
#include "daq/core/trigger.hpp"
#include "daq/run/builder_config.hpp"
#include "daq/run/tick_tracker.hpp"
#include "trigger/tick_edge.hpp"

namespace alleycat {

/// The ticks of a run: which number one has by its time, whether it stands where a tick should, and the ledger of all.
/// No clock and no I/O: what is told follows from the triggers entered. Serial.
/// source: daq/run/README.md#ticks
class TickBook {
  public:
    TickBook(const BuilderConfig& config, CounterRegistry& registry);

    /// From now on the tick of a trigger is an edge in one of its channels, not its time stamp.
    /// Then the board's counter of triggers says nothing about ticks.
    void look_for_ticks(TickEdgeFinder finder);

    [[nodiscard]] bool empty() const noexcept { return ledger_.triggers == 0; }
    /// Number of the trigger entered last.
    [[nodiscard]] std::uint64_t newest() const noexcept { return newest_; }
    /// The next number, by the time of its trigger [ps of the run]: where no board has one to go on with.
    [[nodiscard]] std::uint64_t number_by_time(std::int64_t time_ps) const noexcept;
    /// Times can tell that a number is wrong: every trigger is a tick, and a tick comes every period.
    [[nodiscard]] bool judges_numbers() const noexcept;
    /// The number and the time can be of one tick.
    [[nodiscard]] bool fits(std::uint64_t number, std::int64_t time_ps) const noexcept;
    /// Where the tick stands that is nearest to a time [ps of the run]; nullopt: no tick is known, or only by edges.
    [[nodiscard]] std::optional<std::int64_t> nearest_tick(std::int64_t time_ps) const noexcept;

    /// The next trigger, whose number (`trigger.tick`) and time are given: finds and flags its tick, and counts what is
    /// missing before it. `measured`: number and time are the board's own, that of `reference`, and not put between
    /// those of others.
    void enter(Trigger& trigger, const RecordHeader& reference, bool measured);

    [[nodiscard]] const Ledger& ledger() const noexcept { return ledger_; }

  private:
    [[nodiscard]] bool time_counts_ticks() const noexcept;
    [[nodiscard]] double periods_since_good(std::int64_t time_ps) const noexcept;
    void judge(Trigger& trigger, const RecordHeader& reference, bool measured);
    void account(const Trigger& trigger, bool measured);
    void account_tick(bool measured);

    BuilderConfig config_;
    Counter& backwards_;
    Counter& not_found_;
    TickTracker tracker_;
    std::optional<TickEdgeFinder> edges_;
    std::uint64_t newest_ = 0;
    std::int64_t newest_ps_ = kNever;     // time of the latest trigger
    std::optional<std::uint64_t> first_;  // of the triggers of class beam_tick
    std::uint64_t missing_ = 0;           // before the newest good tick
    std::uint64_t missing_since_ = 0;     // among the refused ones after it, so far
    std::uint64_t others_ = 0;            // triggers of another class, since the first tick: the boards count them too
    std::optional<std::uint64_t> good_;   // newest_ of the newest good tick ...
    std::uint64_t others_at_good_ = 0;    // ... and others_ then
    Ledger ledger_;
};

}  // namespace alleycat
