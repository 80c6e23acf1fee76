#pragma once

#include <array>
#include <cstddef>

namespace alleycat {

/// The charge spectrum of single peaks: Polya of one, two and three photoelectrons and exponential noise, times the
/// chance that the peak finder sees so small a charge. source: trigger/README.md#calibration
struct SpeModel {
    enum Parameter : std::size_t {
        spe_charge,  ///< mean charge of one photoelectron [ADC x sample]
        theta,       ///< Polya parameter: relative variance 1 / (1 + theta)
        one,
        two,
        three,            ///< peaks of so many photoelectrons, before the threshold
        noise,            ///< peaks of noise, before the threshold
        noise_mean,       ///< their mean charge [ADC x sample]
        threshold,        ///< charge that is found every other time [ADC x sample]
        threshold_width,  ///< of the logistic function [ADC x sample]
        parameters
    };
    using Values = std::array<double, parameters>;

    /// Peaks per unit of charge at `charge` > 0, and its derivative by each parameter.
    [[nodiscard]] static double density(const Values& p, double charge, Values& gradient) noexcept;
};

}  // namespace alleycat
