#pragma once
// A part that is not whole, made again: from the journals of its run, or, without its journal, from what of it can
// still be read (internal to daq/store).

#include <filesystem>
#include <string>
#include <vector>

#include "daq/store/store_config.hpp"

namespace alleycat {

/// What was done, and what is lost.
struct Repair {
    std::string done;
    std::vector<std::string> lost;  ///< "triggers 5 to 9: ..."
};

/// The part's journal stands beside it.
[[nodiscard]] bool has_journal(const std::filesystem::path& part);

/// Makes the part again from its journal; beam states that only newer journals of the run hold are passed on. What it
/// replaces is kept as FILE.damaged. Compression and raw are those of the run's station file. Throws Error when it
/// cannot be made, or a writer uses the folder.
[[nodiscard]] Repair repair_from_journals(const std::filesystem::path& part);

/// Makes a new part of the rows that are provably right; the original is kept as FILE.damaged. Throws Error when
/// nothing can be read; then nothing was changed.
[[nodiscard]] Repair salvage_part(const std::filesystem::path& part);

/// FILE, or FILE of FILE.part.
[[nodiscard]] std::filesystem::path closed_path(const std::filesystem::path& part);
/// A name for what is set aside, that nothing has: FILE.damaged, FILE.damaged2, ...
[[nodiscard]] std::filesystem::path name_aside(const std::filesystem::path& file);
/// [store] of the station file a run was taken with; the defaults where it cannot be read.
[[nodiscard]] StoreConfig store_config_of(const std::string& config_text);

}  // namespace alleycat
