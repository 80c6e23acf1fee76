#pragma once
// Moving closed parts away: a verified copy at a second place, the station's own command for each, and deleting here
// what is verified there. A process of its own: a target that hangs never touches the writer.

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <stop_token>
#include <string>
#include <vector>

#include "daq/core/config.hpp"

namespace alleycat {

/// [archive] of a station file.
struct ArchiveConfig {
    std::filesystem::path destination;        ///< "": no copies
    std::vector<std::string> hook;            ///< program and arguments, the part's path is added; empty: none
    std::uint64_t keep_free_mb = 0;           ///< 0: nothing is ever deleted
    std::chrono::seconds look_every{10};      ///< for parts that were closed
    std::chrono::seconds hook_timeout{3600};  ///< then it is killed, and tried again

    friend bool operator==(const ArchiveConfig&, const ArchiveConfig&) = default;
};
[[nodiscard]] ArchiveConfig parse_archive(ConfigSection& root);

/// What one round did, in names of parts.
struct ArchiveRound {
    std::vector<std::string> copied, hooked, deleted;
    std::vector<std::string> problems;  ///< a sentence each, naming the thing; the next round tries again
};

/// Where a part of the catalogue stands.
struct ArchivedPart {
    std::string part;  ///< name of its file
    std::uint64_t bytes = 0;
    bool here = false;                 ///< in the folder of the data
    bool there = false;                ///< at the destination, with all its bytes
    std::int64_t verified_utc_ns = 0;  ///< when what was read back there was compared; 0: never
    bool hook_done = false;
};
/// What an archive has done so far.
struct ArchiveState {
    std::vector<ArchivedPart> parts;    ///< oldest first
    std::vector<std::string> problems;  ///< parts that are nowhere, copies that are gone: a sentence each
};
/// Looks and changes nothing; an archive may be at work meanwhile. Throws Error when there is no catalogue.
[[nodiscard]] ArchiveState look_at_archive(const std::filesystem::path& folder, const ArchiveConfig& config);

/// The archive of one folder of data; used by one thread.
class Archive {
  public:
    /// Throws Error when another one works on this folder, or the destination is the folder itself.
    Archive(std::filesystem::path folder, ArchiveConfig config);
    ~Archive();

    /// Every part that stands in the catalogue, oldest first: copied and compared unless it is, the hook run unless it
    /// was; then parts are deleted, oldest first, while less than keep_free_mb are free: only those whose copy was
    /// verified and is still there, and whose hook has left with 0. At the end the catalogue follows to the
    /// destination, when it has changed: what operators say after a run's end stands nowhere else. One there that knows
    /// more than ours is kept.
    ArchiveRound work(const std::stop_token& stop);

  private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

/// Copies `part` to `destination` under its name, by way of NAME.new: what has its name there has been read back from
/// the disk and is what `sha256` says. Throws Error naming the file; what it left is NAME.new at most.
void copy_verified(const std::filesystem::path& part, const std::filesystem::path& destination,
                   const std::string& sha256, const std::stop_token& stop);
/// Its second half: reads `file` back, compares, and gives it its final name.
void accept_copy(const std::filesystem::path& file, const std::filesystem::path& final_name, const std::string& sha256,
                 const std::stop_token& stop);

}  // namespace alleycat
