#pragma once
// The command line of alleycat-monitor.

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace alleycat::gui {

struct Options {
    std::string monitor_endpoint = "tcp://127.0.0.1:5556";
    std::string control_endpoint;              ///< filled in: the port after the monitor's
    std::filesystem::path public_key;          ///< of the daemon, for encrypted streams; empty: not encrypted
    std::vector<std::filesystem::path> files;  ///< empty: follow the daemon
    std::optional<std::string> screenshot;     ///< PNG to write, then end
    int width = 1600, height = 1000;           ///< of the window
    double after_s = 0;                        ///< earliest moment of a screenshot
    std::uint64_t wait_for = 1;                ///< events that must have come before a screenshot of a daemon
    double timeout_s = 60;                     ///< then a screenshot is given up
    bool hide_residual = false;
};

/// The options, or the exit status when there is nothing left to do: 0 after --help, 2 after a mistake (one line was
/// printed to stderr).
[[nodiscard]] std::variant<Options, int> parse_command_line(int argc, const char* const* argv);

/// "tcp://HOST:PORT" with the next port. Throws UsageError where there is no next port to guess.
[[nodiscard]] std::string control_endpoint_beside(std::string_view monitor_endpoint);

}  // namespace alleycat::gui
