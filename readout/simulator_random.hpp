#pragma once
// Random numbers for the simulator: the content of a tick is a pure function of (seed, tick, purpose), whatever was
// generated before. The std distributions are not used: the standard leaves their output to the implementation.

#include <cmath>
#include <cstdint>
#include <numbers>

namespace alleycat {

/// One independent sequence (SplitMix64, Steele et al. 2014), started at a place hashed from seed, tick and purpose.
class RandomStream {
  public:
    RandomStream(std::uint64_t seed, std::int64_t tick, std::uint64_t purpose) noexcept
        : state_{mix(mix(mix(seed + kStep) ^ (purpose * kStep)) ^ static_cast<std::uint64_t>(tick))} {}

    [[nodiscard]] std::uint64_t bits() noexcept { return mix(state_ += kStep); }
    /// In (0, 1): neither end occurs.
    [[nodiscard]] double uniform() noexcept { return (static_cast<double>(bits() >> 11) + 0.5) * 0x1p-53; }
    [[nodiscard]] double uniform(double low, double high) noexcept { return low + (high - low) * uniform(); }
    /// 0 .. n-1; the bias is below n / 2^32.
    [[nodiscard]] std::uint32_t below(std::uint32_t n) noexcept {
        return static_cast<std::uint32_t>(((bits() >> 32) * n) >> 32);
    }
    [[nodiscard]] double exponential(double mean) noexcept { return -mean * std::log(uniform()); }
    [[nodiscard]] double gaussian() noexcept {
        const double radius = std::sqrt(-2 * std::log(uniform()));
        return radius * std::cos(2 * std::numbers::pi * uniform());
    }
    /// Takes time proportional to the mean, which must be below 700.
    [[nodiscard]] std::uint32_t poisson(double mean) noexcept {
        const double end = std::exp(-mean);
        std::uint32_t n = 0;
        for (double product = uniform(); product > end; product *= uniform()) ++n;
        return n;
    }
    /// Any mean: above 500 a rounded Gaussian.
    [[nodiscard]] std::uint32_t poisson_any(double mean) noexcept {
        if (mean <= 500) return mean > 0 ? poisson(mean) : 0;
        return static_cast<std::uint32_t>(std::lround(std::fmax(0, mean + std::sqrt(mean) * gaussian())));
    }

  private:
    static constexpr std::uint64_t kStep = 0x9E3779B97F4A7C15;
    static constexpr std::uint64_t mix(std::uint64_t z) noexcept {
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
        return z ^ (z >> 31);
    }
    std::uint64_t state_;
};

}  // namespace alleycat
