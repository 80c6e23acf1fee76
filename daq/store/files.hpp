#pragma once
// What the disk promises and what it does not: descriptors, syncing, names that are never taken twice.

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <utility>

#include "daq/core/error.hpp"

namespace alleycat {

/// A file could not be read or changed. The message is "PATH: what could not be done: the system's reason".
class DiskError : public Error {
  public:
    DiskError(const std::string& what, int system_error) : Error{what}, system_error_{system_error} {}
    [[nodiscard]] int system_error() const noexcept { return system_error_; }  ///< errno
    /// There is no room: it may come back without anybody mending the disk.
    [[nodiscard]] bool disk_full() const noexcept;

  private:
    int system_error_;
};

/// Owns an open file.
class FileDescriptor {
  public:
    FileDescriptor() noexcept = default;
    explicit FileDescriptor(int fd) noexcept : fd_{fd} {}
    FileDescriptor(FileDescriptor&& other) noexcept : fd_{std::exchange(other.fd_, -1)} {}
    FileDescriptor& operator=(FileDescriptor&& other) noexcept {
        std::swap(fd_, other.fd_);
        return *this;
    }
    ~FileDescriptor();
    [[nodiscard]] int get() const noexcept { return fd_; }
    [[nodiscard]] int* place() noexcept { return &fd_; }  ///< for C code that asks where the number stands

  private:
    int fd_ = -1;
};

/// What is about to be done to a file of the store.
struct DiskCall {
    enum class Kind : std::uint8_t { create, write, truncate, sync, sync_folder, rename, remove };
    Kind kind;
    const std::filesystem::path& path;
    std::span<const std::byte> bytes{};         ///< of a write
    std::uint64_t offset = 0;                   ///< of a write; truncate: the new length
    const std::filesystem::path* to = nullptr;  ///< of a rename
};

/// Every change of a journal, a part and the folder they stand in goes by here first: a test records it (what would a
/// power cut leave?) or refuses it (what if the disk is full now?). The catalogue is SQLite's and does not.
class DiskProbe {
  public:
    virtual ~DiskProbe() = default;
    /// 0: go on. Else the call fails with this errno; of a write, `written` (0 before) bytes may have been written.
    /// Called by the threads that use the disk: the one that writes and the one that closes parts.
    virtual int before(const DiskCall& call, std::size_t& written) = 0;
};
/// There is one or none for the whole process: a disk has no owner. Returns the one before. For tests.
DiskProbe* install_disk_probe(DiskProbe* probe) noexcept;

// All of these throw DiskError.

/// `flags` as for open(2); close-on-exec is added.
[[nodiscard]] FileDescriptor open_file(const std::filesystem::path& path, int flags);
/// Writes all of it at `offset`.
void write_at(const FileDescriptor& file, std::span<const std::byte> bytes, std::uint64_t offset,
              const std::filesystem::path& path);
/// Reads up to bytes.size() from `offset`; fewer only at the end of the file.
[[nodiscard]] std::size_t read_at(const FileDescriptor& file, std::span<std::byte> bytes, std::uint64_t offset,
                                  const std::filesystem::path& path);
void truncate_at(const FileDescriptor& file, std::uint64_t bytes, const std::filesystem::path& path);
/// Asks the kernel to begin with what was written there, so that syncing later has little left to wait for. Promises
/// nothing and reports nothing: a disk that refuses says so when it is synced.
void begin_writing_back(const FileDescriptor& file, std::uint64_t offset, std::uint64_t bytes) noexcept;
/// What was written through any descriptor is on the disk. After a failure the kernel may take the pages it could not
/// write for clean: doing it again would succeed and promise nothing.
void sync_data(const FileDescriptor& file, const std::filesystem::path& path);
/// Reading comes from the disk from now on, not from what memory believes to stand there (tmpfs: memory is the disk).
void forget_cached(const FileDescriptor& file, const std::filesystem::path& path);
/// Makes what was created, renamed or removed in a folder durable.
void sync_folder(const std::filesystem::path& folder);
/// Renames; an existing `to` is never overwritten, not even when it appears at the last moment.
void rename_new(const std::filesystem::path& from, const std::filesystem::path& to);
/// Puts a whole small file in the place of one that may be there: whoever reads finds the one before or this one, also
/// after a power cut. What it was made as (PATH.new) does not stay when the disk refuses.
void replace_file(const std::filesystem::path& path, std::span<const std::byte> content);
/// false: there was none.
bool remove_file(const std::filesystem::path& path);

/// The folder a file stands in ("." when the path has none).
[[nodiscard]] std::filesystem::path folder_of(const std::filesystem::path& file);
/// Lower-case hexadecimal SHA-256 of a file's content.
[[nodiscard]] std::string sha256_of(const std::filesystem::path& path);
/// Space an ordinary user may still write there; nullopt when the system does not say.
[[nodiscard]] std::optional<std::uint64_t> free_bytes(const std::filesystem::path& folder) noexcept;

}  // namespace alleycat
