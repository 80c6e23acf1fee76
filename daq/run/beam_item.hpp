#pragma once

#include <cstdint>

#include "daq/core/beam.hpp"

namespace alleycat {

/// What a source says about the beam, on its way from the reader thread to the join.
struct BeamItem {
    enum class Kind : std::uint8_t { frame, resolution, tick };
    Kind kind = Kind::frame;
    BeamFrame frame{};
    BeamResolution resolution{};
    TickRecord tick{};  ///< in the board's own time
};

}  // namespace alleycat
