// Words for the vocabulary: what enumerations, times and features are called in files, logs and on screens.

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "daq/core/error.hpp"
#include "daq/core/event.hpp"
#include "daq/core/operator_note.hpp"
#include "daq/core/record.hpp"
#include "daq/core/run_description.hpp"
#include "daq/core/status.hpp"
#include "daq/core/time.hpp"

namespace alleycat {

std::string_view to_text(SampleType type) noexcept {
    switch (type) {
        case SampleType::int8: return "int8";
        case SampleType::uint8: return "uint8";
        case SampleType::int16: return "int16";
        case SampleType::uint16: break;
    }
    return "uint16";
}

std::uint64_t not_kept(const CounterValues& counters) noexcept {
    const auto at =
        std::find_if(counters.begin(), counters.end(), [](const auto& c) { return c.first == kNotKeptCounter; });
    return at == counters.end() ? 0 : at->second;
}

std::vector<std::pair<std::string, std::uint64_t>> missing_by_board(const CounterValues& counters) {
    constexpr std::string_view before{"builder."}, behind{".missing"};
    std::vector<std::pair<std::string, std::uint64_t>> boards;
    for (const auto& [name, n] : counters) {
        if (n == 0 || !name.starts_with(before) || !name.ends_with(behind)) continue;
        boards.emplace_back(name.substr(before.size(), name.size() - before.size() - behind.size()), n);
    }
    return boards;
}

std::optional<WaitingData> waiting_for_writer(std::span<const BufferStatus> buffers) noexcept {
    double used = 0, capacity = 0, bytes_per_s = 0;
    for (const BufferStatus& b : buffers) {
        if (b.name != "retransmit" && b.name != "spill") continue;
        used += static_cast<double>(b.used_bytes);
        capacity += static_cast<double>(b.capacity_bytes);
        bytes_per_s = std::max(bytes_per_s, b.data_bytes_per_s);
    }
    if (!(bytes_per_s > 0)) return std::nullopt;
    return WaitingData{used / bytes_per_s, std::max(0.0, capacity - used) / bytes_per_s};
}

std::string to_text(const Gap& gap) {
    const double seconds = static_cast<double>(gap.to_utc_ns - gap.from_utc_ns) * 1e-9;
    return fmt::format("run {} was cut off {}: {:.1f} s, an estimated {} triggers are lost{}", gap.previous_run,
                       gap.last_sequence == kNoSequence ? "before any trigger was on disk"
                                                        : fmt::format("after trigger {}", gap.last_sequence),
                       seconds, gap.lost_estimated,
                       gap.told_by_writer ? "" : " at most: the daemon's mark, which says so, is up to a second old");
}

std::string_view provenance_of(const Gap& gap) noexcept {
    return gap.told_by_writer ? " (from what is on disk)" : " (by the daemon's own mark, up to a second too early)";
}

std::string value_text(const BoardReading& reading) {
    if (reading.name == "busy") return fmt::format("{:.3g} %", 100 * reading.value);
    return fmt::format("{:.6g}{}{}", reading.value, reading.unit.empty() ? "" : " ", reading.unit);
}

std::string to_text(const BoardReading& reading) { return fmt::format("{} {}", reading.name, value_text(reading)); }

std::optional<double> highest_temperature(const BoardStatus& board) noexcept {
    std::optional<double> highest;
    for (const BoardReading& reading : board.readings) {
        if (reading.unit == "degC") highest = std::max(highest.value_or(reading.value), reading.value);
    }
    return highest;
}

std::optional<double> busy_share(const BoardStatus& board) noexcept {
    const auto at = std::ranges::find(board.readings, "busy", &BoardReading::name);
    return at == board.readings.end() ? std::nullopt : std::optional{at->value};
}

bool has_something_to_say(const BoardStatus& board) noexcept {
    return board.missing_s || board.clock_offset_ns || board.clock_drift_ppm || !board.readings.empty();
}

std::string to_text(const BoardStatus& board) {
    std::vector<std::string> parts;
    if (board.missing_s) parts.push_back(fmt::format("MISSING for {:.1f} s", *board.missing_s));
    std::vector<std::string> clock;
    if (board.clock_offset_ns) clock.push_back(fmt::format("{:+.1f} ns", *board.clock_offset_ns));
    if (board.clock_drift_ppm) clock.push_back(fmt::format("{:+.3f} ppm", *board.clock_drift_ppm));
    if (!clock.empty()) parts.push_back(fmt::format("clock {}", fmt::join(clock, ", ")));
    for (const BoardReading& reading : board.readings) parts.push_back(to_text(reading));
    return fmt::format("board {}: {}", board.name, parts.empty() ? "there" : fmt::format("{}", fmt::join(parts, "; ")));
}

std::string to_text(const IndexCheck& check) {
    switch (check.verdict) {
        case IndexVerdict::none: return "nothing checks the charge index";
        case IndexVerdict::undecided:
            return fmt::format(
                "the charge index {} is neither confirmed nor contradicted: evidence {:.1f} from {} ticks",
                check.configured, check.evidence, check.ticks);
        case IndexVerdict::confirmed:
            return fmt::format("the charge index {} is confirmed: evidence {:.1f} from {} ticks", check.configured,
                               check.evidence, check.ticks);
        case IndexVerdict::contradicted: break;
    }
    return fmt::format(
        "the charge index {} is contradicted, it should be {}: evidence {:.1f} from {} ticks. Beam states are wrong by "
        "a "
        "pulse: correct beam.charge_index",
        check.configured, check.best, check.evidence, check.ticks);
}

std::string note_problem(const OperatorNote& note) {
    const auto problem = [](std::string_view what, const std::string& text, std::size_t most) -> std::string {
        if (text.empty()) return fmt::format("{} is empty", what);
        if (text.size() > most) return fmt::format("{} has {} bytes, {} are allowed", what, text.size(), most);
        const auto unprintable = [](char c) { return static_cast<unsigned char>(c) < ' ' || c == '\x7f'; };
        if (std::ranges::any_of(text, unprintable)) return fmt::format("{} is more than one line of plain text", what);
        return "";
    };
    const std::string of_author = problem("the author", note.author, kMaxNoteAuthor);
    if (!of_author.empty()) return of_author;
    return problem(note.kind == NoteKind::comment ? "the comment" : "the reason", note.text, kMaxNoteText);
}

UtcTime utc_now() noexcept {
    return std::chrono::time_point_cast<std::chrono::nanoseconds>(std::chrono::system_clock::now());
}

std::string to_iso8601(UtcTime time) {
    using namespace std::chrono;
    const auto day = floor<days>(time);
    const year_month_day date{day};
    const hh_mm_ss clock{floor<milliseconds>(time - day)};
    return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z", static_cast<int>(date.year()),
                       static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()), clock.hours().count(),
                       clock.minutes().count(), clock.seconds().count(), clock.subseconds().count());
}

UtcTime from_iso8601(std::string_view text) {
    using namespace std::chrono;
    std::string_view rest = text;
    bool good = true;
    const auto number = [&](std::size_t digits) {
        std::int64_t value = 0;
        for (std::size_t i = 0; i < digits; ++i) {
            good = good && !rest.empty() && rest.front() >= '0' && rest.front() <= '9';
            if (!good) return std::int64_t{0};
            value = 10 * value + (rest.front() - '0');
            rest.remove_prefix(1);
        }
        return value;
    };
    const auto literal = [&](char expected) {
        good = good && rest.starts_with(expected);
        if (good) rest.remove_prefix(1);
    };
    const auto year_ = static_cast<int>(number(4));
    literal('-');
    const auto month_ = static_cast<unsigned>(number(2));
    literal('-');
    const auto day_ = static_cast<unsigned>(number(2));
    literal('T');
    const std::int64_t hour_ = number(2);
    literal(':');
    const std::int64_t minute_ = number(2);
    literal(':');
    const std::int64_t second_ = number(2);
    std::int64_t fraction_ns = 0;
    if (good && rest.starts_with('.')) {
        literal('.');
        const std::size_t digits = std::min<std::size_t>(rest.find('Z'), 10);
        good = digits >= 1 && digits <= 9;
        fraction_ns = number(digits);
        for (std::size_t i = digits; i < 9; ++i) fraction_ns *= 10;
    }
    literal('Z');
    const year_month_day date{year{year_}, month{month_}, day{day_}};
    good = good && rest.empty() && date.ok() && hour_ <= 23 && minute_ <= 59 && second_ <= 60;
    // int64 nanoseconds end in 1677 and 2262; whole seconds inside these limits leave room for any fraction.
    const sys_seconds whole =
        good ? sys_days{date} + hours{hour_} + minutes{minute_} + seconds{second_} : sys_seconds{};
    if (!good || whole < ceil<seconds>(UtcTime::min()) ||
        whole > floor<seconds>(UtcTime::max() - nanoseconds{fraction_ns})) {
        throw Error{fmt::format("'{}' is not a UTC time like 2026-01-31T12:00:00Z", text)};
    }
    return UtcTime{whole} + nanoseconds{fraction_ns};
}

std::string to_text(std::chrono::seconds duration) {
    using namespace std::chrono;
    const std::string_view sign = duration < seconds{0} ? "-" : "";
    const seconds length = abs(duration);
    const auto whole_days = floor<days>(length);
    const hh_mm_ss clock{length - whole_days};
    const std::string time =
        fmt::format("{:02}:{:02}:{:02}", clock.hours().count(), clock.minutes().count(), clock.seconds().count());
    return whole_days.count() == 0 ? fmt::format("{}{}", sign, time)
                                   : fmt::format("{}{} d {}", sign, whole_days.count(), time);
}

std::vector<FeatureInfo> core_features() {
    using enum FeatureType;
    return {
        {"pretrace_peaks", "", u32, "peaks whose onset lies in the pretrace"},
        {"roi_peaks", "", u32, "peaks whose onset lies in the region of interest"},
        {"window_peaks", "", u32, "peaks whose onset lies in the integration window"},
        {"arrival_sample", "sample", i32,
         "start of the first peak's integration; -1: none, or the window does not fit"},
        {"arrival_ns", "ns", f64, "arrival from the start of the region of interest"},
        {"charge_adc", "adc*sample", f64, "charge inside peaks of the integration window, local baseline"},
        {"charge_global_adc", "adc*sample", f64, "the same with the median baseline"},
        {"charge_pe", "pe", f64, "charge_adc over the SPE charge in force"},
        {"t10_ns", "ns", f64, "arrival to 10 % of charge_adc"},
        {"t50_ns", "ns", f64, "arrival to 50 % of charge_adc"},
        {"t90_ns", "ns", f64, "arrival to 90 % of charge_adc"},
        {"t10_global_ns", "ns", f64, "arrival to 10 % of charge_global_adc"},
        {"t50_global_ns", "ns", f64, "arrival to 50 % of charge_global_adc"},
        {"t90_global_ns", "ns", f64, "arrival to 90 % of charge_global_adc"},
        {"rise_10_90_ns", "ns", f64, "t90_ns - t10_ns"},
    };
}

bool identical(const Event& a, const Event& b) noexcept {
    const auto same = [](double x, double y) {
        return std::bit_cast<std::uint64_t>(x) == std::bit_cast<std::uint64_t>(y);
    };
    if (a.sequence != b.sequence || a.time_ps != b.time_ps || a.trigger_class != b.trigger_class ||
        a.window_count != b.window_count || a.feature_count != b.feature_count || a.flags != b.flags ||
        a.detector != b.detector || a.tick != b.tick || a.since_tick_ps != b.since_tick_ps ||
        !same(a.baseline_median_adc, b.baseline_median_adc) || !same(a.baseline_mean_adc, b.baseline_mean_adc) ||
        !same(a.baseline_sigma_adc, b.baseline_sigma_adc) || !same(a.spe_charge_adc, b.spe_charge_adc)) {
        return false;
    }
    for (std::size_t w = 0; w < a.window_count; ++w) {
        if (a.window[w].cuts != b.window[w].cuts) return false;
        for (std::size_t f = 0; f < a.feature_count; ++f) {
            if (!same(a.window[w].value[f], b.window[w].value[f])) return false;
        }
    }
    return true;
}

}  // namespace alleycat
