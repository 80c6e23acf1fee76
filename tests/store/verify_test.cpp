#include "daq/store/verify.hpp"

#include <hdf5.h>

#include <catch2/catch.hpp>
#include <fstream>

#include "builders.hpp"
#include "daq/core/error.hpp"
#include "daq/store/catalogue.hpp"
#include "daq/store/file_reader.hpp"
#include "daq/store/journal.hpp"
#include "daq/store/run_writer.hpp"
#include "daq/store/single_file_writer.hpp"

using namespace alleycat;
using namespace alleycat::testing;

namespace {

std::string all_problems(const VerifyReport& report) {
    std::string text;
    for (const auto& file : report.files) {
        for (const std::string& problem : file.problems) text += problem + "\n";
    }
    for (const std::string& problem : report.problems) text += problem + "\n";
    return text;
}
std::string all_notes(const VerifyReport& report) {
    std::string text;
    for (const auto& file : report.files) {
        for (const std::string& note : file.notes) text += note + "\n";
    }
    return text;
}

StoreConfig config_in(const TemporaryFolder& folder) {
    StoreConfig config;
    config.folder = folder.path();
    config.compression = Compression::none;
    config.disk_warning_mb = 0;
    config.disk_stop_mb = 0;
    return config;
}

/// A closed run of 20 triggers in the folder.
std::filesystem::path closed_run(const TemporaryFolder& folder) {
    RunWriter writer{config_in(folder)};
    RunFrames frames{make_run(2)};
    writer.append(view(frames.start()));
    for (std::uint64_t s = 0; s < 20; ++s) writer.append(view(frames.trigger(s)));
    writer.append(view(frames.beam_states(0, 19, BeamState::on, 1)));
    writer.append(view(frames.end(20)));
    return folder / "run_000002_part_0001.h5";
}

/// Overwrites row `row` of a u64 column with HDF5's own API.
void change(const std::filesystem::path& file, const char* column, hsize_t row, std::uint64_t value) {
    const hid_t id = H5Fopen(file.c_str(), H5F_ACC_RDWR, H5P_DEFAULT);
    REQUIRE(id >= 0);
    const hid_t dataset = H5Dopen2(id, column, H5P_DEFAULT), space = H5Dget_space(dataset);
    const hsize_t one = 1;
    const hid_t memory = H5Screate_simple(1, &one, nullptr);
    H5Sselect_hyperslab(space, H5S_SELECT_SET, &row, nullptr, &one, nullptr);
    REQUIRE(H5Dwrite(dataset, H5T_NATIVE_UINT64, memory, space, H5P_DEFAULT, &value) >= 0);
    H5Sclose(memory), H5Sclose(space), H5Dclose(dataset), H5Fclose(id);
}

}  // namespace

TEST_CASE("a byte flipped in the samples is found by checksum and by digest", "[store][verify]") {
    const TemporaryFolder folder;
    const std::filesystem::path file = closed_run(folder);
    REQUIRE(verify(file).ok());
    // Where trigger 5's first channel stands: 5, 6, 7, ...
    std::string pattern;
    for (int k = 0; k < 50; ++k) pattern += static_cast<char>(5 + k);
    const std::size_t at = bytes_of(file).find(pattern);
    REQUIRE(at != std::string::npos);
    put_byte(file, at, '\x63');
    const VerifyReport report = verify(file);
    REQUIRE_FALSE(report.ok());
    REQUIRE_THAT(all_problems(report), Catch::Contains("/raw/digitizer/samples") && Catch::Contains("hecksum"));
    REQUIRE_THAT(all_problems(report), Catch::Contains("SHA-256"));
}

TEST_CASE("rows that are missing, doubled or contradict each other are named", "[store][verify]") {
    const TemporaryFolder folder;
    const std::filesystem::path file = closed_run(folder);
    change(file, "/triggers/sequence", 12, 11);
    const std::string said = all_problems(verify(file));
    REQUIRE_THAT(said, Catch::Contains("row 12 of /triggers is trigger 11, the row before trigger 11"));
    REQUIRE_THAT(said, Catch::Contains("trigger 12 is missing: neither recorded nor refused"));
    REQUIRE_THAT(said, Catch::Contains("trigger 11 is there twice"));
    REQUIRE_THAT(said, Catch::Contains("the rows of /windows/coincident are not those of /triggers"));
    REQUIRE_THAT(said, Catch::Contains("row 12 of /raw/digitizer is of trigger 12, which is not in /triggers"));
    REQUIRE_THAT(said, Catch::Contains("SHA-256"));
}

TEST_CASE("samples and station file that were taken out are missed", "[store][verify]") {
    const TemporaryFolder folder;
    const std::filesystem::path file = closed_run(folder);
    const hid_t id = H5Fopen(file.c_str(), H5F_ACC_RDWR, H5P_DEFAULT);
    REQUIRE(H5Ldelete(id, "/raw", H5P_DEFAULT) >= 0);
    REQUIRE(H5Ldelete(id, "/config", H5P_DEFAULT) >= 0);
    H5Fclose(id);
    const std::string said = all_problems(verify(file));
    REQUIRE_THAT(said, Catch::Contains("/raw is missing"));
    REQUIRE_THAT(said, Catch::Contains("/config is missing"));
}

TEST_CASE("columns of different length, time running backwards and a wrong summary are named", "[store][verify]") {
    const TemporaryFolder folder;
    const std::filesystem::path file = closed_run(folder);
    const hid_t id = H5Fopen(file.c_str(), H5F_ACC_RDWR, H5P_DEFAULT);
    const hid_t flags = H5Dopen2(id, "/triggers/flags", H5P_DEFAULT);
    const hsize_t shorter = 18;
    H5Dset_extent(flags, &shorter);
    H5Dclose(flags);
    const hid_t flow = H5Gopen2(id, "/summary/cut_flow/coincident", H5P_DEFAULT),
                accepted = H5Aopen(flow, "accepted", H5P_DEFAULT);
    const std::uint64_t wrong = 19;
    H5Awrite(accepted, H5T_NATIVE_UINT64, &wrong);
    H5Aclose(accepted), H5Gclose(flow), H5Fclose(id);
    change(file, "/triggers/time_ps", 3, 1);
    const std::string said = all_problems(verify(file));
    REQUIRE_THAT(said, Catch::Contains("/triggers/flags has 18 rows, /triggers has 20"));
    REQUIRE_THAT(said, Catch::Contains("time runs backwards at trigger 3: 1 ps after 2000000000000 ps"));
    REQUIRE_THAT(said, Catch::Contains("the cut flow of coincident does not close: 20 rows, 26 accepted or rejected"));
}

TEST_CASE("time that runs backwards at a tick flagged for it is the run's finding, not a fault of the file",
          "[store][verify]") {
    const TemporaryFolder folder;
    const std::filesystem::path file = closed_run(folder);
    change(file, "/triggers/time_ps", 3, 1);
    change(file, "/triggers/flags", 3, trigger_flag::tick_backwards);
    const VerifyReport report = verify(file);
    REQUIRE_THAT(all_problems(report), !Catch::Contains("time runs backwards"));
    REQUIRE(report.files.at(0).notes.at(0) == "time runs backwards at 1 trigger(s), flagged");
}

TEST_CASE("a gap in the sequence and a ledger that disagrees are named", "[store][verify]") {
    const TemporaryFolder folder;
    SingleFileWriter writer{folder / "gap.h5", Compression::deflate, RawData::all};
    RunFrames frames{make_run(2)};
    writer.append(view(frames.start()));
    for (const std::uint64_t s : {0, 1, 2, 6}) writer.append(view(frames.trigger(s)));
    writer.append(view(frames.dead_time(2, 3)));
    writer.append(view(frames.end(7, 2)));
    writer.finish();
    const VerifyReport report = verify(folder / "gap.h5");
    REQUIRE_THAT(all_problems(report), Catch::Contains("trigger 2 is there twice: recorded and refused"));
    REQUIRE_THAT(all_problems(report), Catch::Contains("triggers 4 to 5 are missing: neither recorded nor refused"));
    REQUIRE_THAT(all_problems(report),
                 Catch::Contains("run 2: its ledger says 5 triggers were recorded, the files hold 4"));
    REQUIRE_THAT(all_notes(report), Catch::Contains("no catalogue"));
}

TEST_CASE("a gap before a run is told in words, and held against the ledger", "[store][verify]") {
    // 2.5 s at 60 Hz are 150 triggers.
    const Gap before{1, 1201, 1'000'000'000, 3'500'000'000, 150, true};
    const TemporaryFolder folder;
    const auto run_with = [&](const char* name, const std::vector<Gap>& gaps, std::uint64_t ledger_says) {
        SingleFileWriter writer{folder / name, Compression::deflate, RawData::all};
        RunFrames frames{make_run(2)};
        writer.append(view(frames.start()));
        for (const Gap& gap : gaps) writer.append(view(frames.gap(gap)));
        writer.append(view(frames.trigger(0)));
        writer.append(view(frames.end(1, 0, ledger_says)));
        writer.finish();
        return folder / name;
    };
    const std::filesystem::path told = run_with("told.h5", {before}, 150);
    REQUIRE(AlleycatFile{told}.gaps() == std::vector{before});
    REQUIRE(info(told).gaps == std::vector{before});
    const VerifyReport report = verify(told);
    REQUIRE(report.ok());
    REQUIRE_THAT(all_notes(report),
                 Catch::Contains("before this run: run 1 was cut off after trigger 1201: 2.5 s, an estimated 150 "
                                 "triggers are lost (from what is on disk)"));
    REQUIRE_THAT(all_problems(verify(run_with("untold.h5", {}, 150))),
                 Catch::Contains("run 2: its ledger says 150 triggers were lost before the run, /gaps says 0"));
    Gap backwards = before;
    std::swap(backwards.from_utc_ns, backwards.to_utc_ns);
    REQUIRE_THAT(all_problems(verify(run_with("backwards.h5", {backwards}, 150))),
                 Catch::Contains("ends at 1000000000 ns, before it begins at 3500000000 ns"));
}

TEST_CASE("a part missing from its folder is named, with the triggers that went with it", "[store][verify]") {
    const TemporaryFolder folder;
    {
        StoreConfig config = config_in(folder);
        config.part_size_mb = 1;
        RunWriter writer{config};
        RunFrames frames{make_run(2)};
        writer.append(view(frames.start()));
        std::uint64_t s = 0;
        while (!std::filesystem::exists(folder / "run_000002_part_0003.journal")) {
            writer.append(view(frames.trigger(s)));
            writer.append(view(frames.beam_states(s, s, BeamState::on, 1)));
            ++s;
        }
        writer.append(view(frames.end(s)));
    }
    REQUIRE(verify(folder.path()).ok());
    const PartSummary gone = *AlleycatFile{folder / "run_000002_part_0002.h5"}.summary();
    std::filesystem::remove(folder / "run_000002_part_0002.h5");
    const std::string said = all_problems(verify(folder.path()));
    REQUIRE_THAT(said, Catch::Contains("run 2: part 2 is not in the folder"));
    REQUIRE_THAT(said, Catch::Contains("triggers " + std::to_string(gone.first_sequence) + " to " +
                                       std::to_string(gone.last_sequence) + " are missing"));
}

TEST_CASE("a part cut in half is rebuilt from its journal, or refused without one", "[store][verify]") {
    const TemporaryFolder folder;
    RunFrames frames{make_run(2)};
    {
        RunWriter writer{config_in(folder)};
        writer.append(view(frames.start()));
        for (std::uint64_t s = 0; s < 20; ++s) writer.append(view(frames.trigger(s)));
        (void)writer.sync();
        writer.finish();
    }
    const std::filesystem::path part = folder / "run_000002_part_0001.h5.part";
    std::filesystem::resize_file(part, std::filesystem::file_size(part) / 2);
    REQUIRE_THAT(all_problems(verify(part)), Catch::Contains("HDF5 can"));

    const TemporaryFolder without_journal;
    std::filesystem::copy_file(part, without_journal / "run_000002_part_0001.h5.part");
    const VerifyReport refused = verify(without_journal.path(), true);
    REQUIRE_THAT(all_problems(refused), Catch::Contains("cannot be salvaged: no trigger in it is provably right"));
    REQUIRE(std::filesystem::exists(without_journal / "run_000002_part_0001.h5.part"));

    const VerifyReport repaired = verify(folder.path(), true);
    INFO(all_problems(repaired));
    REQUIRE(repaired.ok());
    REQUIRE_THAT(all_notes(repaired), Catch::Contains("rebuilt from run_000002_part_0001.journal: 20 triggers"));
    REQUIRE_THAT(all_notes(repaired), Catch::Contains("the catalogue calls it repaired"));
    REQUIRE(AlleycatFile{folder / "run_000002_part_0001.h5"}.triggers() == 20);
    REQUIRE(verify(folder.path()).ok());
}

TEST_CASE("a part of which only the journal is left is made from it", "[store][verify]") {
    const TemporaryFolder folder;
    {
        RunWriter writer{config_in(folder)};
        RunFrames frames{make_run(2)};
        writer.append(view(frames.start()));
        writer.append(view(frames.trigger(0)));
        (void)writer.sync();
    }
    std::filesystem::remove(folder / "run_000002_part_0001.h5.part");
    REQUIRE_THAT(all_problems(verify(folder.path())), Catch::Contains("only in its journal"));
    REQUIRE(verify(folder.path(), true).ok());
    REQUIRE(AlleycatFile{folder / "run_000002_part_0001.h5"}.triggers() == 1);
}

TEST_CASE("verify refuses a path that is not there and a folder without parts", "[store][verify]") {
    const TemporaryFolder folder;
    REQUIRE_THROWS_WITH(verify(folder / "absent"), Catch::Contains("no such file or folder"));
    REQUIRE_THROWS_WITH(verify(folder.path()), Catch::Contains("holds no .h5 file"));
}

// ---- what once passed as whole

namespace {

/// Three parts of a run that ended, in the folder.
void three_parts(const TemporaryFolder& folder, std::uint64_t run = 2) {
    StoreConfig config = config_in(folder);
    config.part_minutes = std::chrono::minutes{1};  // 60 triggers
    RunWriter writer{config};
    RunFrames frames{make_run(run)};
    writer.append(view(frames.start()));
    for (std::uint64_t s = 0; s < 150; ++s) {
        writer.append(view(frames.trigger(s)));
        writer.append(view(frames.beam_states(s, s, BeamState::on, 1)));
    }
    writer.append(view(frames.end(150)));
}

/// Runs h5py on the file, opened for writing as `f`.
void edit(const std::filesystem::path& file, const std::string& script) {
    int status = 0;
    (void)run_python("import sys, h5py, numpy as np\nwith h5py.File(sys.argv[1], 'r+') as f:\n    " + script + "\n",
                     {file.string()}, status);
    REQUIRE(status == 0);
}

std::string problems_of(const std::filesystem::path& path) { return all_problems(verify(path)); }

}  // namespace

TEST_CASE("the last part of a run that was deleted is named, by the catalogue and without it", "[store][verify]") {
    const TemporaryFolder folder;
    three_parts(folder);
    REQUIRE(problems_of(folder.path()).empty());
    std::filesystem::remove(folder / "run_000002_part_0003.h5");
    REQUIRE_THAT(
        problems_of(folder.path()),
        Catch::Contains("run_000002_part_0003.h5 is in the catalogue and not in the folder: triggers 120 to 149"));
    std::filesystem::remove(folder / "catalogue.sqlite");
    REQUIRE_THAT(problems_of(folder.path()),
                 Catch::Contains("run 2: part 3 is not in the folder: part 2 was closed because it was full"));
}

TEST_CASE("a whole run that was deleted is named", "[store][verify]") {
    const TemporaryFolder folder;
    three_parts(folder, 2);
    three_parts(folder, 3);
    for (const char* part : {"run_000003_part_0001.h5", "run_000003_part_0002.h5", "run_000003_part_0003.h5"})
        std::filesystem::remove(folder / part);
    const std::string said = problems_of(folder.path());
    REQUIRE_THAT(said, Catch::Contains("run_000003_part_0001.h5 is in the catalogue and not in the folder"));
    REQUIRE_THAT(said, Catch::Contains("run_000003_part_0003.h5 is in the catalogue and not in the folder"));
}

TEST_CASE("records that were taken out of /raw are named", "[store][verify]") {
    const TemporaryFolder folder;
    const std::filesystem::path file = closed_run(folder);
    edit(file, "for c in f['raw/digitizer'].values(): c[5:15] = c[10:20]; c.resize(15, 0)");
    REQUIRE_THAT(problems_of(file), Catch::Contains("/raw/digitizer has no record of triggers 5 to 9"));
}

TEST_CASE("a reading of a board that the run does not have, and one without its value, are named", "[store][verify]") {
    const TemporaryFolder folder;
    RunFrames frames{make_run(2)};
    {
        RunWriter writer{config_in(folder)};
        writer.append(view(frames.start()));
        writer.append(view(frames.readings({{5, 1, {"temperature", 38.25, "degC"}}, {6, 0, {"busy", 0.5, ""}}})));
        writer.append(view(frames.trigger(0)));
        writer.append(view(frames.end(1)));
    }
    const std::filesystem::path file = folder / "run_000002_part_0001.h5";
    REQUIRE(problems_of(file).empty());
    edit(file, "f['readings/board'][1] = 7");
    REQUIRE_THAT(problems_of(file), Catch::Contains("row 1 of /readings is of board 7, the run has 2"));
    edit(file, "f['readings/value'].resize(1, 0)");
    REQUIRE_THAT(problems_of(file), Catch::Contains("/readings/value has 1 rows, /readings has 2"));
}

TEST_CASE("what has no checksum is covered by the part's own digest, without any catalogue", "[store][verify]") {
    const TemporaryFolder folder;
    const std::filesystem::path file = closed_run(folder);
    std::filesystem::remove(folder / "catalogue.sqlite");
    REQUIRE(problems_of(file).empty());
    const auto [change, named] = GENERATE(table<std::string, std::string>({
        {"del f['config']", "/config is missing"},
        {"del f['config']; f['config'] = 'other'", "/config is not the station file"},
        {"f.attrs['run'] = np.uint64(3)", "its attribute run is not 2"},
        {"f.attrs['host'] = 'elsewhere'", "its attribute host is not 'somewhere'"},
        {"f['triggers/time_ps'].attrs['units'] = 'ns'", "content_sha256"},
        {"f['triggers/flags'].attrs['bits'] = 'muon_veto'", "content_sha256"},
        {"f['raw/digitizer'].attrs['sample_period_ps'] = np.int64(4000)", "content_sha256"},
        {"f['summary/exposure'].attrs['beam_energy_gwh'] = 1.0", "content_sha256"},
        {"f['triggers/baseline_mean_adc'][3] = 95.5", "content_sha256"},
        {"del f['summary'].attrs['content_sha256']", "is missing"},
        {"f.attrs['tick_rate_hz'] = 61.0", "content_sha256"},
    }));
    edit(file, change);
    INFO(change);
    REQUIRE_THAT(problems_of(file), Catch::Contains(named));
}

TEST_CASE("a part under another part's name is named", "[store][verify]") {
    const TemporaryFolder folder;
    three_parts(folder);
    std::filesystem::remove(folder / "catalogue.sqlite");
    std::filesystem::rename(folder / "run_000002_part_0003.h5", folder / "run_000002_part_0004.h5");
    REQUIRE_THAT(problems_of(folder / "run_000002_part_0004.h5"),
                 Catch::Contains("its name says part 4 of run 2, its content part 3 of run 2"));
}

TEST_CASE("dead time that is negative or overlaps is named", "[store][verify]") {
    const TemporaryFolder folder;
    SingleFileWriter writer{folder / "a.h5", Compression::deflate, RawData::all};
    RunFrames frames{make_run(2)};
    writer.append(view(frames.start()));
    writer.append(view(frames.trigger(0)));
    writer.append(view(frames.dead_time(1, 2)));  // 1 s to 3 s
    writer.append(view(frames.trigger(3)));
    writer.append(view(frames.dead_time(4, 5)));  // 4 s to 6 s
    writer.append(view(frames.end(6, 4)));
    writer.finish();
    REQUIRE(problems_of(folder / "a.h5").empty());
    edit(folder / "a.h5", "f['dead_time/begin_ps'][1] = 2 * 10**12");
    REQUIRE_THAT(problems_of(folder / "a.h5"),
                 Catch::Contains("the dead times of triggers 1 to 2 and of triggers 4 to 5 "
                                 "overlap: until 3000000000000 ps and from 2000000000000"));
    edit(folder / "a.h5", "f['dead_time/end_ps'][1] = 10**12");
    REQUIRE_THAT(problems_of(folder / "a.h5"), Catch::Contains("ends at 1000000000000 ps, before it begins"));
}

TEST_CASE("the ledger of a part is held against the rows up to the moment it speaks of, ended or not",
          "[store][verify]") {
    const TemporaryFolder folder;
    const auto part_with = [&](const std::string& name, std::uint64_t said) {
        SingleFileWriter writer{folder / name, Compression::deflate, RawData::all};
        RunFrames frames{make_run(2)};
        writer.append(view(frames.start()));
        for (const std::uint64_t s : {0, 1, 4, 5}) writer.append(view(frames.trigger(s)));
        writer.append(view(frames.dead_time(2, 3)));
        CounterSample sample;
        sample.sequence = 5;
        sample.ledger = {.ticks_expected = 5, .ticks_seen = 5, .triggers = 5, .recorded = said, .refused = 5 - said};
        writer.append(view(encode_counters(2, frames.next_ordinal(), sample)));
        writer.finish();  // no run_end: interrupted
        return problems_of(folder / name);
    };
    REQUIRE(part_with("right.h5", 3).empty());  // triggers 0, 1 and 4; 5 came behind the report
    REQUIRE_THAT(part_with("wrong.h5", 4),
                 Catch::Contains("run 2, part 1: its ledger says 4 triggers were recorded, the "
                                 "files hold 3"));
}

// ---- repair

TEST_CASE("a repaired part keeps the station's compression and raw, and gets the beam states of newer journals",
          "[store][verify]") {
    const TemporaryFolder folder;
    RunDescription run = make_run(2);
    run.config_text = "[store]\ncompression = \"none\"\nraw = \"accepted\"\n";
    {
        StoreConfig config = config_in(folder);
        config.raw = RawData::accepted;
        config.part_minutes = std::chrono::minutes{1};
        RunWriter writer{config};
        RunFrames frames{run};
        writer.append(view(frames.start()));
        for (std::uint64_t s = 0; s < 70; ++s) writer.append(view(frames.trigger(s)));
        writer.append(view(frames.beam_states(0, 39, BeamState::on, 1)));  // both journals get these
        (void)writer.sync();
    }
    {  // beam states that only the newer journal holds, as after a crash between the two
        const RunFrames frames{run};
        const std::filesystem::path newer = folder / "run_000002_part_0002.journal";
        JournalWriter journal = JournalWriter::reopen(newer, std::filesystem::file_size(newer));
        std::vector<BeamResolution> states;
        for (std::uint64_t s = 40; s < 60; ++s) states.push_back({s, 1, BeamState::off});
        journal.append(encode_beam_states(2, 72, states));
        journal.sync();
    }
    (void)verify(folder / "run_000002_part_0001.h5.part", true);
    const std::filesystem::path repaired = folder / "run_000002_part_0001.h5";
    const AlleycatFile file{repaired};
    REQUIRE(file.summary()->ticks[index_of(BeamState::on)] == 40);
    REQUIRE(file.summary()->ticks[index_of(BeamState::off)] == 20);
    int status = 0;
    REQUIRE(
        run_python("import sys, h5py\nwith h5py.File(sys.argv[1]) as f:\n"
                   "    print(f.attrs['raw'], f['raw/digitizer/samples'].compression, len(f['raw/digitizer/samples']))",
                   {repaired.string()}, status) == "accepted None 40\n");  // two of three are accepted
    const Catalogue catalogue{folder.path(), Catalogue::Open::read_only};
    REQUIRE(catalogue.run(2).value().state == "running");
}
