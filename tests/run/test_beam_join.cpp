#include <catch2/catch.hpp>
#include <fstream>

#include "daq/core/error.hpp"
#include "daq/run/beam_join.hpp"
#include "tests/temporary_folder.hpp"

using namespace alleycat;

namespace {

constexpr std::int64_t kSecond_ps = 1'000'000'000'000;

BeamFrame frame(std::uint64_t tick, float charge_pc, std::uint16_t cycle = 7, std::uint8_t flavor = 1) {
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
