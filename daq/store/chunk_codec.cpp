#include "daq/store/chunk_codec.hpp"

#include <blosc.h>
#include <hdf5.h>
#include <zlib.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "daq/core/error.hpp"

namespace alleycat::h5 {
namespace {

constexpr int kDeflateLevel = 1;  // level 6 gains 3 % on white noise and costs a factor of three
constexpr std::size_t kChecksumBytes = 4;

/// The filter as HDF5 calls it, both ways. Returns the bytes of the result; 0: it failed.
std::size_t blosc_filter(unsigned flags, std::size_t count, const unsigned* values, std::size_t bytes,
                         std::size_t* capacity, void** buffer) {
    std::size_t size = 0;
    if ((flags & H5Z_FLAG_REVERSE) != 0) {
        std::size_t packed = 0, block = 0;
        blosc_cbuffer_sizes(*buffer, &size, &packed, &block);
        if (size == 0 || packed > bytes) return 0;
    } else {
        size = bytes + BLOSC_MAX_OVERHEAD;
    }
    void* out = H5allocate_memory(size, false);
    if (out == nullptr) return 0;
    const std::size_t item = count > 2 && values[2] > 0 ? values[2] : 1;
    const int made = (flags & H5Z_FLAG_REVERSE) != 0
                         ? blosc_decompress_ctx(*buffer, out, size, 1)
                         : blosc_compress_ctx(5, BLOSC_BITSHUFFLE, item, bytes, *buffer, out, size, "lz4", 0, 1);
    if (made <= 0) {
        H5free_memory(out);
        return 0;
    }
    H5free_memory(*buffer);
    *buffer = out;
    *capacity = size;
    return static_cast<std::size_t>(made);
}

}  // namespace

std::uint32_t fletcher32(std::span<const std::byte> bytes) noexcept {
    // Sums modulo 65535 do not mind the order of bytes in a word: add little-endian words, turn the two sums at the
    // end. Eight lanes run side by side. In a block of kRows x 8 words, word (k, j) counts 8 (kRows - k) - j times in
    // the second sum: 8 times the lane's own second sum, less j times its first. 256 rows keep a lane's second sum
    // below 2^32.
    constexpr std::size_t kLanes = 8, kRows = 256, kBlock = kLanes * kRows;
    using Words [[gnu::vector_size(2 * kLanes)]] = std::uint16_t;
    using Sums [[gnu::vector_size(4 * kLanes)]] = std::uint32_t;
    const std::byte* at = bytes.data();
    std::size_t words = bytes.size() / 2;
    std::uint64_t sum1 = 0, sum2 = 0;
    for (; words >= kBlock; words -= kBlock) {
        Sums first{}, second{};
        for (std::size_t k = 0; k < kRows; ++k, at += sizeof(Words)) {
            Words row;
            std::memcpy(&row, at, sizeof row);
            first += __builtin_convertvector(row, Sums);
            second += first;
        }
        std::uint64_t plain = 0, weighted = 0;
        for (std::size_t j = 0; j < kLanes; ++j) {
            plain += first[j];
            weighted += std::uint64_t{kLanes} * second[j] - j * std::uint64_t{first[j]};
        }
        sum2 = (sum2 + kBlock * sum1 + weighted) % 65535;
        sum1 = (sum1 + plain) % 65535;
    }
    bool anything = sum1 != 0 || sum2 != 0;
    for (; words > 0; --words, at += 2) {
        std::uint16_t word = 0;
        std::memcpy(&word, at, 2);
        sum1 += word;
        sum2 += sum1;
    }
    if (bytes.size() % 2 != 0) {
        sum1 += static_cast<std::uint8_t>(*at);
        sum2 += sum1;
    }
    // The folded sums of HDF5 are 65535, not 0, for a multiple of 65535, unless every word was zero.
    if (!anything) anything = std::any_of(bytes.begin(), bytes.end(), [](std::byte b) { return b != std::byte{0}; });
    const auto folded = [&](std::uint64_t sum) {
        const auto rest = static_cast<std::uint32_t>(sum % 65535);
        return rest == 0 && anything ? 65535u : rest;
    };
    const auto turned = [](std::uint32_t sum) { return (sum >> 8 | sum << 8) & 0xFFFFu; };
    return turned(folded(sum2)) << 16 | turned(folded(sum1));
}

std::span<const std::byte> encode_chunk(std::span<const std::byte> chunk, std::size_t item_bytes,
                                        Compression compression, std::vector<std::byte>& scratch) {
    std::size_t size = 0;
    switch (compression) {
        case Compression::none:
            scratch.resize(chunk.size() + kChecksumBytes);
            std::memcpy(scratch.data(), chunk.data(), chunk.size());
            size = chunk.size();
            break;
        case Compression::deflate: {
            uLongf packed = compressBound(chunk.size());
            scratch.resize(packed + kChecksumBytes);
            if (compress2(reinterpret_cast<Bytef*>(scratch.data()), &packed,
                          reinterpret_cast<const Bytef*>(chunk.data()), chunk.size(), kDeflateLevel) != Z_OK) {
                throw Error{"zlib could not compress a chunk of samples"};
            }
            size = packed;
            break;
        }
        case Compression::blosc: {
            scratch.resize(chunk.size() + BLOSC_MAX_OVERHEAD + kChecksumBytes);
            const int packed = blosc_compress_ctx(5, BLOSC_BITSHUFFLE, item_bytes, chunk.size(), chunk.data(),
                                                  scratch.data(), chunk.size() + BLOSC_MAX_OVERHEAD, "lz4", 0, 1);
            if (packed <= 0) throw Error{"blosc could not compress a chunk of samples"};
            size = static_cast<std::size_t>(packed);
            break;
        }
    }
    const std::uint32_t checksum = fletcher32(std::span{scratch}.first(size));
    std::memcpy(scratch.data() + size, &checksum, kChecksumBytes);
    return std::span{scratch}.first(size + kChecksumBytes);
}

void register_blosc_filter() {
    H5Z_class2_t filter{};
    filter.version = H5Z_CLASS_T_VERS;
    filter.id = kBloscFilter;
    filter.encoder_present = 1;
    filter.decoder_present = 1;
    filter.name = "blosc";
    filter.filter = blosc_filter;
    if (H5Zregister(&filter) < 0) throw Error{"HDF5 does not take the blosc filter"};
}

}  // namespace alleycat::h5
