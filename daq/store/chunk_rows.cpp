#include "daq/store/chunk_rows.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <optional>
#include <span>
#include <vector>

#include "daq/core/error.hpp"
#include "daq/store/chunk_codec.hpp"
#include "daq/store/hdf5.hpp"

namespace alleycat::h5 {
namespace {

using Place = std::array<hsize_t, H5S_MAX_RANK>;

/// A chunked dataset whose filters are ours.
class Chunks {
  public:
    static std::optional<Chunks> of(hid_t dataset) {
        const Handle creation{H5Dget_create_plist(dataset)};
        if (H5Pget_layout(creation.get()) != H5D_CHUNKED) return std::nullopt;
        Chunks chunks{dataset};
        if (H5Pget_chunk(creation.get(), chunks.rank_, chunks.shape_.data()) != chunks.rank_)
            throw Error{"its chunks have no shape"};
        std::size_t bytes = chunks.item_bytes_;
        for (std::size_t d = 0; d < chunks.rank(); ++d) {
            if (chunks.shape_[d] == 0 || __builtin_mul_overflow(bytes, chunks.shape_[d], &bytes))
                throw Error{"its chunks have an impossible shape"};
        }
        chunks.codec_ = find_codec(creation.get(), bytes, chunks.item_bytes_);
        if (!chunks.codec_) return std::nullopt;
        return chunks;
    }

    [[nodiscard]] hid_t type() const noexcept { return type_.get(); }
    [[nodiscard]] std::uint64_t rows_per_chunk() const noexcept { return shape_[0]; }
    [[nodiscard]] bool hold_whole_rows() const noexcept {
        return std::equal(shape_.begin() + 1, shape_.begin() + rank_, size_.begin() + 1);
    }
    [[nodiscard]] std::size_t items_per_row() const noexcept {
        std::size_t items = 1;
        for (std::size_t d = 1; d < rank(); ++d) items *= size_[d];
        return items;
    }

    /// The elements of one chunk; they stay until the next is decoded.
    [[nodiscard]] std::span<const std::byte> decode(const Place& at) {
        const std::uint32_t skipped = fetch_chunk(dataset_, at.data(), file_bytes_, packed_);
        return decode_chunk(packed_, skipped, *codec_, plain_, scratch_);
    }

    /// All chunks that hold parts of one row can be decoded.
    void check_row(std::uint64_t row) {
        Place at{};
        at[0] = row / shape_[0] * shape_[0];
        for (bool more = true; more;) {
            (void)decode(at);
            more = false;
            for (std::size_t d = rank(); d-- > 1 && !more;) {  // as an odometer
                at[d] += shape_[d];
                more = at[d] < size_[d];
                if (!more) at[d] = 0;
            }
        }
    }

  private:
    explicit Chunks(hid_t dataset) : dataset_{dataset}, type_{H5Dget_type(dataset)} {
        const Handle space{H5Dget_space(dataset)}, file{H5Iget_file_id(dataset)};
        rank_ = H5Sget_simple_extent_dims(space.get(), size_.data(), nullptr);
        item_bytes_ = H5Tget_size(type_.get());
        file_bytes_ = file_bytes(file.get());
    }
    [[nodiscard]] std::size_t rank() const noexcept { return static_cast<std::size_t>(rank_); }

    hid_t dataset_;
    Handle type_;
    int rank_ = 0;
    Place size_{}, shape_{};
    std::size_t item_bytes_ = 0;
    std::uint64_t file_bytes_ = 0;
    std::optional<ChunkCodec> codec_;
    std::vector<std::byte> packed_, plain_, scratch_;
};

}  // namespace

bool read_chunk_rows(hid_t dataset, std::uint64_t first, std::uint64_t n, hid_t type, void* into) {
    std::optional<Chunks> chunks = Chunks::of(dataset);
    if (!chunks) return false;
    const std::uint64_t end = first + n, rows_per_chunk = chunks->rows_per_chunk();
    if (!chunks->hold_whole_rows()) {
        for (std::uint64_t row = first; row < end; row = (row / rows_per_chunk + 1) * rows_per_chunk)
            chunks->check_row(row);
        return false;
    }
    const std::size_t stored_bytes = H5Tget_size(chunks->type()), item_bytes = H5Tget_size(type);
    const bool as_it_is = H5Tequal(chunks->type(), type) > 0;
    std::vector<std::byte> converted;
    auto* to = static_cast<std::byte*>(into);
    for (std::uint64_t row = first; row < end;) {
        const std::uint64_t begin = row / rows_per_chunk * rows_per_chunk;
        const std::uint64_t now = std::min(end - row, rows_per_chunk - (row - begin));
        const std::size_t items = now * chunks->items_per_row();
        std::span<const std::byte> rows = chunks->decode({begin}).subspan(
            (row - begin) * chunks->items_per_row() * stored_bytes, items * stored_bytes);
        if (!as_it_is) {
            converted.resize(items * std::max(stored_bytes, item_bytes));
            std::copy(rows.begin(), rows.end(), converted.begin());
            check(H5Tconvert(chunks->type(), type, items, converted.data(), nullptr, H5P_DEFAULT),
                  "its elements are of another type");
            rows = std::span{converted}.first(items * item_bytes);
        }
        to = std::copy(rows.begin(), rows.end(), to);
        row += now;
    }
    return true;
}

}  // namespace alleycat::h5
