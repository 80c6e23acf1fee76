#include <catch2/catch.hpp>

#include "monitor/monitor_config.hpp"

using namespace alleycat;

namespace {

struct Parsed {
    MonitorConfig config;
    std::vector<std::string> problems;
};
Parsed parse(std::string text) {
    const ConfigFile file = ConfigFile::parse(std::move(text), "station.toml");
    ConfigProblems problems;
    ConfigSection root{file, problems};
    MonitorConfig config = parse_monitor(root);
    root.finish();
    return {config, problems.lines()};
}

}  // namespace

TEST_CASE("without a table the monitor has the binning of the 2017 release", "[monitor][config]") {
    const Parsed p = parse("");
    CHECK(p.problems.empty());
    CHECK(p.config == MonitorConfig{});
    CHECK(p.config.charge_pe == Binning{0, 2, 25});
    CHECK(p.config.arrival_ns == Binning{0, 500, 24});
    CHECK(plausible(p.config));
}

TEST_CASE("every key of the monitor is read", "[monitor][config]") {
    const Parsed p = parse(R"([monitor]
charge_min_pe = 1
charge_max_pe = 5
charge_bin_pe = 0.1
arrival_min_ns = 0
arrival_max_ns = 15000
arrival_bin_ns = 250
trend_interval_s = 60
trend_points = 500
history_step_kwh = 1000
history_points = 100
pending_events = 600
[monitor.alarms]
baseline_min_adc = -20
baseline_max_adc = 20
beam_unknown_s = 0
)");
    CHECK(p.problems.empty());
    CHECK(p.config.charge_pe == Binning{1, 0.1, 40});
    CHECK(p.config.arrival_ns == Binning{0, 250, 60});
    CHECK(p.config.trend_interval_s == 60);
    CHECK(p.config.trend_points == 500);
    CHECK(p.config.history_step_kwh == 1000);
    CHECK(p.config.history_points == 100);
    CHECK(p.config.pending_events == 600);
    CHECK(p.config.alarms.baseline_min_adc == -20);
    CHECK(p.config.alarms.beam_unknown_s == 0);
    CHECK(plausible(p.config));
}

TEST_CASE("problems of the monitor's table name their place", "[monitor][config]") {
    const Parsed p = parse(R"([monitor]
charge_bin_pe = 3
arrival_min_ns = 500
arrival_max_ns = 100
trend_interval_s = 0
trend_points = 3.5
histroy_points = 100
[monitor.alarms]
rate_alarm_hz = 0.01
spe_min_adc = "high"
)");
    REQUIRE(p.problems.size() == 7);
    CHECK(p.problems[0] == "station.toml:2:17: monitor.charge_bin_pe: 3 pe does not divide 0 to 50 pe into whole bins");
    CHECK(p.problems[1] == "station.toml:4:18: monitor.arrival_max_ns: 100 is not above arrival_min_ns = 500");
    CHECK(p.problems[2] == "station.toml:5:20: monitor.trend_interval_s: 0 is outside [0.1, 3600]");
    CHECK(p.problems[3] == "station.toml:6:16: monitor.trend_points: must be an integer, not a number");
    CHECK(p.problems[4] == "station.toml:7:1: monitor.histroy_points: unknown key");
    CHECK(p.problems[5] == "station.toml:9:17: monitor.alarms.rate_alarm_hz: 0.01 is below rate_warning_hz = 0.1");
    CHECK(p.problems[6] == "station.toml:10:15: monitor.alarms.spe_min_adc: must be a number, not a text");
}
