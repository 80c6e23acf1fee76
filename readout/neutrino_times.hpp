#pragma once
// When the neutrinos of pion and muon decay at rest come.

#include "daq/core/record.hpp"
#include "readout/simulator_plan.hpp"
#include "readout/simulator_random.hpp"

namespace alleycat {

inline constexpr double kPionLifetimeNs = 26.03;
inline constexpr double kMuonLifetimeNs = 2196.98;

struct NeutrinoArrival {
    TruthKind kind = TruthKind::cevns_prompt;
    double time_ns = 0;
};

/// One neutrino that scattered coherently, in a detector whose recoil energies are not calculated flavour by flavour:
/// one in four is prompt, between the fluxes (one in three) and the events of CsI[Na] (one in five).
[[nodiscard]] inline NeutrinoArrival draw_neutrino(const ProtonPulse& protons, RandomStream& random) noexcept {
    constexpr double prompt_share = 0.25;
    const bool prompt = random.uniform() < prompt_share;
    const double pion_ns = protons.draw_ns(random) + random.exponential(kPionLifetimeNs);
    if (prompt) return {TruthKind::cevns_prompt, pion_ns};
    return {TruthKind::cevns_delayed, pion_ns + random.exponential(kMuonLifetimeNs)};
}

}  // namespace alleycat
