// check, control, excess, keygen.

#include <fmt/format.h>
#include <pwd.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>

#include "daq/core/error.hpp"
#include "daq/core/operator_note.hpp"
#include "daq/core/record.hpp"
#include "daq/core/time.hpp"
#include "daq/run/station_setup.hpp"
#include "daq/wire/control.hpp"
#include "daq/wire/security.hpp"
#include "monitor/excess.hpp"
#include "tools/commands.hpp"
#include "tools/excess_json.hpp"
#include "tools/gap_json.hpp"

namespace alleycat {
namespace {

/// Whom a comment is from unless it says so.
std::string user_name() {
    const passwd* const user = ::getpwuid(::geteuid());
    return user != nullptr ? user->pw_name : fmt::format("user {}", ::geteuid());
}

/// Asks every live board who it is. false: one did not answer as it should; why stands on stderr.
bool connect_boards(const StationSetup& setup) {
    bool all = true;
    for (std::size_t b = 0; b < setup.station.boards.size(); ++b) {
        const BoardInfo& board = setup.station.boards[b];
        if (!is_board_driver(board.source)) {
            fmt::print("board {}: its source is {}: nothing to connect to\n", board.name, board.source);
            continue;
        }
        try {
            const BoardIdentity found = identify_board(board, setup.boards[b]);
            fmt::print("board {}: {}, serial {}, firmware {}\n", board.name, found.model, found.serial, found.firmware);
            for (const std::string& remark : found.remarks) fmt::print("board {}: {}\n", board.name, remark);
        } catch (const Error& e) {
            fmt::print(stderr, "{}\n", e.what());
            all = false;
        }
    }
    return all;
}

int check(const std::filesystem::path& config, bool connect) {
    const StationSetup setup = load_station(config);
    // What shows only when the parts are made: the simulator's board, the power history, the keys.
    CounterRegistry counters;
    const auto simulated = [](const BoardInfo& board) { return board.source == "simulator"; };
    if (std::all_of(setup.station.boards.begin(), setup.station.boards.end(), simulated))
        (void)make_live_sources(setup, 1);
    (void)make_beam_join(setup, counters);
    (void)setup.wire.load_security();
    fmt::print("{}: {} ({}), {} board(s), {} window(s), {} cut(s): no problem found\n", config.string(),
               setup.station.title, setup.station.profile, setup.station.boards.size(), setup.trigger.windows.size(),
               setup.trigger.cuts.size());
    return !connect || connect_boards(setup) ? 0 : 1;
}

nlohmann::json to_json(const BoardStatus& board) {
    const auto known = [](const std::optional<double>& value) {
        return value ? nlohmann::json(*value) : nlohmann::json{};
    };
    nlohmann::json readings = nlohmann::json::object();
    for (const BoardReading& reading : board.readings) {
        readings[reading.name] = {{"value", reading.value}, {"unit", reading.unit}};
    }
    return {{"name", board.name},
            {"missing_s", known(board.missing_s)},
            {"clock_offset_ns", known(board.clock_offset_ns)},
            {"clock_drift_ppm", known(board.clock_drift_ppm)},
            {"last_record_utc_ns", board.last_record_utc_ns},
            {"readings", readings}};
}

nlohmann::json to_json(const Status& status) {
    nlohmann::json counters = nlohmann::json::object();
    for (const auto& [name, value] : status.counters) counters[name] = value;
    nlohmann::json buffers = nlohmann::json::array();
    for (const BufferStatus& b : status.buffers) {
        buffers.push_back({{"name", b.name},
                           {"capacity_bytes", b.capacity_bytes},
                           {"used_bytes", b.used_bytes},
                           {"high_water_bytes", b.high_water_bytes},
                           {"data_bytes_per_s", b.data_bytes_per_s}});
    }
    nlohmann::json boards = nlohmann::json::array();
    for (const BoardStatus& board : status.boards) boards.push_back(to_json(board));
    const Ledger& l = status.ledger;
    nlohmann::json waiting, note;  // null where there is none
    if (const std::optional<WaitingData> w = waiting_for_writer(status.buffers)) {
        waiting = {{"held_s", w->held_s}, {"left_s", w->left_s}};
    }
    if (status.last_note) {
        note = {{"utc_ns", status.last_note->utc_ns},
                {"kind", to_text(status.last_note->kind)},
                {"author", status.last_note->author},
                {"text", status.last_note->text}};
    }
    return {{"run", status.run},
            {"state", to_text(status.state)},
            {"reason", status.reason},
            {"utc_ns", status.utc_ns},
            {"run_start_utc_ns", status.run_start_utc_ns},
            {"last_trigger_utc_ns", status.last_trigger_utc_ns},
            {"trigger_rate_hz", status.trigger_rate_hz},
            {"bytes_per_second", status.bytes_per_second},
            {"live_fraction", status.live_fraction},
            {"in_hand", status.in_hand},
            {"backed_up", status.backed_up},
            {"dead_s", status.dead_s},
            {"waiting_for_writer", waiting},
            {"gap", status.gap ? to_json(*status.gap) : nlohmann::json{}},
            {"quality", status.quality},
            {"quality_reasons", status.quality_reasons},
            {"last_note", note},
            {"beam_state", to_text(status.beam_state)},
            {"beam_power_w", status.beam_power_w},
            {"beam_lag_s", status.beam_lag_s},
            {"index_check",
             {{"verdict", kIndexVerdictNames[static_cast<std::size_t>(status.index_check.verdict)]},
              {"configured", status.index_check.configured},
              {"best", status.index_check.best},
              {"evidence", status.index_check.evidence},
              {"ticks", status.index_check.ticks}}},
            {"ledger",
             {{"ticks_expected", l.ticks_expected},
              {"ticks_seen", l.ticks_seen},
              {"ticks_missed", l.ticks_missed},
              {"triggers", l.triggers},
              {"recorded", l.recorded},
              {"refused", l.refused},
              {"lost_estimated", l.lost_estimated},
              {"closes", l.closes()}}},
            {"buffers", buffers},
            {"boards", boards},
            {"writer",
             {{"connected", status.writer.connected},
              {"durable_triggers", status.writer.durable_triggers},
              {"unacknowledged_bytes", status.writer.unacknowledged_bytes},
              {"file", status.writer.file},
              {"file_bytes", status.writer.file_bytes},
              {"disk_free_bytes", status.writer.disk_free_bytes},
              {"disk_stop_bytes", status.writer.disk_stop_bytes},
              {"journal_bytes", status.writer.journal_bytes},
              {"state", std::string{to_text(status.writer.state)}},
              {"problem", status.writer.problem}}},
            {"counters", counters}};
}

void print_status(const Status& status) {
    const Ledger& l = status.ledger;
    fmt::print("run {}: {}{}{}\n", status.run, to_text(status.state), status.reason.empty() ? "" : ": ", status.reason);
    fmt::print("  triggers {} ({:.2f} Hz), recorded {}, refused {}, in hand {}, ticks missed {}, ledger {}\n",
               l.triggers, status.trigger_rate_hz, l.recorded, l.refused, status.in_hand, l.ticks_missed,
               l.closes() ? "closes" : "DOES NOT CLOSE");
    if (status.dead_s > 0) fmt::print("  REFUSING TRIGGERS for {:.1f} s\n", status.dead_s);
    if (status.gap) fmt::print("  {}\n", to_text(*status.gap));
    if (!status.quality.empty()) fmt::print("  quality {}\n", status.quality);
    if (const std::optional<OperatorNote>& note = status.last_note)
        fmt::print("  {} by {}: {}\n", to_text(note->kind), note->author, note->text);
    fmt::print("  beam {}, {}, {:.1f} s behind\n", to_text(status.beam_state),
               status.beam_power_w < 0 ? "power unknown" : fmt::format("{:.3f} MW", status.beam_power_w / 1e6),
               status.beam_lag_s);
    if (status.index_check.verdict != IndexVerdict::none) fmt::print("  {}\n", to_text(status.index_check));
    for (const BoardStatus& board : status.boards) {
        if (has_something_to_say(board)) fmt::print("  {}\n", to_text(board));
    }
    fmt::print("  writer {}, {} on disk, {:.1f} MB not yet; {} ({:.1f} MB); {:.1f} GB free{}{}\n",
               status.writer.connected ? "connected" : "AWAY", status.writer.durable_triggers,
               static_cast<double>(status.writer.unacknowledged_bytes) / 1e6,
               status.writer.file.empty() ? "no file" : status.writer.file,
               static_cast<double>(status.writer.file_bytes) / 1e6,
               static_cast<double>(status.writer.disk_free_bytes) / 1e9, status.writer.problem.empty() ? "" : "; ",
               status.writer.problem);
    if (const std::optional<WaitingData> w = waiting_for_writer(status.buffers)) {
        fmt::print("  buffer holds {:.1f} s of data, full in {:.1f} s if the writer takes nothing\n", w->held_s,
                   w->left_s);
    }
}

struct ControlOptions {
    std::string command;
    std::string text;  // of comment; of mark: good or tainted
    std::string reason;
    std::string author = user_name();
    bool test_run = false;
    std::string endpoint = "tcp://127.0.0.1:5557";
    std::filesystem::path config;
    bool json = false;
};

/// Throws UsageError when the options are not those of the command.
ControlRequest request_of(const ControlOptions& options) {
    const ControlCommand command = *control_command(options.command);
    ControlRequest request{.command = command, .author = options.author};
    const auto only_of = [&](bool given, std::string_view option, ControlCommand its) {
        if (given && command != its)
            throw UsageError{
                fmt::format("{} belongs to 'control {}', not to '{}'", option, to_text(its), options.command)};
    };
    only_of(options.test_run, "--test", ControlCommand::start);
    only_of(!options.reason.empty(), "--reason", ControlCommand::mark);
    if (options.test_run) request.argument = "test";
    OperatorNote note{.kind = NoteKind::comment, .author = options.author, .text = options.text};
    if (command == ControlCommand::mark) {
        if (options.text != "good" && options.text != "tainted")
            throw UsageError{fmt::format("a run is marked good or tainted, not '{}'", options.text)};
        request.argument = options.text;
        note.kind = NoteKind::tainted;
        note.text = options.reason;
    } else if (command != ControlCommand::comment) {
        if (!options.text.empty())
            throw UsageError{fmt::format("'{}' takes no text: '{}'", options.command, options.text)};
        return request;
    }
    if (const std::string problem = note_problem(note); !problem.empty()) throw UsageError{problem};
    request.text = note.text;
    return request;
}

int control(const ControlOptions& options) {
    const ControlRequest request = request_of(options);
    std::string endpoint = options.endpoint;
    Security security;
    if (!options.config.empty()) {
        const StationSetup setup = load_station(options.config);
        endpoint = setup.wire.control_endpoint;
        security = setup.wire.load_security();
    }
    ControlClient client{endpoint, security};
    // Status never waits for anything: no answer means no daemon. Only then is there a reason to be patient.
    ControlReply reply = client.request({ControlCommand::status, ""}, std::chrono::seconds{5});
    if (request.command != ControlCommand::status) reply = client.request(request, std::chrono::seconds{15});
    if (reply.status) {
        if (options.json) {
            fmt::print("{}\n", to_json(*reply.status).dump(2));
        } else {
            print_status(*reply.status);
        }
    } else if (options.json) {
        fmt::print("{}\n", nlohmann::json{{"ok", reply.ok}, {"message", reply.message}}.dump(2));
    } else {
        if (!reply.ok) throw Error{reply.message};
        fmt::print("{}\n", reply.message);
    }
    return reply.ok ? 0 : 1;
}

struct ExcessOptions {
    std::uint64_t n_on = 0, n_off = 0;
    double alpha = 1;
    bool json = false;
};

int print_excess(const ExcessOptions& options) {
    const Excess e = excess(options.n_on, options.n_off, options.alpha);
    if (options.json) {
        fmt::print("{}\n", to_json(e).dump(2));
    } else {
        fmt::print("excess {:.4g} +- {:.4g}, Li-Ma {:.3f} sigma, 68 % interval [{:.4g}, {:.4g}]\n", e.excess, e.error,
                   e.li_ma, e.interval_low, e.interval_high);
    }
    return 0;
}

}  // namespace

void add_station_commands(CLI::App& app, Action& action) {
    const auto config = std::make_shared<std::filesystem::path>();
    CLI::App* const check_command = app.add_subcommand("check", "Find every problem of a station file");
    check_command->add_option("STATION", *config, "Station file (TOML)")->required();
    const auto connect = std::make_shared<bool>(false);
    check_command->add_flag("--connect", *connect, "Also ask each live board who it is, and say what it answered");
    check_command->footer(
        "Prints a line 'file:line:column: key: what is wrong' per problem; exit status 2 when there is one. With "
        "--connect: "
        "1 when a board did not answer as it should.");
    check_command->callback([&action, config, connect] {
        action = [config, connect](CommandContext&) { return check(*config, *connect); };
    });

    const auto control_options = std::make_shared<ControlOptions>();
    CLI::App* const control_command_ =
        app.add_subcommand("control", "Ask a running daemon, tell it to start, stop, quit, or something about its run");
    control_command_
        ->add_option("COMMAND", control_options->command, "status, start, stop, quit, comment TEXT, mark good|tainted")
        ->required()
        ->check(CLI::IsMember({"status", "start", "stop", "quit", "comment", "mark"}));
    control_command_->add_option("TEXT", control_options->text, "The comment, or what the run is marked as");
    control_command_->add_option("--reason", control_options->reason, "Of mark: why");
    control_command_->add_option("--author", control_options->author, "Of comment and mark: who says it")
        ->capture_default_str();
    control_command_->add_flag("--test", control_options->test_run, "Of start: a test run, not for physics");
    control_command_->add_option("--connect", control_options->endpoint, "Control socket of the daemon")
        ->capture_default_str();
    control_command_->add_option("--config,-c", control_options->config,
                                 "Take socket and keys from this station file instead");
    control_command_->add_flag("--json", control_options->json, "One JSON object on stdout");
    control_command_->footer(
        "stop is answered when acquisition has ended; what was taken is then still being written.\n"
        "comment and mark stand in the file of the run that goes on; of one that has ended, in the catalogue.\n"
        "Exit status 1 when nobody answers or the daemon refuses.");
    control_command_->callback([&action, control_options] {
        action = [control_options](CommandContext&) { return control(*control_options); };
    });

    const auto excess_options = std::make_shared<ExcessOptions>();
    CLI::App* const excess_command =
        app.add_subcommand("excess", "Excess, error and significance of ON and OFF counts");
    // Signed bounds: of an unsigned number CLI11 lets -1 through as 2^64 - 1. Beyond 2^53 doubles skip counts.
    const CLI::Range counts{std::int64_t{0}, std::int64_t{1} << 53, "COUNTS"};
    excess_command->add_option("--on", excess_options->n_on, "Counts with the source (coincident)")
        ->required()
        ->check(counts);
    excess_command->add_option("--off", excess_options->n_off, "Counts without (anticoincident)")
        ->required()
        ->check(counts);
    excess_command->add_option("--alpha", excess_options->alpha, "Exposure ON / exposure OFF")
        ->required()
        ->check(number_between(1e-12, 1e12));
    excess_command->add_flag("--json", excess_options->json, "One JSON object on stdout");
    excess_command->footer(
        "Error: sqrt(N_on + alpha^2 N_off). Significance: Li & Ma 1983, equation 17, with the excess's sign.");
    excess_command->callback([&action, excess_options] {
        action = [excess_options](CommandContext&) { return print_excess(*excess_options); };
    });

    const auto key_file = std::make_shared<std::filesystem::path>();
    CLI::App* const keygen_command = app.add_subcommand("keygen", "Make a key pair for sockets on a network");
    keygen_command->add_option("FILE", *key_file, "Secret key; the public one goes beside it with .pub")->required();
    keygen_command->footer(
        "Give the secret file to the daemon ([security] secret_key_file) and the public one to everybody who connects\n"
        "([security] server_public_key_file). Neither is ever overwritten.");
    keygen_command->callback([&action, key_file] {
        action = [key_file](CommandContext&) {
            write_key_pair(*key_file);
            return 0;
        };
    });
}

}  // namespace alleycat
