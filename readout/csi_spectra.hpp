#pragma once
// What beam does in the CsI[Na] crystal: expected photoelectron spectra per beam energy, before any selection.

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace alleycat {

/// Expected events per GWh on target that give n photoelectrons, index n.
using PhotoelectronSpectrum = std::array<double, 121>;

struct CsiExperiment {
    double mass_kg = 14.57;
    double distance_m = 19.3;
    double protons_per_gwh = 1.76e23 / 7.47594;  ///< of the published exposure
    double neutrinos_per_flavour_per_proton = 0.08;
    double photoelectrons_per_kev_nr = 0.0878 * 13.348;  ///< flat quenching factor x light yield per keV of electrons
};

struct CevnsSpectra {
    PhotoelectronSpectrum prompt{};   ///< nu_mu of pion decay at rest
    PhotoelectronSpectrum delayed{};  ///< nu_e and anti-nu_mu of muon decay at rest
};

/// Standard-Model CEvNS on Cs and I: tree-level cross section with sin^2 theta_W = 0.2386, Klein-Nystrand form factor
/// (R = 1.2 A^(1/3) fm, a = 0.7 fm), Michel spectra, Poisson photoelectron statistics.
[[nodiscard]] CevnsSpectra csi_cevns_spectra(const CsiExperiment& experiment = {});

/// Prompt neutrons through the shield, as published with the 2017 result (data release 10.5281/zenodo.1228631; bin
/// [n, n+1) taken as n photoelectrons; its normalisation is uncertain by 25 %).
[[nodiscard]] PhotoelectronSpectrum csi_prompt_neutron_spectrum() noexcept;

/// Draws a number of photoelectrons, at least 1, from a spectrum.
class PhotoelectronDice {
  public:
    explicit PhotoelectronDice(std::span<const double> spectrum);
    /// Events with at least one photoelectron, in the unit of the spectrum.
    [[nodiscard]] double total() const noexcept { return total_; }
    /// `uniform` in (0, 1).
    [[nodiscard]] std::uint32_t throw_with(double uniform) const noexcept;

  private:
    std::vector<double> cumulative_;  // [i]: share of events with at most i + 1 photoelectrons
    double total_ = 0;
};

}  // namespace alleycat
