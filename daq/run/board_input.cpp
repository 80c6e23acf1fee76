#include "daq/run/board_input.hpp"

#include <cmath>
#include <optional>

namespace alleycat {

BoardStatus status_of(const BoardInput& input) {
    const auto known = [](const std::atomic<double>& value) {
        const double now = value.load(std::memory_order_relaxed);
        return std::isfinite(now) ? std::optional{now} : std::nullopt;
    };
    BoardStatus status;
    status.name = input.name;
    const std::int64_t missing_ps = input.missing_ps.load(std::memory_order_relaxed);
    if (missing_ps >= 0) status.missing_s = static_cast<double>(missing_ps) * 1e-12;
    status.clock_offset_ns = known(input.clock_offset_ns);
    status.clock_drift_ppm = known(input.clock_drift_ppm);
    status.last_record_utc_ns = input.newest_utc_ns.load(std::memory_order_relaxed);
    if (const auto readings = input.readings.get()) status.readings = *readings;
    return status;
}

}  // namespace alleycat
