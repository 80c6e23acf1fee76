// No trigger of a SIS3316 costs an allocation once the banks have had their size: a program of its own, as it counts
// operator new, of the emulator's thread too.
#include <catch2/catch.hpp>

#include "tests/counting_new.hpp"

#include "readout/sis3316.hpp"
#include "tests/readout/emulated_sis3316.hpp"

using namespace alleycat;
using namespace alleycat::testing;

TEST_CASE("a SIS3316 is read without an allocation per trigger", "[readout][sis3316][allocation]") {
    constexpr int kWarmUp = 2000, kCounted = 5000;
    const BoardInfo board = struck_board(2, 500);
    Board emulated{std::make_unique<NumberedTriggers>(board, 1'000'000), {}, {}};
    Sis3316Source source{board, 0, driver_config(board, emulated.port())};
    std::vector<std::byte> payload;
    const auto read = [&](int triggers) {
        RecordHeader header;
        while (triggers > 0) {
            if (source.next(header, {}) != RecordSource::Next::record) continue;
            payload.resize(payload_bytes(header));
            source.fill(payload);
            --triggers;
        }
    };
    read(kWarmUp);
    const std::uint64_t before = allocations;
    read(kCounted);
    // Banks that come out a little larger than any before may still grow.
    CHECK(allocations - before < kCounted / 100);
}
