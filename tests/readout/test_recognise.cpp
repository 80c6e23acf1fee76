#include <catch2/catch.hpp>

#include "daq/core/error.hpp"
#include "daq/core/station.hpp"
#include "readout/input.hpp"
#include "tests/readout/read_all.hpp"

using namespace alleycat;
using namespace alleycat::testing;

TEST_CASE("recorded files are recognised by their bytes, whatever they are called", "[readout][real]") {
    const fs::path minute = real_file("labview/Run-15-10-02-12-00-00/151002/120000.zip");
    const fs::path wave = real_file("wavedump/SiPM_BGO_coinc_DT5751_wave0.dat");
    const fs::path germanium = real_file("wavedump/HPGe_DT5720_wave0.dat");
    if (minute.empty() || wave.empty() || germanium.empty()) return;
    TemporaryFolder folder;
    CHECK(recognise(write(folder, "data.bin", read_file(minute))) == InputKind::labview);
    CHECK(recognise(write(folder, "120000.zip", read_file(wave))) == InputKind::wavedump);
    CHECK(recognise(write(folder, "notes.txt", read_file(germanium))) == InputKind::wavedump);
    CHECK(recognise(minute.parent_path()) == InputKind::labview);
    CHECK(recognise(minute.parent_path().parent_path()) == InputKind::labview);
}

TEST_CASE("other formats are not taken for one of these", "[readout][unit]") {
    for (const char* name : {"labview/truth.csv", "compass/compass_test_data_settings.xml"}) {
        const fs::path file = real_file(name);
        if (file.empty()) return;
        INFO(name);
        CHECK(recognise(file) == InputKind::unknown);
    }
    TemporaryFolder folder;
    CHECK(recognise(write(folder, "wave0.dat", Bytes(1000, 0))) == InputKind::unknown);
    CHECK(recognise(write(folder, "wave0.dat", Bytes(10, 1))) == InputKind::unknown);
    CHECK(recognise(write(folder, "wave0.dat", {0x89, 'H', 'D', 'F', '\r', '\n', 0x1A, '\n'})) == InputKind::unknown);
    fs::create_directories(folder.path() / "bare");
    CHECK(recognise(folder.path() / "bare") == InputKind::unknown);
    CHECK_THROWS_AS(recognise(folder.path() / "absent"), Error);
    CHECK_THROWS_WITH(recognise("/dev/null"), Catch::Contains("/dev/null: is neither a file nor a folder"));
}

TEST_CASE("inputs of two kinds are not mixed", "[readout][error]") {
    const fs::path minute = real_file("labview/Run-15-10-02-12-00-00/151002/120000.zip");
    const fs::path wave = real_file("wavedump/SiPM_BGO_coinc_DT5751_wave0.dat");
    if (minute.empty() || wave.empty()) return;
    CHECK_THROWS_WITH(open_recorded({minute, wave}, {}, 0, {}),
                      Catch::Contains("WaveDump files cannot be read together with LabVIEW minutes"));
}

namespace {
std::vector<std::string> problems_in(const std::string& text) {
    const ConfigFile file = ConfigFile::parse(text, "s.toml");
    ConfigProblems problems;
    ConfigSection root{file, problems};
    (void)parse_file_sources(root);
    root.finish();
    return problems.lines();
}
}  // namespace

TEST_CASE("the tables of the readers are read with all their problems", "[readout][config]") {
    CHECK(problems_in("").empty());
    CHECK(problems_in("[labview]\ntime_zone = \"UTC0\"\n[wavedump]\nheader = false\nrecord_interval_ps = 2000000\n")
              .empty());
    const std::vector<std::string> lines = problems_in(
        "[labview]\n"
        "time_zone = \"Eastern\"\n"
        "[wavedump]\n"
        "clock_bits = 64\n"
        "record_interval_ps = 2000000\n"
        "head = true\n");
    REQUIRE(lines.size() == 4);
    CHECK(
        lines[0] ==
        "s.toml:2:13: labview.time_zone: 'Eastern' is not a POSIX time-zone rule like EST5EDT,M3.2.0,M11.1.0 or UTC0");
    CHECK(lines[1] == "s.toml:4:14: wavedump.clock_bits: 64 is outside [16, 32]");
    CHECK(lines[2] ==
          "s.toml:5:22: wavedump.record_interval_ps: has a meaning only with header = false: event headers carry the "
          "time");
    CHECK(lines[3] == "s.toml:6:1: wavedump.head: unknown key");
}

TEST_CASE("the station files of recorded data open the recordings they are for", "[readout][config][real]") {
    struct Case {
        const char* station;
        std::vector<std::string> inputs;
        std::size_t triggers;
    };
    for (const Case& one :
         {Case{"csi-labview.toml", {"labview/Run-15-10-02-12-00-00"}, 40},
          Case{"bgo-coincidence.toml",
               {"wavedump/SiPM_BGO_coinc_DT5751_wave0.dat", "wavedump/SiPM_BGO_coinc_DT5751_wave1.dat"},
               41},
          Case{"hpge.toml", {"wavedump/HPGe_DT5720_wave0.dat"}, 8}}) {
        INFO(one.station);
        std::vector<fs::path> inputs;
        for (const std::string& name : one.inputs) {
            inputs.push_back(real_file(name));
            if (inputs.back().empty()) return;
        }
        const ConfigFile file = ConfigFile::load(fs::path{ALLEYCAT_SOURCE_DIR} / "config" / one.station);
        ConfigProblems problems;
        ConfigSection root{file, problems};
        const Station station = parse_station(root);
        const FileSourceConfig config = parse_file_sources(root);
        REQUIRE(problems.lines() == std::vector<std::string>{});
        const std::unique_ptr<RecordSource> source = open_recorded(inputs, station.boards.at(0), 0, config);
        CHECK(source->board() == station.boards.at(0));  // nothing was left open, nothing found otherwise
        CHECK(read_all(*source).size() == one.triggers);
        CHECK(source->defects().empty());
    }
}
