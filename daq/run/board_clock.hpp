#pragma once
// The clocks of several boards on one time, that of the run. No clock of our own and no I/O: what is told here follows
// from the records alone.

#include <algorithm>
#include <cstdint>
#include <optional>

namespace alleycat {

/// One board's clock, carried over to the time of the run.
///
/// The run's time is the reference board's. Another board's clock has another zero and another speed (ppm): both are
/// measured whenever the two stand in one trigger, so that it can be told where the board's next record belongs, also
/// after minutes without one.
class BoardClock {
  public:
    enum class Known : std::uint8_t {
        no,      ///< nothing is known of its zero
        nearly,  ///< by the host's clock: to within half a tick
        exactly,
    };

    [[nodiscard]] Known known() const noexcept { return known_; }
    /// Where a time of this board stands in the run [ps].
    [[nodiscard]] std::int64_t run_time(std::int64_t board_ps) const noexcept;

    /// From now on `board_ps` is `run_ps`. Its speed is measured anew.
    void place(std::int64_t board_ps, std::int64_t run_ps, Known how) noexcept;
    /// It stood in one trigger with the reference: what was `board_ps` here was `run_ps` there.
    void follow(std::int64_t board_ps, std::int64_t run_ps) noexcept;
    /// What was nearly known is so exactly; its speed, if it was measured, is not measured anew.
    void settle(std::int64_t board_ps, std::int64_t run_ps) noexcept;
    /// It may have moved a little: the next trigger that it nearly fits says by how much.
    void doubt() noexcept { known_ = Known::nearly; }
    /// It may have begun anew.
    void forget() noexcept { known_ = Known::no; }

    /// How much faster than the run's it goes; nullopt: not measured for a second yet.
    [[nodiscard]] std::optional<double> drift_ppm() const noexcept;
    /// How far it has gone ahead of the run's since it was placed; nullopt as drift_ppm().
    [[nodiscard]] std::optional<double> offset_ns() const noexcept;

  private:
    void measure_speed() noexcept;

    Known known_ = Known::no;
    std::int64_t board_ps_ = 0, run_ps_ = 0;              // the newest pair that belongs together
    double gain_ = 0;                                     // of run time over board time, per board time
    std::int64_t since_board_ps_ = 0, since_run_ps_ = 0;  // the pair from which the speed is being measured
    std::int64_t placed_board_ps_ = 0, placed_run_ps_ = 0;
    std::uint32_t measured_ = 0;  // stretches that went into gain_
    bool has_gain_ = false;
};

/// The least time from a trigger to its record's arrival in the host, over the last 10 to 20 s of data. Networks and
/// buffers only ever add to it: two boards' least times tell how their clocks stand to each other, to within a few ms.
class HostLag {
  public:
    void add(std::int64_t run_ps, std::int64_t utc_ns) noexcept;
    /// Host time less run time [ns]; nullopt: nothing has come yet.
    [[nodiscard]] std::optional<std::int64_t> least_ns() const noexcept;

  private:
    std::int64_t began_ps_ = 0;
    std::int64_t as_ever_ps_ = 0;  // the newest that came no later than others do
    std::optional<std::int64_t> before_, now_;
};

}  // namespace alleycat
