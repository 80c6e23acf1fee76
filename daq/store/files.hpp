#pragma once
// What the disk promises and what it does not: descriptors, syncing, names that are never taken twice.

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <utility>

namespace alleycat {

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

  private:
    int fd_ = -1;
};

// All of these throw Error "PATH: what could not be done: the system's reason".

/// `flags` as for open(2); close-on-exec is added.
[[nodiscard]] FileDescriptor open_file(const std::filesystem::path& path, int flags);
/// Writes all of it at `offset`.
void write_at(const FileDescriptor& file, std::span<const std::byte> bytes, std::uint64_t offset,
              const std::filesystem::path& path);
/// Reads up to bytes.size() from `offset`; fewer only at the end of the file.
[[nodiscard]] std::size_t read_at(const FileDescriptor& file, std::span<std::byte> bytes, std::uint64_t offset,
                                  const std::filesystem::path& path);
void sync_data(const FileDescriptor& file, const std::filesystem::path& path);
void sync_file(const std::filesystem::path& path);
/// Makes what was created, renamed or removed in a folder durable.
void sync_folder(const std::filesystem::path& folder);
/// Renames; an existing `to` is never overwritten, not even when it appears at the last moment.
void rename_new(const std::filesystem::path& from, const std::filesystem::path& to);

/// The folder a file stands in ("." when the path has none).
[[nodiscard]] std::filesystem::path folder_of(const std::filesystem::path& file);
/// Lower-case hexadecimal SHA-256 of a file's content.
[[nodiscard]] std::string sha256_of(const std::filesystem::path& path);
/// Space an ordinary user may still write there; 0 when the system does not say.
[[nodiscard]] std::uint64_t free_bytes(const std::filesystem::path& folder) noexcept;

}  // namespace alleycat
