#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "readout/pulse_model.hpp"

namespace alleycat {

/// A pulse of many photoelectrons as a whole: an exponential decay seen by a photomultiplier with a Gaussian response,
/// integrated over each sample, at 16 sub-sample phases. Its sum over all time is the charge exactly; what lies behind
/// `length_samples` is cut off. The pulse begins at its time: the decay starts three sigma of the response later.
class DecayShape {
  public:
    DecayShape(double response_sigma_ns, double decay_ns, double sample_period_ns, std::size_t length_samples);

    void add(PulseCanvas& canvas, double time_ns, double charge) const noexcept;

  private:
    static constexpr std::size_t kPhases = 16;
    double sample_period_ns_;
    std::size_t length_;
    std::vector<float> templates_;  // shape (kPhases, length_)
};

}  // namespace alleycat
