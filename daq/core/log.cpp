#include "daq/core/log.hpp"

#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

#include <array>
#include <memory>
#include <string>

#include "daq/core/error.hpp"

namespace alleycat::log {
namespace {

constexpr std::array<const char*, 8> kNames{"core", "readout", "trigger", "store", "wire", "monitor", "run", "gui"};

struct Loggers {
    std::array<std::shared_ptr<spdlog::logger>, kNames.size()> logger;
    Loggers() {
        const auto sink = std::make_shared<spdlog::sinks::stderr_color_sink_mt>();
        sink->set_pattern("%Y-%m-%dT%H:%M:%S.%e %^%-5l%$ %-7n %v");
        for (std::size_t i = 0; i < kNames.size(); ++i) {
            logger[i] = std::make_shared<spdlog::logger>(kNames[i], sink);
            logger[i]->flush_on(spdlog::level::info);
        }
    }
};

Loggers& loggers() {
    static Loggers all;
    return all;
}

}  // namespace

spdlog::logger& core() { return *loggers().logger[0]; }
spdlog::logger& readout() { return *loggers().logger[1]; }
spdlog::logger& trigger() { return *loggers().logger[2]; }
spdlog::logger& store() { return *loggers().logger[3]; }
spdlog::logger& wire() { return *loggers().logger[4]; }
spdlog::logger& monitor() { return *loggers().logger[5]; }
spdlog::logger& run() { return *loggers().logger[6]; }
spdlog::logger& gui() { return *loggers().logger[7]; }

void set_level(std::string_view level) {
    const auto parsed = spdlog::level::from_str(std::string{level});
    if (parsed == spdlog::level::off && level != "off") {
        throw UsageError{"log level '" + std::string{level} + "' is not one of trace, debug, info, warn, error, off"};
    }
    for (const auto& logger : loggers().logger) logger->set_level(parsed);
}

}  // namespace alleycat::log
