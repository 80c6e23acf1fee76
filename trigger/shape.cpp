#include "trigger/shape.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace alleycat {
namespace {

constexpr double kNothing = std::numeric_limits<double>::quiet_NaN();

std::span<const std::int32_t> part(std::span<const std::int32_t> heights, Gate gate) noexcept {
    return heights.subspan(static_cast<std::size_t>(gate.begin), static_cast<std::size_t>(gate.length()));
}

std::int64_t at(std::span<const std::int32_t> heights, std::int64_t i) noexcept {
    return heights[static_cast<std::size_t>(i)];
}

std::int64_t sum(std::span<const std::int32_t> heights, Gate gate) noexcept {
    std::int64_t total = 0;
    for (const std::int32_t height : part(heights, gate)) total += height;
    return total;
}

/// Where a straight line from `before` at i - 1 to `now` at i crosses `level`.
double crossing(std::int64_t i, double before, double now, double level) noexcept {
    return static_cast<double>(i - 1) + (level - before) / (now - before);
}

/// Calls `use(i, mean)` with the means over `average` samples that end at i, in time order, as long as it returns true.
template <class Use>
void each_mean(std::span<const std::int32_t> heights, Gate gate, double baseline, std::int64_t average,
               Use use) noexcept {
    std::int64_t total = 0;
    for (std::int64_t i = gate.begin; i < gate.end; ++i) {
        total += at(heights, i);
        if (i - gate.begin >= average) total -= at(heights, i - average);
        const bool filled = i - gate.begin + 1 >= average;
        if (filled && !use(i, static_cast<double>(total) / static_cast<double>(average) - baseline)) return;
    }
}

/// Sums over a window that slides along the trace: of the heights and, for the pole-zero correction, of the sums of all
/// heights before each of its samples.
class SlidingSums {
  public:
    /// An empty window at `begin`; `before`: sum of the heights before it.
    SlidingSums(std::int64_t begin, std::int64_t before) noexcept
        : begin_{begin}, end_{begin}, before_begin_{before}, before_end_{before} {}

    void grow(std::span<const std::int32_t> trace) noexcept {
        heights += at(trace, end_);
        sums += before_end_;
        before_end_ += at(trace, end_++);
    }
    void slide(std::span<const std::int32_t> trace) noexcept {
        grow(trace);
        heights -= at(trace, begin_);
        sums -= before_begin_;
        before_begin_ += at(trace, begin_++);
    }

    std::int64_t heights = 0;
    std::int64_t sums = 0;

  private:
    std::int64_t begin_, end_;
    std::int64_t before_begin_, before_end_;
};

/// Heights inside peaks that start at `begin` or later and before `end`, cut off at `end`.
double charge_of_peaks(std::span<const std::int32_t> heights, std::span<const Peak> peaks, const PeakFinding& finding,
                       Gate gate, double baseline) noexcept {
    std::int64_t total = 0, samples = 0;
    std::int64_t done = gate.begin;
    for (const Peak& peak : peaks) {
        if (peak.onset - finding.margin_samples >= gate.end) break;
        const std::int64_t from = std::max<std::int64_t>(peak.onset - finding.margin_samples, done);
        const std::int64_t to = std::min<std::int64_t>(peak.end + finding.margin_samples, gate.end);
        if (from >= to) continue;
        total += sum(heights, {from, to});
        samples += to - from;
        done = to;
    }
    return static_cast<double>(total) - baseline * static_cast<double>(samples);
}

}  // namespace

double gate_charge(std::span<const std::int32_t> heights, Gate gate, double baseline) noexcept {
    if (!gate.inside(heights)) return kNothing;
    return static_cast<double>(sum(heights, gate)) - baseline * static_cast<double>(gate.length());
}

double charge_ratio(std::span<const std::int32_t> heights, Gate numerator, Gate denominator, double baseline) noexcept {
    const double whole = gate_charge(heights, denominator, baseline);
    return whole > 0 ? gate_charge(heights, numerator, baseline) / whole : kNothing;
}

double height_rise(std::span<const std::int32_t> heights, Gate gate, double baseline, double low, double high,
                   std::int64_t average) noexcept {
    if (!gate.inside(heights) || average > gate.length()) return kNothing;
    double top = 0;
    each_mean(heights, gate, baseline, average, [&](std::int64_t, double mean) {
        top = std::max(top, mean);
        return true;
    });
    if (!(top > 0)) return kNothing;
    double before = kNothing, low_at = kNothing, high_at = kNothing;
    each_mean(heights, gate, baseline, average, [&](std::int64_t i, double mean) {
        if (before < low * top && mean >= low * top) low_at = crossing(i, before, mean, low * top);
        const bool reached = mean >= high * top;
        if (reached) high_at = crossing(i, before, mean, high * top);
        before = mean;
        return !reached;
    });
    return high_at - low_at;
}

double charge_rise(std::span<const std::int32_t> heights, Gate gate, double baseline, double low,
                   double high) noexcept {
    const double total = gate_charge(heights, gate, baseline);
    if (!(total > 0)) return kNothing;
    double cumulative = 0, low_at = kNothing;
    for (std::int64_t i = gate.begin; i < gate.end; ++i) {
        const double before = cumulative;
        cumulative += static_cast<double>(at(heights, i)) - baseline;
        if (std::isnan(low_at) && cumulative >= low * total) low_at = crossing(i, before, cumulative, low * total);
        if (cumulative >= high * total) return crossing(i, before, cumulative, high * total) - low_at;
    }
    return kNothing;  // rounding: the sum ended a hair below
}

double mean_time(std::span<const std::int32_t> heights, Gate gate, double baseline) noexcept {
    const double total = gate_charge(heights, gate, baseline);
    if (!(total > 0)) return kNothing;
    std::int64_t moment = 0;  // around the gate's beginning: small integers, exact
    for (std::int64_t i = gate.begin; i < gate.end; ++i) moment += (i - gate.begin) * at(heights, i);
    const auto n = static_cast<double>(gate.length());
    return static_cast<double>(gate.begin) + (static_cast<double>(moment) - baseline * n * (n - 1) / 2) / total;
}

double peak_height(std::span<const std::int32_t> heights, Gate gate, double baseline) noexcept {
    if (!gate.inside(heights)) return kNothing;
    const std::span<const std::int32_t> samples = part(heights, gate);
    return static_cast<double>(*std::max_element(samples.begin(), samples.end())) - baseline;
}

double max_slope(std::span<const std::int32_t> heights, Gate gate, std::int64_t over) noexcept {
    if (!gate.inside(heights) || over >= gate.length()) return kNothing;
    std::int64_t steepest = std::numeric_limits<std::int64_t>::min();
    for (std::int64_t i = gate.begin + over; i < gate.end; ++i) {
        steepest = std::max(steepest, at(heights, i) - at(heights, i - over));
    }
    return static_cast<double>(steepest) / static_cast<double>(over);
}

TrapezoidTop trapezoid(std::span<const std::int32_t> heights, Gate gate, double baseline,
                       const TrapezoidShape& shape) noexcept {
    const std::int64_t first = gate.begin + 1 - shape.reach();
    if (!gate.inside(heights) || first < 0) return {kNothing, kNothing};
    // With d = exp(-1 / decay) the steps are restored by y[i] = h[i] + (1 - d) x (sum of h before i). Where the sum
    // begins does not matter: it adds the same to both windows.
    const double lost = shape.decay_samples > 0 ? -std::expm1(-1 / shape.decay_samples) : 0;
    const std::int64_t late_begin = first + shape.rise + shape.flat;
    SlidingSums early{first, 0};
    SlidingSums late{late_begin, sum(heights, {first, late_begin})};
    for (std::int64_t i = 0; i < shape.rise; ++i) {
        early.grow(heights);
        late.grow(heights);
    }
    const auto rise = static_cast<double>(shape.rise);
    TrapezoidTop top{-std::numeric_limits<double>::infinity(), 0};
    for (std::int64_t i = gate.begin; i < gate.end; ++i) {
        if (i > gate.begin) {
            early.slide(heights);
            late.slide(heights);
        }
        const double height =
            (static_cast<double>(late.heights - early.heights) + lost * static_cast<double>(late.sums - early.sums)) /
            rise;
        if (height > top.height) top = {height, static_cast<double>(i)};
    }
    top.height -= baseline * lost * static_cast<double>(shape.rise + shape.flat);  // what the restoring made of it
    return top;
}

bool has_drop(std::span<const std::int32_t> heights, std::int32_t drop, std::int64_t within) noexcept {
    const auto n = static_cast<std::int64_t>(heights.size());
    for (std::int64_t i = within; i < n; ++i) {
        if (at(heights, i - within) - at(heights, i) >= drop) return true;
    }
    return false;
}

Cluster find_cluster(std::span<const std::int32_t> heights, std::span<const Peak> peaks, const PeakFinding& finding,
                     Gate gate, std::int64_t length, double min_charge, double baseline) noexcept {
    for (auto peak = first_from(peaks, gate.begin); peak != peaks.end() && peak->onset < gate.end; ++peak) {
        const std::int64_t start = std::max<std::int64_t>(peak->onset - finding.margin_samples, 0);
        const std::int64_t end = std::min<std::int64_t>(start + length, static_cast<std::int64_t>(heights.size()));
        const double charge = charge_of_peaks(heights, {peak, peaks.end()}, finding, {start, end}, baseline);
        if (charge >= min_charge) return {start, charge};
    }
    return {};
}

}  // namespace alleycat
