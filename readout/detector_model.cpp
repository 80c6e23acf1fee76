#include "readout/detector_model.hpp"

#include "readout/csi_detector.hpp"
#include "readout/germanium_detector.hpp"
#include "readout/lar_detector.hpp"
#include "readout/mars_detector.hpp"

namespace alleycat {

std::unique_ptr<DetectorModel> make_detector(const SimulatorConfig& config, SimulatedBoard& board) {
    switch (config.detector) {
        case SimulatedDetector::csi: break;
        case SimulatedDetector::lar: return make_lar_detector(config, board);
        case SimulatedDetector::germanium: return make_germanium_detector(config, board);
        case SimulatedDetector::mars: return make_mars_detector(config, board);
    }
    return make_csi_detector(config, board);
}

}  // namespace alleycat
