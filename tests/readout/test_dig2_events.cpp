// Bytes written by hand from the board's manual (CAEN UM11792, "Supported Endpoints").

#include <array>
#include <catch2/catch.hpp>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "readout/dig2_events.hpp"

using namespace alleycat;
using dig2::Damage;
using dig2::Event;
using dig2::Events;

namespace {

/// The words as they come: the highest byte first.
std::vector<std::byte> bytes_of(const std::vector<std::uint64_t>& words) {
    std::vector<std::byte> bytes;
    for (const std::uint64_t word : words) {
        for (int shift = 56; shift >= 0; shift -= 8) bytes.push_back(static_cast<std::byte>(word >> shift & 0xff));
    }
    return bytes;
}

const std::vector<std::uint64_t> kStart{
    0x3000000300000004,  // special event, start; 3 words follow; 4 words
    0x0200000012000008,  // decimation 2^2 (bits 30..27), one trace (26..25), width 8
    0x0100000000000021,  // inputs 0 and 5 enabled
    0x0100000080000000,  // input 63 enabled
};
// Inputs 1 and 4, eight samples of each: quartets 1a 4a 1b 4b, the first sample in the lowest 16 bits.
const std::vector<std::uint64_t> kData{
    0x1100000700000007,  // scope data, board failed (bit 56), trigger 7; 7 words
    0xFFFF800000000001,  // flags 1fff (bits 63..51), overlap 7 (50..48), clock 800000000001
    0x0000000000000012,  // inputs 1 and 4
    0x0004000300020001,  // input 1: 1 2 3 4
    0x1004100310021001,  // input 4: 1001 1002 1003 1004
    0x0008000700060005,  // input 1: 5 6 7 8
    0x1008100710061005,  // input 4: 1005 1006 1007 1008
};
const std::vector<std::uint64_t> kStop{
    0x3200000200000003,  // special event, stop; 2 words follow; 3 words
    0x0000123456789ABC,  // real time
    0x0100000000000FED,  // dead time
};

std::vector<Event> all_of(const std::vector<std::byte>& bytes) {
    std::vector<Event> events;
    for (const Event& event : Events{bytes}) events.push_back(event);
    return events;
}

Damage damage_of(std::vector<std::uint64_t> words) { return dig2::decode_event(bytes_of(words)).damage; }

}  // namespace

TEST_CASE("a run of a 27xx is a start, triggers and a stop", "[readout][dig2]") {
    std::vector<std::uint64_t> words = kStart;
    words.insert(words.end(), kData.begin(), kData.end());
    words.insert(words.end(), kStop.begin(), kStop.end());
    const std::vector<std::byte> bytes = bytes_of(words);
    const std::vector<Event> events = all_of(bytes);
    REQUIRE(events.size() == 3);

    REQUIRE(events[0].kind == Event::Kind::start);
    REQUIRE(events[0].damage == Damage::none);
    REQUIRE(events[0].width == 8);
    REQUIRE(events[0].log2_decimation == 2);
    REQUIRE(events[0].channel_mask == 0x8000000000000021);

    const Event& data = events[1];
    REQUIRE(data.kind == Event::Kind::data);
    REQUIRE(data.damage == Damage::none);
    REQUIRE(data.board_fail);
    REQUIRE(data.trigger_id == 7);
    REQUIRE(data.flags == 0x1fff);
    REQUIRE(data.overlap == 7);
    REQUIRE(data.clock == 0x800000000001);
    REQUIRE(data.channel_mask == 0x12);
    REQUIRE(data.samples_per_channel == 8);

    REQUIRE(events[2].kind == Event::Kind::stop);
    REQUIRE(events[2].real_time == 0x123456789ABC);
    REQUIRE(events[2].dead_time == 0xFED);
}

TEST_CASE("samples of a 27xx alternate over the inputs in fours", "[readout][dig2]") {
    const std::vector<std::byte> bytes = bytes_of(kData);
    const Event event = dig2::decode_event(bytes);
    std::vector<std::uint16_t> first(8), second(8);
    dig2::copy_samples(event, std::array{first.data(), second.data()});
    REQUIRE(first == std::vector<std::uint16_t>{1, 2, 3, 4, 5, 6, 7, 8});
    REQUIRE(second == std::vector<std::uint16_t>{0x1001, 0x1002, 0x1003, 0x1004, 0x1005, 0x1006, 0x1007, 0x1008});

    std::vector<std::uint16_t> only(8);
    dig2::copy_samples(event, std::array<std::uint16_t*, 2>{nullptr, only.data()});
    REQUIRE(only == second);
}

TEST_CASE("each damage of a 27xx event has its name", "[readout][dig2]") {
    REQUIRE(damage_of({0x1000000000000000}) == Damage::no_length);
    REQUIRE(damage_of({0x1000000000000004, 0, 1}) == Damage::cut_short);
    REQUIRE(damage_of({0x2000000000000001}) == Damage::unknown_format);
    REQUIRE(damage_of({0x1000000000000002, 0}) == Damage::short_header);
    REQUIRE(damage_of({0x1000000000000003, 0, 0}) == Damage::no_channel);
    REQUIRE(damage_of({0x1000000000000004, 0, 3, 0}) == Damage::uneven);  // one word for two inputs
    REQUIRE(damage_of({0x3000000300000003, 0, 0}) == Damage::wrong_start);
    REQUIRE(damage_of({0x3200000200000002, 0}) == Damage::wrong_stop);
    const std::vector<std::byte> torn(7);
    REQUIRE(dig2::decode_event(torn).damage == Damage::torn_word);
    REQUIRE(damage_of({0x3100000000000001}) == Damage::none);  // a special event of another kind is none of ours
    REQUIRE(dig2::decode_event(bytes_of({0x3100000000000001})).kind == Event::Kind::other);
}

TEST_CASE("a damaged event whose length is known costs no other one", "[readout][dig2]") {
    std::vector<std::uint64_t> words{0x1000000000000004, 0, 3, 0};  // uneven
    words.insert(words.end(), kStop.begin(), kStop.end());
    const std::vector<std::byte> bytes = bytes_of(words);
    const std::vector<Event> events = all_of(bytes);
    REQUIRE(events.size() == 2);
    REQUIRE(events[0].damage == Damage::uneven);
    REQUIRE(events[1].kind == Event::Kind::stop);
}

TEST_CASE("a block of a 27xx ends where no length can be believed", "[readout][dig2]") {
    std::vector<std::uint64_t> words = kStop;
    words.insert(words.end(), {0x1000000000000000, 0x3200000200000003, 0, 0});
    REQUIRE(all_of(bytes_of(words)).size() == 2);
    std::vector<std::byte> bytes = bytes_of(kStop);
    bytes.resize(bytes.size() + 3);
    REQUIRE(all_of(bytes).size() == 2);
    REQUIRE(all_of(bytes)[1].damage == Damage::torn_word);
    REQUIRE(all_of({}).empty());
}

TEST_CASE("whatever bytes a 27xx sends, its events lie within them", "[readout][dig2]") {
    std::mt19937_64 random{1};
    for (int round = 0; round < 20'000; ++round) {
        std::vector<std::uint64_t> words = kData;
        words.insert(words.end(), kStop.begin(), kStop.end());
        std::vector<std::byte> bytes = bytes_of(words);
        for (int change = 0; change < 3; ++change) bytes[random() % bytes.size()] = static_cast<std::byte>(random());
        bytes.resize(random() % (bytes.size() + 1));
        std::size_t total = 0;
        for (const Event& event : Events{bytes}) {
            total += dig2::ends_the_block(event.damage) ? 0 : event.words * dig2::kWordBytes;
            if (event.kind != Event::Kind::data || event.damage != Damage::none) continue;
            std::vector<std::vector<std::uint16_t>> samples;
            std::vector<std::uint16_t*> to;
            for (std::uint64_t left = event.channel_mask; left != 0; left &= left - 1) {
                samples.emplace_back(event.samples_per_channel);
            }
            for (auto& channel : samples) to.push_back(channel.data());
            dig2::copy_samples(event, to);
        }
        REQUIRE(total <= bytes.size());
    }
}
