#include <catch2/catch.hpp>
#include <cmath>

#include "daq/run/beam_index_check.hpp"

using namespace alleycat;
using Says = BeamIndexCheck::Says;
using Table = BeamIndexCheck::Table;

namespace {

BeamConfig config_of(std::int64_t charge_index) {
    BeamConfig config;
    config.source = BeamConfig::Source::frames;
    config.charge_index = charge_index;
    return config;
}

/// A machine whose frames tell the charge of the pulse `shift` after their own, and a channel that sees pulses.
class Machine {
  public:
    Machine(const BeamConfig& config, std::int64_t shift, double seen_with_beam, double seen_without)
        : join_{config, std::nullopt, registry},
          check{config, true, registry},
          shift_{shift},
          seen_{seen_without, seen_with_beam} {}

    static bool beam(std::int64_t pulse) { return pulse % 600 != 0; }

    void run(std::int64_t pulses) {
        for (std::int64_t end = pulse_ + pulses; pulse_ < end; ++pulse_) {
            BeamFrame frame;
            frame.tick = static_cast<std::uint64_t>(pulse_);
            frame.cycle = static_cast<std::uint16_t>(pulse_ % 600);
            frame.flavor = beam(pulse_) ? 1 : 0;
            frame.charge_pc = beam(pulse_ + shift_) ? 1e7f : 0;
            join_.add(frame);
            Event event;
            event.sequence = event.tick = static_cast<std::uint64_t>(pulse_);
            if (uniform() < seen_[beam(pulse_) ? 1 : 0]) event.flags |= trigger_flag::beam_pulse;
            join_.add(event.sequence, event.tick, pulse_ * 16'666'200'000, 0);
            check.add(event);
            for (BeamResolution r; join_.next(r);) {
            }
            check.compare(join_);
        }
    }

    void shift_by(std::int64_t shift) { shift_ = shift; }

    CounterRegistry registry;

  private:
    BeamJoin join_;

  public:
    BeamIndexCheck check;

  private:
    double uniform() {  // a fixed sequence of good quality (SplitMix64)
        std::uint64_t z = state_ += 0x9E3779B97F4A7C15;
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
        return static_cast<double>((z ^ (z >> 31)) >> 11) * 0x1p-53;
    }
    std::int64_t shift_;
    double seen_[2];
    std::int64_t pulse_ = 1'200;
    std::uint64_t state_ = 1;
};

}  // namespace

TEST_CASE("the likelihood of a table is that of two binomials at their best rates", "[run][unit]") {
    // 1 of 4 without beam, 9 of 10 with: ln(1/4) + 3 ln(3/4) + 9 ln(9/10) + ln(1/10).
    REQUIRE(Table{{4, 10}, {1, 9}}.log_likelihood() == Approx(-1.38629 - 0.86305 - 0.94824 - 2.30259).epsilon(1e-5));
    REQUIRE(Table{{4, 10}, {0, 10}}.log_likelihood() == 0);  // everything is explained
    REQUIRE(Table{{0, 0}, {0, 0}}.log_likelihood() == 0);
    // More pulses without beam than with it is not what a beam-rich channel shows: equal rates, 10 of 14.
    REQUIRE(Table{{4, 10}, {4, 6}}.log_likelihood() == Approx(10 * std::log(10. / 14) + 4 * std::log(4. / 14)));
}

TEST_CASE("a table of ten no-beam cycles gives the evidence of a calculation by hand", "[run][unit]") {
    // A perfect channel, 6000 ticks, 10 of them without beam. Right index: no pulse without beam, always one with it:
    // log likelihood 0. Any other: the 10 ticks called empty had pulses, 10 of 5990 called full had none:
    // by the constraint equal rates, 5990 of 6000: 5990 ln(5990/6000) + 10 ln(10/6000) = -9.992 - 63.969.
    CounterRegistry registry;
    BeamIndexCheck check{config_of(0), true, registry};
    for (int tick = 0; tick < 6'000; ++tick) {
        std::array<Says, BeamIndexCheck::kCandidates> says{};
        for (int c = 0; c < 7; ++c)
            says[static_cast<std::size_t>(c)] = (tick + c) % 600 == 3 ? Says::no_beam : Says::beam;
        check.count(says, tick % 600 != 0);
    }
    REQUIRE(check.verdict().verdict == IndexVerdict::confirmed);
    REQUIRE(check.verdict().ticks == 6'000);
    REQUIRE(check.verdict().evidence == Approx(9.992 + 63.969).epsilon(1e-4));
}

TEST_CASE("the right index is confirmed, a wrong one contradicted with the right one named", "[run][beam]") {
    const std::int64_t shift = GENERATE(-2, -1, 0, 1);
    const std::int64_t configured = GENERATE(-1, 0);
    Machine machine{config_of(configured), shift, 0.9, 0.01};
    machine.run(12'000);  // 20 no-beam cycles
    const IndexCheck& check = machine.check.verdict();
    INFO("shift " << shift << " configured " << configured << ": " << to_text(check));
    CHECK(check.configured == configured);
    CHECK(check.best == shift);
    CHECK(check.verdict == (shift == configured ? IndexVerdict::confirmed : IndexVerdict::contradicted));
    CHECK((check.evidence > 0) == (shift == configured));
}

TEST_CASE("nothing is decided before enough ticks without beam were seen, nor by a quiet channel", "[run][beam]") {
    Machine early{config_of(0), 0, 1, 0};
    early.run(5'000);  // 8 no-beam cycles: the evidence would be enough
    CHECK(early.check.verdict().verdict == IndexVerdict::undecided);
    CHECK(early.check.verdict().evidence > 12.5);

    Machine silent{config_of(-1), 0, 0, 0};  // even with a wrong index
    silent.run(60'000);
    CHECK(silent.check.verdict().verdict == IndexVerdict::undecided);
    CHECK(silent.check.verdict().evidence == 0);

    Machine noise{config_of(-1), 0, 0.02, 0.02};  // pulses that have nothing to do with the beam
    noise.run(216'000);
    CHECK(noise.check.verdict().verdict == IndexVerdict::undecided);
}

TEST_CASE("a weak channel decides later: one pulse in twenty", "[run][beam]") {
    Machine machine{config_of(-1), 0, 0.05, 0};
    machine.run(60'000);
    CHECK(machine.check.verdict().verdict == IndexVerdict::undecided);
    machine.run(540'000);  // about 600 x 100 / 20 ticks per unit of evidence: 1000 no-beam cycles are plenty
    CHECK(machine.check.verdict().verdict == IndexVerdict::contradicted);
    CHECK(machine.check.verdict().best == 0);
}

TEST_CASE("an index that the machine changes is found within two hours", "[run][beam]") {
    Machine machine{config_of(-1), -1, 0.95, 0.001};
    machine.run(3 * 216'000);
    CHECK(machine.check.verdict().verdict == IndexVerdict::confirmed);
    machine.shift_by(0);
    machine.run(2 * 216'000);
    CHECK(machine.check.verdict().verdict == IndexVerdict::contradicted);
    CHECK(machine.check.verdict().best == 0);
    CHECK(machine.registry.get("beam_index.confirmed").value() == 1);
    CHECK(machine.registry.get("beam_index.contradicted").value() == 1);
}

TEST_CASE("ticks whose frames or stamps are in doubt are left out", "[run][beam]") {
    const BeamConfig config = config_of(0);
    CounterRegistry registry;
    BeamJoin join{config, std::nullopt, registry};
    BeamIndexCheck check{config, true, registry};
    for (std::uint64_t i = 0; i < 100; ++i) {
        BeamFrame frame;
        frame.tick = i;
        frame.charge_pc = i == 50 ? -1 : 5;  // not reported: takes 47 to 53 with it
        frame.flavor = 1;
        if (i != 20) join.add(frame);  // lost: takes 17 to 23 with it
        Event event;
        event.sequence = event.tick = i;
        event.flags = i == 80 ? trigger_flag::duplicate_tick : i == 81 ? trigger_flag::missing_board : 0;
        if (i == 82) event.trigger_class = TriggerClass::random;
        join.add(i, i, static_cast<std::int64_t>(i), 0, event.flags, event.trigger_class);
        check.add(event);
    }
    join.finish();
    for (BeamResolution r; join.next(r);) {
    }
    check.finish(join);
    // 100 less 7 less 7, less 80, 81 and 82, less 3 at each end of the run.
    CHECK(registry.get("beam_index.ticks").value() == 77);
}

TEST_CASE("without a beam-rich channel, or without frames, nothing is checked", "[run][beam]") {
    CounterRegistry registry;
    CHECK(BeamIndexCheck(config_of(0), false, registry).verdict().verdict == IndexVerdict::none);
    BeamConfig config = config_of(0);
    config.source = BeamConfig::Source::power_log;
    CHECK(BeamIndexCheck(config, true, registry).verdict().verdict == IndexVerdict::none);
}
