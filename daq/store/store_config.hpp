#pragma once
// [store] of a station file.

#include <chrono>
#include <cstdint>
#include <filesystem>

#include "daq/core/config.hpp"

namespace alleycat {

/// How samples stand in the file; columns are deflated unless `none`. blosc: bitshuffle and lz4, filter 32001.
enum class Compression : std::uint8_t { none, deflate, blosc };
/// Of which triggers the samples are kept in the part (the journal holds all until the part is closed).
enum class RawData : std::uint8_t { all, accepted, none };

struct StoreConfig {
    std::filesystem::path folder = "data";
    RawData raw = RawData::all;
    Compression compression = Compression::blosc;
    std::uint64_t part_size_mb = 2000;             ///< a new part begins at the next trigger; 1 MB = 10^6 bytes
    std::chrono::minutes part_minutes{60};         ///< of data time
    std::chrono::milliseconds sync_interval{500};  ///< the owner calls sync() this often
    std::uint64_t disk_warning_mb = 50'000;        ///< free space below this is a problem in the status
};

/// Reads [store]; an absent section gives the defaults. Problems are reported, not thrown.
[[nodiscard]] StoreConfig parse_store(ConfigSection& root);

}  // namespace alleycat
