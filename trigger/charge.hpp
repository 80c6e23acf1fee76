#pragma once

#include <cstdint>
#include <span>

#include "trigger/peaks.hpp"

namespace alleycat {

/// Charge of one integration window and when it arrived.
struct WindowCharge {
    double charge = 0;                 ///< [ADC counts x sample]
    double t10 = 0, t50 = 0, t90 = 0;  ///< from the arrival to this part of the charge [samples]

    friend bool operator==(const WindowCharge&, const WindowCharge&) = default;
};

/// The same window above two baselines.
struct WindowCharges {
    WindowCharge global;  ///< heights as they are: above the median
    WindowCharge local;   ///< less the local baseline

    friend bool operator==(const WindowCharges&, const WindowCharges&) = default;
};

/// Mean of the heights within +-band among the `length` samples before the arrival (the arrival not included); NaN when
/// there is none. [ADC counts]
[[nodiscard]] double local_baseline(std::span<const std::int32_t> heights, std::int64_t arrival, std::int64_t length,
                                    std::int32_t band_adc) noexcept;

/// Integrates the samples inside peaks over `window` samples from the arrival on, each less `baseline`.
///
/// The rise times are where the cumulative charge rises through 10, 50 and 90 % of the total for the last time (it can
/// fall in the margins of peaks), interpolated linearly between samples; 0 when it never rises through them. `curve` is
/// scratch of at least `window` entries. This is the specification; charge_walk.hpp is faster.
/// source  trigger/README.md#charge
[[nodiscard]] WindowCharge integrate_peaks(std::span<const std::int32_t> heights, std::span<const Peak> peaks,
                                           const PeakFinding& finding, std::int64_t arrival, std::int64_t window,
                                           double baseline, std::span<double> curve) noexcept;

}  // namespace alleycat
