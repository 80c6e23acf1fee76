#include "daq/run/tick_book.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

namespace alleycat {
namespace {

/// A number and a time that are no further apart can be of one tick [periods]; between two ticks of either.
constexpr double kFitsItsTime = 0.75;

}  // namespace

TickBook::TickBook(const BuilderConfig& config, CounterRegistry& registry)
    : config_{config},
      backwards_{registry.get("builder.time_backwards")},
      not_found_{registry.get("ticks.not_found")},
      tracker_{tick_config(config), registry} {
    ledger_.has_ticks = config.tick_rate_hz > 0 && config.counter_is_hardware && config.triggers_are_ticks;
}

void TickBook::look_for_ticks(TickEdgeFinder finder) {
    edges_ = std::move(finder);
    ledger_.has_ticks = false;
}

/// A tick comes every period: how many there were follows from the time.
bool TickBook::time_counts_ticks() const noexcept { return config_.tick_rate_hz > 0 && config_.gaps_are_missing; }

/// Since the newest good tick, or the newest trigger while there is none; 1 where the time tells nothing of it.
double TickBook::periods_since_good(std::int64_t time_ps) const noexcept {
    if (!time_counts_ticks()) return 1;
    const std::int64_t since_ps = between(good_ ? tracker_.last_good_ps() : newest_ps_, time_ps);
    return static_cast<double>(since_ps) / (good_ ? tracker_.period_ps() : 1e12 / config_.tick_rate_hz);
}

std::uint64_t TickBook::number_by_time(std::int64_t time_ps) const noexcept {
    const auto ticks = static_cast<std::uint64_t>(std::max<long long>(1, std::llround(periods_since_good(time_ps))));
    const std::uint64_t number = good_ ? *good_ + ticks + (others_ - others_at_good_) : newest_ + ticks;
    return std::max(number, newest_ + 1);
}

bool TickBook::judges_numbers() const noexcept {
    return time_counts_ticks() && config_.triggers_are_ticks && !edges_ && others_ == 0;
}

bool TickBook::fits(std::uint64_t number, std::int64_t time_ps) const noexcept {
    if (number == number_by_time(time_ps)) return true;
    const double period_ps = tracker_.period_ps();
    double tolerance = kFitsItsTime + static_cast<double>(config_.time_resolution_ps) / period_ps;
    if (!tracker_.is_in_phase(time_ps)) tolerance += TickTracker::kFarthestSet * 1e-12 * config_.tick_rate_hz;
    const auto agree = [&](std::uint64_t since_number, double periods) {
        const auto counted = static_cast<double>(static_cast<std::int64_t>(number - since_number));
        return counted > 0 && std::abs(counted - periods) <= tolerance + std::abs(periods) / 1000;
    };
    // Behind a second tick of the same pulse, which has a number and no time of its own, the two differ.
    return agree(good_.value_or(newest_), periods_since_good(time_ps)) ||
           agree(newest_, static_cast<double>(between(newest_ps_, time_ps)) / period_ps);
}

std::optional<std::int64_t> TickBook::nearest_tick(std::int64_t time_ps) const noexcept {
    if (!(config_.tick_rate_hz > 0) || !good_ || edges_) return std::nullopt;
    const std::int64_t good_ps = tracker_.last_good_ps();
    const double periods =
        std::max(1.0, std::round(static_cast<double>(between(good_ps, time_ps)) / tracker_.period_ps()));
    return moved(good_ps, std::llround(periods * tracker_.period_ps()));
}

void TickBook::judge(Trigger& trigger, const RecordHeader& reference, bool measured) {
    if (trigger.trigger_class != TriggerClass::beam_tick || !config_.triggers_are_ticks) return;
    std::optional<std::uint64_t> number;
    if (ledger_.has_ticks && measured && newest_ >= others_) number = newest_ - others_;
    const bool is_judged = trigger.refusal == RefusalReason::none ||
                           (trigger.refusal == RefusalReason::not_kept && measured && reference.refused == 1);
    if (!is_judged) {
        const std::uint64_t missing = tracker_.add_refused(trigger.time_ps, number);
        if (measured) missing_since_ = missing;
        return;
    }
    if (edges_ && trigger.refusal == RefusalReason::not_kept) {  // its edge was in the samples
        tracker_.add_without_time();
        return;
    }
    if (edges_) {
        const TickEdgeFinder::Found found = edges_->find(trigger);
        trigger.tick_flags |= found.flags;
        trigger.since_tick_ps = found.since_tick_ps;
    }
    if ((trigger.tick_flags & trigger_flag::no_tick) != 0) {
        not_found_.add();
        return;
    }
    if ((reference.flags & record_flag::bad_time) != 0) {
        tracker_.add_without_time();
        return;
    }
    const TickVerdict verdict = tracker_.add(trigger.time_ps - trigger.since_tick_ps, number);
    trigger.tick_flags |= verdict.flags;
    missing_ += verdict.missing;
    if ((verdict.flags & trigger_flag::distrusted_tick) != 0) return;
    missing_since_ = 0;
    good_ = newest_;
    others_at_good_ = others_;
}

void TickBook::enter(Trigger& trigger, const RecordHeader& reference, bool measured) {
    newest_ = trigger.tick;
    judge(trigger, reference, measured);
    account(trigger, measured);
}

void TickBook::account(const Trigger& trigger, bool measured) {
    if (ledger_.triggers++ > 0 && trigger.time_ps < newest_ps_) backwards_.add();
    newest_ps_ = std::max(newest_ps_, trigger.time_ps);
    if (!ledger_.has_ticks) return;
    if (trigger.trigger_class != TriggerClass::beam_tick) {
        if (first_) ++others_;
    } else {
        account_tick(measured);
    }
}

/// Expected and missed tell of the same stretch at every look: up to the newest tick whose number and time are
/// measured, and those since.
void TickBook::account_tick(bool measured) {
    ++ledger_.ticks_seen;
    if (!first_) {
        first_ = newest_;
        ledger_.ticks_expected = 1;
    } else if (!measured) {
        ++ledger_.ticks_expected;
    } else {
        ledger_.ticks_missed = missing_ + missing_since_;
        // A counter that ran backwards adds nothing: then the books do not balance, as they should not.
        const std::uint64_t span = newest_ - *first_ + 1;
        const bool forward = newest_ >= *first_ && span > others_;
        if (forward) ledger_.ticks_expected = std::max(ledger_.ticks_expected, span - others_);
    }
}

}  // namespace alleycat
