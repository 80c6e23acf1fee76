#include <catch2/catch.hpp>
#include <numeric>

#include "readout/sis3316_events.hpp"
#include "tests/readout/read_all.hpp"

using namespace alleycat;
using namespace alleycat::sis3316;
using namespace alleycat::testing;

namespace {

using Words = std::vector<std::uint32_t>;

/// Channel 5, no sums, four raw samples.
Words plain_event(std::uint32_t time, std::uint32_t first_sample = 100) {
    return {0x0000'0050, time, 0xE000'0002, first_sample | 101u << 16, 102u | 103u << 16};
}
Words joined(const std::vector<Words>& parts) {
    Words all;
    for (const Words& part : parts) all.insert(all.end(), part.begin(), part.end());
    return all;
}
std::vector<EventDamage> damages(const Words& words, const EventLayout& layout = {}) {
    std::vector<EventDamage> all;
    for (const DecodedEvent& one : Events{words, layout}) all.push_back(one.damage);
    return all;
}
std::vector<std::uint64_t> whole_events(const Words& words, const EventLayout& layout = {}) {
    std::vector<std::uint64_t> stamps;
    for (const DecodedEvent& one : Events{words, layout}) {
        if (one.damage == EventDamage::none) stamps.push_back(one.event.timestamp);
    }
    return stamps;
}
std::size_t words_accounted_for(const Words& words) {
    std::size_t sum = 0;
    for (const DecodedEvent& one : Events{words}) sum += one.words.size();
    return sum;
}
Words real_words(const std::string& name) {
    const fs::path path = real_file("sis3316/" + name);
    if (path.empty()) return {};
    const Bytes bytes = read_file(path);
    Words words(bytes.size() / 4);
    std::memcpy(words.data(), bytes.data(), words.size() * 4);
    return words;
}
using enum EventDamage;

}  // namespace

TEST_CASE("the pulser's events have the stamps and traces their README lists", "[readout][real]") {
    struct Case {
        const char* name;
        std::uint16_t channel;
        std::size_t averaged_words;
        std::uint16_t first_sample;
        bool status;
    };
    for (const Case& file :
         {Case{"pulser_ch0.bin", 0, 5000, 31320, true}, Case{"pulser_ch4.bin", 4, 250, 31648, false}}) {
        const Words words = real_words(file.name);
        if (words.empty()) return;
        std::vector<std::uint64_t> stamps;
        for (const DecodedEvent& one : Events{words}) {
            REQUIRE(one.damage == none);
            REQUIRE(one.event.channel_id == file.channel);
            REQUIRE(one.event.format == 3);
            REQUIRE(one.event.gate_sums.size() == 8);
            REQUIRE(one.event.raw.size() == 1000);  // 2000 samples
            REQUIRE(one.event.averaged.size() == file.averaged_words);
            REQUIRE(one.event.maw.empty());
            REQUIRE(one.event.status == file.status);
            for (const std::uint32_t pair : one.event.raw) REQUIRE((pair & 0x0003'0003) == 0);  // 14 bit, shifted by 2
            stamps.push_back(one.event.timestamp);
            if (stamps.size() == 1) REQUIRE((one.event.raw[0] & 0xFFFF) == file.first_sample);
        }
        REQUIRE(stamps.size() == 10);
        REQUIRE(stamps[0] == 757530);
        REQUIRE(stamps[1] == 2007516);
        REQUIRE(stamps[2] == 3257503);
    }
}

TEST_CASE("every group of words that the format bits announce stands where it should", "[readout][unit]") {
    // Channel 0xABC, all four groups, a moving average of 2 words; stamp 0x1234'89ABCDEF.
    const Words words{0x1234'ABCF, 0x89AB'CDEF, 0x0007'0123, 1,  2,  3,  4,           5,           6,  7,
                      8,           21,          22,          23, 31, 32, 0xEC00'0001, 0x0002'0001, 91, 92};
    const DecodedEvent one = decode_event(words, {.maw_words = 2});
    REQUIRE(one.damage == none);
    REQUIRE(one.words.size() == words.size());
    CHECK(one.event.timestamp == 0x1234'89AB'CDEF);
    CHECK(one.event.channel_id == 0xABC);
    CHECK(one.event.format == 0xF);
    CHECK(one.event.peak_index == 7);
    CHECK(one.event.peak_code == 0x123);
    CHECK(std::accumulate(one.event.gate_sums.begin(), one.event.gate_sums.end(), 0u) == 36);
    CHECK(one.event.status);
    REQUIRE(one.event.raw.size() == 1);
    CHECK(one.event.raw[0] == 0x0002'0001);
    REQUIRE(one.event.maw.size() == 2);
    CHECK(one.event.maw[1] == 92);
}

TEST_CASE("each damage has its name, and the events around it are whole", "[readout][error]") {
    const Words first = plain_event(1), last = plain_event(3);
    Words middle = plain_event(2);
    SECTION("another word where the number of samples must stand") {
        middle[2] = 0x1000'0002;
        CHECK(damages(joined({first, middle, last})) == std::vector{none, no_sample_header, none});
    }
    SECTION("longer than a bank") {
        middle[2] = 0xE3FF'FFFF;
        CHECK(damages(joined({first, middle, last})) == std::vector{none, too_long, none});
    }
    SECTION("longer than what is there") {
        middle[2] = 0xE000'1000;
        CHECK(damages(joined({first, middle, last})) == std::vector{none, cut_short, none});
    }
    SECTION("an averaged trace without a header of its own") {
        middle[2] = 0xA000'0002;
        CHECK(damages(joined({first, middle, last})) == std::vector{none, no_averaged_header, none});
    }
    SECTION("a channel that is not this one") {
        middle[0] = 0x0000'0060;
        CHECK(damages(joined({first, middle, last})) == std::vector{none, other_channel, none});
    }
    SECTION("a moving average of unknown length") {
        middle[2] = 0xE800'0002;
        CHECK(damages(joined({first, middle, last})) == std::vector{none, unknown_maw_length, none});
    }
    SECTION("a word too few") {
        middle.pop_back();
        // The next event's first word became a sample: where the last one begins is found by its own words.
        CHECK(whole_events(joined({first, middle, last, plain_event(4)})) == std::vector<std::uint64_t>{1, 2, 4});
    }
    CHECK(words_accounted_for(joined({first, middle, last})) == first.size() + middle.size() + last.size());
}

TEST_CASE("the last event cut short costs only itself", "[readout][error]") {
    const Words whole = joined({plain_event(1), plain_event(2)});
    for (std::size_t cut = 1; cut < 5; ++cut) {
        const Words words{whole.begin(), whole.end() - static_cast<std::ptrdiff_t>(cut)};
        CHECK(damages(words) == std::vector{none, cut_short});
        CHECK(words_accounted_for(words) == words.size());
    }
}

TEST_CASE("no words at all are no event", "[readout][unit]") { CHECK(damages({}).empty()); }

TEST_CASE("whatever happened to the words, each belongs to one event", "[readout][error]") {
    const fs::path path = real_file("sis3316/pulser_ch4.bin");
    if (path.empty()) return;
    const Bytes bytes = read_file(path);
    for (std::uint64_t seed = 0; seed < 500; ++seed) {
        Dice dice{seed};
        const Bytes torn = damaged(bytes, dice);
        Words words(torn.size() / 4);
        if (words.empty()) continue;
        std::memcpy(words.data(), torn.data(), words.size() * 4);
        std::size_t sum = 0;
        for (const DecodedEvent& one : Events{words}) {
            REQUIRE_FALSE(one.words.empty());
            sum += one.words.size();
        }
        REQUIRE(sum == words.size());
    }
}
