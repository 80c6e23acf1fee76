#include "daq/core/log.hpp"

#include <fmt/format.h>
#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

#include <array>
#include <cstdlib>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "daq/core/error.hpp"

namespace alleycat::log {
namespace {

constexpr std::array<const char*, 8> kNames{"core", "readout", "trigger", "store", "wire", "monitor", "run", "gui"};

constexpr std::string_view kLevels = "trace, debug, info, warn, error, off";

/// spdlog itself takes every unknown word for "off".
std::optional<spdlog::level::level_enum> level_of(const std::string& word) {
    const auto level = spdlog::level::from_str(word);
    if (level == spdlog::level::off && word != "off") return std::nullopt;
    return level;
}

struct Loggers {
    std::array<std::shared_ptr<spdlog::logger>, kNames.size()> logger;
    Loggers() {
        const auto sink = std::make_shared<spdlog::sinks::stderr_color_sink_mt>();
        sink->set_pattern("%Y-%m-%dT%H:%M:%S.%e %^%-5l%$ %-7n %v");
        for (std::size_t i = 0; i < kNames.size(); ++i) {
            logger[i] = std::make_shared<spdlog::logger>(kNames[i], sink);
            logger[i]->flush_on(spdlog::level::info);
        }
        const char* const asked = std::getenv("ALLEYCAT_LOG");
        if (asked == nullptr) return;
        if (const auto level = level_of(asked)) {
            for (const auto& each : logger) each->set_level(*level);
        } else {
            logger[0]->warn("ALLEYCAT_LOG={} is not one of {}", asked, kLevels);
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
    const auto parsed = level_of(std::string{level});
    if (!parsed) throw UsageError{fmt::format("log level '{}' is not one of {}", level, kLevels)};
    for (const auto& logger : loggers().logger) logger->set_level(*parsed);
}

}  // namespace alleycat::log
