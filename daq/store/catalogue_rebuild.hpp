#pragma once
// catalogue.sqlite, made again or completed from the parts themselves: they hold all it says but the digest of their
// files.

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "daq/store/catalogue.hpp"
#include "daq/store/file_reader.hpp"

namespace alleycat {

/// The rows of a part, as its /summary tells. `sha256` may be "": not known.
[[nodiscard]] CataloguePart part_row(const AlleycatFile& file, std::string sha256, std::string state);
/// What the part closed last tells of its run; state, reason, last_ordinal, last_sequence and recorded are left open.
[[nodiscard]] CatalogueRun run_row(const RunDescription& run, const PartSummary& last);
[[nodiscard]] CatalogueComment comment_row(std::uint64_t run, const OperatorNote& note);
/// Makes the row of a part's run from this part, whatever stood there.
void replace_run_row(Catalogue& catalogue, const AlleycatFile& file, std::uint64_t last_ordinal);
/// Makes or updates the row of a part's run, with what operators said, from what this part knows, where it knows more
/// than the row. `last_ordinal`: of the last frame of the run in this part.
void put_run_row(Catalogue& catalogue, const AlleycatFile& file, std::uint64_t last_ordinal);

/// What was found and done, in plain sentences.
using CatalogueNews = std::vector<std::string>;

/// Opens a folder's catalogue for writing. One that cannot be read is set aside as catalogue.sqlite.damaged, and a new
/// one begun; `news` says so. The caller holds the folder's lock.
[[nodiscard]] std::unique_ptr<Catalogue> open_catalogue(const std::filesystem::path& folder, CatalogueNews& news);

/// Adds a row, in state "recomputed" and without a digest, for every closed part that has none, and for its run. Parts
/// whose journal is still there are left to the writer. Takes milliseconds per part: no file is read as a whole.
void complete_catalogue(const std::filesystem::path& folder, Catalogue& catalogue, CatalogueNews& news);

/// `alleycat verify --catalogue`: both, and for the rows without a digest that of the file as it is now, if the file is
/// whole by its own account. Throws Error when a writer uses the folder.
[[nodiscard]] CatalogueNews rebuild_catalogue(const std::filesystem::path& folder);

}  // namespace alleycat
