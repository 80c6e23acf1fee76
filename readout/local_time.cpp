#include "readout/local_time.hpp"

#include <fmt/format.h>

#include <boost/date_time/local_time/local_time.hpp>
#include <regex>

#include "daq/core/error.hpp"

namespace alleycat {

struct TimeZone::Rule {
    boost::local_time::time_zone_ptr zone;
    std::chrono::seconds standard;
    std::chrono::seconds daylight;
};

namespace {

using namespace std::chrono;

/// "[+-]hh[:mm[:ss]]" to seconds.
seconds read_clock(const std::string& text) {
    const bool negative = text.starts_with('-');
    int part[3] = {0, 0, 0};
    (void)std::sscanf(text.c_str() + (negative || text.starts_with('+') ? 1 : 0), "%d:%d:%d", &part[0], &part[1],
                      &part[2]);
    const seconds sum = hours{part[0]} + minutes{part[1]} + seconds{part[2]};
    return negative ? -sum : sum;
}

std::string write_clock(seconds time) {
    const hh_mm_ss clock{abs(time)};
    return fmt::format("{}{:02}:{:02}:{:02}", time < seconds{0} ? '-' : '+', clock.hours().count(),
                       clock.minutes().count(), clock.seconds().count());
}

/// POSIX counts offsets west of Greenwich and gives daylight saving time as an offset of its own; Boost counts east and
/// takes the difference to standard time.
struct Translated {
    std::string boost_rule;
    seconds standard;
    seconds daylight;
};
Translated translate(const std::string& rule) {
    static const std::string kName = "([A-Za-z]{3,}|<[A-Za-z0-9+-]{3,}>)";
    static const std::string kOffset = "([+-]?(?:1?[0-9]|0[0-9]|2[0-4])(?::[0-5][0-9]){0,2})";
    static const std::string kChange =
        ",(M(?:[1-9]|1[0-2])\\.[1-5]\\.[0-6])(?:/((?:1?[0-9]|0[0-9]|2[0-3])(?::[0-5][0-9]){0,2}))?";
    static const std::regex kRule{kName + kOffset + "(?:" + kName + kOffset + "?" + kChange + kChange + ")?"};
    std::smatch found;
    if (!std::regex_match(rule, found, kRule)) {
        throw UsageError{fmt::format("'{}' is not a POSIX time-zone rule like EST5EDT,M3.2.0,M11.1.0 or UTC0", rule)};
    }
    Translated result{.boost_rule = {}, .standard = -read_clock(found[2]), .daylight = {}};
    result.daylight = result.standard;
    result.boost_rule = "STD" + write_clock(result.standard);
    if (found[3].matched) {
        result.daylight = found[4].matched ? -read_clock(found[4]) : result.standard + hours{1};
        const auto at = [](const std::ssub_match& time) {
            return write_clock(time.matched ? read_clock(time) : hours{2}).substr(1);
        };
        result.boost_rule += "DST" + write_clock(result.daylight - result.standard) + "," + found[5].str() + "/" +
                             at(found[6]) + "," + found[7].str() + "/" + at(found[8]);
    }
    return result;
}

sys_time<milliseconds> as_if_utc(const LocalTime& local) {
    const year_month_day date{year{local.year}, month{static_cast<unsigned>(local.month)},
                              day{static_cast<unsigned>(local.day)}};
    return sys_days{date} + hours{local.hour} + minutes{local.minute} + seconds{local.second} +
           milliseconds{10 * local.hundredths};
}

/// The one or two moments at which the clock showed this; both the same when there is one.
struct Readings {
    UtcTime first, second;
};
Readings readings_of(const LocalTime& local, const TimeZone& zone) {
    if (!is_valid(local)) {
        throw Error{fmt::format("{:04}-{:02}-{:02} {:02}:{:02}:{:02}.{:02} is not a time of any day", local.year,
                                local.month, local.day, local.hour, local.minute, local.second, local.hundredths)};
    }
    const auto clock = as_if_utc(local);
    const UtcTime standard = clock - zone.standard_offset();
    const UtcTime daylight = clock - zone.daylight_offset();
    const bool can_be_standard = zone.offset_at(standard) == zone.standard_offset();
    const bool can_be_daylight = zone.offset_at(daylight) == zone.daylight_offset();
    if (can_be_standard && can_be_daylight) return {std::min(standard, daylight), std::max(standard, daylight)};
    if (can_be_daylight) return {daylight, daylight};
    return {standard, standard};  // also in the hour that is left out
}

}  // namespace

bool is_valid(const LocalTime& local) noexcept {
    const auto within = [](int value, int first, int last) { return value >= first && value <= last; };
    return within(local.year, 1970, 2199) && within(local.month, 1, 12) && within(local.day, 1, 31) &&
           year_month_day{year{local.year}, month{static_cast<unsigned>(local.month)},
                          day{static_cast<unsigned>(local.day)}}
               .ok() &&
           within(local.hour, 0, 23) && within(local.minute, 0, 59) && within(local.second, 0, 59) &&
           within(local.hundredths, 0, 99);
}

TimeZone::TimeZone(std::string_view rule) : rule_{rule} {
    const Translated translated = translate(rule_);
    try {
        zone_ = std::make_shared<const Rule>(
            Rule{boost::local_time::time_zone_ptr{new boost::local_time::posix_time_zone{translated.boost_rule}},
                 translated.standard, translated.daylight});
    } catch (const std::exception& e) {
        throw UsageError{fmt::format("'{}' is not a time-zone rule that can be used: {}", rule, e.what())};
    }
}

seconds TimeZone::standard_offset() const { return zone_->standard; }
seconds TimeZone::daylight_offset() const { return zone_->daylight; }

seconds TimeZone::offset_at(UtcTime time) const {
    if (zone_->daylight == zone_->standard) return zone_->standard;
    const auto day_start = floor<days>(time);
    const year_month_day date{day_start};
    const boost::gregorian::date boost_date{static_cast<unsigned short>(static_cast<int>(date.year())),
                                            static_cast<unsigned short>(static_cast<unsigned>(date.month())),
                                            static_cast<unsigned short>(static_cast<unsigned>(date.day()))};
    const boost::posix_time::ptime utc{boost_date,
                                       boost::posix_time::seconds{floor<seconds>(time - day_start).count()}};
    return boost::local_time::local_date_time{utc, zone_->zone}.is_dst() ? zone_->daylight : zone_->standard;
}

UtcTime local_to_utc(const LocalTime& local, const TimeZone& zone) { return readings_of(local, zone).first; }

UtcTime local_to_utc(const LocalTime& local, const TimeZone& zone, UtcTime expected) {
    const Readings readings = readings_of(local, zone);
    // Compared at the middle between the two: a difference to `expected` itself could leave the range of 292 years.
    return expected < readings.first + (readings.second - readings.first) / 2 ? readings.first : readings.second;
}

LocalTime utc_to_local(UtcTime time, const TimeZone& zone) {
    const auto local = floor<milliseconds>(time) + zone.offset_at(time);
    const auto day_start = floor<days>(local);
    const year_month_day date{day_start};
    const hh_mm_ss clock{local - day_start};
    return {static_cast<int>(date.year()),
            static_cast<int>(static_cast<unsigned>(date.month())),
            static_cast<int>(static_cast<unsigned>(date.day())),
            static_cast<int>(clock.hours().count()),
            static_cast<int>(clock.minutes().count()),
            static_cast<int>(clock.seconds().count()),
            static_cast<int>(clock.subseconds().count() / 10)};
}

}  // namespace alleycat
