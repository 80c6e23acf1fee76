#pragma once
// What the tests of readers share: a folder of their own, a source read to its end, a second decoder's bytes.

#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iostream>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "daq/core/source.hpp"
#include "tests/temporary_folder.hpp"

namespace alleycat::testing {

namespace fs = std::filesystem;
using Bytes = std::vector<std::uint8_t>;

/// Writes a file, and the folders it stands in, into a temporary folder.
[[nodiscard]] inline fs::path write(const TemporaryFolder& folder, const fs::path& name, const Bytes& bytes) {
    const fs::path path = folder / name;
    fs::create_directories(path.parent_path());
    std::ofstream out{path, std::ios::binary};
    out.write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
    return path;
}

inline Bytes read_file(const fs::path& path) {
    std::ifstream in{path, std::ios::binary};
    return {std::istreambuf_iterator<char>{in}, {}};
}

inline void append(Bytes& bytes, const Bytes& more) { bytes.insert(bytes.end(), more.begin(), more.end()); }
inline void append_u32(Bytes& bytes, std::uint32_t value) {
    for (int shift = 0; shift < 32; shift += 8) bytes.push_back(static_cast<std::uint8_t>(value >> shift));
}

struct ReadRecord {
    RecordHeader header;
    std::vector<std::byte> payload;
    template <class Sample>
    [[nodiscard]] std::vector<Sample> channel(std::size_t position) const {
        const auto samples = RecordView{header, payload}.channel<Sample>(position);
        return {samples.begin(), samples.end()};
    }
};

inline std::vector<ReadRecord> read_all(RecordSource& source) {
    std::vector<ReadRecord> records;
    for (RecordHeader header; source.next(header, {}) == RecordSource::Next::record;) {
        records.push_back({header, std::vector<std::byte>(payload_bytes(header), std::byte{0xEE})});
        source.fill(records.back().payload);
    }
    return records;
}

/// From a board: until there are so many, `enough` says so, or nothing came so many times. (A test that waits for what
/// does not come ends.)
inline std::vector<ReadRecord> take(RecordSource& source, std::size_t records, int most_idle,
                                    const std::function<bool()>& enough = {}) {
    std::vector<ReadRecord> taken;
    int idle = 0;
    for (RecordHeader header; taken.size() < records && idle < most_idle && !(enough && enough());) {
        if (source.next(header, {}) != RecordSource::Next::record) {
            ++idle;
            continue;
        }
        taken.push_back({header, std::vector<std::byte>(payload_bytes(header), std::byte{0xEE})});
        source.fill(taken.back().payload);
    }
    return taken;
}

inline std::uint64_t defect(const RecordSource& source, std::string_view name) {
    for (const auto& [known, count] : source.defects()) {
        if (known == name) return count;
    }
    return 0;
}

inline bool said(const RecordSource& source, std::string_view words) {
    for (const std::string& remark : source.remarks()) {
        if (remark.find(words) != std::string::npos) return true;
    }
    return false;
}

/// Path of a real recording, or empty after saying that the test is skipped.
inline fs::path real_file(const std::string& name) {
    const fs::path path = fs::path{ALLEYCAT_REAL_DATA} / name;
    if (fs::exists(path)) return path;
    std::cout << "SKIPPED: " << path.string() << " is absent" << std::endl;
    return {};
}

/// What decode.py writes.
inline Bytes second_decoder(const std::string& arguments) {
    const std::string command = "/usr/bin/python3 '" ALLEYCAT_SOURCE_DIR "/tests/readout/decode.py' " + arguments;
    const std::unique_ptr<std::FILE, int (*)(std::FILE*)> pipe{popen(command.c_str(), "r"), pclose};
    Bytes bytes;
    std::array<std::uint8_t, 65536> part;
    for (std::size_t n; pipe != nullptr && (n = std::fread(part.data(), 1, part.size(), pipe.get())) != 0;) {
        bytes.insert(bytes.end(), part.begin(), part.begin() + static_cast<std::ptrdiff_t>(n));
    }
    return bytes;
}

/// xorshift64: the same damage in every run of a test.
class Dice {
  public:
    explicit Dice(std::uint64_t seed) : state_{seed * 0x9E3779B97F4A7C15u + 1} {}
    std::uint64_t roll(std::uint64_t sides) {
        state_ ^= state_ << 13;
        state_ ^= state_ >> 7;
        state_ ^= state_ << 17;
        return state_ % sides;
    }

  private:
    std::uint64_t state_;
};

/// A few bytes changed, inserted or taken out, or the end cut off.
inline Bytes damaged(Bytes bytes, Dice& dice) {
    const std::uint64_t times = 1 + dice.roll(4);
    for (std::uint64_t i = 0; i < times && !bytes.empty(); ++i) {
        const auto at = static_cast<std::ptrdiff_t>(
            dice.roll(5) == 0 ? dice.roll(std::min<std::uint64_t>(bytes.size(), 64)) : dice.roll(bytes.size()));
        switch (dice.roll(5)) {
            case 0: bytes[static_cast<std::size_t>(at)] = static_cast<std::uint8_t>(dice.roll(256)); break;
            case 1: bytes[static_cast<std::size_t>(at)] ^= static_cast<std::uint8_t>(1u << dice.roll(8)); break;
            case 2: bytes.erase(bytes.begin() + at); break;
            case 3: bytes.insert(bytes.begin() + at, static_cast<std::uint8_t>(dice.roll(256))); break;
            case 4:
                bytes.resize(dice.roll(4) == 0 ? static_cast<std::size_t>(at)
                                               : bytes.size() - dice.roll(std::min<std::uint64_t>(bytes.size(), 100)));
                break;
        }
    }
    return bytes;
}

}  // namespace alleycat::testing
