#pragma once
// The HDF5 C API with owners and sentences. Internal to daq/store: no public header includes it.

#include <hdf5.h>

#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace alleycat::h5 {

/// Owns one HDF5 identifier of any kind (file, group, dataset, type, ...).
class Handle {
  public:
    Handle() noexcept = default;
    explicit Handle(hid_t id) noexcept : id_{id} {}
    Handle(Handle&& other) noexcept : id_{std::exchange(other.id_, H5I_INVALID_HID)} {}
    Handle& operator=(Handle&& other) noexcept {
        if (this != &other) {
            reset();
            id_ = std::exchange(other.id_, H5I_INVALID_HID);
        }
        return *this;
    }
    ~Handle() { reset(); }

    [[nodiscard]] hid_t get() const noexcept { return id_; }
    [[nodiscard]] explicit operator bool() const noexcept { return id_ >= 0; }
    /// Gives the identifier up; a failure to close is not reported (a file that was written is closed by close_file).
    void reset() noexcept {
        if (id_ >= 0) H5Idec_ref(id_);
        id_ = H5I_INVALID_HID;
    }
    [[nodiscard]] hid_t release() noexcept { return std::exchange(id_, H5I_INVALID_HID); }

  private:
    hid_t id_ = H5I_INVALID_HID;
};

/// Silences HDF5's own printing for the calling thread (it is a setting of each thread) and makes the blosc filter
/// known, once. Every public function of this folder that touches HDF5 calls it first.
void prepare();

/// "HDF5 1.10.8,blosc 1.21.3": the libraries that write the files.
[[nodiscard]] std::string library_versions();

/// What HDF5's error stack says about the last failure, innermost first; "" when it is empty.
[[nodiscard]] std::string last_error();
/// Throws Error "WHAT: last_error()".
[[noreturn]] void fail(std::string_view what);

/// For calls that return a negative number on failure.
template <class Status>
Status check(Status status, std::string_view what) {
    if (status < 0) fail(what);
    return status;
}

template <class T>
[[nodiscard]] hid_t native_type() {
    if constexpr (std::is_same_v<T, std::uint8_t>)
        return H5T_NATIVE_UINT8;
    else if constexpr (std::is_same_v<T, std::int8_t>)
        return H5T_NATIVE_INT8;
    else if constexpr (std::is_same_v<T, std::uint16_t>)
        return H5T_NATIVE_UINT16;
    else if constexpr (std::is_same_v<T, std::int16_t>)
        return H5T_NATIVE_INT16;
    else if constexpr (std::is_same_v<T, std::uint32_t>)
        return H5T_NATIVE_UINT32;
    else if constexpr (std::is_same_v<T, std::int32_t>)
        return H5T_NATIVE_INT32;
    else if constexpr (std::is_same_v<T, std::uint64_t>)
        return H5T_NATIVE_UINT64;
    else if constexpr (std::is_same_v<T, std::int64_t>)
        return H5T_NATIVE_INT64;
    else if constexpr (std::is_same_v<T, float>)
        return H5T_NATIVE_FLOAT;
    else {
        static_assert(std::is_same_v<T, double>, "no HDF5 type for this");
        return H5T_NATIVE_DOUBLE;
    }
}

/// Bytes the file takes, or 0 when HDF5 cannot say.
[[nodiscard]] std::uint64_t file_bytes(hid_t file) noexcept;

/// The descriptor HDF5 reads this file by, if places in it are the ones HDF5 names.
[[nodiscard]] std::optional<int> descriptor_of(hid_t file);
/// Reads all of `into` at a place of the file; leaves the descriptor's own position alone. Throws Error when it cannot.
void read_exactly(int descriptor, std::span<std::byte> into, std::uint64_t at);

/// Access without HDF5's own file locks: a part being written can be looked at, and one process writes it anyway.
[[nodiscard]] Handle file_access();

[[nodiscard]] bool exists(hid_t parent, const std::string& path);
[[nodiscard]] Handle open_group(hid_t parent, const std::string& path);
[[nodiscard]] Handle create_group(hid_t parent, const std::string& path);
/// Names of the links in a group, sorted. Empty when the group is absent.
[[nodiscard]] std::vector<std::string> links(hid_t parent, const std::string& path);

/// Paths of all datasets, without the leading '/'. Throws Error when the file cannot be walked through.
[[nodiscard]] std::vector<std::string> datasets(hid_t file);
/// Throws Error unless every chunk of a chunked dataset was written: HDF5 reads zeros where one was not, and says
/// nothing. `path` is for the sentence.
void check_all_written(hid_t dataset, const std::string& path);

void put_text(hid_t object, const std::string& name, std::string_view text);
void put_numbers(hid_t object, const std::string& name, hid_t type, const void* values, std::size_t n);
template <class T>
void put_number(hid_t object, const std::string& name, T value) {
    put_numbers(object, name, native_type<T>(), &value, 0);
}
[[nodiscard]] std::optional<std::string> get_text(hid_t object, const std::string& name);
/// Reads at most `n` numbers; returns how many the attribute holds; 0: it is absent or not numbers.
[[nodiscard]] std::size_t get_numbers(hid_t object, const std::string& name, hid_t type, void* values, std::size_t n);
template <class T>
[[nodiscard]] std::optional<T> get_number(hid_t object, const std::string& name) {
    T value{};
    if (get_numbers(object, name, native_type<T>(), &value, 1) != 1) return std::nullopt;
    return value;
}

/// A dataset that is one text. Throws Error when it is not there or something else.
[[nodiscard]] std::string read_text(hid_t parent, const std::string& path);

/// Number of elements along the first dimension; nullopt when there is no such dataset.
[[nodiscard]] std::optional<std::uint64_t> rows(hid_t parent, const std::string& path);
/// Reads rows [first, first + n) of a dataset of any rank into `into` (n x the elements of one row, of memory type
/// `type`). Throws Error naming the dataset when it cannot: absent, too short, checksum.
void read_rows(hid_t parent, const std::string& path, std::uint64_t first, std::uint64_t n, hid_t type, void* into);
/// Texts of fixed length.
[[nodiscard]] std::vector<std::string> read_texts(hid_t parent, const std::string& path, std::uint64_t first,
                                                  std::uint64_t n);
template <class T>
[[nodiscard]] std::vector<T> read_column(hid_t parent, const std::string& path, std::uint64_t first, std::uint64_t n) {
    std::vector<T> values(n);
    read_rows(parent, path, first, n, native_type<T>(), values.data());
    return values;
}
template <class T>
[[nodiscard]] std::vector<T> read_column(hid_t parent, const std::string& path) {
    return read_column<T>(parent, path, 0, rows(parent, path).value_or(0));
}

}  // namespace alleycat::h5
