#include "daq/store/chunk_codec.hpp"

#include <blosc.h>
#include <zlib.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <cstring>
#include <random>

#include "daq/core/error.hpp"

using namespace alleycat;

namespace {

/// The checksum as the HDF5 file format describes it, word by word.
std::uint32_t slow_fletcher32(std::span<const std::byte> bytes) {
    std::uint64_t sum1 = 0, sum2 = 0;
    const auto fold = [](std::uint64_t s) {
        while (s > 0xFFFF) s = (s & 0xFFFF) + (s >> 16);
        return s;
    };
    for (std::size_t i = 0; i < bytes.size(); i += 2) {
        const auto high = static_cast<std::uint32_t>(bytes[i]);
        const auto low = i + 1 < bytes.size() ? static_cast<std::uint32_t>(bytes[i + 1]) : 0u;
        sum1 = fold(sum1 + (high << 8 | low));
        sum2 = fold(sum2 + sum1);
    }
    return static_cast<std::uint32_t>(sum2 << 16 | sum1);
}

std::vector<std::byte> noise(std::size_t n, unsigned seed) {
    std::mt19937 random{seed};
    std::vector<std::byte> bytes(n);
    for (std::byte& b : bytes) b = static_cast<std::byte>(random());
    return bytes;
}

}  // namespace

TEST_CASE("the fast checksum equals the one done word by word, at every length", "[store][unit]") {
    for (std::size_t n : {std::size_t{0}, std::size_t{1}, std::size_t{2}, std::size_t{4095}, std::size_t{4096},
                          std::size_t{4097}, std::size_t{5000}, std::size_t{100'001}}) {
        const std::vector<std::byte> bytes = noise(n, static_cast<unsigned>(n));
        REQUIRE(h5::fletcher32(bytes) == slow_fletcher32(bytes));
        h5::Fletcher32 in_pieces;  // of an even number of bytes but the last
        for (std::size_t at = 0; at < n; at += 4098) {
            in_pieces.add(std::span{bytes}.subspan(at, std::min<std::size_t>(4098, n - at)));
        }
        REQUIRE(in_pieces.value() == slow_fletcher32(bytes));
    }
    const std::vector<std::byte> ones(30'000, std::byte{0xFF}), zeros(3000);
    REQUIRE(h5::fletcher32(ones) == slow_fletcher32(ones));
    REQUIRE(h5::fletcher32(zeros) == 0);
}

TEST_CASE("a chunk decodes with the libraries' own functions to what it was", "[store][unit]") {
    std::vector<std::byte> chunk(70'000), scratch, back(70'000);
    for (std::size_t i = 0; i < chunk.size(); ++i) chunk[i] = static_cast<std::byte>(95 + i % 3);
    for (const Compression compression : {Compression::none, Compression::deflate, Compression::blosc}) {
        const std::span<const std::byte> packed = h5::encode_chunk(chunk, 1, compression, scratch);
        const std::span<const std::byte> body = packed.first(packed.size() - 4);
        std::uint32_t checksum = 0;
        std::memcpy(&checksum, packed.data() + body.size(), 4);
        REQUIRE(checksum == slow_fletcher32(body));
        switch (compression) {
            case Compression::none: std::copy(body.begin(), body.end(), back.begin()); break;
            case Compression::deflate: {
                uLongf n = back.size();
                REQUIRE(uncompress(reinterpret_cast<Bytef*>(back.data()), &n,
                                   reinterpret_cast<const Bytef*>(body.data()), body.size()) == Z_OK);
                break;
            }
            case Compression::blosc:
                REQUIRE(blosc_decompress_ctx(body.data(), back.data(), back.size(), 1) == 70'000);
                break;
        }
        REQUIRE(back == chunk);
        if (compression != Compression::none) REQUIRE(packed.size() < chunk.size() / 2);
    }
}

TEST_CASE("noise that does not compress still decodes", "[store][unit]") {
    const std::vector<std::byte> chunk = noise(4096, 5);
    std::vector<std::byte> scratch, back(4096);
    const std::span<const std::byte> packed = h5::encode_chunk(chunk, 2, Compression::blosc, scratch);
    REQUIRE(blosc_decompress_ctx(packed.data(), back.data(), back.size(), 1) == 4096);
    REQUIRE(back == chunk);
}

TEST_CASE("what was encoded is decoded, and a byte that changed is never passed on", "[store][hostile]") {
    std::mt19937 random{7};
    std::vector<std::byte> chunk(6000), scratch, plain, shuffled;
    for (std::byte& b : chunk) b = static_cast<std::byte>(95 + random() % 4);
    const auto codec_for = [&](Compression compression) {
        h5::ChunkCodec codec{.chunk_bytes = chunk.size(), .item_bytes = 2};
        codec.deflate = compression == Compression::deflate ? 1 : 0;
        codec.blosc = compression == Compression::blosc ? 1 : 0;
        codec.checksum = compression == Compression::none ? 1 : 2;
        return codec;
    };
    for (const Compression compression : {Compression::none, Compression::deflate, Compression::blosc}) {
        const h5::ChunkCodec codec = codec_for(compression);
        const std::span<const std::byte> packed = h5::encode_chunk(chunk, 2, compression, scratch);
        REQUIRE(std::ranges::equal(h5::decode_chunk(packed, 0, codec, plain, shuffled), chunk));
        std::size_t passed = 0;
        for (std::size_t i = 0; i < packed.size(); ++i) {
            std::vector<std::byte> damaged{packed.begin(), packed.end()};
            damaged[i] ^= std::byte{0x10};
            try {
                (void)h5::decode_chunk(damaged, 0, codec, plain, shuffled);
                ++passed;
            } catch (const Error&) {
            }
        }
        REQUIRE(passed == 0);
        for (std::size_t n = 0; n < packed.size(); n += 1 + n / 50) {
            const std::vector<std::byte> cut{packed.begin(), packed.begin() + static_cast<std::ptrdiff_t>(n)};
            REQUIRE_THROWS_AS(h5::decode_chunk(cut, 0, codec, plain, shuffled), Error);
        }
    }
}

TEST_CASE("damage under a checksum that was made right again is refused or as long as the chunk", "[store][hostile]") {
    std::vector<std::byte> chunk = noise(3000, 3), scratch, plain, shuffled;
    for (std::byte& b : chunk) b &= std::byte{3};
    const Compression compression = GENERATE(Compression::deflate, Compression::blosc);
    h5::ChunkCodec codec{.chunk_bytes = chunk.size(), .item_bytes = 1, .checksum = 2};
    (compression == Compression::deflate ? codec.deflate : codec.blosc) = 1;
    const std::span<const std::byte> packed = h5::encode_chunk(chunk, 1, compression, scratch);
    std::mt19937 random{1};
    std::size_t refused = 0;
    for (int i = 0; i < 3000; ++i) {
        std::vector<std::byte> hostile{packed.begin(), packed.end() - 4};
        for (unsigned k = 0; k <= random() % 3; ++k)
            hostile[random() % hostile.size()] = static_cast<std::byte>(random());
        if (i % 5 == 0) hostile.resize(random() % hostile.size());
        const std::uint32_t checksum = h5::fletcher32(hostile);
        hostile.resize(hostile.size() + 4);
        std::memcpy(hostile.data() + hostile.size() - 4, &checksum, 4);
        try {
            if (h5::decode_chunk(hostile, 0, codec, plain, shuffled).size() != chunk.size()) FAIL("of another size");
        } catch (const Error&) {
            ++refused;
        }
    }
    REQUIRE(refused > 500);
    if (compression == Compression::deflate) REQUIRE(refused > 2900);  // zlib's own checksum stands at the end
}
