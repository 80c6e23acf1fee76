#pragma once
// From the samples of one chunk to the bytes that stand in the file: compression, then checksum. Doing it here and not
// in HDF5's pipeline lets H5Dwrite_chunk put it down as it is (internal to daq/store).

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "daq/store/store_config.hpp"

namespace alleycat::h5 {

inline constexpr int kBloscFilter = 32001;

/// HDF5's Fletcher checksum: 16-bit big-endian words, sums modulo 65535; an odd last byte counts as a high byte.
[[nodiscard]] std::uint32_t fletcher32(std::span<const std::byte> bytes) noexcept;

/// Compresses `chunk` (items of `item_bytes`) and appends the checksum, as the filters of the dataset expect it.
/// Returns the bytes to be written, which stand in `scratch`.
[[nodiscard]] std::span<const std::byte> encode_chunk(std::span<const std::byte> chunk, std::size_t item_bytes,
                                                      Compression compression, std::vector<std::byte>& scratch);

/// Makes filter 32001 known to HDF5 from the blosc library we link: our own readers need no plugin.
void register_blosc_filter();

}  // namespace alleycat::h5
