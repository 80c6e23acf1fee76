#include "readout/caen_board.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "daq/core/error.hpp"
#include "daq/core/log.hpp"
#include "daq/core/time.hpp"
#include "readout/boards.hpp"
#include "readout/caen_family.hpp"

namespace alleycat {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr milliseconds kIdleAfter{100};
constexpr milliseconds kLookAgain{1};  // for events, when there were none
constexpr milliseconds kStatusEvery{100};
constexpr unsigned kTagBits = 31, kExtendedTagBits = 48;

}  // namespace

CaenBoard::CaenBoard(const BoardInfo& board, std::uint16_t board_index, const CaenBoardConfig& config)
    : board_{board},
      board_index_{board_index},
      config_{config},
      connection_{board, config},
      records_{config.family, ChannelNumbers{config.inputs, board, "board.caen.inputs"}, config.suppressed_code},
      clock_{config.extended_time_tag ? kExtendedTagBits : kTagBits, board.clock_period_ps} {
    while (!connection_.ready()) connection_.step();
    board_.model = connection_.identity().model;
    board_.serial = connection_.identity().serial;
    board_.firmware = connection_.identity().firmware;
}

RecordSource::Next CaenBoard::next(RecordHeader& header, std::stop_token stop) {
    if (stop.stop_requested()) return Next::idle;
    if (take_event(header)) return Next::record;
    const TimePoint until = Clock::now() + kIdleAfter;
    while (!stop.stop_requested()) {
        if (!connection_.running() && !bring_up(until, stop)) break;
        const TimePoint now = Clock::now();
        if (now >= until) break;
        try {
            look_after(now);
            if (!read_block(now)) wait(std::min(until, now + kLookAgain), stop);
        } catch (const Error& e) {
            lose(e.what());
        }
        if (take_event(header)) return Next::record;
    }
    return Next::idle;
}

/// The next event of the block that becomes a record; false: there is none.
bool CaenBoard::take_event(RecordHeader& header) {
    while (!block_.empty()) {
        const caen::Event event = caen::read_event(block_, config_.family);
        block_ = block_.subspan(event.words.size());
        switch (records_.take(event, log_)) {
            case CaenRecords::Taken::record: describe(header); return true;
            case CaenRecords::Taken::skipped: break;
            case CaenRecords::Taken::excess_bits:
                warn_once(said_excess_bits_,
                          "an event has bits above those of its ADC: Pack2.5 is not read (bit 11 of register 0x8000)");
                break;
            case CaenRecords::Taken::no_suppressed_code:
                warn_once(said_suppressed_,
                          "its events are zero-length encoded: suppressed_code has to say which code the samples that "
                          "were left out stand for");
                break;
        }
    }
    return false;
}

void CaenBoard::warn_once(bool& said, std::string_view why) {
    if (!std::exchange(said, true)) log::readout().warn("{}: {}", connection_.who(), why);
}

void CaenBoard::describe(RecordHeader& header) {
    header = RecordHeader{.utc_ns = block_utc_ns_, .board = board_index_};
    records_.describe(header, board_, log_);
    const caen::Event& event = records_.event();
    const std::uint64_t tag = config_.extended_time_tag ? event.extended_time_tag() : event.time_tag;
    const EventNumbers::Result number = numbers_.take(event.counter, tag);
    header.clock = tag;
    switch (number.kind) {
        case EventNumbers::Kind::first: break;
        case EventNumbers::Kind::next:
            if (number.missed != 0) log_.count("missed_triggers", number.missed);
            break;
        case EventNumbers::Kind::repeated:
            header.flags |= record_flag::duplicate;
            log_.count("duplicate_record");
            break;
        case EventNumbers::Kind::wrong: log_.count("wrong_counter"); break;
        case EventNumbers::Kind::began_anew:
            log_.count("wrong_counter");
            clock_ = TagClock{config_.extended_time_tag ? kExtendedTagBits : kTagBits, board_.clock_period_ps};
            restarted_ = true;
            break;
    }
    stamp(header, tag, number);
    ran_ = true;
}

void CaenBoard::stamp(RecordHeader& header, std::uint64_t tag, const EventNumbers::Result& number) {
    using Kind = EventNumbers::Kind;
    const TagClock::Result clock = clock_.stamp(tag, number.kind == Kind::next, block_read_);
    if (clock.missed_rollovers != 0) log_.count("missed_rollovers", clock.missed_rollovers);
    RestartBridge::Place place{number.counter, 0, header.utc_ns};
    bool fits = !__builtin_mul_overflow(static_cast<std::int64_t>(clock.ticks), board_.clock_period_ps, &place.time_ps);
    fits = bridge_.carry(place) && fits;
    const bool restarted = std::exchange(restarted_, false);
    if (restarted) header.flags |= record_flag::clock_restarted;
    if (!fits) {
        place.time_ps = bridge_.last().time_ps;
        header.flags |= record_flag::bad_time;
        log_.count("bad_time");
    } else if (restarted) {
        place = bridge_.go_on(place, number.kind == Kind::began_anew);
    } else if (clock.backwards) {
        header.flags |= record_flag::clock_backwards;
        log_.count("clock_backwards");
    } else if (number.is_trusted()) {
        bridge_.keep(place);
    }
    header.counter = place.counter;
    header.time_ps = place.time_ps;
}

/// false: the board has nothing.
bool CaenBoard::read_block(TimePoint now) {
    block_ = connection_.read();
    if (block_.empty()) {
        clock_.found_empty(now);
        return false;
    }
    block_read_ = Clock::now();
    block_utc_ns_ = utc_now().time_since_epoch().count();
    return true;
}

/// What is due beside the events: one call of the library at most, and a trigger.
void CaenBoard::look_after(TimePoint now) {
    if (config_.software_trigger) send_trigger_if_due(now);
    if (now >= status_at_) {
        read_status(now);
    } else if (now >= sensors_at_) {
        read_next_sensor(now);
    }
}

void CaenBoard::send_trigger_if_due(TimePoint now) {
    if (now < trigger_at_) return;
    const std::chrono::duration<double> period{1 / config_.software_trigger_hz};
    trigger_at_ = std::max(trigger_at_, now - kIdleAfter) + std::chrono::duration_cast<Clock::duration>(period);
    connection_.send_trigger();
}

void CaenBoard::read_status(TimePoint now) {
    status_at_ = now + kStatusEvery;
    const std::uint32_t status = connection_.read_register(caen::kAcquisitionStatus);
    ++status_read_;
    if ((status & caen::kMemoryFull) != 0) ++status_full_;
    if ((status & caen::kClockKept) == 0) {
        log_.count("clock_lost");
        (void)connection_.read_register(caen::kReadoutStatus);  // arms the bit again
    }
    // With another start its run is not ours to judge.
    if (config_.start == caen::Start::software && (status & caen::kRunning) == 0)
        throw Error{fmt::format("{}: it has stopped by itself", connection_.who())};
}

/// One after the other, then all of them are what readings() says.
void CaenBoard::read_next_sensor(TimePoint now) {
    const std::size_t sensors = caen::has_thermometers(config_.family) ? config_.inputs.size() : 0;
    if (next_sensor_ < sensors) {
        const unsigned input = config_.inputs[next_sensor_++];
        if (const std::optional<double> degrees = connection_.temperature_c(input))
            next_readings_.push_back({fmt::format("temperature_{}", input), *degrees, "degC"});
        return;
    }
    if (status_read_ != 0) next_readings_.push_back({"busy", static_cast<double>(status_full_) / status_read_, ""});
    readings_ = std::exchange(next_readings_, {});
    status_full_ = status_read_ = 0;
    next_sensor_ = 0;
    sensors_at_ = now + config_.readings_interval;
}

/// Steps towards a running board; false: it is not there yet.
bool CaenBoard::bring_up(TimePoint until, const std::stop_token& stop) {
    for (TimePoint now = Clock::now(); now < until && !stop.stop_requested(); now = Clock::now()) {
        if (now < try_at_) {
            wait(std::min(until, try_at_), stop);
            continue;
        }
        try {
            connection_.step();
        } catch (const Error& e) {
            connection_.close();
            log_.count("failed_attempts");
            try_at_ = Clock::now() + config_.retry_interval;
            if (!std::exchange(said_away_, true)) log::readout().warn("{}; it is tried again until it works", e.what());
            continue;
        }
        if (!connection_.running()) continue;
        count_from_here();
        if (std::exchange(was_up_, true)) {
            log_.count("reconnects");
            log::readout().info("{}: is back", connection_.who());
        }
        return true;
    }
    return false;
}

/// A new run of the board: its clock and numbers mean nothing to those before.
void CaenBoard::count_from_here() {
    numbers_ = EventNumbers{24};
    clock_ = TagClock{config_.extended_time_tag ? kExtendedTagBits : kTagBits, board_.clock_period_ps};
    restarted_ = ran_;
    said_away_ = false;
    up_since_ = Clock::now();
    status_at_ = up_since_ + kStatusEvery;
    trigger_at_ = up_since_;
    next_sensor_ = 0;
    next_readings_.clear();
}

void CaenBoard::lose(const std::string& why) {
    log::readout().warn("{}; it is opened again", why);
    log_.count("disconnects");
    block_ = {};
    connection_.close();
    // One that comes and goes is not asked more often than one that is away.
    try_at_ = up_since_ + config_.retry_interval;
}

void CaenBoard::finish() {
    block_ = {};
    connection_.close();
}

void CaenBoard::wait(TimePoint until, const std::stop_token& stop) {
    std::unique_lock lock{mutex_};
    (void)wake_.wait_until(lock, stop, until, [] { return false; });
}

BoardIdentity identify_caen(const BoardInfo& board, const CaenBoardConfig& config) {
    const caen::Identity found = caen::Connection{board, config}.ask_identity();
    return {.model = found.model,
            .serial = found.serial,
            .firmware = found.firmware,
            .remarks = {fmt::format("{}, {} inputs of {} bit", caen::to_text(config.family), found.inputs,
                                    caen::adc_bits(config.family))}};
}

}  // namespace alleycat
