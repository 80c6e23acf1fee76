#pragma once
// One logger per folder, all on stderr. info: an operator acts on it or notes it; warn: data may suffer;
// error: the run ends. Never inside a loop over triggers.

#include <spdlog/logger.h>

#include <string_view>

namespace alleycat::log {

[[nodiscard]] spdlog::logger& core();
[[nodiscard]] spdlog::logger& readout();
[[nodiscard]] spdlog::logger& trigger();
[[nodiscard]] spdlog::logger& store();
[[nodiscard]] spdlog::logger& wire();
[[nodiscard]] spdlog::logger& monitor();
[[nodiscard]] spdlog::logger& run();
[[nodiscard]] spdlog::logger& gui();

/// "trace", "debug", "info", "warn", "error", "off" for all loggers. Throws UsageError for another word.
/// At the start the environment variable ALLEYCAT_LOG decides, else "info".
void set_level(std::string_view level);

}  // namespace alleycat::log
