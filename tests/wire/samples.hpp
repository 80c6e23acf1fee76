#pragma once
// Messages with every field set, and a sink that writes down what it hears.

#include <fmt/format.h>

#include <bit>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <filesystem>
#include <limits>
#include <random>
#include <span>
#include <string>
#include <vector>

#include "daq/core/event_sink.hpp"
#include "tests/temporary_folder.hpp"

namespace alleycat::test {

/// Repeats `step` until `done`, for 10 s at most. `step` waits on a socket itself.
template <class Done, class Step>
[[nodiscard]] bool eventually(const Done& done, const Step& step) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds{10};
    while (!done()) {
        if (std::chrono::steady_clock::now() > deadline) return false;
        step();
    }
    return true;
}

using alleycat::testing::TemporaryFolder;

inline constexpr std::uint64_t kBig = std::numeric_limits<std::uint64_t>::max();
inline constexpr std::int64_t kLow = std::numeric_limits<std::int64_t>::min();
inline constexpr std::int64_t kHigh = std::numeric_limits<std::int64_t>::max();

inline RunDescription sample_run(std::uint64_t number = 7) {
    RunDescription run;
    run.run = number;
    run.profile = "csi";
    run.software = "alleycat 9.9.9";
    run.host = "neutrino-alley";
    run.start_utc_ns = kHigh;
    run.config_name = "csi.toml";
    run.config_text = "# \u00b5s and \u00b1\n[station]\n";
    run.tick_rate_hz = 59.94;
    run.rate_boost = 1000;
    run.test_run = true;
    run.boards = {{"pci5153",
                   "simulator",
                   "PCI-5153",
                   "007",
                   "",
                   SampleType::int8,
                   2000,
                   35000,
                   100,
                   false,
                   {{"csi", true, "pci5153_signal"}, {"veto", false, "pci5153_veto"}}},
                  {"v1730", "wavedump", "", "", "DPP 4.2", SampleType::uint16, kLow, 4294967295u, kHigh, true, {}}};
    run.signal = {0, 0, true};
    run.veto = {65535, 1, true};
    run.detectors = {"nai_00", "nai_01"};
    run.windows = {{"coincident", WindowRole::coincident, -1, 12500, 20000, 1500},
                   {"anticoincident", WindowRole::anticoincident, 0, 5000, 12500, 1500}};
    run.features = core_features();
    run.cuts = {{"no_peak", "roi_peaks > 0"}, {"does_not_fit", ""}};
    run.box = {6, 30, 0, 6000};
    return run;
}

/// NaN, infinities, the smallest numbers and both ends of every integer.
inline Event sample_event(std::uint64_t sequence = kBig) {
    Event event;
    event.sequence = sequence;
    event.time_ps = kLow;
    event.utc_ns = kHigh;
    event.trigger_class = TriggerClass::random;
    event.window_count = 2;
    event.feature_count = kCoreFeatures;
    event.flags = 0xFFFFFFFFu;
    event.detector = 255;
    event.tick = kBig;
    event.since_tick_ps = kLow;
    event.baseline_median_adc = std::numeric_limits<double>::quiet_NaN();
    event.baseline_mean_adc = -0.0;
    event.baseline_sigma_adc = std::numeric_limits<double>::denorm_min();
    event.spe_charge_adc = 1.0 / 3;
    for (std::size_t i = 0; i < kCoreFeatures; ++i) {
        event.window[0].value[i] = std::pow(-7.1, static_cast<double>(i));
        event.window[1].value[i] =
            i % 2 == 0 ? std::numeric_limits<double>::quiet_NaN() : -std::numeric_limits<double>::infinity();
    }
    event.window[0].cuts = 0xFFFFFFFFu;
    return event;
}

inline Waveform sample_waveform() {
    return {12,
            34,
            56.5,
            {{"pci5153", "csi", 2000, {-128, 127, 0, 2147483647, -2147483648}}, {"b", "c", 1, {}}},
            {{0, 2}, {3, 5}}};
}
inline DeadTime sample_dead_time() { return {5, kBig, kLow, kHigh, 3, {}}; }

inline Status sample_status() {
    Status status;
    status.run = kBig;
    status.state = RunState::error;
    status.reason = "disk full, free some and start again";
    status.utc_ns = kLow;
    status.run_start_utc_ns = 2;
    status.last_trigger_utc_ns = 3;
    status.trigger_rate_hz = 60.5;
    status.bytes_per_second = 4.2e6;
    status.live_fraction = 0.25;
    status.beam_state = BeamState::no_beam_cycle;
    status.beam_power_w = 1.4e6f;
    status.beam_lag_s = 1.5;
    status.index_check = {IndexVerdict::contradicted, -1, 0, -12.5, kBig};
    status.ledger = {false, 1, 2, 3, 4, 5, 6, kBig};
    status.buffers = {{"retransmit", 1, 2, 3, 4.25e6}, {"ring", kBig, kBig, kBig}};
    status.boards = {{"v2745", 12.25, -1e6 / 3, 0.31, kLow, {{"temperature_core", 41.5, "degC"}, {"busy", 0.003, ""}}},
                     {"away", {}, {}, {}, 0, {}}};
    status.in_hand = kBig;
    status.backed_up = true;
    status.dead_s = 12.5;
    status.gap = Gap{3, kBig, kLow, kHigh, 77, true};
    status.quality = "degraded,tainted";
    status.quality_reasons = "degraded: 3 of 9 triggers were refused\ntainted: cart";
    status.last_note = OperatorNote{kHigh, NoteKind::tainted, "ann", "cart"};
    status.writer = {true, WriterState::failed, 10, 20, "run_7.part", 30, kBig, 77, 88, "slow disk"};
    status.counters = {{"a.b", kBig}, {"c", 0}};
    return status;
}
inline Alarm sample_alarm() { return {"trigger_rate", AlarmLevel::alarm, true, kLow, "0 Hz instead of 60 Hz"}; }

inline std::string bits(double value) { return fmt::format("{:016x}", std::bit_cast<std::uint64_t>(value)); }

/// What a monitor would accumulate, as one line per call: two of them are equal when they heard the same, in order.
class DiarySink final : public EventSink {
  public:
    std::vector<std::string> lines;

    void on_run(const RunDescription& run) override {
        lines.push_back(fmt::format("run {} {}", run.run, run.config_text.size()));
    }
    void on_event(const Event& e) override {
        std::string line =
            fmt::format("event {} {} {} {}", e.sequence, e.time_ps, e.utc_ns, bits(e.baseline_median_adc));
        for (std::size_t w = 0; w < e.window_count; ++w) {
            for (std::size_t f = 0; f < e.feature_count; ++f) line += " " + bits(e.window[w].value[f]);
        }
        lines.push_back(line);
    }
    void on_beam(const BeamResolution& r) override {
        lines.push_back(fmt::format("beam {} {} {}", r.sequence, r.power_w, static_cast<int>(r.state)));
    }
    void on_ticks(std::span<const TickRecord> ticks) override {
        for (const TickRecord& t : ticks) lines.push_back(fmt::format("tick {} {}", t.tick, t.time_ps));
    }
    void on_dead_time(const DeadTime& d) override {
        lines.push_back(fmt::format("dead {} {}", d.first_sequence, d.last_sequence));
    }
    void on_calibration(const Calibration& c) override {
        lines.push_back(fmt::format("calibration {}", c.from_sequence));
    }
    void on_waveform(const Waveform& w) override { lines.push_back(fmt::format("waveform {}", w.sequence)); }
    void on_status(const Status& s) override { lines.push_back(fmt::format("status {}", s.utc_ns)); }
    void on_alarm(const Alarm& a) override { lines.push_back(fmt::format("alarm {}", a.name)); }

    /// The accumulated state as bytes, and back.
    [[nodiscard]] std::vector<std::byte> state() const {
        std::string text;
        for (const std::string& line : lines) text += line + "\n";
        const auto bytes = std::as_bytes(std::span{text});
        return {bytes.begin(), bytes.end()};
    }
    bool restore(std::span<const std::byte> state) {
        lines.clear();
        std::string_view text{reinterpret_cast<const char*>(state.data()), state.size()};
        while (!text.empty()) {
            const std::size_t end = text.find('\n');
            if (end == std::string_view::npos) return false;
            lines.emplace_back(text.substr(0, end));
            text.remove_prefix(end + 1);
        }
        return true;
    }
};

/// Keeps the last of everything.
class LastSink final : public EventSink {
  public:
    RunDescription run;
    Event event;
    std::vector<BeamResolution> beams;
    std::vector<TickRecord> ticks;
    DeadTime dead_time;
    Calibration calibration;
    Waveform waveform;
    Status status;
    Alarm alarm;
    int calls = 0;

    void on_run(const RunDescription& r) override { run = r, ++calls; }
    void on_event(const Event& e) override { event = e, ++calls; }
    void on_beam(const BeamResolution& b) override { beams.push_back(b), ++calls; }
    void on_ticks(std::span<const TickRecord> t) override { ticks.assign(t.begin(), t.end()), ++calls; }
    void on_dead_time(const DeadTime& d) override { dead_time = d, ++calls; }
    void on_calibration(const Calibration& c) override { calibration = c, ++calls; }
    void on_waveform(const Waveform& w) override { waveform = w, ++calls; }
    void on_status(const Status& s) override { status = s, ++calls; }
    void on_alarm(const Alarm& a) override { alarm = a, ++calls; }
};

}  // namespace alleycat::test
