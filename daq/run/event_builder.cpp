#include "daq/run/event_builder.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstdlib>
#include <utility>

#include "daq/run/ring_record.hpp"

namespace alleycat {

namespace {

constexpr std::int64_t kSecond = 1'000'000'000'000;  // [ps]
/// A board's data time goes no further than the host's clock, whose stamps come late by less than this.
constexpr std::int64_t kHostTolerance = kSecond;
/// A record that comes so much later than the one before it, by the host's clock, than by the board's was held up.
constexpr std::int64_t kHeldUpNs = 200'000'000;
/// Within this part of a period a tick is nearer than its neighbours, by some margin.
constexpr double kNearestTick = 0.45;
/// A number may say so much more or less than the time and still witness that the time went on [triggers].
constexpr double kNumberOff = 2;
/// So many triggers of a board alone, with others there, are none by chance.
constexpr std::uint32_t kLonely = 30;
constexpr std::size_t kMostToWaitFor = 64;  // records of a board that catches up
constexpr std::size_t kOwedRoom = 4096;     // of its Fifo, which then never grows

/// Ends where the numbers do.
[[nodiscard]] constexpr std::int64_t in_ps(std::int64_t ns) noexcept {
    return std::clamp(ns, kNever / 1000, kForever / 1000) * 1000;
}

[[nodiscard]] constexpr std::uint64_t bit(std::size_t board) noexcept { return std::uint64_t{1} << board; }

}  // namespace

EventBuilder::Board::Board(const BoardInput& input, CounterRegistry& registry)
    : numbers{registry.get("builder." + input.name + ".number_disagreements")},
      missing{registry.get("builder." + input.name + ".missing")},
      late_records{registry.get("builder." + input.name + ".late_records")},
      duplicates{registry.get("builder." + input.name + ".duplicates")},
      held_up{registry.get("builder." + input.name + ".held_up")},
      clock_restarts{registry.get("builder." + input.name + ".clock_restarts")},
      bad_times{registry.get("builder." + input.name + ".bad_times")},
      realigned{registry.get("builder." + input.name + ".realigned")} {}

EventBuilder::EventBuilder(std::span<const std::unique_ptr<BoardInput>> inputs, const BuilderConfig& config,
                           CounterRegistry& registry)
    : inputs_{inputs},
      config_{config},
      incomplete_{registry.get("builder.incomplete_triggers")},
      book_{config, registry} {
    for (const auto& input : inputs) {
        Board& board = boards_.emplace_back(*input, registry);
        board.ahead.reserve(config.records_to_place);
        board.owed.reserve(kOwedRoom);
    }
}

// ---- what the boards have delivered

/// Of the trigger that the head stands for now.
TriggerClass EventBuilder::class_of(const Head& head) noexcept {
    const RecordHeader& header = head.view.header();
    if (!head.view.is_stub() || head.stub_index == 0) return header.trigger_class;
    if (stub_tick(header, head.stub_index)) return TriggerClass::beam_tick;
    return header.trigger_class == TriggerClass::beam_tick ? TriggerClass::random : header.trigger_class;
}

void EventBuilder::look_at_boards() {
    for (std::size_t b = 0; b < boards_.size(); ++b) {
        // Before the ring: whatever was committed before the end, or before that data time, is then seen in it.
        boards_[b].ended = inputs_[b]->ended.load(std::memory_order_acquire);
        boards_[b].newest_ps = inputs_[b]->newest_time_ps.load(std::memory_order_acquire);
        boards_[b].newest_utc_ns = inputs_[b]->newest_utc_ns.load(std::memory_order_relaxed);
    }
    for (std::size_t b = 0; b < boards_.size(); ++b) find_head(b);
    place_boards();
}

bool EventBuilder::take_ahead(std::size_t b) {
    const std::span<const std::byte> slot = inputs_[b]->records.next();
    if (slot.data() == nullptr) return false;
    boards_[b].ahead.push(view_of(slot));
    return true;
}

/// The board's next record whose place in the run is known and not yet past.
void EventBuilder::find_head(std::size_t b) {
    Board& board = boards_[b];
    while (!board.head) {
        if (board.ahead.empty() && !take_ahead(b)) return;
        const Stamp stamp = judge_stamp(b);
        board.in_question = stamp == Stamp::unknown;
        if (board.in_question) return;
        set_head(board, stamp == Stamp::good);
        if (stamp == Stamp::ahead_of_its_time) {
            board.bad_times.add();
            skip_head(b);
        } else if (is_repeated(board)) {
            board.duplicates.add();
            skip_head(b);
        } else if (came_too_late(board)) {
            const bool again =
                (last_members_ & bit(b)) != 0 && board.head->time_ps >= earlier(last_merged_ps_, config_.skew_ps);
            (again ? board.duplicates : board.late_records).add();
            skip_head(b);
            if (!again) doubt_place(board);
        }
    }
    if (board.head->view.is_stub()) set_stub_time(board);
}

/// Whether the time of the record that is next can be that of the clock as it is known. A clock that began anew, or
/// jumped, is forgotten; a single stamp that is wrong shows by the next one.
EventBuilder::Stamp EventBuilder::judge_stamp(std::size_t b) {
    Board& board = boards_[b];
    const RecordHeader& header = board.ahead.front().header();
    if (header.sequence != kNoSequence) return Stamp::good;  // it is the run's time already
    if (!config_.clocks_by_host) {
        if (board.clock.known() == BoardClock::Known::no)
            board.clock.place(header.time_ps, 0, BoardClock::Known::exactly);
        return Stamp::good;
    }
    if (board.clock.known() == BoardClock::Known::no) return Stamp::unknown;
    if (!board.last) return Stamp::good;
    if (fits_clock(*board.last, header)) {
        const std::int64_t by_board_ns = between(board.last->time_ps, header.time_ps) / 1000;
        const std::int64_t by_host_ns = between(board.last->utc_ns, header.utc_ns);
        if (by_host_ns > later(by_board_ns, kHeldUpNs)) board.held_up.add();
        return Stamp::good;
    }
    if (!began_anew(header)) {
        if (board.ahead.size() < 2 && !take_ahead(b) && !board.ended) return Stamp::unknown;
        // Two of one new clock follow each other. One that began anew itself says nothing of the clock before.
        const bool alone = by_one_clock(board.ahead) < 2 || fits_clock(*board.last, board.ahead[1].header()) ||
                           !fits_clock(stamp_of(header), board.ahead[1].header());
        if (alone) {
            const bool late = between(board.last->time_ps, header.time_ps) < 0;
            return late ? Stamp::doubtful : Stamp::ahead_of_its_time;
        }
    }
    board.clock_restarts.add();
    board.counts_anew = true;
    board.clock.forget();
    return Stamp::unknown;
}

/// By the record before it: not earlier, and later by no more than the host's clock has gone on, or by what its number
/// says too. A board that was away may go on in its old time, or in one that its driver made of the host's: to be sure
/// it is placed anew.
bool EventBuilder::fits_clock(const LastStamp& last, const RecordHeader& header) const noexcept {
    const std::int64_t since_ps = between(last.time_ps, header.time_ps);
    if (began_anew(header) || since_ps < 0) return false;
    const std::int64_t host_ps = in_ps(between(last.utc_ns, header.utc_ns));
    if (since_ps <= kHostTolerance || since_ps - kHostTolerance <= host_ps) return true;
    const std::uint64_t triggers = header.counter - last.counter;
    const double periods = static_cast<double>(since_ps) * 1e-12 * config_.tick_rate_hz;
    return periods > 0 && std::abs(static_cast<double>(triggers) - periods) <= kNumberOff + periods / 1000;
}

void EventBuilder::set_head(Board& board, bool trusted) noexcept {
    Head head{.view = board.ahead.front()};
    board.ahead.pop();
    const RecordHeader& header = head.view.header();
    head.board_ps = header.time_ps;
    head.time_ps = header.sequence != kNoSequence ? header.time_ps : board.clock.run_time(header.time_ps);
    board.head = head;
    if (trusted) board.last = stamp_of(header);
}

/// Of the last trigger that a record stands for.
EventBuilder::LastStamp EventBuilder::stamp_of(const RecordHeader& header) noexcept {
    if (header.refused < 2) return {header.time_ps, header.utc_ns, header.counter};
    const std::int64_t lasts_ps = between(header.time_ps, header.refused_last_time_ps);
    return {header.refused_last_time_ps, moved(header.utc_ns, lasts_ps / 1000), header.counter + header.refused - 1};
}

/// Of the trigger that a stub stands for now.
void EventBuilder::set_stub_time(Board& board) noexcept {
    Head& head = *board.head;
    const RecordHeader& header = head.view.header();
    head.board_ps = stub_time(header, head.stub_index);
    head.time_ps = header.sequence != kNoSequence ? head.board_ps : board.clock.run_time(head.board_ps);
    const bool interpolated = head.stub_index > 0 && head.stub_index + 1 < header.refused;
    head.tolerance_ps = interpolated && config_.tick_rate_hz > 0 ? std::llround(0.5e12 / config_.tick_rate_hz) : 0;
}

/// Delivered twice: the same number at the same time. (A tick that came twice has a number each.)
bool EventBuilder::is_repeated(const Board& board) const noexcept {
    const RecordHeader& header = board.head->view.header();
    return config_.clocks_by_host && !board.head->view.is_stub() && header.counter == board.last_counter &&
           board.head->board_ps == board.last_board_ps;
}

/// The trigger that its head belongs to was built without it (or with another record of the same board).
bool EventBuilder::came_too_late(const Board& board) const noexcept {
    if (!config_.clocks_by_host || last_merged_ps_ == kNever) return false;
    if (!several()) return board.head->time_ps < last_merged_ps_;
    const bool nearly = board.clock.known() == BoardClock::Known::nearly;
    return board.head->time_ps <= later(last_merged_ps_, nearly ? reach_of_doubt_ps() : config_.skew_ps);
}

/// A board that was placed by the host's clock, of which nothing has come in time since, stands elsewhere.
void EventBuilder::doubt_place(Board& board) noexcept {
    if (!several() || board.clock.known() != BoardClock::Known::nearly || ++board.late < kLonely) return;
    board.clock.forget();
    board.realigned.add();
}

/// A record that is in no trigger.
void EventBuilder::skip_head(std::size_t b) {
    Board& board = boards_[b];
    const RecordHeader& header = board.head->view.header();
    board.taken.triggers += std::max<std::uint32_t>(header.refused, 1);
    board.taken.refused += header.refused;
    board.counts_anew = board.counts_anew || began_anew(header);
    board.head.reset();
    if (board.owed.empty()) {
        inputs_[b]->records.release();
    } else {
        ++board.to_skip;
    }
}

// ---- where their clocks stand

void EventBuilder::place_boards() {
    if (!config_.clocks_by_host) return;
    if (!has_time_line_) begin_time_line();
    for (std::size_t b = 0; b < boards_.size() && has_time_line_; ++b) {
        // Again, where it began anew before anything of it could be built.
        while (boards_[b].clock.known() == BoardClock::Known::no && is_to_be_placed(b)) {
            if (several() && is_catching_up(boards_[b].ahead, config_.records_to_place)) {
                leave_out(b);
            } else {
                place(boards_[b]);
                find_head(b);
            }
        }
    }
}

/// The clock of the first board is the run's, once every board has delivered something or will not.
void EventBuilder::begin_time_line() {
    bool all_here = true;
    std::optional<std::size_t> first;
    for (std::size_t b = 0; b < boards_.size(); ++b) {
        const bool here = is_to_be_placed(b);
        all_here = all_here && (here || boards_[b].ended);
        if (here && !first) first = b;
    }
    if (!first) return;
    Board& reference = boards_[*first];
    const std::int64_t begin_ps = reference.ahead.front().header().time_ps;
    const std::size_t n = by_one_clock(reference.ahead);
    const bool alone = n < reference.ahead.size() || reference.newest_ps > later(begin_ps, config_.missing_after_ps);
    if (!all_here && !alone) return;
    has_time_line_ = true;
    reference.clock.place(begin_ps, 0, BoardClock::Known::exactly);
    lag_.add(0, moved(begin_ps / 1000, least_host_minus_board_ns(reference.ahead, 0, n)));
    find_head(*first);
}

/// As many records as it takes for one of them to have come without delay, or as many as will come.
bool EventBuilder::can_be_placed(std::size_t b) const noexcept {
    const Board& board = boards_[b];
    const std::size_t n = board.ahead.size();
    if (n == 0) return false;
    if (!several() && !has_time_line_) return true;
    const RecordHeader &first = board.ahead.front().header(), &newest = board.ahead[n - 1].header();
    if (n > 1 && began_anew(newest)) return true;
    const bool enough = n >= config_.records_to_place || (n > 1 && between(first.time_ps, newest.time_ps) >= kSecond);
    // A single board has nobody to stand beside: it need not be known to the tick, and its records are waited for.
    if (enough && (!is_catching_up(board.ahead, config_.records_to_place) || (!several() && n >= kMostToWaitFor)))
        return true;
    const RingStats ring = inputs_[b]->records.stats();
    return ring.used_bytes > ring.capacity_bytes / 2;
}

/// Takes of its records what that needs. Others wait for it, but not for ever: then with those that are here.
bool EventBuilder::is_to_be_placed(std::size_t b) {
    Board& board = boards_[b];
    for (;;) {
        while (begins_far_off(board.ahead)) {
            set_head(board, false);
            board.bad_times.add();
            skip_head(b);
        }
        if (can_be_placed(b)) return true;
        if (take_ahead(b)) continue;
        if (board.ahead.empty()) return false;
        std::int64_t newest_utc_ns = board.newest_utc_ns;
        for (const Board& other : boards_) newest_utc_ns = std::max(newest_utc_ns, other.newest_utc_ns);
        const std::int64_t waits_ps = in_ps(between(board.ahead.front().header().utc_ns, newest_utc_ns));
        return board.ended ||
               (board.ahead.size() < config_.records_to_place && waits_ps > config_.missing_after_ps / 2);
    }
}

/// Before the least delay had come its clock began anew, or it ended: where they belong nobody can tell.
void EventBuilder::leave_out(std::size_t b) {
    Board& board = boards_[b];
    for (std::size_t n = by_one_clock(board.ahead); n > 0; --n) {
        set_head(board, false);
        board.late_records.add();
        skip_head(b);
    }
}

/// By the host's clock: to within half a tick, if there are others that can tell the rest.
void EventBuilder::place(Board& board) noexcept {
    const RecordHeader& first = board.ahead.front().header();
    const std::int64_t host_ns = least_host_minus_board_ns(board.ahead, 0, by_one_clock(board.ahead));
    const std::int64_t run_ps = moved(first.time_ps, in_ps(between(lag_.least_ns().value_or(host_ns), host_ns)));
    board.last.reset();
    board.alone = board.late = 0;
    if (several()) {
        board.clock.place(first.time_ps, run_ps, BoardClock::Known::nearly);
    } else {
        const std::int64_t later_ps = std::max(run_ps, later(last_merged_ps_, 1));
        board.clock.place(first.time_ps, on_a_tick(later_ps, class_of({.view = board.ahead.front()})),
                          BoardClock::Known::exactly);
    }
}

/// The time that is meant by one that is known to within half a tick.
std::int64_t EventBuilder::on_a_tick(std::int64_t run_ps, TriggerClass trigger_class) const noexcept {
    if (trigger_class != TriggerClass::beam_tick) return run_ps;
    const std::optional<std::int64_t> tick_ps = book_.nearest_tick(between(first_time_ps_, run_ps));
    return tick_ps ? moved(*tick_ps, first_time_ps_) : run_ps;
}

/// What is known nearly reaches so far.
std::int64_t EventBuilder::reach_of_doubt_ps() const noexcept {
    if (!(config_.tick_rate_hz > 0)) return std::max(config_.skew_ps, kHostPrecision);
    return std::max<std::int64_t>(config_.skew_ps, std::llround(kNearestTick * 1e12 / config_.tick_rate_hz));
}

/// Boards that stand in one trigger: their clocks show the same instant.
void EventBuilder::follow_clocks(std::uint64_t members, std::size_t reference) {
    const std::int64_t run_ps = boards_[reference].head->time_ps;
    if (boards_[reference].head->tolerance_ps != 0) return;  // its own time is only put between those of others
    for (std::size_t b = 0; b < boards_.size(); ++b) {
        Board& board = boards_[b];
        if ((members & bit(b)) == 0 || board.head->tolerance_ps != 0) continue;
        if (board.clock.known() == BoardClock::Known::exactly || b == reference) {
            if (b != reference) board.clock.follow(board.head->board_ps, run_ps);
            if (!board.head->view.is_stub()) lag_.add(run_ps, board.head->view.header().utc_ns);
        } else {
            board.clock.settle(board.head->board_ps, run_ps);
            board.late = 0;
        }
        inputs_[b]->show_clock(board.clock.offset_ns(), board.clock.drift_ppm());
    }
}

/// Something of it waits, at a time that others can be placed by.
bool EventBuilder::is_there(const Board& board) noexcept {
    return board.head && board.clock.known() == BoardClock::Known::exactly;
}

/// A board whose triggers are all its own, with others there, has moved: where to, the next trigger tells.
void EventBuilder::look_for_loners(std::uint64_t members) {
    if (!several() || !config_.clocks_by_host) return;
    if (std::popcount(members) > 1) {
        for (std::size_t b = 0; b < boards_.size(); ++b) {
            if ((members & bit(b)) != 0) boards_[b].alone = 0;
        }
        return;
    }
    const auto b = static_cast<std::size_t>(std::countr_zero(members));
    // Triggers one after the other that nobody else has at all are its own affair: its clock shows in turns with
    // others.
    if (last_members_ == members) return;
    bool can_be_told = false;
    for (std::size_t other = 0; other < boards_.size(); ++other) {
        const bool in_company = boards_[other].alone == 0;  // of two that are alone the second one moves
        can_be_told = can_be_told || (other != b && is_there(boards_[other]) && (other < b || in_company));
    }
    boards_[b].alone = can_be_told ? boards_[b].alone + 1 : 0;
    if (boards_[b].alone < kLonely || boards_[b].clock.known() != BoardClock::Known::exactly) return;
    boards_[b].alone = 0;
    boards_[b].clock.doubt();
    boards_[b].realigned.add();
}

// ---- which of them belong together

/// How far the board is: no further than the host's clock has gone on since its last stamp that was trusted.
std::int64_t EventBuilder::believed_newest_ps(const Board& board) const noexcept {
    if (!config_.clocks_by_host || !board.last) return board.newest_ps;
    const std::int64_t host_ps = std::max<std::int64_t>(in_ps(between(board.last->utc_ns, board.newest_utc_ns)), 0);
    return std::min(board.newest_ps, later(later(board.last->time_ps, host_ps), kHostTolerance));
}

bool EventBuilder::all_heads_known(std::int64_t earliest_ps) const noexcept {
    std::int64_t newest_ps = earliest_ps;
    for (const Board& board : boards_) {
        const bool known = board.clock.known() != BoardClock::Known::no && !board.in_question;
        if (known && board.newest_ps != kNever) {
            newest_ps = std::max(newest_ps, board.clock.run_time(believed_newest_ps(board)));
        }
    }
    const bool others_are_far_on =
        config_.mode == WhenFull::refuse && newest_ps > later(earliest_ps, config_.missing_after_ps);
    return others_are_far_on ||
           std::all_of(boards_.begin(), boards_.end(), [](const Board& board) { return board.head || board.ended; });
}

/// Whether the board's head belongs to the trigger that `earliest` begins (recorded membership: to this `sequence`).
bool EventBuilder::is_next(const Board& board, const Board& earliest, std::uint64_t sequence) const noexcept {
    if (!board.head) return false;
    if (sequence != kNoSequence) return board.head->view.header().sequence + board.head->stub_index == sequence;
    const auto nearly = [](const Board& one) { return one.clock.known() == BoardClock::Known::nearly; };
    std::int64_t tolerance_ps = std::max({config_.skew_ps, board.head->tolerance_ps, earliest.head->tolerance_ps});
    if ((nearly(board) || nearly(earliest)) && class_of(*board.head) == class_of(*earliest.head))
        tolerance_ps = std::max(tolerance_ps, reach_of_doubt_ps());
    return board.head->time_ps <= later(earliest.head->time_ps, tolerance_ps);
}

/// The first of them whose clock is known best: its time is the trigger's.
std::size_t EventBuilder::reference_of(std::uint64_t members) const noexcept {
    for (std::size_t b = 0; b < boards_.size(); ++b) {
        if ((members & bit(b)) != 0 && boards_[b].clock.known() != BoardClock::Known::nearly) return b;
    }
    return static_cast<std::size_t>(std::countr_zero(members));
}

EventBuilder::Built EventBuilder::next(Trigger& trigger, std::uint64_t& consumed) {
    look_at_boards();
    std::uint64_t sequence = kNoSequence;
    const Board* earliest = nullptr;
    for (const Board& board : boards_) {
        if (!board.head) continue;
        const std::uint64_t recorded = board.head->view.header().sequence;
        sequence = std::min(sequence, recorded == kNoSequence ? kNoSequence : recorded + board.head->stub_index);
        if (earliest == nullptr || board.head->time_ps < earliest->head->time_ps) earliest = &board;
    }
    if (earliest == nullptr) {
        const bool all_ended = std::all_of(boards_.begin(), boards_.end(),
                                           [](const Board& board) { return board.ended && board.ahead.empty(); });
        return all_ended ? Built::end : Built::nothing;
    }
    if (!all_heads_known(earliest->head->time_ps)) return Built::nothing;

    std::uint64_t members = 0;
    for (std::size_t b = 0; b < boards_.size(); ++b) {
        if (is_next(boards_[b], *earliest, sequence)) members |= bit(b);
    }
    const std::size_t reference_board = reference_of(members);
    Head& reference = *boards_[reference_board].head;
    // Nobody is there who knows better than the timing signal itself.
    if (boards_[reference_board].clock.known() == BoardClock::Known::nearly) {
        reference.time_ps = on_a_tick(reference.time_ps, class_of(reference));
        const bool others_will_tell = std::any_of(boards_.begin(), boards_.end(), is_there);
        boards_[reference_board].clock.place(reference.board_ps, reference.time_ps,
                                             others_will_tell ? BoardClock::Known::nearly : BoardClock::Known::exactly);
    }
    const RecordHeader& header = reference.view.header();
    if (!started_) {
        started_ = true;
        first_time_ps_ = sequence == kNoSequence ? reference.time_ps : 0;
    }
    trigger = Trigger{};
    trigger.sequence = sequence == kNoSequence ? next_sequence_ : sequence;
    trigger.time_ps = between(first_time_ps_, reference.time_ps);
    trigger.trigger_class = class_of(reference);
    trigger.utc_ns = header.utc_ns;
    if (reference.stub_index > 0)
        trigger.utc_ns = moved(trigger.utc_ns, between(header.time_ps, stub_time(header, reference.stub_index)) / 1000);
    // Else its number and time are only put between those of others: it was there, and more is not known of it.
    const bool own_numbers = sequence == kNoSequence || header.refusal == RefusalReason::not_kept;
    const bool measured = !reference.view.is_stub() || (reference.stub_index == 0 && own_numbers);
    trigger.tick = number_of(members, trigger.time_ps);
    if (sequence == kNoSequence) {
        follow_clocks(members, reference_board);
        look_for_loners(members);
    }
    last_members_ = members;
    last_merged_ps_ = std::max(last_merged_ps_, reference.time_ps);

    const bool recorded_stub = reference.view.is_stub() && sequence != kNoSequence;  // stands for all boards
    note_missing(members, reference.time_ps, !recorded_stub);
    consumed = 0;
    for (std::size_t b = 0; b < boards_.size(); ++b) {
        if ((members & bit(b)) != 0) {
            take(b, trigger, consumed);
        } else {
            trigger.missing_boards |= bit(b);
        }
    }
    if (trigger.refusal != RefusalReason::none) trigger.record_count = 0;
    if (trigger.missing_boards != 0 && !recorded_stub) incomplete_.add();
    next_sequence_ = trigger.sequence + 1;
    book_.enter(trigger, header, measured);
    return Built::trigger;
}

/// Of this number most of them say that it is the trigger's; of equally many the first board.
std::optional<std::uint64_t> EventBuilder::agreed_number(std::uint64_t voters) const noexcept {
    const auto says = [&](std::size_t b) -> std::optional<std::uint64_t> {
        if ((voters & bit(b)) == 0) return std::nullopt;
        return boards_[b].numbers.in_run(counter_of(boards_[b]));
    };
    std::optional<std::uint64_t> agreed;
    std::size_t most = 0;
    for (std::size_t b = 0; b < boards_.size(); ++b) {
        const std::optional<std::uint64_t> number = says(b);
        if (!number) continue;
        std::size_t votes = 0;
        for (std::size_t other = 0; other < boards_.size(); ++other) votes += says(other) == number ? 1 : 0;
        if (votes > most) {
            most = votes;
            agreed = number;
        }
    }
    return agreed;
}

std::uint64_t EventBuilder::counter_of(const Board& board) noexcept {
    return board.head->view.header().counter + board.head->stub_index;
}

/// Whether the number that the board gives the trigger is to be believed.
bool EventBuilder::believes_number(Board& board, std::int64_t time_ps) noexcept {
    const Head& head = *board.head;
    // Its time is one that the host's clock gave it, and so may its number be: it says nothing of those to come.
    if (head.stub_index == 0 && (board.counts_anew || began_anew(head.view.header()))) {
        board.numbers.forget();
        return true;
    }
    if (head.view.is_stub() || !book_.judges_numbers()) return true;
    return board.numbers.believes(counter_of(board), time_ps, book_);
}

/// The trigger's number: identifies its tick to the beam join. In the numbering of the board that was there first; the
/// others' are carried over, so that a missing reference board changes nothing.
std::uint64_t EventBuilder::number_of(std::uint64_t members, std::int64_t time_ps) {
    const bool first = book_.empty();
    std::uint64_t believed = 0;
    for (std::size_t b = 0; b < boards_.size(); ++b) {
        if ((members & bit(b)) != 0 && (first || believes_number(boards_[b], time_ps))) believed |= bit(b);
    }
    std::optional<std::uint64_t> number = agreed_number(believed);
    if (!number) number = first ? counter_of(boards_[reference_of(members)]) : book_.number_by_time(time_ps);
    for (std::size_t b = 0; b < boards_.size(); ++b) {
        Board& board = boards_[b];
        if ((believed & bit(b)) != 0) board.numbers.learn(counter_of(board), *number, !board.head->view.is_stub());
    }
    return *number;
}

void EventBuilder::note_missing(std::uint64_t members, std::int64_t time_ps, bool counts) {
    for (std::size_t b = 0; b < boards_.size() && counts; ++b) {
        Board& board = boards_[b];
        if ((members & bit(b)) != 0) {
            board.last_built_ps = time_ps;
            inputs_[b]->missing_ps.store(-1, std::memory_order_relaxed);
        } else {
            board.missing.add();
            const std::int64_t since_ps =
                between(board.last_built_ps == kNever ? first_time_ps_ : board.last_built_ps, time_ps);
            inputs_[b]->missing_ps.store(std::max<std::int64_t>(since_ps, 0), std::memory_order_relaxed);
        }
    }
}

void EventBuilder::take(std::size_t b, Trigger& trigger, std::uint64_t& consumed) {
    Board& board = boards_[b];
    Head& head = *board.head;
    const RecordHeader& header = head.view.header();
    ++board.taken.triggers;
    if (head.view.is_stub()) {
        ++board.taken.refused;
        trigger.refusal = header.refusal;                // one stub refuses the whole trigger
        if (++head.stub_index < header.refused) return;  // the stub stands for more triggers
    } else {
        trigger.add(head.view);
    }
    board.last_counter = header.counter;
    board.counts_anew = false;
    board.last_board_ps = header.time_ps;
    consumed |= bit(b);
    board.owed.push(1 + std::exchange(board.to_skip, 0));
    board.head.reset();
}

TriggerBuilder::Backlog EventBuilder::backlog() const noexcept {
    Backlog most;
    for (std::size_t b = 0; b < inputs_.size(); ++b) {
        const Backlog of_board = backlog_of(*inputs_[b], boards_[b].taken);
        most.triggers = std::max(most.triggers, of_board.triggers);
        most.refused = std::max(most.refused, of_board.refused);
    }
    return most;
}

void EventBuilder::release(std::uint64_t consumed) noexcept {
    for (std::size_t b = 0; b < boards_.size(); ++b) {
        if ((consumed & bit(b)) == 0) continue;
        Board& board = boards_[b];
        std::uint32_t slots = board.owed.front();
        board.owed.pop();
        if (board.owed.empty()) slots += std::exchange(board.to_skip, 0);
        for (; slots > 0; --slots) inputs_[b]->records.release();
    }
}

}  // namespace alleycat
