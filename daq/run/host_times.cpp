#include "daq/run/host_times.hpp"

#include <algorithm>
#include <array>

#include "daq/core/data_time.hpp"

namespace alleycat {
namespace {

/// From those of the other records of the board: of such a stamp, or host time, one of the two is wrong.
constexpr std::int64_t kFarOff = 10'000'000'000;  // [ns]

[[nodiscard]] std::int64_t host_minus_board_ns(const RecordHeader& header) noexcept {
    return between(header.time_ps / 1000, header.utc_ns);
}

/// As most of them have it.
std::int64_t usual_host_minus_board_ns(const RecordsAhead& ahead, std::size_t begin, std::size_t end) noexcept {
    std::array<std::int64_t, 15> some{};
    const std::size_t step = (end - begin + some.size() - 1) / some.size();
    std::size_t n = 0;
    for (std::size_t i = begin; i < end; i += step) some[n++] = host_minus_board_ns(ahead[i].header());
    const auto last = some.begin() + static_cast<std::ptrdiff_t>(n), middle = some.begin() + (last - some.begin()) / 2;
    std::nth_element(some.begin(), middle, last);
    return *middle;
}

}  // namespace

std::size_t by_one_clock(const RecordsAhead& ahead) noexcept {
    std::size_t n = std::min<std::size_t>(ahead.size(), 1);
    while (n < ahead.size() && !began_anew(ahead[n].header())) ++n;
    return n;
}

std::int64_t least_host_minus_board_ns(const RecordsAhead& ahead, std::size_t begin, std::size_t end) noexcept {
    const std::int64_t usual_ns = usual_host_minus_board_ns(ahead, begin, end);
    std::int64_t least_ns = usual_ns;
    for (std::size_t i = begin; i < end; ++i) {
        const std::int64_t ns = host_minus_board_ns(ahead[i].header());
        if (ns >= earlier(usual_ns, kFarOff)) least_ns = std::min(least_ns, ns);
    }
    return least_ns;
}

bool begins_far_off(const RecordsAhead& ahead) noexcept {
    const std::size_t n = by_one_clock(ahead);
    if (n < 3) return false;
    const std::int64_t usual_ns = usual_host_minus_board_ns(ahead, 0, n);
    const std::int64_t ns = host_minus_board_ns(ahead.front().header());
    return ns < earlier(usual_ns, kFarOff) || ns > later(usual_ns, kFarOff);
}

bool is_catching_up(const RecordsAhead& ahead, std::size_t most) noexcept {
    const std::size_t n = by_one_clock(ahead), half = std::min(n, most) / 2;
    if (half == 0) return n < ahead.size();  // of a single one nobody can tell
    const std::int64_t before_ns = least_host_minus_board_ns(ahead, n - 2 * half, n - half);
    return later(least_host_minus_board_ns(ahead, n - half, n), kHostPrecision / 1000) < before_ns;
}

}  // namespace alleycat
