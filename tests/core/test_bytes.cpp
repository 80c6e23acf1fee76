// Plain little-endian bytes: what fits is written, and no read leaves its span.

#include "daq/core/bytes.hpp"

#include <array>
#include <catch2/catch.hpp>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "daq/core/record.hpp"

using namespace alleycat;

TEST_CASE("numbers, texts and lists come back as they were written", "[core][unit]") {
    std::array<std::byte, 64> space{};
    ByteWriter out{space};
    out.put(std::uint32_t{0x01020304});
    out.put_text("CsI");
    out.align(8);
    out.put_list(std::span<const std::int16_t>{std::array<std::int16_t, 2>{-2, 258}});
    REQUIRE_FALSE(out.overflowed());
    REQUIRE(out.size() == 4 + 4 + 3 + 5 + 4 + 4);
    // Little endian, by hand: the number, the text's length and letters, zeros, the list's length and values.
    const std::array<std::uint8_t, 24> expected{4, 3, 2, 1, 3, 0, 0, 0, 'C',  's',  'I', 0,
                                                0, 0, 0, 0, 2, 0, 0, 0, 0xFE, 0xFF, 2,   1};
    for (std::size_t i = 0; i < expected.size(); ++i) REQUIRE(std::to_integer<std::uint8_t>(space[i]) == expected[i]);

    ByteReader in{std::span{space}.first(out.size())};
    REQUIRE(in.get<std::uint32_t>() == 0x01020304);
    REQUIRE(in.get_text() == "CsI");
    in.align(8);
    REQUIRE(in.position() == 16);
    REQUIRE(in.get_list<std::int16_t>() == std::vector<std::int16_t>{-2, 258});
    REQUIRE(in.left() == 0);
    REQUIRE_FALSE(in.failed());
}

TEST_CASE("a writer without space says so and writes nothing more", "[core][unit]") {
    std::array<std::byte, 6> space{};
    ByteWriter out{std::span{space}.first(5)};
    out.put(std::uint32_t{1});
    out.put(std::uint32_t{0xFFFFFFFF});
    out.put(std::uint8_t{0xFF});
    out.align(8);
    REQUIRE(out.overflowed());
    REQUIRE(space[4] == std::byte{0});
    REQUIRE(space[5] == std::byte{0});
}

TEST_CASE("after a read past the end everything reads as zeros and the reader has failed", "[core][hostile]") {
    const std::vector<std::byte> three(3, std::byte{0xFF});
    ByteReader in{three};
    REQUIRE(in.get<std::uint16_t>() == 0xFFFF);
    REQUIRE(in.get<std::uint32_t>() == 0);
    REQUIRE(in.failed());
    REQUIRE(in.get<std::uint8_t>() == 0);  // there would be one
    REQUIRE(in.get_text().empty());
    REQUIRE(in.get_list<std::uint64_t>().empty());
    REQUIRE(in.get_count() == 0);
}

TEST_CASE("lengths that cannot be are refused without asking for memory", "[core][hostile]") {
    const std::vector<std::byte> huge(12, std::byte{0xFF});  // a length of 4294967295, then 8 bytes
    ByteReader text{huge}, list{huge}, count{huge};
    REQUIRE(text.get_text().empty());
    REQUIRE(text.failed());
    REQUIRE(list.get_list<TruthPulse>().empty());
    REQUIRE(list.failed());
    REQUIRE(count.get_count(9) == 0);
    REQUIRE(count.failed());

    std::vector<std::byte> two{std::byte{2}, std::byte{0}, std::byte{0}, std::byte{0},
                               std::byte{},  std::byte{},  std::byte{},  std::byte{}};
    ByteReader fits{two}, not_fits{two}, limited{two};
    REQUIRE(fits.get_count(2) == 2);
    REQUIRE_FALSE(fits.failed());
    REQUIRE(not_fits.get_count(3) == 0);
    REQUIRE(not_fits.failed());
    REQUIRE(limited.get_count(2, 1) == 0);
    REQUIRE(limited.failed());
}

TEST_CASE("only values of an enumeration and of a truth are taken", "[core][hostile]") {
    const std::vector<std::byte> bytes{std::byte{3}, std::byte{4}, std::byte{1}, std::byte{2}};
    ByteReader good{bytes}, bad{std::span{bytes}.subspan(1)}, yes{std::span{bytes}.subspan(2)},
        neither{std::span{bytes}.subspan(3)};
    REQUIRE(good.get_enum(SampleType::uint16) == SampleType::uint16);
    REQUIRE_FALSE(good.failed());
    REQUIRE(bad.get_enum(SampleType::uint16) == SampleType::int8);
    REQUIRE(bad.failed());
    REQUIRE(yes.get_bool());
    REQUIRE_FALSE(yes.failed());
    (void)neither.get_bool();
    REQUIRE(neither.failed());
}
