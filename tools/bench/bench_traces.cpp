#include "tools/bench/bench_traces.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <numbers>
#include <random>

#include "daq/core/code_map.hpp"
#include "readout/simulator.hpp"

namespace alleycat::bench {
namespace {

constexpr std::size_t kSamples = 35'000;
constexpr int kScale = 10;  // counts of the 16-bit board for one of the 8-bit board
constexpr double kSignalLevel = 100;
constexpr double kVetoLevel = 21;
constexpr double kNoise = 0.9;  // sigma, as the simulator has it
constexpr double kFoot = 7;     // no sample of a pulse is lower, before noise: every pulse is a peak

struct CsiStation {
    Station station;
    TriggerConfig trigger;
    SimulatorConfig simulator;
};

CsiStation load_csi() {
    const ConfigFile file = ConfigFile::load(std::filesystem::path{ALLEYCAT_SOURCE_DIR} / "config/csi.toml");
    ConfigProblems problems;
    ConfigSection root{file, problems};
    CsiStation csi{parse_station(root), {}, {}};
    csi.trigger = parse_trigger(root, csi.station);
    csi.simulator = parse_simulator(root);
    csi.simulator.pacing = Pacing::fast;
    csi.simulator.seed = 1;
    problems.throw_if_any();
    return csi;
}

/// A channel in counts of the 8-bit board, with fractions.
std::vector<double> noise(std::mt19937_64& random, double level) {
    std::normal_distribution<double> normal{level, kNoise};
    std::vector<double> trace(kSamples);
    std::generate(trace.begin(), trace.end(), [&] { return normal(random); });
    return trace;
}

/// Pulses of four samples and more, each in its own piece of the trace. The region of the baseline gets fewer: with
/// more than half of its samples inside pulses, the median would be a pulse.
void add_pulses(std::mt19937_64& random, std::vector<double>& trace, int peaks) {
    std::uniform_real_distribution<double> height{0, 40};
    const auto add = [&](double begin, double end, int n_pulses) {
        const double room = (end - begin) / n_pulses;
        const int longest = std::clamp(static_cast<int>(room) - 5, 4, 14);
        for (int pulse = 0; pulse < n_pulses; ++pulse) {
            const int length = std::uniform_int_distribution{4, longest}(random);
            const int later = std::uniform_int_distribution{0, static_cast<int>(room) - length - 1}(random);
            const auto from = static_cast<std::size_t>(begin + room * pulse) + static_cast<std::size_t>(later);
            const double top = height(random);
            for (int i = 0; i < length; ++i) {
                trace[from + static_cast<std::size_t>(i)] -=
                    kFoot + top * std::sin(std::numbers::pi * (i + 0.5) / length);
            }
        }
    };
    if (peaks == 0) return;
    add(0, 20'000, peaks * 44 / 100);
    add(20'000, static_cast<double>(kSamples), peaks - peaks * 44 / 100);
}

/// Writes a channel as codes of the board behind those that are there.
void append(std::vector<std::byte>& payload, const std::vector<double>& trace, int bits, const CodeTable& map) {
    for (const double level : trace) {
        if (bits == 8) {
            payload.push_back(static_cast<std::byte>(code_for(map, static_cast<int>(std::lround(level)))));
        } else {
            const auto code = static_cast<std::uint16_t>(std::lround(kScale * level) + 3'000);
            const auto bytes = std::as_bytes(std::span{&code, 1});
            payload.insert(payload.end(), bytes.begin(), bytes.end());
        }
    }
}

std::vector<std::vector<std::byte>> simulate(RecordHeader& header, int bits, std::size_t triggers) {
    const CsiStation csi = load_csi();
    Simulator simulator{csi.simulator, csi.station.boards.front(), 0, triggers};
    std::mt19937_64 random{2};
    std::uniform_real_distribution<double> below_one_count{-0.5, 0.5};
    std::vector<std::vector<std::byte>> payloads;
    while (simulator.next(header, {}) == RecordSource::Next::record) {
        std::vector<std::byte> payload(payload_bytes(header));
        simulator.fill(payload);
        payload.resize(2 * kSamples);
        if (bits == 16) {  // what an ADC with more bits would have seen, near enough
            std::vector<std::byte> wide;
            for (const CodeTable* const map : {&kPci5153Signal, &kPci5153Veto}) {
                std::vector<double> trace(kSamples);
                const std::byte* const codes = payload.data() + (map == &kPci5153Veto ? kSamples : 0);
                std::transform(codes, codes + kSamples, trace.begin(), [&](std::byte code) {
                    return (*map)[static_cast<std::size_t>(static_cast<std::int8_t>(code) + 128)] +
                           below_one_count(random);
                });
                append(wide, trace, bits, *map);
            }
            payload = std::move(wide);
        }
        payloads.push_back(std::move(payload));
    }
    header.truth_count = 0;
    return payloads;
}

}  // namespace

std::vector<TraceKind> trace_kinds() {
    return {{"quiet"},
            {"simulated", true},
            {"50 peaks", false, 50},
            {"500 peaks", false, 500},
            {"5000 peaks", false, 5'000}};
}

BenchStation bench_station(int bits) {
    const CsiStation csi = load_csi();
    BenchStation station{csi.trigger, csi.station.boards.front()};
    if (bits == 8) return station;
    station.board.sample_type = SampleType::uint16;
    for (ChannelInfo& channel : station.board.channels) channel.code_map = "plain";
    TriggerConfig& trigger = station.trigger;
    trigger.peaks.threshold_adc *= kScale;
    trigger.veto_peaks.threshold_adc *= kScale;
    trigger.baseline_band_adc *= kScale;
    trigger.local_baseline_band_adc *= kScale;
    trigger.overflow_low_code = 0;
    trigger.overflow_high_code = 65'535;
    trigger.linear_gate = LinearGate{.closed_at_adc = 3'000 + 18 * kScale, .min_baseline_adc = 3'000 + 50 * kScale};
    return station;
}

TraceSet make_traces(const TraceKind& kind, int bits, std::size_t triggers) {
    TraceSet traces;
    if (kind.simulated) {
        traces.payloads = simulate(traces.header, bits, triggers);
    } else {
        std::mt19937_64 random{1};
        for (std::size_t i = 0; i < triggers; ++i) {
            std::vector<double> signal = noise(random, kSignalLevel);
            add_pulses(random, signal, kind.peaks);
            std::vector<std::byte> payload;
            append(payload, signal, bits, kPci5153Signal);
            append(payload, noise(random, kVetoLevel), bits, kPci5153Veto);
            traces.payloads.push_back(std::move(payload));
        }
    }
    traces.header.channels = 2;
    traces.header.channel_mask = 3;
    traces.header.samples_per_channel = kSamples;
    traces.header.sample_type = bits == 8 ? SampleType::int8 : SampleType::uint16;
    return traces;
}

void WorkingSet::fill(const TraceSet& traces, std::size_t at_most) {
    header_ = traces.header;
    bytes_per_trigger_ = traces.payloads.front().size();
    const std::size_t step = (bytes_per_trigger_ + 7) / 8;
    const std::size_t n = std::min(at_most, memory_.size() / step);
    triggers_.assign(n, Trigger{});
    for (std::size_t i = 0; i < n; ++i) {
        const std::vector<std::byte>& payload = traces.payloads[i % traces.payloads.size()];
        std::memcpy(memory_.data() + i * step, payload.data(), payload.size());
        triggers_[i].add({header_, std::as_bytes(std::span{memory_}.subspan(i * step)).first(payload.size())});
    }
}

}  // namespace alleycat::bench
