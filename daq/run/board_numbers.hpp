#pragma once

#include <cstdint>
#include <optional>

#include "daq/core/counter.hpp"
#include "daq/run/tick_book.hpp"

namespace alleycat {

/// The numbers that one board gives its triggers, carried over to those of the run: boards begin to count at different
/// triggers, and again when they were away. A number that does not fit its trigger's time is a mistake of the board's;
/// two that follow each other are none: then the board counts anew and its numbers are learnt from the time, or it has
/// skipped numbers, if those before were confirmed twice, and is believed.
class BoardNumbers {
  public:
    /// `disagreements`: numbers that are not those of the run.
    explicit BoardNumbers(Counter& disagreements) noexcept : disagreements_{disagreements} {}

    /// What `counter` is in the run; nullopt: that is not known.
    [[nodiscard]] std::optional<std::uint64_t> in_run(std::uint64_t counter) const noexcept;
    /// Whether the number of the trigger at this time [ps of the run] is believed. One that is not is counted.
    [[nodiscard]] bool believes(std::uint64_t counter, std::int64_t time_ps, const TickBook& book) noexcept;
    /// The trigger that the board calls `counter` is the run's `tick`. `own`: a number that it gave itself, which is
    /// counted if it is another than expected.
    void learn(std::uint64_t counter, std::uint64_t tick, bool own) noexcept;
    /// It may count anew: what it says next is learnt.
    void forget() noexcept;

  private:
    Counter& disagreements_;
    std::optional<std::uint64_t> offset_;         // its counter less the run's number (modulo 2^64)
    std::optional<std::uint64_t> offset_before_;  // the one that was given up last
    std::uint64_t agreed_ = 0;  // numbers, one after the other, by that, behind the one that it was learnt from
    std::optional<std::uint64_t> doubted_;  // the last counter, if it did not fit
};

}  // namespace alleycat
