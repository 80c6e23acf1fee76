#include "daq/store/store_config.hpp"

#include <catch2/catch.hpp>

using namespace alleycat;

TEST_CASE("an absent [store] gives the defaults", "[store][config]") {
    const ConfigFile file = ConfigFile::parse("", "s.toml");
    ConfigProblems problems;
    ConfigSection root{file, problems};
    const StoreConfig config = parse_store(root);
    REQUIRE(problems.empty());
    REQUIRE(config.raw == RawData::all);
    REQUIRE(config.part_minutes == std::chrono::minutes{60});
}

TEST_CASE("[store] is read, and every problem has its place", "[store][config]") {
    const ConfigFile good = ConfigFile::parse(
        "[store]\nfolder = \"/data\"\nraw = \"accepted\"\nraw_prescale = 100\ncompression_threads = 3\ncompression = \"deflate\"\npart_size_mb = 5\n"
        "part_minutes = 2\nsync_interval_ms = 100\ndisk_warning_mb = 7\n"
        "disk_stop_mb = 6\nretry_interval_ms = 50\n",
        "s.toml");
    ConfigProblems none;
    ConfigSection good_root{good, none};
    const StoreConfig config = parse_store(good_root);
    REQUIRE(none.empty());
    REQUIRE(config.folder == "/data");
    REQUIRE(config.raw == RawSelection{RawData::accepted, 100});
    REQUIRE(config.compression_threads == 3);
    REQUIRE(config.compression == Compression::deflate);
    REQUIRE(config.part_size_mb == 5);
    REQUIRE(config.part_minutes == std::chrono::minutes{2});
    REQUIRE(config.sync_interval == std::chrono::milliseconds{100});
    REQUIRE(config.disk_warning_mb == 7);
    REQUIRE(config.disk_stop_mb == 6);
    REQUIRE(config.retry_interval == std::chrono::milliseconds{50});

    const ConfigFile pointless = ConfigFile::parse("[store]\nraw_prescale = 10\n", "s.toml");
    ConfigProblems why;
    ConfigSection pointless_root{pointless, why};
    (void)parse_store(pointless_root);
    REQUIRE(why.lines().size() == 1);
    REQUIRE_THAT(why.lines()[0], Catch::StartsWith("s.toml:2:") && Catch::Contains("raw must be \"accepted\""));

    const ConfigFile bad = ConfigFile::parse(
        "[store]\nraw = \"some\"\npart_minutes = 0\nsync_interval_ms = 5000\nflolder = \"x\"\n"
        "disk_warning_mb = 300\ndisk_stop_mb = 300\n",
        "s.toml");
    ConfigProblems problems;
    ConfigSection root{bad, problems};
    (void)parse_store(root);
    const std::vector<std::string> lines = problems.lines();
    REQUIRE(lines.size() == 5);
    REQUIRE_THAT(lines[0], Catch::StartsWith("s.toml:2:") && Catch::Contains("store.raw"));
    REQUIRE_THAT(lines[1], Catch::StartsWith("s.toml:3:") && Catch::Contains("store.part_minutes"));
    REQUIRE_THAT(lines[2], Catch::StartsWith("s.toml:4:") && Catch::Contains("store.sync_interval_ms"));
    REQUIRE_THAT(lines[3], Catch::StartsWith("s.toml:5:") && Catch::Contains("unknown key"));
    REQUIRE_THAT(lines[4], Catch::StartsWith("s.toml:7:") && Catch::Contains("disk_stop_mb: 300 MB are not below"));
}
