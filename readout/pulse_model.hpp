#pragma once
// What a photomultiplier channel is made of: single-photoelectron pulses, their charges, scintillation light, noise.
// Times in ns, heights in ADC counts, charges in ADC counts x sample.

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <numbers>
#include <span>
#include <vector>

#include "readout/simulator_random.hpp"

namespace alleycat {

/// Part of a Gaussian of mean 0 and sigma 1 that lies below x.
[[nodiscard]] inline double normal_cdf(double x) noexcept { return 0.5 * std::erfc(-x / std::numbers::sqrt2); }

/// Heights of one channel above its baseline, built up pulse by pulse. Remembers which pieces of the trace hold
/// anything, so that an empty trace costs nothing.
class PulseCanvas {
  public:
    static constexpr std::size_t kSegment = 64;  ///< samples per piece

    explicit PulseCanvas(std::size_t samples);
    [[nodiscard]] std::size_t samples() const noexcept { return samples_; }
    [[nodiscard]] std::size_t segments() const noexcept { return touched_.size(); }
    [[nodiscard]] bool touched(std::size_t segment) const noexcept { return touched_[segment] != 0; }
    /// Shape (kSegment,); beyond the trace's end in the last one.
    [[nodiscard]] std::span<const float> segment(std::size_t s) const noexcept {
        return std::span{heights_}.subspan(s * kSegment, kSegment);
    }
    /// Adds charge x template from sample `first` on; what lies outside the trace is cut off.
    void add(std::ptrdiff_t first, std::span<const float> shape, float charge) noexcept;
    /// Back to zero, touching only what was touched.
    void clear() noexcept;

  private:
    std::size_t samples_;
    std::vector<float> heights_;
    std::vector<std::uint8_t> touched_;
};

/// A pulse with a Gaussian rise and a slower Gaussian fall, integrated over each sample, at 16 sub-sample phases.
/// Its sum is the charge exactly, whatever the sample period. The pulse begins at its time: the maximum stands three
/// sigma of the rise later.
class PulseShape {
  public:
    PulseShape(double rise_sigma_ns, double fall_sigma_ns, double sample_period_ns);

    void add(PulseCanvas& canvas, double time_ns, double charge) const noexcept;
    /// Charge of a pulse whose maximum is 1 ADC count high.
    [[nodiscard]] double charge_per_height() const noexcept { return charge_per_height_; }
    [[nodiscard]] double length_ns() const noexcept { return static_cast<double>(length_) * sample_period_ns_; }

  private:
    static constexpr std::size_t kPhases = 16;
    double sample_period_ns_;
    double charge_per_height_;
    std::size_t length_;            // samples per phase
    std::vector<float> templates_;  // shape (kPhases, length_)
};

/// Charge of one photoelectron in units of the mean: Polya, x^theta exp(-(theta + 1) x).
class PolyaCharge {
  public:
    explicit PolyaCharge(double theta);
    [[nodiscard]] double draw(RandomStream& random) const noexcept;

  private:
    std::vector<float> quantiles_;
};

/// When photoelectrons of one scintillation pulse arrive: two exponentials.
struct ScintillationTime {
    double fast_ns = 527;
    double slow_ns = 5600;
    double slow_over_fast = 0.41;  ///< ratio of the integrals

    [[nodiscard]] double draw(RandomStream& random) const noexcept {
        const bool slow = random.uniform() * (1 + slow_over_fast) < slow_over_fast;
        return random.exponential(slow ? slow_ns : fast_ns);
    }
};

/// White Gaussian noise, drawn once and then read at random places: drawing 70,000 numbers per trigger anew would cost
/// more than everything else together.
///
/// Noise is kept as the number of its step of 1/16 ADC count (coarser for sigma above 1.3). Baselines are multiples of
/// a step too, so the edges at which the ADC rounds are edges of steps: the codes are those of unquantised noise,
/// exactly. Each step stands in the table as often as its chance says, in random order. Each block of 512 samples is
/// read at its own random place of 2^20, so neighbouring traces never repeat each other; a block overlaps a given one
/// of the trace before with a chance of 1e-3, and then for half of its length on average.
class NoiseTable {
  public:
    static constexpr std::size_t kBlock = 512;  ///< samples read in a row
    static constexpr double kMaxSigmaAdc = 20;  ///< 6.4 sigma of this still fit

    NoiseTable(std::uint64_t seed, double sigma_adc);
    [[nodiscard]] int steps_per_adc() const noexcept { return steps_per_adc_; }
    /// Middle of a step [ADC counts].
    [[nodiscard]] double height_adc(std::uint8_t step) const noexcept { return (step - 127.5) / steps_per_adc_; }
    /// Steps of one block, shape (kBlock,).
    [[nodiscard]] std::span<const std::uint8_t> block(RandomStream& random) const noexcept {
        return std::span{steps_}.subspan(random.below(kPlaces), kBlock);
    }

  private:
    static constexpr std::uint32_t kPlaces = 1u << 20;
    int steps_per_adc_ = 16;
    std::vector<std::uint8_t> steps_;
};

}  // namespace alleycat
