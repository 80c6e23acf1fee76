#include "gui/options.hpp"

#include <CLI/CLI.hpp>
#include <charconv>
#include <cstdio>

#include "daq/core/error.hpp"
#include "daq/core/station.hpp"

namespace alleycat::gui {
namespace {

constexpr int kUsage = 2;

/// "1600x1000" into width and height; "" when it is one, else what is wrong.
std::string read_size(const std::string& text, int& width, int& height) {
    const char* const end = text.data() + text.size();
    const auto [after_width, error] = std::from_chars(text.data(), end, width);
    if (error == std::errc{} && after_width != end && *after_width == 'x') {
        const auto [after_height, error2] = std::from_chars(after_width + 1, end, height);
        const bool sensible = width >= 640 && height >= 400 && width <= 8192 && height <= 8192;
        if (error2 == std::errc{} && after_height == end && sensible) return {};
    }
    return "'" + text + "' is not a size like 1600x1000 (640x400 to 8192x8192)";
}

}  // namespace

std::string control_endpoint_beside(std::string_view monitor_endpoint) {
    const std::size_t colon = monitor_endpoint.rfind(':');
    if (monitor_endpoint.starts_with("tcp://") && colon > 5 && colon != std::string_view::npos) {
        const std::string_view digits = monitor_endpoint.substr(colon + 1);
        unsigned port = 0;
        const auto [rest, error] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
        if (error == std::errc{} && rest == digits.data() + digits.size() && port >= 1 && port < 65535) {
            return std::string{monitor_endpoint.substr(0, colon + 1)} + std::to_string(port + 1);
        }
    }
    throw UsageError{"--connect " + std::string{monitor_endpoint} +
                     ": not tcp://HOST:PORT, so that --control ENDPOINT must say where the control socket is"};
}

std::variant<Options, int> parse_command_line(int argc, const char* const* argv) {
    Options options;
    std::string size = "1600x1000", screenshot, key;
    CLI::App app{
        "Shows what a running Alleycat daemon measures, or what recorded files hold: rates, beam, waveforms, spectra, "
        "cut "
        "flow, the excess over the anticoincident window, alarms. It only looks: nothing here can stop or change a "
        "run.",
        "alleycat-monitor"};
    app.footer(
        "Examples:\n"
        "  alleycat-monitor                                        the daemon on this host\n"
        "  alleycat-monitor --connect tcp://daq.example.org:5556   a daemon elsewhere\n"
        "  alleycat-monitor run_000012_part_*.h5                     recorded files\n"
        "  alleycat-monitor run_000012_part_0001.h5 --screenshot run.png\n"
        "\n"
        "Keys: F freeze the scope, S save a screenshot here, B hide the residual, Esc all panels, Q or Ctrl-Q quit.\n"
        "Exit status: 0 done; 1 it failed, one line says why; 2 the command line is wrong.");
    app.set_version_flag("--version", software_version());
    auto* connect =
        app.add_option("--connect", options.monitor_endpoint, "monitor socket of the daemon")->capture_default_str();
    auto* control =
        app.add_option("--control", options.control_endpoint,
                       "control socket of the daemon, asked for what was before (default: the port after --connect's)");
    auto* keys = app.add_option("--key", key, "file with the daemon's public key, where its sockets are encrypted");
    auto* files = app.add_option("FILE", options.files, "Alleycat HDF5 files to show instead of a daemon");
    connect->type_name("ENDPOINT");
    control->type_name("ENDPOINT");
    files->type_name("");
    for (CLI::Option* option : {connect, control, keys}) files->excludes(option);
    auto* shot =
        app.add_option("--screenshot", screenshot, "write the window to this PNG file and end; needs no display");
    shot->type_name("OUT.png");
    app.add_option("--size", size, "size of the window, WIDTHxHEIGHT")->capture_default_str()->type_name("SIZE");
    app.add_option("--wait-for", options.wait_for,
                   "events a daemon must have shown before the screenshot is taken; 0: whatever is there")
        ->capture_default_str()
        ->needs(shot);
    app.add_option("--after", options.after_s, "seconds before which no screenshot is taken")
        ->capture_default_str()
        ->check(CLI::Range(0.0, 86400.0))
        ->needs(shot);
    app.add_option("--timeout", options.timeout_s, "seconds after which a screenshot is given up, with exit status 1")
        ->capture_default_str()
        ->check(CLI::Range(0.1, 864000.0))
        ->needs(shot);
    app.add_flag("--blind", options.hide_residual,
                 "start with the coincident spectra after all cuts, their difference and the excess hidden");
    try {
        app.parse(argc, argv);
        if (const std::string wrong = read_size(size, options.width, options.height); !wrong.empty()) {
            throw UsageError{"--size: " + wrong};
        }
        if (shot->count() > 0) {
            if (screenshot.empty()) throw UsageError{"--screenshot: no file name"};
            options.screenshot = screenshot;
            options.timeout_s = std::max(options.timeout_s, options.after_s + 1);
        }
        options.public_key = key;
        if (options.files.empty() && options.control_endpoint.empty()) {
            options.control_endpoint = control_endpoint_beside(options.monitor_endpoint);
        }
        return options;
    } catch (const CLI::ParseError& error) {
        if (error.get_exit_code() == 0) return app.exit(error);  // --help, --version
        std::fprintf(stderr, "alleycat-monitor: %s (see --help)\n", error.what());
    } catch (const UsageError& error) {
        std::fprintf(stderr, "alleycat-monitor: %s\n", error.what());
    }
    return kUsage;
}

}  // namespace alleycat::gui
