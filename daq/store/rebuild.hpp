#pragma once
// A part, made again from its journal.

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "daq/store/journal.hpp"
#include "daq/store/part_writer.hpp"
#include "daq/store/store_config.hpp"

namespace alleycat {

/// A calibration and the frame it came in, to be repeated at the start of the next part.
struct CalibrationFrame {
    Calibration calibration;
    std::vector<std::byte> frame;
};

struct RebuiltPart {
    JournalHeader header;
    std::unique_ptr<PartWriter>
        writer;  ///< not closed; nullptr: the journal holds no frame, so nothing was acknowledged
    std::vector<std::byte> start_frame;  ///< the run_start
    std::vector<CalibrationFrame> calibrations;
    std::uint64_t last_ordinal = 0;  ///< in this journal; header.first_ordinal - 1 where it has none of its own
    std::uint64_t last_sequence = kNoSequence;  ///< of the triggers in it
    std::optional<RunEnd> end;
    std::uint64_t whole_bytes = 0;  ///< of the journal
    std::string tear;               ///< where and why the journal ends early; "": it does not
    bool frames_behind_the_tear = false;
};

/// Replays `journal` into a fresh part `file` (+ ".part"; what stands there under that name is removed, it was made
/// from the same journal). Reads what stands on the disk, up to `trusted_bytes` of the journal. Throws Error when the
/// journal cannot be opened or the part cannot be written.
[[nodiscard]] RebuiltPart rebuild_part(const std::filesystem::path& journal, const std::filesystem::path& file,
                                       Compression compression, const RawSelection& raw, unsigned threads = 1,
                                       std::uint64_t trusted_bytes = JournalReader::kWhole);

}  // namespace alleycat
