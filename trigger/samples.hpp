#pragma once

#include <cstdint>

namespace alleycat {

/// Whole samples in a time, rounded down: a tick so long before a sample's time stands between two samples, and what
/// begins with it begins with the later one.
[[nodiscard]] constexpr std::int64_t whole_samples(std::int64_t time_ps, std::int64_t sample_period_ps) noexcept {
    return time_ps / sample_period_ps - (time_ps % sample_period_ps < 0 ? 1 : 0);
}

}  // namespace alleycat
