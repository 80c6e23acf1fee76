#pragma once
// Tables of columns, written in blocks (internal to daq/store). A table is an LH5 table: a group whose attribute
// "datatype" lists its columns, each a one-dimensional dataset with "units" and "datatype".

#include <cstddef>
#include <cstdint>
#include <deque>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "daq/store/hdf5.hpp"
#include "daq/store/store_config.hpp"

namespace alleycat::h5 {

inline constexpr std::size_t kColumnChunk = 1024;  ///< rows of a column's chunk

/// One dataset, grown at its end. Values are gathered and written a chunk at a time; flush() writes the rest.
class Column {
  public:
    Column(hid_t group, std::string name, hid_t type, std::string_view units, std::string_view description,
           Compression compression, std::string_view datatype = "array<1>{real}", std::size_t chunk = kColumnChunk);

    template <class T>
    void add(T value) {
        add_bytes(std::as_bytes(std::span{&value, 1}));
    }
    /// Of a text column: cut to its size, filled with zeros.
    void add_text(std::string_view text);
    /// A whole number of values of the column's type.
    void add_bytes(std::span<const std::byte> values);
    void flush();
    /// flush(), then `values` behind what was added; the next flush() or placeholder writes over them.
    void flush_with_placeholders(std::span<const std::byte> values);

    [[nodiscard]] std::uint64_t rows() const noexcept { return written_ + gathered_.size() / item_; }
    [[nodiscard]] std::uint64_t bytes() const noexcept { return rows() * item_; }
    [[nodiscard]] const std::string& name() const noexcept { return name_; }
    [[nodiscard]] hid_t dataset() const noexcept { return dataset_.get(); }

  private:
    void write(std::span<const std::byte> values, std::uint64_t at);

    std::string name_;
    hid_t type_;
    std::size_t item_, chunk_;
    Handle dataset_;
    std::uint64_t written_ = 0;  ///< rows added that stand in the file
    std::uint64_t extent_ = 0;   ///< rows of the dataset: placeholders included
    std::vector<std::byte> gathered_;
};

/// A group of columns of equal length.
class Table {
  public:
    Table(hid_t parent, std::string name, std::string_view description, Compression compression);

    template <class T>
    Column& add_column(std::string name, std::string_view units, std::string_view description,
                       std::size_t chunk = kColumnChunk) {
        return columns_.emplace_back(group_.get(), std::move(name), native_type<T>(), units, description, compression_,
                                     "array<1>{real}", chunk);
    }
    /// Texts of at most `size` bytes of UTF-8; of fixed length, so that the checksum covers them.
    Column& add_text_column(std::string name, std::size_t size, std::string_view description);
    /// Writes the attribute that lists the columns, `more` (written by somebody else) included.
    void describe(std::span<const std::string> more = {});
    void flush();
    [[nodiscard]] hid_t group() const noexcept { return group_.get(); }
    [[nodiscard]] Column& column(std::size_t i) { return columns_[i]; }
    [[nodiscard]] std::size_t size() const noexcept { return columns_.size(); }
    [[nodiscard]] std::uint64_t rows() const noexcept { return columns_.empty() ? 0 : columns_.front().rows(); }
    [[nodiscard]] std::uint64_t bytes() const noexcept;

    /// One row: a value for each column, in the order they were added and of exactly their types.
    template <class... T>
    void add_row(T... values) {
        std::size_t i = 0;
        (columns_[i++].add(values), ...);
    }

  private:
    Handle group_;
    Compression compression_;
    std::deque<Handle> text_types_;
    std::deque<Column> columns_;
};

/// Creation properties of a chunked, checksummed dataset. Samples use `compression`, columns deflate at most.
[[nodiscard]] Handle chunked(std::span<const hsize_t> chunk);
void add_checksum(const Handle& creation);

}  // namespace alleycat::h5
