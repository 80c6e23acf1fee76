#include "readout/dig2.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <utility>

#include "daq/core/real_time.hpp"

namespace alleycat {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr milliseconds kIdleAfter{100};
constexpr milliseconds kStopWithin{500};

std::uint64_t to_ns(std::uint64_t ticks, std::int64_t period_ps) noexcept {
    return static_cast<std::uint64_t>(static_cast<double>(ticks) * static_cast<double>(period_ps) / 1000);
}

BoardInfo as_found(BoardInfo board, const dig2::Identity& identity) {
    board.model = identity.model;
    board.serial = identity.serial;
    board.firmware = identity.firmware;
    return board;
}

}  // namespace

Dig2Board::Dig2Board(const BoardInfo& board, std::uint16_t board_index, const Dig2Config& config)
    : board_{board},
      board_index_{board_index},
      most_samples_{2 * board.samples},
      channel_of_input_(dig2::kMostChannels, kNotConfigured),
      keeper_{board, config, [&] {
                  dig2::Session session = dig2::open_session(board, config, {});
                  board_ = as_found(board, session.identity);
                  return session;
              }()} {
    for (std::size_t c = 0; c < config.inputs.size(); ++c) channel_of_input_.at(config.inputs[c]) = c;
}

RecordSource::Next Dig2Board::next(RecordHeader& header, std::stop_token stop) {
    if (!std::exchange(begun_, true)) keeper_.begin();
    const TimePoint until = Clock::now() + kIdleAfter;
    if (link_) link_->consume(std::exchange(event_bytes_, 0));
    while (!stop.stop_requested()) {
        if (!have_link(until, stop)) return Next::idle;
        if (read_event()) {
            if (describe(header)) return Next::record;
        } else if (!receive(until)) {
            return Next::idle;
        }
    }
    return Next::idle;
}

bool Dig2Board::have_link(TimePoint until, const std::stop_token& stop) {
    if (link_) return true;
    std::optional<dig2::Keeper::Started> started = keeper_.take_link(until, stop);
    if (!started) return false;
    link_ = std::move(started->data);
    generation_ = started->generation;
    count_from_here();
    return true;
}

/// A new run of the board: its clock and numbers mean nothing to those before.
void Dig2Board::count_from_here() {
    clock_ = ClockUnwrapper{dig2::kClockBits};
    numbers_ = EventNumbers{dig2::kTriggerIdBits};
    restarted_ = ran_;
}

void Dig2Board::drop_link() {
    link_.reset();
    event_bytes_ = 0;
    in_block_ = dropping_ = false;
    events_in_block_ = 0;
}

/// False: nothing more came in time.
bool Dig2Board::receive(TimePoint until) {
    const auto left = std::chrono::duration_cast<milliseconds>(until - Clock::now());
    switch (link_->receive(std::max(left, milliseconds{0}))) {
        case dig2::DataLink::Received::bytes: return left.count() > 0;
        case dig2::DataLink::Received::nothing:
            // What a board had sent before it was lost is read first.
            if (keeper_.generation() == generation_) return false;
            drop_link();
            return true;
        case dig2::DataLink::Received::bad_header: log_.count("bad_header"); break;
        case dig2::DataLink::Received::closed: break;
    }
    drop_link();
    keeper_.link_is_lost(generation_);
    return true;
}

/// The next data event that makes sense, whole; false: more has to come first.
bool Dig2Board::read_event() {
    for (;;) {
        const std::span<const std::byte> bytes = link_->bytes();
        if (dropping_) link_->consume(bytes.size());
        if (bytes.empty() || dropping_) {
            if (in_block_ && link_->block_is_whole()) end_block();
            return false;
        }
        in_block_ = true;
        const dig2::Event event = dig2::decode_event(bytes);
        if (wait_for_rest(event)) return false;
        ++events_in_block_;
        if (dig2::ends_the_block(event.damage)) {
            log_.count("damaged_event");
            dropping_ = true;
            continue;
        }
        const std::size_t length = event.words * dig2::kWordBytes;
        if (event.damage != dig2::Damage::none) {
            log_.count("damaged_event");
        } else if (event.kind == dig2::Event::Kind::data) {
            if (event.samples_per_channel > 0 && event.samples_per_channel <= most_samples_) {
                event_ = event;
                event_bytes_ = length;
                return true;
            }
            log_.count("damaged_event");
        } else if (event.kind == dig2::Event::Kind::start) {
            count_from_here();
        } else if (event.kind == dig2::Event::Kind::stop) {
            end_run(event);
        }
        link_->consume(length);
    }
}

/// What the event says it has is still to come, and can come.
bool Dig2Board::wait_for_rest(const dig2::Event& event) {
    const bool short_of_words = event.damage == dig2::Damage::cut_short;
    if ((event.damage != dig2::Damage::torn_word && !short_of_words) || link_->block_is_whole()) return false;
    const std::size_t needed = short_of_words ? event.words * dig2::kWordBytes : dig2::kWordBytes;
    const std::size_t most =
        (dig2::kHeaderWords + dig2::kMostChannels * most_samples_ / dig2::kSamplesPerWord) * dig2::kWordBytes;
    if (needed > most || !link_->can_bring(needed)) return false;
    link_->make_room(needed);
    return true;
}

void Dig2Board::end_block() {
    if (!dropping_ && events_in_block_ != link_->promised_events()) log_.count("event_count");
    in_block_ = dropping_ = false;
    events_in_block_ = 0;
}

void Dig2Board::end_run(const dig2::Event& stop) {
    log_.count("runs_stopped");
    log_.count("run_time_ns", to_ns(stop.real_time, board_.clock_period_ps));
    log_.count("dead_time_ns", to_ns(stop.dead_time, board_.clock_period_ps));
}

/// False: none of the configured inputs is in it.
bool Dig2Board::describe(RecordHeader& header) {
    header = RecordHeader{};
    find_channels(header);
    if (header.channels == 0) {
        log_.count("damaged_event");
        link_->consume(std::exchange(event_bytes_, 0));
        return false;
    }
    header.samples_per_channel = event_.samples_per_channel;
    header.sample_type = SampleType::uint16;
    header.board = board_index_;
    header.clock = event_.clock;
    header.utc_ns = utc_now().time_since_epoch().count();
    if (event_.samples_per_channel != board_.samples) {
        header.flags |= record_flag::unexpected_length;
        log_.count("unexpected_length");
    }
    if (event_.board_fail) log_.count("board_fail");
    number(header);
    ran_ = true;
    return true;
}

void Dig2Board::find_channels(RecordHeader& header) {
    channel_mask_ = 0;
    bool others = false;
    for (std::uint64_t left = event_.channel_mask; left != 0; left &= left - 1) {
        const std::size_t channel = channel_of_input_[static_cast<std::size_t>(std::countr_zero(left))];
        if (channel == kNotConfigured) {
            others = true;
        } else {
            channel_mask_ |= std::uint64_t{1} << channel;
        }
    }
    header.channel_mask = channel_mask_;
    header.channels = static_cast<std::uint16_t>(std::popcount(channel_mask_));
    if (others) log_.count("unexpected_channel");
    if (header.channels < board_.channels.size()) {
        header.flags |= record_flag::missing_channel;
        log_.count("missing_channel");
    }
}

void Dig2Board::number(RecordHeader& header) {
    const EventNumbers::Result number = numbers_.take(event_.trigger_id, event_.clock);
    switch (number.kind) {
        case EventNumbers::Kind::first: break;
        case EventNumbers::Kind::next:
            if (number.missed != 0) log_.count("missed_triggers", number.missed);
            break;
        case EventNumbers::Kind::repeated:
            header.flags |= record_flag::duplicate;
            log_.count("repeated_event");
            break;
        case EventNumbers::Kind::wrong:
        case EventNumbers::Kind::began_anew: log_.count("wrong_trigger_id"); break;
    }
    stamp(header, number);
}

void Dig2Board::stamp(RecordHeader& header, const EventNumbers::Result& number) {
    const ClockUnwrapper::Result clock = clock_.unwrap(event_.clock, number.kind == EventNumbers::Kind::next);
    RestartBridge::Place place{number.counter, 0, header.utc_ns};
    bool fits = !__builtin_mul_overflow(static_cast<std::int64_t>(clock.ticks), board_.clock_period_ps, &place.time_ps);
    fits = bridge_.carry(place) && fits;
    const bool restarted = std::exchange(restarted_, false);
    if (restarted) header.flags |= record_flag::clock_restarted;
    if (clock.backwards) {
        header.flags |= record_flag::clock_backwards;
        log_.count("clock_backwards");
    }
    if (!fits) {
        place.time_ps = bridge_.last().time_ps;
        header.flags |= record_flag::bad_time;
        log_.count("bad_time");
    } else if (restarted) {
        place = bridge_.go_on(place);
    } else if (!clock.backwards && number.is_trusted()) {
        bridge_.keep(place);
    }
    header.counter = place.counter;
    header.time_ps = place.time_ps;
}

void Dig2Board::fill(std::span<std::byte> payload) {
    std::array<std::uint16_t*, dig2::kMostChannels> to{};
    std::size_t position = 0;
    auto* const samples = reinterpret_cast<std::uint16_t*>(payload.data());
    for (std::uint64_t left = event_.channel_mask; left != 0; left &= left - 1) {
        const std::size_t channel = channel_of_input_[static_cast<std::size_t>(std::countr_zero(left))];
        if (channel != kNotConfigured) {
            const auto before =
                static_cast<std::size_t>(std::popcount(channel_mask_ & ((std::uint64_t{1} << channel) - 1)));
            to[position] = samples + before * event_.samples_per_channel;
        }
        ++position;
    }
    dig2::copy_samples(event_, std::span{to}.first(position));
}

/// Disarms; what the board still sends is not recorded, but its stop event says how long the run was.
void Dig2Board::finish() {
    if (!begun_) return;
    keeper_.request_stop();
    const TimePoint until = Clock::now() + kStopWithin;
    const auto stopped = [&] {
        for (const auto& [name, count] : log_.counts()) {
            if (name == "runs_stopped") return count;
        }
        return std::uint64_t{0};
    };
    const std::uint64_t before = stopped();
    while (link_ && stopped() == before && Clock::now() < until) {
        link_->consume(std::exchange(event_bytes_, 0));
        if (!read_event() && !receive(until)) break;
    }
}

std::vector<std::pair<std::string, std::uint64_t>> Dig2Board::defects() const {
    std::vector<std::pair<std::string, std::uint64_t>> all = log_.counts();
    const auto add = [&](const char* name, std::uint64_t count) {
        if (count != 0) all.emplace_back(name, count);
    };
    add("disconnects", keeper_.disconnects());
    add("reconnects", keeper_.reconnects());
    add("failed_attempts", keeper_.failed_attempts());
    return all;
}

}  // namespace alleycat
