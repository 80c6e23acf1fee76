#include <catch2/catch.hpp>
#include <vector>

#include "daq/core/error.hpp"
#include "gui/options.hpp"

using namespace alleycat;
using namespace alleycat::gui;

namespace {

std::variant<Options, int> parse(std::vector<const char*> words) {
    words.insert(words.begin(), "alleycat-monitor");
    return parse_command_line(static_cast<int>(words.size()), words.data());
}

}  // namespace

TEST_CASE("without words the daemon on this host is followed", "[gui][unit]") {
    const auto options = std::get<Options>(parse({}));
    CHECK(options.monitor_endpoint == "tcp://127.0.0.1:5556");
    CHECK(options.control_endpoint == "tcp://127.0.0.1:5557");
    CHECK(options.files.empty());
    CHECK_FALSE(options.screenshot);
}

TEST_CASE("the control socket is one port beyond the monitor's unless it is named", "[gui][unit]") {
    CHECK(control_endpoint_beside("tcp://daq.example.org:7000") == "tcp://daq.example.org:7001");
    CHECK(control_endpoint_beside("tcp://[::1]:7000") == "tcp://[::1]:7001");
    CHECK_THROWS_AS(control_endpoint_beside("ipc:///run/alleycat"), UsageError);
    CHECK_THROWS_AS(control_endpoint_beside("tcp://host:65535"), UsageError);
    CHECK_THROWS_AS(control_endpoint_beside("tcp://host"), UsageError);
    CHECK_THROWS_AS(control_endpoint_beside("5556"), UsageError);
    const auto options = std::get<Options>(parse({"--connect", "ipc:///m", "--control", "ipc:///c"}));
    CHECK(options.control_endpoint == "ipc:///c");
}

TEST_CASE("files, a screenshot and its size are read", "[gui][unit]") {
    const auto options =
        std::get<Options>(parse({"a.h5", "b.h5", "--screenshot", "o.png", "--size", "1280x800", "--blind"}));
    CHECK(options.files == std::vector<std::filesystem::path>{"a.h5", "b.h5"});
    CHECK(options.screenshot == "o.png");
    CHECK(options.width == 1280);
    CHECK(options.height == 800);
    CHECK(options.hide_residual);
}

TEST_CASE("a mistake on the command line is exit status 2, help is 0", "[gui][unit]") {
    CHECK(std::get<int>(parse({"--no-such-option"})) == 2);
    CHECK(std::get<int>(parse({"--size", "10x10"})) == 2);
    CHECK(std::get<int>(parse({"--size", "1600"})) == 2);
    CHECK(std::get<int>(parse({"--size", "1600x1000px"})) == 2);
    CHECK(std::get<int>(parse({"--connect", "nonsense"})) == 2);
    CHECK(std::get<int>(parse({"--connect", "tcp://h:1", "a.h5"})) == 2);
    CHECK(std::get<int>(parse({"--after", "5"})) == 2);  // only with --screenshot
    CHECK(std::get<int>(parse({"--screenshot", "o.png", "--timeout", "-1"})) == 2);
    CHECK(std::get<int>(parse({"--help"})) == 0);
}
