#pragma once
// Events wait here until their beam state is known: nothing that waits counts as ON or OFF.

#include <cstdint>
#include <deque>
#include <limits>
#include <optional>
#include <vector>

#include "daq/core/bytes.hpp"
#include "daq/core/record.hpp"
#include "daq/core/run_description.hpp"

namespace alleycat {

/// Where a window stands on the discriminant's map; NaN: nowhere.
struct DiscriminantPoint {
    double feature = std::numeric_limits<double>::quiet_NaN();
    double against = std::numeric_limits<double>::quiet_NaN();
};

/// A window that passed all cuts: all that the analysis selection needs of it.
struct AcceptedWindow {
    double charge_pe = 0;
    double arrival_ns = 0;
    WindowRole role = WindowRole::coincident;
    DiscriminantPoint point;
};

/// Events of one run in the order of their sequence. Nearly all of them have no accepted window, so the few that have
/// are kept apart and one that waits costs 24 bytes.
class PendingEvents {
  public:
    struct Waiting {
        std::uint64_t sequence = 0;
        std::uint64_t trend_row = 0;  ///< where its beam power belongs
        TriggerClass trigger_class = TriggerClass::beam_tick;
        bool answered = false;
    };
    struct Resolved {
        std::uint64_t trend_row = 0;
        TriggerClass trigger_class = TriggerClass::beam_tick;
        std::vector<AcceptedWindow> accepted;  ///< empty for nearly all: then nothing is allocated
    };

    /// `sequence` is above that of every event added before.
    void add(std::uint64_t sequence, TriggerClass trigger_class, std::uint64_t trend_row);
    /// To the event added last.
    void add_accepted(const AcceptedWindow& window);

    /// Takes the event out; nullopt when no such event waits.
    [[nodiscard]] std::optional<Resolved> take(std::uint64_t sequence);
    /// Takes out the oldest event that waits; nullopt when none does.
    [[nodiscard]] std::optional<Resolved> take_oldest();
    /// The same if it is more than `distance` sequence numbers older than `newest`. Distance, not how many wait: it is
    /// the same whether younger ones were answered meanwhile, and it bounds the memory.
    [[nodiscard]] std::optional<Resolved> take_older(std::uint64_t newest, std::uint64_t distance);

    [[nodiscard]] std::size_t size() const noexcept { return waiting_.size() - answered_; }
    /// Every event that waits has a sequence below this one.
    [[nodiscard]] bool all_below(std::uint64_t sequence) const noexcept {
        return waiting_.empty() || waiting_.back().sequence < sequence;
    }
    [[nodiscard]] std::uint64_t beam_ticks() const noexcept { return beam_ticks_; }

    void put(ByteWriter& out) const;
    /// False when the bytes do not hold such a list.
    [[nodiscard]] bool get(ByteReader& in);

  private:
    struct Accepted {
        std::uint64_t sequence = 0;
        AcceptedWindow window;
    };
    [[nodiscard]] Resolved answer(Waiting& event);

    std::deque<Waiting> waiting_;    ///< by sequence; the front has not been answered
    std::deque<Accepted> accepted_;  ///< by sequence, of events that wait
    std::size_t answered_ = 0;       ///< of waiting_, answered before an older one
    std::uint64_t beam_ticks_ = 0;   ///< of class beam_tick that wait
};

}  // namespace alleycat
