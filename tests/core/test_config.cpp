// Station files: every problem at once, each in its place. Lines and columns are counted by hand in the text shown.

#include "daq/core/config.hpp"

#include <sys/stat.h>

#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "daq/core/error.hpp"
#include "daq/core/station.hpp"
#include "tests/temporary_folder.hpp"

using namespace alleycat;
using alleycat::testing::TemporaryFolder;
using Lines = std::vector<std::string>;

namespace {

Lines station_problems(const std::string& text) {
    ConfigProblems problems;
    const ConfigFile file = ConfigFile::parse(text, "csi.toml");
    ConfigSection root{file, problems};
    (void)parse_station(root);
    root.finish();
    return problems.lines();
}

}  // namespace

TEST_CASE("a file with ten mistakes gives ten lines, each at its place, in the file's order", "[core][unit]") {
    const std::string text =
        "[station]\n"                   //  1
        "profile = \"csi/2017\"\n"      //  2
        "tick_rate_hz = \"sixty\"\n"    //  3
        "colour = \"green\"\n"          //  4
        "\n"                            //  5
        "[[board]]\n"                   //  6
        "name = \"pci5153\"\n"          //  7
        "source = 5\n"                  //  8
        "sample_period_ps = 50\n"       //  9
        "samples = 3.5\n"               // 10
        "  sample_type =   \"int7\"\n"  // 11
        "[[board.channel]]\n"           // 12
        "pulses = \"up\"\n"             // 13
        "codes = \"pci\"\n";            // 14
    REQUIRE(station_problems(text) ==
            Lines{"csi.toml:2:11: station.profile: 'csi/2017' must be 1 to 32 letters, digits, '_' or '-'",
                  "csi.toml:3:16: station.tick_rate_hz: must be a number, not a text",
                  "csi.toml:4:1: station.colour: unknown key",
                  "csi.toml:8:10: board.source: must be a text in quotes, not an integer",
                  "csi.toml:9:20: board.sample_period_ps: 50 is outside [100, 1000000000]",
                  "csi.toml:10:11: board.samples: must be an integer, not a number",
                  "csi.toml:11:19: board.sample_type: 'int7' is not one of int8, uint8, int16, uint16",
                  "csi.toml:12:1: board.channel.name: is missing: a text in quotes",
                  "csi.toml:13:10: board.channel.pulses: 'up' is not one of negative, positive",
                  "csi.toml:14:9: board.channel.codes: 'pci' is not one of plain, pci5153_signal, pci5153_veto"});
}

TEST_CASE("all problems stand in one usage error", "[core][unit]") {
    ConfigProblems problems;
    REQUIRE(problems.empty());
    REQUIRE_NOTHROW(problems.throw_if_any());
    problems.add("s.toml", 7, 3, "b", "second");
    problems.add("s.toml", 7, 1, "a", "first");
    REQUIRE_THROWS_AS(problems.throw_if_any(), UsageError);
    REQUIRE_THROWS_WITH(problems.throw_if_any(), "s.toml:7:1: a: first\ns.toml:7:3: b: second");
}

TEST_CASE("values are read as they stand, and what is absent gives the fallback", "[core][unit]") {
    const ConfigFile file = ConfigFile::parse(
        "i = 7\nx = 2.5\nlist = [1, 2.5]\nwords = [\"a\", \"b\"]\nyes = true\nword = \"w\"\n[inner]\nk = 1\n",
        "s.toml");
    ConfigProblems problems;
    ConfigSection root{file, problems};
    REQUIRE(root.present());
    REQUIRE(root.has("i"));
    REQUIRE_FALSE(root.has("j"));
    REQUIRE(root.integer("i", 0, 0, 7) == 7);
    REQUIRE(root.required_integer("i", 7, 9) == 7);
    REQUIRE(root.number("i", 0, 0, 10) == 7.0);  // 7 is also a number
    REQUIRE(root.number("x", 0, 0, 10) == 2.5);
    REQUIRE(root.required_number("x", 2.5, 2.5) == 2.5);
    REQUIRE(root.number_list("list", {}, 0, 10) == std::vector<double>{1, 2.5});
    REQUIRE(root.text_list("words", {}) == std::vector<std::string>{"a", "b"});
    REQUIRE(root.boolean("yes", false));
    REQUIRE(root.text("word", "") == "w");
    REQUIRE(root.integer("absent", -3, 0, 9) == -3);  // a fallback may mean "none" and lie outside
    REQUIRE(root.number("absent", 1.5, 0, 9) == 1.5);
    REQUIRE(root.number_list("absent", {4}, 0, 9) == std::vector<double>{4});
    REQUIRE(root.text_list("absent", {"z"}) == std::vector<std::string>{"z"});
    REQUIRE(root.boolean("absent", true));
    ConfigSection inner = root.section("inner");
    REQUIRE(inner.path() == "inner");
    REQUIRE(inner.integer("k", 0, 0, 9) == 1);
    inner.finish();
    ConfigSection nothing = root.section("nothing");
    REQUIRE_FALSE(nothing.present());
    REQUIRE(nothing.integer("k", 5, 0, 9) == 5);
    nothing.finish();
    REQUIRE(root.sections("nobody").empty());
    root.finish();
    REQUIRE(problems.lines().empty());
}

TEST_CASE("wrong kinds, ranges and absences are problems of their keys", "[core][unit]") {
    const ConfigFile file = ConfigFile::parse(
        "a = nan\n"                  // 1
        "b = 2026-01-31\n"           // 2
        "c = [1, \"x\", 99]\n"       // 3
        "d = [\"x\", 1]\n"           // 4
        "e = 1\n"                    // 5
        "f = [1, 2]\n"               // 6
        "g = 9223372036854775807\n"  // 7
        "h = inf\n"                  // 8
        "[t]\n"                      // 9
        "mine = 1\n"                 // 10
        "theirs = 2\n"               // 11
        "a.b = 3\n",                 // 12
        "s.toml");
    ConfigProblems problems;
    ConfigSection root{file, problems};
    REQUIRE(root.number("a", 1, 0, 2) == 1);
    REQUIRE_FALSE(root.boolean("b", false));
    REQUIRE(root.number_list("c", {}, 0, 10) == std::vector<double>{1});
    REQUIRE(root.text_list("d", {}) == std::vector<std::string>{"x"});
    REQUIRE_FALSE(root.section("e").present());
    REQUIRE(root.sections("f").empty());
    REQUIRE(root.integer("g", 5, -1, 1) == 5);
    REQUIRE(root.number("h", 1, 0, 2) == 1);
    REQUIRE(root.required_integer("i", 3, 9) == 3);
    REQUIRE(root.required_number("n", 0.5, 9) == 0.5);
    REQUIRE(root.required_text("w").empty());
    ConfigSection t = root.section("t");
    t.leave_to_others("theirs");
    t.problem("mine", "is not what it says");
    t.problem("absent", "is needed because of mine");
    t.finish();
    root.finish();
    REQUIRE(problems.lines() ==
            Lines{"s.toml:1:1: i: is missing: an integer from 3 to 9",
                  "s.toml:1:1: n: is missing: a number from 0.5 to 9", "s.toml:1:1: w: is missing: a text in quotes",
                  "s.toml:1:5: a: nan is outside [0, 2]", "s.toml:2:5: b: must be true or false, not a date or time",
                  "s.toml:3:9: c: must hold numbers only, not a text", "s.toml:3:14: c: 99 is outside [0, 10]",
                  "s.toml:4:11: d: must hold texts only, not an integer",
                  "s.toml:5:5: e: must be a table ([e]), not an integer",
                  "s.toml:6:5: f: must be written as [[f]], not a list",
                  "s.toml:7:5: g: 9223372036854775807 is outside [-1, 1]", "s.toml:8:5: h: inf is outside [0, 2]",
                  "s.toml:9:1: t.absent: is needed because of mine", "s.toml:10:8: t.mine: is not what it says",
                  "s.toml:12:1: t.a: unknown key"});
}

TEST_CASE("what is not TOML is named with its place", "[core][hostile]") {
    REQUIRE_THROWS_WITH(ConfigFile::parse("a = 1\nb = = 2\n", "s.toml"), Catch::StartsWith("s.toml:2:5: not TOML: "));
    REQUIRE_THROWS_AS(ConfigFile::parse("a = \"\xff\xfe\"\n", "s.toml"), UsageError);
    REQUIRE_THROWS_AS(ConfigFile::parse("a = 1\na = 2\n", "s.toml"), UsageError);
    REQUIRE_THROWS_AS(ConfigFile::parse("a = " + std::string(100'000, '['), "s.toml"), UsageError);
    REQUIRE_THROWS_AS(ConfigFile::parse(std::string(100, '\0'), "s.toml"), UsageError);
}

TEST_CASE("a file that cannot be a station file is named", "[core][hostile]") {
    const TemporaryFolder folder;
    const auto path = [&](const char* name) { return folder.path() / name; };
    REQUIRE_THROWS_WITH(ConfigFile::load(path("none.toml")), path("none.toml").string() + ": there is no such file");
    REQUIRE_THROWS_WITH(ConfigFile::load(folder.path()), folder.path().string() + ": is a folder, not a station file");
    REQUIRE(::mkfifo(path("pipe.toml").c_str(), 0600) == 0);  // nobody writes into it: reading would wait for ever
    REQUIRE_THROWS_WITH(ConfigFile::load(path("pipe.toml")),
                        path("pipe.toml").string() + ": is a pipe or a socket, not a station file");
    std::ofstream{path("empty.toml")}.close();
    REQUIRE_THROWS_WITH(ConfigFile::load(path("empty.toml")),
                        path("empty.toml").string() + ": the station file is empty");
    std::ofstream{path("good.toml")} << "[station]\nprofile = \"csi\"\n";
    const ConfigFile good = ConfigFile::load(path("good.toml"));
    REQUIRE(good.text() == "[station]\nprofile = \"csi\"\n");
    REQUIRE(good.name() == path("good.toml").string());
}

TEST_CASE("a station is read with its boards and channels", "[core][unit]") {
    const ConfigFile file = ConfigFile::parse(R"(
[station]
profile = "csi"
title = "CsI[Na] 14.6 kg"
tick_rate_hz = 60.0
[[board]]
name = "pci5153"
source = "simulator"
model = "PCI-5153"
sample_type = "int8"
sample_period_ps = 2000
samples = 35000
clock_period_ps = 10000
[[board.channel]]
name = "csi"
codes = "pci5153_signal"
[[board.channel]]
name = "veto"
codes = "pci5153_veto"
[[board]]
name = "nube"
source = "simulator"
sample_type = "uint16"
sample_period_ps = 4000
[[board.channel]]
name = "veto"
pulses = "positive"
)",
                                              "csi.toml");
    ConfigProblems problems;
    ConfigSection root{file, problems};
    const Station station = parse_station(root);
    root.finish();
    REQUIRE(problems.lines().empty());
    REQUIRE(station.profile == "csi");
    REQUIRE(station.title == "CsI[Na] 14.6 kg");
    REQUIRE(station.tick_rate_hz == 60);
    REQUIRE(station.boards ==
            std::vector<BoardInfo>{{.name = "pci5153",
                                    .source = "simulator",
                                    .model = "PCI-5153",
                                    .serial = "",
                                    .firmware = "",
                                    .sample_type = SampleType::int8,
                                    .sample_period_ps = 2000,
                                    .samples = 35'000,
                                    .clock_period_ps = 10'000,
                                    .channels = {{"csi", true, "pci5153_signal"}, {"veto", true, "pci5153_veto"}}},
                                   {.name = "nube",
                                    .source = "simulator",
                                    .model = "",
                                    .serial = "",
                                    .firmware = "",
                                    .sample_type = SampleType::uint16,
                                    .sample_period_ps = 4000,
                                    .samples = 0,
                                    .clock_period_ps = 8'000,
                                    .channels = {{"veto", false, "plain"}}}});

    REQUIRE(station.find_channel("csi") == ChannelRef{0, 0, true});
    REQUIRE(station.find_channel("pci5153.veto") == ChannelRef{0, 1, true});
    REQUIRE(station.find_channel("nube.veto") == ChannelRef{1, 0, true});
    REQUIRE_FALSE(station.find_channel("veto").present);  // two boards have one: which is not for us to guess
    REQUIRE_FALSE(station.find_channel("nube").present);
    REQUIRE_FALSE(station.find_channel("").present);
}

TEST_CASE("a station needs a name, a board and a channel, and names that differ", "[core][unit]") {
    REQUIRE(station_problems("") == Lines{"csi.toml:1:1: station: is missing: a station file starts with [station]",
                                          "csi.toml:1:1: board: is missing: a station has at least one [[board]]"});
    REQUIRE(station_problems("station = 3\nboard = 4\n") ==
            Lines{"csi.toml:1:11: station: must be a table ([station]), not an integer",
                  "csi.toml:2:9: board: must be written as [[board]], not an integer"});
    const std::string board = "[[board]]\nname = \"b\"\nsource = \"simulator\"\nsample_period_ps = 2000\n";
    const std::string channel = "[[board.channel]]\nname = \"c\"\n";
    const std::string station = "[station]\nprofile = \"csi\"\n";
    REQUIRE(station_problems(station + board + channel).empty());
    REQUIRE(station_problems(station + board) ==
            Lines{"csi.toml:3:1: board.channel: is missing: a board has at least one [[board.channel]]"});
    REQUIRE(station_problems(station + board + channel + channel) ==
            Lines{"csi.toml:10:8: board.channel.name: two channels of this board have this name"});
    REQUIRE(station_problems(station + board + channel + board + channel) ==
            Lines{"csi.toml:10:8: board.name: two boards have this name"});
    REQUIRE(station_problems(station + board + "channel = []\n") ==
            Lines{"csi.toml:7:11: board.channel: must be written as [[board.channel]], not a list"});
    std::string many = station + board;
    for (int c = 0; c < 65; ++c) many += "[[board.channel]]\nname = \"c" + std::to_string(c) + "\"\n";
    REQUIRE(station_problems(many) == Lines{"csi.toml:7:1: board.channel: a board has at most 64 channels"});
}
