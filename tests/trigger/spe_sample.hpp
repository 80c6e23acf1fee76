#pragma once
// Charges of single peaks, drawn by other means than the fit's formulae: gamma distributions of the standard library.

#include <cmath>
#include <random>
#include <vector>

namespace trigger_test {

/// What a histogram is drawn from.
struct SpeTruth {
    double charge = 70;  ///< mean of a photoelectron [ADC x sample]
    double theta = 6;
    double two = 0.02, three = 0.003, noise = 0;  ///< shares of peaks, before the threshold
    double noise_mean = 8;
    double threshold = 20, threshold_width = 2.5;
};

/// `peaks` drawn, those found are returned: a few per cent fewer.
inline std::vector<float> draw_charges(const SpeTruth& truth, int peaks, std::uint64_t seed) {
    std::mt19937_64 random{seed};
    std::uniform_real_distribution<double> uniform;
    std::exponential_distribution<double> noise{1 / truth.noise_mean};
    const auto photoelectrons = [&](double n) {
        return std::gamma_distribution<double>{n * (truth.theta + 1), truth.charge / (truth.theta + 1)}(random);
    };
    std::vector<float> found;
    for (int i = 0; i < peaks; ++i) {
        double kind = uniform(random);
        double charge = 0;
        if (kind < truth.noise) {
            charge = noise(random);
        } else if ((kind -= truth.noise) < truth.two) {
            charge = photoelectrons(2);
        } else if ((kind -= truth.two) < truth.three) {
            charge = photoelectrons(3);
        } else {
            charge = photoelectrons(1);
        }
        const double chance = 1 / (1 + std::exp(-(charge - truth.threshold) / truth.threshold_width));
        if (uniform(random) < chance) found.push_back(static_cast<float>(charge));
    }
    return found;
}

}  // namespace trigger_test
