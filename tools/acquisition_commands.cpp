// run, daq, write, archive: the commands that take data and move them away.

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <condition_variable>
#include <iostream>
#include <memory>
#include <mutex>
#include <nlohmann/json.hpp>

#include "daq/core/error.hpp"
#include "daq/core/log.hpp"
#include "daq/run/daemon.hpp"
#include "daq/run/writer_process.hpp"
#include "tools/commands.hpp"
#include "tools/run_report.hpp"

namespace alleycat {

CLI::Option* add_config_option(CLI::App& command, std::filesystem::path& config) {
    return command.add_option("--config,-c", config, "Station file (TOML); see config/README.md")->required();
}

CLI::Validator number_between(double min, double max) {
    const auto check = [min, max](std::string& text) {
        double value = 0;
        const bool good = CLI::detail::lexical_cast(text, value) && value >= min && value <= max;
        return good ? std::string{} : fmt::format("'{}' is not a number from {} to {}", text, min, max);
    };
    return {check, fmt::format("[{} to {}]", min, max)};
}

namespace {

struct AcquisitionOptions {
    std::filesystem::path config;
    std::filesystem::path folder;
    double seconds = 0;
    double rate_boost = 0;
    bool test_run = false;
    bool once = false;
    bool check = false, json = false;
};

StationSetup load(const AcquisitionOptions& options) {
    StationSetup setup = load_station(options.config);
    if (!options.folder.empty()) setup.store.folder = options.folder;
    if (options.rate_boost > 0) {
        setup.simulator.rate_boost = options.rate_boost;
        note_override(setup, "simulator.rate_boost", options.rate_boost);
    }
    return setup;
}

void add_test_option(CLI::App& command, AcquisitionOptions& options, const char* what) {
    command.add_flag("--test", options.test_run, what);
}

void add_folder_option(CLI::App& command, AcquisitionOptions& options) {
    command.add_option("--folder", options.folder,
                       "Folder for the data, instead of [store] folder of the station file");
}

int run(const AcquisitionOptions& options, CommandContext& context) {
    StationSetup setup = load(options);
    // Real time cannot wait and refuses what does not fit. A simulator that goes as fast as the chain takes its
    // triggers can.
    const bool simulated = std::all_of(setup.station.boards.begin(), setup.station.boards.end(),
                                       [](const BoardInfo& board) { return board.source == "simulator"; });
    const WhenFull mode = simulated && setup.simulator.pacing == Pacing::fast ? WhenFull::wait : WhenFull::refuse;
    Daemon daemon{std::move(setup),
                  {.writer = DaemonOptions::Writer::embedded,
                   .end_with_run = true,
                   .seconds = options.seconds,
                   .mode = mode,
                   .test_run = options.test_run}};
    const RunResult result = daemon.serve(context.signals);
    print_run_report(result);
    require_closed_ledger(result);
    return 0;
}

int daq(const AcquisitionOptions& options, CommandContext& context) {
    Daemon daemon{load(options), {.writer = DaemonOptions::Writer::stream, .test_run = options.test_run}};
    daemon.serve(context.signals);
    return 0;
}

/// Until `stop`, or so much later.
void wait_for(std::chrono::seconds time, const std::stop_token& stop) {
    std::mutex mutex;
    std::condition_variable_any never;
    std::unique_lock lock{mutex};
    never.wait_for(lock, stop, time, [] { return false; });
}

nlohmann::json to_json(const ArchivedPart& part) {
    return {
        {"file", part.part},
        {"bytes", part.bytes},
        {"here", part.here},
        {"there", part.there},
        {"verified_utc", part.verified_utc_ns == 0 ? nlohmann::json{} : nlohmann::json(utc_text(part.verified_utc_ns))},
        {"hook_done", part.hook_done}};
}

void print(const ArchivedPart& part, const ArchiveConfig& config) {
    fmt::print("{}: {:.1f} MB, {}", part.part, static_cast<double>(part.bytes) / 1e6, part.here ? "here" : "not here");
    if (part.verified_utc_ns != 0)
        fmt::print(", verified in {} at {}{}", config.destination.string(), utc_text(part.verified_utc_ns),
                   part.there ? "" : " AND GONE SINCE");
    else if (!config.destination.empty())
        fmt::print(", to be copied");
    if (!config.hook.empty()) fmt::print(", hook {}", part.hook_done ? "done" : "to be run");
    fmt::print("\n");
}

/// What is archived and what is left to do; exit status 1 when something is nowhere.
int check_archive(const AcquisitionOptions& options, const StationSetup& setup) {
    const ArchiveConfig& config = setup.archive;
    const ArchiveState state = look_at_archive(setup.store.folder, config);
    const auto count = [&](const auto& what) { return std::ranges::count_if(state.parts, what); };
    const auto here = count([](const ArchivedPart& p) { return p.here; });
    const auto verified = count([](const ArchivedPart& p) { return p.verified_utc_ns != 0 && p.there; });
    const auto deleted = count([](const ArchivedPart& p) { return p.verified_utc_ns != 0 && p.there && !p.here; });
    const auto to_copy =
        count([&](const ArchivedPart& p) { return p.here && p.verified_utc_ns == 0 && !config.destination.empty(); });
    const auto to_hook = count([&](const ArchivedPart& p) { return p.here && !p.hook_done && !config.hook.empty(); });
    if (options.json) {
        nlohmann::json parts = nlohmann::json::array();
        for (const ArchivedPart& part : state.parts) parts.push_back(to_json(part));
        const nlohmann::json all{{"destination", config.destination.string()},
                                 {"parts", parts},
                                 {"here", here},
                                 {"verified", verified},
                                 {"deleted_here", deleted},
                                 {"to_be_copied", to_copy},
                                 {"hooks_to_be_run", to_hook},
                                 {"problems", state.problems}};
        fmt::print("{}\n", all.dump(2, ' ', false, nlohmann::json::error_handler_t::replace));
    } else {
        for (const ArchivedPart& part : state.parts) print(part, config);
        fmt::print(
            "{} parts: {} here, {} verified elsewhere ({} of them deleted here), {} to be copied, {} hooks to be run\n",
            state.parts.size(), here, verified, deleted, to_copy, to_hook);
    }
    if (state.problems.empty()) return 0;
    std::fflush(stdout);
    throw Error{fmt::format("{}", fmt::join(state.problems, "; "))};
}

/// Rounds until told to end; a problem is told when it comes, not in every round.
int archive(const AcquisitionOptions& options, CommandContext& context) {
    const StationSetup setup = load(options);
    if (setup.archive.destination.empty() && setup.archive.hook.empty())
        throw UsageError{fmt::format("{}: [archive] names neither a destination nor a hook", options.config.string())};
    if (options.check) return check_archive(options, setup);
    Archive archive{setup.store.folder, setup.archive};
    const std::stop_token stop = context.signals.stop();
    std::vector<std::string> told;
    do {
        const ArchiveRound round = archive.work(stop);
        if (options.once) {
            fmt::print("{} copied and verified, {} hooks run, {} deleted here\n", round.copied.size(),
                       round.hooked.size(), round.deleted.size());
            if (!round.problems.empty()) throw Error{fmt::format("{}", fmt::join(round.problems, "; "))};
            return 0;
        }
        for (const std::string& problem : round.problems) {
            if (std::ranges::find(told, problem) == told.end()) log::store().error("{}", problem);
        }
        if (!told.empty() && round.problems.empty()) log::store().info("the archive has caught up");
        told = round.problems;
        wait_for(setup.archive.look_every, stop);
    } while (!stop.stop_requested());
    return 0;
}

}  // namespace

void add_acquisition_commands(CLI::App& app, Action& action) {
    const auto options = std::make_shared<AcquisitionOptions>();

    CLI::App* const run_command = app.add_subcommand("run", "Take data: daemon and writer in one process");
    add_config_option(*run_command, options->config);
    add_folder_option(*run_command, *options);
    add_test_option(*run_command, *options, "A test run, marked so in file and catalogue: not for physics");
    run_command
        ->add_option("--seconds", options->seconds,
                     "Length of the run [s of the timing signal]; until Ctrl-C when absent")
        ->check(number_between(0.1, 1e7));
    run_command
        ->add_option("--rate-boost", options->rate_boost,
                     "Simulator: signal and steady background this much above nature's rate")
        ->check(number_between(1e-3, 1e7));
    run_command->footer(
        "The monitor stream and the control socket are open meanwhile: start alleycat-monitor beside it.");
    run_command->callback([&action, options] { action = [options](CommandContext& c) { return run(*options, c); }; });

    CLI::App* const daq_command =
        app.add_subcommand("daq", "Acquisition daemon; 'alleycat write' stores what it takes");
    add_config_option(*daq_command, options->config);
    add_folder_option(*daq_command, *options);
    add_test_option(*daq_command, *options, "The run it starts by itself is a test run");
    daq_command->footer(
        "Runs for months. Triggers stay in its buffer until the writer has them on disk.\n"
        "Starts a run by itself unless [run] autostart = false; 'alleycat control' starts and stops runs.");
    daq_command->callback([&action, options] { action = [options](CommandContext& c) { return daq(*options, c); }; });

    CLI::App* const write_command = app.add_subcommand("write", "HDF5 writer: stores what 'alleycat daq' takes");
    add_config_option(*write_command, options->config);
    add_folder_option(*write_command, *options);
    write_command->footer(
        "May be stopped, killed and started again at any time: what the daemon's buffer holds is not lost.");
    write_command->callback([&action, options] {
        action = [options](CommandContext& c) { return serve_writer(load(*options), c.signals); };
    });

    CLI::App* const archive_command =
        app.add_subcommand("archive", "Move closed files away: verified copies, a hook per file, room on the disk");
    add_config_option(*archive_command, options->config);
    add_folder_option(*archive_command, *options);
    archive_command->add_flag("--once", options->once,
                              "One round over all closed files; exit status 1 when any is left");
    CLI::Option* const check = archive_command->add_flag(
        "--check", options->check, "Copy nothing: say which files are here, verified elsewhere, deleted, left to do");
    check->excludes("--once");
    archive_command->add_flag("--json", options->json, "With --check: one JSON object on stdout")->needs(check);
    archive_command->footer(
        "Reads [archive] of the station file. A process of its own: a target that hangs does not touch the writer.\n"
        "Only what was read back from the target and has the catalogue's SHA-256 is ever deleted here.");
    archive_command->callback(
        [&action, options] { action = [options](CommandContext& c) { return archive(*options, c); }; });
}

}  // namespace alleycat
