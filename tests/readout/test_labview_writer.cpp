// The LabVIEW minutes, read back with libarchive and decoded by hand from the description of the format.

#include <archive.h>
#include <archive_entry.h>

#include <filesystem>
#include <fstream>
#include <iostream>

#include "readout/labview_writer.hpp"
#include "test_simulator_tools.hpp"
#include "tests/temporary_folder.hpp"

using namespace simulator_test;
namespace fs = std::filesystem;
using alleycat::testing::TemporaryFolder;

namespace {

struct Member {
    std::string name;
    std::vector<unsigned char> bytes;
};

/// All members of a zip. `streamed`: read from front to end, as a torn file would be; else by its directory.
std::vector<Member> read_zip(const fs::path& path, bool streamed) {
    archive* const zip = archive_read_new();
    if (streamed) {
        archive_read_support_format_zip_streamable(zip);
    } else {
        archive_read_support_format_zip_seekable(zip);
    }
    REQUIRE(archive_read_open_filename(zip, path.c_str(), 65'536) == ARCHIVE_OK);
    std::vector<Member> members;
    for (archive_entry* entry = nullptr; archive_read_next_header(zip, &entry) == ARCHIVE_OK;) {
        Member member{archive_entry_pathname(entry), {}};
        std::array<unsigned char, 65'536> piece{};
        la_ssize_t n = 0;
        while ((n = archive_read_data(zip, piece.data(), piece.size())) > 0) {
            member.bytes.insert(member.bytes.end(), piece.begin(), piece.begin() + n);
        }
        REQUIRE(n == 0);
        members.push_back(std::move(member));
    }
    archive_read_free(zip);
    return members;
}

struct LabviewTrigger {
    std::array<int, 7> stamp{};  // yy mm dd HH MM SS hundredths
    std::vector<signed char> signal, veto;
};
struct LabviewFile {
    std::vector<int> triggers_per_chunk;
    std::vector<LabviewTrigger> triggers;
};

/// From the format's description: big-endian counts, 7 columns of time stamp, 35,000 columns of two codes.
LabviewFile decode(const std::vector<unsigned char>& bytes) {
    LabviewFile file;
    std::size_t at = 0;
    const auto number = [&] {
        const int value = bytes[at] << 24 | bytes[at + 1] << 16 | bytes[at + 2] << 8 | bytes[at + 3];
        at += 4;
        return value;
    };
    while (at < bytes.size()) {
        const int columns = number();
        REQUIRE(number() == 2);
        REQUIRE(columns % 35'007 == 0);
        REQUIRE(columns <= 350'070);
        file.triggers_per_chunk.push_back(columns / 35'007);
        for (int t = 0; t < columns / 35'007; ++t) {
            REQUIRE(at + 70'014 <= bytes.size());
            LabviewTrigger trigger;
            for (int& field : trigger.stamp) {
                REQUIRE(bytes[at] == 0);
                field = bytes[at + 1];
                at += 2;
            }
            for (int i = 0; i < 35'000; ++i, at += 2) {
                trigger.signal.push_back(static_cast<signed char>(bytes[at]));
                trigger.veto.push_back(static_cast<signed char>(bytes[at + 1]));
            }
            file.triggers.push_back(std::move(trigger));
        }
    }
    return file;
}

}  // namespace

TEST_CASE("the LabVIEW minutes hold the records, stamped in local time", "[readout][labview]") {
    const TemporaryFolder folder;
    SimulatorConfig config = fast_config(2);
    config.start_utc = from_iso8601("2015-11-01T03:59:59.805Z");  // 23:59:59.805 on October 31 in New York
    config.tick_period_ns = 2.5e9;                                // 24 per minute
    config.tick_period_swing_ns = 0;
    Simulator simulator{config, csi_board(), 0, 35};
    std::vector<Taken> records;
    {
        LabviewWriter writer{folder.path(), TimeZone{"EST5EDT,M3.2.0,M11.1.0"}};
        for (Taken record; take(simulator, record);) {
            writer.write(record.view());
            records.push_back(record);
        }
        CHECK(fs::exists(folder.path() / "Run-15-10-31-23-59-59/151101/000059.zip.part"));
        writer.close();
    }
    // The second file begins with tick 24, 60 s later: on the next day.
    const fs::path run = folder.path() / "Run-15-10-31-23-59-59";
    std::vector<std::string> files;
    for (const auto& entry : fs::recursive_directory_iterator{folder.path()}) {
        if (entry.is_regular_file()) files.push_back(fs::relative(entry.path(), run).string());
    }
    std::sort(files.begin(), files.end());
    REQUIRE(files == std::vector<std::string>{"151031/235959.zip", "151101/000059.zip"});

    const std::vector<Member> first = read_zip(run / files[0], true), second = read_zip(run / files[1], true);
    REQUIRE(first.size() == 1);
    CHECK(first[0].name == "235959");
    REQUIRE(second.size() == 1);
    CHECK(second[0].name == "000059");
    const std::vector<Member> seeking = read_zip(run / files[0], false);
    REQUIRE(seeking.size() == 1);
    CHECK(seeking[0].bytes == first[0].bytes);

    const LabviewFile a = decode(first[0].bytes), b = decode(second[0].bytes);
    CHECK(a.triggers_per_chunk == std::vector<int>{10, 10, 4});
    CHECK(b.triggers_per_chunk == std::vector<int>{10, 1});
    // Ticks 0, 1 and 24 at 59.805, 62.305 and 119.805 s
    CHECK(a.triggers[0].stamp == std::array<int, 7>{15, 10, 31, 23, 59, 59, 80});
    CHECK(a.triggers[1].stamp == std::array<int, 7>{15, 11, 1, 0, 0, 2, 30});
    CHECK(b.triggers[0].stamp == std::array<int, 7>{15, 11, 1, 0, 0, 59, 80});
    std::vector<LabviewTrigger> all = a.triggers;
    all.insert(all.end(), b.triggers.begin(), b.triggers.end());
    REQUIRE(all.size() == records.size());
    for (std::size_t i = 0; i < all.size(); ++i) {
        const auto signal = records[i].view().channel<std::int8_t>(0), veto = records[i].view().channel<std::int8_t>(1);
        REQUIRE(std::equal(signal.begin(), signal.end(), all[i].signal.begin(), all[i].signal.end()));
        REQUIRE(std::equal(veto.begin(), veto.end(), all[i].veto.begin(), all[i].veto.end()));
    }
}

TEST_CASE("no LabVIEW minute is overwritten, and what does not fit the format is refused", "[readout][labview]") {
    const TemporaryFolder folder;
    const TimeZone utc{"UTC0"};
    Simulator simulator{fast_config(2), csi_board(), 0, 1};
    Taken record;
    REQUIRE(take(simulator, record));
    {
        LabviewWriter writer{folder.path(), utc};
        writer.write(record.view());
        writer.close();
        writer.close();  // nothing to do
    }
    {
        LabviewWriter writer{folder.path(), utc};
        CHECK_THROWS_WITH(writer.write(record.view()),
                          Catch::Contains("160000.zip") && Catch::Contains("exists already"));
    }
    {
        LabviewWriter writer{folder.path() / "deep", utc, 0, 2};
        CHECK_THROWS_WITH(writer.write(record.view()), Catch::Contains("two channels of 35000"));
        Taken stub = record;
        stub.header.refusal = RefusalReason::buffer_full;
        CHECK_THROWS_WITH(writer.write(stub.view()), Catch::Contains("refused"));
    }
    std::ofstream{folder.path() / "file"} << "in the way";
    LabviewWriter writer{folder.path() / "file", utc};
    CHECK_THROWS_WITH(writer.write(record.view()), Catch::Contains("cannot be made"));
}

TEST_CASE("simulated minutes are built like the recorded sample", "[readout][labview]") {
    const fs::path sample = fs::path{ALLEYCAT_REAL_DATA} / "labview/Run-15-10-02-12-00-00/151002/120000.zip";
    if (!fs::exists(sample)) {
        std::cout << "SKIPPED: " << sample << " is absent\n";
        return;
    }
    const TemporaryFolder folder;
    SimulatorConfig config = fast_config(3);
    config.start_utc =
        from_iso8601("2015-10-02T16:00:00.0001Z");  // noon in New York; ticks come a little early at 60 Hz
    Simulator simulator{config, csi_board(), 0, 40};
    LabviewWriter writer{folder.path(), TimeZone{"EST5EDT,M3.2.0,M11.1.0"}};
    for (Taken record; take(simulator, record);) writer.write(record.view());
    writer.close();

    const std::vector<Member> theirs = read_zip(sample, true);
    const std::vector<Member> ours = read_zip(folder.path() / "Run-15-10-02-12-00-00/151002/120000.zip", true);
    REQUIRE(theirs.size() == 1);
    REQUIRE(ours.size() == 1);
    CHECK(ours[0].name == theirs[0].name);
    CHECK(ours[0].bytes.size() == theirs[0].bytes.size());
    const LabviewFile a = decode(theirs[0].bytes), b = decode(ours[0].bytes);
    CHECK(a.triggers_per_chunk == b.triggers_per_chunk);
    for (std::size_t i = 0; i < 40; ++i)
        CHECK(a.triggers[i].stamp == b.triggers[i].stamp);  // both at 60 Hz from 12:00:00.00
}
