#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "daq/core/counter.hpp"
#include "daq/core/event.hpp"
#include "daq/core/status.hpp"
#include "daq/run/beam_join.hpp"
#include "daq/run/fifo.hpp"

namespace alleycat {

/// Whether the charge index of the station file agrees with a channel that is rich in beam: for each index that is
/// near, a table of what the frames say (beam, none) against what the channel saw (pulse, none).
///
/// Frames and channel agree best at the right index, if there are ticks without beam among those with it. Serial and
/// without a clock: the same ticks and frames give the same verdict. source: daq/run/README.md#index-check
class BeamIndexCheck {
  public:
    static constexpr std::int64_t kReach = 3;  ///< indices this far from the configured one are tried
    static constexpr std::size_t kCandidates = 2 * kReach + 1;
    enum class Says : std::uint8_t { no_beam = 0, beam = 1, unknown = 2 };

    /// Counts of ticks of one candidate: seen[s] of total[s] ticks of which the frame says s had a pulse.
    struct Table {
        std::array<std::uint64_t, 2> total{};
        std::array<std::uint64_t, 2> seen{};

        /// log likelihood at the rates that fit best, the one with beam not the lower.
        [[nodiscard]] double log_likelihood() const noexcept;
    };

    /// monitored  the station has a beam-rich channel; without one the verdict stays `none`
    BeamIndexCheck(const BeamConfig& config, bool monitored, CounterRegistry& registry);

    /// The next event. Only ticks that can be trusted, with the channel there, are looked at.
    void add(const Event& event);
    /// Judges the ticks whose frames and those around are all there, or will not come.
    void compare(const BeamJoin& join);
    /// No frame will come any more.
    void finish(const BeamJoin& join);

    /// One tick: what the frame of each candidate index says, from configured - kReach on. Ticks with an unknown one
    /// are left out of all tables, so that all hold the same ticks.
    void count(std::span<const Says, kCandidates> says, bool pulse);

    [[nodiscard]] const IndexCheck& verdict() const noexcept { return verdict_; }

  private:
    struct Tick {
        std::uint64_t sequence = 0;
        std::uint64_t tick = 0;
        bool pulse = false;
    };
    void judge(const BeamJoin& join, const Tick& tick);
    void decide();

    BeamConfig config_;
    bool active_;
    Counter& ticks_;
    Counter& confirmed_;
    Counter& contradicted_;
    std::array<Table, kCandidates> tables_{};  // since the last new start
    Fifo<Tick> waiting_;                       // for the frames around them
    IndexCheck verdict_;
};

}  // namespace alleycat
