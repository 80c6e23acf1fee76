#pragma once

#include <cstdint>
#include <optional>

#include "daq/core/counter.hpp"

namespace alleycat {

/// The timing signal, as far as its ticks are judged by their times.
struct TickConfig {
    double rate_hz = 60;                           ///< nominal; 0: no timing signal, every tick is taken as it comes
    std::int64_t phase_tolerance_ps = 20'000'000;  ///< a tick may be so far from where it is expected
    std::int64_t time_resolution_ps = 0;           ///< of the stamps: added to the tolerance
    bool gaps_are_missing = true;                  ///< false: the signal comes only with beam, a gap is no defect
};

/// What is wrong with one tick.
struct TickVerdict {
    std::uint32_t flags = 0;    ///< trigger_flag bits about ticks
    std::uint64_t missing = 0;  ///< ticks that should have come between the last good one and this one, and did not

    friend bool operator==(const TickVerdict&, const TickVerdict&) = default;
};

/// Follows the phase and the period of a timing signal and judges each tick by its time alone: no clock, no I/O, the
/// same times give the same verdicts. Serial. The period follows the mains: it is measured, never taken as 1 / rate.
/// source: daq/run/README.md#ticks
class TickTracker {
  public:
    /// A clock that was set by more is noticed by the host's [ps]: to times alone it is another one, and its counter
    /// may be too.
    static constexpr double kFarthestSet = 1e12;

    TickTracker(const TickConfig& config, CounterRegistry& registry);

    /// Judges the next tick of the signal, in the order of the board's record. Triggers of other classes are not ticks.
    /// `number`: of the tick by a counter that counts those too that were not delivered; nullopt: there is none. It is
    /// asked only where the time cannot tell how many periods it is: behind a long gap, and in a new phase.
    TickVerdict add(std::int64_t time_ps, std::optional<std::uint64_t> number = std::nullopt) noexcept;
    /// A tick that came, at a time nobody knows (a stamp that could not be read).
    void add_without_time() noexcept { ++untimed_; }
    /// A tick that was refused: it came, but a file keeps its time only nearly. It takes no part in the judgement of
    /// others, unless it is the first. Returns how many are missing up to it, to be counted if no good one follows.
    std::uint64_t add_refused(std::int64_t time_ps, std::optional<std::uint64_t> number = std::nullopt) noexcept;

    /// A tick at this time would stand where one should, as far as that can be told. True before the first.
    [[nodiscard]] bool is_in_phase(std::int64_t time_ps) const noexcept;

    /// Newest tick that can be trusted [ps]; meaningless before the first.
    [[nodiscard]] std::int64_t last_good_ps() const noexcept { return good_ps_; }
    /// Time from tick to tick as measured so far; the nominal one before [ps].
    [[nodiscard]] double period_ps() const noexcept { return period_ps_; }

  private:
    struct Distance {
        double periods = 0;    // whole number nearest to the time between
        bool in_phase = true;  // as far as can be told
    };
    [[nodiscard]] double resolution_ps() const noexcept { return static_cast<double>(config_.time_resolution_ps); }
    [[nodiscard]] Distance distance(std::int64_t dt_ps, std::optional<double> counted = std::nullopt) const noexcept;
    [[nodiscard]] std::optional<double> counted_since_good(std::optional<std::uint64_t> number) const noexcept;
    [[nodiscard]] bool is_duplicate(std::int64_t dt_ps) const noexcept;
    std::uint64_t accept(std::int64_t time_ps, std::optional<std::uint64_t> number, std::uint64_t missing) noexcept;
    [[nodiscard]] std::uint64_t missing_between(double periods, std::uint64_t others) const noexcept;
    void follow_period(std::int64_t dt_ps, double periods) noexcept;
    TickVerdict distrust(std::int64_t time_ps, std::optional<std::uint64_t> number, std::uint32_t flag) noexcept;

    TickConfig config_;
    double nominal_ps_;
    Counter& missing_;
    Counter& duplicate_;
    Counter& backwards_;
    Counter& out_of_phase_;
    Counter& phase_jumps_;

    bool started_ = false;
    std::int64_t good_ps_ = 0;  // newest tick in phase
    double period_ps_;
    std::uint32_t measured_ = 0;                // periods that went into period_ps_
    std::optional<std::uint64_t> good_number_;  // of the tick at good_ps_
    std::uint64_t duplicates_ = 0;              // since good_ps_: they have a number each, and are no tick
    std::uint64_t untimed_ = 0;                 // ticks of unknown time since good_ps_
    std::uint64_t distrusted_ =
        0;  // out of phase or backwards since good_ps_: each stands for a tick that is elsewhere

    // Ticks that do not fit, but fit each other: the new phase, once there are enough.
    std::int64_t candidate_ps_ = 0;  // newest of them
    std::uint32_t candidates_ = 0;   // how many; 0: none
    std::uint64_t candidate_missing_ = 0;
};

}  // namespace alleycat
