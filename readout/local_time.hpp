#pragma once
// Wall-clock stamps of old recordings are local time without a zone. The rule that makes them UTC is configuration.

#include <chrono>
#include <memory>
#include <string>
#include <string_view>

#include "daq/core/time.hpp"

namespace alleycat {

/// A wall clock's reading, as the LabVIEW files stamp it.
struct LocalTime {
    int year = 1970;  ///< with the century
    int month = 1;    ///< 1..12
    int day = 1;      ///< 1..31
    int hour = 0;
    int minute = 0;
    int second = 0;      ///< 0..59: no leap seconds
    int hundredths = 0;  ///< of a second

    friend bool operator==(const LocalTime&, const LocalTime&) = default;
};

/// A day of the calendar from 1970 to 2199 and a time of that day.
[[nodiscard]] bool is_valid(const LocalTime& local) noexcept;

/// A POSIX time-zone rule, as in the environment variable TZ: "EST5EDT,M3.2.0,M11.1.0" for the Eastern US since 2007,
/// "UTC0" for none. Offsets count west of Greenwich positive, as POSIX has them; the hour of change is "/2" unless
/// given. A zone with daylight saving time must name its two days of change, in the form Mmonth.week.weekday.
class TimeZone {
  public:
    /// Throws UsageError naming a rule that cannot be read.
    explicit TimeZone(std::string_view rule);

    [[nodiscard]] const std::string& rule() const noexcept { return rule_; }
    /// Local time minus UTC at this moment.
    [[nodiscard]] std::chrono::seconds offset_at(UtcTime time) const;
    [[nodiscard]] std::chrono::seconds standard_offset() const;
    [[nodiscard]] std::chrono::seconds daylight_offset() const;

  private:
    struct Rule;
    std::string rule_;
    std::shared_ptr<const Rule> zone_;  // shared: zones are copied as values and never change
};

/// UTC of a wall clock's reading. Never throws for a valid reading, so that no hour of the year ends a replay:
///
/// * in autumn an hour comes twice: the first (daylight saving) one is meant;
/// * in spring an hour is left out: a clock that shows it was not put forward, so standard time is meant.
///
/// Throws Error for a reading that is not valid.
[[nodiscard]] UtcTime local_to_utc(const LocalTime& local, const TimeZone& zone);

/// The same, but in the hour that comes twice the reading nearer to `expected` (the stamp before) is meant: a recording
/// that runs through the change then keeps its time going forward.
[[nodiscard]] UtcTime local_to_utc(const LocalTime& local, const TimeZone& zone, UtcTime expected);

/// Hundredths are cut, not rounded.
[[nodiscard]] LocalTime utc_to_local(UtcTime time, const TimeZone& zone);

}  // namespace alleycat
