#pragma once

#include <chrono>
#include <filesystem>
#include <string>
#include <string_view>

#include "daq/core/config.hpp"
#include "daq/wire/security.hpp"

namespace alleycat {

/// [data], [monitor_stream], [control] and [security] of a station file.
struct WireConfig {
    std::string data_endpoint = "tcp://127.0.0.1:5555";
    std::string monitor_endpoint = "tcp://127.0.0.1:5556";
    std::string control_endpoint = "tcp://127.0.0.1:5557";
    std::chrono::milliseconds heartbeat{1000};   ///< between daemon and writer, both ways
    std::chrono::milliseconds dead_after{5000};  ///< a writer silent for so long may be replaced
    bool allow_unencrypted = false;
    std::filesystem::path secret_key_file;         ///< of the daemon (`alleycat keygen`); "": none
    std::filesystem::path server_public_key_file;  ///< for those who connect; "": none

    /// Reads the key files. Throws Error.
    [[nodiscard]] Security load_security() const;
};

/// Problems are reported, not thrown. Relative key files count from the working directory.
[[nodiscard]] WireConfig parse_wire(ConfigSection& root);

/// The control socket that belongs to a monitor socket when only that is named: the next port ("tcp://host:5556" ->
/// "tcp://host:5557"), or the path with ".control" for ipc. Throws UsageError when `endpoint` is none.
[[nodiscard]] std::string control_endpoint_for(std::string_view monitor_endpoint);

}  // namespace alleycat
