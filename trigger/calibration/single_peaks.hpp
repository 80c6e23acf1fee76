#pragma once
// Charges of the single peaks of a trace, one by one: what the SPE calibration is made from.

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "trigger/peaks.hpp"
#include "trigger/trace.hpp"

namespace alleycat {

/// The peaks of one trigger, in time order. Of a fixed size, so that it can wait with its trigger.
struct PeakCharges {
    static constexpr std::size_t kMost = 64;  ///< the first ones of a trace; the median trace has 5

    std::uint32_t count = 0;
    std::uint16_t detector = 0;
    std::array<float, kMost> charge_adc{};  ///< [ADC x sample]

    [[nodiscard]] std::span<const float> all() const noexcept { return std::span{charge_adc}.first(count); }
};

/// How the charge of a single peak is measured.
struct SinglePeakRule {
    std::int32_t margin_samples = 2;     ///< of the peak finder: integrated before the onset and after the end
    std::int64_t baseline_samples = 75;  ///< on either side of what is integrated
    std::int32_t baseline_band_adc = 3;  ///< of these, heights within the band around 0 are the baseline
};

/// Appends the charges of `peaks`, each less the local baseline around it. Peaks whose integration leaves the trace do
/// not count. source: trigger/README.md#calibration
void add_single_peaks(Trace& trace, std::span<const Peak> peaks, const SinglePeakRule& rule,
                      PeakCharges& charges) noexcept;

}  // namespace alleycat
