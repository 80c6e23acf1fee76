#pragma once
// Readers of files, fed from memory: a file that has no name on any disk.

#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "daq/core/error.hpp"
#include "daq/core/source.hpp"

namespace alleycat::fuzz {

class MemoryFile {
  public:
    explicit MemoryFile(std::span<const std::uint8_t> bytes) : descriptor_{memfd_create("fuzz", 0)} {
        while (!bytes.empty()) {
            const ssize_t written = ::write(descriptor_, bytes.data(), bytes.size());
            if (written <= 0) break;
            bytes = bytes.subspan(static_cast<std::size_t>(written));
        }
    }
    ~MemoryFile() { ::close(descriptor_); }
    MemoryFile(const MemoryFile&) = delete;
    MemoryFile& operator=(const MemoryFile&) = delete;

    [[nodiscard]] std::filesystem::path path() const { return "/proc/self/fd/" + std::to_string(descriptor_); }

  private:
    int descriptor_;
};

/// Every record with its samples, up to `most`: a file of a few kB that gives more does not end.
inline void drain(RecordSource& source, std::size_t most = 100'000) {
    std::vector<std::byte> payload;
    std::size_t records = 0;
    for (RecordHeader header; source.next(header, {}) == RecordSource::Next::record;) {
        if (payload_bytes(header) > std::size_t{1} << 28) continue;
        payload.resize(payload_bytes(header));
        source.fill(payload);
        if (++records > most) __builtin_trap();
    }
    (void)source.defects();
    (void)source.remarks();
    (void)source.fraction_done();
}

inline BoardInfo board(SampleType type, std::size_t channels, bool self_triggered = false) {
    BoardInfo info;
    info.name = "board";
    info.sample_type = type;
    info.sample_period_ps = 2000;
    info.clock_period_ps = 8000;
    info.self_triggered = self_triggered;
    for (std::size_t c = 0; c < channels; ++c) info.channels.push_back({.name = "ch" + std::to_string(c)});
    return info;
}

}  // namespace alleycat::fuzz
