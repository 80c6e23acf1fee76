#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <vector>

#include "daq/core/beam.hpp"
#include "daq/core/data_time.hpp"
#include "daq/core/trigger.hpp"
#include "daq/run/beam_join.hpp"
#include "daq/run/fifo.hpp"

namespace alleycat {

/// Beam states where ticks come apart from the triggers: the join answers ticks, and a hit's state is that of its tick,
/// so that the exposure and the hits in it never disagree. Serial.
class HitBeam {
  public:
    /// `join` answers the ticks. `recorded`: ticks bring their states along (a file that is replayed as it was).
    HitBeam(BeamJoin& join, bool recorded, double tick_rate_hz);

    /// The next tick, in the order of the builder.
    void add(const TickRecord& tick);
    /// A hit that was handed over, in sequence order.
    void add(const Trigger& hit);
    /// Hits from this time on were given up: ticks near them or later are no exposure.
    void lost_from(std::int64_t time_ps) noexcept { lost_from_ps_ = std::min(lost_from_ps_, time_ps); }
    /// No frame will come any more; call after the join's finish().
    void finish() noexcept { finished_ = true; }

    /// The next tick with its state, in order; false when none is ready.
    [[nodiscard]] bool next(TickRecord& tick);
    /// The next hit's state, in sequence order; false when none is ready.
    [[nodiscard]] bool next(BeamResolution& resolution);

    /// How far answers are behind hits, in data time. [s]
    [[nodiscard]] double lag_s() const noexcept;

  private:
    struct Answer {
        std::uint64_t tick = ~std::uint64_t{0};
        BeamState state = BeamState::unknown;
        float power_w = -1;
    };
    struct Hit {
        std::uint64_t sequence = 0;
        std::uint64_t tick = 0;
        std::int64_t tick_ps = 0;
        std::int64_t time_ps = 0;
        bool has_tick = false;
    };
    struct Asked {
        TickRecord tick;
        bool of_join = false;
    };
    void keep(const TickRecord& tick) noexcept;

    BeamJoin& join_;
    bool recorded_;
    double period_ps_;
    bool finished_ = false;
    Fifo<Asked> ticks_;        // without an answer
    std::uint64_t asked_ = 0;  // of the join, which wants a sequence
    std::optional<std::uint64_t> newest_tick_;
    Fifo<Hit> hits_;
    std::vector<Answer> answers_;        // by tick modulo its size
    std::int64_t answered_ps_ = kNever;  // newest tick that has an answer
    std::int64_t lost_from_ps_ = kForever;
    std::int64_t newest_hit_ps_ = kNever;
};

}  // namespace alleycat
