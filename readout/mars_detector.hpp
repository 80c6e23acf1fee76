#pragma once

#include <memory>

namespace alleycat {

class DetectorModel;
class SimulatedBoard;
struct SimulatorConfig;

/// [simulator.mars]: plastic scintillator with gadolinium between its plates, as MARS: a neutron's proton recoils, then
/// its capture. Energies in MeV of an electron with the same light (MeVee); rates are nature's, before rate_boost.
struct MarsConfig {
    double photoelectrons_per_mevee = 100;  ///< of all tubes together
    double scintillation_ns = 3;
    double proton_mean_mevee = 1.5;                         ///< recoil of a neutron, exponential
    double capture_share = 0.5;                             ///< neutrons that are captured and seen
    double capture_time_ns = 15'000;                        ///< exponential
    double capture_min_mevee = 0.8, capture_max_mevee = 7;  ///< of the capture's gammas, uniform
    double neutrons_per_gwh = 20'000;                       ///< of the beam, prompt
    double neutron_rate_hz = 5;                             ///< at any time
    double gamma_rate_hz = 300;
    double gamma_mean_mevee = 0.8;  ///< exponential
};

/// Neutrons and gammas in a capture-gated detector, told apart by the delayed capture. `board` must outlive it.
[[nodiscard]] std::unique_ptr<DetectorModel> make_mars_detector(const SimulatorConfig& config, SimulatedBoard& board);

}  // namespace alleycat
