#include "daq/run/event_builder.hpp"

#include <algorithm>
#include <cmath>

namespace alleycat {
namespace {

constexpr std::int64_t kUnknownOrigin = std::numeric_limits<std::int64_t>::min();

RecordView view_of(std::span<const std::byte> slot) noexcept {
    return {*reinterpret_cast<const RecordHeader*>(slot.data()), slot.subspan(sizeof(RecordHeader))};
}

/// Data time of trigger `index` of those a stub stands for: spread evenly between the first and the last.
std::int64_t stub_time(const RecordHeader& stub, std::uint32_t index) noexcept {
    if (stub.refused < 2) return stub.time_ps;
    const double part = static_cast<double>(index) / static_cast<double>(stub.refused - 1);
    return stub.time_ps + std::llround(part * static_cast<double>(stub.refused_last_time_ps - stub.time_ps));
}

}  // namespace

EventBuilder::EventBuilder(std::span<const std::unique_ptr<BoardInput>> inputs, const BuilderConfig& config,
                           CounterRegistry& registry)
    : inputs_{inputs},
      config_{config},
      incomplete_{registry.get("builder.incomplete_triggers")},
      backwards_{registry.get("builder.time_backwards")},
      heads_(inputs.size()),
      origin_ps_(inputs.size(), kUnknownOrigin) {
    ledger_.has_ticks = config.tick_rate_hz > 0 && config.counter_is_hardware;
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
    if (header.sequence != kNoSequence) {
        head.time_ps = board_time;  // already the run's time
    } else {
        if (origin_ps_[board] == kUnknownOrigin) origin_ps_[board] = board_time;
        head.time_ps = board_time - origin_ps_[board];
    }
    return true;
}

bool EventBuilder::all_heads_known(std::int64_t earliest_ps) const noexcept {
    std::int64_t newest_ps = earliest_ps;
    for (std::size_t b = 0; b < inputs_.size(); ++b) {
        if (origin_ps_[b] == kUnknownOrigin) continue;
        newest_ps = std::max(newest_ps, inputs_[b]->newest_time_ps.load(std::memory_order_acquire) - origin_ps_[b]);
    }
    const bool others_are_far_on =
        config_.mode == WhenFull::refuse && newest_ps - earliest_ps > config_.missing_after_ps;
    for (std::size_t b = 0; b < inputs_.size(); ++b) {
        if (!heads_[b].there && !inputs_[b]->ended.load(std::memory_order_acquire) && !others_are_far_on) return false;
    }
    return true;
}

EventBuilder::Built EventBuilder::next(Trigger& trigger, std::uint64_t& consumed) {
    bool all_ended = true;
    bool any = false;
    for (std::size_t b = 0; b < inputs_.size(); ++b) {
        // Read `ended` first: what was committed before it was set is then seen by refresh().
        const bool ended = inputs_[b]->ended.load(std::memory_order_acquire);
        const bool there = refresh(b);
        any = any || there;
        all_ended = all_ended && ended && !there;
    }
    if (!any) return all_ended ? Built::end : Built::nothing;

    std::uint64_t sequence = kNoSequence;
    std::int64_t earliest_ps = std::numeric_limits<std::int64_t>::max();
    for (const Head& head : heads_) {
        if (!head.there) continue;
        sequence = std::min(sequence, head.view.header().sequence == kNoSequence
                                          ? kNoSequence
                                          : head.view.header().sequence + head.stub_index);
        earliest_ps = std::min(earliest_ps, head.time_ps);
    }
    if (!all_heads_known(earliest_ps)) return Built::nothing;

    const bool recorded = sequence != kNoSequence;
    trigger = Trigger{};
    consumed = 0;
    const RecordHeader* reference = nullptr;
    for (std::size_t b = 0; b < heads_.size(); ++b) {
        const Head& head = heads_[b];
        const bool belongs = head.there && (recorded ? head.view.header().sequence + head.stub_index == sequence
                                                     : head.time_ps - earliest_ps <= config_.skew_ps);
        if (!belongs) {
            trigger.missing_boards |= std::uint64_t{1} << b;
            continue;
        }
        if (reference == nullptr) {
            reference = &head.view.header();
            tick_ = reference->counter + head.stub_index;
            if (!started_) {
                started_ = true;
                first_time_ps_ = recorded ? 0 : head.time_ps;
                next_sequence_ = recorded ? sequence : 0;
            }
            trigger.sequence = recorded ? sequence : next_sequence_;
            trigger.time_ps = head.time_ps - first_time_ps_;
            trigger.utc_ns = reference->utc_ns;
            trigger.trigger_class = reference->trigger_class;
        }
        take(b, trigger, consumed);
    }
    if (trigger.refusal != RefusalReason::none) trigger.record_count = 0;
    if (trigger.missing_boards != 0) incomplete_.add();
    next_sequence_ = trigger.sequence + 1;
    account(trigger);
    return Built::trigger;
}

void EventBuilder::take(std::size_t board, Trigger& trigger, std::uint64_t& consumed) {
    Head& head = heads_[board];
    const RecordHeader& header = head.view.header();
    if (head.view.is_stub()) {
        trigger.refusal = header.refusal;  // one stub refuses the whole trigger
        if (++head.stub_index < header.refused) return;  // the stub stands for more triggers
    } else {
        trigger.add(head.view);
    }
    (void)inputs_[board]->records.next();
    consumed |= std::uint64_t{1} << board;
    head.there = false;
}

void EventBuilder::account(const Trigger& trigger) {
    ++ledger_.triggers;
    if (last_time_ps_ != std::numeric_limits<std::int64_t>::min() && trigger.time_ps < last_time_ps_) backwards_.add();
    if (ledger_.has_ticks && trigger.trigger_class == TriggerClass::beam_tick) {
        ++ledger_.ticks_seen;
        if (!counted_) {
            counted_ = true;
            first_counter_ = tick_;
        } else {
            const double gap = static_cast<double>(trigger.time_ps - last_time_ps_) * 1e-12 * config_.tick_rate_hz;
            if (gap > 1.5) ledger_.ticks_missed += static_cast<std::uint64_t>(std::llround(gap)) - 1;
        }
        ledger_.ticks_expected = tick_ - first_counter_ + 1;
    }
    last_time_ps_ = trigger.time_ps;
}

void EventBuilder::release(std::uint64_t consumed) noexcept {
    for (std::size_t b = 0; b < inputs_.size(); ++b) {
        if ((consumed >> b & 1) != 0) inputs_[b]->records.release();
    }
}

}  // namespace alleycat
