#pragma once
// A shipped station, its simulator with some keys changed, and its trigger stage: truth and measurement side by side.

#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <cstdint>
#include <numeric>
#include <span>
#include <string>
#include <vector>

#include "readout/hit_simulator.hpp"
#include "readout/simulator.hpp"
#include "trigger/trigger_stage.hpp"

namespace simulated_station {

using namespace alleycat;

struct SimulatedStation {
    explicit SimulatedStation(const std::string& name) {
        const ConfigFile file = ConfigFile::load(ALLEYCAT_SOURCE_DIR "/config/" + name + ".toml");
        ConfigProblems problems;
        ConfigSection root{file, problems};
        station = parse_station(root);
        trigger = parse_trigger(root, station);
        simulator = parse_simulator(root);
        problems.throw_if_any();
        simulator.pacing = Pacing::fast;
        simulator.start_utc = from_iso8601("2026-01-31T12:00:00Z");
        simulator.missed_tick_share = 0;
    }

    /// Calls `look(plan, event)` for every trigger.
    template <class Look>
    void run(std::uint64_t triggers, Look look) const {
        Simulator source{simulator, station.boards[0], 0, triggers};
        TriggerStage stage{trigger, station.boards};
        RecordHeader header;
        std::vector<std::uint32_t> words;
        std::vector<BeamFrame> frames;
        Event event;
        std::uint64_t sequence = 0;
        while (source.next(header, {}) == RecordSource::Next::record) {
            words.assign((payload_bytes(header) + 3) / 4, 0);
            const auto payload = std::as_writable_bytes(std::span{words}).first(payload_bytes(header));
            source.fill(payload);
            Trigger one;
            one.sequence = sequence++;
            one.trigger_class = header.trigger_class;
            one.add({header, payload});
            stage.process(one, trigger.spe_charge_adc, event);
            // The board counts ticks and strobes: one strobe after every `every` ticks.
            const std::int64_t every = simulator.strobe_every_ticks;
            const auto counter = static_cast<std::int64_t>(header.counter);
            const bool strobe = header.trigger_class == TriggerClass::strobe;
            const std::int64_t tick = every == 0 ? counter : counter - counter / (every + 1) - (strobe ? 1 : 0);
            look(source.plan(tick, strobe), event);
            source.take_beam_frames(frames);
            frames.clear();
        }
        REQUIRE(sequence == triggers);
    }

    /// The same for the hits of the first board, one microsecond after their tick each: `look(truth, event)`.
    template <class Look>
    void run_hits(std::uint64_t ticks, Look look) const {
        HitSimulator source{simulator, station.boards[0], 0, true, ticks};
        TriggerStage stage{trigger, station.boards};
        RecordHeader header;
        std::vector<std::uint32_t> words;
        std::vector<BeamFrame> frames;
        std::vector<TickRecord> stamps;
        Event event;
        RecordSource::Next next = source.next(header, {});
        for (; next != RecordSource::Next::end; next = source.next(header, {})) {
            source.take_beam_frames(frames);
            source.take_ticks(stamps);
            frames.clear();
            stamps.clear();
            if (next == RecordSource::Next::idle) continue;
            words.assign((payload_bytes(header) + 3) / 4, 0);
            const auto payload = std::as_writable_bytes(std::span{words}).first(payload_bytes(header));
            source.fill(payload);
            Trigger one;
            one.trigger_class = TriggerClass::hit;
            one.since_tick_ps = 1'000'000;
            one.add({header, payload});
            stage.process(one, trigger.spe_charge_adc, event);
            if (header.truth_count == 1) look(RecordView{header, payload}.truth()[0], event);
        }
    }

    /// Where the profile's feature stands in a window's values.
    [[nodiscard]] std::size_t feature(const std::string& name) const {
        const std::optional<std::size_t> found = find_feature(trigger, name);
        REQUIRE(found);
        return *found;
    }

    Station station;
    TriggerConfig trigger;
    SimulatorConfig simulator;
};

inline double mean(const std::vector<double>& values) {
    return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}
inline double sigma(const std::vector<double>& values) {
    const double centre = mean(values);
    double sum = 0;
    for (const double value : values) sum += (value - centre) * (value - centre);
    return std::sqrt(sum / static_cast<double>(values.size() - 1));
}
/// Share of the values above a level.
inline double share_above(const std::vector<double>& values, double level) {
    const auto above = std::count_if(values.begin(), values.end(), [&](double value) { return value > level; });
    return static_cast<double>(above) / static_cast<double>(values.size());
}
/// How far apart two peaks are: the distance of their means over the sum of their full widths at half maximum.
inline double figure_of_merit(const std::vector<double>& a, const std::vector<double>& b) {
    return std::abs(mean(a) - mean(b)) / (2.355 * (sigma(a) + sigma(b)));
}

}  // namespace simulated_station
