#pragma once
// Rows of a chunked dataset, read forward and decoded ahead (internal to daq/store).

#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "daq/core/ordered_workers.hpp"
#include "daq/store/chunk_codec.hpp"
#include "daq/store/hdf5.hpp"

namespace alleycat::h5 {

/// One dataset, any rank, read by rows along its first dimension.
///
/// The calling thread alone speaks to HDF5: it asks where the chunks stand in the file. Reading them, their checksum
/// and decompression are ours and go to `decode_threads` threads, some chunks ahead; with one they are done in the
/// calling thread. What our writer did not write (no chunks, other filters or types: a file that was repacked) is read
/// through HDF5's own pipeline. A damaged chunk is an Error when its rows are asked for, not before.
class ChunkReader {
  public:
    /// type  of the rows' elements in memory. Throws Error when the dataset cannot be opened.
    ChunkReader(hid_t file, std::string path, hid_t type, unsigned decode_threads);

    [[nodiscard]] std::uint64_t rows() const noexcept { return rows_; }
    [[nodiscard]] std::size_t row_bytes() const noexcept { return row_bytes_; }

    /// Copies rows [first, first + n) into `into`, n x row_bytes() bytes. Throws Error naming the dataset and the rows
    /// when they are not there, cannot be read or contradict their checksum.
    void read(std::uint64_t first, std::uint64_t n, std::span<std::byte> into);

  private:
    struct Chunk {
        std::uint32_t skipped_filters = 0;
        std::optional<std::uint64_t> stands_at;  ///< in the file; nullopt: `packed` is filled
        std::optional<std::uint32_t> checksum;   ///< of `packed` but its last four bytes, taken while it was read
        std::vector<std::byte> packed, plain, scratch;
        std::span<const std::byte> rows;  ///< in `packed` or `plain`
        std::exception_ptr failure;       ///< it could not even be fetched
    };

    void look_at_chunks();
    void start(unsigned decode_threads);
    [[nodiscard]] std::span<const std::byte> rows_of_chunk(std::uint64_t index);
    void fetch_ahead();
    void fetch(std::uint64_t index, Chunk& into);
    void find_packed(std::uint64_t index, Chunk& into) const;
    void fetch_packed(std::uint64_t index, Chunk& into) const;
    void fetch_plain(std::uint64_t index, Chunk& into);
    void read_packed(Chunk& chunk) const;
    void decode(Chunk& chunk) const;
    [[nodiscard]] const Chunk& oldest();
    void drop_oldest();

    hid_t file_, type_;
    std::string path_;
    Handle dataset_;
    std::uint64_t rows_ = 0, rows_per_chunk_ = 0, chunks_ = 0;
    std::size_t row_bytes_ = 0;
    std::optional<ChunkCodec> codec_;  ///< nullopt: HDF5 has to read it
    std::optional<int> descriptor_;    ///< HDF5's of the file, for reads at a place; nullopt: HDF5 has to fetch chunks

    std::uint64_t oldest_ = 0, next_ = 0;  ///< chunks [oldest_, next_) are under way
    Doorbell decoded_;
    std::unique_ptr<OrderedWorkers<Chunk>> workers_;  // last: its threads use what stands above
};

}  // namespace alleycat::h5
