#include "readout/decay_shape.hpp"

#include <cmath>

namespace alleycat {
namespace {

/// Part of the pulse before t: exponentially modified Gaussian, the decay beginning at 0.
double part_before(double t, double sigma, double decay) {
    const double late = normal_cdf(t / sigma - sigma / decay);
    const double exponent = sigma * sigma / (2 * decay * decay) - t / decay;
    return normal_cdf(t / sigma) - (late > 0 ? std::exp(exponent + std::log(late)) : 0);
}

}  // namespace

DecayShape::DecayShape(double response_sigma_ns, double decay_ns, double sample_period_ns, std::size_t length_samples)
    : sample_period_ns_{sample_period_ns}, length_{length_samples}, templates_(kPhases * length_samples) {
    for (std::size_t phase = 0; phase < kPhases; ++phase) {
        // Sample j stands for the time from j - 1/2 to j + 1/2 periods, as everywhere in the simulator.
        const double begin_ns = static_cast<double>(phase) / kPhases * sample_period_ns + 3 * response_sigma_ns;
        double before = part_before(-0.5 * sample_period_ns - begin_ns, response_sigma_ns, decay_ns);
        for (std::size_t j = 0; j < length_; ++j) {
            const double end_ns = (static_cast<double>(j) + 0.5) * sample_period_ns - begin_ns;
            const double until = part_before(end_ns, response_sigma_ns, decay_ns);
            templates_[phase * length_ + j] = static_cast<float>(until - before);
            before = until;
        }
    }
}

void DecayShape::add(PulseCanvas& canvas, double time_ns, double charge) const noexcept {
    const double sample = time_ns / sample_period_ns_;
    const double whole = std::floor(sample);
    const auto phase = static_cast<std::size_t>((sample - whole) * kPhases);
    canvas.add(static_cast<std::ptrdiff_t>(whole), std::span{templates_}.subspan(phase * length_, length_),
               static_cast<float>(charge));
}

}  // namespace alleycat
