#pragma once

#include <memory>
#include <vector>

namespace alleycat {

class DetectorModel;
class SimulatedBoard;
struct SimulatorConfig;

/// [simulator.germanium]: a p-type point contact detector behind a charge-sensitive preamplifier. Energies in keV of an
/// electron; rates are nature's, before rate_boost. Times of the charge collection are 10 to 90 %.
struct GermaniumConfig {
    double gain_adc_per_kev = 50;
    double decay_ns = 50'000;   ///< time constant with which a step falls back
    double fano_factor = 0.11;  ///< variance of the number of electron-hole pairs over the number
    double bulk_rise_ns = 350, bulk_rise_spread = 0.1;              ///< mean and relative sigma
    double surface_rise_min_ns = 900, surface_rise_max_ns = 2'500;  ///< uniform
    double surface_share = 0.15;                                    ///< of the continuum
    double surface_collected_min = 0.3;                             ///< share of the charge, uniform from here to 1
    std::vector<double> lines_kev{10.37, 8.98, 1.30};               ///< 68,71Ge K, 65Zn K, 68,71Ge L
    std::vector<double> lines_rate_hz{0.02, 0.004, 0.0026};
    double continuum_rate_hz = 0.02;  ///< uniform from 0 to ...
    double continuum_max_kev = 15;
    double cevns_per_gwh = 80;
    double cevns_mean_kev = 0.6;  ///< exponential
    double neutrons_per_gwh = 5;
    double neutron_mean_kev = 2;    ///< exponential
    double reset_rate_hz = 10;      ///< of the preamplifier; rate_boost leaves it alone
    double reset_drop_adc = 4'000;  ///< by which the signal falls, to recover with decay_ns
    double reset_fall_ns = 300;     ///< 10 to 90 %
};

/// Steps of charge in a germanium detector: bulk events are fast, those near the surface slow and incomplete. `board`
/// must outlive it.
[[nodiscard]] std::unique_ptr<DetectorModel> make_germanium_detector(const SimulatorConfig& config,
                                                                     SimulatedBoard& board);

}  // namespace alleycat
