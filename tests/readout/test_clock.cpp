#include <catch2/catch.hpp>

#include <cstdlib>
#include <ctime>

#include "daq/core/error.hpp"
#include "readout/clock_unwrapper.hpp"
#include "readout/local_time.hpp"

using namespace alleycat;

namespace {
const TimeZone kEastern{"EST5EDT,M3.2.0,M11.1.0"};
std::string utc(const LocalTime& local, const TimeZone& zone = kEastern) {
    return to_iso8601(local_to_utc(local, zone));
}
}  // namespace

TEST_CASE("Eastern summer is four hours behind UTC and winter five", "[readout][unit]") {
    REQUIRE(utc({2015, 10, 2, 12, 0, 0, 25}) == "2015-10-02T16:00:00.250Z");
    REQUIRE(utc({2015, 12, 24, 23, 30, 0, 0}) == "2015-12-25T04:30:00.000Z");
}

TEST_CASE("daylight saving time begins and ends at the right second", "[readout][unit]") {
    // 2016: second Sunday of March is the 13th, first Sunday of November the 6th, both at 2:00 of the clock.
    REQUIRE(utc({2016, 3, 13, 1, 59, 59, 99}) == "2016-03-13T06:59:59.990Z");
    REQUIRE(utc({2016, 3, 13, 3, 0, 0, 0}) == "2016-03-13T07:00:00.000Z");
    REQUIRE(utc({2016, 11, 6, 0, 59, 59, 0}) == "2016-11-06T04:59:59.000Z");
    REQUIRE(utc({2016, 11, 6, 2, 0, 0, 0}) == "2016-11-06T07:00:00.000Z");
    REQUIRE(kEastern.offset_at(from_iso8601("2016-11-06T05:59:59Z")) == std::chrono::hours{-4});
    REQUIRE(kEastern.offset_at(from_iso8601("2016-11-06T06:00:00Z")) == std::chrono::hours{-5});
}

TEST_CASE("the hour that comes twice means its first time, or the one that keeps time going forward",
          "[readout][unit]") {
    const LocalTime half_past_one{2016, 11, 6, 1, 30, 0, 0};
    REQUIRE(utc(half_past_one) == "2016-11-06T05:30:00.000Z");
    REQUIRE(to_iso8601(local_to_utc(half_past_one, kEastern, from_iso8601("2016-11-06T05:29:59.98Z"))) ==
            "2016-11-06T05:30:00.000Z");
    REQUIRE(to_iso8601(local_to_utc(half_past_one, kEastern, from_iso8601("2016-11-06T06:29:59.98Z"))) ==
            "2016-11-06T06:30:00.000Z");
    // A stamp two hundredths behind the one before does not jump by an hour.
    REQUIRE(to_iso8601(local_to_utc(half_past_one, kEastern, from_iso8601("2016-11-06T05:30:00.02Z"))) ==
            "2016-11-06T05:30:00.000Z");
    // 1:59:59.98 daylight time is followed by 1:00:00.00 standard time.
    REQUIRE(to_iso8601(local_to_utc({2016, 11, 6, 1, 0, 0, 0}, kEastern, from_iso8601("2016-11-06T05:59:59.98Z"))) ==
            "2016-11-06T06:00:00.000Z");
}

TEST_CASE("a clock that shows the hour left out in spring was not put forward", "[readout][unit]") {
    REQUIRE(utc({2016, 3, 13, 2, 30, 0, 0}) == "2016-03-13T07:30:00.000Z");
}

TEST_CASE("every half hour of five years agrees with the C library in four zones", "[readout][unit]") {
    // Second method: localtime_r with the same rule in TZ. Sydney is the southern case, Kolkata has half an hour,
    // Lord Howe changes by half an hour.
    const char* const before = std::getenv("TZ");
    const std::string kept = before != nullptr ? before : "";
    for (const char* rule : {"EST5EDT,M3.2.0,M11.1.0", "AEST-10AEDT,M10.1.0,M4.1.0/3", "IST-5:30",
                             "<+1030>-10:30<+11>-11,M10.1.0,M4.1.0"}) {
        setenv("TZ", rule, 1);
        tzset();
        const TimeZone zone{rule};
        std::size_t unequal = 0;
        std::size_t not_back = 0;
        for (std::time_t t = 1'420'070'400; t < 1'577'836'800; t += 1800) {
            std::tm there{};
            localtime_r(&t, &there);
            const LocalTime expected{
                there.tm_year + 1900, there.tm_mon + 1, there.tm_mday, there.tm_hour, there.tm_min, there.tm_sec, 0};
            const UtcTime time{std::chrono::seconds{t}};
            unequal += utc_to_local(time, zone) == expected ? 0 : 1;
            not_back += local_to_utc(expected, zone, time) == time ? 0 : 1;
        }
        INFO(rule);
        CHECK(unequal == 0);
        CHECK(not_back == 0);
    }
    if (before != nullptr) {
        setenv("TZ", kept.c_str(), 1);
    } else {
        unsetenv("TZ");
    }
    tzset();
}

TEST_CASE("rules that cannot be read are refused by name", "[readout][error]") {
    for (const char* bad : {"", "Eastern", "EST", "EST5EDT", "EST5EDT,M3.2.0", "EST5EDT,M13.2.0,M11.1.0", "EST25",
                            "EST5EDT,M3.2.7,M11.1.0", "EST5EDT,J70,J300", "EST5EDT,M3.2.0/25,M11.1.0", "EST5 "}) {
        INFO(bad);
        CHECK_THROWS_AS(TimeZone{bad}, UsageError);
    }
    CHECK_THROWS_WITH(TimeZone{"Eastern"}, Catch::Contains("'Eastern'"));
}

TEST_CASE("readings that are no time of any day are not valid", "[readout][error]") {
    REQUIRE(is_valid({2016, 2, 29, 23, 59, 59, 99}));
    for (const LocalTime& bad :
         {LocalTime{2015, 2, 29, 0, 0, 0, 0}, LocalTime{2015, 0, 1, 0, 0, 0, 0}, LocalTime{2015, 1, 0, 0, 0, 0, 0},
          LocalTime{2015, 1, 1, 24, 0, 0, 0}, LocalTime{2015, 1, 1, 0, 60, 0, 0}, LocalTime{2015, 1, 1, 0, 0, 60, 0},
          LocalTime{2015, 1, 1, 0, 0, 0, 100}, LocalTime{2015, -1, 1, 0, 0, 0, 0}}) {
        CHECK_FALSE(is_valid(bad));
        CHECK_THROWS_AS(local_to_utc(bad, kEastern), Error);
    }
}

TEST_CASE("a 31-bit clock goes on through its roll-over and tells a step back from it", "[readout][unit]") {
    ClockUnwrapper clock{31};
    REQUIRE(clock.unwrap(0x7FFF'FFF0).ticks == 0x7FFF'FFF0);
    REQUIRE(clock.unwrap(0x10).ticks == 0x8000'0010);         // 32 ticks later
    REQUIRE(clock.unwrap(0x8000'0020).ticks == 0x8000'0020);  // bit 31 is a flag, not time
    const auto back = clock.unwrap(0x18);
    REQUIRE(back.backwards);
    REQUIRE(back.ticks == 0x8000'0018);
}
