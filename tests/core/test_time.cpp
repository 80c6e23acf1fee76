// Times as text, both ways. Seconds since 1970 from GNU date.

#include "daq/core/time.hpp"

#include <catch2/catch.hpp>
#include <chrono>
#include <cstdint>
#include <string>

#include "daq/core/error.hpp"

using namespace alleycat;
using namespace std::chrono_literals;

namespace {

UtcTime at(std::int64_t seconds, std::int64_t nanoseconds = 0) {
    return UtcTime{std::chrono::seconds{seconds} + std::chrono::nanoseconds{nanoseconds}};
}

}  // namespace

TEST_CASE("a UTC time becomes text with milliseconds", "[core][unit]") {
    REQUIRE(to_iso8601(at(0)) == "1970-01-01T00:00:00.000Z");
    REQUIRE(to_iso8601(at(1'443'787'200, 250'000'000)) == "2015-10-02T12:00:00.250Z");
    REQUIRE(to_iso8601(at(1'456'790'399, 999'999'999)) == "2016-02-29T23:59:59.999Z");  // cut, not rounded
    REQUIRE(to_iso8601(at(-1, 500'000'000)) == "1969-12-31T23:59:59.500Z");
}

TEST_CASE("text becomes a UTC time, with any fraction up to nanoseconds", "[core][unit]") {
    REQUIRE(from_iso8601("2015-10-02T12:00:00Z") == at(1'443'787'200));
    REQUIRE(from_iso8601("2015-10-02T12:00:00.25Z") == at(1'443'787'200, 250'000'000));
    REQUIRE(from_iso8601("2016-02-29T23:59:59.000000001Z") == at(1'456'790'399, 1));
    REQUIRE(from_iso8601("1969-12-31T23:59:59.5Z") == at(-1, 500'000'000));
    REQUIRE(from_iso8601("2016-12-31T23:59:60Z") == at(1'483'228'800));  // the leap second is the next day's first
    REQUIRE(from_iso8601("2262-04-11T23:47:16Z") == at(9'223'372'036));  // the last second that int64 ns hold
    REQUIRE(from_iso8601("1677-09-21T00:12:44Z") == at(-9'223'372'036));
}

TEST_CASE("every second text and time agree both ways", "[core][property]") {
    for (std::int64_t s = -3'000'000'000; s < 6'000'000'000; s += 86'399'971) {
        REQUIRE(from_iso8601(to_iso8601(at(s, 123'000'000))) == at(s, 123'000'000));
    }
}

TEST_CASE("what is not a UTC time is refused and named", "[core][hostile]") {
    for (const std::string text :
         {"", "yesterday", "2015-10-02", "2015-10-02T12:00:00", "2015-10-02 12:00:00Z", "2015-10-02T12:00:00+02:00",
          "2015-13-02T12:00:00Z", "2015-02-29T12:00:00Z", "2015-00-02T12:00:00Z", "2015-10-00T12:00:00Z",
          "2015-10-02T24:00:00Z", "2015-10-02T12:60:00Z", "2015-10-02T12:00:61Z", "2015-10-02T-1:00:00Z",
          "2015-10-02T12:-1:00Z", "2015-10-02T12:00:-1Z", "2015-10- 2T12:00:00Z", " 2015-10-02T12:00:00Z",
          "+015-10-02T12:00:00Z", "2015-1-2T1:2:3Z", "2015-10-02T12:00:00.Z", "2015-10-02T12:00:00.1234567890Z",
          "2015-10-02T12:00:00ZZ", "2015-10-02T12:00:00z",
          // Outside what int64 nanoseconds hold: 1677-09-21 to 2262-04-11.
          "9999-01-01T00:00:00Z", "2262-04-12T00:00:00Z", "0001-01-01T00:00:00Z", "1677-09-20T00:00:00Z",
          "2262-04-11T23:47:16.9Z"}) {
        INFO(text);
        REQUIRE_THROWS_WITH(from_iso8601(text), Catch::Contains("'" + text + "'"));
    }
    REQUIRE_THROWS_AS(from_iso8601(std::string{"2015-10-02T12:00:00Z\0", 21}), Error);
}

TEST_CASE("a duration reads as days and a clock", "[core][unit]") {
    REQUIRE(to_text(std::chrono::seconds{0}) == "00:00:00");
    REQUIRE(to_text(59s) == "00:00:59");
    REQUIRE(to_text(4h + 5min + 6s) == "04:05:06");
    REQUIRE(to_text(72h + 4h + 5min + 6s) == "3 d 04:05:06");
    REQUIRE(to_text(-90s) == "-00:01:30");
    REQUIRE(to_text(-25h) == "-1 d 01:00:00");
}
