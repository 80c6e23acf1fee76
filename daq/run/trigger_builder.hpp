#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>

#include "daq/core/beam.hpp"
#include "daq/core/status.hpp"
#include "daq/core/trigger.hpp"
#include "daq/run/board_input.hpp"

namespace alleycat {

/// Makes numbered triggers of the records in the boards' rings. Serial: one thread.
class TriggerBuilder {
  public:
    enum class Built : std::uint8_t { trigger, nothing, end };

    TriggerBuilder() = default;
    virtual ~TriggerBuilder() = default;
    TriggerBuilder(const TriggerBuilder&) = delete;
    TriggerBuilder& operator=(const TriggerBuilder&) = delete;

    /// The next whole trigger. Its views stay valid until release() has paid back what it `consumed`.
    [[nodiscard]] virtual Built next(Trigger& trigger, std::uint64_t& consumed) = 0;

    /// Gives the ring slots of a trigger back: `consumed` as next() told, in the same order.
    virtual void release(std::uint64_t consumed) noexcept = 0;

    /// The next tick that came apart from the triggers, once every trigger that belongs to it has been handed on.
    [[nodiscard]] virtual bool next_tick(TickRecord&) { return false; }

    /// Triggers that the boards have delivered and next() has not built yet: in rings, or as stubs that wait for one.
    struct Backlog {
        std::uint64_t triggers = 0;
        std::uint64_t refused = 0;  ///< of them
    };
    [[nodiscard]] virtual Backlog backlog() const noexcept = 0;

    /// Ticks and triggers of this run so far.
    [[nodiscard]] virtual const Ledger& ledger() const noexcept = 0;
};

/// What one board has delivered and its builder has not `taken`.
[[nodiscard]] inline TriggerBuilder::Backlog backlog_of(const BoardInput& input,
                                                        const TriggerBuilder::Backlog& taken) noexcept {
    // Refused ones first: a reader counts a trigger as seen before it refuses it.
    const std::uint64_t refused = input.refused.load(std::memory_order_acquire);
    const std::uint64_t seen = input.seen.load(std::memory_order_relaxed);
    return {seen - std::min(seen, taken.triggers), refused - std::min(refused, taken.refused)};
}

}  // namespace alleycat
