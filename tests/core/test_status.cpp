#include <catch2/catch.hpp>

#include "daq/core/status.hpp"

using namespace alleycat;

TEST_CASE("a board's line says what is known of it, what is wrong first", "[core][status]") {
    BoardStatus board;
    board.name = "v2745";
    CHECK_FALSE(has_something_to_say(board));
    CHECK(to_text(board) == "board v2745: there");
    CHECK_FALSE(highest_temperature(board));
    CHECK_FALSE(busy_share(board));

    board.missing_s = 3.21;
    board.clock_offset_ns = 12;
    board.clock_drift_ppm = -0.31;
    board.readings = {{"temperature_in", 31, "degC"},
                      {"temperature_core", 41.5, "degC"},
                      {"temperature_out", 35.25, "degC"},
                      {"busy", 0.0031, ""},
                      {"card0_errors", 2, ""}};
    CHECK(has_something_to_say(board));
    CHECK(to_text(board) ==
          "board v2745: MISSING for 3.2 s; clock +12.0 ns, -0.310 ppm; temperature_in 31 degC; temperature_core 41.5 "
          "degC; temperature_out 35.25 degC; busy 0.31 %; card0_errors 2");
    CHECK(highest_temperature(board) == 41.5);
    CHECK(busy_share(board) == 0.0031);
}
