// Whole triggers of the simulated stations: the events of both kernels are the same to the last bit.

#include <algorithm>
#include <catch2/catch.hpp>
#include <functional>
#include <vector>

#include "simd_targets.hpp"
#include "simulated_station.hpp"

using namespace alleycat;
using alleycat::testing::for_each_simd_target;
using simulated_station::SimulatedStation;

namespace {

/// What a board makes of the record that the simulator gave.
using Conversion = std::function<std::vector<std::byte>(RecordHeader&, std::span<const std::byte>)>;

std::vector<std::byte> as_it_is(RecordHeader&, std::span<const std::byte> payload) {
    return {payload.begin(), payload.end()};
}

/// int8 codes on a board of 16 bits: ten counts for one.
std::vector<std::byte> widened(RecordHeader& header, std::span<const std::byte> payload) {
    std::vector<std::uint16_t> wide(std::size_t{header.channels} * header.samples_per_channel);
    const auto* const codes = reinterpret_cast<const std::int8_t*>(payload.data());
    std::transform(codes, codes + wide.size(), wide.begin(),
                   [](std::int8_t code) { return static_cast<std::uint16_t>(3'000 + 10 * code); });
    header.sample_type = SampleType::uint16;
    header.truth_count = 0;
    const auto bytes = std::as_bytes(std::span{wide});
    return {bytes.begin(), bytes.end()};
}

/// simulated  the board that the simulator thinks it is; returns how many windows had an arrival
int require_same_events(const SimulatedStation& station, const BoardInfo& simulated, std::uint64_t triggers,
                        const Conversion& convert) {
    const std::vector<BoardInfo>& boards = station.station.boards;
    Simulator simulator{station.simulator, simulated, 0, triggers};
    TriggerStage scalar{station.trigger, boards, Kernels::scalar};
    TriggerStage simd{station.trigger, boards};
    RecordHeader header;
    std::vector<std::byte> payload;
    std::vector<BeamFrame> frames;
    int arrivals = 0;
    while (simulator.next(header, {}) == RecordSource::Next::record) {
        payload.resize(payload_bytes(header));
        simulator.fill(payload);
        simulator.take_beam_frames(frames);
        const std::vector<std::byte> samples = convert(header, payload);
        Trigger trigger;
        trigger.add({header, samples});
        Event expected, found;
        scalar.process(trigger, 70, expected);
        simd.process(trigger, 70, found);
        REQUIRE(identical(found, expected));
        for (const WindowEvent& window : found.window) arrivals += window[Feature::arrival_ns] >= 0;
    }
    return arrivals;
}

/// More of everything than nature gives.
SimulatedStation busy_csi() {
    SimulatedStation csi{"csi"};
    csi.simulator.rate_boost = 3e3;
    csi.simulator.veto_share = csi.simulator.linear_gate_share = csi.simulator.big_pulse_share = 0.1;
    csi.simulator.afterglow_rate_hz = 1e6;
    return csi;
}

}  // namespace

TEST_CASE("simulated triggers give the same events with both kernels and every instruction set",
          "[trigger][property]") {
    const SimulatedStation csi = busy_csi();
    for_each_simd_target([&](const std::string& target) {
        INFO(target);
        REQUIRE(require_same_events(csi, csi.station.boards.front(), 60, as_it_is) > 20);
    });
}

TEST_CASE("the same on a board of 16-bit codes", "[trigger][property]") {
    SimulatedStation csi = busy_csi();
    csi.trigger.peaks.threshold_adc = 30;
    csi.trigger.veto_peaks.threshold_adc = 100;
    csi.trigger.baseline_band_adc = 50;
    csi.trigger.local_baseline_band_adc = 30;
    csi.trigger.overflow_low_code = 2'000;
    csi.trigger.overflow_high_code = 4'250;
    csi.trigger.linear_gate = LinearGate{.closed_at_adc = 3'180, .min_baseline_adc = 3'500};
    const BoardInfo simulated = csi.station.boards.front();
    csi.station.boards.front().sample_type = SampleType::uint16;
    for (ChannelInfo& channel : csi.station.boards.front().channels) channel.code_map = "plain";
    for_each_simd_target([&](const std::string& target) {
        INFO(target);
        REQUIRE(require_same_events(csi, simulated, 30, widened) > 10);
    });
}

TEST_CASE("the shape variables of other detectors are the same with both kernels", "[trigger][property]") {
    for (const std::string name : {"lar", "germanium", "mars"}) {
        const SimulatedStation station{name};
        for_each_simd_target([&](const std::string& target) {
            INFO(name << ", " << target);
            REQUIRE(require_same_events(station, station.station.boards.front(), 60, as_it_is) > 5);
        });
    }
}
