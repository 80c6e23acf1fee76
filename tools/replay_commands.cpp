// replay, simulate: recorded or simulated records through the same pipeline, as fast as they go.

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <limits>
#include <memory>

#include "daq/core/error.hpp"
#include "daq/run/daemon.hpp"
#include "daq/run/paced_source.hpp"
#include "readout/labview_writer.hpp"
#include "tools/commands.hpp"
#include "tools/progress_line.hpp"
#include "tools/run_report.hpp"

namespace alleycat {
namespace {

struct ReplayOptions {
    std::vector<std::filesystem::path> inputs;
    std::filesystem::path config;
    std::filesystem::path output;
    unsigned jobs = 1;
    std::string kernels;  // "": as the station file says
    bool paced = false;
    bool recalibrate = false;
};

struct SimulateOptions {
    std::filesystem::path config;
    std::filesystem::path output;
    std::uint64_t triggers = 0;
    std::uint64_t seed = 1;
    double rate_boost = 0;
    std::string format = "hdf5";
};

DaemonOptions file_to_file(const std::filesystem::path& output, const std::shared_ptr<ProgressLine>& line) {
    DaemonOptions options;
    options.writer = output.empty() ? DaemonOptions::Writer::none : DaemonOptions::Writer::single_file;
    options.output = output;
    options.sockets = false;
    options.end_with_run = true;
    options.mode = WhenFull::wait;
    options.keep_campaign = false;
    options.on_progress = [line](const Status& status, std::optional<double> fraction) {
        line->show(status.ledger.triggers, status.bytes_per_second, fraction);
    };
    return options;
}

/// The daemon, and with it the progress line, is gone before anything is printed.
RunResult serve(StationSetup setup, DaemonOptions options, CommandContext& context) {
    return Daemon{std::move(setup), std::move(options)}.serve(context.signals);
}

int replay(const ReplayOptions& options, CommandContext& context) {
    StationSetup setup = load_station(options.config);
    setup.run.workers = options.jobs;
    if (!options.kernels.empty()) setup.run.kernels = options.kernels == "scalar" ? Kernels::scalar : Kernels::simd;
    RecordedInput input = open_input(setup, options.inputs, options.jobs);
    // The states an Alleycat run was recorded with are the answer of its own join; a power log may know better.
    if (input.is_alleycat && setup.beam.source == BeamConfig::Source::frames)
        setup.beam.source = BeamConfig::Source::recorded;
    if (input.is_alleycat) setup.simulator.rate_boost = input.rate_boost;
    if (options.recalibrate) {
        if (setup.trigger.calibration.source != CalibrationConfig::Source::fit) {
            throw UsageError{
                fmt::format("--recalibrate: {} does not fit the SPE charge: trigger.calibration.source is "
                            "not \"fit\"",
                            options.config.string())};
        }
        input.calibration.reset();
    }
    auto line = std::make_shared<ProgressLine>();
    DaemonOptions daemon_options = file_to_file(options.output, line);
    if (options.paced) {
        for (auto& source : input.sources) source = std::make_unique<PacedSource>(std::move(source));
        daemon_options.sockets = true;
    }
    daemon_options.input = std::move(input);
    line.reset();
    const RunResult result = serve(std::move(setup), std::move(daemon_options), context);
    print_run_report(result);
    require_closed_ledger(result);
    return 0;
}

int simulate_labview(const StationSetup& setup, const SimulateOptions& options, const CommandContext& context) {
    const BoardInfo& board = setup.station.boards.front();
    if (board.self_triggered) throw UsageError{"--format labview: the minutes hold triggers of one kind, and no hits"};
    Simulator simulator{setup.simulator, board, 0, options.triggers};
    LabviewWriter writer{options.output, setup.files.labview.time_zone};
    ProgressLine line;
    std::vector<std::byte> payload;
    std::uint64_t triggers = 0;
    for (;;) {
        RecordHeader header;
        const RecordSource::Next next = simulator.next(header, context.signals.stop());
        if (next == RecordSource::Next::end || context.signals.stop().stop_requested()) break;
        if (next == RecordSource::Next::idle) continue;
        payload.resize(payload_bytes(header));
        simulator.fill(payload);
        writer.write(RecordView{header, payload});
        line.show(++triggers, 0, simulator.fraction_done());
    }
    writer.close();
    fmt::print("{} triggers in {}\n", triggers, options.output.string());
    return 0;
}

int simulate(const SimulateOptions& options, CommandContext& context) {
    StationSetup setup = load_station(options.config);
    for (const BoardInfo& board : setup.station.boards) {
        if (board.source != "simulator") {
            throw Error{fmt::format("board {}: its source is '{}': simulate needs a station of simulated boards",
                                    board.name, board.source)};
        }
    }
    setup.simulator.seed = options.seed;
    note_override(setup, "simulator.seed", options.seed);
    setup.simulator.pacing = Pacing::fast;
    // The same seed gives the same file: time starts where the station file says, or at a fixed day.
    if (!setup.simulator.start_utc) setup.simulator.start_utc = from_iso8601("2015-10-02T16:00:00Z");
    if (options.rate_boost > 0) {
        setup.simulator.rate_boost = options.rate_boost;
        note_override(setup, "simulator.rate_boost", options.rate_boost);
    }
    if (options.format == "labview") return simulate_labview(setup, options, context);
    auto line = std::make_shared<ProgressLine>();
    DaemonOptions daemon_options = file_to_file(options.output, line);
    daemon_options.triggers = options.triggers;
    line.reset();
    const RunResult result = serve(std::move(setup), std::move(daemon_options), context);
    print_run_report(result);
    require_closed_ledger(result);
    return 0;
}

}  // namespace

void add_replay_commands(CLI::App& app, Action& action) {
    const auto replay_options = std::make_shared<ReplayOptions>();
    CLI::App* const replay_command = app.add_subcommand("replay", "Send recorded raw data through the trigger stage");
    replay_command
        ->add_option("INPUT", replay_options->inputs,
                     "Recorded files or folders, recognised by content: Alleycat HDF5, LabVIEW minutes, CAEN WaveDump, "
                     "CAEN event blocks, CoMPASS lists, FlashCam streams")
        ->required();
    add_config_option(*replay_command, replay_options->config);
    replay_command->add_option("--output,-o", replay_options->output, "Write an Alleycat file (never overwritten)");
    replay_command->add_option("--jobs,-j", replay_options->jobs, "Threads that decompress, and as many of the trigger stage")
        ->check(CLI::Range(1, 64))
        ->capture_default_str();
    replay_command
        ->add_option("--kernels", replay_options->kernels,
                     "How the trigger stage looks at samples: simd, or scalar, the slow specification; [run] kernels")
        ->check(CLI::IsMember({"simd", "scalar"}));
    replay_command->add_flag("--paced", replay_options->paced,
                             "At the pace it was recorded at, with the monitor socket open");
    replay_command->add_flag("--recalibrate", replay_options->recalibrate,
                             "Fit the SPE charge anew instead of taking the recorded ones of an Alleycat file");
    replay_command->footer(
        "With the settings a run was taken with, the events are the same to the last bit, whatever --jobs and --kernels "
        "say. Of a run that was recorded without some of its samples, or of one part of a run, that holds with the "
        "recorded SPE charges, which are the default; other settings for peaks ask for --recalibrate.");
    replay_command->callback([&action, replay_options] {
        action = [replay_options](CommandContext& c) { return replay(*replay_options, c); };
    });

    const auto simulate_options = std::make_shared<SimulateOptions>();
    CLI::App* const simulate_command = app.add_subcommand("simulate", "Make a file of simulated triggers");
    add_config_option(*simulate_command, simulate_options->config);
    simulate_command->add_option("--output,-o", simulate_options->output, "File (hdf5) or folder (labview)")
        ->required();
    simulate_command->add_option("--triggers,-n", simulate_options->triggers,
                     "How many; of boards that trigger themselves: so many periods of the timing signal")
        ->required()
        ->check(CLI::Range(1ul, 1ul << 40));
    simulate_command->add_option("--seed,-s", simulate_options->seed, "The same seed gives the same file")
        ->required()
        ->check(CLI::Range{std::int64_t{0}, std::numeric_limits<std::int64_t>::max(), "SEED"});
    simulate_command
        ->add_option("--rate-boost", simulate_options->rate_boost,
                     "Signal and steady background this much above nature's rate")
        ->check(number_between(1e-3, 1e7));
    simulate_command
        ->add_option("--format", simulate_options->format, "hdf5, or the raw minutes of the 2015-17 LabVIEW system")
        ->check(CLI::IsMember({"hdf5", "labview"}))
        ->capture_default_str();
    simulate_command->footer(
        "What was put in stands in the file (/truth). The LabVIEW minutes are replayed with a station like "
        "csi-labview.toml.");
    simulate_command->callback([&action, simulate_options] {
        action = [simulate_options](CommandContext& c) { return simulate(*simulate_options, c); };
    });
}

}  // namespace alleycat
