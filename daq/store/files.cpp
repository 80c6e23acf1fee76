#include "daq/store/files.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <system_error>
#include <vector>

#include "daq/core/error.hpp"
#include "daq/store/sha256.hpp"

namespace alleycat {
namespace {

[[noreturn]] void fail(const std::filesystem::path& path, std::string_view what, int error) {
    throw Error{fmt::format("{}: {}: {}", path.string(), what, std::generic_category().message(error))};
}

}  // namespace

FileDescriptor::~FileDescriptor() {
    if (fd_ >= 0) ::close(fd_);
}

FileDescriptor open_file(const std::filesystem::path& path, int flags) {
    const int fd = ::open(path.c_str(), flags | O_CLOEXEC, 0644);
    if (fd < 0) fail(path, (flags & O_CREAT) != 0 ? "cannot be made" : "cannot be opened", errno);
    return FileDescriptor{fd};
}

void write_at(const FileDescriptor& file, std::span<const std::byte> bytes, std::uint64_t offset,
              const std::filesystem::path& path) {
    while (!bytes.empty()) {
        const ssize_t n = ::pwrite(file.get(), bytes.data(), bytes.size(), static_cast<off_t>(offset));
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) fail(path, "cannot be written", n < 0 ? errno : ENOSPC);
        bytes = bytes.subspan(static_cast<std::size_t>(n));
        offset += static_cast<std::uint64_t>(n);
    }
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

void sync_data(const FileDescriptor& file, const std::filesystem::path& path) {
    if (::fdatasync(file.get()) != 0) fail(path, "cannot be made durable", errno);
}

void sync_file(const std::filesystem::path& path) {
    const FileDescriptor file = open_file(path, O_RDONLY);
    if (::fsync(file.get()) != 0) fail(path, "cannot be made durable", errno);
}

void sync_folder(const std::filesystem::path& folder) {
    const FileDescriptor file = open_file(folder, O_RDONLY | O_DIRECTORY);
    if (::fsync(file.get()) != 0) fail(folder, "cannot be made durable", errno);
}

void rename_new(const std::filesystem::path& from, const std::filesystem::path& to) {
    if (::renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_NOREPLACE) == 0) return;
    if (errno == EINVAL || errno == ENOSYS) {  // a file system that does not know the flag: a hard link refuses as well
        if (::link(from.c_str(), to.c_str()) == 0) {
            ::unlink(from.c_str());
            return;
        }
    }
    if (errno == EEXIST) throw Error{fmt::format("{}: exists already and is not overwritten", to.string())};
    fail(from, "cannot be renamed to " + to.filename().string(), errno);
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

std::uint64_t free_bytes(const std::filesystem::path& folder) noexcept {
    struct statvfs stat {};
    if (::statvfs(folder.c_str(), &stat) != 0) return 0;
    return std::uint64_t{stat.f_bavail} * stat.f_frsize;
}

}  // namespace alleycat
