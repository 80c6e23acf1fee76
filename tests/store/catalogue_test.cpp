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
    const CatalogueRun run{5, "csi", "alleycat", "host", 99, "ended", "stopped", 77, kNoSequence};
    {
        Catalogue catalogue{folder.path(), Catalogue::Open::write};
        catalogue.put(part);
        catalogue.put(CatalogueRun{4, "csi", "", "", 1, "ended", "", 1, 1});
        catalogue.put(run);
    }
    const Catalogue catalogue{folder.path(), Catalogue::Open::read_only};
    REQUIRE(catalogue.part(part.file) == part);
    REQUIRE(catalogue.parts(5) == std::vector{part});
    REQUIRE(catalogue.run(5) == run);
    REQUIRE(catalogue.newest_run() == run);
    REQUIRE_FALSE(catalogue.part("absent.h5").has_value());

    sqlite3* db = nullptr;
    REQUIRE(sqlite3_open_v2((folder / "catalogue.sqlite").c_str(), &db, SQLITE_OPEN_READONLY, nullptr) == SQLITE_OK);
    sqlite3_stmt* statement = nullptr;
    REQUIRE(sqlite3_prepare_v2(db, "SELECT sha256, bytes, state FROM parts WHERE run = 5", -1, &statement, nullptr) == SQLITE_OK);
    REQUIRE(sqlite3_step(statement) == SQLITE_ROW);
    REQUIRE(std::string{reinterpret_cast<const char*>(sqlite3_column_text(statement, 0))} == "ab12");
    REQUIRE(sqlite3_column_int64(statement, 1) == 1234);
    REQUIRE(std::string{reinterpret_cast<const char*>(sqlite3_column_text(statement, 2))} == "closed");
    sqlite3_finalize(statement);
    sqlite3_close(db);
}

TEST_CASE("a catalogue that is no database is refused by name", "[store][catalogue]") {
    const TemporaryFolder folder;
    std::ofstream{folder / "catalogue.sqlite"} << std::string(4096, 'x');
    REQUIRE_THROWS_WITH(Catalogue(folder.path(), Catalogue::Open::write), Catch::Contains("catalogue.sqlite"));
    REQUIRE_THROWS_AS(Catalogue(folder / "nowhere", Catalogue::Open::read_only), Error);
}
