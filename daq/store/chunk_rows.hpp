#pragma once
// Rows of a chunked dataset, a few at a time, without HDF5's trust in what its headers say (internal to daq/store).

#include <hdf5.h>

#include <cstdint>

namespace alleycat::h5 {

/// Rows [first, first + n), which are there, of memory type `type`. HDF5 1.10 reads behind its buffer when a chunk
/// holds less than type and shape of the dataset make of it, as after one flipped bit: here every chunk is decoded, and
/// has to be as long as they say. Returns false when nothing was read because HDF5 itself has to: no chunks, filters
/// that only it can undo, chunks of parts of rows (whose lengths were looked at). Throws Error saying what is wrong
/// with a chunk.
[[nodiscard]] bool read_chunk_rows(hid_t dataset, std::uint64_t first, std::uint64_t n, hid_t type, void* into);

}  // namespace alleycat::h5
