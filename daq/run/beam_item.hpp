#pragma once

#include <cstdint>

#include "daq/core/beam.hpp"

namespace alleycat {

/// What a source says about the beam, on its way from the reader thread to the join.
struct BeamItem {
    enum class Kind : std::uint8_t { frame, resolution };
    Kind kind = Kind::frame;
    BeamFrame frame{};
    BeamResolution resolution{};
};

/// A tick that came apart from the records, on its way from the reader thread to the builder.
struct TickItem {
    TickRecord tick{};          ///< in the board's own time
    std::int64_t after_ps = 0;  ///< data time of its board when it came; kNever: no record had come
};

}  // namespace alleycat
