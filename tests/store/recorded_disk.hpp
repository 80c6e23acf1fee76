#pragma once
// A disk that can lose its power. Every change this process makes to one folder is recorded in order, whoever makes it:
// our own files, HDF5, SQLite. From the record, the folder as any moment of it would have left it can be made again.

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <random>
#include <string>
#include <vector>

namespace alleycat::testing {

using Bytes = std::vector<std::byte>;
/// Files of one folder by name, with their contents.
using FolderContent = std::map<std::string, Bytes>;

[[nodiscard]] FolderContent read_folder(const std::filesystem::path& folder);
void write_folder(const std::filesystem::path& folder, const FolderContent& content);

/// One change. Files are numbered, because a name may move from one to another.
struct DiskChange {
    enum class Kind : std::uint8_t { create, write, truncate, sync, sync_folder, rename, remove, note };
    Kind kind;
    int file = -1;
    std::string name{};        ///< create, rename, remove; what a note says
    std::string to{};          ///< rename
    std::uint64_t offset = 0;  ///< write; truncate: the new length; note: a number
    Bytes bytes{};             ///< write
};

/// Records while it lives; there is one at a time. Files and descriptors are those opened while it lives.
class DiskRecorder {
  public:
    explicit DiskRecorder(const std::filesystem::path& folder);
    ~DiskRecorder();
    DiskRecorder(const DiskRecorder&) = delete;
    DiskRecorder& operator=(const DiskRecorder&) = delete;

    /// Something the program promised at this moment.
    void note(const std::string& what, std::uint64_t number);
    [[nodiscard]] std::vector<DiskChange> take();
};

/// What a disk and the system's memory hold, change by change.
class SimulatedDisk {
  public:
    /// The files are on the disk, the folder is synced. Numbers of files: those DiskRecorder gave the same folder.
    explicit SimulatedDisk(const FolderContent& content);
    void apply(const DiskChange& change);

    /// After kill -9: the system still writes everything.
    [[nodiscard]] FolderContent after_kill() const;
    /// After a power cut of which only what was synced is left, files and names.
    [[nodiscard]] FolderContent after_power_cut() const;
    /// After a power cut by chance: of every 4 KiB page that was written since its file's sync, the content after some
    /// of the writes is there; the length is one it had since; of the changes of names since the folder's sync none,
    /// all, the first few or any are there.
    [[nodiscard]] FolderContent after_power_cut(std::mt19937_64& chance) const;

  private:
    struct File {
        Bytes synced, now;
        std::vector<DiskChange> since;  ///< writes and truncations since the sync
    };
    using Names = std::map<std::string, int>;
    [[nodiscard]] FolderContent content(const Names& names, const std::map<int, Bytes>& of_files) const;
    [[nodiscard]] static Bytes some_of(const File& file, std::mt19937_64& chance);
    [[nodiscard]] Names some_names(std::mt19937_64& chance) const;

    std::map<int, File> files_;
    Names synced_names_, names_;
    std::vector<DiskChange> names_since_;
};

}  // namespace alleycat::testing
