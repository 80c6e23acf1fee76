#pragma once
// One part, looked at from its first to its last byte (internal to daq/store).

#include <optional>
#include <vector>

#include "daq/core/status.hpp"
#include "daq/store/file_reader.hpp"
#include "daq/store/sequence_ranges.hpp"
#include "daq/store/verify.hpp"

namespace alleycat {

/// What a part says of its run.
struct PartAccount {
    std::vector<SequenceRange> ranges;  ///< of all sequence numbers it accounts for, sorted
    std::vector<DeadTime> dead_time;
    std::uint64_t missing_frames = 0;                    ///< of the data stream, as /gaps says
    std::optional<std::vector<Gap>> gaps;                ///< nullopt: before format version 3, or they cannot be read
    std::uint64_t ticks_apart = 0, duplicate_ticks = 0;  ///< that came apart from the triggers
    bool unreadable = false;  ///< not all of its bytes could be read: there is something to be saved
};

/// Checks a part by itself; problems and notes go to `report`. Throws nothing: what cannot be read is a problem.
[[nodiscard]] PartAccount check_part(const AlleycatFile& file, VerifyReport::File& report);

/// What `error` says, without the name of the file it is said of.
[[nodiscard]] std::string without_path(const char* error, const std::filesystem::path& path);

}  // namespace alleycat
