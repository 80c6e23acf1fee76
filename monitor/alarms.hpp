#pragma once
// What an operator must be told: looked at once a second, in the daemon. The excess itself never alarms.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "daq/core/status.hpp"
#include "daq/core/time.hpp"
#include "monitor/accumulator.hpp"
#include "monitor/disk_watch.hpp"
#include "monitor/monitor_config.hpp"

namespace alleycat {

/// One look at the run.
struct AlarmInput {
    const Status& status;          ///< its ledger taken between two triggers, or it will not close
    const Conditions& conditions;  ///< of the same daemon's Accumulator
    double tick_rate_hz = 60;      ///< nominal; 0: a source without ticks, no judgement of rates
    bool real_time = true;         ///< false: a file or a simulator as fast as it goes, host times mean nothing
    UtcTime now;
    bool ticks_apart =
        false;  ///< triggers are hits: the rate that has a nominal value is that of the counter ticks.seen
};

/// Judges status and conditions against limits, with hysteresis: an alarm comes at once and goes when its value is 10 %
/// (of the limit) back inside, or its condition absent, for clear_after_s. Names are stable:
///
///   run_error        the state machine is in error
///   trigger_rate     rate of ticks off its nominal value, or silence
///   stale_data       triggers come, but the newest event is old
///   refused_triggers triggers were refused for want of space
///   ledger           counts do not balance
///   writer_away      no writer connected; writer: the writer reports a problem
///   disk_low         hours until writing stops for want of space
///   disk_full        it has stopped
///   disk_slow        data wait for a writer that takes them
///   baseline, baseline_sigma, spe_charge
///   detector_silent  one of several detectors gives nothing, the others do
///   spe_fit          no good fit of the SPE charge for several blocks of the data
///   beam_unknown     no beam state, or one far behind
///   beam_index       a beam-rich channel contradicts the charge index: ON and OFF are wrong by a pulse
///   retransmit_buffer
///   board_missing    triggers go on without a board
///   board_temperature, board_clock_drift
///
/// No clock inside: the same inputs give the same alarms. Used by one thread.
class AlarmWatch {
  public:
    explicit AlarmWatch(AlarmConfig config = {});

    /// The alarms that were raised, cleared, or changed their level at this look. Clear ones have active = false.
    [[nodiscard]] std::vector<Alarm> update(const AlarmInput& input);
    [[nodiscard]] std::vector<Alarm> active() const;

  private:
    using Level = std::optional<AlarmLevel>;  ///< nullopt: all is well

    /// One alarm between looks.
    struct Watched {
        std::string name;
        Level level;
        std::string text;
        std::int64_t raised_utc_ns = 0;
        std::int64_t bad_until_ns = 0;  ///< last look at which its level held
    };
    struct Look;

    void judge(Look& look, std::string_view name, Level wanted, std::string text);
    [[nodiscard]] Level level_of(std::string_view name) const;
    /// Level of a value that should stay below its limits; a level that holds goes only 10 % below its limit.
    [[nodiscard]] Level above(std::string_view name, double value, double warning, double alarm) const;
    /// How long a condition has held without a break [s]; `since` remembers.
    [[nodiscard]] static double held_s(bool condition, std::int64_t now_ns, std::optional<std::int64_t>& since);

    void watch_run(Look& look);
    void watch_rate(Look& look);
    void watch_ledger(Look& look);
    void watch_writer(Look& look);
    void watch_disk(Look& look);
    void watch_signal(Look& look);
    void watch_detectors(Look& look);
    void watch_calibration(Look& look);
    void watch_beam(Look& look);
    void watch_buffer(Look& look);
    void watch_boards(Look& look);
    void watch_clocks(Look& look);

    AlarmConfig config_;
    std::vector<Watched> watched_;
    std::uint64_t run_ = 0;
    std::optional<std::int64_t> ledger_open_since_, writer_away_since_, beam_unknown_since_, disk_slow_since_;
    std::uint64_t refused_before_ = 0;
    std::optional<std::int64_t> refused_last_ns_;
    std::string refused_why_;
    std::uint64_t good_fits_ = 0,
                  kept_before_ = 0;  ///< of the SPE charge; those without a good fit before the last one
    struct RateSample {
        std::int64_t utc_ns = 0;
        std::uint64_t ticks = 0;
    };
    std::vector<RateSample> rate_samples_;  ///< of the last few looks, oldest first
    DiskWatch disk_;
};

}  // namespace alleycat
