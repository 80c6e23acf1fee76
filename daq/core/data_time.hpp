#pragma once
// Arithmetic of data times [ps]. Those of a damaged file may be any number: sums end where the numbers do, differences
// wrap.

#include <cstdint>
#include <limits>

namespace alleycat {

/// A time before every other, and one after every other.
inline constexpr std::int64_t kNever = std::numeric_limits<std::int64_t>::min();
inline constexpr std::int64_t kForever = std::numeric_limits<std::int64_t>::max();

/// `by_ps` is not negative.
[[nodiscard]] constexpr std::int64_t earlier(std::int64_t time_ps, std::int64_t by_ps) noexcept {
    return time_ps < kNever + by_ps ? kNever : time_ps - by_ps;
}
[[nodiscard]] constexpr std::int64_t later(std::int64_t time_ps, std::int64_t by_ps) noexcept {
    return time_ps > kForever - by_ps ? kForever : time_ps + by_ps;
}
/// By any number.
[[nodiscard]] constexpr std::int64_t moved(std::int64_t time_ps, std::int64_t by_ps) noexcept {
    if (by_ps >= 0) return later(time_ps, by_ps);
    return time_ps < kNever - by_ps ? kNever : time_ps + by_ps;
}
[[nodiscard]] constexpr std::int64_t between(std::int64_t from_ps, std::int64_t to_ps) noexcept {
    return static_cast<std::int64_t>(static_cast<std::uint64_t>(to_ps) - static_cast<std::uint64_t>(from_ps));
}

}  // namespace alleycat
