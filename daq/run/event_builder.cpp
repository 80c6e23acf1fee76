#include "daq/run/event_builder.hpp"

#include <algorithm>
#include <bit>
#include <cmath>

#include "daq/run/ring_record.hpp"

namespace alleycat {

TickConfig tick_config(const BuilderConfig& config) {
    return {.rate_hz = config.tick_rate_hz,
            .phase_tolerance_ps = config.phase_tolerance_ps,
            .time_resolution_ps = config.time_resolution_ps,
            .gaps_are_missing = config.gaps_are_missing};
}

EventBuilder::EventBuilder(std::span<const std::unique_ptr<BoardInput>> inputs, const BuilderConfig& config,
                           CounterRegistry& registry)
    : inputs_{inputs},
      config_{config},
      incomplete_{registry.get("builder.incomplete_triggers")},
      backwards_{registry.get("builder.time_backwards")},
      ticks_not_found_{registry.get("ticks.not_found")},
      ticks_{tick_config(config), registry},
      heads_(inputs.size()),
      origin_ps_(inputs.size(), kNever),
      counter_offset_(inputs.size()) {
    ledger_.has_ticks = config.tick_rate_hz > 0 && config.counter_is_hardware && config.triggers_are_ticks;
}

/// Of the trigger that the head stands for now.
TriggerClass EventBuilder::class_of(const Head& head) noexcept {
    const RecordHeader& header = head.view.header();
    if (!head.view.is_stub() || head.stub_index == 0) return header.trigger_class;
    if (stub_tick(header, head.stub_index)) return TriggerClass::beam_tick;
    return header.trigger_class == TriggerClass::beam_tick ? TriggerClass::random : header.trigger_class;
}

bool EventBuilder::refresh(std::size_t board) {
    Head& head = heads_[board];
    if (!head.there) {
        const std::span<const std::byte> slot = inputs_[board]->records.peek();
        if (slot.data() == nullptr) return false;
        head.view = view_of(slot);
        head.there = true;
        head.stub_index = 0;
    }
    const RecordHeader& header = head.view.header();
    const std::int64_t board_time = head.view.is_stub() ? stub_time(header, head.stub_index) : header.time_ps;
    const bool interpolated = head.view.is_stub() && head.stub_index > 0 && head.stub_index + 1 < header.refused;
    head.tolerance_ps = interpolated && config_.tick_rate_hz > 0 ? std::llround(0.5e12 / config_.tick_rate_hz) : 0;
    if (header.sequence != kNoSequence) {
        head.time_ps = board_time;  // already the run's time
    } else {
        if (origin_ps_[board] == kNever) origin_ps_[board] = board_time;
        head.time_ps = board_time - origin_ps_[board];
    }
    return true;
}

bool EventBuilder::all_heads_known(std::int64_t earliest_ps) const noexcept {
    std::int64_t newest_ps = earliest_ps;
    for (std::size_t b = 0; b < inputs_.size(); ++b) {
        if (origin_ps_[b] != kNever && heads_[b].newest_ps != kNever) {
            newest_ps = std::max(newest_ps, heads_[b].newest_ps - origin_ps_[b]);
        }
    }
    const bool others_are_far_on =
        config_.mode == WhenFull::refuse && newest_ps - earliest_ps > config_.missing_after_ps;
    return others_are_far_on ||
           std::all_of(heads_.begin(), heads_.end(), [](const Head& head) { return head.there || head.ended; });
}

/// Whether the head belongs to the trigger that `earliest` begins (recorded membership: to this `sequence`).
bool EventBuilder::is_next(const Head& head, const Head& earliest, std::uint64_t sequence) const noexcept {
    if (!head.there) return false;
    if (sequence != kNoSequence) return head.view.header().sequence + head.stub_index == sequence;
    const std::int64_t tolerance_ps = std::max({config_.skew_ps, head.tolerance_ps, earliest.tolerance_ps});
    return head.time_ps - earliest.time_ps <= tolerance_ps;
}

EventBuilder::Built EventBuilder::next(Trigger& trigger, std::uint64_t& consumed) {
    bool all_ended = true;
    bool any = false;
    for (std::size_t b = 0; b < inputs_.size(); ++b) {
        // Before the ring: whatever was committed before the end, or before that data time, is then seen by refresh().
        heads_[b].ended = inputs_[b]->ended.load(std::memory_order_acquire);
        heads_[b].newest_ps = inputs_[b]->newest_time_ps.load(std::memory_order_acquire);
    }
    for (std::size_t b = 0; b < inputs_.size(); ++b) {
        const bool there = refresh(b);
        any = any || there;
        all_ended = all_ended && heads_[b].ended && !there;
    }
    if (!any) return all_ended ? Built::end : Built::nothing;

    std::uint64_t sequence = kNoSequence;
    const Head* earliest = nullptr;
    for (const Head& head : heads_) {
        if (!head.there) continue;
        const std::uint64_t recorded = head.view.header().sequence;
        sequence = std::min(sequence, recorded == kNoSequence ? kNoSequence : recorded + head.stub_index);
        if (earliest == nullptr || head.time_ps < earliest->time_ps) earliest = &head;
    }
    if (!all_heads_known(earliest->time_ps)) return Built::nothing;

    std::uint64_t members = 0;
    for (std::size_t b = 0; b < heads_.size(); ++b) {
        if (is_next(heads_[b], *earliest, sequence)) members |= std::uint64_t{1} << b;
    }
    const Head& reference = heads_[static_cast<std::size_t>(std::countr_zero(members))];
    const RecordHeader& header = reference.view.header();
    if (!started_) {
        started_ = true;
        first_time_ps_ = sequence == kNoSequence ? reference.time_ps : 0;
    }
    trigger = Trigger{};
    trigger.sequence = sequence == kNoSequence ? next_sequence_ : sequence;
    trigger.time_ps = reference.time_ps - first_time_ps_;
    trigger.trigger_class = class_of(reference);
    trigger.utc_ns = header.utc_ns;
    if (reference.stub_index > 0) trigger.utc_ns += (stub_time(header, reference.stub_index) - header.time_ps) / 1000;
    // Else its number and time are only put between those of others: it was there, and more is not known of it.
    const bool own_numbers = sequence == kNoSequence || header.refusal == RefusalReason::not_kept;
    const bool measured = !reference.view.is_stub() || (reference.stub_index == 0 && own_numbers);
    count_tick(members, trigger.time_ps);
    trigger.tick = tick_;

    consumed = 0;
    for (std::size_t b = 0; b < heads_.size(); ++b) {
        if ((members >> b & 1) != 0) {
            take(b, trigger, consumed);
        } else {
            trigger.missing_boards |= std::uint64_t{1} << b;
        }
    }
    if (trigger.refusal != RefusalReason::none) trigger.record_count = 0;
    const bool recorded_stub = reference.view.is_stub() && sequence != kNoSequence;  // stands for all boards
    if (trigger.missing_boards != 0 && !recorded_stub) incomplete_.add();
    next_sequence_ = trigger.sequence + 1;
    judge_tick(trigger, header, measured);
    account(trigger, measured);
    return Built::trigger;
}

void EventBuilder::count_tick(std::uint64_t members, std::int64_t time_ps) {
    const auto counter = [&](std::size_t b) { return heads_[b].view.header().counter + heads_[b].stub_index; };
    std::optional<std::uint64_t> tick;
    for (std::size_t b = 0; b < heads_.size() && !tick; ++b) {
        if ((members >> b & 1) != 0 && counter_offset_[b]) tick = counter(b) - *counter_offset_[b];
    }
    if (!tick && ledger_.triggers == 0) {
        tick = counter(static_cast<std::size_t>(std::countr_zero(members)));
    } else if (!tick) {  // none of these boards was ever seen together with the others: time tells
        const double ticks = static_cast<double>(time_ps - last_time_ps_) * 1e-12 * config_.tick_rate_hz;
        tick = tick_ + static_cast<std::uint64_t>(std::max<long long>(1, std::llround(ticks)));
    }
    tick_ = *tick;
    for (std::size_t b = 0; b < heads_.size(); ++b) {
        if ((members >> b & 1) != 0) counter_offset_[b] = counter(b) - tick_;
    }
}

void EventBuilder::take(std::size_t board, Trigger& trigger, std::uint64_t& consumed) {
    Head& head = heads_[board];
    const RecordHeader& header = head.view.header();
    ++head.taken.triggers;
    if (head.view.is_stub()) {
        ++head.taken.refused;
        trigger.refusal = header.refusal;                // one stub refuses the whole trigger
        if (++head.stub_index < header.refused) return;  // the stub stands for more triggers
    } else {
        trigger.add(head.view);
    }
    (void)inputs_[board]->records.next();
    consumed |= std::uint64_t{1} << board;
    head.there = false;
}

TriggerBuilder::Backlog EventBuilder::backlog() const noexcept {
    Backlog most;
    for (std::size_t b = 0; b < inputs_.size(); ++b) {
        const Backlog of_board = backlog_of(*inputs_[b], heads_[b].taken);
        most.triggers = std::max(most.triggers, of_board.triggers);
        most.refused = std::max(most.refused, of_board.refused);
    }
    return most;
}

/// Finds and flags the trigger's tick, and counts those missing before it.
void EventBuilder::judge_tick(Trigger& trigger, const RecordHeader& header, bool measured) {
    if (trigger.trigger_class != TriggerClass::beam_tick || !config_.triggers_are_ticks) return;
    std::optional<std::uint64_t> number;
    if (ledger_.has_ticks && measured) number = tick_ - other_triggers_;
    const bool is_judged = trigger.refusal == RefusalReason::none ||
                           (trigger.refusal == RefusalReason::not_kept && measured && header.refused == 1);
    if (!is_judged) {
        const std::uint64_t missing = ticks_.add_refused(trigger.time_ps, number);
        if (measured) missing_since_ = missing;
        return;
    }
    if (tick_edges_ && trigger.refusal == RefusalReason::not_kept) {  // its edge was in the samples
        ticks_.add_without_time();
        return;
    }
    if (tick_edges_) {
        const TickEdgeFinder::Found found = tick_edges_->find(trigger);
        trigger.tick_flags |= found.flags;
        trigger.since_tick_ps = found.since_tick_ps;
    }
    if ((trigger.tick_flags & trigger_flag::no_tick) != 0) {
        ticks_not_found_.add();
        return;
    }
    if ((header.flags & record_flag::bad_time) != 0) {
        ticks_.add_without_time();
        return;
    }
    const TickVerdict verdict = ticks_.add(trigger.time_ps - trigger.since_tick_ps, number);
    trigger.tick_flags |= verdict.flags;
    missing_ticks_ += verdict.missing;
    if ((verdict.flags & trigger_flag::distrusted_tick) == 0) missing_since_ = 0;
}

void EventBuilder::account(const Trigger& trigger, bool measured) {
    if (ledger_.triggers++ > 0 && trigger.time_ps < last_time_ps_) backwards_.add();
    last_time_ps_ = std::max(last_time_ps_, trigger.time_ps);
    if (!ledger_.has_ticks) return;
    if (trigger.trigger_class != TriggerClass::beam_tick) {
        if (first_tick_) ++other_triggers_;
    } else {
        account_tick(measured);
    }
}

/// Expected and missed tell of the same stretch at every look: up to the newest tick whose number and time are
/// measured, and those since.
void EventBuilder::account_tick(bool measured) {
    ++ledger_.ticks_seen;
    if (!first_tick_) {
        first_tick_ = tick_;
        ledger_.ticks_expected = 1;
    } else if (!measured) {
        ++ledger_.ticks_expected;
    } else {
        ledger_.ticks_missed = missing_ticks_ + missing_since_;
        // A counter that ran backwards adds nothing: then the books do not balance, as they should not.
        const std::uint64_t span = tick_ - *first_tick_ + 1;
        const bool forward = tick_ >= *first_tick_ && span > other_triggers_;
        if (forward) ledger_.ticks_expected = std::max(ledger_.ticks_expected, span - other_triggers_);
    }
}

void EventBuilder::release(std::uint64_t consumed) noexcept {
    for (std::size_t b = 0; b < inputs_.size(); ++b) {
        if ((consumed >> b & 1) != 0) inputs_[b]->records.release();
    }
}

}  // namespace alleycat
