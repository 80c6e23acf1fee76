#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "daq/core/record.hpp"
#include "daq/store/file_reader.hpp"

namespace alleycat {

/// What the simulator put into a file, and what the analysis made of it.
struct TruthTally {
    std::array<std::uint64_t, kTruthKindNames.size()> injected{};  ///< pulses by TruthKind
    std::uint64_t signal_injected = 0;  ///< of them CEvNS and prompt neutrons
    /// Triggers with an injected signal pulse that the coincident window accepts inside the analysis box, beam on: what the
    /// excess estimates.
    std::uint64_t signal_in_box = 0;
};

/// nullopt for a file without truth (a real recording). Throws Error when it cannot be read.
[[nodiscard]] std::optional<TruthTally> tally_truth(const AlleycatFile& file);

}  // namespace alleycat
