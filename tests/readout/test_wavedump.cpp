#include <catch2/catch.hpp>
#include <numeric>

#include "daq/core/error.hpp"
#include "readout/input.hpp"
#include "tests/readout/read_all.hpp"

using namespace alleycat;
using namespace alleycat::testing;

namespace {

BoardInfo caen_board(std::size_t channels, std::uint32_t samples = 0, SampleType type = SampleType::uint16) {
    BoardInfo board{.name = "caen",
                    .source = "wavedump",
                    .model = "",
                    .serial = "",
                    .firmware = "",
                    .sample_type = type,
                    .sample_period_ps = 1000,
                    .samples = samples,
                    .clock_period_ps = 8000,
                    .channels = {}};
    for (std::size_t i = 0; i < channels; ++i) board.channels.push_back({"ch" + std::to_string(i), false, "plain"});
    return board;
}

struct WaveEvent {
    std::uint32_t tag = 0;
    std::uint32_t counter = 0;
    std::vector<std::uint16_t> samples{1, 2, 3};
    std::uint32_t channel = 0;
};

Bytes event_bytes(const WaveEvent& event) {
    Bytes bytes;
    append_u32(bytes, static_cast<std::uint32_t>(24 + 2 * event.samples.size()));  // event size in bytes
    append_u32(bytes, 31);                                                         // board
    append_u32(bytes, 0xFFFF);  // pattern: not zero, means nothing here
    append_u32(bytes, event.channel);
    append_u32(bytes, event.counter);
    append_u32(bytes, event.tag);
    for (const std::uint16_t sample : event.samples)
        append(bytes, {static_cast<std::uint8_t>(sample), static_cast<std::uint8_t>(sample >> 8)});
    return bytes;
}
Bytes file_bytes(const std::vector<WaveEvent>& events) {
    Bytes bytes;
    for (const WaveEvent& event : events) append(bytes, event_bytes(event));
    return bytes;
}

using Files = std::vector<std::vector<WaveEvent>>;

/// wave0.dat, wave1.dat ... in a folder of their own, read to the end.
struct Recording {
    explicit Recording(const std::vector<Bytes>& files, std::uint32_t samples = 3, const WaveDumpConfig& config = {}) {
        for (std::size_t i = 0; i < files.size(); ++i)
            (void)write(folder, "wave" + std::to_string(i) + ".dat", files[i]);
        source =
            open_recorded({folder.path()}, caen_board(files.size(), samples), 2, {.labview = {}, .wavedump = config});
        records = read_all(*source);
    }
    explicit Recording(const Files& files) : Recording{encode(files)} {}

    TemporaryFolder folder;
    std::unique_ptr<RecordSource> source;
    std::vector<ReadRecord> records;

  private:
    static std::vector<Bytes> encode(const Files& files) {
        std::vector<Bytes> all;
        for (std::size_t i = 0; i < files.size(); ++i) {
            all.emplace_back();
            for (WaveEvent event : files[i]) {
                event.channel = static_cast<std::uint32_t>(i);
                append(all.back(), event_bytes(event));
            }
        }
        return all;
    }
};

std::vector<std::uint64_t> clocks(const std::vector<ReadRecord>& records) {
    std::vector<std::uint64_t> all;
    for (const ReadRecord& record : records) all.push_back(record.header.clock);
    return all;
}
std::vector<std::uint64_t> masks(const std::vector<ReadRecord>& records) {
    std::vector<std::uint64_t> all;
    for (const ReadRecord& record : records) all.push_back(record.header.channel_mask);
    return all;
}
using Numbers = std::vector<std::uint64_t>;

}  // namespace

TEST_CASE("the BGO coincidences have the tags, samples and means their README lists", "[readout][real]") {
    const fs::path wave0 = real_file("wavedump/SiPM_BGO_coinc_DT5751_wave0.dat");
    const fs::path wave1 = real_file("wavedump/SiPM_BGO_coinc_DT5751_wave1.dat");
    if (wave0.empty() || wave1.empty()) return;
    REQUIRE(recognise(wave0) == InputKind::wavedump);
    const std::unique_ptr<RecordSource> source = open_recorded({wave0, wave1}, caen_board(2), 0, {});
    REQUIRE(source->board().samples == 6006);  // found: the configuration left it open
    const std::vector<ReadRecord> records = read_all(*source);
    REQUIRE(records.size() == 41);
    REQUIRE(clocks(records)[0] == 3190661);
    REQUIRE(clocks(records)[1] == 3764781);
    REQUIRE(clocks(records)[2] == 6124449);
    REQUIRE(clocks(records)[40] == 230622939);
    double sum[2] = {0, 0};
    std::uint16_t least[2] = {65535, 65535}, most[2] = {0, 0};
    for (std::size_t i = 0; i < records.size(); ++i) {
        const RecordHeader& header = records[i].header;
        REQUIRE(header.counter == i);
        REQUIRE(header.channel_mask == 3);
        REQUIRE(header.samples_per_channel == 6006);
        REQUIRE(header.flags == 0);
        REQUIRE(header.time_ps == static_cast<std::int64_t>(header.clock) * 8000);
        for (std::size_t c = 0; c < 2; ++c) {
            const auto samples = records[i].channel<std::uint16_t>(c);
            sum[c] += std::accumulate(samples.begin(), samples.begin() + 20, 0.0);
            least[c] = std::min(least[c], *std::min_element(samples.begin(), samples.end()));
            most[c] = std::max(most[c], *std::max_element(samples.begin(), samples.end()));
        }
    }
    CHECK(sum[0] / (41 * 20) == Approx(96.78).margin(0.005));
    CHECK(sum[1] / (41 * 20) == Approx(74.95).margin(0.005));
    CHECK(least[0] == 83);
    CHECK(most[0] == 355);
    CHECK(least[1] == 64);
    CHECK(most[1] == 490);
    const auto first0 = records[0].channel<std::uint16_t>(0), first1 = records[0].channel<std::uint16_t>(1);
    CHECK(std::vector<std::uint16_t>(first0.begin(), first0.begin() + 4) == std::vector<std::uint16_t>{94, 98, 93, 93});
    CHECK(std::vector<std::uint16_t>(first1.begin(), first1.begin() + 4) == std::vector<std::uint16_t>{77, 76, 76, 74});
    CHECK(source->defects().empty());
    CHECK(source->remarks().empty());

    const Bytes expected = second_decoder("wavedump '" + wave0.string() + "' '" + wave1.string() + "'");
    REQUIRE(expected.size() == 41u * (12 + 2 * 2 * 6006));
    std::size_t unequal = 0;
    for (std::size_t i = 0; i < records.size(); ++i) {
        const std::uint8_t* const at = expected.data() + i * (12 + 4 * 6006);
        std::uint32_t tag = 0;
        std::memcpy(&tag, at, 4);
        unequal +=
            tag == records[i].header.clock && std::memcmp(records[i].payload.data(), at + 12, 4 * 6006) == 0 ? 0 : 1;
    }
    REQUIRE(unequal == 0);
}

TEST_CASE("a record length other than the configured one is flagged in every record", "[readout][real]") {
    const fs::path wave0 = real_file("wavedump/SiPM_BGO_coinc_DT5751_wave0.dat");
    if (wave0.empty()) return;
    const std::unique_ptr<RecordSource> source = open_recorded({wave0}, caen_board(1, 6000), 0, {});
    for (const ReadRecord& record : read_all(*source)) {
        REQUIRE(record.header.flags == record_flag::unexpected_length);
        REQUIRE(record.header.samples_per_channel == 6006);
    }
    REQUIRE(defect(*source, "unexpected_length") == 41);
}

TEST_CASE("the germanium file says channel 3 and is read all the same", "[readout][real]") {
    const fs::path file = real_file("wavedump/HPGe_DT5720_wave0.dat");
    if (file.empty()) return;
    const std::unique_ptr<RecordSource> source = open_recorded({file}, caen_board(1, 10'000), 0, {});
    const std::vector<ReadRecord> records = read_all(*source);
    REQUIRE(records.size() == 8);
    REQUIRE(clocks(records)[0] == 5918357);
    REQUIRE(clocks(records)[1] == 130630223);
    REQUIRE(clocks(records)[2] == 255343189);
    REQUIRE(clocks(records)[7] == 878906347);
    REQUIRE(said(*source, "say channel 3"));
    REQUIRE(source->defects().empty());
    std::uint16_t most = 0;
    for (const ReadRecord& record : records) {
        REQUIRE(record.header.channel_mask == 1);
        const auto samples = record.channel<std::uint16_t>(0);
        REQUIRE(samples.size() == 10'000);
        most = std::max(most, *std::max_element(samples.begin(), samples.end()));
    }
    REQUIRE(most == 491);
    const Bytes expected = second_decoder("wavedump '" + file.string() + "'");
    REQUIRE(expected.size() == 8u * (12 + 20'000));
    std::size_t unequal = 0;
    for (std::size_t i = 0; i < 8; ++i) {
        unequal += std::memcmp(records[i].payload.data(), expected.data() + i * 20'012 + 12, 20'000) == 0 ? 0 : 1;
    }
    REQUIRE(unequal == 0);
}

TEST_CASE("header fields, padding and host time of a hand-made event", "[readout][unit]") {
    TemporaryFolder folder;
    const fs::path file = write(folder, 
        "wave0.dat", file_bytes({{.tag = 1000, .counter = 7}, {.tag = 1125, .counter = 8, .samples = {9, 8, 0xFFFF}}}));
    const auto written = UtcTime{std::chrono::seconds{1'700'000'000}};
    fs::last_write_time(file, std::chrono::file_clock::from_sys(written));
    const std::unique_ptr<RecordSource> source = open_recorded({file}, caen_board(1, 3), 5, {});
    const std::vector<ReadRecord> records = read_all(*source);
    REQUIRE(records.size() == 2);
    REQUIRE(records[0].header.utc_ns == 1'700'000'000'000'000'000);
    REQUIRE(records[1].header.utc_ns == 1'700'000'000'000'001'000);  // 125 ticks of 8 ns later
    REQUIRE(records[0].header.time_ps == 8'000'000);
    REQUIRE(records[1].header.time_ps == 9'000'000);
    REQUIRE(records[1].header.counter == 8);
    REQUIRE(records[1].header.board == 5);
    REQUIRE(records[1].header.sample_type == SampleType::uint16);
    REQUIRE(records[1].channel<std::uint16_t>(0) == std::vector<std::uint16_t>{9, 8, 0xFFFF});
    REQUIRE(records[1].payload == std::vector<std::byte>{std::byte{9}, std::byte{0}, std::byte{8}, std::byte{0},
                                                         std::byte{0xFF}, std::byte{0xFF}, std::byte{0},
                                                         std::byte{0}});  // padded to 4 bytes
}

TEST_CASE("samples of one byte are read as such", "[readout][unit]") {
    Bytes bytes;
    for (const std::uint32_t word : {29u, 0u, 0u, 0u, 0u, 77u}) append_u32(bytes, word);  // 24 + 5 samples
    append(bytes, {1, 2, 3, 4, 255});
    TemporaryFolder folder;
    const std::unique_ptr<RecordSource> source =
        open_recorded({write(folder, "wave0.dat", bytes)}, caen_board(1, 5, SampleType::uint8), 0, {});
    const std::vector<ReadRecord> records = read_all(*source);
    REQUIRE(records.size() == 1);
    REQUIRE(records[0].channel<std::uint8_t>(0) == std::vector<std::uint8_t>{1, 2, 3, 4, 255});
    REQUIRE(records[0].payload.size() == 8);
}

TEST_CASE("events are matched by their tags, not by their places", "[readout][unit]") {
    // wave1 lacks the second trigger, wave0 the fourth.
    const Recording run{Files{{{100, 0, {1}}, {200, 1, {2}}, {300, 2, {3}}, {500, 4, {5}}},
                              {{100, 0, {11}}, {300, 2, {13}}, {400, 3, {14}}, {500, 4, {15}}}}};
    REQUIRE(clocks(run.records) == Numbers{100, 200, 300, 400, 500});
    REQUIRE(masks(run.records) == Numbers{3, 1, 3, 2, 3});
    REQUIRE(run.records[1].header.channels == 1);
    REQUIRE((run.records[1].header.flags & record_flag::missing_channel) != 0);
    REQUIRE(run.records[2].channel<std::uint16_t>(0) == std::vector<std::uint16_t>{3});
    REQUIRE(run.records[2].channel<std::uint16_t>(1) == std::vector<std::uint16_t>{13});
    REQUIRE(run.records[3].channel<std::uint16_t>(0) == std::vector<std::uint16_t>{14});  // the only one present
    REQUIRE(defect(*run.source, "missing_channel") == 2);
}

TEST_CASE("one file may end long before the other or begin after a roll-over", "[readout][unit]") {
    const std::uint32_t top = 0x7FFF'FFFF;
    const Recording run{Files{{{top - 10, 0}, {20, 1}, {top, 2}}, {{20, 1}}}};
    REQUIRE(clocks(run.records) == Numbers{top - 10, 20, top});
    REQUIRE(masks(run.records) == Numbers{1, 3, 1});
    const std::int64_t start = run.records[0].header.time_ps;
    REQUIRE(run.records[1].header.time_ps - start == 31 * 8000);  // 11 ticks to the roll-over, 20 after it
    REQUIRE(run.records[2].header.time_ps - start == (10 + (std::int64_t{1} << 31)) * 8000);
    REQUIRE(defect(*run.source, "clock_backwards") == 0);
}

TEST_CASE("bit 31 of a tag is a flag, not time", "[readout][unit]") {
    const Recording run{Files{{{100, 0}, {0x8000'0000u | 200, 1}}, {{100, 0}, {200, 1}}}};
    REQUIRE(clocks(run.records) == Numbers{100, 200});
    REQUIRE(masks(run.records) == Numbers{3, 3});
    REQUIRE(run.records[1].header.time_ps == 1'600'000);
}

TEST_CASE("triggers twelve seconds apart are not taken for a clock that runs backwards", "[readout][unit]") {
    // 1.5e9 ticks of 8 ns each; modulo 2^31 the tag steps back by 0.65e9, less than half its range.
    const std::uint64_t step = 1'500'000'000, range = std::uint64_t{1} << 31;
    const Recording run{Files{{{0, 0},
                               {static_cast<std::uint32_t>(step), 1},
                               {static_cast<std::uint32_t>(2 * step % range), 2},
                               {static_cast<std::uint32_t>(3 * step % range), 3}}}};
    for (std::size_t i = 0; i < 4; ++i) {
        REQUIRE(run.records[i].header.time_ps == static_cast<std::int64_t>(i * step * 8000));
        REQUIRE(run.records[i].header.flags == 0);
    }
}

TEST_CASE("a small step back is flagged, and both channels stay together", "[readout][fault]") {
    const Recording run{Files{{{1000, 0}, {900, 1}, {2000, 2}}, {{1000, 0}, {900, 1}, {2000, 2}}}};
    REQUIRE(masks(run.records) == Numbers{3, 3, 3});
    REQUIRE(run.records[1].header.flags == record_flag::clock_backwards);
    REQUIRE(run.records[1].header.time_ps == 7'200'000);
    REQUIRE(run.records[2].header.time_ps == 16'000'000);
    REQUIRE(defect(*run.source, "clock_backwards") == 1);
}

TEST_CASE("a damaged tag costs one channel of one trigger", "[readout][fault]") {
    const Recording run{
        {{{100, 0}, {200, 1}, {300, 2}, {400, 3}}, {{100, 0}, {200 | 1u << 29, 1}, {300, 2}, {400, 3}}}};
    REQUIRE(clocks(run.records) == Numbers{100, 200, 300, 400});
    REQUIRE(masks(run.records) == Numbers{3, 1, 3, 3});
    REQUIRE(defect(*run.source, "time_tag_mismatch") == 1);
}

TEST_CASE("the same event twice is flagged", "[readout][fault]") {
    const Recording run{Files{{{100, 0}, {100, 0}, {200, 1}}}};
    REQUIRE(run.records.size() == 3);
    REQUIRE(run.records[1].header.flags == record_flag::duplicate);
    REQUIRE(defect(*run.source, "duplicate_record") == 1);
}

TEST_CASE("an event counter rolls over at 24 bits", "[readout][unit]") {
    const Recording run{Files{{{100, 0xFFFFFF}, {200, 0}}}};
    REQUIRE(run.records[1].header.counter == 0x1000000);
    REQUIRE(defect(*run.source, "counter_backwards") == 0);
}

TEST_CASE("channels of different lengths cannot share a record", "[readout][fault]") {
    const Recording run{Files{{{100, 0, {1, 2, 3}}, {200, 1, {1, 2, 3}}}, {{100, 0, {1, 2}}, {200, 1, {4, 5, 6}}}}};
    REQUIRE(masks(run.records) == Numbers{1, 3});
    REQUIRE(defect(*run.source, "unequal_length") == 1);
}

TEST_CASE("a last event cut short is counted, those before it are used", "[readout][fault]") {
    const std::size_t cut = GENERATE(1u, 5u, 6u, 7u, 29u);  // bytes lost of 30: in the samples, between, in the header
    Bytes bytes = file_bytes({{100, 0}, {200, 1}, {300, 2}});
    bytes.resize(bytes.size() - cut);
    const Recording run{std::vector<Bytes>{bytes}};
    REQUIRE(run.records.size() == 2);
    REQUIRE(defect(*run.source, "truncated_record") == 1);
    REQUIRE(run.source->defects().size() == 1);
    REQUIRE(said(*run.source, "cut short after 2 whole ones"));
}

TEST_CASE("an event size that cannot be ends the file and is said", "[readout][fault]") {
    const std::uint32_t size = GENERATE(0u, 23u, 25u, 1'000'000u, 0x7FFF'FFFFu, 0xFFFF'FFFFu);
    Bytes bytes = file_bytes({{100, 0}, {200, 1}});
    Bytes bad = event_bytes({300, 2});
    for (std::size_t i = 0; i < 4; ++i) bad[i] = static_cast<std::uint8_t>(size >> (8 * i));
    append(bytes, bad);
    append(bytes, event_bytes({400, 3}));
    const Recording run{std::vector<Bytes>{bytes}};
    REQUIRE(run.records.size() == 2);
    REQUIRE(defect(*run.source, "bad_event_size") == 1);
    REQUIRE(said(*run.source, "wave0.dat: event 2 claims " + std::to_string(size) + " bytes"));
}

TEST_CASE("an event without samples is skipped and counted", "[readout][fault]") {
    const Recording run{std::vector<Bytes>{file_bytes({{100, 0}, {200, 1, {}}, {300, 2}})}};
    REQUIRE(clocks(run.records) == Numbers{100, 300});
    REQUIRE(defect(*run.source, "empty_record") == 1);
}

TEST_CASE("without headers the length comes from the station file and time is assumed", "[readout][unit]") {
    const Bytes wave0{1, 0, 2, 0, 3, 0, 4, 0, 5, 0, 6, 0, 7};  // two records of three samples, and half a sample
    const Bytes wave1{11, 0, 12, 0, 13, 0, 14, 0, 15, 0, 16, 0};
    const Recording run{std::vector<Bytes>{wave0, wave1}, 3, {.header = false, .record_interval_ps = 1'000'000}};
    REQUIRE(run.records.size() == 2);
    REQUIRE(run.records[1].channel<std::uint16_t>(0) == std::vector<std::uint16_t>{4, 5, 6});
    REQUIRE(run.records[1].channel<std::uint16_t>(1) == std::vector<std::uint16_t>{14, 15, 16});
    REQUIRE(run.records[1].header.time_ps == 1'000'000);
    REQUIRE(run.records[1].header.counter == 1);
    REQUIRE(run.records[1].header.flags == record_flag::bad_time);
    REQUIRE(defect(*run.source, "truncated_record") == 1);

    CHECK_THROWS_WITH((Recording{std::vector<Bytes>{wave0, Bytes{1, 0, 2, 0, 3, 0}}, 3, {.header = false}}),
                      Catch::Contains("different numbers of records"));
    CHECK_THROWS_AS((Recording{std::vector<Bytes>{wave0}, 0, {.header = false}}), UsageError);
    CHECK_THROWS_WITH((Recording{std::vector<Bytes>{file_bytes({{1, 0}, {2, 1}})}, 3, {.header = false}}),
                      Catch::Contains("has event headers"));
}

TEST_CASE("files are read in the order of their numbers", "[readout][unit]") {
    TemporaryFolder folder;
    std::vector<fs::path> files;
    for (const std::uint16_t n : std::array<std::uint16_t, 3>{10, 2, 0}) {  // a shell lists wave10 before wave2
        files.push_back(write(folder, "wave" + std::to_string(n) + ".dat",
                                     file_bytes({{.tag = 5, .counter = 0, .samples = {n}, .channel = n}})));
    }
    for (const auto& inputs : {files, std::vector<fs::path>{folder.path()}}) {
        const std::unique_ptr<RecordSource> source = open_recorded(inputs, caen_board(3, 1), 0, {});
        const std::vector<ReadRecord> records = read_all(*source);
        REQUIRE(records.size() == 1);
        for (std::size_t c = 0; c < 3; ++c) {
            REQUIRE(records[0].channel<std::uint16_t>(c)[0] == std::array<std::uint16_t, 3>{0, 2, 10}[c]);
        }
    }
}

TEST_CASE("WaveDump input that cannot be right is refused by name", "[readout][error]") {
    TemporaryFolder folder;
    const fs::path wave0 = write(folder, "a/wave0.dat", file_bytes({{100, 0}, {200, 1}}));
    const fs::path wave1 = write(folder, "a/wave1.dat", file_bytes({{100, 0}, {200, 1}}));
    CHECK_THROWS_WITH(open_recorded({wave0, wave1}, caen_board(1), 0, {}),
                      Catch::Contains("2 WaveDump files for 1 configured"));
    CHECK_THROWS_WITH(open_recorded({wave0}, caen_board(2), 0, {}),
                      Catch::Contains("1 WaveDump files for 2 configured"));
    CHECK_THROWS_WITH(open_recorded({wave0, wave0}, caen_board(2), 0, {}), Catch::Contains("given twice"));
    CHECK_THROWS_AS(open_recorded({wave0}, caen_board(1, 3, SampleType::int8), 0, {}), UsageError);
    (void)write(folder, "two/x_wave0.dat", file_bytes({{1, 0}}));
    (void)write(folder, "two/y_wave0.dat", file_bytes({{1, 0}}));
    CHECK_THROWS_WITH(open_recorded({folder.path() / "two"}, caen_board(2), 0, {}),
                      Catch::Contains("several recordings"));
    (void)write(folder, "hole/wave0.dat", file_bytes({{1, 0}}));
    (void)write(folder, "hole/wave1.dat", {});
    CHECK_THROWS_WITH(open_recorded({folder.path() / "hole"}, caen_board(2), 0, {}),
                      Catch::Contains("wave1.dat: the file is empty"));
    Bytes cut = event_bytes({100, 0});
    cut.resize(cut.size() - 1);
    CHECK_THROWS_WITH(open_recorded({write(folder, "cut/wave0.dat", cut)}, caen_board(1), 0, {}),
                      Catch::Contains("no whole event"));
}

TEST_CASE("no damage to WaveDump files makes the reader crash, hang or invent channels", "[readout][fuzz]") {
    const fs::path file = real_file("wavedump/HPGe_DT5720_wave0.dat");
    TemporaryFolder folder;
    std::vector<WaveEvent> events;
    for (std::uint32_t i = 0; i < 30; ++i)
        events.push_back({0x7FFF'FF00u + 20 * i, i, std::vector<std::uint16_t>(10 + i % 3, 100)});
    const Bytes made = file_bytes(events);
    std::size_t read = 0, refused = 0;
    for (std::uint64_t seed = 1; seed <= 600; ++seed) {
        Dice dice{seed};
        const bool real = seed % 10 == 0 && !file.empty();
        const Bytes& good = real ? read_file(file) : made;
        const fs::path wave0 = write(folder, "wave0.dat", damaged(good, dice));
        const fs::path wave1 = write(folder, "wave1.dat", damaged(good, dice));
        try {
            const std::unique_ptr<RecordSource> source = open_recorded({wave0, wave1}, caen_board(2, 10), 0, {});
            for (const ReadRecord& record : read_all(*source)) {
                const std::uint64_t mask = record.header.channel_mask;
                if (mask == 0 || mask > 3 || record.header.channels != (mask == 3 ? 2 : 1)) FAIL("impossible channels");
            }
            (void)source->remarks();
            ++read;
        } catch (const Error& e) {
            if (std::string{e.what()}.find("wave") == std::string::npos) FAIL(e.what());
            ++refused;
        }
    }
    REQUIRE(read + refused == 600);
    REQUIRE(read > 200);
    REQUIRE(refused > 20);
}
