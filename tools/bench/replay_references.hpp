#pragma once
// What replay is compared with: the files read and decompressed by the libraries themselves, nothing else. Shares no
// code with the readers that are measured.

#include <cstdint>
#include <filesystem>
#include <vector>

namespace alleycat::bench {

/// The files behind an input: itself, or every minute of a folder.
[[nodiscard]] std::vector<std::filesystem::path> files_of(const std::filesystem::path& input);

/// Forgets what the kernel keeps of the files in memory: the next read comes from the disk.
void drop_from_page_cache(const std::vector<std::filesystem::path>& files);

/// Reads all bytes of the files, a megabyte at a time, in one thread. Returns their number.
std::uint64_t read_files(const std::vector<std::filesystem::path>& files);

/// Reads and decompresses all samples: chunks of HDF5 files (checksum of the bytes left to others: the plain library
/// call), members of zips; `threads` share the chunks or the zips. Returns the bytes made.
std::uint64_t decode_files(const std::vector<std::filesystem::path>& files, unsigned threads);

}  // namespace alleycat::bench
