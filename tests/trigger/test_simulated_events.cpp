// Whole triggers of the simulator: the events of both kernels are the same to the last bit.

#include <catch2/catch.hpp>
#include <filesystem>

#include "readout/simulator.hpp"
#include "simd_targets.hpp"
#include "trigger/trigger_stage.hpp"

using namespace alleycat;

namespace {

struct CsiStation {
    Station station;
    TriggerConfig trigger;
    SimulatorConfig simulator;
};

/// config/csi.toml, with more of everything than nature gives.
CsiStation busy_csi() {
    const ConfigFile file = ConfigFile::load(std::filesystem::path{ALLEYCAT_SOURCE_DIR} / "config/csi.toml");
    ConfigProblems problems;
    ConfigSection root{file, problems};
    CsiStation csi{parse_station(root), {}, {}};
    csi.trigger = parse_trigger(root, csi.station);
    csi.simulator = parse_simulator(root);
    csi.simulator.pacing = Pacing::fast;
    csi.simulator.rate_boost = 3e3;
    csi.simulator.veto_share = csi.simulator.linear_gate_share = csi.simulator.big_pulse_share = 0.1;
    csi.simulator.afterglow_rate_hz = 1e6;
    return csi;
}

/// The same trace on a board of another sample type: wider codes, ten counts for one.
template <class Sample>
std::vector<std::byte> widened(std::span<const std::byte> narrow, std::size_t samples, int level) {
    std::vector<Sample> wide(samples);
    const auto* codes = reinterpret_cast<const std::int8_t*>(narrow.data());
    std::transform(codes, codes + samples, wide.begin(),
                   [level](std::int8_t code) { return static_cast<Sample>(level + 10 * code); });
    const auto bytes = std::as_bytes(std::span{wide});
    return {bytes.begin(), bytes.end()};
}

void require_same_events(
    const CsiStation& csi, const BoardInfo& board, std::uint64_t triggers,
    const std::function<std::vector<std::byte>(RecordHeader&, std::span<const std::byte>)>& convert) {
    Simulator simulator{csi.simulator, csi.station.boards.front(), 0, triggers};
    TriggerStage scalar{csi.trigger, {board}, Kernels::scalar};
    TriggerStage simd{csi.trigger, {board}};
    RecordHeader header;
    std::vector<std::byte> payload;
    std::uint64_t with_arrival = 0;
    while (simulator.next(header, {}) == RecordSource::Next::record) {
        payload.resize(payload_bytes(header));
        simulator.fill(payload);
        const std::vector<std::byte> samples = convert(header, payload);
        Trigger trigger;
        trigger.add({header, samples});
        Event expected, found;
        scalar.process(trigger, 70, expected);
        simd.process(trigger, 70, found);
        REQUIRE(identical(found, expected));
        with_arrival += found.window[0][Feature::arrival_sample] >= 0;
    }
    REQUIRE(with_arrival > triggers / 10);
}

}  // namespace

TEST_CASE("simulated triggers give the same events with both kernels and every instruction set",
          "[trigger][property]") {
    const CsiStation csi = busy_csi();
    alleycat::testing::for_each_simd_target([&](const std::string& target) {
        INFO(target);
        require_same_events(csi, csi.station.boards.front(), 60, [](RecordHeader&, std::span<const std::byte> payload) {
            return std::vector<std::byte>{payload.begin(), payload.end()};
        });
    });
}

TEST_CASE("the same on a board of 16-bit codes", "[trigger][property]") {
    CsiStation csi = busy_csi();
    csi.trigger.peaks.threshold_adc = 30;
    csi.trigger.veto_peaks.threshold_adc = 100;
    csi.trigger.baseline_band_adc = 50;
    csi.trigger.local_baseline_band_adc = 30;
    csi.trigger.overflow_low_code = 2'000;
    csi.trigger.overflow_high_code = 4'250;
    csi.trigger.linear_gate = LinearGate{.closed_at_adc = 3'180, .min_baseline_adc = 3'500};
    BoardInfo board = csi.station.boards.front();
    board.sample_type = SampleType::uint16;
    for (ChannelInfo& channel : board.channels) channel.code_map = "plain";
    alleycat::testing::for_each_simd_target([&](const std::string& target) {
        INFO(target);
        require_same_events(csi, board, 30, [](RecordHeader& header, std::span<const std::byte> payload) {
            header.sample_type = SampleType::uint16;
            header.truth_count = 0;
            return widened<std::uint16_t>(payload, std::size_t{2} * header.samples_per_channel, 3'000);
        });
    });
}
