#include "readout/csi_spectra.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace alleycat {
namespace {

constexpr double kFermiPerGev2 = 1.1663787e-5;  // G_F [GeV^-2]
constexpr double kHbarCSquaredCm2Gev2 = 0.3893794e-27;
constexpr double kHbarCMevFm = 197.327;
constexpr double kAtomicMassMev = 931.494;
constexpr double kAvogadro = 6.02214e23;
constexpr double kMuonMassMev = 105.658;
constexpr double kPromptNeutrinoMev = 29.79;

struct Nucleus {
    double protons, neutrons;
    [[nodiscard]] double nucleons() const { return protons + neutrons; }
    [[nodiscard]] double mass_mev() const { return nucleons() * kAtomicMassMev; }
};
constexpr Nucleus kCaesium{55, 78};
constexpr Nucleus kIodine{53, 74};
constexpr double kMolarMassCsI = 259.81;  // [g/mol]

/// Klein-Nystrand: 3 j1(qR) / (qR) x 1 / (1 + a^2 q^2).
double form_factor(const Nucleus& nucleus, double recoil_mev) {
    const double q = std::sqrt(2 * nucleus.mass_mev() * recoil_mev) / kHbarCMevFm;  // [1/fm]
    const double x = q * 1.2 * std::cbrt(nucleus.nucleons());
    const double sphere = x < 1e-3 ? 1 : 3 * (std::sin(x) - x * std::cos(x)) / (x * x * x);
    return sphere / (1 + 0.7 * 0.7 * q * q);
}

/// d sigma / d T [cm^2 / MeV]; T is the recoil energy, E the neutrino's.
double cross_section(const Nucleus& nucleus, double form, double recoil_mev, double neutrino_mev) {
    const double kinematics = 1 - nucleus.mass_mev() * recoil_mev / (2 * neutrino_mev * neutrino_mev);
    if (kinematics <= 0) return 0;
    const double weak_charge = nucleus.neutrons - (1 - 4 * 0.2386) * nucleus.protons;
    const double per_gev = kFermiPerGev2 * kFermiPerGev2 * nucleus.mass_mev() * 1e-3 / (4 * std::numbers::pi) *
                           weak_charge * weak_charge * kinematics * form * form * kHbarCSquaredCm2Gev2;
    return per_gev * 1e-3;
}

/// Cross section averaged over nu_e (12 x^2 (1 - x)) plus the one over anti-nu_mu (2 x^2 (3 - 2 x)), x = 2 E / m_mu.
double michel_cross_section(const Nucleus& nucleus, double form, double recoil_mev) {
    constexpr int steps = 200;
    double sum = 0;
    for (int i = 0; i < steps; ++i) {
        const double x = (i + 0.5) / steps;
        const double density = 12 * x * x * (1 - x) + 2 * x * x * (3 - 2 * x);
        sum += density / steps * cross_section(nucleus, form, recoil_mev, x * kMuonMassMev / 2);
    }
    return sum;
}

/// Adds `events` smeared with Poisson statistics of this mean.
void add_poisson(PhotoelectronSpectrum& spectrum, double mean, double events) {
    double probability = std::exp(-mean);
    for (std::size_t n = 0; n < spectrum.size(); ++n) {
        spectrum[n] += events * probability;
        probability *= mean / static_cast<double>(n + 1);
    }
}

}  // namespace

CevnsSpectra csi_cevns_spectra(const CsiExperiment& experiment) {
    const double distance_cm = experiment.distance_m * 100;
    const double fluence = experiment.protons_per_gwh * experiment.neutrinos_per_flavour_per_proton /
                           (4 * std::numbers::pi * distance_cm * distance_cm);    // [1/cm^2/GWh] per flavour
    const double nuclei = experiment.mass_kg * 1000 / kMolarMassCsI * kAvogadro;  // of each kind
    constexpr double step_kev = 0.05;
    constexpr int steps = 1200;  // to 60 keV; the recoils end at 47 keV

    CevnsSpectra spectra;
    for (int i = 0; i < steps; ++i) {
        const double recoil_kev = (i + 0.5) * step_kev;
        const double recoil_mev = recoil_kev * 1e-3;
        double prompt = 0, delayed = 0;
        for (const Nucleus& nucleus : {kCaesium, kIodine}) {
            const double form = form_factor(nucleus, recoil_mev);
            prompt += cross_section(nucleus, form, recoil_mev, kPromptNeutrinoMev);
            delayed += michel_cross_section(nucleus, form, recoil_mev);
        }
        const double scale = fluence * nuclei * step_kev * 1e-3;
        const double mean = recoil_kev * experiment.photoelectrons_per_kev_nr;
        add_poisson(spectra.prompt, mean, prompt * scale);
        add_poisson(spectra.delayed, mean, delayed * scale);
    }
    return spectra;
}

PhotoelectronSpectrum csi_prompt_neutron_spectrum() noexcept {
    constexpr std::array<double, 50> published{
        0.5526, 0.3601, 0.2894, 0.2456, 0.2147, 0.1871, 0.1672, 0.1485, 0.1310, 0.1176,   //  0 ..  9
        0.1060, 0.0962, 0.0886, 0.0815, 0.0758, 0.0703, 0.0657, 0.0606, 0.0568, 0.0525,   // 10 .. 19
        0.0488, 0.0466, 0.0447, 0.0420, 0.0392, 0.0376, 0.0359, 0.0340, 0.0326, 0.0302,   // 20 .. 29
        0.0295, 0.0285, 0.0268, 0.0259, 0.0244, 0.0241, 0.0231, 0.0226, 0.0220, 0.0213,   // 30 .. 39
        0.0210, 0.0206, 0.0199, 0.0196, 0.0190, 0.0188, 0.0182, 0.0176, 0.0166, 0.0167};  // 40 .. 49
    PhotoelectronSpectrum spectrum{};
    std::copy(published.begin(), published.end(), spectrum.begin());
    return spectrum;
}

PhotoelectronDice::PhotoelectronDice(std::span<const double> spectrum) {
    for (std::size_t n = 1; n < spectrum.size(); ++n) cumulative_.push_back(total_ += spectrum[n]);
    for (double& share : cumulative_) share /= total_ > 0 ? total_ : 1;
}

std::uint32_t PhotoelectronDice::throw_with(double uniform) const noexcept {
    const auto at = std::upper_bound(cumulative_.begin(), cumulative_.end(), uniform);
    const auto index = std::min<std::ptrdiff_t>(at - cumulative_.begin(), std::ssize(cumulative_) - 1);
    return static_cast<std::uint32_t>(index + 1);
}

}  // namespace alleycat
