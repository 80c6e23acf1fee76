// What threads share besides the ring: workers, doorbells, counters, snapshots.

#include <spdlog/sinks/ostream_sink.h>

#include <atomic>
#include <catch2/catch.hpp>
#include <cstdint>
#include <memory>
#include <sstream>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "daq/core/counter.hpp"
#include "daq/core/doorbell.hpp"
#include "daq/core/error.hpp"
#include "daq/core/log.hpp"
#include "daq/core/snapshot_box.hpp"
#include "daq/core/worker.hpp"

using namespace alleycat;

TEST_CASE("a worker keeps what its thread threw until it is finished, and throws it once", "[core][threads]") {
    Worker worker{"reader of a broken board",
                  [](const std::stop_token&) { throw Error{"board 2: no packet within 5 s"}; }};
    REQUIRE_THROWS_WITH(worker.finish(), "board 2: no packet within 5 s");
    REQUIRE(worker.done());
    REQUIRE_FALSE(worker.failed());
    REQUIRE_NOTHROW(worker.finish());
}

TEST_CASE("a worker that failed says so before it is finished", "[core][threads]") {
    Doorbell thrown;
    Worker worker{"fails", [&](const std::stop_token&) -> void {
                      struct RingAtEnd {
                          Doorbell& bell;
                          ~RingAtEnd() { bell.ring(); }
                      } const at_end{thrown};
                      throw std::runtime_error{"disk full"};
                  }};
    thrown.wait(0, {});
    while (!worker.done()) std::this_thread::yield();
    REQUIRE(worker.failed());
    REQUIRE_THROWS_WITH(worker.finish(), "disk full");
}

TEST_CASE("what nobody fetched from a worker is logged, not lost", "[core][threads]") {
    const auto lines = std::make_shared<std::ostringstream>();
    log::core().sinks().push_back(std::make_shared<spdlog::sinks::ostream_sink_mt>(*lines));
    {
        const Worker worker{"writer", [](const std::stop_token&) { throw Error{"disk full"}; }};
    }
    log::core().sinks().pop_back();
    REQUIRE_THAT(lines->str(), Catch::Contains("thread writer: disk full"));
}

TEST_CASE("a worker ends when it is asked, also by its destructor", "[core][threads]") {
    Doorbell bell;
    bool ended = false;
    {
        Worker worker{"waits", [&](const std::stop_token& stop) {
                          while (!stop.stop_requested()) bell.wait(bell.value(), stop);
                          ended = true;
                      }};
        REQUIRE_FALSE(worker.failed());
    }
    REQUIRE(ended);

    Worker never_started;
    REQUIRE_FALSE(never_started.done());
    never_started.request_stop();
    REQUIRE_NOTHROW(never_started.finish());
}

TEST_CASE("a doorbell that rang since it was looked at does not wait", "[core][unit]") {
    Doorbell bell;
    const std::uint32_t seen = bell.value();
    bell.ring();
    bell.wait(seen, {});
    REQUIRE(bell.value() == seen + 1);
}

TEST_CASE("a stop wakes who waits at a doorbell, whether it comes before or meanwhile", "[core][threads]") {
    Doorbell bell;
    std::stop_source before;
    before.request_stop();
    bell.wait(bell.value(), before.get_token());

    for (int i = 0; i < 200; ++i) {
        Worker worker{"waits", [&](const std::stop_token& stop) { bell.wait(bell.value(), stop); }};
        worker.request_stop();
        worker.finish();
    }
    SUCCEED("every wait returned");
}

TEST_CASE("no ring of a doorbell is lost between two threads that wait for each other", "[core][threads]") {
    constexpr std::uint32_t kRounds = 50'000;
    Doorbell ping, pong;
    Worker other{"other", [&](const std::stop_token& stop) {
                     for (std::uint32_t i = 0; i < kRounds && !stop.stop_requested(); ++i) {
                         ping.wait(i, stop);
                         pong.ring();
                     }
                 }};
    for (std::uint32_t i = 0; i < kRounds; ++i) {
        ping.ring();
        pong.wait(i, {});
    }
    other.finish();
    REQUIRE(ping.value() == kRounds);
    REQUIRE(pong.value() == kRounds);
}

TEST_CASE("a doorbell wakes all who wait, whoever rings", "[core][threads]") {
    constexpr int kRings = 20'000;
    Doorbell bell, all_awake;
    std::atomic<int> rung{0}, ended{0};
    std::vector<std::unique_ptr<Worker>> threads;
    for (int t = 0; t < 3; ++t) {
        threads.push_back(std::make_unique<Worker>("waits", [&](const std::stop_token& stop) {
            for (;;) {
                const std::uint32_t seen = bell.value();
                if (rung.load(std::memory_order_relaxed) == 2 * kRings) break;
                bell.wait(seen, stop);  // a lost ring would leave it here for ever
            }
            ++ended;
            all_awake.ring();
        }));
    }
    for (int t = 0; t < 2; ++t) {
        threads.push_back(std::make_unique<Worker>("rings", [&](const std::stop_token&) {
            for (int i = 0; i < kRings; ++i) {
                rung.fetch_add(1, std::memory_order_relaxed);
                bell.ring();
            }
        }));
    }
    for (;;) {
        const std::uint32_t seen = all_awake.value();
        if (ended == 3) break;
        all_awake.wait(seen, {});
    }
    for (auto& thread : threads) thread->finish();
    REQUIRE(bell.value() == 2 * kRings);
}

TEST_CASE("counters count what several threads add", "[core][threads]") {
    CounterRegistry registry;
    Counter& shared = registry.get("readout.pci5153.refused");
    {
        std::vector<std::unique_ptr<Worker>> workers;
        for (int t = 0; t < 4; ++t) {
            workers.push_back(std::make_unique<Worker>("adder", [&, t](const std::stop_token&) {
                Counter& own = registry.get("adder." + std::to_string(t));
                for (int i = 0; i < 20'000; ++i) {
                    shared.add();
                    own.add(2);
                    registry.get("highest").raise_to(static_cast<std::uint64_t>(i));
                    if (i % 1000 == 0) (void)registry.values();
                }
            }));
        }
        for (auto& worker : workers) worker->finish();
    }
    const CounterValues values = registry.values();
    REQUIRE(values.size() == 6);
    REQUIRE(values.front() == std::pair<std::string, std::uint64_t>{"readout.pci5153.refused", 80'000});
    for (int t = 0; t < 4; ++t) REQUIRE(registry.get("adder." + std::to_string(t)).value() == 40'000);
    REQUIRE(registry.get("highest").value() == 19'999);
}

TEST_CASE("a counter's name gives the same counter again, and its value only rises", "[core][unit]") {
    CounterRegistry registry;
    Counter& first = registry.get("a");
    for (int i = 0; i < 1000; ++i) (void)registry.get("b" + std::to_string(i));
    REQUIRE(&registry.get("a") == &first);
    first.raise_to(7);
    first.raise_to(3);
    REQUIRE(first.value() == 7);
}

TEST_CASE("a snapshot box gives the newest whole value", "[core][threads]") {
    struct Pair {
        std::uint64_t a, b;
    };
    SnapshotBox<Pair> box;
    REQUIRE(box.get() == nullptr);
    Worker maker{"maker", [&](const std::stop_token&) {
                     for (std::uint64_t i = 1; i <= 20'000; ++i) box.put(std::make_shared<const Pair>(Pair{i, 2 * i}));
                 }};
    std::uint64_t torn = 0, backwards = 0, last = 0;
    while (last < 20'000) {
        const std::shared_ptr<const Pair> seen = box.get();
        if (seen == nullptr) continue;
        torn += seen->b != 2 * seen->a;
        backwards += seen->a < last;
        last = seen->a;
    }
    maker.finish();
    REQUIRE(torn == 0);
    REQUIRE(backwards == 0);
}
