// alleycat: one program, a command for each job. Start reading at the command you want, then daq/run/pipeline.

#include <CLI/CLI.hpp>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <iostream>

#include "daq/core/error.hpp"
#include "daq/core/log.hpp"
#include "daq/core/station.hpp"
#include "daq/run/revision.hpp"
#include "daq/run/station_setup.hpp"
#include "tools/commands.hpp"

namespace {

constexpr int kFailed = 1;
constexpr int kUsage = 2;

const char* const kFooter = R"(Start with:
  alleycat run --config config/csi.toml --seconds 60     a simulated CsI[Na] detector for a minute
  alleycat-monitor                                       its dashboard, in another terminal
  alleycat info data/run_000001_part_0001.h5             what came of it

Exit status: 0 done; 1 it failed, one line says why; 2 the command line or the station file is wrong.
Logs go to stderr (--log, or the environment variable ALLEYCAT_LOG: trace, debug, info, warn, error, off).)";

}  // namespace

int main(int argc, char** argv) {
    CLI::App app{"Data acquisition and online monitor for the detectors in Neutrino Alley."};
    app.name("alleycat");
    app.footer(kFooter);
    app.set_version_flag("--version", alleycat::software_version() + " (revision " + alleycat::source_revision() +
                                          ", " + alleycat::compiler_version() +
                                          ")\ntrigger stage: " + alleycat::to_text(alleycat::Kernels::simd));
    app.require_subcommand(0, 1);  // none is answered below: CLI11 would not name the word it did not understand
    const char* const from_environment = std::getenv("ALLEYCAT_LOG");
    std::string log_level = from_environment != nullptr ? from_environment : "info";
    app.add_option("--log", log_level, "Least serious message to show: trace, debug, info, warn, error, off")
        ->capture_default_str();
    alleycat::Action action;
    alleycat::add_acquisition_commands(app, action);
    alleycat::add_replay_commands(app, action);
    alleycat::add_file_commands(app, action);
    alleycat::add_station_commands(app, action);
    alleycat::add_emulate_command(app, action);
    app.fallthrough();

    try {
        app.parse(argc, argv);
        if (app.get_subcommands().empty()) throw CLI::RequiredError{"A command"};
    } catch (const CLI::ParseError& e) {
        if (e.get_exit_code() == 0) return app.exit(e);  // --help, --version
        const std::vector<CLI::App*> chosen = app.get_subcommands();
        std::cerr << "alleycat: " << e.what() << " (see alleycat "
                  << (chosen.empty() ? "" : chosen.front()->get_name() + ' ') << "--help)\n";
        return kUsage;
    }
    try {
        alleycat::log::set_level(log_level);
        alleycat::ShutdownSignals signals;
        alleycat::CommandContext context{signals};
        const int status = action(context);
        if (std::fflush(stdout) != 0 || std::ferror(stdout) != 0)
            throw alleycat::Error{"standard output cannot be written: " + std::string{std::strerror(errno)}};
        return status;
    } catch (const alleycat::StationError& e) {
        std::cerr << e.what() << '\n';
        return kUsage;
    } catch (const alleycat::UsageError& e) {
        std::cerr << "alleycat: " << e.what() << '\n';
        return kUsage;
    } catch (const std::exception& e) {
        std::cerr << "alleycat: " << e.what() << '\n';
        return kFailed;
    }
}
