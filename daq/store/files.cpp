#include "daq/store/files.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdio>
#include <system_error>
#include <vector>

#include "daq/store/sha256.hpp"

namespace alleycat {
namespace {

std::atomic<DiskProbe*> the_probe{nullptr};

[[noreturn]] void fail(const std::filesystem::path& path, std::string_view what, int error) {
    throw DiskError{fmt::format("{}: {}: {}", path.string(), what, std::generic_category().message(error)), error};
}

/// The errno with which the call must fail, 0: it is made.
int refused(const DiskCall& call, std::size_t& written) {
    written = 0;
    DiskProbe* const probe = the_probe.load(std::memory_order_acquire);
    return probe != nullptr ? probe->before(call, written) : 0;
}
int refused(const DiskCall& call) {
    std::size_t written = 0;
    return refused(call, written);
}

void write_all(const FileDescriptor& file, std::span<const std::byte> bytes, std::uint64_t offset,
               const std::filesystem::path& path) {
    while (!bytes.empty()) {
        const ssize_t n = ::pwrite(file.get(), bytes.data(), bytes.size(), static_cast<off_t>(offset));
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) fail(path, "cannot be written", n < 0 ? errno : ENOSPC);
        bytes = bytes.subspan(static_cast<std::size_t>(n));
        offset += static_cast<std::uint64_t>(n);
    }
}

}  // namespace

bool DiskError::disk_full() const noexcept { return system_error_ == ENOSPC || system_error_ == EDQUOT; }

DiskProbe* install_disk_probe(DiskProbe* probe) noexcept {
    return the_probe.exchange(probe, std::memory_order_acq_rel);
}

FileDescriptor::~FileDescriptor() {
    if (fd_ >= 0) ::close(fd_);
}

FileDescriptor open_file(const std::filesystem::path& path, int flags) {
    const bool creates = (flags & O_CREAT) != 0;
    const int error = creates ? refused({DiskCall::Kind::create, path}) : 0;
    const int fd = error == 0 ? ::open(path.c_str(), flags | O_CLOEXEC, 0644) : -1;
    if (fd < 0) fail(path, creates ? "cannot be made" : "cannot be opened", error != 0 ? error : errno);
    return FileDescriptor{fd};
}

void write_at(const FileDescriptor& file, std::span<const std::byte> bytes, std::uint64_t offset,
              const std::filesystem::path& path) {
    std::size_t written = 0;
    if (const int error =
            refused({.kind = DiskCall::Kind::write, .path = path, .bytes = bytes, .offset = offset}, written)) {
        write_all(file, bytes.first(std::min(written, bytes.size())), offset, path);
        fail(path, "cannot be written", error);
    }
    write_all(file, bytes, offset, path);
}

std::size_t read_at(const FileDescriptor& file, std::span<std::byte> bytes, std::uint64_t offset,
                    const std::filesystem::path& path) {
    std::size_t got = 0;
    while (got < bytes.size()) {
        const ssize_t n = ::pread(file.get(), bytes.data() + got, bytes.size() - got, static_cast<off_t>(offset + got));
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) fail(path, "cannot be read", errno);
        if (n == 0) break;
        got += static_cast<std::size_t>(n);
    }
    return got;
}

void truncate_at(const FileDescriptor& file, std::uint64_t bytes, const std::filesystem::path& path) {
    int error = refused({.kind = DiskCall::Kind::truncate, .path = path, .offset = bytes});
    if (error == 0 && ::ftruncate(file.get(), static_cast<off_t>(bytes)) != 0) error = errno;
    if (error != 0) fail(path, "its length cannot be set", error);
}

void begin_writing_back(const FileDescriptor& file, std::uint64_t offset, std::uint64_t bytes) noexcept {
    (void)::sync_file_range(file.get(), static_cast<off_t>(offset), static_cast<off_t>(bytes), SYNC_FILE_RANGE_WRITE);
}

void sync_data(const FileDescriptor& file, const std::filesystem::path& path) {
    int error = refused({DiskCall::Kind::sync, path});
    if (error == 0 && ::fdatasync(file.get()) != 0) error = errno;
    if (error != 0) fail(path, "cannot be made durable", error);
}

void forget_cached(const FileDescriptor& file, const std::filesystem::path& path) {
    sync_data(file, path);  // only clean pages are forgotten
    (void)::posix_fadvise(file.get(), 0, 0, POSIX_FADV_DONTNEED);
}

void sync_folder(const std::filesystem::path& folder) {
    const FileDescriptor file = open_file(folder, O_RDONLY | O_DIRECTORY);
    int error = refused({DiskCall::Kind::sync_folder, folder});
    if (error == 0 && ::fsync(file.get()) != 0) error = errno;
    if (error != 0) fail(folder, "cannot be made durable", error);
}

void rename_new(const std::filesystem::path& from, const std::filesystem::path& to) {
    const int error = refused({.kind = DiskCall::Kind::rename, .path = from, .to = &to});
    if (error == 0 && ::renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_NOREPLACE) == 0) return;
    if (error != 0) errno = error;
    if (error == 0 && (errno == EINVAL || errno == ENOSYS)) {
        // A file system that does not know the flag: a hard link refuses as well.
        if (::link(from.c_str(), to.c_str()) == 0) {
            ::unlink(from.c_str());
            return;
        }
    }
    if (errno == EEXIST) throw Error{fmt::format("{}: exists already and is not overwritten", to.string())};
    fail(from, "cannot be renamed to " + to.filename().string(), errno);
}

void replace_file(const std::filesystem::path& path, std::span<const std::byte> content) {
    const std::filesystem::path fresh = path.string() + ".new";
    try {
        const FileDescriptor file = open_file(fresh, O_WRONLY | O_CREAT | O_TRUNC);
        write_at(file, content, 0, fresh);
        sync_data(file, fresh);
        int error = refused({.kind = DiskCall::Kind::rename, .path = fresh, .to = &path});
        if (error == 0 && ::rename(fresh.c_str(), path.c_str()) != 0) error = errno;
        if (error != 0) fail(path, "cannot be replaced", error);
    } catch (...) {
        std::error_code ignored;
        std::filesystem::remove(fresh, ignored);
        throw;
    }
    sync_folder(folder_of(path));
}

bool remove_file(const std::filesystem::path& path) {
    int error = refused({DiskCall::Kind::remove, path});
    if (error == 0 && ::unlink(path.c_str()) != 0) error = errno;
    if (error != 0 && error != ENOENT) fail(path, "cannot be removed", error);
    return error == 0;
}

std::filesystem::path folder_of(const std::filesystem::path& file) {
    return file.has_parent_path() ? file.parent_path() : std::filesystem::path{"."};
}

std::string sha256_of(const std::filesystem::path& path) {
    const FileDescriptor file = open_file(path, O_RDONLY);
    Sha256 digest;
    std::vector<std::byte> block(1 << 20);
    for (std::uint64_t offset = 0;;) {
        const std::size_t n = read_at(file, block, offset, path);
        if (n == 0) break;
        digest.add(std::span{block}.first(n));
        offset += n;
    }
    return digest.finish();
}

std::optional<std::uint64_t> free_bytes(const std::filesystem::path& folder) noexcept {
    struct statvfs stat {};
    if (::statvfs(folder.c_str(), &stat) != 0) return std::nullopt;
    return std::uint64_t{stat.f_bavail} * stat.f_frsize;
}

}  // namespace alleycat
