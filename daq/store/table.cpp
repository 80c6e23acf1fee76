#include "daq/store/table.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace alleycat::h5 {

Handle chunked(std::span<const hsize_t> chunk) {
    Handle creation{check(H5Pcreate(H5P_DATASET_CREATE), "HDF5 has no dataset creation list")};
    check(H5Pset_chunk(creation.get(), static_cast<int>(chunk.size()), chunk.data()), "cannot set a chunk's shape");
    return creation;
}

void add_checksum(const Handle& creation) { check(H5Pset_fletcher32(creation.get()), "HDF5 has no Fletcher32 filter"); }

Column::Column(hid_t group, std::string name, hid_t type, std::string_view units, std::string_view description,
               Compression compression, std::string_view datatype, std::size_t chunk)
    : name_{std::move(name)}, type_{type}, item_{H5Tget_size(type)}, chunk_{chunk} {
    const hsize_t none = 0, unlimited = H5S_UNLIMITED, rows_per_chunk = chunk_;
    const Handle space{H5Screate_simple(1, &none, &unlimited)};
    const Handle creation = chunked({&rows_per_chunk, 1});
    if (compression != Compression::none) {  // columns are small: what every HDF5 reads without a plugin is good enough
        if (item_ > 1) check(H5Pset_shuffle(creation.get()), "HDF5 has no shuffle filter");
        check(H5Pset_deflate(creation.get(), 1), "HDF5 has no deflate filter");
    }
    add_checksum(creation);
    dataset_ =
        Handle{check(H5Dcreate2(group, name_.c_str(), type_, space.get(), H5P_DEFAULT, creation.get(), H5P_DEFAULT),
                     fmt::format("cannot make column {}", name_))};
    put_text(dataset_.get(), "datatype", datatype);
    put_text(dataset_.get(), "units", units);
    if (!description.empty()) put_text(dataset_.get(), "description", description);
    gathered_.reserve(chunk_ * item_);
}

void Column::write(std::span<const std::byte> values, std::uint64_t at) {
    if (values.empty()) return;
    const hsize_t n = values.size() / item_, start = at;
    const hsize_t extent = std::max<std::uint64_t>(extent_, at + n);
    if (extent != extent_) {
        check(H5Dset_extent(dataset_.get(), &extent), fmt::format("cannot extend column {}", name_));
        extent_ = extent;
    }
    const Handle space{H5Dget_space(dataset_.get())};
    const Handle memory{H5Screate_simple(1, &n, nullptr)};
    H5Sselect_hyperslab(space.get(), H5S_SELECT_SET, &start, nullptr, &n, nullptr);
    check(H5Dwrite(dataset_.get(), type_, memory.get(), space.get(), H5P_DEFAULT, values.data()),
          fmt::format("cannot write column {}", name_));
}

void Column::add_bytes(std::span<const std::byte> values) {
    while (!values.empty()) {
        // Blocks end where chunks end, so that a chunk is compressed once.
        const std::size_t room = (chunk_ - written_ % chunk_) * item_ - gathered_.size();
        const std::size_t n = std::min(room, values.size());
        gathered_.insert(gathered_.end(), values.begin(), values.begin() + static_cast<std::ptrdiff_t>(n));
        values = values.subspan(n);
        if (n == room) flush();
    }
}

void Column::add_text(std::string_view text) {
    std::vector<std::byte> value(item_);
    const std::span<const std::byte> bytes = std::as_bytes(std::span{text}).first(std::min(text.size(), item_));
    std::copy(bytes.begin(), bytes.end(), value.begin());
    add_bytes(value);
}

void Column::flush() {
    write(gathered_, written_);
    written_ += gathered_.size() / item_;
    gathered_.clear();
}

void Column::flush_with_placeholders(std::span<const std::byte> values) {
    flush();
    write(values, written_);
}

Table::Table(hid_t parent, std::string name, std::string_view description, Compression compression)
    : group_{create_group(parent, name)}, compression_{compression} {
    if (!description.empty()) put_text(group_.get(), "description", description);
}

Column& Table::add_text_column(std::string name, std::size_t size, std::string_view description) {
    constexpr std::size_t kTextChunk = 16;
    const Handle& type = text_types_.emplace_back(check(H5Tcopy(H5T_C_S1), "HDF5 has no texts"));
    check(H5Tset_size(type.get(), size), "HDF5 has no texts of this size");
    H5Tset_strpad(type.get(), H5T_STR_NULLPAD);
    H5Tset_cset(type.get(), H5T_CSET_UTF8);
    return columns_.emplace_back(group_.get(), std::move(name), type.get(), "", description, compression_,
                                 "array<1>{string}", kTextChunk);
}

void Table::describe(std::span<const std::string> more) {
    std::string names;
    const auto add = [&](const std::string& name) { names += (names.empty() ? "" : ",") + name; };
    for (const std::string& name : more) add(name);
    for (const Column& column : columns_) add(column.name());
    put_text(group_.get(), "datatype", "table{" + names + "}");
}

void Table::flush() {
    for (Column& column : columns_) column.flush();
}

std::uint64_t Table::bytes() const noexcept {
    std::uint64_t sum = 0;
    for (const Column& column : columns_) sum += column.bytes();
    return sum;
}

}  // namespace alleycat::h5
