#include "daq/core/log.hpp"

#include <catch2/catch.hpp>
#include <cstdlib>

#include "daq/core/error.hpp"

using namespace alleycat;

TEST_CASE("the environment says how much is logged from the start", "[core][unit]") {  // ctest sets it
    const char* const asked = std::getenv("ALLEYCAT_LOG");
    REQUIRE(log::core().level() == spdlog::level::from_str(asked != nullptr ? asked : "info"));
}

TEST_CASE("the log level is one of six words, for all loggers", "[core][unit]") {
    const auto before = log::core().level();
    log::set_level("error");
    REQUIRE_FALSE(log::trigger().should_log(spdlog::level::warn));
    REQUIRE(log::gui().should_log(spdlog::level::err));
    log::set_level("debug");
    REQUIRE(log::store().should_log(spdlog::level::debug));
    log::set_level("off");
    REQUIRE_FALSE(log::run().should_log(spdlog::level::critical));
    REQUIRE_THROWS_AS(log::set_level("loud"), UsageError);
    REQUIRE_THROWS_WITH(log::set_level("loud"), "log level 'loud' is not one of trace, debug, info, warn, error, off");
    log::set_level("info");
    log::core().set_level(before);
}
