#include "daq/run/hit_beam.hpp"

#include <algorithm>

#include "daq/core/event.hpp"

namespace alleycat {
namespace {

constexpr std::size_t kAnswersKept = 1u << 16;  // 18 minutes at 60 Hz
constexpr std::size_t kHitsWaiting = 1u << 16;

}  // namespace

HitBeam::HitBeam(BeamJoin& join, bool recorded, double tick_rate_hz)
    : join_{join},
      recorded_{recorded},
      period_ps_{1e12 / tick_rate_hz},
      ticks_{kAnswersKept},
      hits_{kHitsWaiting},
      answers_(kAnswersKept) {}

void HitBeam::add(const TickRecord& tick) {
    // The same number again is the same pulse: the join has it already.
    const bool ask = !recorded_ && newest_tick_ != tick.tick;
    newest_tick_ = tick.tick;
    // A tick that is late, or near refused hits, is a pulse as any other; what becomes of it is decided here.
    const std::uint32_t as_pulse = tick.flags & ~(trigger_flag::late_tick | trigger_flag::hits_refused);
    if (ask) join_.add(asked_++, tick.tick, tick.time_ps, tick.utc_ns, as_pulse, TriggerClass::beam_tick);
    ticks_.push({tick, ask});
}

void HitBeam::add(const Trigger& hit) {
    const bool has_tick = (hit.tick_flags & trigger_flag::no_tick) == 0;
    hits_.push({hit.sequence, hit.tick, hit.time_ps - hit.since_tick_ps, hit.time_ps, has_tick});
    newest_hit_ps_ = std::max(newest_hit_ps_, hit.time_ps);
}

bool HitBeam::next(TickRecord& tick) {
    if (ticks_.empty()) return false;
    BeamResolution answer;
    if (ticks_.front().of_join && !join_.next(answer)) return false;
    tick = ticks_.front().tick;
    if (!recorded_) {  // what nobody asked for stays unknown
        tick.state = answer.state;
        tick.power_w = answer.power_w;
    }
    if (static_cast<double>(tick.time_ps) + period_ps_ > static_cast<double>(lost_from_ps_)) {
        tick.flags |= trigger_flag::hits_refused;
    }
    if ((tick.flags & trigger_flag::distrusted_tick) != 0) tick.state = BeamState::unknown;
    ticks_.pop();
    keep(tick);
    return true;
}

void HitBeam::keep(const TickRecord& tick) noexcept {
    answered_ps_ = std::max(answered_ps_, tick.time_ps);
    // Hits belong to no tick that is distrusted for its time; where hits near it were refused, the others are unknown.
    if ((tick.flags & trigger_flag::distrusted_tick & ~trigger_flag::hits_refused) != 0) return;
    answers_[tick.tick % answers_.size()] = {tick.tick, tick.state, tick.power_w};
}

bool HitBeam::next(BeamResolution& resolution) {
    if (hits_.empty()) return false;
    const Hit& hit = hits_.front();
    resolution = {hit.sequence, -1, BeamState::unknown};
    if (hit.has_tick) {
        const Answer& answer = answers_[hit.tick % answers_.size()];
        const bool there = answer.tick == hit.tick;
        if (!there && answered_ps_ < hit.tick_ps && !finished_) return false;
        if (there) {
            resolution.state = answer.state;
            resolution.power_w = answer.power_w;
        }
    }
    hits_.pop();
    return true;
}

double HitBeam::lag_s() const noexcept {
    return hits_.empty() ? 0 : static_cast<double>(newest_hit_ps_ - hits_.front().time_ps) * 1e-12;
}

}  // namespace alleycat
