// Simulated boards that trigger themselves: clocks, ticks, rates, light, and what can be told from it.

#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>

#include "daq/core/config.hpp"
#include "daq/core/time.hpp"
#include "read_all.hpp"
#include "readout/decay_shape.hpp"
#include "readout/hit_simulator.hpp"
#include "readout/simulator.hpp"

using namespace alleycat;
using alleycat::testing::read_all;
using alleycat::testing::ReadRecord;

namespace {

BoardInfo nai_board(std::size_t crystals = 8) {
    BoardInfo board;
    board.name = "sis3316_1";
    board.source = "simulator";
    board.sample_type = SampleType::uint16;
    board.sample_period_ps = 4'000;
    board.samples = 500;
    board.clock_period_ps = 4'000;
    board.self_triggered = true;
    for (std::size_t c = 0; c < crystals; ++c) {
        board.channels.push_back({"c" + std::to_string(c) + "_high", true, "plain"});
        board.channels.push_back({"c" + std::to_string(c) + "_low", true, "plain"});
    }
    return board;
}

BoardInfo cell_board() {
    BoardInfo board = nai_board(0);
    board.name = "v1730";
    board.sample_period_ps = 2'000;
    board.samples = 400;
    for (const char* name : {"cell1", "cell2", "timing"}) board.channels.push_back({name, true, "plain"});
    return board;
}

/// Both stamps stand 200 or 400 ns into the trace.
SimulatorConfig simulated(const HitSimulatorConfig& hits) {
    SimulatorConfig config;
    config.detector =
        hits.detector == HitSimulatorConfig::Detector::nai ? SimulatedDetector::nai : SimulatedDetector::cells;
    config.hits = hits;
    config.pacing = Pacing::fast;
    config.start_utc = from_iso8601("2026-01-01T00:00:00Z");
    config.adc_bits = 14;
    config.noise_sigma_adc = 2;
    config.baseline_adc = 15'000;
    config.gain_drift = 0;
    config.trigger_position_ns = config.detector == SimulatedDetector::nai ? 400 : 200;
    return config;
}

HitSimulatorConfig nai() {
    HitSimulatorConfig config = nai_hits();
    config.gain_spread = 0;
    return config;
}
HitSimulatorConfig cells() {
    HitSimulatorConfig config = cell_hits();
    config.gain_spread = 0;
    return config;
}

/// Sum of the heights of one channel of a record. [ADC counts x sample]
double charge(const ReadRecord& record, std::size_t position, double baseline, std::size_t begin = 0) {
    const std::vector<std::uint16_t> samples = record.channel<std::uint16_t>(position);
    double sum = 0;
    for (std::size_t i = begin; i < samples.size(); ++i) sum += baseline - samples[i];
    return sum;
}

const TruthPulse& truth(const ReadRecord& record) { return RecordView{record.header, record.payload}.truth().front(); }

std::vector<TickRecord> ticks_of(HitSimulator& simulator) {
    std::vector<TickRecord> ticks;
    simulator.take_ticks(ticks);
    return ticks;
}

}  // namespace

TEST_CASE("one seed gives the same hits, whatever was generated before", "[readout][simulator]") {
    HitSimulator first{simulated(nai()), nai_board(), 0, true, 60}, again{simulated(nai()), nai_board(), 0, true, 60};
    const std::vector<ReadRecord> a = read_all(first), b = read_all(again);
    REQUIRE(a.size() > 50);
    REQUIRE(a.size() == b.size());
    for (std::size_t i = 0; i < a.size(); ++i) {
        REQUIRE(a[i].header == b[i].header);
        REQUIRE(a[i].payload == b[i].payload);
    }
    HitSimulator skipping{simulated(nai()), nai_board(), 0, true, 60};
    std::vector<std::byte> last(payload_bytes(a.back().header));
    RecordHeader header;
    for (std::size_t i = 0; i < a.size(); ++i) REQUIRE(skipping.next(header, {}) == RecordSource::Next::record);
    skipping.fill(last);
    REQUIRE(last == a.back().payload);
    HitSimulator other_board{simulated(nai()), nai_board(), 1, true, 60};
    REQUIRE(read_all(other_board).front().payload != a.front().payload);
}

TEST_CASE("hits come as often as they should, and the lines stand in the spectrum", "[readout][simulator]") {
    HitSimulatorConfig config = nai();
    config.background_rate_hz = 50;
    const HitSimulator simulator{simulated(config), nai_board(), 0, true, 0};
    constexpr std::int64_t periods = 3'000;  // 50 s of 8 crystals
    std::size_t potassium = 0, thallium = 0, background = 0;
    for (std::int64_t k = 0; k < periods; ++k) {
        for (const PlannedHit& hit : simulator.plan(k)) {
            if (hit.kind != TruthKind::gamma) continue;
            ++background;
            potassium += hit.energy_kev == 1'461 ? 1 : 0;
            thallium += hit.energy_kev == 2'615 ? 1 : 0;
        }
    }
    const double expected = 8 * 50 * periods * 16'666'200e-9;
    const auto n = static_cast<double>(background);
    REQUIRE(n == Approx(expected).margin(5 * std::sqrt(expected) + 0.001 * expected));  // 2 us of 20 ms are busy
    REQUIRE(static_cast<double>(potassium) == Approx(0.1 * n).margin(5 * std::sqrt(0.1 * n)));
    REQUIRE(static_cast<double>(thallium) == Approx(0.04 * n).margin(5 * std::sqrt(0.04 * n)));
}

TEST_CASE("what the beam sends comes with it: neutrons with the protons, neutrinos with the muon's lifetime",
          "[readout][simulator]") {
    HitSimulatorConfig config = nai();
    config.background_rate_hz = 0;
    config.prompt_per_pulse = 0.02;
    config.delayed_per_pulse = 0.05;
    SimulatorConfig with_trips = simulated(config);
    with_trips.beam_on_s = 20;
    with_trips.beam_off_s = 10;
    const HitSimulator simulator{with_trips, nai_board(), 0, true, 0};
    const TickPlanner ticks{with_trips, with_trips.trigger_position_ns + 1};
    std::vector<double> prompt, delayed;
    std::size_t pulses = 0;
    for (std::int64_t k = 0; k < 3'600; ++k) {
        const bool delivered = ticks.beam(k).delivered;
        pulses += delivered ? 1 : 0;
        for (const PlannedHit& hit : simulator.plan(k)) {
            REQUIRE(delivered);
            const double after_ns = static_cast<double>(hit.time_ps - ticks.time_ps(k)) * 1e-3;
            (hit.kind == TruthKind::neutron ? prompt : delayed).push_back(after_ns);
            if (hit.kind == TruthKind::electron_recoil) REQUIRE((hit.energy_kev >= 10'000 && hit.energy_kev <= 50'000));
        }
    }
    const auto mean = [](const std::vector<double>& v) {
        return std::accumulate(v.begin(), v.end(), 0.0) / static_cast<double>(v.size());
    };
    const double n_prompt = 0.02 * 8 * static_cast<double>(pulses), n_delayed = 0.05 * 8 * static_cast<double>(pulses);
    REQUIRE(static_cast<double>(prompt.size()) == Approx(n_prompt).margin(5 * std::sqrt(n_prompt)));
    REQUIRE(static_cast<double>(delayed.size()) == Approx(n_delayed).margin(5 * std::sqrt(n_delayed)));
    REQUIRE(mean(prompt) == Approx(690).margin(5 * 144 / std::sqrt(n_prompt)));
    REQUIRE(mean(delayed) == Approx(690 + 2'197).margin(5 * 2'200 / std::sqrt(n_delayed)));
}

TEST_CASE("the charge of a hit is its light, in both gains", "[readout][simulator]") {
    HitSimulatorConfig config = nai();
    config.background_rate_hz = 100;
    HitSimulator simulator{simulated(config), nai_board(), 0, true, 120};
    std::size_t compared = 0;
    for (const ReadRecord& record : read_all(simulator)) {
        REQUIRE(record.header.channels == 2);
        REQUIRE(record.header.trigger_class == TriggerClass::hit);
        REQUIRE(truth(record).onset_ns >= 400);
        REQUIRE(truth(record).onset_ns < 404);  // the stamp is a whole tick of the clock
        const double expected = truth(record).photoelectrons * 280 / 1.7;
        if (expected > 700'000) continue;  // the high gain overflows
        // The trace ends 1.55 us behind the pulse's beginning: exp(-1550 / 230) = 0.1 % is cut off.
        REQUIRE(charge(record, 0, 15'000) == Approx(expected).epsilon(0.002).margin(300));  // noise: 2 x sqrt(500) = 45
        REQUIRE(charge(record, 1, 15'000) == Approx(expected / 20).epsilon(0.002).margin(300));
        ++compared;
    }
    REQUIRE(compared > 500);
}

TEST_CASE("each crystal has a gain of its own that drifts", "[readout][simulator]") {
    HitSimulatorConfig config = nai();
    config.gain_spread = 0.1;
    config.background_rate_hz = 20;
    config.potassium_share = 1;
    config.thallium_share = 0;
    SimulatorConfig drifting = simulated(config);
    drifting.gain_drift = 0.2;
    drifting.gain_drift_period_s = 40;
    HitSimulator simulator{drifting, nai_board(), 0, true, 2'400};
    std::map<std::uint64_t, std::vector<std::pair<double, double>>> gains;  // per crystal: time, charge over expected
    for (const ReadRecord& record : read_all(simulator)) {
        const double expected = truth(record).photoelectrons * 280 / 1.7;
        if (truth(record).kind != TruthKind::gamma) continue;
        gains[record.header.channel_mask].push_back(
            {static_cast<double>(record.header.time_ps) * 1e-12, charge(record, 1, 15'000) * 20 / expected});
    }
    REQUIRE(gains.size() == 8);
    double lowest = 10, highest = 0;
    for (const auto& [crystal, points] : gains) {
        double least = 10, most = 0, sum = 0;
        for (const auto& [time, gain] : points) {
            least = std::min(least, gain);
            most = std::max(most, gain);
            sum += gain;
        }
        const double mean = sum / static_cast<double>(points.size());
        REQUIRE((most - least) / mean == Approx(0.4).margin(0.03));  // +-20 % over one whole period
        lowest = std::min(lowest, mean);
        highest = std::max(highest, mean);
    }
    REQUIRE(highest - lowest > 0.1);  // 8 gains of sigma 10 %
}

TEST_CASE("stamps of hits and ticks are of one clock that rolls over at 31 bits", "[readout][simulator]") {
    HitSimulatorConfig config = nai();
    config.background_rate_hz = 5;
    config.disorder_ns = 1e6;
    SimulatorConfig late_clock = simulated(config);
    late_clock.clock_start_ticks = 0x7FFF'FFFF - 1'000'000;  // rolls over after 4 ms, and again 8.6 s later
    const std::int64_t base_ps = late_clock.clock_start_ticks * 4'000;
    std::int64_t newest = 0;
    for (const std::uint16_t board : {std::uint16_t{0}, std::uint16_t{2}}) {
        HitSimulator simulator{late_clock, nai_board(), board, board == 0, 1'200};
        const TickPlanner ticks{late_clock, late_clock.trigger_position_ns + 1};
        std::vector<PlannedHit> planned;
        for (std::int64_t k = 0; k < 1'200; ++k) {
            for (const PlannedHit& hit : simulator.plan(k)) planned.push_back(hit);
        }
        const std::vector<ReadRecord> records = read_all(simulator);
        REQUIRE(records.size() == planned.size());
        for (std::size_t i = 0; i < records.size(); ++i) {
            REQUIRE(records[i].header.time_ps == base_ps + planned[i].time_ps / 4'000 * 4'000);
            REQUIRE(records[i].header.clock < (1u << 31));
            REQUIRE(records[i].header.counter == i);
            REQUIRE(records[i].header.time_ps >= newest - 1'000'000'000);  // disorder: 1 ms
            newest = std::max(newest, records[i].header.time_ps);
        }
        newest = 0;
        const std::vector<TickRecord> seen = ticks_of(simulator);
        REQUIRE(seen.size() == (board == 0 ? 1'200 : 0));
        for (std::size_t k = 0; k < seen.size(); ++k) {
            REQUIRE(seen[k].tick == k);
            REQUIRE(seen[k].time_ps == base_ps + ticks.time_ps(static_cast<std::int64_t>(k)) / 4'000 * 4'000);
        }
    }
}

TEST_CASE("ticks come before the hits behind them, unless they are lost or late", "[readout][simulator]") {
    HitSimulatorConfig config = nai();
    config.late_tick_share = 0.02;
    config.late_by_ticks = 3;
    SimulatorConfig losing = simulated(config);
    losing.missed_tick_share = 0.1;
    HitSimulator simulator{losing, nai_board(), 0, true, 3'000};
    constexpr std::int64_t half_period = 8'333'100'000;
    std::vector<TickRecord> ticks;
    std::size_t late = 0;
    std::int64_t data_ps = 0;
    for (RecordHeader header; simulator.next(header, {}) == RecordSource::Next::record;) {
        for (const TickRecord& tick : ticks_of(simulator)) {
            late += tick.time_ps <= data_ps - half_period ? 1 : 0;
            if (!ticks.empty()) REQUIRE(tick.tick > ticks.back().tick);
            ticks.push_back(tick);
        }
        data_ps = std::max(data_ps, header.time_ps);
    }
    for (const TickRecord& tick : ticks_of(simulator)) ticks.push_back(tick);
    const double lost = 3'000.0 - static_cast<double>(ticks.size());
    REQUIRE(lost == Approx(300).margin(5 * std::sqrt(270)));
    // One late tick is late, and so are the two behind it that were not lost; hits are there to show it most of the
    // time.
    REQUIRE(late > 60);
    REQUIRE(late < 250);
    std::vector<BeamFrame> frames;
    simulator.take_beam_frames(frames);
    REQUIRE(frames.size() == 3'000);  // the beam is told of, whether the tick came or not
}

TEST_CASE("a channel may carry the timing signal", "[readout][simulator]") {
    HitSimulatorConfig config = cells();
    config.tick_channel = "timing";
    SimulatorConfig losing = simulated(config);
    losing.missed_tick_share = 0.2;
    HitSimulator simulator{losing, cell_board(), 0, false, 600};
    std::size_t timing = 0, hits = 0;
    for (const ReadRecord& record : read_all(simulator)) {
        REQUIRE(record.header.channels == 1);
        if (record.header.channel_mask != 4) {
            ++hits;
            continue;
        }
        ++timing;
        REQUIRE(record.header.truth_count == 0);
        const std::vector<std::uint16_t> samples = record.channel<std::uint16_t>(0);
        REQUIRE(std::abs(15'000 - samples[95]) < 12);
        REQUIRE(std::abs(14'000 - samples[105]) < 12);  // from 200 ns on, for 100 ns
        REQUIRE(std::abs(14'000 - samples[145]) < 12);
        REQUIRE(std::abs(15'000 - samples[155]) < 12);
    }
    REQUIRE(timing == Approx(480).margin(5 * std::sqrt(96)));
    REQUIRE(hits > 500);
    REQUIRE(ticks_of(simulator).empty());
}

TEST_CASE("neutrons and gammas differ in the share of their light that comes late", "[readout][simulator]") {
    HitSimulatorConfig config = cells();
    config.prompt_per_pulse = 0.5;
    config.background_rate_hz = 100;
    HitSimulator simulator{simulated(config), cell_board(), 0, false, 1'800};
    std::array<std::vector<double>, 2> tail;  // over total; gamma, neutron
    for (const ReadRecord& record : read_all(simulator)) {
        const double total = charge(record, 0, 15'000, 90);
        if (total < 150 * 20) continue;  // 150 keV
        const bool neutron = truth(record).kind == TruthKind::neutron;
        tail[neutron ? 1 : 0].push_back(charge(record, 0, 15'000, 116) / total);  // from 32 ns behind the onset on
    }
    for (auto& values : tail) {
        REQUIRE(values.size() > 300);
        std::sort(values.begin(), values.end());
    }
    // exp(-24.5 / 80) = 0.74 of the slow light is in the tail, the pulse beginning 7.5 ns behind the onset.
    const auto median = [](const std::vector<double>& v) { return v[v.size() / 2]; };
    REQUIRE(median(tail[0]) == Approx(0.1 * 0.74).margin(0.01));
    REQUIRE(median(tail[1]) == Approx(0.26 * 0.74).margin(0.015));
    // A cut between the two: at least 95 % of each on its side.
    const double cut = (median(tail[0]) + median(tail[1])) / 2;
    const auto below = [&](const std::vector<double>& v) {
        return static_cast<double>(std::lower_bound(v.begin(), v.end(), cut) - v.begin()) /
               static_cast<double>(v.size());
    };
    REQUIRE(below(tail[0]) > 0.95);
    REQUIRE(below(tail[1]) < 0.05);
}

TEST_CASE("the pulse of a decay has its charge at every phase", "[readout][simulator]") {
    const DecayShape shape{12, 230, 4, 2'000};
    for (const double time : {100.0, 101.3, 103.9}) {
        PulseCanvas canvas{2'000};
        shape.add(canvas, time, 1'000);
        double sum = 0, moment = 0;
        for (std::size_t i = 0; i < 2'000; ++i) {
            const double height = static_cast<double>(canvas.segment(i / 64)[i % 64]);
            sum += height;
            moment += height * static_cast<double>(i) * 4;
            if (static_cast<double>(i) * 4 < time - 4) REQUIRE(height < 1e-2);
        }
        REQUIRE(sum == Approx(1'000).epsilon(1e-3));
        REQUIRE(moment / sum == Approx(time + 3 * 12 + 230).margin(1));  // begins 3 sigma of the response later
    }
}

TEST_CASE("a hit simulator that does not fit its board is refused with the reason", "[readout][simulator]") {
    BoardInfo odd = nai_board();
    odd.channels.pop_back();
    REQUIRE_THROWS_WITH((HitSimulator{simulated(nai()), odd, 0, true, 1}),
                        Catch::Contains("board sis3316_1: 15 channels are no whole number of detectors of 2"));
    BoardInfo short_trace = nai_board();
    short_trace.samples = 100;
    REQUIRE_THROWS_WITH((HitSimulator{simulated(nai()), short_trace, 0, true, 1}),
                        Catch::Contains("lies behind the trace"));
    SimulatorConfig boosted = simulated(nai());
    boosted.rate_boost = 1e6;
    REQUIRE_THROWS_WITH((HitSimulator{boosted, nai_board(), 0, true, 1}), Catch::Contains("rate_boost"));
    SimulatorConfig pulses = simulated(nai());
    pulses.detector = SimulatedDetector::csi;
    REQUIRE_THROWS_WITH((HitSimulator{pulses, nai_board(), 0, true, 1}), Catch::Contains("it triggers itself"));
    BoardInfo triggered = nai_board();
    triggered.channels[0].name = "csi";
    REQUIRE_THROWS_WITH((Simulator{simulated(nai()), triggered, 0, 1}), Catch::Contains("trigger themselves"));
}

TEST_CASE("a section for each detector of hits, with defaults of its own", "[readout][simulator]") {
    const auto parse = [](const std::string& text, std::vector<std::string>& lines) {
        const ConfigFile file = ConfigFile::parse("[simulator]\n" + text, "station.toml");
        ConfigProblems problems;
        ConfigSection root{file, problems};
        const SimulatorConfig config = parse_simulator(root);
        root.finish();
        lines = problems.lines();
        return config;
    };
    std::vector<std::string> lines;
    const SimulatorConfig config = parse("detector = \"cells\"\n[simulator.cells]\nslow_ns = 70", lines);
    REQUIRE(lines.empty());
    REQUIRE(config.hits.slow_ns == 70);
    REQUIRE(config.hits.fast_ns == 4);
    (void)parse(
        "detector = \"nai\"\ndark_rate_hz = 3\n[simulator.nai]\npotassium_share = 0.7\nthallium_share = 0.7\n"
        "delayed_min_kev = 9\ndelayed_max_kev = 8\nnai = 1",
        lines);
    REQUIRE(lines ==
            std::vector<std::string>{"station.toml:3:1: simulator.dark_rate_hz: unknown key",
                                     "station.toml:6:18: simulator.nai.thallium_share: and potassium_share exceed 1",
                                     "station.toml:8:19: simulator.nai.delayed_max_kev: is below delayed_min_kev",
                                     "station.toml:9:1: simulator.nai.nai: unknown key"});
}
