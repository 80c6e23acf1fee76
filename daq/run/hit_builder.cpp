#include "daq/run/hit_builder.hpp"

#include <algorithm>
#include <cstring>

#include "daq/core/error.hpp"
#include "daq/core/event.hpp"
#include "daq/run/beam_item.hpp"
#include "daq/run/ring_record.hpp"

namespace alleycat {
namespace {

/// Of one board, looked at and not handed on: with more the skew is too long for the rate, and order is best effort.
constexpr std::uint32_t kMostWaiting = 1u << 14;
/// Of one board, taken from its ring and not given back.
constexpr std::size_t kMostSlots = 1u << 15;
constexpr unsigned kSlotBits = 48;

}  // namespace

HitBuilder::HitBuilder(std::span<const std::unique_ptr<BoardInput>> inputs, const BuilderConfig& config,
                       CounterRegistry& registry)
    : inputs_{inputs},
      config_{config},
      skew_{config.recorded ? 0 : config.skew_ps},
      out_of_order_{registry.get("builder.hits_out_of_order")},
      restarts_{registry.get("builder.hit_clock_restarts")},
      pairing_{tick_config(config), registry},
      boards_(inputs.size()) {
    for (Board& board : boards_) {
        board.taken_until = board.taken_ps = kNever;
        board.done.resize(kMostSlots);
    }
    heap_.reserve(kMostWaiting);
    if (config.recorded) origin_ps_ = 0;  // times are the run's already
    ledger_.has_ticks = true;
}

// ---- from the rings

/// What a board has reached is read before its rings: what was put there before is then seen.
void HitBuilder::look_at_boards() {
    for (std::size_t b = 0; b < inputs_.size(); ++b) {
        const bool ended = inputs_[b]->ended.load(std::memory_order_acquire);
        const std::int64_t data_ps = inputs_[b]->newest_time_ps.load(std::memory_order_acquire);
        newest_ps_ = std::max(newest_ps_, data_ps);
        if (b == config_.tick_board) {
            take_ticks();
            pairing_.complete_until(ended ? kForever : earlier(data_ps, pairing_.half_period_ps()));
        }
        take_records(b);
        boards_[b].at_end = ended && inputs_[b]->records.peek().data() == nullptr;
    }
    newest_ps_ = std::max(newest_ps_, pairing_.newest_ps());
}

void HitBuilder::take_ticks() {
    Ring& ring = inputs_[config_.tick_board]->ticks;
    for (std::span<const std::byte> slot = ring.next(); !slot.empty(); slot = ring.next()) {
        TickItem item;
        std::memcpy(&item, slot.data(), sizeof item);
        ring.release();
        pairing_.add(item.tick, earlier(item.after_ps, pairing_.half_period_ps()));
    }
}

/// Further than the skew nobody has to look: the hits behind wait in their ring, unseen.
bool HitBuilder::looks_further(const Board& board) const noexcept {
    return heap_.empty() || board.taken_until < later(heap_.front().order, skew_);
}

bool HitBuilder::comes_later(const Waiting& a, const Waiting& b) noexcept {
    if (a.order != b.order) return a.order > b.order;
    return a.board != b.board ? a.board > b.board : a.slot > b.slot;
}

void HitBuilder::take_records(std::size_t b) {
    Board& board = boards_[b];
    while (board.waiting < kMostWaiting && board.taken - board.given_back < kMostSlots && looks_further(board)) {
        const std::span<const std::byte> slot = inputs_[b]->records.next();
        if (slot.data() == nullptr) return;
        Waiting hit{.order = 0,
                    .time_ps = 0,
                    .slot = board.taken++,
                    .view = view_of(slot),
                    .board = static_cast<std::uint16_t>(b)};
        const RecordHeader& header = hit.view.header();
        const bool stub = hit.view.is_stub();
        const std::int64_t last_ps = stub ? std::max(header.time_ps, header.refused_last_time_ps) : header.time_ps;
        hit.time_ps = header.time_ps;
        hit.order = config_.recorded ? static_cast<std::int64_t>(header.sequence) : header.time_ps;
        const std::int64_t last = config_.recorded ? later(hit.order, stub ? header.refused - 1 : 0) : last_ps;
        board.taken_until = std::max(board.taken_until, last);
        board.taken_ps = std::max(board.taken_ps, last_ps);
        ++board.waiting;
        heap_.push_back(hit);
        std::push_heap(heap_.begin(), heap_.end(), comes_later);
    }
}

HitBuilder::Waiting HitBuilder::take_first() {
    std::pop_heap(heap_.begin(), heap_.end(), comes_later);
    const Waiting hit = heap_.back();
    heap_.pop_back();
    --boards_[hit.board].waiting;
    return hit;
}

// ---- in the order of time

/// Whether no hit of this board can still come before this one. A silent board is not waited for for ever.
bool HitBuilder::has_passed(const Board& board, const Waiting& hit) const noexcept {
    if (board.at_end || board.taken_until >= later(hit.order, skew_) || board.waiting == kMostWaiting) return true;
    return live() && later(hit.time_ps, config_.missing_after_ps) < newest_ps_;
}

HitBuilder::Built HitBuilder::next(Trigger& trigger, std::uint64_t& consumed) {
    look_at_boards();
    follow_time();
    if (stub_) {
        build_refused(trigger, consumed);
        return Built::trigger;
    }
    if (heap_.empty()) {
        const bool end = std::all_of(boards_.begin(), boards_.end(), [](const Board& b) { return b.at_end; });
        return end ? Built::end : Built::nothing;
    }
    const Waiting& first = heap_.front();
    const bool in_turn =
        std::all_of(boards_.begin(), boards_.end(), [&](const Board& board) { return has_passed(board, first); });
    if (in_turn && first.view.is_stub()) {
        stub_ = take_first();
        stub_index_ = 0;
        const RecordHeader& header = stub_->view.header();
        if (header.refusal != RefusalReason::not_kept)
            pairing_.refused(header.time_ps, std::max(header.time_ps, header.refused_last_time_ps));
        build_refused(trigger, consumed);
        return Built::trigger;
    }
    const bool gives_up = live() && later(first.time_ps, config_.max_tick_wait_ps) < newest_ps_;
    const std::optional<TickOfHit> tick = in_turn ? pairing_.find(first.time_ps, gives_up) : std::nullopt;
    if (!tick) {
        require_progress(first, in_turn);
        return Built::nothing;
    }
    build(take_first(), *tick, trigger, consumed);
    return Built::trigger;
}

/// In replay a reader waits for room that only the handing on of hits makes. Where these wait for what it would read
/// next, neither will ever go on.
void HitBuilder::require_progress(const Waiting& first, bool waits_for_tick) const {
    if (live() || under_way_ > 0) return;
    for (std::size_t b = 0; b < boards_.size(); ++b) {
        const bool awaited = waits_for_tick ? b == config_.tick_board : !has_passed(boards_[b], first);
        if (awaited && inputs_[b]->waits_in_vain()) {
            throw Error{"board " + inputs_[b]->name +
                        ": its ring holds less than the hits that have to wait for their tick: raise run.ring_mb"};
        }
    }
}

void HitBuilder::build(const Waiting& hit, const TickOfHit& tick, Trigger& trigger, std::uint64_t& consumed) {
    if (!origin_ps_) {
        const std::optional<std::int64_t> first = pairing_.first_ps();
        origin_ps_ = first && *first <= later(hit.time_ps, pairing_.reach_ps()) ? *first : hit.time_ps;
    }
    const RecordHeader& header = hit.view.header();
    if ((header.flags & record_flag::clock_restarted) != 0) restarts_.add();
    trigger = Trigger{};
    trigger.sequence = config_.recorded ? header.sequence : next_sequence_;
    trigger.time_ps = run_time(hit.time_ps);
    trigger.utc_ns = header.utc_ns;
    trigger.trigger_class = TriggerClass::hit;
    trigger.tick = tick.tick;
    trigger.since_tick_ps = tick.since_tick_ps;
    trigger.tick_flags = tick.flags;
    trigger.add(hit.view);
    if (hit.time_ps < handed_on_ps_) {
        out_of_order_.add();
        trigger.tick_flags |= trigger_flag::clock_backwards;
    }
    handed_on_ps_ = std::max(handed_on_ps_, hit.time_ps);
    consumed = std::uint64_t{hit.board} << kSlotBits | (hit.slot + 1);
    ++under_way_;
    next_sequence_ = trigger.sequence + 1;
    ++ledger_.triggers;
    ++boards_[hit.board].built.triggers;
}

/// The refused hits of one stub get numbers in a row: their times are known roughly, and one interval of dead time says
/// more than one per hit.
void HitBuilder::build_refused(Trigger& trigger, std::uint64_t& consumed) {
    const RecordHeader& header = stub_->view.header();
    if (!origin_ps_) origin_ps_ = header.time_ps;
    const std::int64_t time_ps = stub_time(header, stub_index_);
    trigger = Trigger{};
    trigger.sequence = config_.recorded ? header.sequence + stub_index_ : next_sequence_;
    trigger.time_ps = run_time(time_ps);
    trigger.utc_ns = header.utc_ns + between(header.time_ps, time_ps) / 1000;
    trigger.trigger_class = TriggerClass::hit;
    trigger.refusal = header.refusal;
    next_sequence_ = trigger.sequence + 1;
    ++ledger_.triggers;
    ++boards_[stub_->board].built.triggers;
    ++boards_[stub_->board].built.refused;
    consumed = 0;
    if (++stub_index_ < header.refused) return;
    consumed = std::uint64_t{stub_->board} << kSlotBits | (stub_->slot + 1);
    ++under_way_;
    stub_.reset();
}

TriggerBuilder::Backlog HitBuilder::backlog() const noexcept {
    Backlog sum;
    for (std::size_t b = 0; b < boards_.size(); ++b) {
        const Backlog of_board = backlog_of(*inputs_[b], boards_[b].built);
        sum.triggers += of_board.triggers;
        sum.refused += of_board.refused;
    }
    return sum;
}

void HitBuilder::release(std::uint64_t consumed) noexcept {
    if (consumed == 0) return;
    const auto b = static_cast<std::size_t>(consumed >> kSlotBits);
    const std::uint64_t slot = (consumed & ((std::uint64_t{1} << kSlotBits) - 1)) - 1;
    Board& board = boards_[b];
    --under_way_;
    board.done[slot % kMostSlots] = 1;
    // Hits leave in the order of time, a ring gives back in its own.
    for (; board.given_back < board.taken && board.done[board.given_back % kMostSlots] != 0; ++board.given_back) {
        board.done[board.given_back % kMostSlots] = 0;
        inputs_[b]->records.release();
    }
}

// ---- ticks

/// Up to where no hit will come any more, as far as the boards say.
void HitBuilder::follow_time() noexcept {
    std::int64_t until_ps = kForever;
    for (const Board& board : boards_) {
        if (!board.at_end) until_ps = std::min(until_ps, earlier(board.taken_ps, skew_));
    }
    if (live()) until_ps = std::max(until_ps, earlier(newest_ps_, config_.missing_after_ps));
    if (!heap_.empty()) until_ps = std::min(until_ps, heap_.front().time_ps);
    passed_ps_ = std::max(passed_ps_, until_ps);
}

bool HitBuilder::next_tick(TickRecord& tick) {
    JudgedTick judged;
    if (!pairing_.next_tick(passed_ps_, judged)) return false;
    if (!origin_ps_) origin_ps_ = judged.record.time_ps;
    account(judged);
    tick = judged.record;
    tick.time_ps = run_time(tick.time_ps);
    return true;
}

std::int64_t HitBuilder::run_time(std::int64_t time_ps) const noexcept { return between(*origin_ps_, time_ps); }

/// Expected is what the signal counted, missed is what its times say: two ways to the same number.
void HitBuilder::account(const JudgedTick& tick) noexcept {
    const std::uint64_t number = tick.record.tick;
    if (!first_tick_) {
        first_tick_ = newest_tick_ = number;
        ledger_.ticks_expected = ledger_.ticks_seen = 1;
        return;
    }
    if (number == newest_tick_) return;  // delivered twice
    ++ledger_.ticks_seen;
    if (number > newest_tick_) {
        ledger_.ticks_expected += number - newest_tick_;
        ledger_.ticks_missed += tick.missing;
        newest_tick_ = number;
    } else if (ledger_.ticks_missed > 0) {
        --ledger_.ticks_missed;  // it was missed before and came after all
    }
}

}  // namespace alleycat
