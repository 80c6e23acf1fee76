// emulate: a digitizer that is not there, on a loopback port.

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cmath>
#include <memory>
#include <optional>
#include <variant>

#include "daq/core/error.hpp"
#include "daq/run/station_setup.hpp"
#include "readout/dig2_link.hpp"
#include "readout/hit_simulator.hpp"
#include "readout/simulator.hpp"
#include "tools/commands.hpp"
#include "tools/emulator/dig2_emulator.hpp"
#include "tools/emulator/emulator.hpp"
#include "tools/emulator/fcio_emulator.hpp"
#include "tools/emulator/sis3316_emulator.hpp"

namespace alleycat {
namespace {

struct EmulateOptions {
    std::string kind, board, faults;
    std::filesystem::path config;
    std::vector<std::filesystem::path> inputs;
    std::uint64_t triggers = 0, seed = 1;
    std::optional<std::uint16_t> port;
    std::optional<double> first_trigger_s;
    EmulatorConfig emulator;
};

/// The board of the station that is emulated: the one that is named, or the first of this kind.
std::size_t find_board(const StationSetup& setup, const EmulateOptions& options) {
    const std::vector<BoardInfo>& boards = setup.station.boards;
    const auto found = std::find_if(boards.begin(), boards.end(), [&](const BoardInfo& b) {
        return b.source == options.kind && (options.board.empty() || b.name == options.board);
    });
    if (found == boards.end()) {
        throw UsageError{fmt::format("{}: has no board{} with source = \"{}\"", options.config.string(),
                                     options.board.empty() ? "" : " '" + options.board + "'", options.kind)};
    }
    return static_cast<std::size_t>(found - boards.begin());
}

/// What the board serves: recorded files, or the station's simulated detector.
std::unique_ptr<RecordSource> waveforms(const StationSetup& setup, std::size_t board, const EmulateOptions& options) {
    const auto index = static_cast<std::uint16_t>(board);
    BoardInfo info = setup.station.boards[board];
    info.source = "simulator";
    if (!options.inputs.empty()) return open_recorded(options.inputs, info, index, setup.files);
    SimulatorConfig simulator = setup.simulator;
    simulator.pacing = Pacing::fast;  // the emulator has a rate of its own
    if (info.self_triggered) return std::make_unique<HitSimulator>(simulator, info, index, false, options.triggers);
    return std::make_unique<Simulator>(simulator, info, index, options.triggers);
}

std::unique_ptr<Emulator> make_emulator(const std::string& kind, std::unique_ptr<RecordSource> source,
                                        const BoardConfig& board, const EmulatorConfig& config) {
    if (kind == "sis3316") {
        const auto& sis3316 = std::get<Sis3316Config>(board);
        return std::make_unique<Sis3316Emulator>(
            std::move(source), config,
            Sis3316Emulation{.packet_identifiers = sis3316.protocol != sis3316::Protocol::plain,
                             .inputs = sis3316.inputs});
    }
    if (kind == "dig2") return std::make_unique<Dig2Emulator>(std::move(source), config);
    if (kind == "fcio") return make_fcio_emulator(std::move(source), config);
    throw UsageError{fmt::format("'{}' is not a board that can be emulated", kind)};
}

/// Where the station file looks for the board; 0: it does not say.
std::uint16_t station_port(const BoardConfig& board) {
    if (const auto* sis3316 = std::get_if<Sis3316Config>(&board)) return sis3316->port;
    if (const auto* fcio = std::get_if<FcioConfig>(&board)) return fcio->port;
    if (const auto* dig2 = std::get_if<Dig2Config>(&board)) return dig2::parse_address(dig2->address).value().port;
    return 0;
}

int emulate(const EmulateOptions& options, CommandContext& context) {
    const StationSetup setup = load_station(options.config);
    EmulatorConfig config = options.emulator;
    config.faults = FaultPlan::parse(options.faults, options.seed);
    if (options.first_trigger_s) {
        config.first_trigger_utc.emplace(std::chrono::nanoseconds{std::llround(*options.first_trigger_s * 1e9)});
        if (!(config.rate_hz > 0)) throw UsageError{"--first-trigger needs a --rate"};
    }
    const std::size_t board = find_board(setup, options);
    config.port = options.port.value_or(station_port(setup.boards[board]));
    const std::unique_ptr<Emulator> emulator =
        make_emulator(options.kind, waveforms(setup, board, options), setup.boards[board], config);
    fmt::print("{} listens on 127.0.0.1:{}\n", setup.station.boards[board].name, emulator->port());
    std::fflush(stdout);
    emulator->serve(context.signals.stop());
    for (const auto& [name, count] : emulator->counts()) fmt::print("{}: {}\n", name, count);
    return 0;
}

}  // namespace

void add_emulate_command(CLI::App& app, Action& action) {
    auto options = std::make_shared<EmulateOptions>();
    CLI::App& command =
        *app.add_subcommand("emulate", "Be a digitizer: its protocol on a loopback port, faults included");
    command.add_option("kind", options->kind, "sis3316, dig2 or fcio")->required();
    add_config_option(command, options->config);
    command.add_option("--board", options->board, "Which board of the station (default: the first of this kind)");
    command.add_option("--input", options->inputs, "Recorded files to serve instead of the simulated detector");
    command.add_option("--port", options->port, "On 127.0.0.1; 0: any free one (default: the station file's)");
    command.add_option("--rate", options->emulator.rate_hz, "Triggers/s; 0: as fast as the client takes them")
        ->check(number_between(0, 1e6))
        ->capture_default_str();
    command.add_option("--first-trigger", options->first_trigger_s,
                       "With --rate: UTC of the first trigger [s since 1970]; those that nobody takes are gone, and "
                       "emulators with the same time see the same ones");
    command.add_option("--triggers", options->triggers, "End after so many; 0: endless")->capture_default_str();
    command.add_option("--faults", options->faults, "NAME=SHARE,...: what goes wrong, in which share of the occasions");
    command.add_option("--seed", options->seed, "Of the faults")->capture_default_str();
    command.add_option("--first-clock", options->emulator.first_clock, "The board's clock at its start [its ticks]");
    command.add_option("--drift-ppm", options->emulator.clock_drift_ppm, "Its clock runs fast by this")
        ->check(number_between(-1000, 1000));
    command.footer(fmt::format("Faults: {}. What each does depends on the board: its page in readout/.",
                               fmt::join(kFaultNames, ", ")));
    command.callback(
        [options, &action] { action = [options](CommandContext& context) { return emulate(*options, context); }; });
}

}  // namespace alleycat
