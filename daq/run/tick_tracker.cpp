#include "daq/run/tick_tracker.hpp"

#include <algorithm>
#include <cmath>

#include "daq/core/data_time.hpp"
#include "daq/core/event.hpp"

namespace alleycat {
namespace {

/// Second ticks of one pulse come within this part of a period (reflections, double deliveries).
constexpr double kDuplicateWithin = 0.1;
/// The mains move the period by less than this from its nominal value ...
constexpr double kNominalUncertainty = 1e-3;
/// ... and, once it is measured, by less than this within a gap whose end can still be judged.
constexpr double kMeasuredUncertainty = 1e-4;
constexpr std::uint32_t kMeasuredAfter = 16;  // periods; also the depth of the running mean
/// A measured period never leaves nominal by more.
constexpr double kLargestDeviation = 0.01;
/// Where tolerance reaches this part of a period, nobody can tell a phase any more.
constexpr double kJudgeableTolerance = 0.25;
/// So many ticks that fit each other and not the old phase are the new phase.
constexpr std::uint32_t kNewPhaseAfter = 5;

}  // namespace

TickTracker::TickTracker(const TickConfig& config, CounterRegistry& registry)
    : config_{config},
      nominal_ps_{config.rate_hz > 0 ? 1e12 / config.rate_hz : 0},
      missing_{registry.get("ticks.missing")},
      duplicate_{registry.get("ticks.duplicate")},
      backwards_{registry.get("ticks.backwards")},
      out_of_phase_{registry.get("ticks.out_of_phase")},
      phase_jumps_{registry.get("ticks.phase_jumps")},
      period_ps_{nominal_ps_} {}

TickVerdict TickTracker::add(std::int64_t time_ps, std::optional<std::uint64_t> number) noexcept {
    if (config_.rate_hz <= 0) return {};
    if (!started_) {
        started_ = true;
        accept(time_ps, number, 0);
        return {};
    }
    const std::int64_t dt_ps = between(good_ps_, time_ps);
    // Behind a tick that was not trusted it is no second one of the good tick: its own stamp is wrong.
    if (distrusted_ == 0 && is_duplicate(dt_ps)) {
        duplicate_.add();
        ++duplicates_;
        return {.flags = trigger_flag::duplicate_tick};
    }
    if (dt_ps < 0) return distrust(time_ps, number, trigger_flag::tick_backwards);
    const Distance since_good = distance(dt_ps, counted_since_good(number));
    if (!since_good.in_phase) return distrust(time_ps, number, trigger_flag::tick_out_of_phase);
    follow_period(dt_ps, since_good.periods);
    const std::uint64_t missing = accept(time_ps, number, missing_between(since_good.periods, untimed_ + distrusted_));
    return {.flags = missing > 0 ? trigger_flag::after_missing_tick : 0, .missing = missing};
}

std::uint64_t TickTracker::add_refused(std::int64_t time_ps, std::optional<std::uint64_t> number) noexcept {
    if (config_.rate_hz <= 0) return 0;
    if (!started_) {
        started_ = true;
        return accept(time_ps, number, 0);
    }
    ++untimed_;
    const Distance since_good = distance(between(good_ps_, time_ps), counted_since_good(number));
    return missing_between(since_good.periods, untimed_ - 1 + distrusted_);
}

bool TickTracker::is_in_phase(std::int64_t time_ps) const noexcept {
    return !started_ || distance(between(good_ps_, time_ps)).in_phase;
}

/// Ticks from the last good one to that number, as the board counted them. nullopt: the counter does not tell.
std::optional<double> TickTracker::counted_since_good(std::optional<std::uint64_t> number) const noexcept {
    if (!number || !good_number_ || *number < *good_number_) return std::nullopt;
    return static_cast<double>(*number - *good_number_) - static_cast<double>(duplicates_);
}

/// The same pulse again. Stamps coarser than that cannot tell.
bool TickTracker::is_duplicate(std::int64_t dt_ps) const noexcept {
    return dt_ps >= 0 && static_cast<double>(dt_ps) + resolution_ps() < kDuplicateWithin * period_ps_;
}

TickTracker::Distance TickTracker::distance(std::int64_t dt_ps, std::optional<double> counted) const noexcept {
    const double dt = static_cast<double>(dt_ps);
    Distance result;
    // What a coarse stamp may hide is not called missing.
    result.periods = std::max(1.0, std::round((dt - resolution_ps()) / period_ps_));
    const double drift = (measured_ < kMeasuredAfter ? kNominalUncertainty : kMeasuredUncertainty) * period_ps_;
    const double wander = static_cast<double>(config_.phase_tolerance_ps) + result.periods * drift;
    const double tolerance = wander + resolution_ps();
    result.in_phase =
        tolerance >= kJudgeableTolerance * period_ps_ || std::abs(dt - result.periods * period_ps_) <= tolerance;
    // So far on the whole number nearest to the time is a guess: the counter knows better, if the time allows it.
    if (counted && *counted >= 1 && wander >= kJudgeableTolerance * period_ps_ &&
        std::abs(dt - *counted * period_ps_) <= tolerance + 0.5 * period_ps_) {
        result.periods = *counted;
    }
    return result;
}

/// Ticks that should stand between two that are so many periods apart, less those that came otherwise.
std::uint64_t TickTracker::missing_between(double periods, std::uint64_t others) const noexcept {
    if (!config_.gaps_are_missing) return 0;
    const auto between = static_cast<std::uint64_t>(periods) - 1;
    return between > others ? between - others : 0;
}

std::uint64_t TickTracker::accept(std::int64_t time_ps, std::optional<std::uint64_t> number,
                                  std::uint64_t missing) noexcept {
    good_ps_ = time_ps;
    good_number_ = number;
    duplicates_ = 0;
    untimed_ = 0;
    distrusted_ = 0;
    candidates_ = 0;
    candidate_missing_ = 0;
    missing_.add(missing);
    return missing;
}

void TickTracker::follow_period(std::int64_t dt_ps, double periods) noexcept {
    if (resolution_ps() > kJudgeableTolerance * nominal_ps_) return;
    const double measured = static_cast<double>(dt_ps) / periods;
    measured_ = std::min(measured_ + 1, kMeasuredAfter);
    period_ps_ += (measured - period_ps_) / measured_;
    period_ps_ = std::clamp(period_ps_, nominal_ps_ * (1 - kLargestDeviation), nominal_ps_ * (1 + kLargestDeviation));
}

/// A tick that does not fit the phase. It may be the first of a new one, or the one that proves it.
TickVerdict TickTracker::distrust(std::int64_t time_ps, std::optional<std::uint64_t> number,
                                  std::uint32_t flag) noexcept {
    const std::int64_t since_candidate_ps = between(candidate_ps_, time_ps);
    const Distance step = distance(since_candidate_ps);
    if (candidates_ > 0 && since_candidate_ps > 0 && !is_duplicate(since_candidate_ps) && step.in_phase) {
        ++candidates_;
        candidate_missing_ += missing_between(step.periods, 0);
    } else {
        candidates_ = 1;
        const double gap = std::round(static_cast<double>(between(good_ps_, time_ps)) / period_ps_);
        candidate_missing_ = gap > 1 ? missing_between(gap, untimed_ + distrusted_) : 0;
    }
    candidate_ps_ = time_ps;
    if (candidates_ == kNewPhaseAfter) {
        phase_jumps_.add();
        // A clock that was set tells no more how many came meanwhile: the counter does, if it can be so.
        const std::optional<double> counted = counted_since_good(number);
        const double by_time = static_cast<double>(between(good_ps_, time_ps)) / period_ps_;
        const bool tells = counted && *counted >= 1 && std::abs(*counted - by_time) * period_ps_ <= kFarthestSet;
        const std::uint64_t missing =
            accept(time_ps, number, tells ? missing_between(*counted, untimed_ + distrusted_) : candidate_missing_);
        return {.flags = missing > 0 ? trigger_flag::after_missing_tick : 0, .missing = missing};
    }
    ++distrusted_;
    (flag == trigger_flag::tick_backwards ? backwards_ : out_of_phase_).add();
    return {.flags = flag};
}

}  // namespace alleycat
