#pragma once

#include <memory>

namespace alleycat {

class DetectorModel;
class SimulatedBoard;
struct SimulatorConfig;

/// [simulator.lar]: liquid argon seen by photomultipliers, as CENNS-10 (24 kg at 27.5 m). Energies in keV of an
/// electron with the same light (keVee); rates are nature's, before rate_boost.
struct LarConfig {
    double photoelectrons_per_kevee = 4.5;  ///< of all tubes together
    double light_spread = 0.29;             ///< relative sigma of the light at 1 keVee, falls as 1 / sqrt(E). With the
                                            ///< photoelectron statistics: 0.58 / sqrt(E), as published
    double singlet_ns = 7, triplet_ns = 1'600;
    double recoil_singlet_share = 0.7;    ///< of the light of nuclear recoils
    double electron_singlet_share = 0.3;  ///< and of electrons
    double cevns_per_gwh = 26;            ///< 159 in 6.1 GWh
    double cevns_mean_kevee = 8;          ///< energies fall exponentially
    double neutrons_per_gwh = 90;         ///< of the beam, prompt: 553 in the same time
    double neutron_mean_kevee = 30;       ///< exponential, also of recoil_rate_hz
    double electron_rate_hz = 24;         ///< beta decays at any time: 39Ar, 1 Bq/kg
    double electron_endpoint_kevee = 565;
    double recoil_rate_hz = 0;  ///< nuclear recoils at any time: a neutron source beside the detector
};

/// Nuclear and electron recoils in liquid argon, told apart by the share of the singlet light. `board` must outlive it.
[[nodiscard]] std::unique_ptr<DetectorModel> make_lar_detector(const SimulatorConfig& config, SimulatedBoard& board);

}  // namespace alleycat
