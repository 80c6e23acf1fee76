#include "readout/niscope_board.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "daq/core/error.hpp"
#include "daq/core/log.hpp"
#include "daq/core/time.hpp"
#include "readout/boards.hpp"

namespace alleycat {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr milliseconds kIdleAfter{100};
constexpr unsigned kMostStalls = 20;
constexpr double kLongestRun_s = 100 * 86'400.0;  // time_ps holds 106 days
constexpr double kOldestClock_s = 1e9;            // 31 years

/// Whole seconds and the rest apart: a double of seconds times 10^12 would be rounded a second time.
std::optional<std::int64_t> to_ps(double seconds) noexcept {
    if (!std::isfinite(seconds) || std::abs(seconds) > kLongestRun_s) return std::nullopt;
    const double whole = std::floor(seconds);
    return static_cast<std::int64_t>(whole) * 1'000'000'000'000 + std::llround((seconds - whole) * 1e12);
}

BoardInfo as_found(BoardInfo board, const niscope::Identity& identity) {
    board.model = identity.model;
    board.serial = identity.serial;
    board.firmware = identity.revisions();
    return board;
}

}  // namespace

BoardIdentity identify_niscope(const BoardInfo& board, const NiScopeConfig& config) {
    niscope::Session session{niscope::load_library(board, config), board, config, niscope::Session::Open::as_it_is};
    const niscope::Identity found = session.identity();
    BoardIdentity identity{.model = found.model, .serial = found.serial, .firmware = found.revisions(), .remarks = {}};
    identity.remarks.push_back(fmt::format("{} inputs of {} bit", found.inputs, found.bits));
    if (const std::optional<double> warm = session.temperature_c()) {
        identity.remarks.push_back(fmt::format("{:.2f} degC", *warm));
    }
    return identity;
}

NiScopeBoard::NiScopeBoard(const BoardInfo& board, std::uint16_t board_index, const NiScopeConfig& config)
    : board_{board},
      board_index_{board_index},
      config_{config},
      who_{niscope::name_board(board, config)},
      library_{niscope::load_library(board, config)},
      open_{std::make_unique<niscope::OpenBoard>(library_, board, config)},
      opened_at_{Clock::now()},
      waveforms_(std::size_t{board.samples} * config.inputs.size()),
      infos_(config.inputs.size()) {
    board_ = as_found(board, open_->identity);  // another board of this name is not the one that may go away
    count_warnings();
}

RecordSource::Next NiScopeBoard::next(RecordHeader& header, std::stop_token stop) {
    if (!std::exchange(begun_, true)) open_->session.start();  // only now the board sees all settings: it may object
    const TimePoint until = Clock::now() + kIdleAfter;
    while (!stop.stop_requested()) {
        if (!have_board(until, stop)) return Next::idle;
        read_sensors(Clock::now());
        switch (fetch(until)) {
            case Fetched::record:
                if (describe(header)) return Next::record;
                break;
            case Fetched::nothing:
                if (Clock::now() >= until) return Next::idle;
                break;
            case Fetched::skipped:
            case Fetched::lost: break;
        }
    }
    return Next::idle;
}

bool NiScopeBoard::have_board(TimePoint until, const std::stop_token& stop) {
    if (open_) return true;
    if (!reopener_) return false;  // finished
    open_ = reopener_->take(until, stop);
    if (!open_) return false;
    failed_attempts_ += reopener_->failed_attempts();
    reopener_.reset();
    ++reconnects_;
    opened_at_ = Clock::now();
    log::readout().info("{}: is back", who_);
    count_warnings();
    count_from_here();
    return true;
}

/// The board's numbers and its clock begin anew.
void NiScopeBoard::count_from_here() {
    // Of a board without a clock nothing tells how many triggers went by: its numbers go on by one.
    first_of_acquisition_ = timed_ ? 0 : first_of_acquisition_ + static_cast<std::uint64_t>(next_record_);
    next_record_ = 0;
    stalled_ = 0;
    base_s_.reset();
    clock_anew_ = false;
    restarted_ = ran_;
    has_temperature_ = true;
    scale_noted_ = false;
}

NiScopeBoard::Fetched NiScopeBoard::lose(std::string_view sentence) {
    log::readout().warn("{}; it is closed and opened again", sentence);
    ++disconnects_;
    count_warnings();
    const bool at_once = Clock::now() - opened_at_ < config_.retry_interval;
    reopener_.emplace(library_, board_, config_, std::move(open_), at_once);
    return Fetched::lost;
}

NiScopeBoard::Fetched NiScopeBoard::fetch(TimePoint until) {
    if (next_record_ == config_.records) return begin_acquisition();
    const auto left = std::chrono::duration_cast<milliseconds>(until - Clock::now());
    const niscope::Status status = open_->session.fetch(
        next_record_, std::clamp(left, milliseconds{0}, config_.fetch_timeout), waveforms_, infos_);
    if (niscope::means_not_yet(status)) return look_why_nothing_came();
    if (niscope::means_overwritten(status)) return skip_overwritten();
    if (status < 0) return lose(fmt::format("{}: niScope_FetchBinary8: {}", who_, open_->session.explain(status)));
    if (status == niscope::status::warning_timestamp_rollover) {
        log_.count("clock_rollovers");
        clock_is_anew();
    }
    if (status > 0) {
        open_->session.warn("niScope_FetchBinary8", status);
        count_warnings();
    }
    stalled_ = 0;
    return Fetched::record;
}

/// No trigger came, mostly.
NiScopeBoard::Fetched NiScopeBoard::look_why_nothing_came() {
    const std::optional<std::int32_t> done = open_->session.records_done();
    if (!done) return lose(fmt::format("{}: does not say how many records it has", who_));
    if (*done < next_record_) {
        log_.count("numbers_restarted");
        return lose(fmt::format("{}: has {} records, {} were read before: it began anew", who_, *done, next_record_));
    }
    stalled_ = *done > next_record_ ? stalled_ + 1 : 0;
    if (stalled_ < kMostStalls) return Fetched::nothing;
    log_.count("stalls");
    return lose(fmt::format("{}: has {} records and does not give number {}", who_, *done, next_record_));
}

/// On to the oldest record that is surely there. A quarter of the memory is given up: it is being written meanwhile.
NiScopeBoard::Fetched NiScopeBoard::skip_overwritten() {
    const std::optional<std::int32_t> done = open_->session.records_done();
    if (!done) return lose(fmt::format("{}: does not say how many records it has", who_));
    const std::int32_t kept = open_->layout.records_in_memory;
    const std::int32_t oldest = std::max(*done - (kept - kept / 4), next_record_ + 1);
    log_.count("overwritten_records", static_cast<std::uint64_t>(oldest - next_record_));
    next_record_ = oldest;
    return Fetched::skipped;
}

/// The clock goes on, triggers between the two are not seen.
NiScopeBoard::Fetched NiScopeBoard::begin_acquisition() {
    try {
        open_->session.start();
    } catch (const Error& e) {
        return lose(e.what());
    }
    log_.count("acquisitions_ended");
    first_of_acquisition_ += static_cast<std::uint64_t>(next_record_);
    next_record_ = 0;
    return Fetched::skipped;
}

/// False: it makes no sense.
bool NiScopeBoard::describe(RecordHeader& header) {
    header = RecordHeader{};
    header.counter = first_of_acquisition_ + static_cast<std::uint64_t>(next_record_++);
    samples_ = samples_fetched();
    if (samples_ == 0) {
        log_.count("damaged_record");
        return false;
    }
    header.channels = static_cast<std::uint16_t>(infos_.size());
    header.channel_mask = ~std::uint64_t{0} >> (64 - infos_.size());
    header.samples_per_channel = samples_;
    header.sample_type = SampleType::int8;
    header.board = board_index_;
    header.utc_ns = utc_now().time_since_epoch().count();
    if (samples_ < board_.samples) {
        header.flags |= record_flag::unexpected_length;
        log_.count("unexpected_length");
    }
    stamp(header);
    check_position(infos_.front());
    note_scale();
    ran_ = true;
    return true;
}

/// Of every input; 0: a number that cannot be.
std::uint32_t NiScopeBoard::samples_fetched() const noexcept {
    std::uint32_t least = board_.samples;
    for (const niscope::WfmInfo& info : infos_) {
        if (info.actual_samples < 0 || static_cast<std::uint32_t>(info.actual_samples) > board_.samples) return 0;
        least = std::min(least, static_cast<std::uint32_t>(info.actual_samples));
    }
    return least;
}

/// Counter and time of the trigger, behind all restarts so far.
void NiScopeBoard::stamp(RecordHeader& header) {
    const niscope::WfmInfo& info = infos_.front();
    const bool usable = info.absolute_initial_x > 0 && info.absolute_initial_x < kOldestClock_s;  // 0: it has no clock
    if (usable && timed_ && !restarted_ && !clock_anew_ && info.absolute_initial_x == last_stamp_s_) {
        header.flags |= record_flag::duplicate;
        header.counter = last_counter_;
        header.time_ps = last_time_ps_;
        log_.count("duplicate_record");
        return;
    }
    if (usable && base_s_ && is_elsewhere(info.absolute_initial_x)) clock_is_anew();
    if (usable && !base_s_) base_s_ = std::floor(info.absolute_initial_x);
    RestartBridge::Place place{header.counter, 0, header.utc_ns};
    bool fits = usable && trigger_time(info, place.time_ps);
    fits = bridge_.carry(place) && fits;
    if (restarted_ || (clock_anew_ && fits)) {
        place = bridge_.go_on(place, !restarted_);
        header.flags |= record_flag::clock_restarted;
        clock_anew_ = !fits;
        restarted_ = false;
    } else if (fits && timed_ && place.time_ps < last_time_ps_) {
        header.flags |= record_flag::clock_backwards;
        log_.count("clock_backwards");
    } else if (fits) {
        bridge_.keep(place);
    }
    if (fits) {
        note_time(header, info);
    } else {
        place.time_ps = last_time_ps_;
        header.flags |= record_flag::bad_time;
        log_.count("bad_time");
    }
    header.counter = last_counter_ = place.counter;
    header.time_ps = last_time_ps_ = place.time_ps;
}

/// The stamp is of the first sample, the trigger is less the way from it. False: no time of this run.
bool NiScopeBoard::trigger_time(const niscope::WfmInfo& info, std::int64_t& time_ps) const noexcept {
    const std::optional<std::int64_t> first = to_ps(info.absolute_initial_x - *base_s_);
    const std::optional<std::int64_t> from_trigger = to_ps(info.relative_initial_x);
    return first && from_trigger && !__builtin_sub_overflow(*first, *from_trigger, &time_ps);
}

void NiScopeBoard::note_time(RecordHeader& header, const niscope::WfmInfo& info) noexcept {
    const double ticks =
        (info.absolute_initial_x - info.relative_initial_x) * 1e12 / static_cast<double>(board_.clock_period_ps);
    header.clock = ticks >= 0 && ticks < 1e18 ? static_cast<std::uint64_t>(ticks + 0.5) : 0;
    last_stamp_s_ = info.absolute_initial_x;
    timed_ = true;
}

/// Only its time: the records are numbered on.
void NiScopeBoard::clock_is_anew() noexcept {
    base_s_.reset();
    clock_anew_ = timed_;
}

/// Too far away for this run, and so was the one before it, at about the same place: it was the first that was wrong.
bool NiScopeBoard::is_elsewhere(double stamp_s) noexcept {
    const auto near = [&](double other_s) { return std::abs(stamp_s - other_s) <= kLongestRun_s; };
    const bool again = !near(*base_s_) && far_stamp_s_ && near(*far_stamp_s_);
    far_stamp_s_ = near(*base_s_) || again ? std::nullopt : std::optional{stamp_s};
    return again;
}

void NiScopeBoard::check_position(const niscope::WfmInfo& info) {
    const double period_s = static_cast<double>(board_.sample_period_ps) * 1e-12;
    const double off = info.relative_initial_x / period_s + config_.pre_trigger_samples;
    if (!(std::abs(off) <= 1.5)) log_.count("misplaced_trigger");
}

void NiScopeBoard::count_warnings() {
    if (const std::uint64_t warnings = open_->session.take_warnings(); warnings != 0) log_.count("warnings", warnings);
}

/// How codes become volts, once per session: it follows from the ranges.
void NiScopeBoard::note_scale() {
    if (std::exchange(scale_noted_, true)) return;
    for (std::size_t c = 0; c < infos_.size(); ++c) {
        log::readout().info("{}: channel {}: volts = code x {:g} + {:g}", who_, board_.channels[c].name, infos_[c].gain,
                            infos_[c].offset);
    }
    scale_ = infos_;
}

void NiScopeBoard::read_sensors(TimePoint now) {
    if (now < next_reading_) return;
    next_reading_ = now + config_.readings_interval;
    readings_.clear();
    const std::optional<double> warm = has_temperature_ ? open_->session.temperature_c() : std::nullopt;
    has_temperature_ = warm.has_value();
    if (warm) readings_.push_back({"temperature", *warm, "degC"});
    if (const std::optional<std::int32_t> done = open_->session.records_done()) {
        readings_.push_back({"records_waiting", static_cast<double>(*done - next_record_), ""});
    }
    for (std::size_t c = 0; c < scale_.size(); ++c) {
        readings_.push_back({board_.channels[c].name + "_per_code", scale_[c].gain, "V"});
        readings_.push_back({board_.channels[c].name + "_at_zero", scale_[c].offset, "V"});
    }
}

void NiScopeBoard::fill(std::span<std::byte> payload) {
    for (std::size_t c = 0; c < infos_.size(); ++c) {
        std::memcpy(payload.data(), waveforms_.data() + c * board_.samples, samples_);
        payload = payload.subspan(samples_);
    }
    std::fill(payload.begin(), payload.end(), std::byte{0});
}

void NiScopeBoard::finish() {
    if (reopener_) reopener_->request_stop();
    if (!open_) return;
    open_->session.abort();
    open_.reset();
}

std::vector<std::pair<std::string, std::uint64_t>> NiScopeBoard::defects() const {
    std::vector<std::pair<std::string, std::uint64_t>> all = log_.counts();
    const auto add = [&](const char* name, std::uint64_t count) {
        if (count != 0) all.emplace_back(name, count);
    };
    add("disconnects", disconnects_);
    add("reconnects", reconnects_);
    add("failed_attempts", failed_attempts_ + (reopener_ ? reopener_->failed_attempts() : 0));
    return all;
}

}  // namespace alleycat
