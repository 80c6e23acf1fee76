#pragma once

#include <cstdint>

#include "daq/core/beam.hpp"
#include "daq/core/status.hpp"
#include "daq/core/trigger.hpp"

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

    /// Ticks and triggers of this run so far.
    [[nodiscard]] virtual const Ledger& ledger() const noexcept = 0;
};

}  // namespace alleycat
