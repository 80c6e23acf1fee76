#include "readout/caen_board.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

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
constexpr std::int64_t kLongestAway = std::int64_t{1} << 50;  // ns: 13 days
constexpr double kHostUncertaintyPs = 1e10;                   // of when an event came: it is read 10 ms later at most
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
    header.counter = number.counter + counter_offset_;
    stamp(header, tag, number.kind);
    ran_ = true;
}

void CaenBoard::stamp(RecordHeader& header, std::uint64_t tag, EventNumbers::Kind kind) {
    const TagClock::Result clock = clock_.stamp(tag, kind == EventNumbers::Kind::next, block_read_);
    if (clock.missed_rollovers != 0) log_.count("missed_rollovers", clock.missed_rollovers);
    if (__builtin_mul_overflow(static_cast<std::int64_t>(clock.ticks), board_.clock_period_ps, &header.time_ps) ||
        __builtin_add_overflow(header.time_ps, offset_ps_, &header.time_ps)) {
        header.time_ps = last_.time_ps;
        header.flags |= record_flag::bad_time;
        log_.count("bad_time");
        return;
    }
    if (std::exchange(restarted_, false)) go_on(header, kind);
    if (clock.backwards) {
        header.flags |= record_flag::clock_backwards;
        log_.count("clock_backwards");
    } else if (kind != EventNumbers::Kind::wrong) {
        last_ = {header.counter, header.time_ps, header.utc_ns};
        if (!ran_) begin_ = last_;
    }
}

/// The first record since the board counts anew: how long it was away the host's clock says, to milliseconds. Where the
/// beat of the triggers before is as near, they are taken to have gone on meanwhile.
void CaenBoard::go_on(RecordHeader& header, EventNumbers::Kind kind) {
    header.flags |= record_flag::clock_restarted;
    const double beat_ps = last_.counter > begin_.counter ? static_cast<double>(last_.time_ps - begin_.time_ps) /
                                                                static_cast<double>(last_.counter - begin_.counter)
                                                          : 0;
    const double away_ps =
        1000 * static_cast<double>(std::clamp<std::int64_t>(header.utc_ns - last_.utc_ns, 0, kLongestAway));
    std::uint64_t beats = beat_ps > 0 ? static_cast<std::uint64_t>(std::max(1.0, std::round(away_ps / beat_ps))) : 1;
    const bool counted = kind == EventNumbers::Kind::began_anew;  // it was never away
    if (counted) beats = header.counter - last_.counter;
    const double beaten_ps = static_cast<double>(beats) * beat_ps;
    const bool on_beat = beat_ps > 0 && (counted || std::abs(beaten_ps - away_ps) < kHostUncertaintyPs);
    const double step_ps = on_beat ? beaten_ps : away_ps;

    const Place place{last_.counter + beats, last_.time_ps + std::llround(step_ps), header.utc_ns};
    counter_offset_ += place.counter - header.counter;
    offset_ps_ += place.time_ps - header.time_ps;
    header.counter = place.counter;
    header.time_ps = place.time_ps;
    begin_ = place;
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
