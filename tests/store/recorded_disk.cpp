#include "recorded_disk.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdarg>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <iterator>
#include <mutex>
#include <optional>
#include <span>
#include <stdexcept>
#include <utility>

namespace alleycat::testing {

namespace {

constexpr int kFolder = -2;  ///< as a descriptor's file: the folder itself
constexpr std::size_t kPage = 4096;

struct Record {
    std::string folder;
    std::map<std::string, int> names;
    std::map<int, int> descriptors;  ///< to files
    std::vector<DiskChange> changes;
    int next_file = 0;
};

/// Whoever writes, from whatever thread: HDF5 and SQLite call open(2) and know nothing of us.
std::mutex the_mutex;
std::optional<Record> the_record;

/// The name within the recorded folder; "" when it is elsewhere.
std::string name_in_folder(const char* path) {
    const std::string text{path};
    const std::string start = the_record->folder + "/";
    if (!text.starts_with(start) || text.find('/', start.size()) != std::string::npos) return "";
    return text.substr(start.size());
}

void add(DiskChange change) { the_record->changes.push_back(std::move(change)); }

void opened(const char* path, int flags, bool was_there, int fd) {
    const std::lock_guard lock{the_mutex};
    if (!the_record || fd < 0) return;
    if (path == the_record->folder) {
        the_record->descriptors[fd] = kFolder;
        return;
    }
    const std::string name = name_in_folder(path);
    if (name.empty()) return;
    if (!was_there) {
        the_record->names[name] = the_record->next_file++;
        add({.kind = DiskChange::Kind::create, .file = the_record->names[name], .name = name});
    } else if ((flags & O_TRUNC) != 0) {
        add({.kind = DiskChange::Kind::truncate, .file = the_record->names.at(name), .offset = 0});
    }
    the_record->descriptors[fd] = the_record->names.at(name);
}

/// Calls `then` with the file that `fd` writes.
template <class Then>
void of_file(int fd, const Then& then) {
    const std::lock_guard lock{the_mutex};
    if (!the_record) return;
    if (const auto found = the_record->descriptors.find(fd); found != the_record->descriptors.end())
        then(found->second);
}

void renamed(const char* from, const char* to) {
    const std::lock_guard lock{the_mutex};
    if (!the_record) return;
    const std::string old_name = name_in_folder(from), new_name = name_in_folder(to);
    if (old_name.empty() && new_name.empty()) return;
    const int file = the_record->names.at(old_name);
    the_record->names.erase(old_name);
    the_record->names[new_name] = file;
    add({.kind = DiskChange::Kind::rename, .file = file, .name = old_name, .to = new_name});
}

void removed(const char* path) {
    const std::lock_guard lock{the_mutex};
    if (!the_record) return;
    const std::string name = name_in_folder(path);
    if (name.empty()) return;
    add({.kind = DiskChange::Kind::remove, .file = the_record->names.at(name), .name = name});
    the_record->names.erase(name);
}

int open_recorded(const char* path, int flags, mode_t mode) {
    struct stat there {};
    const bool was_there = ::stat(path, &there) == 0;
    const int fd = static_cast<int>(::syscall(SYS_openat, AT_FDCWD, path, flags, mode));
    opened(path, flags, was_there, fd);
    return fd;
}

ssize_t pwrite_recorded(int fd, const void* bytes, std::size_t size, off_t offset) {
    const ssize_t written = ::syscall(SYS_pwrite64, fd, bytes, size, offset);
    if (written > 0) {
        of_file(fd, [&](int file) {
            const auto* begin = static_cast<const std::byte*>(bytes);
            add({.kind = DiskChange::Kind::write,
                 .file = file,
                 .offset = static_cast<std::uint64_t>(offset),
                 .bytes = {begin, begin + written}});
        });
    }
    return written;
}

/// Nothing is really synced: what would survive is counted in the record, and these tests sync tens of thousands of
/// times.
int sync_recorded(int fd) {
    of_file(fd, [&](int file) {
        add({.kind = file == kFolder ? DiskChange::Kind::sync_folder : DiskChange::Kind::sync, .file = file});
    });
    return 0;
}

int ftruncate_recorded(int fd, off_t length) {
    const int result = static_cast<int>(::syscall(SYS_ftruncate, fd, length));
    if (result == 0) {
        of_file(fd, [&](int file) {
            add({.kind = DiskChange::Kind::truncate, .file = file, .offset = static_cast<std::uint64_t>(length)});
        });
    }
    return result;
}

int rename_recorded(const char* from, const char* to, unsigned flags) {
    const int result = static_cast<int>(::syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, flags));
    if (result == 0) renamed(from, to);
    return result;
}

int unlink_recorded(const char* path) {
    const int result = static_cast<int>(::syscall(SYS_unlink, path));
    if (result == 0) removed(path);
    return result;
}

void put(Bytes& content, std::uint64_t offset, std::span<const std::byte> bytes) {
    if (content.size() < offset + bytes.size()) content.resize(offset + bytes.size());
    std::copy(bytes.begin(), bytes.end(), content.begin() + static_cast<std::ptrdiff_t>(offset));
}

void apply_to(Bytes& content, const DiskChange& change) {
    if (change.kind == DiskChange::Kind::truncate) {
        content.resize(change.offset);
    } else {
        put(content, change.offset, change.bytes);
    }
}

void apply_to(std::map<std::string, int>& names, const DiskChange& change) {
    if (change.kind == DiskChange::Kind::create) names[change.name] = change.file;
    if (change.kind == DiskChange::Kind::remove) names.erase(change.name);
    if (change.kind == DiskChange::Kind::rename) {
        names.erase(change.name);
        names[change.to] = change.file;
    }
}

std::size_t up_to(std::size_t n, std::mt19937_64& chance) { return chance() % (n + 1); }

}  // namespace

}  // namespace alleycat::testing

// ---- The program's own open(2) and its kin stand before the C library's, for all libraries it is linked with.

extern "C" {

int open(const char* path, int flags, ...) {
    va_list list;
    va_start(list, flags);
    const mode_t mode = (flags & (O_CREAT | O_TMPFILE)) != 0 ? va_arg(list, mode_t) : 0;
    va_end(list);
    return alleycat::testing::open_recorded(path, flags, mode);
}
int open64(const char* path, int flags, ...) {
    va_list list;
    va_start(list, flags);
    const mode_t mode = (flags & (O_CREAT | O_TMPFILE)) != 0 ? va_arg(list, mode_t) : 0;
    va_end(list);
    return alleycat::testing::open_recorded(path, flags, mode);
}
int close(int fd) {
    {
        const std::lock_guard lock{alleycat::testing::the_mutex};
        if (alleycat::testing::the_record) alleycat::testing::the_record->descriptors.erase(fd);
    }
    return static_cast<int>(::syscall(SYS_close, fd));
}
ssize_t pwrite(int fd, const void* bytes, size_t size, off_t offset) {
    return alleycat::testing::pwrite_recorded(fd, bytes, size, offset);
}
ssize_t pwrite64(int fd, const void* bytes, size_t size, off_t offset) {
    return alleycat::testing::pwrite_recorded(fd, bytes, size, offset);
}
int fsync(int fd) { return alleycat::testing::sync_recorded(fd); }
int fdatasync(int fd) { return alleycat::testing::sync_recorded(fd); }
int ftruncate(int fd, off_t length) noexcept { return alleycat::testing::ftruncate_recorded(fd, length); }
int ftruncate64(int fd, off_t length) noexcept { return alleycat::testing::ftruncate_recorded(fd, length); }
int rename(const char* from, const char* to) noexcept { return alleycat::testing::rename_recorded(from, to, 0); }
int renameat2(int, const char* from, int, const char* to, unsigned flags) noexcept {
    return alleycat::testing::rename_recorded(from, to, flags);
}
int unlink(const char* path) noexcept { return alleycat::testing::unlink_recorded(path); }
int remove(const char* path) noexcept {
    const int result = alleycat::testing::unlink_recorded(path);
    return result != 0 && errno == EISDIR ? static_cast<int>(::syscall(SYS_rmdir, path)) : result;
}

}  // extern "C"

namespace alleycat::testing {

FolderContent read_folder(const std::filesystem::path& folder) {
    FolderContent content;
    for (const auto& entry : std::filesystem::directory_iterator{folder}) {
        std::ifstream in{entry.path(), std::ios::binary};
        Bytes& bytes = content[entry.path().filename().string()];
        bytes.resize(entry.file_size());
        in.read(reinterpret_cast<char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
        if (!in) throw std::runtime_error{entry.path().string() + ": cannot be read"};
    }
    return content;
}

void write_folder(const std::filesystem::path& folder, const FolderContent& content) {
    for (const auto& [name, bytes] : content) {
        std::ofstream out{folder / name, std::ios::binary};
        out.write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
        if (!out.flush()) throw std::runtime_error{(folder / name).string() + ": cannot be written"};
    }
}

DiskRecorder::DiskRecorder(const std::filesystem::path& folder) {
    Record record{.folder = folder.string(), .names = {}, .descriptors = {}, .changes = {}};
    for (const auto& [name, bytes] : read_folder(folder)) record.names[name] = record.next_file++;
    const std::lock_guard lock{the_mutex};
    if (the_record) throw std::logic_error{"one recorder at a time"};
    the_record = std::move(record);
}

DiskRecorder::~DiskRecorder() {
    const std::lock_guard lock{the_mutex};
    the_record.reset();
}

void DiskRecorder::note(const std::string& what, std::uint64_t number) {
    const std::lock_guard lock{the_mutex};
    add({.kind = DiskChange::Kind::note, .name = what, .offset = number});
}

std::vector<DiskChange> DiskRecorder::take() {
    const std::lock_guard lock{the_mutex};
    return std::exchange(the_record->changes, {});
}

SimulatedDisk::SimulatedDisk(const FolderContent& content) {
    for (const auto& [name, bytes] : content) {
        const int file = static_cast<int>(files_.size());
        names_[name] = file;
        files_[file] = {bytes, bytes, {}};
    }
    synced_names_ = names_;
}

void SimulatedDisk::apply(const DiskChange& change) {
    switch (change.kind) {
        case DiskChange::Kind::write:
        case DiskChange::Kind::truncate:
            apply_to(files_[change.file].now, change);
            files_[change.file].since.push_back(change);
            break;
        case DiskChange::Kind::sync:
            files_[change.file].synced = files_[change.file].now;
            files_[change.file].since.clear();
            break;
        case DiskChange::Kind::create:
        case DiskChange::Kind::rename:
        case DiskChange::Kind::remove:
            files_[change.file];
            apply_to(names_, change);
            names_since_.push_back(change);
            break;
        case DiskChange::Kind::sync_folder:
            synced_names_ = names_;
            names_since_.clear();
            break;
        case DiskChange::Kind::note: break;
    }
}

FolderContent SimulatedDisk::content(const Names& names, const std::map<int, Bytes>& of_files) const {
    FolderContent content;
    for (const auto& [name, file] : names) content[name] = of_files.at(file);
    return content;
}

FolderContent SimulatedDisk::after_kill() const {
    std::map<int, Bytes> now;
    for (const auto& [number, file] : files_) now[number] = file.now;
    return content(names_, now);
}

FolderContent SimulatedDisk::after_power_cut() const {
    std::map<int, Bytes> synced;
    for (const auto& [number, file] : files_) synced[number] = file.synced;
    return content(synced_names_, synced);
}

FolderContent SimulatedDisk::after_power_cut(std::mt19937_64& chance) const {
    std::map<int, Bytes> some;
    for (const auto& [number, file] : files_) some[number] = some_of(file, chance);
    return content(some_names(chance), some);
}

Bytes SimulatedDisk::some_of(const File& file, std::mt19937_64& chance) {
    if (file.since.empty()) return file.synced;
    const std::size_t n = file.since.size();
    // Of each page: all, none, or the first few of its writes.
    std::map<std::uint64_t, std::size_t> changes_of_page;
    const auto changes_of = [&](std::uint64_t page) {
        const auto [at, fresh] = changes_of_page.try_emplace(page, 0);
        if (fresh) at->second = chance() % 5 < 2 ? n : chance() % 3 < 2 ? 0 : up_to(n, chance);
        return at->second;
    };
    Bytes content = file.synced;
    Bytes length_only = file.synced;
    const std::size_t length_after = chance() % 2 == 0 ? n : up_to(n, chance);
    for (std::size_t i = 0; i < n; ++i) {
        const DiskChange& change = file.since[i];
        if (i < length_after) apply_to(length_only, change);
        if (change.kind == DiskChange::Kind::truncate) continue;
        const std::span<const std::byte> bytes{change.bytes};
        for (std::size_t done = 0; done < bytes.size();) {
            const std::uint64_t at = change.offset + done;
            const std::size_t in_page = std::min<std::size_t>(kPage - at % kPage, bytes.size() - done);
            if (i < changes_of(at / kPage)) put(content, at, bytes.subspan(done, in_page));
            done += in_page;
        }
    }
    content.resize(length_only.size());
    return content;
}

SimulatedDisk::Names SimulatedDisk::some_names(std::mt19937_64& chance) const {
    Names names = synced_names_;
    const std::uint64_t how = chance() % 4;
    const std::size_t first_few = up_to(names_since_.size(), chance);
    for (std::size_t i = 0; i < names_since_.size(); ++i) {
        const bool there = how == 0 || (how == 1 && i < first_few) || (how == 2 && chance() % 2 == 0);
        if (there) apply_to(names, names_since_[i]);
    }
    return names;
}

}  // namespace alleycat::testing
