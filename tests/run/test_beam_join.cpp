#include <catch2/catch.hpp>
#include <fstream>

#include "daq/core/error.hpp"
#include "daq/core/event.hpp"
#include "daq/run/beam_join.hpp"
#include "tests/temporary_folder.hpp"

using namespace alleycat;

namespace {

constexpr std::int64_t kSecond_ps = 1'000'000'000'000;

constexpr std::uint16_t kCycleMissing = 0x3FF;

BeamFrame frame(std::uint64_t tick, float charge_pc, std::uint16_t cycle = kCycleMissing, std::uint8_t flavor = 1) {
    BeamFrame f;
    f.tick = tick;
    f.charge_pc = charge_pc;
    f.power_w = charge_pc * 2;
    f.cycle = cycle;
    f.flavor = flavor;
    return f;
}

struct Bench {
    explicit Bench(const BeamConfig& config, std::optional<PowerLog> log = std::nullopt)
        : join{config, std::move(log), registry} {}
    std::vector<BeamResolution> all() {
        std::vector<BeamResolution> answers;
        for (BeamResolution r; join.next(r);) answers.push_back(r);
        return answers;
    }
    CounterRegistry registry;
    BeamJoin join;
};

BeamConfig by_frames(std::int64_t charge_index) {
    BeamConfig config;
    config.source = BeamConfig::Source::frames;
    config.charge_index = charge_index;
    return config;
}

/// A power log in a folder of its own.
struct LogFile {
    explicit LogFile(const std::string& text) : path{folder / "power.txt"} { std::ofstream{path} << text; }
    alleycat::testing::TemporaryFolder folder;
    std::filesystem::path path;
};

UtcTime at(double epoch_s) { return UtcTime{std::chrono::nanoseconds{static_cast<std::int64_t>(epoch_s * 1e9)}}; }

}  // namespace

TEST_CASE("a constant beam answers at once", "[run][beam]") {
    BeamConfig config;
    config.source = BeamConfig::Source::constant;
    config.constant_state = BeamState::off;
    config.constant_power_w = 3;
    Bench bench{config};
    bench.join.add(4, 100, 0, 0);
    CHECK(bench.all() == std::vector<BeamResolution>{{4, 3, BeamState::off}});
}

TEST_CASE("with charge index 0 a frame tells the charge of its own pulse", "[run][beam]") {
    Bench bench{by_frames(0)};
    bench.join.add(0, 100, 0, 0);
    bench.join.add(1, 101, kSecond_ps / 60, 0);
    CHECK(bench.all().empty());
    bench.join.add(frame(101, 0));
    CHECK(bench.all().empty());  // in sequence order: the first still waits
    CHECK(bench.join.pending() == 2);
    bench.join.add(frame(100, 5));
    CHECK(bench.all() == std::vector<BeamResolution>{{0, 10, BeamState::on}, {1, 0, BeamState::off}});
}

TEST_CASE("with charge index -1 a pulse's charge comes with the next frame", "[run][beam]") {
    Bench bench{by_frames(-1)};
    bench.join.add(0, 100, 0, 0);
    bench.join.add(1, 101, kSecond_ps / 60, 0);
    bench.join.add(frame(100, 0));  // says: pulse 99 had no charge
    CHECK(bench.all().empty());
    bench.join.add(frame(101, 5));  // says: pulse 100 had 5 pC
    CHECK(bench.all() == std::vector<BeamResolution>{{0, 10, BeamState::on}});
    bench.join.finish();
    CHECK(bench.all() == std::vector<BeamResolution>{{1, -1, BeamState::unknown}});
    CHECK(bench.registry.get("beam.missing_frames").value() == 1);
}

TEST_CASE("cycle 0 without flavor is the tick left out on purpose", "[run][beam]") {
    Bench bench{by_frames(0)};
    for (std::uint64_t i = 0; i < 3; ++i) bench.join.add(i, i, 0, 0);
    bench.join.add(frame(0, 0, 0, 0));
    bench.join.add(frame(1, 5, 0, 1));  // cycle 0 with a flavor: a pulse like others
    bench.join.add(frame(2, 0, 1, 0));  // no flavor in another cycle: off
    const auto answers = bench.all();
    REQUIRE(answers.size() == 3);
    CHECK(answers[0].state == BeamState::no_beam_cycle);
    CHECK(answers[1].state == BeamState::on);
    CHECK(answers[2].state == BeamState::off);
}

TEST_CASE("a tick without its frame is unknown once the data are max_delay on", "[run][beam]") {
    Bench bench{by_frames(0)};
    bench.join.add(0, 0, 0, 0);
    bench.join.add(1, 600, 10 * kSecond_ps, 0);  // exactly 10 s: not yet
    CHECK(bench.all().empty());
    CHECK(bench.join.lag_s() == Approx(10));
    bench.join.add(2, 601, 10 * kSecond_ps + 1, 0);
    CHECK(bench.all() == std::vector<BeamResolution>{{0, -1, BeamState::unknown}});
    CHECK(bench.registry.get("beam.missing_frames").value() == 1);
}

TEST_CASE("a frame that comes twice is counted and the first one holds", "[run][beam]") {
    Bench bench{by_frames(0)};
    bench.join.add(0, 0, 0, 0);
    bench.join.add(frame(0, 5));
    bench.join.add(frame(0, 0));
    CHECK(bench.all().at(0).state == BeamState::on);
    CHECK(bench.registry.get("beam.duplicate_frames").value() == 1);
}

TEST_CASE("what a pulse's frame says is the state of the table in the README", "[run][beam]") {
    struct Row {
        std::uint8_t flavor;
        std::uint16_t cycle;
        float charge_pc;  // -1: not reported
        float power_w;    // -1: not reported
        BeamState state;
    };
    using enum BeamState;
    const Row row = GENERATE(values<Row>({
        {1, 7, 5, 1000, on},
        {2, 7, 5, -1, on},  // the charge decides, not the power
        {1, 7, 0, 1000, off},
        {1, 7, -1, 1000, on},  // no charge: the power decides
        {1, 7, -1, 10, off},   // 10 W is not above 10 W
        {1, 7, -1, -1, unknown},
        {1, kCycleMissing, 5, 1000, on},
        {0, 0, 0, 1000, no_beam_cycle},
        {0, 0, -1, 1000, no_beam_cycle},
        {1, 0, 5, 1000, on},  // cycle 0 with a flavor: a pulse like others
        {0, 7, 0, 1000, off},
        {0, 7, -1, 1000, off},
        {0, kCycleMissing, 0, 1000, unknown},  // no flavor and no cycle: an empty frame, not an empty pulse
        {0, 0, 5, 1000, unknown},  // no beam, says the flavor; there was charge: one of them is not of this pulse
        {0, 7, 5, 1000, unknown},
        {4, 7, 5, 1000, unknown},  // beam, but not to the target
        {4, 7, 0, 1000, off},
        {200, 7, 5, 1000, unknown},  // no such flavor
    }));
    Bench bench{by_frames(0)};
    bench.join.add(0, 9, 0, 0);
    BeamFrame f = frame(9, row.charge_pc, row.cycle, row.flavor);
    f.power_w = row.power_w;
    bench.join.add(f);
    INFO("flavor " << int{row.flavor} << " cycle " << row.cycle << " charge " << row.charge_pc << " power "
                   << row.power_w);
    CHECK(bench.all() == std::vector<BeamResolution>{{0, row.power_w, row.state}});
}

TEST_CASE("a vetoed pulse is unknown, by the bits that count and the frame that tells of it", "[run][beam]") {
    BeamConfig config = by_frames(0);
    config.veto_index = -1;
    config.veto_mask = 0x0F0;
    Bench bench{config};
    for (std::uint64_t i = 0; i < 3; ++i) {
        bench.join.add(i, 100 + i, 0, 0);
        BeamFrame f = frame(100 + i, 5);
        f.veto = i == 1 ? 0x010 : 0xF0F;  // bits outside the mask do not count
        bench.join.add(f);
    }
    bench.join.add(frame(103, 5));
    CHECK(bench.all() ==
          std::vector<BeamResolution>{{0, 10, BeamState::unknown}, {1, 10, BeamState::on}, {2, 10, BeamState::on}});
    CHECK(bench.registry.get("beam.vetoed_pulses").value() == 1);
}

TEST_CASE("charge, veto and flavor may each have an index of their own", "[run][beam]") {
    // As at the SNS: the charge in the next frame, the flavor in its own. Cycle 0 carries no beam.
    Bench bench{by_frames(-1)};
    for (std::uint64_t i = 0; i < 3; ++i) bench.join.add(i, 598 + i, 0, 0);
    bench.join.add(frame(598, 5, 598));
    bench.join.add(frame(599, 5, 599));
    bench.join.add(frame(600, 5, 0, 0));  // its own flavor: none; the charge of 599
    bench.join.add(frame(601, 0, 1, 1));  // the charge of 600
    const auto answers = bench.all();
    REQUIRE(answers.size() == 3);
    CHECK(answers[0].state == BeamState::on);
    CHECK(answers[1].state == BeamState::on);
    CHECK(answers[2].state == BeamState::no_beam_cycle);

    // With the charge taken from the wrong frame, cycle 0 has a charge that cannot be: not ON, not OFF.
    Bench wrong{by_frames(0)};
    wrong.join.add(0, 600, 0, 0);
    wrong.join.add(frame(600, 5, 0, 0));
    CHECK(wrong.all().at(0).state == BeamState::unknown);
    CHECK(wrong.registry.get("beam.contradictory_frames").value() == 1);
}

TEST_CASE("a station whose frames tell no flavor goes by charge and cycle", "[run][beam]") {
    BeamConfig config = by_frames(0);
    config.on_flavors = 0;
    Bench bench{config};
    for (std::uint64_t i = 0; i < 4; ++i) bench.join.add(i, i, 0, 0);
    bench.join.add(frame(0, 5, kCycleMissing, 0));
    bench.join.add(frame(1, 0, kCycleMissing, 0));
    bench.join.add(frame(2, 0, 0, 0));
    bench.join.add(frame(3, 5, 1, 0));
    const auto answers = bench.all();
    REQUIRE(answers.size() == 4);
    CHECK(answers[0].state == BeamState::on);
    CHECK(answers[1].state == BeamState::off);
    CHECK(answers[2].state == BeamState::no_beam_cycle);
    CHECK(answers[3].state == BeamState::on);
}

TEST_CASE("a tick that cannot be trusted is neither ON nor OFF, whoever is asked", "[run][beam]") {
    BeamConfig config;
    config.source = GENERATE(BeamConfig::Source::constant, BeamConfig::Source::frames, BeamConfig::Source::recorded);
    config.constant_power_w = 10;
    Bench bench{config};
    const std::uint32_t flag = GENERATE(trigger_flag::no_tick, trigger_flag::duplicate_tick,
                                        trigger_flag::tick_backwards, trigger_flag::tick_out_of_phase);
    bench.join.add(0, 100, 0, 0);
    bench.join.add(1, 101, 1, 0, flag);
    bench.join.add(2, 102, kSecond_ps / 60, 0, trigger_flag::after_missing_tick);  // that one is good
    for (std::uint64_t i = 0; i < 3; ++i) {
        bench.join.add(frame(100 + i, 5));
        bench.join.add(BeamResolution{i, 10, BeamState::on});
    }
    CHECK(bench.all() ==
          std::vector<BeamResolution>{{0, 10, BeamState::on}, {1, -1, BeamState::unknown}, {2, 10, BeamState::on}});
}

TEST_CASE("a strobe between ticks has the state of the tick before it, and no frame is waited for", "[run][beam]") {
    Bench bench{by_frames(-1)};
    bench.join.add(0, 100, 0, 0);
    bench.join.add(1, 101, kSecond_ps / 120, 0, 0, TriggerClass::strobe);
    bench.join.add(2, 102, kSecond_ps / 60, 0);
    bench.join.add(3, 103, kSecond_ps / 40, 0, 0, TriggerClass::strobe);
    bench.join.add(frame(100, 0));
    CHECK(bench.all().empty());
    bench.join.add(frame(102, 5));  // the next pulse after 100 is 102: this is the charge of 100
    CHECK(bench.all() == std::vector<BeamResolution>{{0, 10, BeamState::on}, {1, 10, BeamState::on}});
    bench.join.add(frame(104, 0));
    CHECK(bench.all() == std::vector<BeamResolution>{{2, 0, BeamState::off}, {3, 0, BeamState::off}});
}

TEST_CASE("a second tick of the same pulse does not shift the charges", "[run][beam]") {
    Bench bench{by_frames(-1)};
    bench.join.add(0, 100, 0, 0);
    bench.join.add(frame(100, 1, 10));
    bench.join.add(1, 101, 1'000'000, 0, trigger_flag::duplicate_tick);
    bench.join.add(2, 102, kSecond_ps / 60, 0);
    bench.join.add(frame(102, 5, 11));
    bench.join.add(3, 103, kSecond_ps / 30, 0);
    bench.join.add(frame(103, 0, 12));
    CHECK(bench.all() ==
          std::vector<BeamResolution>{{0, 10, BeamState::on}, {1, -1, BeamState::unknown}, {2, 0, BeamState::off}});
}

TEST_CASE("a late frame of a tick out of phase is waited for, not stepped over", "[run][beam]") {
    Bench bench{by_frames(-1)};
    bench.join.add(0, 100, 0, 0);
    bench.join.add(frame(100, 1, 10));
    bench.join.add(1, 101, kSecond_ps / 80, 0, trigger_flag::tick_out_of_phase);  // a pulse like others, a wrong stamp
    bench.join.add(2, 102, kSecond_ps / 30, 0);
    bench.join.add(frame(102, 7, 12));
    CHECK(bench.all().empty());  // cycle 12 does not follow 10: this is not the charge of 100
    bench.join.add(frame(101, 5, 11));
    CHECK(bench.all() == std::vector<BeamResolution>{{0, 10, BeamState::on}, {1, -1, BeamState::unknown}});
    bench.join.finish();
    CHECK(bench.all() == std::vector<BeamResolution>{{2, -1, BeamState::unknown}});
}

TEST_CASE("a frame that comes after the answer is late: the answer stands, others still have it", "[run][beam]") {
    Bench bench{by_frames(-1)};
    bench.join.add(0, 100, 0, 0);
    bench.join.add(frame(100, 0, 10));
    bench.join.add(1, 101, kSecond_ps / 60, 0);
    bench.join.add(2, 703, 10 * kSecond_ps + kSecond_ps / 120, 0);
    CHECK(bench.all() == std::vector<BeamResolution>{{0, -1, BeamState::unknown}});
    CHECK(bench.registry.get("beam.missing_frames").value() == 1);
    bench.join.add(frame(101, 5, 11));
    CHECK(bench.registry.get("beam.late_frames").value() == 1);
    bench.join.add(frame(102, 5, 12));
    CHECK(bench.all() == std::vector<BeamResolution>{{1, 10, BeamState::on}});
    CHECK(bench.registry.get("beam.late_frames").value() == 1);
}

TEST_CASE("frames may come in any order and with numbers that make no sense", "[run][beam]") {
    Bench bench{by_frames(-1)};
    for (std::uint64_t i = 0; i < 6; ++i)
        bench.join.add(i, 1'000 + i, static_cast<std::int64_t>(i) * kSecond_ps / 60, 0);
    bench.join.add(frame(std::uint64_t{1} << 63, 5));
    bench.join.add(frame(50'000, 5));  // 13 minutes ahead of the triggers
    bench.join.add(frame(1'000 - 40'000ull, 5));
    for (const std::uint64_t tick : {1'006u, 1'003u, 1'001u, 1'005u, 1'000u, 1'004u, 1'002u}) {
        bench.join.add(frame(tick, static_cast<float>(tick % 2), static_cast<std::uint16_t>(tick % 600)));
    }
    const auto answers = bench.all();
    REQUIRE(answers.size() == 6);
    for (std::uint64_t i = 0; i < 6; ++i) {
        CHECK(answers[i].state == (i % 2 == 0 ? BeamState::on : BeamState::off));  // of the frame after
    }
    CHECK(bench.registry.get("beam.misplaced_frames").value() == 2);
    CHECK(bench.registry.get("beam.late_frames").value() == 1);
}

TEST_CASE("one wrong stamp makes no other tick overdue", "[run][beam]") {
    Bench bench{by_frames(0)};
    bench.join.add(0, 0, 0, 0);
    bench.join.add(1, 1, 3'600 * kSecond_ps, 0, trigger_flag::tick_out_of_phase);
    CHECK(bench.all().empty());
    CHECK(bench.join.lag_s() == 0);
    bench.join.add(frame(0, 5));
    CHECK(bench.all().size() == 2);
}

TEST_CASE("a tick that comes only with beam needs no frame to be ON", "[run][beam]") {
    BeamConfig config;
    config.ticks_mean_beam = true;
    Bench alone{config};
    alone.join.add(0, 0, 0, 0);
    CHECK(alone.all() == std::vector<BeamResolution>{{0, -1, BeamState::on}});

    config.source = BeamConfig::Source::frames;
    Bench with_frames{config};
    with_frames.join.add(0, 0, 0, 0);
    CHECK(with_frames.all().empty());  // the frame knows the power
    with_frames.join.finish();
    CHECK(with_frames.all() == std::vector<BeamResolution>{{0, -1, BeamState::on}});
}

TEST_CASE("recorded states are matched by sequence, holes and leftovers included", "[run][beam]") {
    BeamConfig config;
    config.source = BeamConfig::Source::recorded;
    Bench bench{config};
    for (const std::uint64_t sequence : {3u, 5u, 6u, 9u}) bench.join.add(sequence, 0, 0, 0);
    bench.join.add(BeamResolution{2, 1, BeamState::on});
    bench.join.add(BeamResolution{3, 2, BeamState::off});
    CHECK(bench.all() == std::vector<BeamResolution>{{3, 2, BeamState::off}});
    bench.join.add(BeamResolution{6, 4, BeamState::no_beam_cycle});
    CHECK(bench.all() == std::vector<BeamResolution>{{5, -1, BeamState::unknown}, {6, 4, BeamState::no_beam_cycle}});
    bench.join.finish();
    CHECK(bench.all() == std::vector<BeamResolution>{{9, -1, BeamState::unknown}});
}

TEST_CASE("months of frames and triggers keep their memory", "[run][beam]") {
    Bench bench{by_frames(0)};
    std::uint64_t answered = 0;
    for (std::uint64_t i = 0; i < 300'000; ++i) {  // beyond the frames that are kept
        bench.join.add(i, i, static_cast<std::int64_t>(i) * kSecond_ps / 60, 0);
        bench.join.add(frame(i, static_cast<float>(i % 2)));
        for (BeamResolution r; bench.join.next(r);)
            answered += r.sequence == i && r.state == (i % 2 == 1 ? BeamState::on : BeamState::off) ? 1 : 0;
    }
    CHECK(answered == 300'000);
    CHECK(bench.join.pending() == 0);
}

TEST_CASE("the power log follows the rules of the published analysis", "[run][beam]") {
    const LogFile file{
        "# epoch power\n"
        "100 1000\n101 10\n102 10.5   # on\n103 -0.1\n104 -1\n105 0\n"
        "108 0\n"               // 106, 107 between zeros
        "109 1000\n115 2000\n"  // 110 to 114: five seconds between positives
        "122 3000\n"            // 116 to 121: six
        "124 -1\n126 500\n"};   // 125 beside an unknown second
    BeamConfig config;
    config.source = BeamConfig::Source::power_log;
    Bench bench{config, PowerLog::load(file.path)};
    const std::vector<std::tuple<double, float, BeamState>> expected{
        {98.5, -1, BeamState::unknown},  // before the log
        {99.25, 1000, BeamState::on},    // rounded up: stamp 100 covers (99, 100]
        {100, 1000, BeamState::on},      // the boundary belongs to the second before
        {100.25, 10, BeamState::off},    // 10 W is not above 10 W
        {102, 10.5f, BeamState::on},      {103, -0.1f, BeamState::off},
        {104, -1, BeamState::unknown},    {106.5, 0, BeamState::off},
        {112, 1500, BeamState::on},       {118, -1, BeamState::unknown},
        {125, -1, BeamState::unknown},    {126, 500, BeamState::on},
        {126.25, -1, BeamState::unknown},  // after the log
    };
    for (const auto& [time_s, power_w, state] : expected)
        bench.join.add(0, 0, 0, at(time_s).time_since_epoch().count());
    const auto answers = bench.all();
    REQUIRE(answers.size() == expected.size());
    for (std::size_t i = 0; i < expected.size(); ++i) {
        const auto& [time_s, power_w, state] = expected[i];
        INFO("at " << time_s);
        CHECK(answers[i].power_w == power_w);
        CHECK(answers[i].state == state);
    }
}

TEST_CASE("what is wrong in a power log is told with file and line", "[run][beam]") {
    const auto [text, what] = GENERATE(table<std::string, std::string>({
        {"1 5\nx 5\n", "power.txt:2: must be"},
        {"1\n", "power.txt:1: must be"},
        {"1.5 5\n", "power.txt:1: must be"},
        {"1 5 6\n", "power.txt:1: must be"},
        {"1 nan\n", "power.txt:1: must be"},
        {"\n1 5\n1 6\n", "power.txt:3: second 1 stands twice"},
        {"# nothing\n", "power.txt: the beam power log is empty"},
    }));
    const LogFile file{text};
    REQUIRE_THROWS_WITH(PowerLog::load(file.path), Catch::Contains(what));
    CHECK_THROWS_WITH(PowerLog::load(file.folder.path()), Catch::Contains("is a folder"));
    CHECK_THROWS_WITH(PowerLog::load(file.folder / "absent"), Catch::Contains("cannot read"));
}
