// The stage against what the experiment's published program printed for the same triggers.

#include <catch2/catch.hpp>

#include <filesystem>
#include <fstream>
#include <iostream>
#include <map>
#include <sstream>

#include "readout/input.hpp"
#include "trigger/trigger_stage.hpp"

using namespace alleycat;

namespace {

using Row = std::map<std::string, double>;

std::vector<Row> read_table(const std::filesystem::path& path) {
    std::ifstream in{path};
    std::string line, cell;
    std::getline(in, line);
    if (line.ends_with('\r')) line.pop_back();
    std::vector<std::string> names;
    for (std::istringstream cells{line}; std::getline(cells, cell, ',');) names.push_back(cell);
    std::vector<Row> rows;
    while (std::getline(in, line)) {
        Row row;
        std::istringstream cells{line};
        for (const std::string& name : names) {
            std::getline(cells, cell, ',');
            row[name] = std::stod(cell);
        }
        rows.push_back(std::move(row));
    }
    return rows;
}

void require_equal(const Row& published, const Event& event, const WindowEvent& window, double period_ns) {
    const auto integer = [&](const std::string& name, double value) {
        INFO(name);
        REQUIRE(value == published.at(name));
    };
    const auto real = [&](const std::string& name, double value) {
        INFO(name);
        REQUIRE(value == Approx(published.at(name)).epsilon(1e-5).margin(1e-9));  // six digits are printed
    };
    integer("overflow", (event.flags & trigger_flag::overflow) != 0);
    integer("muon_veto", (event.flags & trigger_flag::muon_veto) != 0);
    integer("linear_gate", (event.flags & trigger_flag::linear_gate) != 0);
    integer("baseline_median", event.baseline_median_adc);
    real("baseline_mean", event.baseline_mean_adc);
    real("baseline_sigma", event.baseline_sigma_adc);
    integer("pretrace_peaks", window[Feature::pretrace_peaks]);
    integer("roi_peaks", window[Feature::roi_peaks]);
    integer("window_peaks", window[Feature::window_peaks]);
    integer("arrival_sample", window[Feature::arrival_sample]);
    real("charge_local", window[Feature::charge_adc]);
    real("charge_global", window[Feature::charge_global_adc]);
    real("t10_local", window[Feature::t10_ns] / period_ns);
    real("t50_local", window[Feature::t50_ns] / period_ns);
    real("t90_local", window[Feature::t90_ns] / period_ns);
    real("t10_global", window[Feature::t10_global_ns] / period_ns);
    real("t50_global", window[Feature::t50_global_ns] / period_ns);
    real("t90_global", window[Feature::t90_global_ns] / period_ns);
}

}  // namespace

TEST_CASE("every feature of a recorded minute equals what the published program printed", "[trigger][real]") {
    const std::filesystem::path folder = std::filesystem::path{ALLEYCAT_REAL_DATA} / "labview";
    const std::filesystem::path minute = folder / "Run-15-10-02-12-00-00/151002/120000.zip";
    if (!std::filesystem::exists(minute)) {
        std::cout << "SKIPPED: " << minute.string() << " is absent\n";
        return;
    }
    const ConfigFile file = ConfigFile::load(std::filesystem::path{ALLEYCAT_SOURCE_DIR} / "config/csi-labview.toml");
    ConfigProblems problems;
    ConfigSection root{file, problems};
    const Station station = parse_station(root);
    const TriggerConfig config = parse_trigger(root, station);
    const FileSourceConfig files = parse_file_sources(root);
    problems.throw_if_any();

    const std::vector<std::vector<Row>> published{read_table(folder / "published_program_coincident.csv"),
                                                  read_table(folder / "published_program_anticoincident.csv")};
    const std::unique_ptr<RecordSource> source = open_recorded({minute}, station.boards.front(), 0, files);
    TriggerStage stage{config, {source->board()}};
    RecordHeader header;
    std::vector<std::byte> payload;
    std::size_t n = 0;
    for (; source->next(header, {}) == RecordSource::Next::record; ++n) {
        payload.resize(payload_bytes(header));
        source->fill(payload);
        Trigger trigger;
        trigger.add({header, payload});
        Event event;
        stage.process(trigger, config.spe_charge_adc, event);
        for (std::size_t w = 0; w < 2; ++w) {
            INFO("trigger " << n << ", window " << config.windows[w].name);
            require_equal(published[w].at(n), event, event.window[w], 2.0);
        }
    }
    REQUIRE(n == 40);
}
