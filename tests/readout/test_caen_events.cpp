#include <catch2/catch.hpp>

#include "readout/caen_block.hpp"
#include "readout/input.hpp"
#include "tests/readout/read_all.hpp"

using namespace alleycat;
using namespace alleycat::testing;
using caen::Family;
using Words = std::vector<std::uint32_t>;

namespace {

/// Header of an event of `payload` words.
Words event(std::uint32_t mask, std::uint32_t counter, std::uint32_t tag, const Words& payload,
            std::uint32_t bits_of_word_1 = 0) {
    Words words{0xA000'0000u | static_cast<std::uint32_t>(4 + payload.size()), (mask & 0xFF) | bits_of_word_1,
                (mask >> 8) << 24 | counter, tag};
    words.insert(words.end(), payload.begin(), payload.end());
    return words;
}
Words joined(std::initializer_list<Words> parts) {
    Words all;
    for (const Words& part : parts) all.insert(all.end(), part.begin(), part.end());
    return all;
}
std::vector<caen::Status> statuses(const Words& words, Family family) {
    std::vector<caen::Status> all;
    for (const caen::Event& one : caen::Events{words, family}) {
        all.push_back(one.status == caen::Status::ok ? caen::lay_out(one, family).status : one.status);
    }
    return all;
}
template <class Sample = std::uint16_t>
std::vector<Sample> channel(const Words& words, Family family, unsigned position, std::uint16_t suppressed = 0) {
    const caen::Event one = caen::read_event(words, family);
    std::vector<Sample> samples(caen::lay_out(one, family).samples);
    caen::unpack(one, family, position, std::as_writable_bytes(std::span{samples}), suppressed);
    return samples;
}
using Codes = std::vector<std::uint16_t>;
using S = caen::Status;

}  // namespace

TEST_CASE("a standard event block is read word by word", "[readout][caen][unit]") {
    const Words words{
        0xA000'0008,  // 1010, 8 words with this one
        0x1B00'4705,  // 00011: board 3; 0: no failure; 1: reserved; 1: zero-length encoded; pattern 0x0047; mask 101
        0x0012'3456,  // event counter
        0x8000'0010,  // rolled over, tag 16
        0x0FFF'0001,  // channel 0: samples 1, 4095
        0x0003'0002,  // channel 0: samples 2, 3
        0x0005'0004,  // channel 2: samples 4, 5
        0x0007'0006,  // channel 2: samples 6, 7
    };
    Words plain = words;
    plain[1] &= ~(1u << 24);
    const caen::Event one = caen::read_event(plain, Family::x720);
    REQUIRE(one.status == S::ok);
    CHECK(one.words.size() == 8);
    CHECK(int{one.board} == 3);
    CHECK_FALSE(one.board_failed);
    CHECK_FALSE(one.zero_length);
    CHECK(one.pattern == 0x0047);
    CHECK(one.channel_mask == 5);
    CHECK(one.counter == 0x123456);
    CHECK(one.time_tag == 16);
    CHECK(one.rolled_over);
    CHECK(one.extended_time_tag() == 0x0047'8000'0010u);
    const caen::Layout layout = caen::lay_out(one, Family::x720);
    CHECK(layout.status == S::ok);
    CHECK(layout.channels == 2);
    CHECK(layout.samples == 4);
    CHECK(channel(plain, Family::x720, 0) == Codes{1, 4095, 2, 3});
    CHECK(channel(plain, Family::x720, 1) == Codes{4, 5, 6, 7});
    CHECK(caen::read_event(words, Family::x720).zero_length);
    plain[1] |= 1u << 26;
    CHECK(caen::read_event(plain, Family::x720).board_failed);
}

TEST_CASE("samples of 8, 10, 12 and 14 bits stand four, three and two to a word", "[readout][caen][unit]") {
    CHECK(caen::sample_type(Family::x721) == SampleType::uint8);
    CHECK(channel<std::uint8_t>(event(1, 0, 0, {0xFF03'0201}), Family::x721, 0) ==
          std::vector<std::uint8_t>{1, 2, 3, 255});
    // 11 then 10 bits from above: 3 = 0x3, 2, 1023 = 0x3FF -> 11'1111111111'0000000010'0000000011
    // The second word holds two samples: 10'..........'0000000101'0000000100
    const Words ten = event(1, 0, 0, {0xFFF0'0803, 0x8000'1404});
    CHECK(caen::lay_out(caen::read_event(ten, Family::x751), Family::x751).samples == 5);
    CHECK(channel(ten, Family::x751, 0) == Codes{3, 2, 1023, 4, 5});
    CHECK(statuses(event(1, 0, 0, {0x0000'0803}), Family::x751) == std::vector{S::bad_sample_count});
    CHECK(channel(event(1, 0, 0, {0x3FFF'3FFE}), Family::x730, 0) == Codes{16382, 16383});
    CHECK(channel(event(1, 0, 0, {0x3FFF'3FFE}), Family::x724, 0) == Codes{16382, 16383});
    // 16383 is no code of 12 bits: this is Pack2.5, another board, or damage.
    CHECK(statuses(event(1, 0, 0, {0x3FFF'3FFE}), Family::x720) == std::vector{S::excess_bits});
}

TEST_CASE("boards of 16 channels have the upper half of the mask in the third word", "[readout][caen][unit]") {
    const Words words = event(0x8001, 7, 9, {0x0001'0000, 0x0003'0002});
    CHECK(words[2] == 0x8000'0007);
    const caen::Event one = caen::read_event(words, Family::x730);
    CHECK(one.channel_mask == 0x8001);
    CHECK(one.counter == 7);
    CHECK(channel(words, Family::x730, 1) == Codes{2, 3});
    // Of other boards these bits are reserved.
    CHECK(caen::read_event(words, Family::x724).channel_mask == 1);
}

TEST_CASE("zero-length encoded events get their lengths back", "[readout][caen][unit]") {
    const Words payload{
        5,            // channel 0: 5 words with this one
        0x0000'0002,  // 2 words (4 samples) were left out
        0x8000'0001,  // 1 word is there
        0x0BBB'0AAA,  // its two samples
        0x0000'0001,  // 1 word was left out
        4,            // channel 1: 4 words
        0x8000'0001, 0x0002'0001, 0x0000'0003,
    };
    const Words words = event(3, 0, 0, payload, 1u << 24);
    const caen::Layout layout = caen::lay_out(caen::read_event(words, Family::x720), Family::x720);
    CHECK(layout.status == S::ok);
    CHECK(layout.samples == 8);
    CHECK(layout.suppressed == 6 + 6);
    CHECK(channel(words, Family::x720, 0, 9) == Codes{9, 9, 9, 9, 0xAAA, 0xBBB, 9, 9});
    CHECK(channel(words, Family::x720, 1, 9) == Codes{1, 2, 9, 9, 9, 9, 9, 9});
    CHECK(statuses(words, Family::x730) == std::vector{S::unknown_suppression});

    const auto with = [&](std::size_t at, std::uint32_t word) {
        Words changed = words;
        changed[4 + at] = word;
        return statuses(changed, Family::x720);
    };
    CHECK(with(0, 0) == std::vector{S::bad_suppression});            // a channel without even its length
    CHECK(with(0, 1000) == std::vector{S::bad_suppression});         // longer than the event
    CHECK(with(2, 0x8000'0005) == std::vector{S::bad_suppression});  // more words than the channel has
    CHECK(with(1, 0x0000'0003) == std::vector{S::uneven_channels});  // 10 samples here, 8 there
    CHECK(with(1, 0x001F'FFFF) == std::vector{S::uneven_channels});
    Words longer = payload;
    longer.push_back(0);  // a word that belongs to nobody
    CHECK(statuses(event(3, 0, 0, longer, 1u << 24), Family::x720) == std::vector{S::bad_suppression});
}

TEST_CASE("each damage of a block is told and what follows is found again", "[readout][caen][unit]") {
    const Words good = event(1, 0, 0, {0x0001'0000});
    const Words later = event(1, 1, 100, {0x0003'0002});
    CHECK(statuses(joined({good, later}), Family::x730) == std::vector{S::ok, S::ok});
    CHECK(statuses(joined({{1, 2, 3}, good}), Family::x730) == std::vector{S::no_header, S::ok});
    CHECK(statuses(joined({good, {7}, later}), Family::x730) == std::vector{S::ok, S::no_header, S::ok});
    CHECK(statuses(joined({good, {0xFFFF'FFFF}, later, {0xFFFF'FFFF}}), Family::x730) ==
          std::vector{S::ok, S::filler, S::ok, S::filler});
    CHECK(statuses(event(0, 0, 0, {1}), Family::x730) == std::vector{S::no_channels});
    CHECK(statuses(event(3, 0, 0, {1, 2, 3}), Family::x730) == std::vector{S::uneven_channels});
    // The last one ends too early.
    Words cut = joined({good, later});
    cut.pop_back();
    CHECK(statuses(cut, Family::x730) == std::vector{S::ok, S::cut_short});
    // A size that swallows the next event: that one is found inside.
    for (const std::uint32_t size : {0xA000'0007u, 0xA0FF'FFFFu}) {
        Words damaged = joined({good, later, later});
        damaged[0] = size;
        CHECK(statuses(damaged, Family::x730) == std::vector{S::no_header, S::ok, S::ok});
    }
    Words small = joined({good, later});
    small[0] = 0xA000'0002;  // smaller than a header
    CHECK(statuses(small, Family::x730) == std::vector{S::no_header, S::ok});
}

TEST_CASE("what cannot be judged before more words come is asked for", "[readout][caen][unit]") {
    const Words one = event(1, 0, 0, {0x0001'0000});
    CHECK(caen::read_event(one, Family::x730, true).status == S::ok);
    CHECK(caen::read_event(one, Family::x730, false).status == S::cut_short);
    const Words part(one.begin(), one.begin() + 2);
    CHECK(caen::read_event(part, Family::x730, false).status == S::cut_short);
    CHECK(caen::read_event(joined({one, {one[0]}}), Family::x730, false).status == S::ok);
}

TEST_CASE("no words of any kind lead a decoder beyond its memory", "[readout][caen][unit]") {
    Dice dice{1};
    const Words good = joined({event(3, 0, 0, {1, 2, 3, 4}), event(1, 1, 8, {3, 2, 0x8000'0001, 5}, 1u << 24),
                               event(0x101, 2, 9, {0x0001'0000, 0x0003'0002})});
    for (int round = 0; round < 3000; ++round) {
        Words words = good;
        for (std::uint64_t n = dice.roll(5); n > 0; --n)
            words[dice.roll(words.size())] =
                static_cast<std::uint32_t>(dice.roll(3) == 0 ? dice.roll(16) : dice.roll(1ull << 32));
        words.resize(words.size() - dice.roll(4));
        for (const Family family : {Family::x720, Family::x721, Family::x730, Family::x751}) {
            std::size_t seen = 0;
            for (const caen::Event& one : caen::Events{words, family}) {
                seen += one.words.size();
                if (one.status != S::ok) continue;
                const caen::Layout layout = caen::lay_out(one, family);
                if (layout.status != S::ok || layout.samples > 10'000) continue;
                for (unsigned c = 0; c < layout.channels; ++c)
                    (void)channel(Words(one.words.begin(), one.words.end()), family, c);
            }
            REQUIRE(seen == words.size());  // every word is in an event or told to be skipped
        }
    }
}

// ---- files

namespace {

Bytes bytes_of(const Words& words) {
    Bytes bytes;
    for (const std::uint32_t word : words) append_u32(bytes, word);
    return bytes;
}
BoardInfo board_of(std::size_t channels) {
    BoardInfo board{.name = "v1730",
                    .source = "caen",
                    .model = "",
                    .serial = "",
                    .firmware = "",
                    .sample_type = SampleType::uint16,
                    .sample_period_ps = 2000,
                    .clock_period_ps = 8000,
                    .channels = {}};
    for (std::size_t c = 0; c < channels; ++c) board.channels.push_back({.name = "ch" + std::to_string(c)});
    return board;
}

}  // namespace

TEST_CASE("a file of event blocks becomes records, its clock goes on over its end", "[readout][caen][unit]") {
    TemporaryFolder folder;
    const Words words =
        joined({event(3, 0, 0x7FFF'FF00, {0x0001'0000, 0x0003'0002}),
                event(3, 1, 0x8000'0064, {0x0005'0004, 0x0007'0006}),  // bit 31 says that it rolled over
                event(1, 2, 0x8000'0164, {0x0009'0008}), event(3, 3, 0x8000'0264, {1, 2, 3, 4}, 1u << 26)});
    const fs::path file = write(folder, "run.bin", bytes_of(words));
    std::string why;
    CHECK(caen::is_block_file(file, why));
    CHECK(recognise(file) == InputKind::caen);
    CaenBlockSource source{{file}, board_of(2), 1, {.family = Family::x730}};
    CHECK(source.board().samples == 2);
    const std::vector<ReadRecord> records = read_all(source);
    REQUIRE(records.size() == 4);
    const std::int64_t first = 0x7FFF'FF00LL;
    CHECK(records[0].header.time_ps == first * 8000);
    CHECK(records[1].header.time_ps == (first + 0x164) * 8000);  // 0x100 ticks to the end, 0x64 after it
    CHECK(records[1].header.clock == 0x64);
    CHECK(records[2].header.time_ps == (first + 0x264) * 8000);
    CHECK(records[1].header.utc_ns - records[0].header.utc_ns == 0x164 * 8);
    CHECK(records[0].channel<std::uint16_t>(0) == Codes{0, 1});
    CHECK(records[0].channel<std::uint16_t>(1) == Codes{2, 3});
    CHECK(records[2].header.channel_mask == 1);
    CHECK(records[2].header.flags == record_flag::missing_channel);
    CHECK(records[3].header.flags == record_flag::unexpected_length);
    CHECK(records[3].header.counter == 3);
    CHECK(records[3].header.board == 1);
    CHECK(defect(source, "board_failed") == 1);
    CHECK(defect(source, "missing_channel") == 1);
    CHECK(source.fraction_done() == 1.0);
}

TEST_CASE("channels of a block file are the inputs that the station file lists", "[readout][caen][unit]") {
    TemporaryFolder folder;
    const fs::path file =
        write(folder, "run.bin", bytes_of(joined({event(0b1101, 0, 1, {10, 12, 13}), event(0b0001, 1, 2, {10})})));
    CaenBlockSource source{{file}, board_of(2), 0, {.family = Family::x730, .channels = {3, 2}}};
    const std::vector<ReadRecord> records = read_all(source);
    REQUIRE(records.size() == 1);
    CHECK(records[0].channel<std::uint16_t>(0) == Codes{13, 0});
    CHECK(records[0].channel<std::uint16_t>(1) == Codes{12, 0});
    CHECK(defect(source, "no_listed_channel") == 1);
    CHECK_THROWS_WITH((CaenBlockSource{{file}, board_of(2), 0, {.family = Family::x730, .channels = {3}}}),
                      Catch::Contains("board v1730: caen.channels lists 1 inputs for 2 channels"));
}

TEST_CASE("damage in a block file is counted, and the rest is read", "[readout][caen][error]") {
    TemporaryFolder folder;
    const Words good = event(1, 0, 0, {0x0001'0000}), next = event(1, 1, 10, {0x0001'0000});
    Bytes bytes = bytes_of(joined({good, {1, 2}, event(1, 5, 5, {0xFFFF'FFFF}), event(0, 5, 5, {1}), next}));
    bytes.push_back(7);
    CaenBlockSource source{{write(folder, "run.bin", bytes)}, board_of(1), 0, {.family = Family::x730}};
    CHECK(read_all(source).size() == 2);
    CHECK(defect(source, "no_header") == 1);
    CHECK(defect(source, "excess_bits") == 1);
    CHECK(defect(source, "no_channels") == 1);
    CHECK(defect(source, "cut_short") == 1);
    CHECK(said(source, "Pack2.5"));
    CHECK_THROWS_WITH(
        (CaenBlockSource{{write(folder, "none.bin", bytes_of({1, 2, 3}))}, board_of(1), 0, {.family = Family::x730}}),
        Catch::Contains("none.bin: no whole event of board v1730: 1 no_header"));
    CHECK_THROWS_WITH((CaenBlockSource{{folder / "run.bin"}, board_of(1), 0, {}}), Catch::Contains("[caen] family"));
    CHECK_THROWS_WITH((CaenBlockSource{{folder / "run.bin"}, board_of(1), 0, {.family = Family::x721}}),
                      Catch::Contains("this family's samples are uint8"));
}

TEST_CASE("suppressed samples are not made up", "[readout][caen][error]") {
    TemporaryFolder folder;
    const fs::path file =
        write(folder, "run.bin", bytes_of(event(1, 0, 0, {4, 0x8000'0001, 0x0002'0001, 1}, 1u << 24)));
    CHECK_THROWS_WITH((CaenBlockSource{{file}, board_of(1), 0, {.family = Family::x724}}),
                      Catch::Contains("[caen] suppressed_code"));
    CaenBlockSource source{{file}, board_of(1), 0, {.family = Family::x724, .suppressed_code = 8000}};
    CHECK(read_all(source).at(0).channel<std::uint16_t>(0) == Codes{1, 2, 8000, 8000});
}

TEST_CASE("48-bit tags are read where the station file says so", "[readout][caen][unit]") {
    TemporaryFolder folder;
    const fs::path file = write(folder, "run.bin", bytes_of(event(1, 0, 0x8000'0001, {1}, 0x0002u << 8)));
    CaenBlockSource source{{file}, board_of(1), 0, {.family = Family::x730, .extended_time_tag = true}};
    const std::vector<ReadRecord> records = read_all(source);
    CHECK(records.at(0).header.clock == 0x0002'8000'0001u);
    CHECK(records.at(0).header.time_ps == 0x0002'8000'0001LL * 8000);
}

TEST_CASE("a block file larger than the window is read whole", "[readout][caen][unit]") {
    TemporaryFolder folder;
    Words words;
    for (std::uint32_t i = 0; i < 100; ++i) {
        Words payload(10'000, i << 16 | i);
        const Words one = event(1, i, i, payload);
        words.insert(words.end(), one.begin(), one.end());
    }
    CaenBlockSource source{{write(folder, "run.bin", bytes_of(words))}, board_of(1), 0, {.family = Family::x730}};
    const std::vector<ReadRecord> records = read_all(source);
    REQUIRE(records.size() == 100);
    for (std::uint16_t i = 0; i < 100; ++i) REQUIRE(records[i].channel<std::uint16_t>(0) == Codes(20'000, i));
    CHECK(source.defects().empty());
}
