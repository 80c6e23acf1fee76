#pragma once

#include <CLI/CLI.hpp>
#include <filesystem>
#include <functional>
#include <string>

#include "daq/core/shutdown.hpp"

namespace alleycat {

/// What every command gets: the signals that end it. Made before any thread.
struct CommandContext {
    ShutdownSignals& signals;
};
/// The chosen command, run after parsing. Returns the exit status.
using Action = std::function<int(CommandContext&)>;

// Each adds its subcommands to `app`; parsing one sets `action`.
void add_acquisition_commands(CLI::App& app, Action& action);  ///< run, daq, write
void add_replay_commands(CLI::App& app, Action& action);       ///< replay, simulate
void add_file_commands(CLI::App& app, Action& action);         ///< info, verify
void add_emulate_command(CLI::App& app, Action& action);       ///< emulate
void add_station_commands(CLI::App& app, Action& action);      ///< check, control, excess, keygen

/// A number from `min` to `max`. CLI::Range lets NaN pass and prints the largest double with all its digits.
/// "2015-10-02T16:00:00Z"
[[nodiscard]] std::string utc_text(std::int64_t utc_ns);
[[nodiscard]] CLI::Validator number_between(double min, double max);

/// The option every command of a station has.
CLI::Option* add_config_option(CLI::App& command, std::filesystem::path& config);

}  // namespace alleycat
