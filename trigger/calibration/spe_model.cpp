#include "trigger/calibration/spe_model.hpp"

#include <boost/math/special_functions/digamma.hpp>
#include <boost/math/special_functions/gamma.hpp>
#include <cmath>

namespace alleycat {
namespace {

/// The charge of `n` photoelectrons: n (theta + 1) steps of q / (theta + 1), a gamma distribution.
struct Polya {
    double value;
    double by_charge, by_theta;  // derivatives by the parameters
};

Polya polya(double n, double q, double theta, double charge) noexcept {
    const double shape = n * (theta + 1);
    const double rate = (theta + 1) / q;
    const double value =
        std::exp(shape * std::log(rate) + (shape - 1) * std::log(charge) - rate * charge - boost::math::lgamma(shape));
    const double by_charge = value * (rate * charge - shape) / q;
    const double by_theta = value * (n * (std::log(rate * charge) + 1 - boost::math::digamma(shape)) - charge / q);
    return {value, by_charge, by_theta};
}

}  // namespace

double SpeModel::density(const Values& p, double charge, Values& gradient) noexcept {
    gradient.fill(0);
    double sum = 0;
    for (std::size_t n = 1; n <= 3; ++n) {
        const double peaks = p[one + n - 1];
        const Polya of_n = polya(static_cast<double>(n), p[spe_charge], p[theta], charge);
        sum += peaks * of_n.value;
        gradient[one + n - 1] = of_n.value;
        gradient[spe_charge] += peaks * of_n.by_charge;
        gradient[theta] += peaks * of_n.by_theta;
    }
    const double of_noise = std::exp(-charge / p[noise_mean]) / p[noise_mean];
    sum += p[noise] * of_noise;
    gradient[noise] = of_noise;
    gradient[noise_mean] = p[noise] * of_noise * (charge / p[noise_mean] - 1) / p[noise_mean];

    const double away = (charge - p[threshold]) / p[threshold_width];
    const double found = 1 / (1 + std::exp(-away));
    for (double& slope : gradient) slope *= found;
    const double by_threshold = sum * found * (1 - found) / p[threshold_width];
    gradient[threshold] = -by_threshold;
    gradient[threshold_width] = -by_threshold * away;
    return sum * found;
}

}  // namespace alleycat
