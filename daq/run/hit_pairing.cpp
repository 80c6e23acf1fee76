#include "daq/run/hit_pairing.hpp"

#include <algorithm>
#include <cmath>

#include "daq/core/event.hpp"

namespace alleycat {
namespace {

/// Of a period: a hit in the middle between two ticks belongs to one of them, whatever the mains do to the period.
constexpr double kReach = 0.505;
/// 18 minutes at 60 Hz: hits may come so much later than their ticks.
constexpr std::size_t kTicksKnown = 1u << 16;
constexpr std::size_t kTicksWaiting = 4096;

std::uint64_t apart(std::int64_t a_ps, std::int64_t b_ps) noexcept {
    return a_ps < b_ps ? static_cast<std::uint64_t>(b_ps) - static_cast<std::uint64_t>(a_ps)
                       : static_cast<std::uint64_t>(a_ps) - static_cast<std::uint64_t>(b_ps);
}

}  // namespace

HitPairing::HitPairing(const TickConfig& config, CounterRegistry& registry)
    : tracker_{config, registry},
      half_period_ps_{std::llround(0.5e12 / config.rate_hz)},
      reach_ps_{std::llround(kReach * 1e12 / config.rate_hz)},
      seen_{registry.get("ticks.seen")},
      late_{registry.get("ticks.late")},
      without_tick_{registry.get("ticks.hits_without_tick")},
      known_(kTicksKnown),
      waiting_{kTicksWaiting} {}

void HitPairing::add(const TickRecord& tick, std::int64_t complete_ps) {
    const TickVerdict verdict = tracker_.add(tick.time_ps);
    JudgedTick judged{tick, verdict.missing};
    judged.record.flags |= verdict.flags;
    seen_.add();
    if (!first_ps_) first_ps_ = tick.time_ps;
    newest_ps_ = std::max(newest_ps_, tick.time_ps);
    const bool source_was_past_it = complete_ps != kNever && tick.time_ps <= complete_ps;
    const bool hits_gave_up = gave_up_ps_ != kNever && earlier(tick.time_ps, reach_ps_) <= gave_up_ps_;
    if (source_was_past_it || hits_gave_up) judged.record.flags |= trigger_flag::late_tick;
    if ((judged.record.flags & trigger_flag::late_tick) != 0) late_.add();
    if ((judged.record.flags & trigger_flag::distrusted_tick & ~trigger_flag::hits_refused) == 0) {
        remember(judged.record);
    }
    waiting_.push(judged);
}

void HitPairing::remember(const TickRecord& tick) noexcept {
    // After a clock was set back nothing fits what is known: such ticks are for the record only.
    if (known_end_ > known_begin_ && tick.time_ps <= known(known_end_ - 1).time_ps) return;
    known_[known_end_ % known_.size()] = {tick.time_ps, tick.tick, tick.flags};
    ++known_end_;
    if (known_end_ - known_begin_ > known_.size()) ++known_begin_;
}

void HitPairing::complete_until(std::int64_t time_ps) noexcept {
    complete_until_ps_ = std::max(complete_until_ps_, time_ps);
}

std::optional<TickOfHit> HitPairing::find(std::int64_t hit_ps, bool give_up) {
    std::uint64_t low = known_begin_, high = known_end_;  // first tick after the hit
    while (low < high) {
        const std::uint64_t middle = low + (high - low) / 2;
        if (known(middle).time_ps <= hit_ps) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    const bool later_known = low < known_end_;
    if (!later_known) {
        const bool none_will_come = complete_until_ps_ != kNever && complete_until_ps_ >= later(hit_ps, reach_ps_);
        if (!none_will_come && !give_up) return std::nullopt;
        if (!none_will_come) gave_up_ps_ = std::max(gave_up_ps_, hit_ps);
    }
    const Known* nearest = later_known ? &known(low) : nullptr;
    if (low > known_begin_) {
        const Known& before = known(low - 1);
        if (nearest == nullptr || apart(hit_ps, before.time_ps) <= apart(hit_ps, nearest->time_ps)) nearest = &before;
    }
    if (nearest == nullptr || apart(hit_ps, nearest->time_ps) > static_cast<std::uint64_t>(reach_ps_)) {
        without_tick_.add();
        return TickOfHit{.tick = 0, .since_tick_ps = 0, .flags = trigger_flag::no_tick};
    }
    // Whether hits near it were refused is not known yet, and is the tick's own matter.
    const std::uint32_t flags = nearest->flags & trigger_flag::of_ticks & ~trigger_flag::hits_refused;
    return TickOfHit{nearest->tick, hit_ps - nearest->time_ps, flags};
}

void HitPairing::refused(std::int64_t first_ps, std::int64_t last_ps) {
    last_ps = std::max(first_ps, last_ps);
    if (!refused_.empty() && first_ps >= refused_.back().first_ps &&
        earlier(first_ps, reach_ps_) <= later(refused_.back().last_ps, reach_ps_)) {
        refused_.back().last_ps = std::max(refused_.back().last_ps, last_ps);  // no tick lies between
    } else {
        refused_.push_back({first_ps, last_ps});
    }
}

bool HitPairing::near_refused(std::int64_t time_ps) const noexcept {
    return std::any_of(refused_.begin(), refused_.end(), [&](const Interval& interval) {
        return earlier(interval.first_ps, reach_ps_) <= time_ps && time_ps <= later(interval.last_ps, reach_ps_);
    });
}

bool HitPairing::next_tick(std::int64_t passed_ps, JudgedTick& tick) {
    if (waiting_.empty() || later(waiting_.front().record.time_ps, reach_ps_) > passed_ps) return false;
    tick = waiting_.front();
    waiting_.pop();
    const std::int64_t time_ps = tick.record.time_ps;
    if (near_refused(time_ps)) tick.record.flags |= trigger_flag::hits_refused;
    std::erase_if(refused_, [&](const Interval& i) { return later(i.last_ps, reach_ps_) < time_ps; });
    return true;
}

}  // namespace alleycat
