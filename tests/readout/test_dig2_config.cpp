#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "daq/core/config.hpp"
#include "daq/core/station.hpp"
#include "readout/boards.hpp"

using namespace alleycat;

namespace {

struct Parsed {
    Dig2Config config;
    std::vector<std::string> problems;
};

/// A station of one board with two channels, and these lines in [board.dig2].
Parsed parse(const std::string& lines, const std::string& board = "sample_type = \"uint16\"\nsamples = 1000\n") {
    const ConfigFile file = ConfigFile::parse(
        "[station]\nprofile = \"x\"\n[[board]]\nname = \"adc\"\nsource = \"dig2\"\nsample_period_ps = 8000\n" + board +
            "channel = [{name = \"a\"}, {name = \"b\"}]\n[board.dig2]\n" + lines,
        "f");
    ConfigProblems problems;
    ConfigSection root{file, problems};
    const Station station = parse_station(root);
    const std::vector<BoardConfig> boards = parse_boards(root, station);
    return {std::get<Dig2Config>(boards.at(0)), problems.lines()};
}

const std::string kLeast = "address = \"10.0.0.1\"\npre_trigger_samples = 100\n";

}  // namespace

TEST_CASE("a 27xx needs an address and a pre-trigger, the rest has defaults", "[readout][dig2][config]") {
    const Parsed parsed = parse(kLeast);
    REQUIRE(parsed.problems.empty());
    REQUIRE(parsed.config.inputs == std::vector<unsigned>{0, 1});
    REQUIRE(parsed.config.trigger_source == "TrgIn");
    REQUIRE(parsed.config.start_source == "SWcmd");
    REQUIRE_FALSE(parsed.config.threshold_adc.has_value());
    REQUIRE(
        parse("").problems ==
        std::vector<std::string>{"f:10:1: board.dig2.address: is missing: a text in quotes",
                                 "f:10:1: board.dig2.pre_trigger_samples: is missing: an integer from 0 to 16777216"});
}

TEST_CASE("further parameters of a 27xx keep the order of the file", "[readout][dig2][config]") {
    const Parsed parsed =
        parse(kLeast +
              "inputs = [5, 3]\ntrigger_source = [\"TrgIn\", \"SwTrg\"]\n[board.dig2.parameters]\n"
              "\"/par/RunDelay\" = \"16\"\n\"/ch/5/par/SignalOffset\" = \"2\"\n\"/par/BusyInSource\" = \"SIN\"\n");
    REQUIRE(parsed.problems.empty());
    REQUIRE(parsed.config.inputs == std::vector<unsigned>{5, 3});
    REQUIRE(parsed.config.trigger_source == "TrgIn | SwTrg");
    REQUIRE(parsed.config.parameters ==
            std::vector<std::pair<std::string, std::string>>{
                {"/par/RunDelay", "16"}, {"/ch/5/par/SignalOffset", "2"}, {"/par/BusyInSource", "SIN"}});
}

TEST_CASE("each mistake about a 27xx is told where it stands", "[readout][dig2][config]") {
    const auto only = [](const Parsed& parsed) {
        REQUIRE(parsed.problems.size() == 1);
        return parsed.problems.front();
    };
    REQUIRE(only(parse("address = \"dig2://10.0.0.1\"\npre_trigger_samples = 1\n")) ==
            "f:11:11: board.dig2.address: 'dig2://10.0.0.1' is not HOST or HOST:PORT");
    REQUIRE(only(parse(kLeast + "inputs = [1, 1]\n")) == "f:13:10: board.dig2.inputs: names input 1 twice");
    REQUIRE(only(parse(kLeast + "inputs = [1]\n")) ==
            "f:13:10: board.dig2.inputs: has 1 numbers for the 2 channels of this board");
    REQUIRE(only(parse("address = \"a\"\npre_trigger_samples = 1001\n")) ==
            "f:12:23: board.dig2.pre_trigger_samples: 1001 are more than the record's 1000");
    REQUIRE(only(parse(kLeast + "start_source = \"SWCMD\"\n")) ==
            "f:13:16: board.dig2.start_source: 'SWCMD' is not one of SWcmd, SINlevel, SINedge, EncodedClkIn, LVDS, P0");
    REQUIRE(only(parse(kLeast + "parameters = {\"/par/RunDelay\" = 16}\n")) ==
            "f:13:33: board.dig2.parameters./par/RunDelay: must be a text in quotes, not an integer");
    REQUIRE(only(parse(kLeast + "treshold_adc = 3\n")) == "f:13:1: board.dig2.treshold_adc: unknown key");
    REQUIRE(only(parse(kLeast, "sample_type = \"uint16\"\nsamples = 1002\n")) ==
            "f:10:1: board.dig2: records have a multiple of 4 samples, samples says 1002");
    REQUIRE(only(parse(kLeast, "samples = 1000\n")) ==
            "f:9:1: board.dig2: the board delivers uint16 samples, sample_type says int8");
}
