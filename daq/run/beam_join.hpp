#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "daq/core/beam.hpp"
#include "daq/core/config.hpp"
#include "daq/core/counter.hpp"
#include "daq/core/record.hpp"
#include "daq/run/fifo.hpp"
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
    // Which pulse a frame tells of: 0 its own, -1 the one before.
    std::int64_t charge_index = 0;
    std::int64_t veto_index = 0;
    std::int64_t flavor_index = 0;
    std::uint8_t on_flavors = 0b110;  ///< bit per flavor that goes to the target; 0: the frames tell no flavor
    std::uint16_t veto_mask = 0xFFF;  ///< veto bits that make a pulse unknown
    bool ticks_mean_beam = false;     ///< the tick comes only with beam ([tick] meaning)
    double max_delay_s = 10;          ///< data time after which a missing frame means unknown
    // The self-check of charge_index.
    double index_evidence = 12.5;                 ///< difference of log likelihoods that decides; 12.5: 5 sigma
    std::uint64_t index_ticks_without_beam = 10;  ///< seen before anything is decided
};

[[nodiscard]] BeamConfig parse_beam(ConfigSection& root);

/// Joins triggers with what is known about the beam, when it is known. Serial, keyed by tick and sequence: the answers
/// do not depend on when frames arrived, as long as they arrive within max_delay_s.
/// source: daq/run/README.md#beam
class BeamJoin {
  public:
    BeamJoin(const BeamConfig& config, std::optional<PowerLog> log, CounterRegistry& registry);

    /// A trigger that waits for its answer. `tick` is the reference board's trigger counter, `tick_flags` says whether
    /// the tick can be trusted (trigger_flag). A trigger between ticks (strobe) gets the answer of the tick before it.
    void add(std::uint64_t sequence, std::uint64_t tick, std::int64_t time_ps, std::int64_t utc_ns,
             std::uint32_t tick_flags = 0, TriggerClass trigger_class = TriggerClass::beam_tick);
    void add(const BeamFrame& frame);
    void add(const BeamResolution& recorded);
    /// No frame will come any more: what is still pending is resolved as far as it goes.
    void finish() { finished_ = true; }

    /// The next answer, in sequence order; false when none is ready.
    [[nodiscard]] bool next(BeamResolution& resolution);

    [[nodiscard]] const BeamConfig& config() const noexcept { return config_; }
    [[nodiscard]] std::size_t pending() const noexcept { return pending_.size(); }
    /// How far answers are behind triggers, in data time. [s]
    [[nodiscard]] double lag_s() const noexcept;

    struct Place {
        std::uint64_t tick = 0;
        const BeamFrame* frame = nullptr;  ///< nullptr: not there (yet)
    };
    /// The frame that tells of the pulse at `tick` when frames tell of the pulse `index` after their own. Pulses are
    /// counted, not numbers of the trigger counter: a strobe or a second tick of the same pulse has a number, and no
    /// frame. Only for Source::frames; the place holds until the next add().
    [[nodiscard]] Place frame_about(std::uint64_t tick, std::int64_t index) const noexcept;
    /// Every trigger before this one has its answer.
    [[nodiscard]] std::uint64_t answered_before() const noexcept { return answered_before_; }

  private:
    struct Pending {
        std::uint64_t sequence = 0;
        std::uint64_t tick = 0;
        std::int64_t time_ps = 0;
        std::int64_t utc_ns = 0;
        bool is_tick = true;
        bool trusted = true;
    };
    /// What is known of one number of the trigger counter.
    struct Slot {
        std::uint64_t tick = 0;
        BeamFrame frame;
        bool used = false;
        bool has_frame = false;
        bool is_no_pulse = false;  // a strobe, or a tick that cannot be trusted
        bool missed = false;       // an answer was given without its frame
    };
    [[nodiscard]] bool resolve(const Pending& trigger, BeamResolution& resolution);
    [[nodiscard]] bool resolve_by_frames(const Pending& trigger, bool overdue, BeamResolution& resolution);
    [[nodiscard]] bool resolve_as_recorded(const Pending& trigger, bool overdue, BeamResolution& resolution);
    [[nodiscard]] BeamState decide(const BeamFrame& own, const BeamFrame& charge, const BeamFrame& veto,
                                   const BeamFrame& flavor) noexcept;
    [[nodiscard]] BeamState state_of_power(float power_w) const noexcept;
    [[nodiscard]] const Slot* find(std::uint64_t tick) const noexcept;
    [[nodiscard]] Slot& claim(std::uint64_t tick) noexcept;

    BeamConfig config_;
    std::optional<PowerLog> log_;
    Counter& late_frames_;
    Counter& duplicate_frames_;
    Counter& missing_frames_;
    Counter& misplaced_frames_;
    Counter& vetoed_pulses_;
    Counter& contradictory_frames_;
    Fifo<Pending> pending_;                     // in sequence order
    std::vector<Slot> slots_;                   // by tick modulo its size
    Fifo<BeamResolution> recorded_;             // in sequence order
    std::optional<std::uint64_t> newest_tick_;  // of the triggers
    std::int64_t newest_time_ps_ = 0;
    std::uint64_t answered_before_ = 0;
    BeamResolution last_;  // of the last tick that was trusted
    bool finished_ = false;
};

}  // namespace alleycat
