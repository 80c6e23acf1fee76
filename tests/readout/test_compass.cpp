#include <catch2/catch.hpp>

#include <cstring>
#include <map>

#include "readout/compass.hpp"
#include "readout/compass_settings.hpp"
#include "readout/input.hpp"
#include "tests/readout/read_all.hpp"

using namespace alleycat;
using namespace alleycat::testing;
using compass::Fields;
using compass::Status;
using Codes = std::vector<std::uint16_t>;

namespace {

constexpr Fields kHitsOnly{.energy = true};
constexpr Fields kAll{.energy = true, .calibrated_energy = true, .short_energy = true, .waveform = true};

template <class T>
void put(Bytes& bytes, T value) {
    std::array<std::uint8_t, sizeof(T)> raw{};
    std::memcpy(raw.data(), &value, sizeof(T));
    bytes.insert(bytes.end(), raw.begin(), raw.end());
}
std::uint16_t word_of(Fields fields) {
    return static_cast<std::uint16_t>(0xCAE0 | (fields.energy ? 1 : 0) | (fields.calibrated_energy ? 2 : 0) |
                                      (fields.short_energy ? 4 : 0) | (fields.waveform ? 8 : 0));
}

struct Given {
    std::uint16_t board = 0, input = 0;
    std::uint64_t time_ps = 0;
    std::uint32_t flags = 0x4000;
    Codes samples{};
};
/// A record byte by byte, as the format's description says it.
Bytes record(const Given& given, Fields fields) {
    Bytes bytes;
    put(bytes, given.board);
    put(bytes, given.input);
    put(bytes, given.time_ps);
    if (fields.energy) put(bytes, std::uint16_t{798});
    if (fields.calibrated_energy) put(bytes, 661.7);
    if (fields.short_energy) put(bytes, std::uint16_t{135});
    put(bytes, given.flags);
    if (fields.waveform) {
        put(bytes, std::uint8_t{1});
        put(bytes, static_cast<std::uint32_t>(given.samples.size()));
        for (const std::uint16_t sample : given.samples) put(bytes, sample);
    }
    return bytes;
}
Bytes list(const std::vector<Given>& hits, Fields fields, bool header = true) {
    Bytes bytes;
    if (header) put(bytes, word_of(fields));
    for (const Given& hit : hits) append(bytes, record(hit, fields));
    return bytes;
}

BoardInfo board_of(std::size_t channels) {
    BoardInfo board{.name = "dt5730",
                    .source = "compass",
                    .model = "",
                    .serial = "",
                    .firmware = "",
                    .sample_type = SampleType::uint16,
                    .sample_period_ps = 2000,
                    .clock_period_ps = 1,
                    .self_triggered = true,
                    .channels = {}};
    for (std::size_t c = 0; c < channels; ++c)
        board.channels.push_back({.name = "ch" + std::to_string(c), .negative_pulses = false});
    return board;
}

}  // namespace

TEST_CASE("a CoMPASS record holds what its file's first word says", "[readout][compass][unit]") {
    CHECK(compass::parse_header(0xCAED) == Fields{.energy = true, .short_energy = true, .waveform = true});
    CHECK(compass::parse_header(0xCAEF) == kAll);
    CHECK_FALSE(compass::parse_header(0xCADD));

    const Bytes bytes = record({.board = 3, .input = 12, .time_ps = 97'876'200'006, .samples = {2745, 2742}}, kAll);
    REQUIRE(bytes.size() == 2 + 2 + 8 + 2 + 8 + 2 + 4 + 1 + 4 + 2 * 2);
    const compass::Hit hit = compass::read_hit(std::as_bytes(std::span{bytes}), kAll);
    CHECK(hit.status == Status::ok);
    CHECK(hit.bytes == bytes.size());
    CHECK(hit.board == 3);
    CHECK(hit.input == 12);
    CHECK(hit.time_ps == 97'876'200'006);
    CHECK(hit.energy == 798);
    CHECK(hit.calibrated_energy == 661.7);
    CHECK(hit.short_energy == 135);
    CHECK(hit.flags == 0x4000);
    CHECK(int{hit.waveform_code} == 1);
    CHECK(hit.samples.size() == 4);
    CHECK(record({}, kHitsOnly).size() == 18);
    for (std::size_t n = 0; n < bytes.size(); ++n) {
        CHECK(compass::read_hit(std::as_bytes(std::span{bytes}).first(n), kAll).status == Status::cut_short);
    }
}

TEST_CASE("a CoMPASS record of numbers that cannot be is none", "[readout][compass][unit]") {
    const auto status = [](const Given& given) {
        const Bytes bytes = record(given, kHitsOnly);
        return compass::read_hit(std::as_bytes(std::span{bytes}), kHitsOnly).status;
    };
    CHECK(status({.board = 63, .input = 127}) == Status::ok);
    CHECK(status({.board = 64}) == Status::bad_record);
    CHECK(status({.input = 128}) == Status::bad_record);
    CHECK(status({.time_ps = std::uint64_t{1} << 63}) == Status::bad_record);
    Bytes many = record({}, Fields{.waveform = true});
    many[many.size() - 1] = 0x7F;
    CHECK(compass::read_hit(std::as_bytes(std::span{many}), {.waveform = true}).status == Status::bad_record);
}

TEST_CASE("the real CoMPASS list reads to its published facts", "[readout][compass][real]") {
    const fs::path file = real_file("compass/compass_test_data.BIN");
    if (file.empty()) return;
    CHECK(recognise(file) == InputKind::compass);
    CompassSource source{{file}, board_of(2), 0, {}};
    CHECK(source.board().model == "DT5730");
    CHECK(source.board().serial == "1463");
    CHECK(source.board().firmware == "136.16");
    CHECK(source.board().sample_period_ps == 2000);
    CHECK(source.board().samples == 1000);
    const std::vector<ReadRecord> records = read_all(source);
    REQUIRE(records.size() == 102);
    std::array<int, 2> of_channel{};
    int out_of_order = 0;
    for (std::size_t i = 0; i < records.size(); ++i) {
        const RecordHeader& header = records[i].header;
        REQUIRE(header.channels == 1);
        REQUIRE(header.samples_per_channel == 1000);
        REQUIRE(header.flags == 0);
        REQUIRE(header.trigger_class == TriggerClass::hit);
        ++of_channel[header.channel_mask == 1 ? 0 : 1];
        if (i > 0 && header.time_ps < records[i - 1].header.time_ps) ++out_of_order;
    }
    CHECK(of_channel == std::array{51, 51});
    CHECK(out_of_order == 3);
    CHECK(records[0].header.time_ps == 97'876'200'000);
    CHECK(records[1].header.time_ps == 97'876'200'006);
    CHECK(records[2].header.time_ps == 197'875'544'000);
    CHECK(records.back().header.time_ps == 5'097'843'193'999);
    const Codes first = records[0].channel<std::uint16_t>(0);
    CHECK(Codes(first.begin(), first.begin() + 4) == Codes{2745, 2742, 2745, 2746});
    // 0x4080 26 times and 0x40c0 10 times.
    CHECK(defect(source, "saturated_in_gate") == 36);
    CHECK(source.defects().size() == 1);
    CHECK(source.fraction_done() == 1.0);
}

TEST_CASE("the records of a real list have the published energies and flags", "[readout][compass][real]") {
    const fs::path file = real_file("compass/compass_test_data.BIN");
    if (file.empty()) return;
    const Bytes bytes = read_file(file);
    const Fields fields = compass::parse_header(0xCAED).value();
    std::span<const std::byte> left = std::as_bytes(std::span{bytes}).subspan(2);
    std::vector<int> energies, shorts;
    std::map<std::uint32_t, int> flags;
    while (!left.empty()) {
        const compass::Hit hit = compass::read_hit(left, fields);
        REQUIRE(hit.status == Status::ok);
        energies.push_back(hit.energy);
        shorts.push_back(hit.short_energy);
        ++flags[hit.flags];
        left = left.subspan(hit.bytes);
    }
    energies.resize(5);
    shorts.resize(5);
    CHECK(energies == std::vector{798, 9, 810, 4095, 823});
    CHECK(shorts == std::vector{135, 1, 147, 4095, 159});
    CHECK(flags == std::map<std::uint32_t, int>{{0x4000, 63}, {0x4080, 26}, {0x40c0, 10}, {0x4040, 3}});
}

TEST_CASE("what a CoMPASS list holds besides the board's hits is counted", "[readout][compass][unit]") {
    TemporaryFolder folder;
    const Fields fields{.energy = true, .waveform = true};
    const fs::path file = write(folder, "run.BIN",
                                list({{.input = 5, .time_ps = 100, .samples = {1, 2}},
                                      {.board = 1, .input = 5, .time_ps = 110, .samples = {1, 2}},
                                      {.input = 6, .time_ps = 120, .samples = {1, 2}},
                                      {.input = 5, .time_ps = 90, .samples = {1}},
                                      {.input = 5, .time_ps = 130, .flags = 0x4000 | 0x1 | 0x80000, .samples = {}}},
                                     fields));
    CompassSource source{{file}, board_of(1), 2, {.channels = {5}}};
    const std::vector<ReadRecord> records = read_all(source);
    REQUIRE(records.size() == 3);
    CHECK(records[0].channel<std::uint16_t>(0) == Codes{1, 2});
    CHECK(records[0].header.board == 2);
    CHECK(records[1].header.flags == (record_flag::clock_backwards | record_flag::unexpected_length));
    CHECK(records[2].header.samples_per_channel == 0);
    CHECK(records[2].payload.empty());
    for (const char* name : {"other_board", "no_listed_channel", "clock_backwards", "unexpected_length",
                             "without_waveform", "dead_time_before", "pll_lock_lost"}) {
        INFO(name);
        CHECK(defect(source, name) == 1);
    }
}

TEST_CASE("files that go on where a CoMPASS list was split are read after it", "[readout][compass][unit]") {
    TemporaryFolder folder;
    const fs::path first = write(folder, "run.BIN", list({{.time_ps = 1}, {.time_ps = 2}}, kHitsOnly));
    const fs::path second = write(folder, "run_2.BIN", list({{.time_ps = 3}}, kHitsOnly, false));
    const fs::path tenth = write(folder, "run_10.BIN", list({{.time_ps = 4}}, kHitsOnly));
    CompassSource source{{first, tenth, second}, board_of(1), 0, {}};
    std::vector<std::int64_t> times;
    for (const ReadRecord& one : read_all(source)) times.push_back(one.header.time_ps);
    CHECK(times == std::vector<std::int64_t>{1, 2, 3, 4});
    // Alone it does not say what its records hold.
    CHECK_THROWS_WITH((CompassSource{{second}, board_of(1), 0, {}}), Catch::Contains("[compass] fields"));
    CompassSource told{{second}, board_of(1), 0, {.fields = kHitsOnly}};
    CHECK(read_all(told).size() == 1);
}

TEST_CASE("one CoMPASS list per input: they are merged by time", "[readout][compass][unit]") {
    TemporaryFolder folder;
    const fs::path a = write(folder, "CH0.BIN", list({{.time_ps = 10}, {.time_ps = 40}, {.time_ps = 50}}, kHitsOnly));
    const fs::path b =
        write(folder, "CH1.BIN", list({{.input = 1, .time_ps = 20}, {.input = 1, .time_ps = 45}}, kHitsOnly));
    CompassSource source{{b, a}, board_of(2), 0, {}};
    std::vector<std::int64_t> times;
    for (const ReadRecord& one : read_all(source)) times.push_back(one.header.time_ps);
    CHECK(times == std::vector<std::int64_t>{10, 20, 40, 45, 50});
}

TEST_CASE("a damaged CoMPASS list is read up to its damage", "[readout][compass][error]") {
    TemporaryFolder folder;
    Bytes cut = list({{.time_ps = 1}, {.time_ps = 2}}, kHitsOnly);
    cut.pop_back();
    CompassSource source{{write(folder, "cut.BIN", cut)}, board_of(1), 0, {}};
    CHECK(read_all(source).size() == 1);
    CHECK(defect(source, "truncated_record") == 1);
    CHECK(said(source, "cut.BIN: last record cut short after 1 whole ones"));

    CompassSource bad{{write(folder, "bad.BIN", list({{.time_ps = 1}, {.board = 99}, {.time_ps = 3}}, kHitsOnly))},
                      board_of(1),
                      0,
                      {}};
    CHECK(read_all(bad).size() == 1);
    CHECK(defect(bad, "bad_record") == 1);

    const fs::path other = write(folder, "other.BIN", list({{.board = 1}}, kHitsOnly));
    CHECK_THROWS_WITH((CompassSource{{other}, board_of(1), 0, {}}),
                      Catch::Contains("no whole hit of board dt5730 (number 0 in the file); 1 other_board"));
    BoardInfo external = board_of(1);
    external.self_triggered = false;
    CHECK_THROWS_WITH((CompassSource{{other}, external, 0, {}}), Catch::Contains("trigger = \"self\""));
}

TEST_CASE("settings of CoMPASS are found beside a list, and what disagrees is said", "[readout][compass][unit]") {
    const std::string xml = R"(<?xml version="1.0"?><configuration><board><modelName>V1730</modelName>
        <serialNumber>77</serialNumber><amcFirmware><major>136</major><minor>9</minor></amcFirmware>
        <sampleTime>4000</sampleTime><parameters>
        <entry><key>SRV_PARAM_RECLEN</key><value><value>800.0</value></value></entry>
        <entry><key>SRV_PARAM_CH_ENABLED</key><value><value>false</value></value></entry>
        <entry><key>SRV_PARAM_CH_POLARITY</key><value><value>POLARITY_POSITIVE</value></value></entry>
        </parameters>
        <channel><index>0</index><values><entry><key>SRV_PARAM_CH_POLARITY</key><value>POLARITY_NEGATIVE</value></entry>
        <entry><key>SRV_PARAM_CH_ENABLED</key><value>true</value></entry></values></channel>
        <channel><index>3</index><values><entry><key>SRV_PARAM_CH_ENABLED</key><value>true</value></entry></values></channel>
        <channel><index>4</index><values/></channel></board></configuration>)";
    const std::vector<compass::BoardSettings> boards = compass::parse_settings(xml, "settings.xml");
    REQUIRE(boards.size() == 1);
    CHECK(boards[0].samples == 200);  // 800 ns of 4 ns
    CHECK(boards[0].channels.at(0).enabled);
    CHECK(boards[0].channels.at(0).negative_pulses == true);
    CHECK(boards[0].channels.at(3).negative_pulses == false);
    CHECK_FALSE(boards[0].channels.at(4).enabled);
    CHECK_THROWS_WITH(compass::parse_settings("<configuration>", "s.xml"), Catch::StartsWith("s.xml: at byte"));
    CHECK_THROWS_WITH(compass::parse_settings("<configuration/>", "s.xml"), Catch::Contains("holds no <board>"));

    TemporaryFolder folder;
    const fs::path file = write(folder, "RAW/run.BIN", list({{.time_ps = 1}}, kHitsOnly));
    (void)write(folder, "settings.xml", Bytes(xml.begin(), xml.end()));
    CompassSource source{{file}, board_of(1), 0, {}};
    CHECK(source.board().sample_period_ps == 4000);
    CHECK(source.board().firmware == "136.9");
    CHECK(said(source, "pulses of input 0 were said to be negative, the station file says positive (ch0)"));
    CHECK(said(source, "input 3 was enabled and is no channel of board dt5730"));
    (void)write(folder, "settings.xml", {'<', 'a'});
    CHECK(said(CompassSource({file}, board_of(1), 0, {}), "settings beside the recording are not used"));
    CHECK_THROWS_WITH((CompassSource{{file}, board_of(1), 0, {.settings = "absent.xml"}}),
                      Catch::Contains("absent.xml: cannot be opened"));
}

TEST_CASE("no damage makes the CoMPASS reader crash or wait", "[readout][compass][error]") {
    TemporaryFolder folder;
    const Bytes good = list({{.time_ps = 1, .samples = {1, 2, 3}},
                             {.input = 1, .time_ps = 2, .samples = {4}},
                             {.time_ps = 3, .samples = {}}},
                            kAll);
    Dice dice{3};
    for (int round = 0; round < 500; ++round) {
        const fs::path file = write(folder, "run.BIN", damaged(good, dice));
        try {
            CompassSource source{{file}, board_of(2), 0, {}};
            CHECK(read_all(source).size() < 20);
        } catch (const Error&) {
        }
    }
}
