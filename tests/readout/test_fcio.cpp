#include <catch2/catch.hpp>

#include <cstring>
#include <numeric>

#include "readout/fcio_file.hpp"
#include "readout/input.hpp"
#include "tests/readout/fcio_bytes.hpp"

using namespace alleycat;
using namespace alleycat::testing;
using fcio::Item;
using Codes = std::vector<std::uint16_t>;

namespace {

BoardInfo board_of(std::size_t channels) {
    BoardInfo board{.name = "flashcam",
                    .source = "fcio",
                    .model = "",
                    .serial = "",
                    .firmware = "",
                    .sample_type = SampleType::uint16,
                    .sample_period_ps = 16000,
                    .clock_period_ps = 4000,
                    .channels = {}};
    for (std::size_t c = 0; c < channels; ++c) board.channels.push_back({.name = "ge" + std::to_string(c)});
    return board;
}

void feed(fcio::Decoder& decoder, std::span<const std::uint8_t> bytes) {
    const std::span<std::byte> space = decoder.space(bytes.size());
    if (!bytes.empty()) std::memcpy(space.data(), bytes.data(), bytes.size());
    decoder.add(bytes.size());
}
/// All that is found when the bytes come `step` at a time.
std::vector<Item> items(const Bytes& bytes, std::size_t step = 1'000'000) {
    fcio::Decoder decoder;
    std::vector<Item> found;
    for (std::size_t at = 0; at < bytes.size(); at += step) {
        feed(decoder, std::span{bytes}.subspan(at, std::min(step, bytes.size() - at)));
        for (Item item = decoder.next(); item != Item::need_more; item = decoder.next()) {
            found.push_back(item);
            if (item == Item::lost) return found;
        }
    }
    if (const Item item = decoder.finish(); item != Item::need_more) found.push_back(item);
    return found;
}
Codes codes_of(std::span<const std::byte> bytes) {
    Codes codes(bytes.size() / 2);
    if (!codes.empty()) std::memcpy(codes.data(), bytes.data(), bytes.size());
    return codes;
}

}  // namespace

TEST_CASE("an FCIO stream is taken apart into its messages", "[readout][fcio][unit]") {
    const Bytes stream =
        fcio_stream({fcio_start(), fcio_config(2, 1, 3), fcio_status(7, {30'500, 41'000}),
                     fcio_event({5, 1, 100}, {{8000, 8001, 1, 2, 3}, {0, 0, 4, 5, 6}, {0, 0, 7, 8, 9}}),
                     fcio_sparse({6, 2, 50}, {2}, {{0, 0, 10, 11, 12}})});
    fcio::Decoder decoder;
    feed(decoder, stream);
    REQUIRE(decoder.next() == Item::start);
    CHECK(decoder.protocol() == "FlashCamV1");
    REQUIRE(decoder.next() == Item::config);
    CHECK(decoder.config() == fcio::Config{.adcs = 2,
                                           .triggers = 1,
                                           .samples = 3,
                                           .adc_bits = 16,
                                           .master_cards = 1,
                                           .trigger_cards = 0,
                                           .adc_cards = 2,
                                           .gps = 0});
    REQUIRE(decoder.next() == Item::status);
    REQUIRE(decoder.status().cards.size() == 1);
    CHECK(decoder.status().cards[0].errors == 7);
    CHECK(decoder.status().cards[0].readings == 2);
    CHECK(decoder.status().cards[0].environment[1] == 41'000);
    REQUIRE(decoder.next() == Item::event);
    CHECK(decoder.event().number == 5);
    CHECK(decoder.event().pps == 1);
    CHECK(decoder.event().ticks == 100);
    CHECK(decoder.event().max_ticks == 249'999'999);
    CHECK(decoder.event().utc_offset_s == 1'537'868'606);
    CHECK_FALSE(decoder.event().sparse);
    CHECK(codes_of(decoder.trace(0)) == Codes{1, 2, 3});
    CHECK(codes_of(decoder.trace(2)) == Codes{7, 8, 9});
    CHECK(decoder.trace(3).empty());
    REQUIRE(decoder.next() == Item::event);
    CHECK(decoder.event().sparse);
    CHECK(decoder.event().number == 6);
    CHECK(decoder.trace(0).empty());
    CHECK(codes_of(decoder.trace(2)) == Codes{10, 11, 12});
    CHECK(decoder.next() == Item::need_more);
    CHECK(decoder.left_over() == 0);
    // However the bytes arrive.
    const std::vector<Item> all{Item::start, Item::config, Item::status, Item::event, Item::event};
    for (const std::size_t step : {1, 2, 3, 7, 64, 1000}) CHECK(items(stream, step) == all);
}

TEST_CASE("what is wrong in an FCIO stream is told, and what follows is read", "[readout][fcio][unit]") {
    const Bytes head = fcio_stream({fcio_start(), fcio_config(1, 0, 2)});
    const Bytes event = fcio_event({}, {{0, 0, 1, 2}});
    const auto after_head = [&](const std::vector<Bytes>& messages) {
        std::vector<Bytes> all{head};
        all.insert(all.end(), messages.begin(), messages.end());
        std::vector<Item> found = items(fcio_stream(all), 13);
        REQUIRE(found.size() >= 2);
        found.erase(found.begin(), found.begin() + 2);
        return found;
    };
    const Bytes unknown = fcio_message(99, {fcio_numbers({1, 2, 3}), fcio_frame(Bytes(5000, 1))});
    CHECK(after_head({unknown, event}) == std::vector{Item::unknown_tag, Item::event});
    const Bytes without_dead_region(event.begin(), event.end() - 4 - 28);
    CHECK(after_head({without_dead_region, event}) == std::vector{Item::event, Item::event});
    CHECK(after_head({without_dead_region}) == std::vector{Item::event});
    const Bytes without_traces(event.begin(), event.end() - 4 - 28 - 4 - 8);
    CHECK(after_head({without_traces, event}) == std::vector{Item::short_message, Item::event});
    const Bytes long_trace = fcio_event({}, {{0, 0, 1, 2, 3}});
    CHECK(after_head({long_trace, event}) == std::vector{Item::bad_frame, Item::event});
    CHECK(after_head({fcio_sparse({}, {1}, {{0, 0, 1, 2}}), event}) == std::vector{Item::bad_frame, Item::event});
    CHECK(after_head({fcio_sparse({}, {0, 0}, {{0, 0, 1, 2}}), event}) == std::vector{Item::bad_frame, Item::event});
    CHECK(after_head({fcio_config(3000, 0, 2), event}) == std::vector{Item::bad_config, Item::event_before_config});
    CHECK(after_head({fcio_config(1, 0, 3), fcio_event({}, {{0, 0, 1, 2, 3}})}) ==
          std::vector{Item::config, Item::event});
    // Files laid end to end.
    CHECK(after_head({event, head, event}) == std::vector{Item::event, Item::start, Item::config, Item::event});
    Bytes huge;
    append_i32(huge, 0x7FFF'FFFF);
    CHECK(after_head({event, huge, event}) == std::vector{Item::event, Item::lost});
    Bytes no_tag;
    append_i32(no_tag, -2'000'000'000);
    CHECK(after_head({event, no_tag, event}) == std::vector{Item::event, Item::lost});
    CHECK(items(event) == std::vector{Item::lost});
    CHECK(items(fcio_start("Ethernet")) == std::vector{Item::lost});
}

TEST_CASE("the real FCIO stream reads to its published facts", "[readout][fcio][real]") {
    const fs::path file = real_file("fcio/th228.fcio");
    if (file.empty()) return;
    CHECK(recognise(file) == InputKind::fcio);
    FcioFileSource source{{file}, board_of(1), 0, {}};
    CHECK(source.board().samples == 1836);
    CHECK(source.board().firmware == "FlashCamV1");
    const std::vector<ReadRecord> records = read_all(source);
    REQUIRE(records.size() == 1000);
    CHECK(records[0].header.clock == 149'007'095);
    CHECK(records[1].header.clock == 149'198'891);
    CHECK(records[2].header.clock == 149'221'123);
    CHECK(records[0].header.time_ps == 149'007'095LL * 4000);
    CHECK(records.back().header.counter == 999);
    CHECK(records.back().header.time_ps == 1'000'000'000'000 + 123'940'955LL * 4000);
    CHECK(records[0].header.utc_ns == 1'537'868'606'220'822'000 + 149'007'095LL * 4);
    const Codes first = records[0].channel<std::uint16_t>(0);
    CHECK(Codes(first.begin(), first.begin() + 4) == Codes{8148, 8154, 8146, 8131});
    for (std::size_t i = 0; i < records.size(); ++i) {
        REQUIRE(records[i].header.counter == i);
        REQUIRE(records[i].header.flags == 0);
        REQUIRE(records[i].header.samples_per_channel == 1836);
    }
    CHECK(source.defects().empty());
    CHECK(source.fraction_done() == 1.0);
}

TEST_CASE("times of FCIO events count the board's own ticks per second", "[readout][fcio][unit]") {
    TemporaryFolder folder;
    const Bytes head = fcio_stream({fcio_start(), fcio_config(1, 0, 2)});
    const Codes trace{0, 0, 1, 2};
    const fs::path file =
        write(folder, "run.fcio",
              fcio_stream({head, fcio_event({0, 10, 125'000'000}, {trace}),
                           fcio_event({1, 11, 125'000'000, 250'000'999}, {trace}),
                           fcio_event({2, 11, 125'000'000, 7}, {trace}), fcio_event({2, 11, 125'000'000, 7}, {trace}),
                           fcio_event({4, 10, 0}, {trace}), fcio_event({3, 12, 260'000'000}, {trace}),
                           fcio_event({5, -1, 0}, {trace})}));
    FcioFileSource source{{file}, board_of(1), 0, {}};
    const std::vector<ReadRecord> records = read_all(source);
    REQUIRE(records.size() == 7);
    CHECK(records[0].header.time_ps == 10'500'000'000'000);
    // 250,001,000 ticks made the second: half of its nominal number is 2 us less than half of it.
    CHECK(records[1].header.time_ps == 11'499'998'000'007);
    CHECK(records[2].header.time_ps == 11'500'000'000'000);  // a count that cannot be: the nominal one
    CHECK(records[3].header.flags == record_flag::duplicate);
    CHECK(records[4].header.flags == record_flag::clock_backwards);
    CHECK(records[5].header.time_ps == 13'040'000'000'000);
    CHECK(records[6].header.flags == record_flag::bad_time);
    CHECK(defect(source, "missed_pps") == 1);
    CHECK(defect(source, "number_gap") == 2);  // 4 after 2, 5 after 3
    CHECK(defect(source, "counter_backwards") == 1);
}

TEST_CASE("a clock that counts from a date begins with the run", "[readout][fcio][unit]") {
    TemporaryFolder folder;
    const Bytes head = fcio_stream({fcio_start(), fcio_config(1, 0, 1)});
    const fs::path file = write(folder, "run.fcio",
                                fcio_stream({head, fcio_event({0, 1'537'868'606, 250}, {{0, 0, 1}}),
                                             fcio_event({1, 1'537'868'607, 500}, {{0, 0, 1}})}));
    FcioFileSource source{{file}, board_of(1), 0, {}};
    const std::vector<ReadRecord> records = read_all(source);
    REQUIRE(records.size() == 2);
    CHECK(records[0].header.time_ps == 1'000'000);
    CHECK(records[1].header.time_ps == 1'000'002'000'000);
}

TEST_CASE("channels are traces of the stream that the station file lists", "[readout][fcio][unit]") {
    TemporaryFolder folder;
    const fs::path file = write(
        folder, "run.fcio",
        fcio_stream({fcio_start(), fcio_config(2, 1, 1), fcio_event({0, 0, 1}, {{0, 0, 10}, {0, 0, 11}, {0, 0, 12}}),
                     fcio_sparse({1, 0, 2}, {2}, {{0, 0, 22}}), fcio_sparse({2, 0, 3}, {1}, {{0, 0, 31}})}));
    FcioFileSource source{{file}, board_of(2), 0, {2, 0}};
    const std::vector<ReadRecord> records = read_all(source);
    REQUIRE(records.size() == 2);
    CHECK(records[0].channel<std::uint16_t>(0) == Codes{12});
    CHECK(records[0].channel<std::uint16_t>(1) == Codes{10});
    CHECK(records[1].header.channel_mask == 1);
    CHECK(records[1].header.flags == record_flag::missing_channel);
    CHECK(defect(source, "no_listed_channel") == 1);
    CHECK_THROWS_WITH((FcioFileSource{{file}, board_of(1), 0, {3}}),
                      Catch::Contains("board flashcam: the stream has 3 traces, channel ge0 is to be number 3"));
}

TEST_CASE("a cut FCIO file is read up to its cut", "[readout][fcio][error]") {
    TemporaryFolder folder;
    Bytes bytes = fcio_stream(
        {fcio_start(), fcio_config(1, 0, 1), fcio_event({0, 0, 1}, {{0, 0, 1}}), fcio_event({1, 0, 2}, {{0, 0, 1}})});
    bytes.resize(bytes.size() - 30);
    FcioFileSource source{{write(folder, "cut.fcio", bytes)}, board_of(1), 0, {}};
    CHECK(read_all(source).size() == 1);
    CHECK(defect(source, "truncated_record") == 1);
    CHECK(said(source, "cut.fcio: cut short after 1 whole events"));
    bytes.resize(100);
    CHECK_THROWS_WITH((FcioFileSource{{write(folder, "head.fcio", bytes)}, board_of(1), 0, {}}),
                      Catch::Contains("head.fcio: no whole event of board flashcam: 1 truncated_record"));
}

TEST_CASE("no damage makes the FCIO reader crash or wait", "[readout][fcio][error]") {
    TemporaryFolder folder;
    const Bytes good = fcio_stream({fcio_start(), fcio_config(2, 0, 3), fcio_status(0, {1}),
                                    fcio_event({0, 0, 1}, {{0, 0, 1, 2, 3}, {0, 0, 1, 2, 3}}),
                                    fcio_sparse({1, 0, 2}, {1}, {{0, 0, 4, 5, 6}})});
    Dice dice{5};
    for (int round = 0; round < 500; ++round) {
        const fs::path file = write(folder, "run.fcio", damaged(good, dice));
        try {
            FcioFileSource source{{file}, board_of(1), 0, {}};
            CHECK(read_all(source).size() < 20);
        } catch (const Error&) {
        }
    }
}
