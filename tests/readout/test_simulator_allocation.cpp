// The simulator runs in the reader's thread: after its first tick it allocates nothing. A program of its own, because
// it replaces operator new.

#include "test_simulator_tools.hpp"
#include "tests/counting_new.hpp"

using namespace simulator_test;

namespace {

/// Allocations of all ticks but the first.
std::uint64_t allocations_of(const SimulatorConfig& config) {
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
    return allocations.load() - before;
}

}  // namespace

TEST_CASE("generating a trigger allocates nothing", "[readout][allocation]") {
    SimulatorConfig config = fast_config(5);
    config.rate_boost = 1e4;
    config.big_pulse_share = 0.2;
    config.linear_gate_share = 0.2;
    config.veto_share = 0.2;
    CHECK(allocations_of(config) == 0);
    CHECK(allocations.load() > 0);  // the counter works: construction did allocate
}

TEST_CASE("neither do the other detectors", "[readout][allocation]") {
    SimulatorConfig config = fast_config(5);
    config.strobe_every_ticks = 2;
    config.lar.electron_rate_hz = config.lar.recoil_rate_hz = 10'000;
    config.germanium.continuum_rate_hz = config.germanium.reset_rate_hz = 5'000;
    config.mars.gamma_rate_hz = config.mars.neutron_rate_hz = 5'000;
    for (const SimulatedDetector detector :
         {SimulatedDetector::lar, SimulatedDetector::germanium, SimulatedDetector::mars}) {
        config.detector = detector;
        CHECK(allocations_of(config) == 0);
    }
}
