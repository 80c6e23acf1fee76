#include <catch2/catch.hpp>

#include "trigger/trigger_config.hpp"

using namespace alleycat;

namespace {

const std::string kStation = R"(
[station]
profile = "test"
[[board]]
name = "digitizer"
source = "simulator"
sample_type = "int8"
sample_period_ps = 2000
samples = 35000
[[board.channel]]
name = "csi"
[[board.channel]]
name = "veto"
)";

std::vector<std::string> problems_of(const std::string& trigger) {
    const ConfigFile file = ConfigFile::parse(kStation + trigger, "station.toml");
    ConfigProblems problems;
    ConfigSection root{file, problems};
    const Station station = parse_station(root);
    (void)parse_trigger(root, station);
    root.finish();
    return problems.lines();
}

TriggerConfig config_of(const std::string& trigger) {
    const ConfigFile file = ConfigFile::parse(kStation + trigger, "station.toml");
    ConfigProblems problems;
    ConfigSection root{file, problems};
    const TriggerConfig config = parse_trigger(root, parse_station(root));
    problems.throw_if_any();
    return config;
}

bool one_says(const std::vector<std::string>& lines, const std::string& what) {
    return std::any_of(lines.begin(), lines.end(), [&](const std::string& l) { return l.find(what) != std::string::npos; });
}

const std::string kWindow = "[[trigger.window]]\nname = \"coincident\"\nstart_ns = 0\nlength_ns = 15050\n"
                            "pretrace_ns = 39600\nintegration_ns = 3000\n";

}  // namespace

TEST_CASE("the windows of the published analysis come out at its sample numbers", "[trigger][config]") {
    const TriggerConfig config = config_of(
        "[trigger]\nsignal = \"csi\"\nveto = \"veto\"\ntick_position_ns = 54950\n" + kWindow +
        "[[trigger.window]]\nname = \"anticoincident\"\nrole = \"anticoincident\"\nstart_ns = -15050\n"
        "length_ns = 15050\npretrace_ns = 39600\nintegration_ns = 3000\n");
    REQUIRE(config.baseline_samples == 20'000);
    REQUIRE(config.windows.size() == 2);
    REQUIRE(config.windows[0] == WindowInfo{"coincident", WindowRole::coincident, 7'675, 27'475, 35'000, 1'500});
    REQUIRE(config.windows[1] == WindowInfo{"anticoincident", WindowRole::anticoincident, 150, 19'950, 27'475, 1'500});
}

TEST_CASE("bad trigger parameters are refused with file, line and reason", "[trigger][config]") {
    const auto bad = [&](const std::string& text) { return problems_of("[trigger]\nsignal = \"csi\"\n" + text); };
    REQUIRE(bad("tick_position_ns = 54950\n" + kWindow).empty());
    REQUIRE(one_says(bad("tick_position_ns = 60000\n" + kWindow), "after the trace of 35000"));
    REQUIRE(one_says(bad("tick_position_ns = 1000\n" + kWindow), "the pretrace starts before the trace"));
    REQUIRE(one_says(bad("tick_position_ns = 54951\n" + kWindow), "not a whole number of samples of 2000 ps"));
    REQUIRE(one_says(bad(kWindow + "[trigger.peaks]\nthreshold_adc = 0\n"), "trigger.peaks.threshold_adc: 0 is outside [1, 65535]"));
    REQUIRE(one_says(bad(""), "trigger.window: is missing"));
    REQUIRE(one_says(bad("[[trigger.window]]\nname = \"w\"\nlength_ns = 1000\nintegration_ns = 3000\n"),
                     "the integration is longer than the window"));
    REQUIRE(one_says(bad("[[trigger.cut]]\nname = \"x\"\nfeature = \"charge_pt\"\nmin = 1\n" + kWindow),
                     "'charge_pt' is not a feature"));
    REQUIRE(one_says(bad("[[trigger.cut]]\nname = \"x\"\nfeature = \"charge_pe\"\nmin = 3\nmax = 1\n" + kWindow), "3 is above max 1"));
    REQUIRE(one_says(bad("[[trigger.cut]]\nname = \"x\"\nflag = \"rain\"\n" + kWindow), "'rain' is not a flag"));
    REQUIRE(one_says(bad("[[trigger.cut]]\nname = \"x\"\n" + kWindow), "neither a flag nor a feature"));
    REQUIRE(one_says(problems_of("[trigger]\nsignal = \"nai\"\n" + kWindow), "no board has a channel 'nai'"));
    REQUIRE(one_says(problems_of("[trigger]\n" + kWindow), "trigger.signal: is missing"));
}

TEST_CASE("the charge is called by the station's own unit", "[trigger][config]") {
    const auto unit = [](const std::vector<FeatureInfo>& features) {
        return features.at(static_cast<std::size_t>(Feature::charge_pe)).unit;
    };
    const std::string head = "[trigger]\nsignal = \"csi\"\ntick_position_ns = 54950\n";
    CHECK(feature_infos(config_of(head + kWindow)) == core_features());
    CHECK(unit(core_features()) == "pe");
    CHECK(unit(feature_infos(config_of(head + "charge_unit = \"keVee\"\n" + kWindow))) == "keVee");
    for (const char* bad : {"", "two words", "a_unit_of_17_char", "\\u00b5C"}) {
        CHECK(one_says(problems_of(head + "charge_unit = \"" + bad + "\"\n" + kWindow),
                       "trigger.charge_unit: must be 1 to 16 ASCII characters"));
    }
}

TEST_CASE("cuts describe themselves for files and screens", "[trigger][config]") {
    const TriggerConfig config = config_of("[trigger]\nsignal = \"csi\"\ntick_position_ns = 54950\n" + kWindow + R"(
[[trigger.cut]]
name = "muon_veto"
flag = "muon_veto"
[[trigger.cut]]
name = "cherenkov"
any = [{feature = "window_peaks", min = 8}, {feature = "charge_pe", min = 30}]
[[trigger.cut]]
name = "pretrace"
feature = "pretrace_peaks"
max = 3
[[trigger.cut]]
name = "rise_order"
feature = "t50_ns"
below = "rise_10_90_ns"
[[trigger.cut]]
name = "quiet"
flag = "overflow"
any = [{feature = "roi_peaks", max = 1}, {feature = "charge_pe", max = 2}]
)");
    const std::vector<CutInfo> infos = cut_infos(config);
    REQUIRE(infos.size() == 7);
    REQUIRE(infos[0].name == "no_peak");
    REQUIRE(infos[1].name == "does_not_fit");
    REQUIRE(infos[2].meaning == "not muon_veto");
    REQUIRE(infos[3].meaning == "8 <= window_peaks or 30 <= charge_pe");
    REQUIRE(infos[4].meaning == "pretrace_peaks <= 3");
    REQUIRE(infos[5].meaning == "t50_ns < rise_10_90_ns");
    REQUIRE(infos[6].meaning == "not overflow and (roi_peaks <= 1 or charge_pe <= 2)");  // both, as failed_cuts judges
    REQUIRE(config.cuts[0].forbidden_flags == (trigger_flag::muon_veto | trigger_flag::missing_veto));
    REQUIRE_FALSE(config.cuts[0].needs_arrival);
    REQUIRE(config.cuts[1].needs_arrival);
    REQUIRE_FALSE(config.cuts[2].needs_arrival);
}

TEST_CASE("without a table the SPE charge stays as configured, and with one every key is read", "[trigger][config]") {
    const std::string trigger = "[trigger]\nsignal = \"csi\"\ntick_position_ns = 54950\nspe_charge_adc = 68\n";
    CHECK(config_of(trigger + kWindow).calibration.source == CalibrationConfig::Source::none);
    const CalibrationConfig usual = config_of(trigger + "[trigger.calibration]\nsource = \"fit\"\n" + kWindow).calibration;
    CHECK(usual.source == CalibrationConfig::Source::fit);
    CHECK(usual.block_triggers == 0);
    CHECK(usual.block_ps == 600'000'000'000'000);
    CHECK(usual.histogram == ChargeBinning{-50, 1, 300});  // as published: -50 to 249 in bins of one
    CHECK(usual.baseline_samples == 75);
    CHECK(usual.fit.start_adc == 68);
    const CalibrationConfig other = config_of(trigger + R"([trigger.calibration]
source = "fit"
block_triggers = 36000
min_peaks = 500
spe_min_adc = 40
spe_max_adc = 90
theta_min = 2
theta_max = 12
max_error_percent = 1.5
max_chi2_per_ndf = 10
histogram_min_adc = 0
histogram_max_adc = 200
histogram_bin_adc = 2
baseline_ns = 100
)" + kWindow).calibration;
    CHECK(other.block_triggers == 36'000);
    CHECK(other.histogram == ChargeBinning{0, 2, 100});
    CHECK(other.baseline_samples == 50);
    CHECK(other.fit.min_peaks == 500);
    CHECK(other.fit.min_adc == 40);
    CHECK(other.fit.max_adc == 90);
    CHECK(other.fit.min_theta == 2);
    CHECK(other.fit.max_theta == 12);
    CHECK(other.fit.max_error_percent == 1.5);
    CHECK(other.fit.max_chi2_per_ndf == 10);
}

TEST_CASE("a calibration that cannot work is refused with its line", "[trigger][config]") {
    const auto lines_of = [](const std::string& keys) {
        return problems_of("[trigger]\nsignal = \"csi\"\ntick_position_ns = 54950\n[trigger.calibration]\n" + keys + kWindow);
    };
    CHECK(one_says(lines_of("block_s = 60\n"), "trigger.calibration.source: is missing: none or fit"));
    const auto fit_with = [&](const std::string& keys) { return lines_of("source = \"fit\"\n" + keys); };
    CHECK(fit_with("").empty());
    CHECK(one_says(fit_with("spe_min_adc = 75\n"), "station.toml:19:15: trigger.calibration.spe_min_adc: trigger.spe_charge_adc = 70"));
    CHECK(one_says(fit_with("spe_max_adc = 60\n"), "not between 50 and 60"));
    CHECK(one_says(fit_with("histogram_bin_adc = 7\n"), "does not divide -50 to 250 into whole bins"));
    CHECK(one_says(fit_with("histogram_bin_adc = 10\n"), "more than a tenth of spe_min_adc"));
    CHECK(one_says(fit_with("histogram_bin_adc = 0.01\n"), "more than 10000 bins"));
    CHECK(one_says(fit_with("histogram_max_adc = -60\n"), "is not above histogram_min_adc"));
    CHECK(one_says(fit_with("theta_min = 7\n"), "is below theta_min = 7"));
    CHECK(one_says(fit_with("block_s = 0\n"), "outside [0.001, 1000000]"));
    CHECK(one_says(fit_with("baseline_ns = 3\n"), "not a whole number of samples"));
    CHECK(one_says(fit_with("colour = 1\n"), "trigger.calibration.colour: unknown key"));
}
