#pragma once
// catalogue.sqlite beside the data: which runs and parts there are, and what their content must be.

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "daq/core/operator_note.hpp"

namespace alleycat {

/// One row of `parts`.
struct CataloguePart {
    std::string file;  ///< name without folder
    std::uint64_t run = 0;
    std::uint32_t part = 0;
    std::string sha256;  ///< of the closed file, lower-case hexadecimal; "": not known
    std::uint64_t bytes = 0;
    std::uint64_t first_sequence = 0, last_sequence = 0;  ///< refused triggers included; kNoSequence: none
    std::uint64_t triggers = 0;
    std::int64_t start_utc_ns = 0, end_utc_ns = 0;  ///< first and last trigger recorded
    std::string state;  ///< "closed", "repaired", "interrupted", "salvaged"; "recomputed": made from the file

    friend bool operator==(const CataloguePart&, const CataloguePart&) = default;
};

/// One row of `runs`.
struct CatalogueRun {
    std::uint64_t run = 0;
    std::string profile{}, software{}, host{};
    std::int64_t start_utc_ns = 0;
    std::string state{};                                          ///< "running", "ended", "interrupted"
    std::string reason{};                                         ///< why it ended
    std::uint64_t last_ordinal = 0;                               ///< last frame that is on the disk
    std::uint64_t last_sequence = 0;                              ///< last trigger among them; kNoSequence: none
    std::int64_t end_utc_ns = 0;                                  ///< 0: it goes on, or its end never came
    std::uint64_t recorded = 0, refused = 0, lost_estimated = 0;  ///< triggers, as the files hold them or not
    std::string quality{};          ///< flags, separated by commas (daq/store/run_quality.hpp); "": not judged yet
    std::string quality_reasons{};  ///< a line "flag: reason" each
    bool test_run = false;

    friend bool operator==(const CatalogueRun&, const CatalogueRun&) = default;
};

/// One row of `comments`: what an operator said of a run.
struct CatalogueComment {
    std::uint64_t run = 0;
    std::int64_t utc_ns = 0;
    std::string author;
    std::string kind;  ///< "comment", or what the run was marked as: "good", "tainted"
    std::string text;  ///< of a mark its reason

    friend bool operator==(const CatalogueComment&, const CatalogueComment&) = default;
};

/// One row of `copies`: a closed part at a second place.
struct CatalogueCopy {
    std::string part;         ///< name of the part's file
    std::string destination;  ///< folder
    std::string sha256;       ///< of what was read back there
    std::int64_t utc_ns = 0;  ///< when
    std::string state;        ///< "verified"; "moved": and the part was deleted here since

    friend bool operator==(const CatalogueCopy&, const CatalogueCopy&) = default;
};

/// One row of `hooks`: the station's own command was run for a closed part, and left with 0.
struct CatalogueHook {
    std::string part;
    std::string command;
    std::int64_t utc_ns = 0;

    friend bool operator==(const CatalogueHook&, const CatalogueHook&) = default;
};

/// Used by one thread; several processes may have it open. Every change is durable when its call returns. All of these
/// throw Error naming the file.
class Catalogue {
  public:
    enum class Open { write, read_only };
    /// `write` makes the file when it is absent and brings one of an older version up to date; `read_only` reads
    /// either.
    Catalogue(const std::filesystem::path& folder, Open how);
    ~Catalogue();
    Catalogue(const Catalogue&) = delete;
    Catalogue& operator=(const Catalogue&) = delete;

    /// Adds the row, or replaces the one of the same file or run.
    void put(const CataloguePart& part);
    void put(const CatalogueRun& run);
    void put(const CatalogueCopy& copy);
    void put(const CatalogueHook& hook);
    /// Adds the row unless it is there.
    void put(const CatalogueComment& comment);
    /// The run's quality follows what `comments` says of it, whoever else writes at this moment.
    void judge_anew(std::uint64_t run);
    [[nodiscard]] std::optional<CataloguePart> part(const std::string& file) const;
    [[nodiscard]] std::vector<CataloguePart> parts(std::uint64_t run) const;
    [[nodiscard]] std::optional<CatalogueRun> run(std::uint64_t run) const;
    [[nodiscard]] std::vector<CataloguePart> parts() const;  ///< of all runs, oldest first
    [[nodiscard]] std::optional<CatalogueRun> newest_run() const;
    [[nodiscard]] std::vector<CatalogueRun> runs() const;                           ///< oldest first
    [[nodiscard]] std::vector<CatalogueComment> comments(std::uint64_t run) const;  ///< oldest first
    [[nodiscard]] std::vector<OperatorNote> notes(std::uint64_t run) const;         ///< the same
    [[nodiscard]] std::vector<CatalogueCopy> copies(const std::string& part) const;
    [[nodiscard]] std::optional<CatalogueHook> hook(const std::string& part) const;

    /// One moment of the whole catalogue, whoever writes meanwhile: what a file with it would hold.
    [[nodiscard]] std::vector<std::byte> snapshot() const;
    /// Something that `older` says and this one does not: a part or a comment; "": nothing.
    [[nodiscard]] std::string missing_of(const Catalogue& older) const;

    [[nodiscard]] static std::filesystem::path file_in(const std::filesystem::path& folder);
    /// Why a folder's catalogue can never be read again; "" when it is absent or nothing is wrong with it.
    [[nodiscard]] static std::string damage_in(const std::filesystem::path& folder);

  private:
    class Database;
    std::unique_ptr<Database> database_;
};

}  // namespace alleycat
