#pragma once

#include <string>

#include "daq/core/config.hpp"

namespace alleycat {

/// What stands beside the simulated detector.
struct BeamInstrumentsConfig {
    std::string monitor_channel;     ///< neutron monitor or pick-up; "": none
    double monitor_efficiency = 1;   ///< share of the pulses it sees
    double monitor_noise_hz = 0;     ///< pulses at any time
    double monitor_height_adc = 40;  ///< of its pulses
    std::string tick_channel;        ///< the timing signal, digitized; "": none
    double tick_height_adc = 60;
    double tick_length_ns = 200;
};

/// Reads its keys from [simulator].
[[nodiscard]] BeamInstrumentsConfig parse_beam_instruments(ConfigSection& section);

}  // namespace alleycat
