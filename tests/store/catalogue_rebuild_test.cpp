// The catalogue lost, damaged or incomplete: the parts know what it knew.

#include "daq/store/catalogue_rebuild.hpp"

#include <catch2/catch.hpp>
#include <fstream>

#include "builders.hpp"
#include "daq/store/run_writer.hpp"
#include "daq/store/verify.hpp"

using namespace alleycat;
using namespace alleycat::testing;

namespace {

StoreConfig config_in(const TemporaryFolder& folder) {
    StoreConfig config;
    config.folder = folder.path();
    config.disk_warning_mb = 0;
    config.part_minutes = std::chrono::minutes{1};  // 60 triggers
    return config;
}

/// 150 triggers in three parts.
void write_run(const TemporaryFolder& folder, std::uint64_t run) {
    RunWriter writer{config_in(folder)};
    RunFrames frames{make_run(run)};
    writer.append(view(frames.start()));
    for (std::uint64_t s = 0; s < 150; ++s) {
        writer.append(view(frames.trigger(s)));
        writer.append(view(frames.beam_states(s, s, BeamState::on, 1)));
    }
    writer.append(view(frames.end(150)));
}

struct Rows {
    std::vector<CatalogueRun> runs;
    std::vector<CataloguePart> parts;
};
Rows rows_of(const TemporaryFolder& folder) {
    const Catalogue catalogue{folder.path(), Catalogue::Open::read_only};
    Rows rows{catalogue.runs(), {}};
    for (const CatalogueRun& run : rows.runs) {
        for (CataloguePart& part : catalogue.parts(run.run)) rows.parts.push_back(std::move(part));
    }
    return rows;
}

std::string joined(const std::vector<std::string>& sentences) {
    std::string text;
    for (const std::string& s : sentences) text += s + "\n";
    return text;
}

}  // namespace

TEST_CASE("a catalogue made again from the files is the one that was lost, its digests marked as recomputed",
          "[store][catalogue]") {
    const TemporaryFolder folder;
    write_run(folder, 2);
    write_run(folder, 3);
    const Rows before = rows_of(folder);
    REQUIRE(before.parts.size() == 6);
    const bool torn = GENERATE(false, true);
    if (torn) {
        std::ofstream{folder / "catalogue.sqlite", std::ios::binary} << std::string(8192, 'x');
    } else {
        std::filesystem::remove(folder / "catalogue.sqlite");
    }
    const std::string news = joined(rebuild_catalogue(folder.path()));
    REQUIRE_THAT(news, Catch::Contains("run_000003_part_0003.h5: its digest is recomputed"));
    REQUIRE(std::filesystem::exists(folder / "catalogue.sqlite.damaged") == torn);
    Rows after = rows_of(folder);
    REQUIRE(after.runs.size() == 2);
    REQUIRE(after.runs == before.runs);
    for (CataloguePart& part : after.parts) {
        REQUIRE(part.state == "recomputed");
        part.state = "closed";
    }
    REQUIRE(after.parts == before.parts);
    REQUIRE(verify(folder.path()).ok());
}

TEST_CASE("the writer makes a lost catalogue again when it starts, without reading all files, and refuses what it has",
          "[store][catalogue]") {
    const TemporaryFolder folder;
    write_run(folder, 2);
    const Rows before = rows_of(folder);
    std::filesystem::remove(folder / "catalogue.sqlite");
    {
        RunWriter writer{config_in(folder)};
        REQUIRE(writer.durable().value().run == 2);
        REQUIRE(writer.durable()->ordinal == before.runs.at(0).last_ordinal);
        RunFrames frames{make_run(2)};
        writer.append(view(frames.start()));  // sent again: it is on the disk already
        REQUIRE_FALSE(std::filesystem::exists(folder / "run_000002_part_0004.journal"));
    }
    const Rows after = rows_of(folder);
    REQUIRE(after.runs == before.runs);
    REQUIRE(after.parts.at(0).sha256.empty());
    REQUIRE(after.parts.at(0).state == "recomputed");
    const VerifyReport report = verify(folder.path());
    REQUIRE(report.ok());
    REQUIRE_THAT(joined(report.files.at(0).notes), Catch::Contains("verify --catalogue"));
    (void)rebuild_catalogue(folder.path());
    REQUIRE(rows_of(folder).parts.at(0).sha256 == before.parts.at(0).sha256);
}

TEST_CASE("a part that is not whole gets a row and no digest", "[store][catalogue]") {
    const TemporaryFolder folder;
    write_run(folder, 2);
    std::filesystem::remove(folder / "catalogue.sqlite");
    int status = 0;
    (void)run_python("import sys, h5py\nwith h5py.File(sys.argv[1], 'r+') as f: f['triggers/flags'][7] = 1",
                     {(folder / "run_000002_part_0002.h5").string()}, status);
    REQUIRE_THAT(joined(rebuild_catalogue(folder.path())),
                 Catch::Contains("run_000002_part_0002.h5: gets no digest, it is not whole: names, types"));
    REQUIRE(rows_of(folder).parts.at(1).sha256.empty());
    REQUIRE_FALSE(verify(folder.path()).ok());
}

TEST_CASE("a run that goes on keeps going on when its catalogue is lost", "[store][catalogue]") {
    const TemporaryFolder folder;
    RunFrames frames{make_run(2)};
    std::vector<RunFrames::Frame> all{frames.start()};
    for (std::uint64_t s = 0; s < 150; ++s) {
        all.push_back(frames.trigger(s));
        all.push_back(frames.beam_states(s, s, BeamState::on, 1));
    }
    all.push_back(frames.end(150));
    {
        RunWriter writer{config_in(folder)};
        for (std::size_t i = 0; i < 200; ++i) writer.append(view(all[i]));
        (void)writer.sync();
    }
    std::filesystem::remove(folder / "catalogue.sqlite");
    {
        RunWriter writer{config_in(folder)};
        REQUIRE(writer.durable().value().ordinal == 199);
        for (std::size_t i = 200; i < all.size(); ++i) writer.append(view(all[i]));
    }
    REQUIRE(verify(folder.path()).ok());
    REQUIRE(rows_of(folder).runs.at(0).state == "ended");
}
