#pragma once
// From the samples of one chunk to the bytes that stand in the file, and back: compression, then checksum. Doing it
// here and not in HDF5's pipeline, behind its one lock, lets any thread do it: H5Dwrite_chunk and H5Dread_chunk carry
// the bytes as they stand (internal to daq/store).

#include <hdf5.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "daq/store/store_config.hpp"

namespace alleycat::h5 {

inline constexpr int kBloscFilter = 32001;

inline constexpr std::size_t kChecksumBytes = 4;  ///< of the Fletcher checksum behind a chunk, little endian

/// HDF5's Fletcher checksum: 16-bit big-endian words, sums modulo 65535; an odd last byte counts as a high byte.
class Fletcher32 {
  public:
    /// An even number of bytes, except in the last call.
    void add(std::span<const std::byte> bytes) noexcept;
    [[nodiscard]] std::uint32_t value() const noexcept;

  private:
    std::uint64_t sum1_ = 0, sum2_ = 0;
    bool anything_ = false;  ///< but zeros
};
[[nodiscard]] std::uint32_t fletcher32(std::span<const std::byte> bytes) noexcept;

/// Compresses `chunk` (items of `item_bytes`) and appends the checksum, as the filters of the dataset expect it.
/// Returns the bytes to be written, which stand in `scratch`.
[[nodiscard]] std::span<const std::byte> encode_chunk(std::span<const std::byte> chunk, std::size_t item_bytes,
                                                      Compression compression, std::vector<std::byte>& scratch);

/// The filters of a dataset's chunks, as decode_chunk() undoes them.
struct ChunkCodec {
    std::size_t chunk_bytes = 0, item_bytes = 1;
    // Of each filter its bit in a chunk's mask of skipped filters; 0: the dataset has no such filter.
    std::uint32_t shuffle = 0, deflate = 0, blosc = 0, checksum = 0;
};
/// nullopt when only HDF5 can undo them: filters of others, or in another order than ours. Throws Error when one has
/// parameters by which HDF5 could not undo it, or would bring the elements into disorder.
[[nodiscard]] std::optional<ChunkCodec> find_codec(hid_t creation, std::size_t chunk_bytes, std::size_t item_bytes);

/// The chunk_bytes that `packed` was made of; they stand in `packed` or in one of the buffers. Throws Error saying what
/// is wrong when the checksum or the compressed data are, never returns anything else than what was written.
/// checksum  of all bytes but the last four, when it was taken while they were read
[[nodiscard]] std::span<const std::byte> decode_chunk(std::span<const std::byte> packed, std::uint32_t skipped_filters,
                                                      const ChunkCodec& codec, std::vector<std::byte>& plain,
                                                      std::vector<std::byte>& scratch,
                                                      std::optional<std::uint32_t> checksum = std::nullopt);

/// Room for a chunk of `bytes` of a file of `file_bytes`. Throws Error when it was never written or cannot stand there.
void make_room_for_chunk(std::vector<std::byte>& packed, std::uint64_t bytes, std::uint64_t file_bytes);
/// The chunk at `at` as it stands in the file, through HDF5, into `packed`. Returns its mask of skipped filters.
[[nodiscard]] std::uint32_t fetch_chunk(hid_t dataset, const hsize_t* at, std::uint64_t file_bytes,
                                        std::vector<std::byte>& packed);

/// Makes filter 32001 known to HDF5 from the blosc library we link: our own readers need no plugin.
void register_blosc_filter();

}  // namespace alleycat::h5
