#include "daq/store/chunk_encoder.hpp"

#include <catch2/catch.hpp>
#include <numeric>
#include <random>

#include "daq/core/error.hpp"
#include "daq/store/chunk_codec.hpp"

using namespace alleycat;
using namespace alleycat::h5;

namespace {

/// Codes of a few bits, another sequence for each chunk.
std::vector<std::byte> chunk_of(std::uint64_t seed, std::size_t bytes) {
    std::mt19937_64 random{seed};
    std::vector<std::byte> chunk(bytes);
    for (std::byte& b : chunk) b = static_cast<std::byte>(100 + random() % 5);
    return chunk;
}

struct Shelf final : ChunkOwner {
    explicit Shelf(std::size_t chunk_bytes) : bytes{chunk_bytes} {}
    void put_down(std::uint64_t chunk, std::span<const std::byte> packed) override {
        if (chunk == refuses) throw Error{"no room on the shelf"};
        numbers.push_back(chunk);
        chunks.emplace_back(packed.begin(), packed.end());
    }
    std::size_t bytes;
    std::uint64_t refuses = ~std::uint64_t{0};
    std::vector<std::uint64_t> numbers;
    std::vector<std::vector<std::byte>> chunks;
};

}  // namespace

TEST_CASE("any number of threads puts down the same chunks in the same order", "[store][chunks][threads]") {
    constexpr std::uint64_t kChunks = 60;
    for (const Compression compression : {Compression::none, Compression::deflate, Compression::blosc}) {
        for (const unsigned threads : {1u, 2u, 5u}) {
            ChunkEncoder encoder{compression, threads};
            Shelf large{30'000}, small{700};  // two boards: buffers change hands between them
            std::vector<std::byte> plain;
            for (std::uint64_t c = 0; c < kChunks; ++c) {
                for (Shelf* shelf : {&large, &small}) {
                    plain = chunk_of(c * 2 + (shelf == &small ? 1 : 0), shelf->bytes);
                    encoder.submit(*shelf, c, 2, plain);
                }
            }
            encoder.drain();
            for (const Shelf* shelf : {&large, &small}) {
                std::vector<std::uint64_t> in_order(kChunks);
                std::iota(in_order.begin(), in_order.end(), 0);
                REQUIRE(shelf->numbers == in_order);
                bool same = true;
                std::vector<std::byte> scratch;
                for (std::uint64_t c = 0; c < kChunks; ++c) {
                    const std::vector<std::byte> chunk = chunk_of(c * 2 + (shelf == &small ? 1 : 0), shelf->bytes);
                    const auto packed = encode_chunk(chunk, 2, compression, scratch);
                    same = same && std::ranges::equal(packed, shelf->chunks[c]);
                }
                CHECK(same);
            }
        }
    }
}

TEST_CASE("a chunk that cannot be put down is told to whoever hands in later ones, and no thread is left behind",
          "[store][chunks][threads]") {
    ChunkEncoder encoder{Compression::blosc, 2};
    Shelf shelf{30'000};
    shelf.refuses = 3;
    const auto all = [&] {
        for (std::uint64_t c = 0; c < 20; ++c) {
            std::vector<std::byte> plain = chunk_of(c, shelf.bytes);
            encoder.submit(shelf, c, 1, plain);
        }
        encoder.drain();
    };
    REQUIRE_THROWS_WITH(all(), "no room on the shelf");
    CHECK(shelf.numbers == std::vector<std::uint64_t>{0, 1, 2});
}
