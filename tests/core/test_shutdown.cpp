// SIGINT and SIGTERM as stop tokens. Each test waits for the token itself; were it never asked, ctest's limit ends it.

#include "daq/core/shutdown.hpp"

#include <unistd.h>

#include <catch2/catch.hpp>
#include <cerrno>
#include <csignal>
#include <functional>
#include <semaphore>
#include <stop_token>
#include <utility>

using namespace alleycat;

namespace {

void wait_for(const std::stop_token& token) {
    std::binary_semaphore asked{0};
    const std::stop_callback release{token, [&] { asked.release(); }};
    asked.acquire();
}

void send(int signal) { REQUIRE(kill(getpid(), signal) == 0); }

}  // namespace

TEST_CASE("the first signal asks for a clean end, the second gives up what waits for others", "[core][threads]") {
    for (const auto& [first, second] :
         {std::pair{SIGINT, SIGTERM}, std::pair{SIGTERM, SIGINT}, std::pair{SIGINT, SIGINT}}) {
        ShutdownSignals signals;
        const std::stop_token stop = signals.stop(), hurry = signals.hurry();
        REQUIRE_FALSE(stop.stop_requested());
        send(first);
        wait_for(stop);
        REQUIRE_FALSE(hurry.stop_requested());
        send(second);
        wait_for(hurry);
    }
}

TEST_CASE("a stop from inside counts as the first signal", "[core][threads]") {
    ShutdownSignals signals;
    signals.request_stop();
    REQUIRE(signals.stop().stop_requested());
    REQUIRE_FALSE(signals.hurry().stop_requested());
    send(SIGINT);
    wait_for(signals.hurry());
}

TEST_CASE("a peer that closes its socket does not kill the process", "[core][unit]") {
    const ShutdownSignals signals;
    int ends[2];
    REQUIRE(pipe(ends) == 0);
    REQUIRE(close(ends[0]) == 0);
    const char byte = 0;
    REQUIRE(write(ends[1], &byte, 1) == -1);
    REQUIRE(errno == EPIPE);
    REQUIRE(close(ends[1]) == 0);
}
