#include "readout/detector_model.hpp"

#include "readout/csi_detector.hpp"

namespace alleycat {

std::unique_ptr<DetectorModel> make_detector(const SimulatorConfig& config, SimulatedBoard& board) {
    switch (config.detector) {
        case SimulatedDetector::csi: break;
    }
    return make_csi_detector(config, board);
}

}  // namespace alleycat
