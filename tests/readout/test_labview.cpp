#include <archive.h>
#include <archive_entry.h>

#include <catch2/catch.hpp>
#include <cstdlib>
#include <sstream>

#include "daq/core/error.hpp"
#include "readout/input.hpp"
#include "tests/readout/read_all.hpp"

using namespace alleycat;
using namespace alleycat::testing;

namespace {

BoardInfo csi_board() {
    return {.name = "pci5153",
            .source = "labview",
            .model = "",
            .serial = "",
            .firmware = "",
            .sample_type = SampleType::int8,
            .sample_period_ps = 2000,
            .samples = 35'000,
            .clock_period_ps = 10'000'000'000,
            .channels = {{"csi", true, "pci5153_signal"}, {"veto", true, "pci5153_veto"}}};
}

std::unique_ptr<RecordSource> open(const std::vector<fs::path>& inputs, unsigned threads = 1) {
    return open_recorded(inputs, csi_board(), 3, {}, threads);
}

using Stamp = std::array<std::uint8_t, 7>;  // yy mm dd HH MM SS cc

Bytes chunk_header(std::int32_t columns, std::int32_t channels = 2) {
    Bytes bytes;
    for (const std::int32_t value : {columns, channels}) {  // big endian
        for (int shift = 24; shift >= 0; shift -= 8)
            bytes.push_back(static_cast<std::uint8_t>(static_cast<std::uint32_t>(value) >> shift));
    }
    return bytes;
}

/// 7 columns (0, stamp byte), then 35,000 columns (signal, veto).
Bytes waveform(const Stamp& stamp, std::uint8_t signal = 110, std::uint8_t veto = 20) {
    Bytes bytes;
    for (const std::uint8_t part : stamp) append(bytes, {0, part});
    for (int i = 0; i < 35'000; ++i) append(bytes, {signal, veto});
    return bytes;
}

/// One chunk with these stamps.
Bytes chunk(const std::vector<Stamp>& stamps) {
    Bytes bytes = chunk_header(static_cast<std::int32_t>(35'007 * stamps.size()));
    for (const Stamp& stamp : stamps) append(bytes, waveform(stamp));
    return bytes;
}

/// A zip as another program writes it (libarchive's writer, which the reader does not use).
Bytes zip(const std::vector<std::pair<std::string, Bytes>>& members) {
    TemporaryFolder folder;
    const fs::path path = folder.path() / "made.zip";
    archive* const a = archive_write_new();
    archive_write_set_format_zip(a);
    archive_write_open_filename(a, path.c_str());
    for (const auto& [name, bytes] : members) {
        archive_entry* const entry = archive_entry_new();
        archive_entry_set_pathname(entry, name.c_str());
        archive_entry_set_size(entry, static_cast<la_int64_t>(bytes.size()));
        archive_entry_set_filetype(entry, AE_IFREG);
        archive_entry_set_perm(entry, 0644);
        archive_write_header(a, entry);
        archive_write_data(a, bytes.data(), bytes.size());
        archive_entry_free(entry);
    }
    archive_write_free(a);
    return read_file(path);
}
Bytes minute(const Bytes& member) { return zip({{"120000", member}}); }

const Stamp kNoon{15, 10, 2, 12, 0, 0, 0};  // 16:00 UTC
Stamp after_noon(std::uint8_t hundredths) { return {15, 10, 2, 12, 0, 0, hundredths}; }

}  // namespace

TEST_CASE("the real minute gives the same samples as numpy, all of them", "[readout][real]") {
    const fs::path file = real_file("labview/Run-15-10-02-12-00-00/151002/120000.zip");
    if (file.empty()) return;
    const std::unique_ptr<RecordSource> source = open({file});
    const std::vector<ReadRecord> records = read_all(*source);
    REQUIRE(records.size() == 40);
    const Bytes expected = second_decoder("labview '" + file.string() + "'");
    REQUIRE(expected.size() == 40u * (7 + 70'000));
    std::size_t unequal = 0;
    for (std::size_t i = 0; i < records.size(); ++i) {
        REQUIRE(records[i].payload.size() == 70'000);
        unequal += std::memcmp(records[i].payload.data(), expected.data() + i * 70'007 + 7, 70'000) == 0 ? 0 : 1;
    }
    REQUIRE(unequal == 0);
    REQUIRE(source->defects().empty());
    REQUIRE(source->remarks().empty());
    REQUIRE(source->fraction_done() == 1.0);
}

TEST_CASE("the real minute's stamps are those the published program printed", "[readout][real]") {
    const fs::path file = real_file("labview/Run-15-10-02-12-00-00/151002/120000.zip");
    const fs::path table = real_file("labview/published_program_coincident.csv");
    if (file.empty() || table.empty()) return;
    const std::unique_ptr<RecordSource> source = open({file});
    const std::vector<ReadRecord> records = read_all(*source);
    std::ifstream rows{table};
    std::string row;
    std::getline(rows, row);  // names of the columns
    std::size_t i = 0;
    const TimeZone zone = LabviewConfig{}.time_zone;
    for (; std::getline(rows, row); ++i) {
        REQUIRE(i < records.size());
        const RecordHeader& header = records[i].header;
        // yymmddHHMMSScc
        const long long printed = std::atoll(row.substr(0, row.find(',')).c_str());
        const LocalTime local = utc_to_local(UtcTime{std::chrono::nanoseconds{header.utc_ns}}, zone);
        REQUIRE(
            (((((local.year % 100 * 100LL + local.month) * 100 + local.day) * 100 + local.hour) * 100 + local.minute) *
                 100 +
             local.second) *
                    100 +
                local.hundredths ==
            printed);
        REQUIRE(header.counter == i);
        REQUIRE(header.time_ps == (printed - 15100212000000) * 10'000'000'000);  // all within one second
    }
    REQUIRE(i == 40);
}

TEST_CASE("a waveform's columns come apart into signal and veto", "[readout][unit]") {
    Bytes member = chunk_header(35'007);
    for (const std::uint8_t part : kNoon) append(member, {99, part});  // only the second byte is the stamp
    for (int i = 0; i < 35'000; ++i)
        append(member, {static_cast<std::uint8_t>(i % 251), static_cast<std::uint8_t>(i % 241)});
    TemporaryFolder folder;
    const std::unique_ptr<RecordSource> source = open({write(folder, "120000.zip", minute(member))});
    const std::vector<ReadRecord> records = read_all(*source);
    REQUIRE(records.size() == 1);
    const RecordHeader& header = records[0].header;
    REQUIRE(header.board == 3);
    REQUIRE(header.channels == 2);
    REQUIRE(header.channel_mask == 3);
    REQUIRE(header.samples_per_channel == 35'000);
    REQUIRE(header.sample_type == SampleType::int8);
    REQUIRE(header.flags == 0);
    REQUIRE(header.sequence == kNoSequence);
    REQUIRE(header.utc_ns == 1'443'801'600'000'000'000);  // date -d 2015-10-02T16:00Z +%s
    REQUIRE(header.clock == 144'378'720'000u);            // date -d 2015-10-02T12:00Z +%s, in hundredths
    std::size_t wrong = 0;
    for (std::size_t i = 0; i < 35'000; ++i) {
        wrong += records[0].channel<std::uint8_t>(0)[i] == i % 251 ? 0 : 1;
        wrong += records[0].channel<std::uint8_t>(1)[i] == i % 241 ? 0 : 1;
        if (i > 300) i += 97;  // each call copies the channel
    }
    REQUIRE(wrong == 0);
    REQUIRE(source->board().clock_period_ps == 10'000'000'000);
}

TEST_CASE("a torn minute gives what was whole before the tear", "[readout][fault]") {
    const fs::path file = real_file("labview/Run-15-10-02-12-00-00/151002/120000.zip");
    if (file.empty()) return;
    Bytes bytes = read_file(file);
    const std::vector<ReadRecord> whole = read_all(*open({file}));
    bytes.resize(bytes.size() * 3 / 4);
    TemporaryFolder folder;
    const std::unique_ptr<RecordSource> source = open({write(folder, "120000.zip", bytes)});
    const std::vector<ReadRecord> records = read_all(*source);
    // Three quarters of the packed bytes hold about three quarters of the 40 triggers.
    REQUIRE(records.size() >= 25);
    REQUIRE(records.size() <= 32);
    for (std::size_t i = 0; i < records.size(); ++i) {
        REQUIRE(records[i].header == whole[i].header);
        REQUIRE(records[i].payload == whole[i].payload);
    }
    REQUIRE(defect(*source, "torn_file") == 1);
    REQUIRE(said(*source, "120000.zip: torn after " + std::to_string(records.size()) + " triggers"));
}

TEST_CASE("a wrong checksum is counted when the minute is through, and its triggers are there", "[readout][fault]") {
    Bytes member = chunk({kNoon, after_noon(1)});
    // Stored, not compressed, by hand: nothing but the checksum tells that a sample changed.
    Bytes bytes;
    append_u32(bytes, 0x04034B50);                   // local header
    append(bytes, {20, 0, 0, 0, 0, 0, 0, 0, 0, 0});  // version, flags, method 0 (stored), time, date
    append_u32(bytes, 0x12345678);                   // checksum: wrong
    append_u32(bytes, static_cast<std::uint32_t>(member.size()));
    append_u32(bytes, static_cast<std::uint32_t>(member.size()));
    append(bytes, {6, 0, 0, 0, '1', '2', '0', '0', '0', '0'});
    append(bytes, member);
    append_u32(bytes, 0x06054B50);  // end of an (empty) directory
    bytes.resize(bytes.size() + 18);
    TemporaryFolder folder;
    const std::unique_ptr<RecordSource> source = open({write(folder, "120000.zip", bytes)});
    REQUIRE(read_all(*source).size() == 2);
    REQUIRE(defect(*source, "crc_error") == 1);
    REQUIRE(source->defects().size() == 1);
    REQUIRE(said(*source, "any of its 2 triggers may be wrong"));
}

TEST_CASE("LabVIEW's leftovers end a minute, and their bytes are counted", "[readout][fault]") {
    Bytes member = chunk({kNoon, after_noon(1)});
    append(member, chunk_header(350'071));  // one more than ten waveforms
    member.resize(member.size() + 500);
    TemporaryFolder folder;
    const std::unique_ptr<RecordSource> source = open({write(folder, "120000.zip", minute(member))});
    REQUIRE(read_all(*source).size() == 2);
    REQUIRE(defect(*source, "trailing_bytes") == 508);
    REQUIRE(source->defects().size() == 1);
    REQUIRE(source->remarks().empty());  // as the format has it
}

TEST_CASE("a chunk header that cannot be ends the minute and is said", "[readout][fault]") {
    const auto [columns, channels] = GENERATE(std::pair{35'006, 2}, std::pair{0, 2}, std::pair{-35'007, 2},
                                              std::pair{35'007, 3}, std::pair{35'007, 0}, std::pair{35'008, 2});
    Bytes member = chunk({kNoon, after_noon(1), after_noon(3)});
    append(member, chunk_header(columns, channels));
    append(member, waveform(after_noon(5)));
    TemporaryFolder folder;
    const std::unique_ptr<RecordSource> source = open({write(folder, "120000.zip", minute(member))});
    REQUIRE(read_all(*source).size() == 3);
    REQUIRE(defect(*source, "bad_chunk") == 1);
    REQUIRE(defect(*source, "trailing_bytes") == 8 + 70'014);
    REQUIRE(said(*source, "after 3 triggers"));
}

TEST_CASE("a waveform cut short at the member's end is counted, the whole ones are used", "[readout][fault]") {
    Bytes member = chunk({kNoon, after_noon(1), after_noon(3)});
    SECTION("within a waveform") {
        member.resize(member.size() - 1);
        TemporaryFolder folder;
        const std::unique_ptr<RecordSource> source = open({write(folder, "120000.zip", minute(member))});
        REQUIRE(read_all(*source).size() == 2);
        REQUIRE(defect(*source, "truncated_record") == 1);
        REQUIRE(source->defects().size() == 1);
    }
    SECTION("between two waveforms of a chunk") {
        member.resize(member.size() - 70'014);
        TemporaryFolder folder;
        const std::unique_ptr<RecordSource> source = open({write(folder, "120000.zip", minute(member))});
        REQUIRE(read_all(*source).size() == 2);
        REQUIRE(defect(*source, "truncated_chunk") == 1);
    }
    SECTION("within a chunk's header") {
        append(member, {0, 0, 136});
        TemporaryFolder folder;
        const std::unique_ptr<RecordSource> source = open({write(folder, "120000.zip", minute(member))});
        REQUIRE(read_all(*source).size() == 3);
        REQUIRE(defect(*source, "trailing_bytes") == 3);
    }
}

TEST_CASE("a stamp that is no time keeps its trigger, with the time before it and a flag", "[readout][fault]") {
    const Stamp no_month{15, 13, 2, 12, 0, 0, 3};
    const Stamp far_off{31, 10, 2, 12, 0, 0, 3};  // a day of the calendar, but 16 years on
    const Stamp bad = GENERATE_COPY(no_month, far_off);
    TemporaryFolder folder;
    const std::unique_ptr<RecordSource> source =
        open({write(folder, "120000.zip", minute(chunk({kNoon, after_noon(1), bad, after_noon(5)})))});
    const std::vector<ReadRecord> records = read_all(*source);
    REQUIRE(records.size() == 4);
    REQUIRE(records[2].header.flags == record_flag::bad_time);
    REQUIRE(records[2].header.time_ps == 10'000'000'000);
    REQUIRE(records[2].header.clock == 0);
    REQUIRE(records[3].header.flags == 0);
    REQUIRE(records[3].header.time_ps == 50'000'000'000);
    REQUIRE(records[3].header.counter == 3);
    REQUIRE(defect(*source, "bad_timestamp") == 1);
    REQUIRE(said(*source, "1 of 4 triggers without a usable time stamp"));
}

TEST_CASE("a trigger before the first good stamp has no time at all and is skipped", "[readout][fault]") {
    TemporaryFolder folder;
    const std::unique_ptr<RecordSource> source = open({write(folder, "120000.zip", minute(chunk({Stamp{}, kNoon})))});
    const std::vector<ReadRecord> records = read_all(*source);
    REQUIRE(records.size() == 1);
    REQUIRE(records[0].header.counter == 1);
    REQUIRE(records[0].header.time_ps == 0);
    REQUIRE(defect(*source, "untimed_record") == 1);
}

TEST_CASE("a stamp that goes back is flagged, the change from summer time is not", "[readout][fault]") {
    TemporaryFolder folder;
    // 2016-11-06: 1:59:59.98 EDT, then 1:00:00.00 EST, 20 ms later.
    const std::unique_ptr<RecordSource> autumn =
        open({write(folder, "a.zip", minute(chunk({Stamp{16, 11, 6, 1, 59, 59, 98}, Stamp{16, 11, 6, 1, 0, 0, 0}})))});
    const std::vector<ReadRecord> change = read_all(*autumn);
    REQUIRE(change[1].header.time_ps == 20'000'000'000);
    REQUIRE(autumn->defects().empty());

    const std::unique_ptr<RecordSource> back =
        open({write(folder, "b.zip", minute(chunk({after_noon(50), after_noon(40)})))});
    const std::vector<ReadRecord> records = read_all(*back);
    REQUIRE(records[1].header.flags == record_flag::clock_backwards);
    REQUIRE(records[1].header.time_ps == -100'000'000'000);
    REQUIRE(defect(*back, "clock_backwards") == 1);
}

TEST_CASE("folders give their minutes in order of time, and a damaged minute does not end the run", "[readout][unit]") {
    TemporaryFolder folder;
    const fs::path run = folder.path() / "Run-15-10-02-23-59-00";
    const fs::path last =
        write(folder, "Run-15-10-02-23-59-00/151003/000000.zip", minute(chunk({Stamp{15, 10, 3, 0, 0, 0, 0}})));
    const fs::path first =
        write(folder, "Run-15-10-02-23-59-00/151002/235900.zip", minute(chunk({Stamp{15, 10, 2, 23, 59, 0, 0}})));
    (void)write(folder, "Run-15-10-02-23-59-00/151002/235930.zip", {'n', 'o', ' ', 'z', 'i', 'p'});
    (void)write(folder, "Run-15-10-02-23-59-00/151002/235940.zip", {});
    (void)write(folder, "Run-15-10-02-23-59-00/151002/.235950.zip.x7Ty", {'P', 'K'});  // rsync at work
    (void)write(folder, "Run-15-10-02-23-59-00/notes/readme.txt", {'x'});
    const auto times = [](const std::vector<fs::path>& inputs) {
        std::vector<std::int64_t> seconds;
        for (const ReadRecord& record : read_all(*open(inputs)))
            seconds.push_back(record.header.time_ps / 1'000'000'000'000);
        return seconds;
    };
    const std::vector<std::int64_t> in_order{0, 60};
    REQUIRE(times({run}) == in_order);
    REQUIRE(times({last, first}) == in_order);  // whatever the order on the command line
    REQUIRE(times({run / "151003", run / "151002"}) == in_order);
    REQUIRE(times({run / "151003"}) == std::vector<std::int64_t>{0});

    const std::unique_ptr<RecordSource> source = open({run});
    REQUIRE(read_all(*source).size() == 2);
    REQUIRE(defect(*source, "unreadable_file") == 2);
    REQUIRE(said(*source, "151002/235930.zip"));
    REQUIRE_THROWS_WITH(open({run, first}), Catch::Contains("given twice"));
}

TEST_CASE("members that are not a minute are skipped and said", "[readout][fault]") {
    TemporaryFolder folder;
    const Bytes notes{'n', 'o', 't', 'e', 's', ' ', 'o', 'f', ' ', 't', 'h', 'e', ' ', 's', 'h', 'i', 'f', 't'};
    const fs::path file =
        write(folder, "120000.zip",
              zip({{"notes.txt", notes}, {"120000", chunk({kNoon})}, {"120030", chunk({after_noon(9)})}}));
    const std::unique_ptr<RecordSource> source = open({file});
    REQUIRE(read_all(*source).size() == 2);
    REQUIRE(defect(*source, "foreign_member") == 1);
    REQUIRE(said(*source, "'notes.txt' is not a LabVIEW minute"));
}

TEST_CASE("what holds no trigger at all is refused by name", "[readout][error]") {
    TemporaryFolder folder;
    const auto refused = [&](const std::string& name, const Bytes& bytes, const std::string& why) {
        const fs::path file = write(folder, name, bytes);
        INFO(name);
        CHECK_THROWS_AS(open({file}), Error);
        CHECK_THROWS_WITH(open({file}), Catch::Contains(name) && Catch::Contains(why));
    };
    refused("text.zip", {'h', 'e', 'l', 'l', 'o', '\n'}, "no known format");
    refused("nothing.zip", {}, "is empty");
    refused("no_member.zip", zip({}), "zip file without members");
    refused("empty_member.zip", minute({}), "no LabVIEW minute is in it (members: 120000)");
    refused("other_member.zip", zip({{"report.pdf", {'%', 'P', 'D', 'F', '-', '1', '.', '4', '\n', '0'}}}),
            "members: report.pdf");
    refused("only_leftovers.zip", minute(chunk_header(1'000'000)), "no LabVIEW minute");
    Bytes torn = minute(chunk({kNoon}));
    torn.resize(60);
    refused("torn.zip", torn, "torn.zip");
    refused("only_bad_stamps.zip", minute(chunk({Stamp{}})), "without a usable time stamp");

    fs::create_directories(folder.path() / "bare/sub");
    CHECK_THROWS_WITH(open({folder.path() / "bare"}), Catch::Contains("folder without data"));
    CHECK_THROWS_WITH(open({folder.path() / "absent.zip"}), Catch::Contains("no such file"));
    CHECK_THROWS_AS(open({}), UsageError);
}

TEST_CASE("a board that cannot have recorded minutes is a wrong configuration", "[readout][error]") {
    TemporaryFolder folder;
    const fs::path file = write(folder, "120000.zip", minute(chunk({kNoon})));
    BoardInfo board = csi_board();
    board.channels.pop_back();
    CHECK_THROWS_AS(open_recorded({file}, board, 0, {}), UsageError);
    board = csi_board();
    board.sample_type = SampleType::uint16;
    CHECK_THROWS_AS(open_recorded({file}, board, 0, {}), UsageError);
    board = csi_board();
    board.samples = 30'000;
    CHECK_THROWS_AS(open_recorded({file}, board, 0, {}), UsageError);
    board.samples = 0;
    CHECK(open_recorded({file}, board, 0, {})->board().samples == 35'000);
}

TEST_CASE("days too far apart for one run are refused", "[readout][error]") {
    TemporaryFolder folder;
    const fs::path a = write(folder, "151002/120000.zip", minute(chunk({kNoon})));
    const fs::path b = write(folder, "160202/120000.zip", minute(chunk({Stamp{16, 2, 2, 12, 0, 0, 0}})));
    CHECK_THROWS_WITH(open({a, b}), Catch::Contains("123 days apart"));
}

TEST_CASE("a stop is seen between triggers and nothing is lost by it", "[readout][unit]") {
    TemporaryFolder folder;
    const std::unique_ptr<RecordSource> source =
        open({write(folder, "120000.zip", minute(chunk({kNoon, after_noon(1)})))});
    RecordHeader header;
    REQUIRE(source->next(header, {}) == RecordSource::Next::record);
    std::stop_source stop;
    stop.request_stop();
    REQUIRE(source->next(header, stop.get_token()) == RecordSource::Next::idle);
    REQUIRE(source->next(header, {}) == RecordSource::Next::record);
    REQUIRE(header.counter == 1);
    REQUIRE(source->next(header, {}) == RecordSource::Next::end);
    REQUIRE(source->next(header, {}) == RecordSource::Next::end);
}

namespace {

/// Minutes 12:00 to 12:09 of one day, most of them not as they should be. 40 + 3 + 17 + 16 + 2 + 33 + 1 good triggers
/// in 7 of them: blocks that are full at a minute's end, over its end, and empty.
fs::path odd_minutes(const TemporaryFolder& folder) {
    const auto put = [&](int minute_of_hour, const Bytes& bytes) {
        return write(folder, "151002/12" + std::to_string(100 + minute_of_hour).substr(1) + "00.zip", bytes);
    };
    const auto triggers = [](std::uint8_t minute_of_hour, int n) {
        Bytes member;
        for (int first = 0; first < n; first += 10) {
            std::vector<Stamp> stamps;
            for (int i = first; i < std::min(first + 10, n); ++i) {
                stamps.push_back({15, 10, 2, 12, minute_of_hour, 0, static_cast<std::uint8_t>(i)});
            }
            append(member, chunk(stamps));
        }
        return member;
    };
    (void)put(0, minute(triggers(0, 40)));
    Bytes in_the_middle = triggers(1, 3);
    append(in_the_middle, chunk_header(35'008));  // cannot be
    (void)put(1, minute(in_the_middle));
    (void)put(2, {'n', 'o', ' ', 'z', 'i', 'p'});
    (void)put(3, zip({{"notes.txt", Bytes(100, 'x')}, {"120300", triggers(3, 17)}}));
    (void)put(4, minute(triggers(4, 16)));  // one block, just full
    (void)put(5, minute({}));
    Bytes cut = triggers(6, 3);
    cut.resize(cut.size() - 1000);
    (void)put(6, minute(cut));
    Bytes stamped = triggers(7, 20);
    append(stamped, chunk({Stamp{15, 13, 2, 12, 7, 0, 0}}));  // no time, kept
    append(stamped, triggers(7, 12));                         // and back again
    append(stamped, chunk_header(1'000'000));                 // LabVIEW's leftovers
    (void)put(7, minute(stamped));
    Bytes torn = minute(triggers(8, 30));
    torn.resize(60);  // before its first trigger
    (void)put(8, torn);
    (void)put(9, minute(triggers(9, 1)));
    return folder / "151002";
}

}  // namespace

TEST_CASE("minutes that are unpacked by several threads give what one thread gives", "[readout][threads]") {
    TemporaryFolder folder;
    const fs::path minutes = odd_minutes(folder);
    const std::unique_ptr<RecordSource> one = open({minutes});
    const std::vector<ReadRecord> expected = read_all(*one);
    REQUIRE(expected.size() == 40 + 3 + 17 + 16 + 2 + 33 + 1);
    const std::vector<std::pair<std::string, std::uint64_t>> counts{
        {"bad_chunk", 1},  {"trailing_bytes", 8 + 8}, {"unreadable_file", 2}, {"foreign_member", 1},
        {"empty_file", 1}, {"truncated_record", 1},   {"bad_timestamp", 1},   {"clock_backwards", 1}};
    REQUIRE(one->defects().size() == counts.size());
    for (const auto& [name, n] : counts) {
        INFO(name);
        REQUIRE(defect(*one, name) == n);
    }
    const unsigned threads = GENERATE(2u, 3u, 16u);
    const std::unique_ptr<RecordSource> several = open({minutes}, threads);
    const std::vector<ReadRecord> records = read_all(*several);
    REQUIRE(records.size() == expected.size());
    std::size_t unequal = 0;
    for (std::size_t i = 0; i < records.size(); ++i) {
        const bool same = records[i].header == expected[i].header && records[i].payload == expected[i].payload;
        unequal += same ? 0 : 1;
    }
    REQUIRE(unequal == 0);
    REQUIRE(several->defects() == one->defects());
    REQUIRE(several->remarks() == one->remarks());
    REQUIRE(several->fraction_done() == 1.0);
}

TEST_CASE("a real minute torn in a folder of minutes gives the same with several threads", "[readout][threads][real]") {
    const fs::path file = real_file("labview/Run-15-10-02-12-00-00/151002/120000.zip");
    if (file.empty()) return;
    const Bytes whole = read_file(file);
    TemporaryFolder folder;
    for (int i = 0; i < 6; ++i) {
        Bytes bytes = whole;
        if (i == 2 || i == 3) bytes.resize(whole.size() * static_cast<std::size_t>(i) / 4);
        (void)write(folder, "151002/12000" + std::to_string(i) + ".zip", bytes);
    }
    const std::unique_ptr<RecordSource> one = open({folder / "151002"}), two = open({folder / "151002"}, 2);
    const std::vector<ReadRecord> expected = read_all(*one), records = read_all(*two);
    REQUIRE(expected.size() > 4 * 40 + 10);
    REQUIRE(expected.size() < 6 * 40);
    REQUIRE(defect(*one, "torn_file") == 2);
    REQUIRE(records.size() == expected.size());
    for (std::size_t i = 0; i < records.size(); ++i) {
        REQUIRE(records[i].header == expected[i].header);
        REQUIRE(records[i].payload == expected[i].payload);
    }
    REQUIRE(two->defects() == one->defects());
    REQUIRE(two->remarks() == one->remarks());
}

TEST_CASE("with no memory to unpack ahead every minute still comes, in order", "[readout][threads]") {
    TemporaryFolder folder;
    const std::vector<fs::path> minutes = labview::find_minutes(odd_minutes(folder));
    labview::MinutesAhead ahead{minutes, 4, 0};
    std::vector<std::size_t> waveforms(minutes.size(), 0);
    for (std::size_t before = 0; !ahead.at_end();) {
        const std::size_t minute = ahead.minute();
        REQUIRE(minute >= before);
        before = minute;
        const labview::MinuteBlock* const block = ahead.next({});
        if (block == nullptr) continue;  // a busy machine
        waveforms[minute] += block->waveforms;
        for (std::size_t i = 0; i < block->waveforms; ++i) {
            const auto stamp = labview::decode_stamp(block->waveform(i).first<14>());
            REQUIRE(stamp.minute == static_cast<int>(minute));
        }
    }
    REQUIRE(waveforms == std::vector<std::size_t>{40, 3, 0, 17, 16, 0, 2, 33, 0, 1});
    REQUIRE(ahead.next({}) == nullptr);
}

TEST_CASE("threads that unpack end when nobody asks any more, wherever they are", "[readout][threads]") {
    TemporaryFolder folder;
    const fs::path minutes = odd_minutes(folder);
    for (int taken = 0; taken < 60; taken += 7) {
        const std::unique_ptr<RecordSource> source = open({minutes}, 3);
        RecordHeader header;
        for (int i = 0; i < taken;) i += source->next(header, {}) == RecordSource::Next::record ? 1 : 0;
        std::stop_source stop;
        stop.request_stop();
        if (taken > 0) REQUIRE(source->next(header, stop.get_token()) == RecordSource::Next::idle);
    }
    labview::MinutesAhead blocked{labview::find_minutes(minutes), 3, 0};  // its threads wait for room
    REQUIRE_FALSE(blocked.at_end());
}

TEST_CASE("no damage to a minute makes the reader crash or hang", "[readout][fuzz]") {
    const fs::path file = real_file("labview/Run-15-10-02-12-00-00/151002/120000.zip");
    const Bytes compressed = file.empty() ? Bytes{} : read_file(file);
    TemporaryFolder folder;
    Bytes member = chunk({kNoon, after_noon(1)});
    append(member, chunk({after_noon(3)}));
    std::size_t read = 0, refused = 0;
    for (std::uint64_t seed = 1; seed <= 300; ++seed) {
        Dice dice{seed};
        // Every third time the packed file suffers, else what is in it.
        const Bytes bytes =
            seed % 3 == 0 && !compressed.empty() ? damaged(compressed, dice) : minute(damaged(member, dice));
        try {
            const std::unique_ptr<RecordSource> source =
                open({write(folder, "120000.zip", bytes)}, seed % 2 == 0 ? 1 : 2);
            for (const ReadRecord& record : read_all(*source)) {
                if (record.payload.size() != 70'000) FAIL("a record of another size");
            }
            (void)source->remarks();
            ++read;
        } catch (const Error& e) {
            if (std::string{e.what()}.find("120000.zip") == std::string::npos) FAIL(e.what());
            ++refused;
        }
    }
    REQUIRE(read + refused == 300);
    REQUIRE(read > 100);
    REQUIRE(refused > 10);
}
