#include "monitor/alarms.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

namespace alleycat {
namespace {

constexpr double kDiskSlowS = 5;          // of data that wait, and for how long: they are synced once a second at least
constexpr double kHysteresis = 0.1;       // of a limit
constexpr double kBoardSpanS = 3;         // rate by the board's clock: needs so much data
constexpr double kHostSpanS = 10;         // by the host's clock: triggers come in bunches, so it takes longer
constexpr std::uint64_t kMinEvents = 60;  // behind a mean, before it is judged
constexpr double kNever = std::numeric_limits<double>::infinity();

/// Subtracted as integers: a double of nanoseconds since 1970 resolves 256 ns only. Unsigned, so that no time
/// overflows.
double seconds_between(std::int64_t from_ns, std::int64_t to_ns) {
    const auto difference = static_cast<std::uint64_t>(to_ns) - static_cast<std::uint64_t>(from_ns);
    return static_cast<double>(static_cast<std::int64_t>(difference)) / 1e9;
}

/// Ticks that came apart from the triggers, as the status counts them.
std::uint64_t ticks_seen(const Status& status) {
    for (const auto& [name, value] : status.counters) {
        if (name == "ticks.seen") return value;
    }
    return 0;
}

}  // namespace

/// Of the timing signal, as the boards' readers count them, refused ones included; 0: not counted.
std::uint64_t ticks_at_the_boards(const Status& status) {
    std::uint64_t most = 0;
    for (const auto& [name, value] : status.counters) {
        if (name.starts_with("readout.") && name.ends_with(".ticks")) most = std::max(most, value);
    }
    return most;
}

const BufferStatus* find_buffer(const Status& status, std::string_view name) {
    const auto found = std::find_if(status.buffers.begin(), status.buffers.end(),
                                    [&](const BufferStatus& b) { return b.name == name; });
    return found == status.buffers.end() ? nullptr : &*found;
}

double percent_full(const BufferStatus* buffer) {
    if (buffer == nullptr || buffer->capacity_bytes == 0) return 0;
    return 100 * static_cast<double>(buffer->used_bytes) / static_cast<double>(buffer->capacity_bytes);
}

/// Why triggers are refused or do not get on: the first thing in the chain that does not take any.
std::string what_holds_up(const Status& status) {
    if (!status.backed_up) return "a board's ring is full: the trigger stage was behind";
    const WriterStatus& writer = status.writer;
    if (!writer.connected) return "the retransmit buffer is full, and no writer is connected";
    if (!writer.problem.empty()) return "the retransmit buffer is full, the writer has a problem: " + writer.problem;
    return "the retransmit buffer is full, the writer is connected and behind";
}

/// The input, what follows from it, and what comes out.
struct AlarmWatch::Look {
    const AlarmInput& in;
    std::int64_t now_ns;
    bool running;      ///< acquiring, and past the warm-up
    bool rates_count;  ///< running, with a nominal rate, on host time
    std::vector<Alarm> changed;
};

AlarmWatch::AlarmWatch(AlarmConfig config) : config_{config} {}

AlarmWatch::Level AlarmWatch::level_of(std::string_view name) const {
    for (const Watched& w : watched_) {
        if (w.name == name) return w.level;
    }
    return std::nullopt;
}

AlarmWatch::Level AlarmWatch::above(std::string_view name, double value, double warning, double alarm) const {
    const Level now = level_of(name);
    const auto exceeds = [&](double limit, AlarmLevel level) {
        return value > (now.has_value() && *now >= level ? limit * (1 - kHysteresis) : limit);
    };
    if (exceeds(alarm, AlarmLevel::alarm)) return AlarmLevel::alarm;
    if (exceeds(warning, AlarmLevel::warning)) return AlarmLevel::warning;
    return std::nullopt;
}

double AlarmWatch::held_s(bool condition, std::int64_t now_ns, std::optional<std::int64_t>& since) {
    if (!condition) {
        since.reset();
        return 0;
    }
    if (!since) since = now_ns;
    return seconds_between(*since, now_ns);
}

void AlarmWatch::judge(Look& look, std::string_view name, Level wanted, std::string text) {
    auto found = std::find_if(watched_.begin(), watched_.end(), [&](const Watched& w) { return w.name == name; });
    if (found == watched_.end()) {
        if (!wanted) return;
        watched_.push_back({std::string{name}, std::nullopt, {}, 0, 0});
        found = watched_.end() - 1;
    }
    if (wanted >= found->level) {  // nullopt is below every level
        if (wanted) {
            found->bad_until_ns = look.now_ns;
            found->text = text;
        }
        if (wanted == found->level) return;
        if (!found->level) found->raised_utc_ns = look.now_ns;
    } else if (seconds_between(found->bad_until_ns, look.now_ns) < config_.clear_after_s) {
        return;
    }
    const AlarmLevel level = wanted ? *wanted : *found->level;
    found->level = wanted;
    found->bad_until_ns = look.now_ns;
    found->text = text;
    look.changed.push_back({found->name, level, wanted.has_value(), look.now_ns, std::move(text)});
}

std::vector<Alarm> AlarmWatch::update(const AlarmInput& input) {
    const Status& status = input.status;
    if (status.run != run_) {
        run_ = status.run;
        refused_before_ = 0;
        refused_last_ns_.reset();
        ledger_open_since_.reset();
        beam_unknown_since_.reset();
        disk_slow_since_.reset();
        good_fits_ = kept_before_ = 0;
        rate_samples_.clear();
    }
    const std::int64_t now_ns = input.now.time_since_epoch().count();
    const bool running =
        status.state == RunState::running && seconds_between(status.run_start_utc_ns, now_ns) >= config_.warm_up_s;
    Look look{input, now_ns, running, running && input.real_time && input.tick_rate_hz > 0, {}};
    watch_run(look);
    watch_rate(look);
    watch_ledger(look);
    watch_writer(look);
    watch_signal(look);
    watch_detectors(look);
    watch_calibration(look);
    watch_beam(look);
    watch_buffer(look);
    watch_boards(look);
    watch_clocks(look);
    return std::move(look.changed);
}

std::vector<Alarm> AlarmWatch::active() const {
    std::vector<Alarm> alarms;
    for (const Watched& w : watched_) {
        if (w.level) alarms.push_back({w.name, *w.level, true, w.raised_utc_ns, w.text});
    }
    return alarms;
}

void AlarmWatch::watch_run(Look& look) {
    const Status& status = look.in.status;
    const bool failed = status.state == RunState::error;
    judge(look, "run_error", failed ? Level{AlarmLevel::alarm} : std::nullopt,
          failed ? "the run is in error: " + status.reason : "the run is no longer in error");

    const std::uint64_t without_samples = not_kept(status.counters);
    const std::uint64_t refused = status.ledger.refused - std::min(status.ledger.refused, without_samples);
    if (refused > refused_before_) refused_last_ns_ = look.now_ns;
    refused_before_ = refused;
    const bool recent = refused_last_ns_ && seconds_between(*refused_last_ns_, look.now_ns) <= config_.refused_hold_s;
    if (!recent) {
        judge(look, "refused_triggers", std::nullopt,
              fmt::format("no trigger refused for {:.0f} s", config_.refused_hold_s));
        return;
    }
    const std::string since = status.dead_s > 0 ? fmt::format(", without a break for {:.0f} s", status.dead_s) : "";
    if (*refused_last_ns_ == look.now_ns) refused_why_ = what_holds_up(status);
    judge(look, "refused_triggers", AlarmLevel::alarm,
          fmt::format("{} triggers of this run were refused{}: {}", refused, since, refused_why_));
}

void AlarmWatch::watch_rate(Look& look) {
    const Status& status = look.in.status;
    if (!look.rates_count) {
        rate_samples_.clear();
        judge(look, "trigger_rate", std::nullopt, "the trigger rate is not judged now");
        judge(look, "stale_data", std::nullopt, "the age of the data is not judged now");
        return;
    }
    // By the host's clock, from what was counted some looks ago: blind to 0.1 Hz, but it shows a stall at once. Where
    // ticks are counted apart, strobes do not hide a missing one; those of hits reach the ledger when their hits have.
    // The readers' count goes on where the trigger thread waits for a writer.
    const std::uint64_t at_the_boards = ticks_at_the_boards(status);
    const std::uint64_t of_ledger =
        status.ledger.has_ticks ? status.ledger.ticks_seen : status.ledger.triggers + status.in_hand;
    const bool boards_count_them = at_the_boards > 0 && (look.in.ticks_apart || status.ledger.has_ticks);
    const std::uint64_t ticks = boards_count_them     ? at_the_boards
                                : look.in.ticks_apart ? ticks_seen(status)
                                                      : of_ledger;
    rate_samples_.push_back({look.now_ns, ticks});
    while (rate_samples_.size() > 2 && seconds_between(rate_samples_[1].utc_ns, look.now_ns) >= kHostSpanS) {
        rate_samples_.erase(rate_samples_.begin());
    }
    if (rate_samples_.size() > 64) rate_samples_.erase(rate_samples_.begin());
    const double span_s = seconds_between(rate_samples_.front().utc_ns, look.now_ns);
    const double nominal_hz = look.in.tick_rate_hz;
    double host_rate_hz = nominal_hz;
    if (span_s >= kHostSpanS && ticks >= rate_samples_.front().ticks) {
        host_rate_hz = static_cast<double>(ticks - rate_samples_.front().ticks) / span_s;
    }
    const double host_off_hz = std::abs(host_rate_hz - nominal_hz);
    // By the board's clock, from the times of the triggers themselves: exact, but an interval late.
    const Conditions& conditions = look.in.conditions;
    const bool board_known = !look.in.ticks_apart && conditions.tick_rate_span_s >= kBoardSpanS;
    const double board_off_hz = board_known ? std::abs(conditions.tick_rate_hz - nominal_hz) : 0;
    const double silent_s = seconds_between(std::max(status.last_trigger_utc_ns, status.run_start_utc_ns), look.now_ns);

    const Level by_host = above("trigger_rate", host_off_hz, kNever, config_.rate_alarm_hz);
    const Level by_board = above("trigger_rate", board_off_hz, config_.rate_warning_hz, config_.rate_alarm_hz);
    if (silent_s > config_.silence_s) {
        judge(look, "trigger_rate", AlarmLevel::alarm, fmt::format("no trigger for {:.0f} s", silent_s));
    } else if (by_host >= by_board && by_host) {
        judge(look, "trigger_rate", by_host, fmt::format("{:.2f} ticks/s, nominal {:g} Hz", host_rate_hz, nominal_hz));
    } else {
        judge(look, "trigger_rate", by_board,
              fmt::format("{:.3f} Hz by the board's clock, nominal {:g} Hz",
                          board_known ? conditions.tick_rate_hz : host_rate_hz, nominal_hz));
    }
    // Silence has its own alarm: here triggers come and their events do not.
    const double age_s =
        seconds_between(std::max(conditions.newest_event_utc_ns, status.run_start_utc_ns), look.now_ns);
    const bool stale = silent_s <= config_.silence_s && age_s > config_.stale_after_s;
    judge(look, "stale_data", stale ? Level{AlarmLevel::alarm} : std::nullopt,
          stale ? fmt::format("triggers come, but the newest event is {:.0f} s old{}", age_s,
                              status.backed_up ? ": " + what_holds_up(status) : "")
                : "events are up to date");
}

void AlarmWatch::watch_ledger(Look& look) {
    const Ledger& ledger = look.in.status.ledger;
    // As fast as it goes there is always a trigger between two counters; the end of the run tells.
    const bool judged = look.in.real_time || look.in.status.state != RunState::running;
    const double open_s = held_s(judged && !ledger.closes(), look.now_ns, ledger_open_since_);
    const bool open = ledger_open_since_.has_value() && open_s >= config_.ledger_patience_s;
    judge(look, "ledger", open ? Level{AlarmLevel::alarm} : std::nullopt,
          open ? fmt::format("the ledger does not close: {} ticks expected, {} seen, {} missed; {} triggers, {} "
                             "recorded, {} refused",
                             ledger.ticks_expected, ledger.ticks_seen, ledger.ticks_missed, ledger.triggers,
                             ledger.recorded, ledger.refused)
               : "the ledger closes");
}

void AlarmWatch::watch_writer(Look& look) {
    const WriterStatus& writer = look.in.status.writer;
    const double away_s = held_s(look.running && !writer.connected, look.now_ns, writer_away_since_);
    const bool away = writer_away_since_.has_value() && away_s >= config_.writer_away_s;
    judge(look, "writer_away", away ? Level{AlarmLevel::alarm} : std::nullopt,
          away ? fmt::format("no writer is connected: {} bytes wait in memory", writer.unacknowledged_bytes)
               : "a writer is connected, or none is needed");
    const bool full = writer.state == WriterState::stopped_disk_full;
    judge(look, "disk_full", full ? Level{AlarmLevel::alarm} : std::nullopt,
          full ? "nothing is written: " + writer.problem : "there is room on the disk");
    // Little room is what disk_low is about, with its hours; here it is a warning, in case nobody knows the hours.
    const bool low = writer.state == WriterState::disk_low;
    judge(look, "writer",
          writer.problem.empty() || full ? std::nullopt : Level{low ? AlarmLevel::warning : AlarmLevel::alarm},
          writer.problem.empty() || full ? "the writer is well" : "writer: " + writer.problem);

    watch_disk(look);
}

void AlarmWatch::watch_disk(Look& look) {
    const WriterStatus& writer = look.in.status.writer;
    disk_.look(look.in.status, look.now_ns);
    const bool writing =
        writer.connected && writer.state != WriterState::stopped_disk_full && writer.state != WriterState::failed;
    // The writer takes what it is sent, and that does not get to disk.
    const std::optional<WaitingData> waiting = waiting_for_writer(look.in.status.buffers);
    const bool waits = look.running && look.in.real_time && writing && waiting && waiting->held_s > kDiskSlowS;
    const bool slow = held_s(waits, look.now_ns, disk_slow_since_) >= kDiskSlowS && waits;
    judge(look, "disk_slow", slow ? Level{AlarmLevel::warning} : std::nullopt,
          slow ? fmt::format("the disk, or the writer, is slow: {:.0f} s of data are not on the disk yet{}",
                             waiting->held_s, writer.problem.empty() ? "" : "; " + writer.problem)
               : "what comes gets to disk in time");

    if (!look.running || !look.in.real_time || !disk_.outlook()) {
        // Without a writer nobody knows the disk; what was known stays.
        if (!look.running) judge(look, "disk_low", std::nullopt, "nothing is written now");
        return;
    }
    const DiskOutlook& disk = *disk_.outlook();
    // "1 / hours above 1 / limit": few hours are bad.
    const auto inverse = [](double limit_h) { return limit_h > 0 ? 1 / limit_h : kNever; };
    judge(look, "disk_low",
          above("disk_low", 1 / disk.hours_left, inverse(config_.disk_warning_h), inverse(config_.disk_alarm_h)),
          fmt::format("{:.1f} h until {}, at {:.1f} MB/s", disk.hours_left,
                      writer.disk_stop_bytes > 0 ? "writing stops for want of space" : "the disk is full",
                      disk.bytes_per_s * 1e-6));
}

void AlarmWatch::watch_signal(Look& look) {
    const Conditions& c = look.in.conditions;
    if (!look.running || c.events < kMinEvents) {
        for (const char* name : {"baseline", "baseline_sigma", "spe_charge"}) {
            judge(look, name, std::nullopt, "not judged now");
        }
        return;
    }
    // Distance from the middle of the range, in half ranges; NaN (no baseline at all) is as far out as can be.
    const auto distance = [](double value, double low, double high) {
        const double far = std::abs(value - (low + high) / 2) / std::max((high - low) / 2, 1e-12);
        return std::isnan(far) ? kNever : far;
    };
    judge(look, "baseline",
          above("baseline", distance(c.baseline_median_adc, config_.baseline_min_adc, config_.baseline_max_adc), 1,
                kNever),
          fmt::format("baseline {:.1f} ADC, range {:g} to {:g}", c.baseline_median_adc, config_.baseline_min_adc,
                      config_.baseline_max_adc));
    const double sigma = std::isnan(c.baseline_sigma_adc) ? kNever : c.baseline_sigma_adc;
    judge(look, "baseline_sigma", above("baseline_sigma", sigma, kNever, config_.baseline_sigma_max_adc),
          fmt::format("baseline noise {:.2f} ADC, limit {:g}", c.baseline_sigma_adc, config_.baseline_sigma_max_adc));
    const double spe_off =
        c.spe_charge_adc > 0 ? distance(c.spe_charge_adc, config_.spe_min_adc, config_.spe_max_adc) : 0;
    judge(look, "spe_charge", above("spe_charge", spe_off, kNever, 1),
          fmt::format("SPE charge {:.1f} ADC x sample, range {:g} to {:g}", c.spe_charge_adc, config_.spe_min_adc,
                      config_.spe_max_adc));
}

void AlarmWatch::watch_detectors(Look& look) {
    const std::vector<std::string>& silent = look.in.conditions.silent_detectors;
    const bool any = look.running && !silent.empty();
    judge(look, "detector_silent", any ? Level{AlarmLevel::alarm} : std::nullopt,
          any ? fmt::format("no event from {} while the other detectors had some: {:g} each would have been due",
                            fmt::join(silent, ", "), config_.silent_detector_events)
              : "every detector has events");
}

void AlarmWatch::watch_calibration(Look& look) {
    const auto count = [&](std::string_view name) -> std::uint64_t {
        for (const auto& [known, value] : look.in.status.counters) {
            if (known == name) return value;
        }
        return 0;
    };
    const std::uint64_t kept = count("calibration.fits_kept");
    const std::uint64_t good = count("calibration.fits") - kept;
    if (good != good_fits_) {
        good_fits_ = good;
        kept_before_ = kept;
    }
    const auto in_a_row = static_cast<double>(kept - kept_before_);
    const bool bad = config_.spe_kept_blocks > 0 && in_a_row >= config_.spe_kept_blocks;
    judge(look, "spe_fit", bad ? Level{AlarmLevel::warning} : std::nullopt,
          bad ? fmt::format("no good fit of the SPE charge for {:.0f} blocks: the last good value goes on", in_a_row)
              : "the fit of the SPE charge is good again");
}

void AlarmWatch::watch_beam(Look& look) {
    const Status& status = look.in.status;
    const bool judged = look.running && look.in.real_time && config_.beam_unknown_s > 0;
    const double unknown_s =
        held_s(judged && status.beam_state == BeamState::unknown, look.now_ns, beam_unknown_since_);
    const bool unknown = judged && unknown_s > config_.beam_unknown_s;
    const bool late = judged && status.beam_lag_s > config_.beam_unknown_s;
    judge(look, "beam_unknown", unknown || late ? Level{AlarmLevel::warning} : std::nullopt,
          unknown
              ? fmt::format("beam state unknown for {:.0f} s: these ticks count neither as ON nor as OFF", unknown_s)
          : late ? fmt::format("beam states are {:.0f} s behind the events", status.beam_lag_s)
                 : "beam states are known");
    const bool wrong_index = look.running && status.index_check.verdict == IndexVerdict::contradicted;
    judge(look, "beam_index", wrong_index ? Level{AlarmLevel::alarm} : std::nullopt,
          wrong_index ? to_text(status.index_check) : "the charge index is not contradicted");
}

void AlarmWatch::watch_buffer(Look& look) {
    const Status& status = look.in.status;
    const double percent = percent_full(find_buffer(status, "retransmit"));
    std::string text = fmt::format("retransmit buffer {:.0f} % full", percent);
    if (const std::optional<WaitingData> waiting = waiting_for_writer(status.buffers)) {
        text += fmt::format(
            ": {:.0f} s of data, {}", waiting->held_s,
            status.backed_up
                ? "triggers are refused"
                : fmt::format("triggers are refused in {:.0f} s if the writer takes nothing", waiting->left_s));
    }
    if (!status.writer.connected) text += "; no writer is connected";
    judge(look, "retransmit_buffer",
          above("retransmit_buffer", percent, config_.buffer_warning_percent, config_.buffer_alarm_percent),
          std::move(text));
}

void AlarmWatch::watch_boards(Look& look) {
    const std::vector<BoardStatus>& boards = look.in.status.boards;
    std::vector<std::string> missing;
    for (const BoardStatus& board : boards) {
        if (config_.board_missing_s > 0 && board.missing_s.value_or(0) > config_.board_missing_s)
            missing.push_back(fmt::format("{} for {:.0f} s", board.name, *board.missing_s));
    }
    const bool any = look.running && !missing.empty();
    judge(look, "board_missing", any ? Level{AlarmLevel::alarm} : std::nullopt,
          any ? fmt::format("triggers go on without a board: nothing from {}", fmt::join(missing, ", "))
              : "every board is there");

    double highest = 0;
    std::string hottest;
    for (const BoardStatus& board : boards) {
        const std::optional<double> degrees = highest_temperature(board);
        if (!degrees || *degrees <= highest) continue;
        highest = *degrees;
        hottest = board.name;
    }
    const double limit = config_.board_temperature_degc > 0 ? config_.board_temperature_degc : kNever;
    judge(look, "board_temperature", look.running ? above("board_temperature", highest, kNever, limit) : std::nullopt,
          hottest.empty() ? "no board tells a temperature"
                          : fmt::format("board {}: {:.1f} degC, limit {:g}", hottest, highest, limit));
}

void AlarmWatch::watch_clocks(Look& look) {
    double worst = 0;  // [ppm], with its sign
    std::string name;
    for (const BoardStatus& board : look.in.status.boards) {
        const double drift = board.clock_drift_ppm.value_or(0);
        if (std::abs(drift) <= std::abs(worst)) continue;
        worst = drift;
        name = board.name;
    }
    const double limit = config_.board_clock_drift_ppm > 0 ? config_.board_clock_drift_ppm : kNever;
    judge(look, "board_clock_drift",
          look.running ? above("board_clock_drift", std::abs(worst), limit, kNever) : std::nullopt,
          name.empty() ? "no clock drifts"
                       : fmt::format("board {}: its clock runs {:+.2f} ppm against the reference board's, limit {:g}",
                                     name, worst, limit));
}

}  // namespace alleycat
