#pragma once
// What the simulator's tests share: a board, a way to take records, and a simple decoder of their own.

#include <algorithm>
#include <array>
#include <catch2/catch.hpp>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <stop_token>
#include <string>
#include <vector>

#include "daq/core/config.hpp"
#include "daq/core/record.hpp"
#include "readout/simulator.hpp"

namespace simulator_test {

using namespace alleycat;

inline constexpr int kSamples = 35'000;
inline constexpr int kAcStart = 19'950, kCStart = 27'475, kAcPretrace = 150, kCPretrace = 7'675;

inline BoardInfo csi_board() {
    BoardInfo board;
    board.name = "pci5153";
    board.source = "simulator";
    board.sample_type = SampleType::int8;
    board.sample_period_ps = 2'000;
    board.samples = kSamples;
    board.clock_period_ps = 8'000;
    board.channels = {{"csi", true, "pci5153_signal"}, {"veto", true, "pci5153_veto"}};
    return board;
}

inline SimulatorConfig fast_config(std::uint64_t seed = 1) {
    SimulatorConfig config;
    config.seed = seed;
    config.pacing = Pacing::fast;
    config.start_utc = from_iso8601("2015-10-02T16:00:00Z");
    return config;
}

/// Nothing but noise: every pulse, drift and wander switched off.
inline SimulatorConfig quiet_config(std::uint64_t seed = 1) {
    SimulatorConfig config = fast_config(seed);
    config.rate_boost = 0;
    config.cherenkov_share = config.big_pulse_share = config.linear_gate_share = config.veto_share = 0;
    config.dark_rate_hz = config.afterglow_share = 0;
    config.gain_drift = config.baseline_drift_adc = config.baseline_wander_adc = 0;
    return config;
}

struct Taken {
    RecordHeader header;
    std::vector<std::uint32_t> words;  // payload, 4-byte aligned

    [[nodiscard]] RecordView view() const {
        return {header, std::as_bytes(std::span{words}).first(payload_bytes(header))};
    }
};

/// Reuses `into`. False at the end.
inline bool take(Simulator& simulator, Taken& into) {
    switch (simulator.next(into.header, {})) {
        case RecordSource::Next::idle: FAIL("idle although pacing is fast"); return false;
        case RecordSource::Next::end: return false;
        case RecordSource::Next::record: break;
    }
    into.words.assign((payload_bytes(into.header) + 3) / 4, 0xA5A5A5A5);
    simulator.fill(std::as_writable_bytes(std::span{into.words}).first(payload_bytes(into.header)));
    return true;
}

/// ADC counts of a signal code, from the formula of the published format.
inline int signal_counts(int code) { return code - static_cast<int>(std::floor((code + 5) / 11.0)); }
inline int veto_counts(int code) {
    return code + (code < 0 ? -1 : 1) * static_cast<int>(std::floor((4 - std::abs(code)) / 11.0));
}

/// Smallest value with at least half of the first 20,000 at or below it.
inline int median(std::span<const int> counts) {
    std::vector<int> first(counts.begin(), counts.begin() + 20'000);
    std::nth_element(first.begin(), first.begin() + 9'999, first.end());
    return first[9'999];
}

/// Onsets of runs of at least `length` samples with heights of at least `threshold`; open runs at the end do not count.
inline std::vector<int> find_peaks(std::span<const int> counts, int baseline, int threshold, int length) {
    std::vector<int> onsets;
    int run = 0;
    for (int i = 0; i < std::ssize(counts); ++i) {
        const bool above = baseline - counts[static_cast<std::size_t>(i)] >= threshold;
        if (!above && run >= length) onsets.push_back(i - run);
        run = above ? run + 1 : 0;
    }
    return onsets;
}

/// Counts of one channel, by a table that the formula fills once.
template <class Formula>
std::vector<int> decode(const RecordView& view, std::size_t channel, Formula formula) {
    std::array<int, 256> table{};
    for (int code = -128; code < 128; ++code) table[static_cast<std::uint8_t>(code)] = formula(code);
    std::vector<int> counts;
    counts.reserve(kSamples);
    for (const std::int8_t code : view.channel<std::int8_t>(channel)) {
        counts.push_back(table[static_cast<std::uint8_t>(code)]);
    }
    return counts;
}
inline std::vector<int> decode_signal(const RecordView& view) { return decode(view, 0, signal_counts); }
inline std::vector<int> decode_veto(const RecordView& view) { return decode(view, 1, veto_counts); }

/// `observed` of `n` trials agrees with the chance `p` within 4.5 standard deviations.
inline bool agrees(double observed, double n, double p) {
    return std::abs(observed - n * p) <= 4.5 * std::sqrt(n * p * (1 - p)) + 0.5;
}

}  // namespace simulator_test
