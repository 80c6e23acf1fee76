#include "daq/store/archive.hpp"

#include <catch2/catch.hpp>
#include <fstream>

#include "builders.hpp"
#include "daq/core/error.hpp"
#include "daq/store/catalogue.hpp"
#include "daq/store/files.hpp"

using namespace alleycat;
using namespace alleycat::testing;

namespace {

std::filesystem::path write_text(const std::filesystem::path& file, const std::string& text) {
    std::ofstream{file} << text;
    return file;
}

}  // namespace

TEST_CASE("a copy with a wrong byte never gets the part's name", "[store][archive]") {
    const TemporaryFolder folder;
    const std::string text(10'000'000, 'x');  // more than is copied at once
    const std::filesystem::path part = write_text(folder / "part.h5", text);
    std::string wrong = text;
    wrong[9'999'999] = 'y';
    const std::filesystem::path copy = write_text(folder / "copy.h5.new", wrong);
    REQUIRE_THROWS_WITH(accept_copy(copy, folder / "copy.h5", sha256_of(part), {}),
                        Catch::Contains("copy.h5.new") && Catch::Contains("SHA-256"));
    REQUIRE_FALSE(std::filesystem::exists(folder / "copy.h5"));
    write_text(copy, text);
    accept_copy(copy, folder / "copy.h5", sha256_of(part), {});
    REQUIRE(sha256_of(folder / "copy.h5") == sha256_of(part));
    REQUIRE_FALSE(std::filesystem::exists(copy));
}

TEST_CASE("an archive that is told to end leaves no half copy behind", "[store][archive]") {
    const TemporaryFolder folder;
    const std::filesystem::path part = write_text(folder / "part.h5", "data");
    std::filesystem::create_directory(folder / "there");
    std::stop_source stop;
    stop.request_stop();
    REQUIRE_THROWS_AS(copy_verified(part, folder / "there", sha256_of(part), stop.get_token()), Error);
    REQUIRE(std::filesystem::is_empty(folder / "there"));
    copy_verified(part, folder / "there", sha256_of(part), {});
    REQUIRE(sha256_of(folder / "there" / "part.h5") == sha256_of(part));
}

TEST_CASE("parts are copied and deleted oldest first, and one archive works on a folder", "[store][archive]") {
    const TemporaryFolder folder;
    const std::filesystem::path data = folder / "data", there = folder / "there";
    std::filesystem::create_directories(data);
    std::filesystem::create_directories(there);
    {
        Catalogue catalogue{data, Catalogue::Open::write};
        for (const char* name : {"run_000002_part_0001.h5", "run_000001_part_0002.h5", "run_000001_part_0001.h5"}) {
            write_text(data / name, name);
            CataloguePart row;
            row.file = name;
            row.run = name[9] == '1' ? 1 : 2;
            row.part = name[19] == '1' ? 1 : 2;
            row.sha256 = sha256_of(data / name);
            row.bytes = std::filesystem::file_size(data / name);
            row.state = "closed";
            catalogue.put(row);
        }
    }
    ArchiveConfig config;
    config.destination = there;
    {
        const ArchiveRound round = Archive{data, config}.work({});
        REQUIRE(round.copied == std::vector<std::string>{"run_000001_part_0001.h5", "run_000001_part_0002.h5",
                                                         "run_000002_part_0001.h5"});
        REQUIRE(round.deleted.empty());
        REQUIRE(round.problems.empty());
    }
    config.keep_free_mb = 100'000'000;  // more than there is
    const ArchiveRound round = Archive{data, config}.work({});
    REQUIRE(round.deleted ==
            std::vector<std::string>{"run_000001_part_0001.h5", "run_000001_part_0002.h5", "run_000002_part_0001.h5"});
    REQUIRE(round.problems.size() == 1);
    REQUIRE(Catalogue(data, Catalogue::Open::read_only).copies("run_000002_part_0001.h5").at(0).state == "moved");
    REQUIRE(std::filesystem::exists(there / "run_000002_part_0001.h5"));

    Archive first{data, config};
    REQUIRE_THROWS_WITH(Archive(data, config), Catch::Contains("another archive"));
    REQUIRE_THROWS_WITH(Archive(there, config), Catch::Contains("the folder of the data itself"));
}

TEST_CASE("the catalogue follows the parts, but never in the place of one that knows more", "[store][archive]") {
    const TemporaryFolder folder;
    const std::filesystem::path data = folder / "data", there = folder / "there";
    std::filesystem::create_directories(data);
    std::filesystem::create_directories(there);
    const CatalogueRun run{.run = 1, .profile = "csi", .state = "ended"};
    const CatalogueComment early{1, 300, "ann", "comment", "cart"}, late{1, 400, "bob", "comment", "after the end"};
    {
        Catalogue catalogue{data, Catalogue::Open::write};
        catalogue.put(run);
        catalogue.put(early);
    }
    ArchiveConfig config;
    config.destination = there;
    Archive archive{data, config};
    const auto said_there = [&] { return Catalogue{there, Catalogue::Open::read_only}.comments(1); };
    REQUIRE(archive.work({}).problems.empty());
    REQUIRE(said_there() == std::vector{early});
    Catalogue{data, Catalogue::Open::write}.put(late);
    REQUIRE(archive.work({}).problems.empty());
    REQUIRE(said_there() == std::vector{early, late});
    REQUIRE_FALSE(std::filesystem::exists(there / "catalogue.sqlite.new"));

    std::filesystem::remove(Catalogue::file_in(data));
    {
        Catalogue anew{data, Catalogue::Open::write};
        anew.put(run);
        anew.put(early);
    }
    REQUIRE_THAT(archive.work({}).problems.at(0), Catch::Contains("what bob said of run 1"));
    REQUIRE(said_there() == std::vector{early, late});
    for (const CatalogueComment& one : {late, CatalogueComment{1, 500, "bob", "comment", "more"}})
        Catalogue{data, Catalogue::Open::write}.put(one);
    write_text(there / "writer.lock", "");  // another station's own data
    REQUIRE_THAT(archive.work({}).problems.at(0), Catch::Contains("a writer uses it"));
}

TEST_CASE("a part whose journal still stands is not deleted: the writer would make it a second time",
          "[store][archive]") {
    const TemporaryFolder folder;
    const std::filesystem::path data = folder / "data", there = folder / "there",
                                part = data / "run_000001_part_0001.h5";
    std::filesystem::create_directories(data);
    std::filesystem::create_directories(there);
    write_text(part, "a part");
    write_text(data / "run_000001_part_0001.journal", "killed before it was removed");
    CataloguePart row;
    row.file = part.filename();
    row.run = row.part = 1;
    row.sha256 = sha256_of(part);
    row.bytes = std::filesystem::file_size(part);
    row.state = "closed";
    Catalogue{data, Catalogue::Open::write}.put(row);
    ArchiveConfig config;
    config.destination = there;
    config.keep_free_mb = 100'000'000;  // more than there is
    REQUIRE(Archive{data, config}.work({}).deleted.empty());
    std::filesystem::remove(data / "run_000001_part_0001.journal");
    REQUIRE(Archive{data, config}.work({}).deleted == std::vector<std::string>{part.filename()});
}
