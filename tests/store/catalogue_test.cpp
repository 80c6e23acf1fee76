#include "daq/store/catalogue.hpp"

#include <sqlite3.h>

#include <catch2/catch.hpp>
#include <fstream>

#include "builders.hpp"
#include "daq/core/error.hpp"
#include "daq/core/record.hpp"

using namespace alleycat;
using namespace alleycat::testing;

TEST_CASE("the catalogue keeps what it was told, and stock SQLite reads it", "[store][catalogue]") {
    const TemporaryFolder folder;
    const CataloguePart part{"run_000005_part_0002.h5", 5, 2, "ab12", 1234, 10, 20, 9, 100, 200, "closed"};
    const CatalogueRun run{.run = 5,
                           .profile = "csi",
                           .software = "alleycat",
                           .host = "host",
                           .start_utc_ns = 99,
                           .state = "ended",
                           .reason = "stopped",
                           .last_ordinal = 77,
                           .last_sequence = kNoSequence,
                           .end_utc_ns = 1234,
                           .recorded = 9,
                           .refused = 2,
                           .lost_estimated = 1,
                           .quality = "degraded",
                           .quality_reasons = "degraded: 2 triggers were refused",
                           .test_run = true};
    const CatalogueRun before{.run = 4, .profile = "csi", .state = "ended"};
    const CatalogueComment remark{5, 300, "ann", "comment", "cart parked under the hall"};
    const CatalogueComment mark{5, 400, "ann", "tainted", "cart"};
    const CatalogueCopy copy{part.file, "/archive", "ab12", 500, "verified"};
    const CatalogueHook hook{part.file, "tell-the-elog", 600};
    {
        Catalogue catalogue{folder.path(), Catalogue::Open::write};
        catalogue.put(part);
        catalogue.put(before);
        catalogue.put(run);
        catalogue.put(mark);
        for (int twice = 0; twice < 2; ++twice) catalogue.put(remark);
        catalogue.put(copy);
        catalogue.put(hook);
    }
    const Catalogue catalogue{folder.path(), Catalogue::Open::read_only};
    REQUIRE(catalogue.part(part.file) == part);
    REQUIRE(catalogue.parts(5) == std::vector{part});
    REQUIRE(catalogue.run(5) == run);
    REQUIRE(catalogue.newest_run() == run);
    REQUIRE(catalogue.comments(5) == std::vector{remark, mark});
    REQUIRE(catalogue.comments(4).empty());
    REQUIRE(catalogue.copies(part.file) == std::vector{copy});
    REQUIRE(catalogue.hook(part.file) == hook);
    REQUIRE_FALSE(catalogue.hook("absent.h5").has_value());
    REQUIRE_FALSE(catalogue.part("absent.h5").has_value());

    sqlite3* db = nullptr;
    REQUIRE(sqlite3_open_v2((folder / "catalogue.sqlite").c_str(), &db, SQLITE_OPEN_READONLY, nullptr) == SQLITE_OK);
    sqlite3_stmt* statement = nullptr;
    REQUIRE(sqlite3_prepare_v2(db, "SELECT sha256, bytes, state FROM parts WHERE run = 5", -1, &statement, nullptr) ==
            SQLITE_OK);
    REQUIRE(sqlite3_step(statement) == SQLITE_ROW);
    REQUIRE(std::string{reinterpret_cast<const char*>(sqlite3_column_text(statement, 0))} == "ab12");
    REQUIRE(sqlite3_column_int64(statement, 1) == 1234);
    REQUIRE(std::string{reinterpret_cast<const char*>(sqlite3_column_text(statement, 2))} == "closed");
    sqlite3_finalize(statement);
    sqlite3_close(db);
}

TEST_CASE("what a killed process left of SQLite's journal is gone when the catalogue is opened, one in use is not",
          "[store][catalogue]") {
    const TemporaryFolder folder;
    const CataloguePart part{"run_000005_part_0001.h5", 5, 1, "ab12", 1234, 10, 20, 9, 100, 200, "closed"};
    Catalogue{folder.path(), Catalogue::Open::write}.put(part);
    const auto journal = folder / "catalogue.sqlite-journal";

    // Killed before the first sync of a change: SQLite writes the magic number of the journal only with that sync.
    for (const std::size_t bytes : {0, 512, 4616}) {
        std::ofstream{journal} << std::string(bytes, '\0');
        REQUIRE(Catalogue(folder.path(), Catalogue::Open::read_only).parts() == std::vector{part});
        REQUIRE(Catalogue(folder.path(), Catalogue::Open::write).parts() == std::vector{part});
        REQUIRE_FALSE(std::filesystem::exists(journal));
    }

    sqlite3* other = nullptr;
    REQUIRE(sqlite3_open((folder / "catalogue.sqlite").c_str(), &other) == SQLITE_OK);
    REQUIRE(sqlite3_exec(other, "BEGIN IMMEDIATE; UPDATE parts SET bytes = 77", nullptr, nullptr, nullptr) == SQLITE_OK);
    REQUIRE(std::filesystem::exists(journal));
    REQUIRE(Catalogue(folder.path(), Catalogue::Open::write).part(part.file) == part);
    REQUIRE(std::filesystem::exists(journal));
    REQUIRE(sqlite3_exec(other, "COMMIT", nullptr, nullptr, nullptr) == SQLITE_OK);
    sqlite3_close(other);
    REQUIRE(Catalogue(folder.path(), Catalogue::Open::write).part(part.file)->bytes == 77);
}

TEST_CASE("a catalogue that is no database is refused by name", "[store][catalogue]") {
    const TemporaryFolder folder;
    std::ofstream{folder / "catalogue.sqlite"} << std::string(4096, 'x');
    REQUIRE_THROWS_WITH(Catalogue(folder.path(), Catalogue::Open::write), Catch::Contains("catalogue.sqlite"));
    REQUIRE_THROWS_AS(Catalogue(folder / "nowhere", Catalogue::Open::read_only), Error);
}

namespace {
void execute_sql(const std::filesystem::path& file, const char* sql) {
    sqlite3* db = nullptr;
    REQUIRE(sqlite3_open(file.c_str(), &db) == SQLITE_OK);
    REQUIRE(sqlite3_exec(db, sql, nullptr, nullptr, nullptr) == SQLITE_OK);
    sqlite3_close(db);
}
}  // namespace

TEST_CASE("a catalogue from before there were versions is read as it is and brought up to date by the writer",
          "[store][catalogue]") {
    const TemporaryFolder folder;
    execute_sql(folder / "catalogue.sqlite", R"(
        CREATE TABLE runs (run INTEGER PRIMARY KEY, profile TEXT, software TEXT, host TEXT, start_utc_ns INTEGER,
            state TEXT, reason TEXT, last_ordinal INTEGER, last_sequence INTEGER);
        CREATE TABLE parts (file TEXT PRIMARY KEY, run INTEGER, part INTEGER, sha256 TEXT, bytes INTEGER,
            first_sequence INTEGER, last_sequence INTEGER, triggers INTEGER, start_utc_ns INTEGER, end_utc_ns INTEGER,
            state TEXT);
        INSERT INTO runs VALUES (7, 'csi', 'alleycat 0.1.0', 'host', 99, 'ended', 'stopped', 12, 8);)");
    const CatalogueRun old{.run = 7,
                           .profile = "csi",
                           .software = "alleycat 0.1.0",
                           .host = "host",
                           .start_utc_ns = 99,
                           .state = "ended",
                           .reason = "stopped",
                           .last_ordinal = 12,
                           .last_sequence = 8};
    {
        const Catalogue untouched{folder.path(), Catalogue::Open::read_only};
        REQUIRE(untouched.newest_run() == old);
        REQUIRE(untouched.comments(7).empty());
        REQUIRE(untouched.copies("run_000007_part_0001.h5").empty());
        REQUIRE_FALSE(untouched.hook("run_000007_part_0001.h5").has_value());
    }
    const CatalogueComment remark{7, 1, "ann", "comment", "later"};
    for (int opened = 0; opened < 2; ++opened) {
        Catalogue catalogue{folder.path(), Catalogue::Open::write};
        REQUIRE(catalogue.run(7) == old);
        catalogue.put(remark);
        REQUIRE(catalogue.comments(7) == std::vector{remark});
    }
}

TEST_CASE("a newer catalogue is refused by name, and stays as it is", "[store][catalogue]") {
    const TemporaryFolder folder;
    execute_sql(folder / "catalogue.sqlite", "CREATE TABLE runs (run INTEGER); PRAGMA user_version = 99;");
    for (const auto how : {Catalogue::Open::write, Catalogue::Open::read_only}) {
        REQUIRE_THROWS_WITH(Catalogue(folder.path(), how),
                            Catch::Contains("catalogue.sqlite") && Catch::Contains("newer"));
    }
}
