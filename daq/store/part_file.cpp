#include "daq/store/part_file.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <limits>
#include <optional>
#include <vector>

#include "daq/core/error.hpp"
#include "daq/store/files.hpp"

namespace alleycat::h5 {
namespace {
constexpr std::uint64_t kWriteBack = 1 << 23;  // else the disk would get all of a part when it is closed
}

struct PartFile::State {
    struct Kept {
        std::uint64_t offset = 0;
        std::vector<std::byte> bytes;
    };

    std::filesystem::path path;
    FileDescriptor file;
    std::uint64_t begun = 0;           ///< bytes of the file that are on their way to the disk
    std::optional<DiskError> failure;  ///< the first
    std::vector<Kept> kept;            ///< written since, in order: a few MB until the owner closes the file

    /// Does it unless the disk has failed; no exception may reach HDF5.
    template <class Do>
    void attempt(const Do& action) noexcept {
        if (failure) return;
        try {
            action();
        } catch (const DiskError& e) {
            failure = e;
        } catch (const std::exception& e) {
            failure = DiskError{path.string() + ": " + e.what(), EIO};
        }
    }

    void write(std::span<const std::byte> bytes, std::uint64_t offset) {
        attempt([&] { write_at(file, bytes, offset, path); });
        if (failure)
            return kept.push_back({offset, {bytes.begin(), bytes.end()}});  // how much was written nobody knows
        const std::uint64_t end = offset + bytes.size();
        if (end < begun + kWriteBack) return;
        begin_writing_back(file, begun, end - begun);
        begun = end;
    }

    /// What HDF5 wrote there; zeros where nothing was ever written.
    void read(std::span<std::byte> into, std::uint64_t offset) const {
        const std::size_t got = read_at(file, into, offset, path);
        std::fill(into.begin() + static_cast<std::ptrdiff_t>(got), into.end(), std::byte{0});
        for (const Kept& k : kept) {
            const std::uint64_t begin = std::max(offset, k.offset);
            const std::uint64_t end = std::min(offset + into.size(), k.offset + k.bytes.size());
            if (begin < end)
                std::memcpy(into.data() + (begin - offset), k.bytes.data() + (begin - k.offset), end - begin);
        }
    }
};

namespace {

/// What HDF5 holds of an open file. It must begin with HDF5's own part.
struct DriverFile {
    H5FD_t of_hdf5{};
    std::shared_ptr<PartFile::State> state;
    haddr_t end_of_addresses = 0;
    haddr_t end_of_file = 0;
};

/// In the file access list: HDF5 copies it bit by bit.
struct DriverInfo {
    const std::shared_ptr<PartFile::State>* state = nullptr;
};

DriverFile& file_of(H5FD_t* file) { return *reinterpret_cast<DriverFile*>(file); }
const DriverFile& file_of(const H5FD_t* file) { return *reinterpret_cast<const DriverFile*>(file); }

H5FD_t* open_driver(const char*, unsigned flags, hid_t access, haddr_t) {
    if ((flags & H5F_ACC_CREAT) == 0) return nullptr;  // HDF5 looks first whether there is one
    const auto* const info = static_cast<const DriverInfo*>(H5Pget_driver_info(access));
    if (info == nullptr) return nullptr;
    PartFile::State& state = **info->state;
    state.attempt([&] { state.file = open_file(state.path, O_RDWR | O_CREAT | O_EXCL); });
    if (state.failure) return nullptr;
    auto file = std::make_unique<DriverFile>();
    file->state = *info->state;
    return &file.release()->of_hdf5;
}

herr_t close_driver(H5FD_t* file) {
    const std::unique_ptr<DriverFile> driver{&file_of(file)};
    driver->state->kept.clear();
    return 0;
}

herr_t query_driver(const H5FD_t*, unsigned long* flags) {  // as HDF5's own driver for ordinary files
    *flags = H5FD_FEAT_AGGREGATE_METADATA | H5FD_FEAT_ACCUMULATE_METADATA | H5FD_FEAT_DATA_SIEVE |
             H5FD_FEAT_AGGREGATE_SMALLDATA | H5FD_FEAT_DEFAULT_VFD_COMPATIBLE;
    return 0;
}

haddr_t get_end_of_addresses(const H5FD_t* file, H5FD_mem_t) { return file_of(file).end_of_addresses; }
herr_t set_end_of_addresses(H5FD_t* file, H5FD_mem_t, haddr_t end) {
    file_of(file).end_of_addresses = end;
    return 0;
}
haddr_t get_end_of_file(const H5FD_t* file, H5FD_mem_t) { return file_of(file).end_of_file; }

herr_t get_descriptor(H5FD_t* file, hid_t, void** handle) {
    PartFile::State& state = *file_of(file).state;
    *handle = state.file.place();
    return state.failure ? -1 : 0;  // then part of it stands in memory only
}

herr_t read_driver(H5FD_t* file, H5FD_mem_t, hid_t, haddr_t offset, std::size_t size, void* into) {
    try {
        file_of(file).state->read({static_cast<std::byte*>(into), size}, offset);
        return 0;
    } catch (const std::exception&) {
        return -1;
    }
}

herr_t write_driver(H5FD_t* file, H5FD_mem_t, hid_t, haddr_t offset, std::size_t size, const void* from) {
    DriverFile& driver = file_of(file);
    try {
        driver.state->write({static_cast<const std::byte*>(from), size}, offset);
    } catch (const std::exception&) {  // no memory for what the disk did not take
        return -1;
    }
    driver.end_of_file = std::max<haddr_t>(driver.end_of_file, offset + size);
    return 0;
}

herr_t truncate_driver(H5FD_t* file, hid_t, hbool_t) {
    DriverFile& driver = file_of(file);
    if (driver.end_of_file == driver.end_of_addresses) return 0;
    PartFile::State& state = *driver.state;
    state.attempt([&] { truncate_at(state.file, driver.end_of_addresses, state.path); });
    driver.end_of_file = driver.end_of_addresses;
    return 0;
}

const H5FD_class_t kDriver{
    .name = "alleycat_part",
    .maxaddr = static_cast<haddr_t>(std::numeric_limits<off_t>::max()),
    .fc_degree = H5F_CLOSE_WEAK,
    .terminate = nullptr,
    .sb_size = nullptr,
    .sb_encode = nullptr,
    .sb_decode = nullptr,
    .fapl_size = sizeof(DriverInfo),
    .fapl_get = nullptr,
    .fapl_copy = nullptr,
    .fapl_free = nullptr,
    .dxpl_size = 0,
    .dxpl_copy = nullptr,
    .dxpl_free = nullptr,
    .open = open_driver,
    .close = close_driver,
    .cmp = nullptr,
    .query = query_driver,
    .get_type_map = nullptr,
    .alloc = nullptr,
    .free = nullptr,
    .get_eoa = get_end_of_addresses,
    .set_eoa = set_end_of_addresses,
    .get_eof = get_end_of_file,
    .get_handle = get_descriptor,
    .read = read_driver,
    .write = write_driver,
    .flush = nullptr,
    .truncate = truncate_driver,
    .lock = nullptr,
    .unlock = nullptr,
    .fl_map = H5FD_FLMAP_DICHOTOMY,
};

hid_t driver_id() {
    static const hid_t id = check(H5FDregister(&kDriver), "HDF5 does not take the driver for parts");
    return id;
}

}  // namespace

bool is_part_driver(hid_t driver) { return driver == driver_id(); }

PartFile::PartFile(std::filesystem::path path) : state_{std::make_shared<State>()} { state_->path = std::move(path); }
PartFile::~PartFile() = default;

Handle PartFile::create() {
    const Handle access = file_access();
    const DriverInfo info{&state_};
    h5::check(H5Pset_driver(access.get(), driver_id(), &info), "HDF5 does not take the driver for parts");
    const hid_t file = H5Fcreate(state_->path.c_str(), H5F_ACC_EXCL, H5P_DEFAULT, access.get());
    if (file < 0) {
        check();
        fail(state_->path.string() + ": cannot be made");
    }
    return Handle{file};
}

void PartFile::check() const {
    if (state_->failure) throw DiskError{*state_->failure};
}

void PartFile::sync() {
    state_->attempt([&] { sync_data(state_->file, state_->path); });
    state_->file = FileDescriptor{};
    check();
}

}  // namespace alleycat::h5
