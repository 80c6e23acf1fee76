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

/// That, and how many of the others: with `accepted` also every `prescale`-th trigger, counted by its sequence (0: none),
/// so that what the cuts throw away can still be looked at. The same triggers live and in every replay.
struct RawSelection {
    RawSelection(RawData data = RawData::all, std::uint64_t every = 0) noexcept : of{data}, prescale{every} {}
    RawData of;
    std::uint64_t prescale;
    bool operator==(const RawSelection&) const = default;

    [[nodiscard]] bool keeps(bool accepted, std::uint64_t sequence) const noexcept {
        return of == RawData::all ||
               (of == RawData::accepted && (accepted || (prescale > 0 && sequence % prescale == 0)));
    }
};

struct StoreConfig {
    std::filesystem::path folder = "data";
    RawSelection raw;
    Compression compression = Compression::blosc;
    unsigned compression_threads = 2;              ///< 1: the writer's own
    std::uint64_t part_size_mb = 2000;             ///< a new part begins at the next trigger; 1 MB = 10^6 bytes
    std::chrono::minutes part_minutes{60};         ///< of data time
    std::chrono::milliseconds sync_interval{500};  ///< the owner calls sync() this often
    std::uint64_t disk_warning_mb = 50'000;        ///< free space below this is a problem in the status
    std::uint64_t disk_stop_mb = 1000;             ///< below this writing stops, until there is a tenth more; 0: never
    std::chrono::milliseconds retry_interval{3000};  ///< after the disk refused
};

/// Reads [store]; an absent section gives the defaults. Problems are reported, not thrown.
[[nodiscard]] StoreConfig parse_store(ConfigSection& root);

}  // namespace alleycat
