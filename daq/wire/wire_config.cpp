#include "daq/wire/wire_config.hpp"

#include <fmt/format.h>

#include <cstdint>

namespace alleycat {
namespace {

/// An endpoint that is well formed, and encrypted if it can be reached from another host.
std::string endpoint(ConfigSection& section, std::string_view fallback, const WireConfig& config) {
    std::string value = section.text("endpoint", fallback);
    if (const std::string problem = endpoint_problem(value); !problem.empty()) {
        section.problem("endpoint", problem);
        return std::string{fallback};
    }
    if (!is_local(value) && !config.allow_unencrypted && config.secret_key_file.empty() &&
        config.server_public_key_file.empty()) {
        section.problem("endpoint",
                        fmt::format("'{}' can be reached from other hosts: give security.secret_key_file, or "
                                    "set security.allow_unencrypted = true",
                                    value));
    }
    return value;
}

}  // namespace

Security WireConfig::load_security() const {
    Security security;
    security.allow_unencrypted = allow_unencrypted;
    if (!secret_key_file.empty()) {
        security.secret_key = load_secret_key(secret_key_file);
        security.server_public_key = load_public_key(secret_key_file);
    }
    if (!server_public_key_file.empty()) security.server_public_key = load_public_key(server_public_key_file);
    return security;
}

WireConfig parse_wire(ConfigSection& root) {
    WireConfig config;
    ConfigSection security = root.section("security");
    config.allow_unencrypted = security.boolean("allow_unencrypted", config.allow_unencrypted);
    config.secret_key_file = security.text("secret_key_file", "");
    config.server_public_key_file = security.text("server_public_key_file", "");
    security.finish();

    ConfigSection data = root.section("data");
    config.data_endpoint = endpoint(data, config.data_endpoint, config);
    const std::int64_t heartbeat_ms = data.integer("heartbeat_ms", config.heartbeat.count(), 50, 60'000);
    const std::int64_t dead_after_ms = data.integer("dead_after_ms", config.dead_after.count(), 100, 600'000);
    if (dead_after_ms < 2 * heartbeat_ms) {
        data.problem("dead_after_ms",
                     fmt::format("{} must be at least twice heartbeat_ms ({})", dead_after_ms, heartbeat_ms));
    }
    config.heartbeat = std::chrono::milliseconds{heartbeat_ms};
    config.dead_after = std::chrono::milliseconds{dead_after_ms};
    data.finish();

    ConfigSection monitor = root.section("monitor_stream");
    config.monitor_endpoint = endpoint(monitor, config.monitor_endpoint, config);
    monitor.finish();

    ConfigSection control = root.section("control");
    config.control_endpoint = endpoint(control, config.control_endpoint, config);
    control.finish();
    return config;
}

std::string control_endpoint_for(std::string_view monitor_endpoint) {
    if (const std::string problem = endpoint_problem(monitor_endpoint); !problem.empty()) throw UsageError{problem};
    if (monitor_endpoint.starts_with("ipc://")) return fmt::format("{}.control", monitor_endpoint);
    const std::size_t colon = monitor_endpoint.rfind(':');
    const std::string port{monitor_endpoint.substr(colon + 1)};
    if (port == "*" || port == "65535") throw UsageError{fmt::format("no port follows that of {}", monitor_endpoint)};
    return fmt::format("{}:{}", monitor_endpoint.substr(0, colon), std::stoi(port) + 1);
}

}  // namespace alleycat
