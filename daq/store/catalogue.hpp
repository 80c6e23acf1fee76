#pragma once
// catalogue.sqlite beside the data: which runs and parts there are, and what their content must be.

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

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
    std::string profile, software, host;
    std::int64_t start_utc_ns = 0;
    std::string state;                ///< "running", "ended", "interrupted"
    std::string reason;               ///< why it ended
    std::uint64_t last_ordinal = 0;   ///< last frame that is on the disk
    std::uint64_t last_sequence = 0;  ///< last trigger among them; kNoSequence: none

    friend bool operator==(const CatalogueRun&, const CatalogueRun&) = default;
};

/// Used by one thread. Every change is durable when its call returns. All of these throw Error naming the file.
class Catalogue {
  public:
    enum class Open { write, read_only };
    /// `write` makes the file when it is absent.
    Catalogue(const std::filesystem::path& folder, Open how);
    ~Catalogue();
    Catalogue(const Catalogue&) = delete;
    Catalogue& operator=(const Catalogue&) = delete;

    /// Adds the row, or replaces the one of the same file or run.
    void put(const CataloguePart& part);
    void put(const CatalogueRun& run);
    [[nodiscard]] std::optional<CataloguePart> part(const std::string& file) const;
    [[nodiscard]] std::vector<CataloguePart> parts(std::uint64_t run) const;
    [[nodiscard]] std::optional<CatalogueRun> run(std::uint64_t run) const;
    [[nodiscard]] std::optional<CatalogueRun> newest_run() const;
    [[nodiscard]] std::vector<CatalogueRun> runs() const;  ///< oldest first

    [[nodiscard]] static std::filesystem::path file_in(const std::filesystem::path& folder);
    /// Why a folder's catalogue can never be read again; "" when it is absent or nothing is wrong with it.
    [[nodiscard]] static std::string damage_in(const std::filesystem::path& folder);

  private:
    class Database;
    std::unique_ptr<Database> database_;
};

}  // namespace alleycat
