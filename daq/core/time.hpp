#pragma once
// Two times, never mixed: the digitizers' (what analysis uses) and the host's (what people read).

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

namespace alleycat {

using Picoseconds = std::chrono::duration<std::int64_t, std::pico>;

/// Time of the reference board's clock since the run's first tick. Integer picoseconds: 106 days fit.
struct DigitizerClock {
    using duration = Picoseconds;
    using rep = duration::rep;
    using period = duration::period;
    using time_point = std::chrono::time_point<DigitizerClock>;
    static constexpr bool is_steady = true;  // there is no now(): only boards tell this time
};
using Timestamp = DigitizerClock::time_point;

/// What the host observed. Takes no part in the equality of live and replay.
using UtcTime = std::chrono::sys_time<std::chrono::nanoseconds>;

[[nodiscard]] UtcTime utc_now() noexcept;

/// "2015-10-02T12:00:00.250Z": milliseconds, always UTC.
[[nodiscard]] std::string to_iso8601(UtcTime time);

/// Reads what to_iso8601 writes (fraction optional, one to nine digits), 1677 to 2262. Throws Error naming the text.
[[nodiscard]] UtcTime from_iso8601(std::string_view text);

/// "3 d 04:05:06" for people.
[[nodiscard]] std::string to_text(std::chrono::seconds duration);

}  // namespace alleycat
