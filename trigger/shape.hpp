#pragma once
// Shape variables: small algorithms over a stretch of heights. Pure functions; positions are samples of the trace, NaN
// says that there is nothing to measure. What a profile calls them, and where their gates lie, is features.hpp.
//
// heights   above the trace's median, pulses positive [ADC counts], indexed like the trace, shape (n_samples,)
// gate      the samples to look at; one that is empty or leaves the trace gives NaN
// baseline  subtracted from every height [ADC counts]
// source    of all formulae: trigger/README.md#shape

#include <cstdint>
#include <span>

#include "trigger/peaks.hpp"

namespace alleycat {

/// Samples [begin, end) of a trace.
struct Gate {
    std::int64_t begin = 0;
    std::int64_t end = 0;

    [[nodiscard]] std::int64_t length() const noexcept { return end - begin; }
    [[nodiscard]] bool inside(std::span<const std::int32_t> heights) const noexcept {
        return begin >= 0 && begin < end && end <= static_cast<std::int64_t>(heights.size());
    }
    friend bool operator==(const Gate&, const Gate&) = default;
};

/// Sum of the heights. [ADC counts x sample]
[[nodiscard]] double gate_charge(std::span<const std::int32_t> heights, Gate gate, double baseline) noexcept;

/// Charge of one gate over that of another: tail / total, prompt / total. NaN unless the denominator's is positive.
[[nodiscard]] double charge_ratio(std::span<const std::int32_t> heights, Gate numerator, Gate denominator,
                                  double baseline) noexcept;

/// Time from `low` to `high` of the largest height in the gate, of a pulse or of a step. [samples]
///
/// Heights are means over `average` samples in a row (1: as they are). The upper level is where they first reach it,
/// the lower one where they last rose through it before that; both interpolated linearly between samples. NaN when the
/// largest height is not positive or the gate begins above the lower level.
[[nodiscard]] double height_rise(std::span<const std::int32_t> heights, Gate gate, double baseline, double low,
                                 double high, std::int64_t average) noexcept;

/// Time in which the cumulative charge grows from `low` to `high` of the gate's total: each where the sum first reaches
/// it, interpolated linearly (the sum is 0 at the gate's beginning). NaN unless the total is positive. [samples]
[[nodiscard]] double charge_rise(std::span<const std::int32_t> heights, Gate gate, double baseline, double low,
                                 double high) noexcept;

/// Mean of the samples' positions, each weighted with its height. NaN unless the charge is positive. [sample]
[[nodiscard]] double mean_time(std::span<const std::int32_t> heights, Gate gate, double baseline) noexcept;

/// Largest height. [ADC counts]
[[nodiscard]] double peak_height(std::span<const std::int32_t> heights, Gate gate, double baseline) noexcept;

/// Largest rise over `over` samples, per sample: the current of a charge-sensitive preamplifier, averaged over them.
/// Both ends in the gate. [ADC counts / sample]
[[nodiscard]] double max_slope(std::span<const std::int32_t> heights, Gate gate, std::int64_t over) noexcept;

/// A trapezoidal filter: the mean of the newest `rise` samples less that of `rise` samples that ended `flat` samples
/// earlier. It turns a step into a trapezoid with the step's height on top.
struct TrapezoidShape {
    std::int64_t rise = 1;
    std::int64_t flat = 0;
    double decay_samples = 0;  ///< time constant with which steps fall back, undone before (pole-zero); 0: they do not

    /// Samples that the filter looks back, the newest included.
    [[nodiscard]] std::int64_t reach() const noexcept { return 2 * rise + flat; }
    friend bool operator==(const TrapezoidShape&, const TrapezoidShape&) = default;
};

struct TrapezoidTop {
    double height = 0;  ///< [ADC counts]
    double at = 0;      ///< where it is first reached [sample]
};

/// Maximum of the filter's output in the gate; NaN when the filter would look back before the trace. The sums are
/// integers: exact, whatever the length. source: Jordanov and Knoll, Nucl. Instrum. Meth. A 345 (1994) 337
[[nodiscard]] TrapezoidTop trapezoid(std::span<const std::int32_t> heights, Gate gate, double baseline,
                                     const TrapezoidShape& shape) noexcept;

/// Two samples `within` apart, the later lower by `drop` or more, anywhere in the trace: a preamplifier's reset.
[[nodiscard]] bool has_drop(std::span<const std::int32_t> heights, std::int32_t drop, std::int64_t within) noexcept;

/// A group of peaks.
struct Cluster {
    std::int64_t start = -1;  ///< where the integration of its first peak starts; -1: there is none
    double charge = 0;        ///< inside its peaks [ADC counts x sample]
};

/// The first peak with its onset in the gate from which on the peaks of `length` samples hold at least `min_charge`.
///
/// peaks  of this trace, in time order
[[nodiscard]] Cluster find_cluster(std::span<const std::int32_t> heights, std::span<const Peak> peaks,
                                   const PeakFinding& finding, Gate gate, std::int64_t length, double min_charge,
                                   double baseline) noexcept;

}  // namespace alleycat
