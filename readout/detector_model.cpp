#include "readout/detector_model.hpp"

#include "daq/core/error.hpp"
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
        case SimulatedDetector::nai:
        case SimulatedDetector::cells:
            throw UsageError{
                "simulator.detector: nai and cells stand behind boards that trigger themselves: board.trigger = "
                "\"self\""};
    }
    return make_csi_detector(config, board);
}

}  // namespace alleycat
