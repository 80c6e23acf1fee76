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
[monitor.discriminant]
feature = "f90"
min = 0
max = 1.2
bin = 0.02
title = "F90"
against = "t50_ns"
against_min = 0
against_max = 3000
against_bin = 100
against_title = "T0-50"
[monitor.alarms]
baseline_min_adc = -20
baseline_max_adc = 20
beam_unknown_s = 0
silent_detector_events = 5
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
    CHECK(p.config.alarms.silent_detector_events == 5);
    CHECK(p.config.discriminant ==
          DiscriminantConfig{"f90", "t50_ns", Binning{0, 0.02, 60}, Binning{0, 100, 30}, "F90", "T0-50"});
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

TEST_CASE("a discriminant stands against the charge where nothing else is named", "[monitor][config]") {
    const Parsed p = parse("[monitor]\ncharge_max_pe = 100\n[monitor.discriminant]\nfeature = \"f90\"\n");
    CHECK(p.problems.empty());
    CHECK(p.config.discriminant.against == "charge_pe");
    CHECK(p.config.discriminant.against_bins == Binning{0, 2, 50});  // those of the charge spectrum
    CHECK(p.config.discriminant.bins == Binning{0, 0.02, 50});
    CHECK(parse("").config.discriminant.feature.empty());
}

TEST_CASE("problems of the discriminant's table name their place", "[monitor][config]") {
    const Parsed p = parse(R"([monitor.discriminant]
max = 1
bin = 0.3
against = "t50_ns"
against_min = 0
against_max = 100
title = "a title that is so much longer than any axis of any plot on any screen could be"
)");
    REQUIRE(p.problems.size() == 4);
    CHECK(p.problems[0] == "station.toml:1:1: monitor.discriminant.feature: is missing: the column that is drawn");
    CHECK(p.problems[1] == "station.toml:3:7: monitor.discriminant.bin: 0.3 does not divide 0 to 1 into whole bins");
    CHECK(p.problems[2] == "station.toml:4:11: monitor.discriminant.against: needs against_bin: it is not charge_pe");
    CHECK(p.problems[3] == "station.toml:7:9: monitor.discriminant.title: is longer than 64 characters");

    const Parsed q = parse("[monitor.discriminant]\nfeature = \"f90\"\nbin = 0.001\nagainst_bin = 1\n");
    REQUIRE(q.problems.size() == 1);
    CHECK(q.problems[0] == "station.toml:3:7: monitor.discriminant.bin: 1000 x 50 bins are more than 40000");
}

TEST_CASE("a discriminant that is no column of the run is told at its place", "[monitor][config]") {
    const std::string text = "[monitor.discriminant]\nfeature = \"f90\"\nagainst = \"charge_pe\"\n";
    const ConfigFile file = ConfigFile::parse(text, "station.toml");
    ConfigProblems problems;
    ConfigSection root{file, problems};
    const MonitorConfig config = parse_monitor(root);
    std::vector<FeatureInfo> schema{{"charge_pe", "pe", FeatureType::f64, ""}, {"t50_ns", "ns", FeatureType::f64, ""}};
    check_features(root, config, schema);
    REQUIRE(problems.lines().size() == 1);
    CHECK(problems.lines()[0] ==
          "station.toml:2:11: monitor.discriminant.feature: 'f90' is not a feature: charge_pe, t50_ns");
    schema.push_back({"f90", "", FeatureType::f64, ""});
    ConfigProblems none;
    ConfigSection again{file, none};
    check_features(again, config, schema);
    CHECK(none.empty());
}

TEST_CASE("a recorded run brings its own binning, whatever else its station text holds", "[monitor][config]") {
    RunDescription run;
    run.config_name = "lar.toml";
    run.config_text = "[station]\nprofile = 3\n[of_another_program]\n[monitor]\ncharge_max_pe = 400\n";
    CHECK(monitor_config_of(run).config.charge_pe == Binning{0, 2, 200});
    CHECK(monitor_config_of(run).problem.empty());

    run.config_text = "[monitor]\ncharge_max_pe = 400\nnew_key = 1\n";
    CHECK(monitor_config_of(run).config == MonitorConfig{});
    CHECK(monitor_config_of(run).problem == "lar.toml:3:1: monitor.new_key: unknown key");
    run.config_text = "[monitor\n";
    CHECK(monitor_config_of(run).config == MonitorConfig{});
    CHECK(monitor_config_of(run).problem.starts_with("lar.toml:1:"));
    run.config_text.clear();
    CHECK(monitor_config_of(run).problem.empty());
}
