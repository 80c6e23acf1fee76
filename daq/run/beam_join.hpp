#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "daq/core/beam.hpp"
#include "daq/core/config.hpp"
#include "daq/core/counter.hpp"
#include "daq/run/power_log.hpp"

namespace alleycat {

/// [beam] of a station file: who knows whether there was beam.
struct BeamConfig {
    enum class Source : std::uint8_t {
        none,       ///< nobody: every tick is unknown
        constant,   ///< a state for the whole run (calibration, test stand)
        frames,     ///< one beam frame per pulse, from the source (RTDL, or the simulator)
        power_log,  ///< a 1 Hz power history in a file
        recorded,   ///< the states as they stand in the Alleycat file that is replayed
    };
    Source source = Source::none;
    BeamState constant_state = BeamState::on;
    double constant_power_w = -1;
    std::string power_log;          ///< path, relative to the station file
    double on_above_w = 10;         ///< power above: on (published analysis)
    double on_above_charge_pc = 0;  ///< pulse charge above: on
    std::int64_t charge_index = 0;  ///< the charge in a pulse's frame is that of this pulse; -1: of the one before
    double max_delay_s = 10;        ///< data time after which a missing frame means unknown
};

[[nodiscard]] BeamConfig parse_beam(ConfigSection& root);

/// Joins triggers with what is known about the beam, when it is known. Serial, keyed by tick and sequence: the answers
/// do not depend on when frames arrived, as long as they arrive within max_delay_s.
class BeamJoin {
  public:
    BeamJoin(const BeamConfig& config, std::optional<PowerLog> log, CounterRegistry& registry);

    /// A trigger that waits for its answer. `tick` is the reference board's trigger counter.
    void add(std::uint64_t sequence, std::uint64_t tick, std::int64_t time_ps, std::int64_t utc_ns);
    void add(const BeamFrame& frame);
    void add(const BeamResolution& recorded);
    /// No frame will come any more: what is still pending is resolved as far as it goes.
    void finish() { finished_ = true; }

    /// The next answer, in sequence order; false when none is ready.
    [[nodiscard]] bool next(BeamResolution& resolution);

    [[nodiscard]] std::size_t pending() const noexcept { return pending_.size() - head_; }
    /// How far answers are behind triggers, in data time. [s]
    [[nodiscard]] double lag_s() const noexcept;

  private:
    struct Pending {
        std::uint64_t sequence = 0;
        std::uint64_t tick = 0;
        std::int64_t time_ps = 0;
        std::int64_t utc_ns = 0;
    };
    [[nodiscard]] bool resolve(const Pending& trigger, BeamResolution& resolution);
    [[nodiscard]] bool resolve_by_frames(const Pending& trigger, bool overdue, BeamResolution& resolution);
    [[nodiscard]] bool resolve_as_recorded(const Pending& trigger, bool overdue, BeamResolution& resolution);
    [[nodiscard]] const BeamFrame* frame_of(std::uint64_t tick) const noexcept;
    [[nodiscard]] BeamState state_of_power(float power_w) const noexcept;

    BeamConfig config_;
    std::optional<PowerLog> log_;
    Counter& late_frames_;
    Counter& duplicate_frames_;
    Counter& missing_frames_;
    std::vector<Pending> pending_;  // from head_ on, in sequence order; a vector: steady state allocates nothing
    std::size_t head_ = 0;
    std::vector<BeamFrame> frames_;         // by tick modulo its size
    std::vector<BeamResolution> recorded_;  // from recorded_head_ on, in sequence order
    std::size_t recorded_head_ = 0;
    std::uint64_t newest_frame_tick_ = 0;
    bool any_frame_ = false;
    std::int64_t newest_time_ps_ = 0;
    bool finished_ = false;
};

}  // namespace alleycat
