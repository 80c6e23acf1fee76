#include <sys/stat.h>

#include <catch2/catch.hpp>
#include <fstream>

#include "daq/core/error.hpp"
#include "daq/core/worker.hpp"
#include "daq/wire/control.hpp"
#include "daq/wire/monitor_publisher.hpp"
#include "daq/wire/wire_config.hpp"
#include "samples.hpp"

using namespace alleycat;
using namespace alleycat::test;
using namespace std::chrono_literals;

namespace {

std::vector<std::string> problems_of(const std::string& text, WireConfig* config = nullptr) {
    const ConfigFile file = ConfigFile::parse(text, "s.toml");
    ConfigProblems problems;
    ConfigSection root{file, problems};
    const WireConfig parsed = parse_wire(root);
    root.finish();
    if (config != nullptr) *config = parsed;
    return problems.lines();
}

}  // namespace

TEST_CASE("an empty station file means loopback on the three known ports", "[wire][config]") {
    WireConfig config;
    REQUIRE(problems_of("", &config).empty());
    CHECK(config.data_endpoint == "tcp://127.0.0.1:5555");
    CHECK(config.monitor_endpoint == "tcp://127.0.0.1:5556");
    CHECK(config.control_endpoint == "tcp://127.0.0.1:5557");
    CHECK(config.heartbeat == 1s);
    CHECK(config.dead_after == 5s);
    CHECK_FALSE(config.allow_unencrypted);
}

TEST_CASE("every wire problem is reported at its place", "[wire][config]") {
    const std::vector<std::string> lines = problems_of(
        "[data]\nendpoint = 'tcp://*:5555'\nheartbeat_ms = 1000\ndead_after_ms = 1500\n"
        "[monitor_stream]\nendpoint = 'udp://x:1'\nfoo = 1\n[control]\nendpoint = 'tcp://host:70000'\n");
    REQUIRE(lines.size() == 5);
    CHECK(lines[0].starts_with("s.toml:2:12: data.endpoint: 'tcp://*:5555' can be reached from other hosts"));
    CHECK(lines[1].starts_with("s.toml:4:17: data.dead_after_ms: 1500 must be at least twice heartbeat_ms (1000)"));
    CHECK(lines[2].starts_with("s.toml:6:12: monitor_stream.endpoint: 'udp://x:1' is not an endpoint"));
    CHECK(lines[3] == "s.toml:7:1: monitor_stream.foo: unknown key");
    CHECK(lines[4].starts_with("s.toml:9:12: control.endpoint: 'tcp://host:70000' is not an endpoint"));
    CHECK(problems_of("[data]\nendpoint = 'tcp://*:5555'\n[security]\nallow_unencrypted = true\n").empty());
    CHECK(problems_of("[data]\nendpoint = 'tcp://*:5555'\n[security]\nsecret_key_file = 'k'\n").empty());
}

TEST_CASE("loopback is what cannot leave the host, and only that", "[wire][unit]") {
    for (const char* local : {"tcp://127.0.0.1:5", "tcp://127.1.2.3:*", "ipc:///tmp/x", "tcp://localhost:1",
                              "tcp://lo:1", "tcp://[::1]:1"}) {
        CHECK(is_local(local));
    }
    for (const char* remote : {"tcp://*:5", "tcp://0.0.0.0:5", "tcp://10.0.0.1:5", "tcp://127.example.org:5",
                               "tcp://localhost.evil:1", "tcp://eth0:1"}) {
        CHECK_FALSE(is_local(remote));
    }
    CHECK(connect_endpoint("tcp://*:5555") == "tcp://127.0.0.1:5555");
    CHECK(connect_endpoint("tcp://0.0.0.0:5555") == "tcp://127.0.0.1:5555");
    CHECK(connect_endpoint("tcp://daq:5555") == "tcp://daq:5555");
    CHECK(control_endpoint_for("tcp://daq:5556") == "tcp://daq:5557");
    CHECK(control_endpoint_for("ipc:///tmp/m") == "ipc:///tmp/m.control");
    CHECK_THROWS_AS(control_endpoint_for("nonsense"), UsageError);
}

TEST_CASE("nothing listens unencrypted where other hosts can reach it unless told to", "[wire][security]") {
    CHECK_THROWS_AS((MonitorPublisher{{.endpoint = "tcp://0.0.0.0:*", .security = {}}}), UsageError);
    const MonitorPublisher told{{.endpoint = "tcp://0.0.0.0:*",
                                 .security = {.secret_key = "", .server_public_key = "", .allow_unencrypted = true}}};
    CHECK(told.message_number() == 0);
}

TEST_CASE("an address in use is named", "[wire][unit]") {
    const MonitorPublisher first{{.endpoint = "tcp://127.0.0.1:*", .security = {}}};
    CHECK_THROWS_WITH((MonitorPublisher{{.endpoint = first.endpoint(), .security = {}}}),
                      Catch::Contains("cannot listen on " + first.endpoint()));
}

TEST_CASE("a key pair is written once, the secret for its owner only, and read back", "[wire][security]") {
    const TemporaryFolder folder;
    const std::filesystem::path path = folder / "daemon.key";
    write_key_pair(path);
    struct stat info {};
    REQUIRE(::stat(path.c_str(), &info) == 0);
    CHECK((info.st_mode & 0777) == 0600);
    CHECK(load_secret_key(path).size() == 40);
    CHECK(load_public_key(path) == load_public_key(path.string() + ".pub"));
    CHECK(load_public_key(path) != load_secret_key(path));
    CHECK_THROWS_AS(write_key_pair(path), Error);
    CHECK_THROWS_AS(load_secret_key(folder / "absent"), Error);

    std::filesystem::permissions(path, std::filesystem::perms::group_read, std::filesystem::perm_options::add);
    CHECK_THROWS_WITH(load_secret_key(path), Catch::Contains("others may read this secret key"));

    std::ofstream{folder / "bad.key"} << "public_key = 'short'\n";
    CHECK_THROWS_WITH(load_public_key(folder / "bad.key"),
                      Catch::Contains("public_key is not a CURVE key of 40 characters"));
}

TEST_CASE("with keys only who has the public key gets an answer", "[wire][security]") {
    const TemporaryFolder folder;
    write_key_pair(folder / "daemon.key");
    write_key_pair(folder / "other.key");
    CounterRegistry counters;
    ControlServer server{{.endpoint = "tcp://127.0.0.1:*",
                          .security = {.secret_key = load_secret_key(folder / "daemon.key"),
                                       .server_public_key = "",
                                       .allow_unencrypted = false}},
                         counters,
                         [](const ControlRequest&) { return ControlReply{}; }};
    Worker thread{"control", [&](std::stop_token stop) {
                      while (!stop.stop_requested()) (void)server.serve(20ms);
                  }};
    const auto with_key = [&](const std::string& key) {
        return ControlClient{server.endpoint(),
                             {.secret_key = "", .server_public_key = key, .allow_unencrypted = false}};
    };
    CHECK(with_key(load_public_key(folder / "daemon.key.pub")).request({ControlCommand::status, ""}, 10s).ok);
    CHECK_THROWS_AS(with_key(load_public_key(folder / "other.key.pub")).request({ControlCommand::status, ""}, 300ms),
                    Error);
    CHECK_THROWS_AS(with_key("").request({ControlCommand::status, ""}, 300ms), Error);
}
