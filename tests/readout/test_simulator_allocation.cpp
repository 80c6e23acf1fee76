// The simulator runs in the reader's thread: after its first tick it allocates nothing. A program of its own, because
// it replaces operator new.

#include <atomic>
#include <cstdlib>
#include <new>

#include "test_simulator_tools.hpp"

namespace {
std::atomic<std::uint64_t> allocations{0};
}

// Not inlined: g++ would see free() meet operator new and call it a mistake.
[[gnu::noinline]] void* operator new(std::size_t bytes) {
    allocations.fetch_add(1, std::memory_order_relaxed);
    if (void* const memory = std::malloc(bytes == 0 ? 1 : bytes)) return memory;
    throw std::bad_alloc{};
}
[[gnu::noinline]] void operator delete(void* memory) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }

using namespace simulator_test;

TEST_CASE("generating a trigger allocates nothing", "[readout][allocation]") {
    SimulatorConfig config = fast_config(5);
    config.rate_boost = 1e4;
    config.big_pulse_share = 0.2;
    config.linear_gate_share = 0.2;
    config.veto_share = 0.2;
    Simulator simulator{config, csi_board(), 0, 301};
    RecordHeader header;
    std::vector<std::uint32_t> payload(20'000);
    std::vector<BeamFrame> frames;
    frames.reserve(1000);
    std::uint64_t before = 0;
    for (int tick = 0; simulator.next(header, {}) == RecordSource::Next::record; ++tick) {
        simulator.fill(std::as_writable_bytes(std::span{payload}).first(payload_bytes(header)));
        if (tick == 0) before = allocations.load();
        if (tick % 50 == 0) simulator.take_beam_frames(frames);
    }
    const std::uint64_t after = allocations.load();
    CHECK(after - before == 0);
    CHECK(before > 0);  // the counter works: construction did allocate
}
