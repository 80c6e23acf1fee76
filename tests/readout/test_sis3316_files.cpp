#include <catch2/catch.hpp>

#include "daq/core/error.hpp"
#include "readout/input.hpp"
#include "tests/readout/read_all.hpp"

using namespace alleycat;
using namespace alleycat::testing;

namespace {

BoardInfo struck_board(std::size_t channels, std::uint32_t samples = 2000) {
    BoardInfo board{.name = "struck",
                    .source = "sis3316",
                    .model = "",
                    .serial = "",
                    .firmware = "",
                    .sample_type = SampleType::uint16,
                    .sample_period_ps = 4000,
                    .samples = samples,
                    .clock_period_ps = 4000,
                    .channels = {}};
    for (std::size_t i = 0; i < channels; ++i) board.channels.push_back({"ch" + std::to_string(i), false, "plain"});
    return board;
}

struct Pulser {
    fs::path ch0 = real_file("sis3316/pulser_ch0.bin"), ch4 = real_file("sis3316/pulser_ch4.bin");
    [[nodiscard]] bool absent() const { return ch0.empty() || ch4.empty(); }
};

/// An event of four samples: time, samples that begin with `first`.
Bytes event_bytes(std::uint64_t time, std::uint16_t first, std::uint32_t maw_words = 0) {
    Bytes bytes;
    append_u32(bytes, static_cast<std::uint32_t>(time >> 32) << 16 | 0x30);
    append_u32(bytes, static_cast<std::uint32_t>(time));
    append_u32(bytes, 0xE000'0002u | (maw_words != 0 ? 1u << 27 : 0));
    append_u32(bytes, first | (first + 1u) << 16);
    append_u32(bytes, (first + 2u) | (first + 3u) << 16);
    for (std::uint32_t i = 0; i < maw_words; ++i) append_u32(bytes, 0x700 + i);
    return bytes;
}
Bytes joined(const std::vector<Bytes>& parts) {
    Bytes all;
    for (const Bytes& part : parts) append(all, part);
    return all;
}

}  // namespace

TEST_CASE("the pulser's two channels are joined by their time stamps, samples as a second decoder has them",
          "[readout][real]") {
    const Pulser pulser;
    if (pulser.absent()) return;
    REQUIRE(recognise(pulser.ch0) == InputKind::sis3316);
    REQUIRE(recognise(pulser.ch4) == InputKind::sis3316);
    const std::unique_ptr<RecordSource> source = open_recorded({pulser.ch0, pulser.ch4}, struck_board(2, 0), 3, {});
    CHECK(source->board().samples == 2000);
    const std::vector<ReadRecord> records = read_all(*source);
    REQUIRE(records.size() == 10);
    CHECK(source->defects().empty());
    CHECK(source->remarks().empty());
    CHECK(source->fraction_done() == Approx(1.0));

    const Bytes expected = second_decoder("sis3316 '" + pulser.ch0.string() + "' '" + pulser.ch4.string() + "'");
    constexpr std::size_t kTrigger = 12 + 2 * 4000;
    REQUIRE(expected.size() == 10 * kTrigger);
    for (std::size_t i = 0; i < 10; ++i) {
        const RecordHeader& header = records[i].header;
        const std::uint8_t* const at = expected.data() + i * kTrigger;
        std::uint64_t stamp = 0;
        std::memcpy(&stamp, at, 8);
        REQUIRE(header.clock == stamp);
        REQUIRE(header.time_ps == static_cast<std::int64_t>(stamp) * 4000);
        REQUIRE(header.counter == i);
        REQUIRE(header.board == 3);
        REQUIRE(header.channel_mask == 3);
        REQUIRE(header.samples_per_channel == 2000);
        REQUIRE(header.flags == 0);
        REQUIRE(records[i].payload.size() == 8000);
        REQUIRE(std::memcmp(records[i].payload.data(), at + 12, 8000) == 0);
    }
}

TEST_CASE("the averaged trace is read where it is asked for", "[readout][real]") {
    const Pulser pulser;
    if (pulser.absent()) return;
    const std::unique_ptr<RecordSource> source =
        open_recorded({pulser.ch4}, struck_board(1, 0), 0,
                      {.labview = {}, .wavedump = {}, .sis3316 = {.trace = sis3316::Trace::averaged}});
    const std::vector<ReadRecord> records = read_all(*source);
    REQUIRE(records.size() == 10);
    CHECK(records[0].header.samples_per_channel == 500);
}

TEST_CASE("channels of different lengths: the first one's counts", "[readout][error]") {
    const Pulser pulser;
    if (pulser.absent()) return;
    const std::unique_ptr<RecordSource> source =
        open_recorded({pulser.ch4, pulser.ch0}, struck_board(2, 500), 0,
                      {.labview = {}, .wavedump = {}, .sis3316 = {.trace = sis3316::Trace::averaged}});
    const std::vector<ReadRecord> records = read_all(*source);
    REQUIRE(records.size() == 10);
    for (const ReadRecord& record : records) {
        REQUIRE(record.header.channel_mask == 1);
        REQUIRE(record.header.flags == record_flag::missing_channel);
    }
    CHECK(defect(*source, "unequal_length") == 10);
}

TEST_CASE("a time stamp that rolls over, a trigger that one channel missed and a torn end", "[readout][error]") {
    constexpr std::uint64_t kEnd = std::uint64_t{1} << 48;
    TemporaryFolder folder;
    const fs::path first =
        write(folder, "a.bin", joined({event_bytes(kEnd - 10, 1), event_bytes(kEnd - 5, 11), event_bytes(7, 21)}));
    Bytes torn = joined({event_bytes(kEnd - 10, 101), event_bytes(7, 121), event_bytes(9, 131)});
    torn.resize(torn.size() - 6);
    const fs::path second = write(folder, "b.bin", torn);
    const std::unique_ptr<RecordSource> source = open_recorded({first, second}, struck_board(2, 4), 0, {});
    const std::vector<ReadRecord> records = read_all(*source);
    REQUIRE(records.size() == 3);
    CHECK(records[0].header.channel_mask == 3);
    CHECK(records[0].channel<std::uint16_t>(1) == std::vector<std::uint16_t>{101, 102, 103, 104});
    CHECK(records[1].header.channel_mask == 1);
    CHECK(records[1].header.flags == record_flag::missing_channel);
    CHECK(records[2].header.clock == 7);
    CHECK(records[2].header.time_ps - records[1].header.time_ps == 12 * 4000);
    CHECK(records[2].header.flags == 0);
    CHECK(records[2].channel<std::uint16_t>(0) == std::vector<std::uint16_t>{21, 22, 23, 24});
    CHECK(records[2].channel<std::uint16_t>(1) == std::vector<std::uint16_t>{121, 122, 123, 124});
    CHECK(defect(*source, "missing_channel") == 1);
    CHECK(defect(*source, "truncated_record") == 1);
    CHECK(said(*source, "b.bin: last event cut short after 2 whole ones"));
}

TEST_CASE("the length of a moving average is found from where the second event begins", "[readout][unit]") {
    TemporaryFolder folder;
    const fs::path file =
        write(folder, "maw.bin", joined({event_bytes(1, 1, 6), event_bytes(2, 11, 6), event_bytes(3, 21, 6)}));
    REQUIRE(recognise(file) == InputKind::sis3316);
    const std::unique_ptr<RecordSource> source = open_recorded({file}, struck_board(1, 4), 0, {});
    const std::vector<ReadRecord> records = read_all(*source);
    REQUIRE(records.size() == 3);
    CHECK(records[2].channel<std::uint16_t>(0) == std::vector<std::uint16_t>{21, 22, 23, 24});
    CHECK(source->defects().empty());
}

TEST_CASE("damaged words are counted and skipped, what follows is read", "[readout][error]") {
    TemporaryFolder folder;
    Bytes middle = event_bytes(2, 11);
    middle[11] = 0x10;  // the sample header's 0xE
    const fs::path file =
        write(folder, "a.bin", joined({event_bytes(1, 1), event_bytes(1, 5), middle, event_bytes(3, 21)}));
    const std::unique_ptr<RecordSource> source = open_recorded({file}, struck_board(1, 4), 0, {});
    const std::vector<ReadRecord> records = read_all(*source);
    REQUIRE(records.size() == 3);
    CHECK(records[1].header.flags == record_flag::duplicate);
    CHECK(records[2].header.clock == 3);
    CHECK(defect(*source, "events_damaged") == 1);
    CHECK(said(*source, "no_sample_header"));
}

TEST_CASE("SIS3316 files that do not fit the board are refused by name", "[readout][error]") {
    const Pulser pulser;
    if (pulser.absent()) return;
    CHECK_THROWS_WITH(open_recorded({pulser.ch0}, struck_board(2), 0, {}),
                      Catch::Contains("board struck: 1 SIS3316 files for 2 configured channels"));
    BoardInfo bytes = struck_board(1);
    bytes.sample_type = SampleType::int8;
    CHECK_THROWS_WITH(open_recorded({pulser.ch0}, bytes, 0, {}), Catch::Contains("uint16 samples"));
}

TEST_CASE("a damaged recording never ends the program", "[readout][error]") {
    const Pulser pulser;
    if (pulser.absent()) return;
    const Bytes bytes = read_file(pulser.ch4);
    TemporaryFolder folder;
    for (std::uint64_t seed = 0; seed < 200; ++seed) {
        Dice dice{seed};
        const fs::path file = write(folder, "torn.bin", damaged(bytes, dice));
        if (fs::file_size(file) == 0 || recognise(file) != InputKind::sis3316) continue;
        const std::unique_ptr<RecordSource> source = open_recorded({file}, struck_board(1), 0, {});
        REQUIRE(read_all(*source).size() <= 11);
    }
}
