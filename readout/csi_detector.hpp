#pragma once

#include <memory>

#include "readout/detector_model.hpp"

namespace alleycat {

/// The CsI[Na] crystal with its muon veto: CEvNS and prompt neutrons of the beam, steady pulses, Cherenkov light, big
/// deposits with their afterglow, a linear gate. The photoelectrons of a pulse arrive with the light of two
/// exponentials.
[[nodiscard]] std::unique_ptr<DetectorModel> make_csi_detector(const SimulatorConfig& config, SimulatedBoard& board);

}  // namespace alleycat
