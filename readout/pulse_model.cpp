#include "readout/pulse_model.hpp"

#include <algorithm>
#include <boost/math/distributions/gamma.hpp>
#include <cmath>
#include <utility>

namespace alleycat {
namespace {

/// Integral from minus infinity to t of exp(-t^2 / (2 sigma^2)) with sigma = rise before 0 and fall after it.
double two_sided_integral(double t, double rise, double fall) {
    const double norm = std::sqrt(2 * std::numbers::pi);
    if (t < 0) return rise * norm * normal_cdf(t / rise);
    return 0.5 * rise * norm + fall * norm * (normal_cdf(t / fall) - 0.5);
}

}  // namespace

PulseCanvas::PulseCanvas(std::size_t samples)
    : samples_{samples},
      heights_((samples + kSegment - 1) / kSegment * kSegment),
      touched_((samples + kSegment - 1) / kSegment) {}

void PulseCanvas::add(std::ptrdiff_t first, std::span<const float> shape, float charge) noexcept {
    const std::ptrdiff_t begin = std::max<std::ptrdiff_t>(first, 0);
    const std::ptrdiff_t end =
        std::min<std::ptrdiff_t>(first + std::ssize(shape), static_cast<std::ptrdiff_t>(samples_));
    if (begin >= end) return;
    const float* const from = shape.data() + (begin - first);
    float* const to = heights_.data() + begin;
    for (std::ptrdiff_t i = 0; i < end - begin; ++i) to[i] += charge * from[i];
    const std::size_t last = static_cast<std::size_t>(end - 1) / kSegment;
    for (std::size_t s = static_cast<std::size_t>(begin) / kSegment; s <= last; ++s) touched_[s] = 1;
}

void PulseCanvas::clear() noexcept {
    for (std::size_t s = 0; s < touched_.size(); ++s) {
        if (touched_[s] == 0) continue;
        std::fill_n(heights_.data() + s * kSegment, kSegment, 0.0F);
        touched_[s] = 0;
    }
}

PulseShape::PulseShape(double rise_sigma_ns, double fall_sigma_ns, double sample_period_ns)
    : sample_period_ns_{sample_period_ns},
      charge_per_height_{two_sided_integral(1e9, rise_sigma_ns, fall_sigma_ns) / sample_period_ns},
      length_{static_cast<std::size_t>(std::ceil((3 * rise_sigma_ns + 4 * fall_sigma_ns) / sample_period_ns)) + 2},
      templates_(kPhases * length_) {
    const double maximum_ns = 3 * rise_sigma_ns;
    for (std::size_t phase = 0; phase < kPhases; ++phase) {
        const std::span<float> shape = std::span{templates_}.subspan(phase * length_, length_);
        // Sample j stands for the time from j - 1/2 to j + 1/2 periods; the pulse begins at `phase` / 16 of a period.
        const double at_ns = static_cast<double>(phase) / kPhases * sample_period_ns + maximum_ns;
        double sum = 0;
        std::vector<double> exact(length_);
        for (std::size_t j = 0; j < length_; ++j) {
            const double low = (static_cast<double>(j) - 0.5) * sample_period_ns - at_ns;
            exact[j] = two_sided_integral(low + sample_period_ns, rise_sigma_ns, fall_sigma_ns) -
                       two_sided_integral(low, rise_sigma_ns, fall_sigma_ns);
            sum += exact[j];
        }
        for (std::size_t j = 0; j < length_; ++j) shape[j] = static_cast<float>(exact[j] / sum);
    }
}

void PulseShape::add(PulseCanvas& canvas, double time_ns, double charge) const noexcept {
    const double sample = time_ns / sample_period_ns_;
    const double whole = std::floor(sample);
    const auto phase =
        static_cast<std::size_t>((sample - whole) * kPhases);  // below kPhases: the difference is below 1
    canvas.add(static_cast<std::ptrdiff_t>(whole), std::span{templates_}.subspan(phase * length_, length_),
               static_cast<float>(charge));
}

PolyaCharge::PolyaCharge(double theta) : quantiles_(4097) {
    const boost::math::gamma_distribution<double> polya{theta + 1, 1 / (theta + 1)};
    for (std::size_t i = 0; i < quantiles_.size(); ++i) {
        const double share = std::clamp(static_cast<double>(i) / 4096, 0.25 / 4096, 1 - 0.25 / 4096);
        quantiles_[i] = static_cast<float>(boost::math::quantile(polya, share));
    }
    // The ends are cut and straight lines stand between the points: give the mean back what that took.
    double mean = 0;
    for (std::size_t i = 0; i + 1 < quantiles_.size(); ++i) mean += (quantiles_[i] + quantiles_[i + 1]) / 2.0 / 4096;
    for (float& q : quantiles_) q = static_cast<float>(q / mean);
}

double PolyaCharge::draw(RandomStream& random) const noexcept {
    const double at = random.uniform() * 4096;
    const auto i = static_cast<std::size_t>(at);
    const double low = quantiles_[i], high = quantiles_[i + 1];
    return low + (high - low) * (at - static_cast<double>(i));
}

NoiseTable::NoiseTable(std::uint64_t seed, double sigma_adc) : steps_(kPlaces + kBlock, 128) {
    while (steps_per_adc_ > 1 && 128.0 / steps_per_adc_ < 6 * sigma_adc) steps_per_adc_ /= 2;
    if (sigma_adc <= 0) return;
    // Each step as often as its chance says, then shuffled: drawn at random, 2^20 numbers would leave the rare heights
    // of three sigma wrong by some percent for the whole run.
    std::size_t filled = 0;
    for (int step = 0; step < 256; ++step) {
        const double share_below = step == 255 ? 1 : normal_cdf((step - 127.0) / steps_per_adc_ / sigma_adc);
        const auto end = static_cast<std::size_t>(std::llround(share_below * static_cast<double>(steps_.size())));
        for (; filled < end; ++filled) steps_[filled] = static_cast<std::uint8_t>(step);
    }
    RandomStream random{seed, 0, 0xA015E};
    for (std::size_t left = steps_.size(); left > 1; --left) {
        std::swap(steps_[left - 1], steps_[random.below(static_cast<std::uint32_t>(left))]);
    }
}

}  // namespace alleycat
