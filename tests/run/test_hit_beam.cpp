// A hit's beam state is that of its tick.

#include <catch2/catch.hpp>

#include "daq/core/event.hpp"
#include "daq/run/hit_beam.hpp"

using namespace alleycat;

namespace {

constexpr std::int64_t kTick = 16'666'666'667;  // [ps]

BeamConfig by_frames() {
    BeamConfig config;
    config.source = BeamConfig::Source::frames;
    config.max_delay_s = 1;
    return config;
}

struct Bench {
    explicit Bench(const BeamConfig& config = by_frames())
        : join{config, std::nullopt, registry}, beam{join, config.source == BeamConfig::Source::recorded, 60} {}

    void tick(std::uint64_t number, std::uint32_t flags = 0) {
        beam.add(TickRecord{.tick = number, .time_ps = static_cast<std::int64_t>(number) * kTick, .flags = flags});
    }
    void hit(std::uint64_t sequence, std::uint64_t tick, std::uint32_t flags = 0) {
        Trigger trigger;
        trigger.sequence = sequence;
        trigger.tick = tick;
        trigger.time_ps = static_cast<std::int64_t>(tick) * kTick + 1'000;
        trigger.since_tick_ps = 1'000;
        trigger.tick_flags = flags;
        beam.add(trigger);
    }
    void frame(std::uint64_t tick, float charge_pc, float power_w) {
        BeamFrame frame;
        frame.tick = tick;
        frame.charge_pc = charge_pc;
        frame.power_w = power_w;
        frame.flavor = 1;
        frame.cycle = 5;
        join.add(frame);
    }
    std::vector<TickRecord> ticks() {
        std::vector<TickRecord> all;
        for (TickRecord tick; beam.next(tick);) all.push_back(tick);
        return all;
    }
    std::vector<BeamResolution> hits() {
        std::vector<BeamResolution> all;
        for (BeamResolution hit; beam.next(hit);) all.push_back(hit);
        return all;
    }

    CounterRegistry registry;
    BeamJoin join;
    HitBeam beam;
};

}  // namespace

TEST_CASE("hits have the state of their tick, whenever they are handed over", "[run][hits]") {
    Bench bench;
    bench.tick(0);
    bench.tick(1);
    bench.hit(0, 0);
    REQUIRE(bench.ticks().empty());
    REQUIRE(bench.hits().empty());
    bench.frame(0, 10, 1e6);
    REQUIRE(bench.ticks().size() == 1);
    bench.hit(1, 0);
    bench.hit(2, 1);
    REQUIRE(bench.hits() == std::vector<BeamResolution>{{0, 1e6, BeamState::on}, {1, 1e6, BeamState::on}});
    bench.frame(1, 0, 0);
    const std::vector<TickRecord> ticks = bench.ticks();
    REQUIRE(ticks.size() == 1);
    REQUIRE(ticks[0].state == BeamState::off);
    REQUIRE(bench.hits() == std::vector<BeamResolution>{{2, 0, BeamState::off}});
}

TEST_CASE("a frame that comes too late answers neither the tick nor its hits", "[run][hits]") {
    Bench bench;
    bench.tick(0);
    bench.tick(61);  // 1.02 s on: tick 0 is overdue
    bench.hit(0, 0);
    REQUIRE(bench.ticks().size() == 1);
    bench.frame(0, 10, 1e6);
    REQUIRE(bench.hits() == std::vector<BeamResolution>{{0, -1, BeamState::unknown}});
}

TEST_CASE("hits without a tick are unknown at once, and hits of an old tick do not wait for ever", "[run][hits]") {
    Bench bench;
    bench.hit(0, 0, trigger_flag::no_tick);
    REQUIRE(bench.hits() == std::vector<BeamResolution>{{0, -1, BeamState::unknown}});
    bench.tick(100'000);
    bench.frame(100'000, 10, 1e6);
    REQUIRE(bench.ticks().size() == 1);
    bench.hit(1, 99'999);  // its tick never came this way
    REQUIRE(bench.hits() == std::vector<BeamResolution>{{1, -1, BeamState::unknown}});
    bench.hit(2, 100'001);
    REQUIRE(bench.hits().empty());
    bench.join.finish();
    bench.beam.finish();
    REQUIRE(bench.hits() == std::vector<BeamResolution>{{2, -1, BeamState::unknown}});
}

TEST_CASE("ticks that cannot be trusted and ticks near refused hits are unknown", "[run][hits]") {
    Bench bench;
    bench.tick(0);
    bench.tick(0, trigger_flag::duplicate_tick);
    bench.tick(1, trigger_flag::late_tick);
    bench.tick(2, trigger_flag::hits_refused);
    bench.tick(3, trigger_flag::after_missing_tick);
    for (std::uint64_t i = 0; i < 4; ++i) bench.frame(i, 10, 1e6);
    const std::vector<TickRecord> ticks = bench.ticks();
    REQUIRE(ticks.size() == 5);
    for (const std::size_t i : {0u, 4u}) REQUIRE(ticks[i].state == BeamState::on);
    for (const std::size_t i : {1u, 2u, 3u}) REQUIRE(ticks[i].state == BeamState::unknown);
    bench.hit(0, 0);
    bench.hit(1, 2);
    REQUIRE(bench.hits()[0].state == BeamState::on);
    REQUIRE(bench.beam.lag_s() == 0);
}

TEST_CASE("given up hits take the ticks from theirs on out of the exposure", "[run][hits]") {
    Bench bench;
    for (std::uint64_t i = 0; i < 6; ++i) {
        bench.tick(i);
        bench.frame(i, 10, 1e6);
    }
    bench.beam.lost_from(3 * kTick + 5);
    const std::vector<TickRecord> ticks = bench.ticks();
    for (std::size_t i = 0; i < 6; ++i) {
        REQUIRE(ticks[i].state == (i < 3 ? BeamState::on : BeamState::unknown));
        REQUIRE(ticks[i].flags == (i < 3 ? 0 : trigger_flag::hits_refused));
    }
}

TEST_CASE("recorded ticks bring their states along, or are asked about anew", "[run][hits]") {
    for (const bool anew : {false, true}) {
        BeamConfig config;
        config.source = anew ? BeamConfig::Source::constant : BeamConfig::Source::recorded;
        config.constant_state = BeamState::off;
        Bench bench{config};
        bench.beam.add(TickRecord{.tick = 8, .time_ps = 8 * kTick, .power_w = 5, .state = BeamState::on});
        bench.hit(0, 8);
        const std::vector<TickRecord> ticks = bench.ticks();
        REQUIRE(ticks.size() == 1);
        REQUIRE(ticks[0].state == (anew ? BeamState::off : BeamState::on));
        REQUIRE(ticks[0].power_w == (anew ? -1 : 5));
        REQUIRE(bench.hits()[0].state == ticks[0].state);
    }
}
