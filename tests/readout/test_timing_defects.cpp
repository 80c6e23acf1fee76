#include <map>

#include "readout/timing_defects.hpp"
#include "test_simulator_tools.hpp"

using namespace simulator_test;

namespace {

struct Stream {
    std::vector<RecordHeader> records;
    std::vector<BeamFrame> frames;
    std::vector<std::size_t> frames_with;  // frames there when record i came
};

Stream stream_of(const SimulatorConfig& config, std::uint64_t triggers) {
    Simulator simulator{config, csi_board(), 0, triggers};
    Stream stream;
    RecordHeader header;
    while (simulator.next(header, {}) == RecordSource::Next::record) {
        stream.records.push_back(header);
        simulator.take_beam_frames(stream.frames);
        stream.frames_with.push_back(stream.frames.size());
    }
    simulator.take_beam_frames(stream.frames);
    return stream;
}

constexpr double kPeriod_ps = 16'666'200'000;

}  // namespace

TEST_CASE("defects come as often as asked for, and the same whenever asked", "[readout][simulator]") {
    const TimingDefects defects{{.duplicate_tick_share = 0.05,
                                 .backwards_tick_share = 0.04,
                                 .out_of_phase_tick_share = 0.03,
                                 .phase_jump_share = 0.02,
                                 .lost_frame_share = 0.1,
                                 .duplicate_frame_share = 0.2,
                                 .late_frame_share = 0.3},
                                7,
                                16'666'200};
    std::map<TickDefect, int> ticks;
    std::map<FrameDefect, int> frames;
    constexpr int n = 100'000;
    for (int tick = 10; tick < 10 + n; ++tick) {
        const TimingDefects::OfTick of_tick = defects.of_tick(tick);
        REQUIRE(defects.of_tick(tick).off_ps == of_tick.off_ps);
        ++ticks[of_tick.defect];
        ++frames[defects.of_frame(tick)];
        const double off = static_cast<double>(of_tick.off_ps) / kPeriod_ps;
        switch (of_tick.defect) {
            case TickDefect::none: REQUIRE(off == 0); break;
            case TickDefect::duplicate: REQUIRE((off >= 0 && off < 0.0061)); break;
            case TickDefect::backwards: REQUIRE((off <= -1.2 && off >= -5)); break;
            case TickDefect::out_of_phase:
            case TickDefect::phase_jump: REQUIRE((std::abs(off) >= 0.05 && std::abs(off) <= 0.45)); break;
        }
    }
    CHECK(agrees(ticks[TickDefect::duplicate], n, 0.05));
    CHECK(agrees(ticks[TickDefect::backwards], n, 0.04));
    CHECK(agrees(ticks[TickDefect::out_of_phase], n, 0.03));
    CHECK(agrees(ticks[TickDefect::phase_jump], n, 0.02));
    CHECK(agrees(frames[FrameDefect::lost], n, 0.1));
    CHECK(agrees(frames[FrameDefect::duplicate], n, 0.2));
    CHECK(agrees(frames[FrameDefect::late], n, 0.3));
    for (int tick = 0; tick < 10; ++tick) CHECK(defects.of_tick(tick).defect == TickDefect::none);
}

TEST_CASE("a duplicate tick is a second record of the same pulse, and the board counts it", "[readout][simulator]") {
    SimulatorConfig config = fast_config();
    config.defects.duplicate_tick_share = 0.1;
    Simulator simulator{config, csi_board(), 0, 300};
    Taken one, before;
    std::int64_t tick = -1;
    std::uint64_t counter = 0;
    int twice = 0;
    while (take(simulator, one)) {
        REQUIRE(one.header.counter == counter++);  // every record, without a gap
        const bool again = tick >= 0 && one.header.time_ps - before.header.time_ps < 200'000'000;
        if (again) {
            ++twice;
            REQUIRE(one.words == before.words);
        } else {
            ++tick;
            // The clock shows 8 ms at tick 0.
            REQUIRE(std::abs(one.header.time_ps - 8'000'000'000 - simulator.plan(tick).time_ps) < 8'000);
        }
        before = one;
    }
    CHECK(twice > 10);
    CHECK(tick + 1 + twice == 300);
    std::vector<BeamFrame> frames;
    simulator.take_beam_frames(frames);
    REQUIRE(static_cast<int>(frames.size()) == tick + 1);  // one per pulse, under the number of its first record
    CHECK(frames.back().tick > static_cast<std::uint64_t>(tick));
}

TEST_CASE("a phase jump stays, a wrong stamp does not, and pulses come when they come", "[readout][simulator]") {
    SimulatorConfig config = fast_config();
    config.defects.out_of_phase_tick_share = 0.05;
    config.defects.backwards_tick_share = 0.05;
    config.defects.phase_jump_share = 0.02;
    const TimingDefects defects{config.defects, config.seed, config.tick_period_ns};
    const Simulator planner{config, csi_board(), 0, 1};
    const Stream stream = stream_of(config, 500);
    std::int64_t phase = 0;
    int jumps = 0, backwards = 0;
    for (std::int64_t tick = 0; tick < 500; ++tick) {
        TimingDefects::OfTick defect = defects.of_tick(tick);
        if (defect.defect == TickDefect::phase_jump) {
            phase += std::exchange(defect.off_ps, 0);
            ++jumps;
        }
        const RecordHeader& record = stream.records.at(static_cast<std::size_t>(tick));
        const std::int64_t expected = 8'000'000'000 + planner.plan(tick).time_ps + phase + defect.off_ps;
        REQUIRE(std::abs(record.time_ps - expected) < 8'001);
        REQUIRE(record.utc_ns == config.start_utc->time_since_epoch().count() + planner.plan(tick).time_ps / 1000);
        const bool flagged = (record.flags & record_flag::clock_backwards) != 0;
        const bool back = tick > 0 && record.clock < stream.records.at(static_cast<std::size_t>(tick) - 1).clock;
        REQUIRE(flagged == back);
        backwards += back;
    }
    CHECK(jumps > 2);
    CHECK(backwards > 10);
}

TEST_CASE("frames are lost, doubled and late as planned", "[readout][simulator]") {
    SimulatorConfig config = fast_config();
    config.defects.lost_frame_share = config.defects.duplicate_frame_share = config.defects.late_frame_share = 0.1;
    config.defects.late_frame_s = 0.5;  // 30 ticks
    const TimingDefects defects{config.defects, config.seed, config.tick_period_ns};
    REQUIRE(defects.late_ticks() == 30);
    const Stream stream = stream_of(config, 600);
    std::map<std::uint64_t, int> times;
    for (const BeamFrame& frame : stream.frames) ++times[frame.tick];
    for (std::uint64_t tick = 0; tick < 600; ++tick) {
        INFO(tick);
        switch (defects.of_frame(static_cast<std::int64_t>(tick))) {
            case FrameDefect::none: CHECK(times[tick] == 1); break;
            case FrameDefect::lost: CHECK(times[tick] == 0); break;
            case FrameDefect::duplicate: CHECK(times[tick] == 2); break;
            case FrameDefect::late:
                CHECK(times[tick] == (tick + 30 < 600 ? 1 : 0));
                break;  // later it is after the end
        }
    }
    for (std::size_t i = 0; i < 560; ++i) {
        if (defects.of_frame(static_cast<std::int64_t>(i)) != FrameDefect::late) continue;
        const auto there_by = [&](std::size_t record) {
            return std::any_of(stream.frames.begin(),
                               stream.frames.begin() + static_cast<std::ptrdiff_t>(stream.frames_with[record]),
                               [&](const BeamFrame& frame) { return frame.tick == i; });
        };
        CHECK_FALSE(there_by(i + 29));
        CHECK(there_by(i + 30));
    }
}

TEST_CASE("the pick-up sees the beam as often as it should, and noise at any time", "[readout][simulator]") {
    SimulatorConfig config = quiet_config();
    config.beam_on_s = 5;
    config.beam_off_s = 5;
    config.instruments.monitor_channel = "veto";
    config.instruments.monitor_efficiency = 0.7;
    config.instruments.monitor_noise_hz = 2'000;
    config.veto_channel = "";
    Simulator simulator{config, csi_board(), 0, 1'200};
    Taken one;
    int with_beam = 0, of_beam = 0, noise = 0;
    while (take(simulator, one)) {
        const TickPlan plan = simulator.plan(static_cast<std::int64_t>(one.header.counter));
        const std::vector<int> counts = decode_veto(one.view());
        const std::vector<int> onsets = find_peaks(counts, median(counts), 15, 3);
        // The protons come 0.69 us after the trigger position, 0.144 us wide: 20 samples of 2 ns are more than that.
        const int pulse = kCStart + 345;
        const auto in_beam =
            std::count_if(onsets.begin(), onsets.end(), [&](int o) { return std::abs(o - pulse) < 400; });
        with_beam += plan.beam.delivered;
        of_beam += plan.beam.delivered && in_beam > 0;
        noise += static_cast<int>(std::ssize(onsets)) - static_cast<int>(in_beam);
        REQUIRE(std::all_of(one.view().truth().begin(), one.view().truth().end(),
                            [](const TruthPulse& truth) { return truth.kind == TruthKind::beam_pulse; }));
    }
    CHECK(agrees(of_beam, with_beam, 0.7 + 0.3 * 0.0032));  // noise within the same 1.6 us
    const double expected = 1'200.0 * 2'000 * (kSamples - 799) * 2e-9;
    CHECK(std::abs(noise - expected) < 4.5 * std::sqrt(expected) + 0.01 * expected);
}

TEST_CASE("the timing signal is a step at the trigger position", "[readout][simulator]") {
    SimulatorConfig config = quiet_config();
    config.instruments.tick_channel = "veto";
    config.veto_channel = "";
    Simulator simulator{config, csi_board(), 0, 20};
    Taken one;
    while (take(simulator, one)) {
        const std::vector<int> counts = decode_veto(one.view());
        CHECK(find_peaks(counts, median(counts), 30, 3) == std::vector<int>{kCStart});  // 60 counts, 100 samples
    }
}
