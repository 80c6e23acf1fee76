#include "daq/store/hdf5.hpp"

#include <blosc.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <mutex>

#include "daq/core/error.hpp"
#include "daq/store/chunk_codec.hpp"
#include "daq/store/chunk_rows.hpp"
#include "daq/store/part_file.hpp"

namespace alleycat::h5 {
namespace {

/// One of the machine's usual types, in either order of bytes. Of numbers that a flipped bit made wider, or shifted,
/// HDF5 1.10 writes beyond a buffer on its stack when it converts them.
bool is_usual_number(hid_t type) {
    const std::size_t bytes = H5Tget_size(type);
    if (H5Tget_class(type) == H5T_INTEGER) {
        return (bytes == 1 || bytes == 2 || bytes == 4 || bytes == 8) && H5Tget_precision(type) == 8 * bytes &&
               H5Tget_offset(type) == 0;
    }
    const std::array<hid_t, 4> floats{H5T_IEEE_F32LE, H5T_IEEE_F32BE, H5T_IEEE_F64LE, H5T_IEEE_F64BE};
    return std::any_of(floats.begin(), floats.end(), [type](hid_t one) { return H5Tequal(type, one) > 0; });
}

bool is_number(hid_t type) {
    const H5T_class_t kind = H5Tget_class(type);
    return kind == H5T_INTEGER || kind == H5T_FLOAT;
}

Handle text_type(bool variable) {
    Handle type{H5Tcopy(H5T_C_S1)};
    if (variable) H5Tset_size(type.get(), H5T_VARIABLE);
    H5Tset_cset(type.get(), H5T_CSET_UTF8);
    return type;
}

herr_t first_description(unsigned depth, const H5E_error2_t* error, void* into) {
    auto& text = *static_cast<std::string*>(into);
    if (depth == 0 && error->desc != nullptr) text = error->desc;
    return 0;
}

/// What HDF5 says of a call to the operating system ("file write failed: time = ...\n, filename = ..., errno = 28,
/// error message = 'No space left on device', buf = ...") as one line for people: "file write failed: No space left on
/// device".
std::string without_details(const std::string& description) {
    constexpr std::string_view before = "error message = '";
    const std::size_t colon = description.find(": "), begin = description.find(before);
    if (colon == std::string::npos || begin == std::string::npos) return description;
    const std::size_t reason = begin + before.size();
    return description.substr(0, colon + 2) + description.substr(reason, description.find('\'', reason) - reason);
}

/// The name of the object, for sentences.
std::string name_of(hid_t object) {
    std::string name(256, '\0');
    const ssize_t n = H5Iget_name(object, name.data(), name.size());
    name.resize(n > 0 ? std::min<std::size_t>(static_cast<std::size_t>(n), name.size() - 1) : 0);
    return name;
}

std::string full_path(hid_t parent, const std::string& path) {
    const std::string folder = name_of(parent);
    return folder == "/" || path.starts_with('/') ? "/" + path.substr(path.starts_with('/') ? 1 : 0)
                                                  : folder + "/" + path;
}

}  // namespace

void prepare() {
    static std::once_flag begun;
    std::call_once(begun, [] {
        // At exit HDF5 would write once more what a full disk refused, and crash. Whoever has a file closes it.
        H5dont_atexit();
        register_blosc_filter();
    });
    thread_local bool quiet = false;
    if (!quiet) {
        H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr);
        quiet = true;
    }
}

std::string library_versions() {
    std::array<unsigned, 3> hdf5{};
    H5get_libversion(&hdf5[0], &hdf5[1], &hdf5[2]);
    return fmt::format("HDF5 {}.{}.{},blosc {}", hdf5[0], hdf5[1], hdf5[2], blosc_get_version_string());
}

std::string last_error() {
    std::string text;
    H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, first_description, &text);
    return without_details(text);
}

void fail(std::string_view what) {
    const std::string why = last_error();
    H5Eclear2(H5E_DEFAULT);
    throw Error{why.empty() ? std::string{what} : fmt::format("{}: {}", what, why)};
}

std::uint64_t file_bytes(hid_t file) noexcept {
    hsize_t bytes = 0;
    return H5Fget_filesize(file, &bytes) < 0 ? 0 : bytes;
}

std::optional<int> descriptor_of(hid_t file) {
    const Handle creation{H5Fget_create_plist(file)}, access{H5Fget_access_plist(file)};
    hsize_t user_block = 1;
    void* handle = nullptr;
    const hid_t driver = H5Pget_driver(access.get());
    if (H5Pget_userblock(creation.get(), &user_block) < 0 || user_block != 0 ||
        (driver != H5FD_SEC2 && !is_part_driver(driver)) || H5Fget_vfd_handle(file, H5P_DEFAULT, &handle) < 0)
        return std::nullopt;
    return *static_cast<int*>(handle);
}

void read_exactly(int descriptor, std::span<std::byte> into, std::uint64_t at) {
    while (!into.empty()) {
        const ssize_t n = ::pread(descriptor, into.data(), into.size(), static_cast<off_t>(at));
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) throw Error{fmt::format("the file cannot be read: {}", std::strerror(errno))};
        if (n == 0) throw Error{"the file ends before the chunk does"};
        into = into.subspan(static_cast<std::size_t>(n));
        at += static_cast<std::uint64_t>(n);
    }
}

Handle file_access() {
    Handle access{check(H5Pcreate(H5P_FILE_ACCESS), "HDF5 has no file access list")};
    check(H5Pset_file_locking(access.get(), false, true), "HDF5 cannot do without file locks");
    return access;
}

bool exists(hid_t parent, const std::string& path) {
    // H5Lexists asks for every intermediate group to be there.
    for (std::size_t at = path.find('/', 1); at != std::string::npos; at = path.find('/', at + 1)) {
        if (H5Lexists(parent, path.substr(0, at).c_str(), H5P_DEFAULT) <= 0) return false;
    }
    return H5Lexists(parent, path.c_str(), H5P_DEFAULT) > 0;
}

Handle open_group(hid_t parent, const std::string& path) {
    return Handle{check(H5Gopen2(parent, path.c_str(), H5P_DEFAULT), "cannot open group " + full_path(parent, path))};
}

Handle create_group(hid_t parent, const std::string& path) {
    Handle links_made{H5Pcreate(H5P_LINK_CREATE)};
    H5Pset_create_intermediate_group(links_made.get(), 1);
    return Handle{check(H5Gcreate2(parent, path.c_str(), links_made.get(), H5P_DEFAULT, H5P_DEFAULT),
                        "cannot make group " + full_path(parent, path))};
}

std::vector<std::string> links(hid_t parent, const std::string& path) {
    std::vector<std::string> names;
    if (path != "/" && !exists(parent, path)) return names;
    Handle group{H5Gopen2(parent, path.c_str(), H5P_DEFAULT)};
    if (!group) return names;
    const auto add = [](hid_t, const char* name, const H5L_info_t*, void* into) -> herr_t {
        static_cast<std::vector<std::string>*>(into)->emplace_back(name);
        return 0;
    };
    H5Literate(group.get(), H5_INDEX_NAME, H5_ITER_INC, nullptr, add, &names);
    return names;
}

std::vector<std::string> datasets(hid_t file) {
    std::vector<std::string> paths;
    const auto collect = [](hid_t, const char* name, const H5O_info_t* object, void* into) -> herr_t {
        if (object->type == H5O_TYPE_DATASET) static_cast<std::vector<std::string>*>(into)->emplace_back(name);
        return 0;
    };
    check(H5Ovisit2(file, H5_INDEX_NAME, H5_ITER_INC, collect, &paths, H5O_INFO_BASIC),
          "its groups cannot be walked through");
    return paths;
}

void check_all_written(hid_t dataset, const std::string& path) {
    const Handle creation{H5Dget_create_plist(dataset)}, space{H5Dget_space(dataset)};
    if (H5Pget_layout(creation.get()) != H5D_CHUNKED) return;
    std::array<hsize_t, H5S_MAX_RANK> size{}, chunk{};
    const int rank = H5Sget_simple_extent_dims(space.get(), size.data(), nullptr);
    if (rank < 1 || H5Pget_chunk(creation.get(), rank, chunk.data()) != rank)
        throw Error{path + ": its chunks have no shape"};
    hsize_t expected = 1, there = 0;
    for (std::size_t d = 0; d < static_cast<std::size_t>(rank); ++d) {
        const hsize_t along = size[d] / chunk[d] + (size[d] % chunk[d] != 0 ? 1 : 0);
        if (along != 0 && expected > ~hsize_t{0} / along) throw Error{path + ": has an impossible size"};
        expected *= along;
    }
    check(H5Dget_num_chunks(dataset, space.get(), &there), path + ": its chunks cannot be counted");
    if (there != expected)
        throw Error{fmt::format("{}: {} of {} chunks are there, HDF5 would make up the rest", path, there, expected)};
}

void put_text(hid_t object, const std::string& name, std::string_view text) {
    if (H5Aexists(object, name.c_str()) > 0) H5Adelete(object, name.c_str());
    const Handle type = text_type(true);
    const Handle space{H5Screate(H5S_SCALAR)};
    const Handle attribute{check(H5Acreate2(object, name.c_str(), type.get(), space.get(), H5P_DEFAULT, H5P_DEFAULT),
                                 "cannot make attribute " + name)};
    const std::string copy{text};
    const char* pointer = copy.c_str();
    check(H5Awrite(attribute.get(), type.get(), &pointer), "cannot write attribute " + name);
}

void put_numbers(hid_t object, const std::string& name, hid_t type, const void* values, std::size_t n) {
    if (H5Aexists(object, name.c_str()) > 0) H5Adelete(object, name.c_str());
    const hsize_t size = n;
    const Handle space{n == 0 ? H5Screate(H5S_SCALAR) : H5Screate_simple(1, &size, nullptr)};
    const Handle attribute{check(H5Acreate2(object, name.c_str(), type, space.get(), H5P_DEFAULT, H5P_DEFAULT),
                                 "cannot make attribute " + name)};
    check(H5Awrite(attribute.get(), type, values), "cannot write attribute " + name);
}

std::optional<std::string> get_text(hid_t object, const std::string& name) {
    if (H5Aexists(object, name.c_str()) <= 0) return std::nullopt;
    const Handle attribute{H5Aopen(object, name.c_str(), H5P_DEFAULT)};
    if (!attribute) return std::nullopt;
    const Handle stored{H5Aget_type(attribute.get())};
    const Handle space{H5Aget_space(attribute.get())};
    if (H5Tget_class(stored.get()) != H5T_STRING || H5Sget_simple_extent_npoints(space.get()) != 1) return std::nullopt;
    if (H5Tis_variable_str(stored.get()) > 0) {
        char* pointer = nullptr;
        const Handle type = text_type(true);
        if (H5Aread(attribute.get(), type.get(), &pointer) < 0 || pointer == nullptr) return std::nullopt;
        std::string text{pointer};
        H5free_memory(pointer);
        return text;
    }
    std::string text(H5Tget_size(stored.get()), '\0');
    if (H5Aread(attribute.get(), stored.get(), text.data()) < 0) return std::nullopt;
    text.resize(std::min(text.find('\0'), text.size()));
    return text;
}

std::size_t get_numbers(hid_t object, const std::string& name, hid_t type, void* values, std::size_t n) {
    if (H5Aexists(object, name.c_str()) <= 0) return 0;
    const Handle attribute{H5Aopen(object, name.c_str(), H5P_DEFAULT)};
    if (!attribute) return 0;
    const Handle stored{H5Aget_type(attribute.get())};
    const Handle space{H5Aget_space(attribute.get())};
    const hssize_t points = H5Sget_simple_extent_npoints(space.get());
    if (!is_number(stored.get()) || !is_usual_number(stored.get()) || points < 1) return 0;
    const auto there = static_cast<std::size_t>(points);
    if (there > n) return there;
    return H5Aread(attribute.get(), type, values) < 0 ? 0 : there;
}

std::string read_text(hid_t parent, const std::string& path) {
    const Handle dataset{
        check(H5Dopen2(parent, path.c_str(), H5P_DEFAULT), "cannot open dataset " + full_path(parent, path))};
    const Handle stored{H5Dget_type(dataset.get())}, space{H5Dget_space(dataset.get())}, type = text_type(true);
    char* text = nullptr;
    if (H5Tis_variable_str(stored.get()) <= 0 || H5Sget_simple_extent_npoints(space.get()) != 1)
        throw Error{fmt::format("{} is not a text", full_path(parent, path))};
    check(H5Dread(dataset.get(), type.get(), H5S_ALL, H5S_ALL, H5P_DEFAULT, &text),
          "cannot read " + full_path(parent, path));
    std::string copy{text != nullptr ? text : ""};
    H5free_memory(text);
    return copy;
}

std::optional<std::uint64_t> rows(hid_t parent, const std::string& path) {
    if (!exists(parent, path)) return std::nullopt;
    const Handle dataset{H5Dopen2(parent, path.c_str(), H5P_DEFAULT)};
    if (!dataset) return std::nullopt;
    const Handle space{H5Dget_space(dataset.get())};
    std::array<hsize_t, H5S_MAX_RANK> size{};
    if (H5Sget_simple_extent_dims(space.get(), size.data(), nullptr) < 1) return std::nullopt;
    return size[0];
}

void read_rows(hid_t parent, const std::string& path, std::uint64_t first, std::uint64_t n, hid_t type, void* into) {
    if (n == 0) return;
    const Handle dataset{
        check(H5Dopen2(parent, path.c_str(), H5P_DEFAULT), "cannot open dataset " + full_path(parent, path))};
    const Handle space{H5Dget_space(dataset.get())};
    std::array<hsize_t, H5S_MAX_RANK> size{}, start{};
    const int rank = H5Sget_simple_extent_dims(space.get(), size.data(), nullptr);
    if (rank < 1 || first > size[0] || n > size[0] - first) {
        throw Error{fmt::format("dataset {} has {} rows, rows {} to {} were asked for", full_path(parent, path),
                                rank < 1 ? 0 : size[0], first, first + n - 1)};
    }
    const std::string what =
        fmt::format("cannot read rows {} to {} of {}", first, first + n - 1, full_path(parent, path));
    try {
        const Handle stored{H5Dget_type(dataset.get())};
        if (H5Tequal(stored.get(), type) <= 0 && is_number(stored.get()) && !is_usual_number(stored.get()))
            throw Error{"its numbers are of no usual type"};
        if (read_chunk_rows(dataset.get(), first, n, type, into)) return;
    } catch (const Error& e) {
        throw Error{fmt::format("{}: {}", what, e.what())};
    }
    start[0] = first;
    size[0] = n;
    H5Sselect_hyperslab(space.get(), H5S_SELECT_SET, start.data(), nullptr, size.data(), nullptr);
    const Handle memory{H5Screate_simple(rank, size.data(), nullptr)};
    check(H5Dread(dataset.get(), type, memory.get(), space.get(), H5P_DEFAULT, into), what);
}

std::vector<std::string> read_texts(hid_t parent, const std::string& path, std::uint64_t first, std::uint64_t n) {
    constexpr std::size_t kLongest = 1 << 16;
    if (n == 0) return {};
    const Handle dataset{
        check(H5Dopen2(parent, path.c_str(), H5P_DEFAULT), "cannot open dataset " + full_path(parent, path))};
    const Handle type{H5Dget_type(dataset.get())};
    const std::size_t size = H5Tget_size(type.get());
    if (H5Tget_class(type.get()) != H5T_STRING || H5Tis_variable_str(type.get()) != 0 || size > kLongest)
        throw Error{fmt::format("dataset {} does not hold texts of fixed length", full_path(parent, path))};
    std::vector<char> bytes(n * size);
    read_rows(parent, path, first, n, type.get(), bytes.data());
    std::vector<std::string> texts;
    for (std::size_t i = 0; i < n; ++i) {
        const std::string_view text{bytes.data() + i * size, size};
        texts.emplace_back(text.substr(0, text.find('\0')));
    }
    return texts;
}

}  // namespace alleycat::h5
