// Parts without a journal: what is saved, what is named, and that nothing is made up.

#include <catch2/catch.hpp>
#include <fstream>

#include "builders.hpp"
#include "daq/core/error.hpp"
#include "daq/store/catalogue.hpp"
#include "daq/store/file_reader.hpp"
#include "daq/store/run_writer.hpp"
#include "daq/store/verify.hpp"

using namespace alleycat;
using namespace alleycat::testing;

namespace {

constexpr std::uint64_t kTriggers = 3000;  // three chunks of the columns

StoreConfig config_in(const TemporaryFolder& folder) {
    StoreConfig config;
    config.folder = folder.path();
    config.compression = Compression::deflate;
    config.disk_warning_mb = 0;
    return config;
}

RunDescription deflated_run() {
    RunDescription run = make_run(2);
    run.config_text = "[store]\ncompression = \"deflate\"\n";
    return run;
}

/// A part as a killed writer leaves it, its journal lost.
std::filesystem::path orphan(const TemporaryFolder& folder, std::uint64_t triggers) {
    {
        RunWriter writer{config_in(folder)};
        RunFrames frames{deflated_run()};
        writer.append(view(frames.start()));
        writer.append(view(frames.calibration(0, 70)));
        for (std::uint64_t s = 0; s < triggers; ++s) writer.append(view(frames.trigger(s)));
        writer.append(view(frames.beam_states(0, triggers / 2, BeamState::on, 1)));
        (void)writer.sync();
    }
    std::filesystem::remove(folder / "run_000002_part_0001.journal");
    return folder / "run_000002_part_0001.h5.part";
}

std::filesystem::path closed_run(const TemporaryFolder& folder) {
    RunWriter writer{config_in(folder)};
    RunFrames frames{deflated_run()};
    writer.append(view(frames.start()));
    for (std::uint64_t s = 0; s < kTriggers; ++s) writer.append(view(frames.trigger(s)));
    writer.append(view(frames.beam_states(0, kTriggers - 1, BeamState::on, 1)));
    writer.append(view(frames.counters(kTriggers, {{"pulses", 7}})));
    writer.append(view(frames.end(kTriggers)));
    return folder / "run_000002_part_0001.h5";
}

std::string text_of(const VerifyReport& report, bool problems) {
    std::string text;
    for (const auto& file : report.files) {
        for (const std::string& s : problems ? file.problems : file.notes) text += s + "\n";
    }
    for (const std::string& s : problems ? report.problems : report.notes) text += s + "\n";
    return text;
}

/// Flips a bit in the middle of a chunk, which h5py finds.
void damage(const std::filesystem::path& file, const std::string& dataset, int chunk) {
    int status = 0;
    (void)run_python(
        "import sys, h5py\nwith h5py.File(sys.argv[1]) as f: c = f[sys.argv[2]].id.get_chunk_info(int(sys.argv[3]))\n"
        "with open(sys.argv[1], 'r+b') as f:\n    f.seek(c.byte_offset + c.size // 2); b = f.read(1)[0]\n"
        "    f.seek(c.byte_offset + c.size // 2); f.write(bytes([b ^ 4]))\n",
        {file.string(), dataset, std::to_string(chunk)}, status);
    REQUIRE(status == 0);
}

/// Every row that is there is as it was written: columns by the builder's rules, samples as h5py reads them.
void require_right(const std::filesystem::path& file, std::uint64_t triggers, std::uint64_t records) {
    int status = 0;
    const std::string said = run_python(R"(
import sys, h5py, numpy as np
with h5py.File(sys.argv[1]) as f:
    s = f["triggers/sequence"][:].astype(np.int64)
    assert (f["triggers/time_ps"][:] == s * 10**12).all()
    assert (f["triggers/baseline_mean_adc"][:] == 95.25).all()
    assert (f["windows/coincident/charge_pe"][:] == s).all()
    assert (f["windows/anticoincident/charge_pe"][:] == s - 1000).all()
    assert (f["windows/coincident/late_peaks"][:] == 4).all()
    r = f["raw/digitizer/sequence"][:].astype(np.int64)
    assert set(r) <= set(s)
    expected = (r[:, None, None] + np.arange(2)[None, :, None] + np.arange(50)[None, None, :]) % 100
    assert (f["raw/digitizer/samples"][:] == expected).all()
    assert (f["raw/digitizer/counter"][:] == r + 100).all()
    ends = f["raw/panels/samples/cumulative_length"][:].astype(np.int64)
    data = f["raw/panels/samples/flattened_data"][:].astype(np.int64)
    p = f["raw/panels/sequence"][:].astype(np.int64)
    begins = np.concatenate([[0], ends[:-1]])
    for i in range(len(p)):
        n = p[i] % 7
        assert ends[i] - begins[i] == n
        assert (data[begins[i]:ends[i]] == 40000 + p[i] + (i % 2) * n + np.arange(n)).all()
    print(len(s), len(r))
)",
                                        {file.string()}, status);
    REQUIRE(status == 0);
    REQUIRE(said == std::to_string(triggers) + " " + std::to_string(records) + "\n");
}

}  // namespace

TEST_CASE("an orphaned part that HDF5 opens is saved whole, its original kept, and nothing in it is new",
          "[store][salvage]") {
    const TemporaryFolder folder;
    const std::filesystem::path part = orphan(folder, 146);
    REQUIRE_THAT(text_of(verify(folder.path()), true), Catch::Contains("was not closed"));
    const VerifyReport report = verify(folder.path(), true);
    INFO(text_of(report, true));
    REQUIRE_THAT(text_of(report, false), Catch::Contains("salvaged: 146 triggers; the original is "
                                                         "run_000002_part_0001.h5.part.damaged"));
    REQUIRE(text_of(report, true) == "lost: what came behind the last trigger in it, if anything did\n");
    REQUIRE(std::filesystem::exists(part.string() + ".damaged"));
    REQUIRE_FALSE(std::filesystem::exists(part));
    const std::filesystem::path saved = folder / "run_000002_part_0001.h5";
    require_right(saved, 146, 146);
    REQUIRE(AlleycatFile{saved}.summary()->ticks[index_of(BeamState::on)] == 74);
    REQUIRE(AlleycatFile{saved}.calibration().size() == 1);
    REQUIRE(Catalogue{folder.path(), Catalogue::Open::read_only}.part("run_000002_part_0001.h5").value().state ==
            "salvaged");
    REQUIRE_THAT(text_of(verify(folder.path()), false), Catch::Contains("was salvaged without its journal"));
    REQUIRE(text_of(verify(folder.path()), true).empty());  // what it holds is whole, and it says what it is
}

TEST_CASE("rows of a chunk that contradicts its checksum are named as lost, the others saved", "[store][salvage]") {
    const TemporaryFolder folder;
    const std::filesystem::path file = closed_run(folder);
    damage(file, "windows/coincident/charge_pe", 1);  // triggers 1024 to 2047
    const VerifyReport report = verify(file, true);
    REQUIRE_THAT(text_of(report, true), Catch::Contains("lost: triggers 1024 to 2047"));
    REQUIRE_THAT(text_of(report, true), Catch::Contains("triggers 1024 to 2047 are missing"));
    require_right(file, kTriggers - 1024, kTriggers - 1024);
    REQUIRE(AlleycatFile{file}.summary()->run_ended);
    REQUIRE(AlleycatFile{file}.last_counters().value().counters == CounterValues{{"pulses", 7}});
    REQUIRE_FALSE(verify(file).ok());  // they are missing, whoever asks
}

TEST_CASE("samples that are lost do not take their trigger with them", "[store][salvage]") {
    const TemporaryFolder folder;
    const std::filesystem::path file = closed_run(folder);
    damage(file, "raw/digitizer/clock", 0);
    const VerifyReport report = verify(file, true);
    REQUIRE_THAT(text_of(report, true), Catch::Contains("lost: samples of digitizer: triggers 0 to 1023"));
    REQUIRE_THAT(text_of(verify(file), true), Catch::Contains("/raw/digitizer has no record of triggers 0 to 1023"));
    require_right(file, kTriggers, kTriggers - 1024);
}

TEST_CASE("of a file that was cut short what stands before the cut is saved, and no zeros in place of the rest",
          "[store][salvage]") {
    const double share = GENERATE(0.3, 0.5, 0.7, 0.9, 0.99);
    const TemporaryFolder folder;
    const std::filesystem::path part = orphan(folder, kTriggers);
    std::filesystem::resize_file(
        part, static_cast<std::uintmax_t>(share * static_cast<double>(std::filesystem::file_size(part))));
    const VerifyReport report = verify(part, true);
    INFO(text_of(report, true));
    REQUIRE_FALSE(report.ok());
    const std::filesystem::path saved = folder / "run_000002_part_0001.h5";
    if (!std::filesystem::exists(saved)) {  // then nothing was changed
        REQUIRE_THAT(text_of(report, true), Catch::Contains("cannot be salvaged"));
        REQUIRE(std::filesystem::exists(part));
        return;
    }
    const std::uint64_t triggers = AlleycatFile{saved}.triggers();
    int status = 0;
    const std::string records =
        run_python("import sys, h5py\nprint(len(h5py.File(sys.argv[1])['raw/digitizer/sequence']), end='')",
                   {saved.string()}, status);
    require_right(saved, triggers, std::stoull(records));
}

TEST_CASE("a file of which every byte can be read is not salvaged: what was changed in it is not known",
          "[store][salvage]") {
    const TemporaryFolder folder;
    const std::filesystem::path file = closed_run(folder);
    int status = 0;
    (void)run_python("import sys, h5py\nwith h5py.File(sys.argv[1], 'r+') as f: f['triggers/flags'][7] = 1",
                     {file.string()}, status);
    REQUIRE_THAT(text_of(verify(file, true), true), Catch::Contains("nothing was changed"));
    REQUIRE_FALSE(std::filesystem::exists(file.string() + ".damaged"));
}

TEST_CASE("what was lost before a run and what its boards said survive the salvage of its first part",
          "[store][salvage]") {
    const Gap before{1, 1201, 1'000'000'000, 3'500'000'000, 150, true};
    const std::vector<ReadingSample> said{{5, 1, {"temperature", 38.25, "degC"}}, {6, 0, {"busy", 0.5, ""}}};
    const TemporaryFolder folder;
    {
        RunWriter writer{config_in(folder)};
        RunFrames frames{deflated_run()};
        writer.append(view(frames.start()));
        writer.append(view(frames.gap(before)));
        writer.append(view(frames.readings(said)));
        for (std::uint64_t s = 0; s < 10; ++s) writer.append(view(frames.trigger(s)));
        (void)writer.sync();
    }
    std::filesystem::remove(folder / "run_000002_part_0001.journal");
    (void)verify(folder / "run_000002_part_0001.h5.part", true);
    REQUIRE(AlleycatFile{folder / "run_000002_part_0001.h5"}.gaps() == std::vector{before});
    REQUIRE(AlleycatFile{folder / "run_000002_part_0001.h5"}.readings() == said);
}
