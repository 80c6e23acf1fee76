#include "daq/run/board_clock.hpp"

#include <cmath>

#include "daq/core/data_time.hpp"

namespace alleycat {
namespace {

constexpr std::int64_t kSecond = 1'000'000'000'000;  // [ps]
/// Two stamps of 10 ns tell a speed to 1e-9 over so long; over a second to 1e-8.
constexpr std::int64_t kStretch = 10 * kSecond;
/// Depth of the running mean of stretches: temperature moves an oscillator within minutes.
constexpr std::uint32_t kStretches = 4;
/// No oscillator is off by more: such a pair did not belong together.
constexpr double kLargestGain = 1e-3;
/// Records that are all later than the least time by more, for so long, are not held up: the host's clock was set.
constexpr std::int64_t kLagStep = 100'000'000;  // [ns]
constexpr std::int64_t kLagStepLasts = 3 * kSecond;

}  // namespace

std::int64_t BoardClock::run_time(std::int64_t board_ps) const noexcept {
    const std::int64_t since_ps = between(board_ps_, board_ps);
    return moved(moved(run_ps_, since_ps), std::llround(static_cast<double>(since_ps) * gain_));
}

void BoardClock::place(std::int64_t board_ps, std::int64_t run_ps, Known how) noexcept {
    settle(board_ps, run_ps);
    known_ = how;
    gain_ = 0;
    measured_ = 0;
    has_gain_ = false;
}

void BoardClock::follow(std::int64_t board_ps, std::int64_t run_ps) noexcept {
    board_ps_ = board_ps;
    run_ps_ = run_ps;
    measure_speed();
}

void BoardClock::settle(std::int64_t board_ps, std::int64_t run_ps) noexcept {
    known_ = Known::exactly;
    board_ps_ = since_board_ps_ = placed_board_ps_ = board_ps;
    run_ps_ = since_run_ps_ = placed_run_ps_ = run_ps;
}

/// The first stretch counts as it grows, so that a speed is known after a second.
void BoardClock::measure_speed() noexcept {
    const std::int64_t stretch_ps = between(since_board_ps_, board_ps_);
    if (stretch_ps < (measured_ == 0 ? kSecond : kStretch)) return;
    const double gain =
        static_cast<double>(between(since_run_ps_, run_ps_) - stretch_ps) / static_cast<double>(stretch_ps);
    if (std::abs(gain) > kLargestGain) return;
    has_gain_ = true;
    gain_ += measured_ == 0 ? gain - gain_ : (gain - gain_) / static_cast<double>(measured_ + 1);
    if (stretch_ps < kStretch) return;
    measured_ = std::min(measured_ + 1, kStretches - 1);
    since_board_ps_ = board_ps_;
    since_run_ps_ = run_ps_;
}

std::optional<double> BoardClock::drift_ppm() const noexcept {
    if (!has_gain_) return std::nullopt;
    return -gain_ * 1e6;
}

std::optional<double> BoardClock::offset_ns() const noexcept {
    if (!has_gain_) return std::nullopt;
    return static_cast<double>(between(placed_board_ps_, board_ps_) - between(placed_run_ps_, run_ps_)) * 1e-3;
}

void HostLag::add(std::int64_t run_ps, std::int64_t utc_ns) noexcept {
    const std::int64_t lag = between(run_ps / 1000, utc_ns);
    const std::int64_t since_ps = between(began_ps_, run_ps);
    if (!now_ || lag <= later(*least_ns(), kLagStep)) {
        as_ever_ps_ = run_ps;
    } else if (between(as_ever_ps_, run_ps) > kLagStepLasts) {
        now_.reset();
        before_.reset();
    }
    if (!now_ || since_ps >= kStretch) {
        before_ = since_ps < 2 * kStretch ? now_ : std::nullopt;
        now_ = lag;
        began_ps_ = run_ps;
    }
    now_ = std::min(*now_, lag);
}

std::optional<std::int64_t> HostLag::least_ns() const noexcept {
    if (!before_ || !now_) return now_;
    return std::min(*before_, *now_);
}

}  // namespace alleycat
