// The simulator as a record source: determinism, clocks, beam frames, codes, configuration.

#include <cstdlib>
#include <set>

#include "test_simulator_tools.hpp"

using namespace simulator_test;

namespace {

std::vector<Taken> take_all(Simulator& simulator) {
    std::vector<Taken> all;
    for (Taken record; take(simulator, record);) all.push_back(record);
    return all;
}

SimulatorConfig parse(const std::string& text, ConfigProblems& problems) {
    const ConfigFile file = ConfigFile::parse(text, "station.toml");
    ConfigSection root{file, problems};
    SimulatorConfig config = parse_simulator(root);
    root.finish();
    return config;
}

}  // namespace

TEST_CASE("one seed gives the same records, another seed others", "[readout][simulator]") {
    SimulatorConfig config = fast_config(7);
    config.rate_boost = 3000;
    Simulator first{config, csi_board(), 0, 20}, again{config, csi_board(), 0, 20};
    config.seed = 8;
    Simulator other{config, csi_board(), 0, 20};
    const std::vector<Taken> a = take_all(first), b = take_all(again), c = take_all(other);
    REQUIRE(a.size() == 20);
    REQUIRE(c.size() == 20);
    for (std::size_t i = 0; i < a.size(); ++i) {
        CHECK(a[i].header == b[i].header);
        CHECK(a[i].words == b[i].words);
        CHECK(a[i].words != c[i].words);
    }
}

TEST_CASE("a tick does not depend on the ticks before it", "[readout][simulator]") {
    SimulatorConfig config = fast_config(7);
    config.rate_boost = 3000;
    config.big_pulse_share = 0.5;
    Simulator whole{config, csi_board(), 0, 12};
    const std::vector<Taken> all = take_all(whole);

    Simulator skipping{config, csi_board(), 0, 12};
    Taken last;
    for (int i = 0; i < 11; ++i) REQUIRE(skipping.next(last.header, {}) == RecordSource::Next::record);
    REQUIRE(take(skipping, last));
    CHECK(last.header == all[11].header);
    CHECK(last.words == all[11].words);
    CHECK(skipping.next(last.header, {}) == RecordSource::Next::end);
}

TEST_CASE("a record carries the truth of its plan, and the padding is zero", "[readout][simulator]") {
    BoardInfo board = csi_board();
    board.samples = 34'999;  // 2 x 34,999 bytes: two bytes of padding
    SimulatorConfig config = fast_config(3);
    config.rate_boost = 1e4;
    Simulator simulator{config, board, 0, 200};
    std::size_t truths = 0;
    for (Taken record; take(simulator, record);) {
        const TickPlan plan = simulator.plan(static_cast<std::int64_t>(record.header.counter));
        const auto truth = record.view().truth();
        REQUIRE(truth.size() == plan.pulses.size());
        for (std::size_t i = 0; i < truth.size(); ++i) REQUIRE(truth[i] == plan.pulses[i].truth);
        truths += truth.size();
        const auto bytes = record.view().payload();
        REQUIRE(bytes[69'998] == std::byte{0});
        REQUIRE(bytes[69'999] == std::byte{0});
    }
    CHECK(truths > 50);
}

TEST_CASE("the board's clock rolls over at 31 bits and its time goes on", "[readout][simulator]") {
    SimulatorConfig config = quiet_config();
    config.clock_start_ticks = 0x7FFF'FFFF - 5 * 2'083'275;  // about five ticks before the roll-over
    Simulator simulator{config, csi_board(), 0, 4000};
    RecordHeader header, last;
    int rolled = 0;
    while (simulator.next(header, {}) == RecordSource::Next::record) {
        REQUIRE(header.clock < 0x8000'0000);
        if (header.counter > 0) {
            const std::int64_t step_ns = (header.time_ps - last.time_ps) / 1000;
            REQUIRE(step_ns >= 16'666'100 - 8);  // what the mains allow, at a clock of 8 ns
            REQUIRE(step_ns <= 16'666'300 + 8);
            REQUIRE(header.counter == last.counter + 1);
            rolled += header.clock < last.clock;
        } else {
            CHECK(header.time_ps == static_cast<std::int64_t>(header.clock) * 8'000);
            CHECK(header.utc_ns == from_iso8601("2015-10-02T16:00:00Z").time_since_epoch().count());
        }
        last = header;
    }
    CHECK(last.counter == 3999);
    CHECK(rolled == 4);  // 4,000 ticks are 66.7 s, a roll-over takes 17.18 s
}

TEST_CASE("the time between ticks covers what the mains do", "[readout][simulator]") {
    const Simulator simulator{fast_config(), csi_board(), 0, 1};
    std::int64_t shortest = 1'000'000'000'000, longest = 0, before = simulator.plan(0).time_ps;
    for (std::int64_t tick = 1; tick <= 8000; ++tick) {
        const std::int64_t now = simulator.plan(tick).time_ps;
        shortest = std::min(shortest, now - before);
        longest = std::max(longest, now - before);
        before = now;
    }
    CHECK(shortest >= 16'666'099'999);
    CHECK(shortest < 16'666'101'000);
    CHECK(longest <= 16'666'300'001);
    CHECK(longest > 16'666'299'000);
}

TEST_CASE("cycle 0 of every 600 is a tick without beam", "[readout][simulator]") {
    SimulatorConfig config = fast_config();
    config.beam_off_s = 0;
    Simulator simulator{config, csi_board(), 0, 1300};
    RecordHeader header;
    while (simulator.next(header, {}) == RecordSource::Next::record) {
    }
    std::vector<BeamFrame> frames;
    simulator.take_beam_frames(frames);
    REQUIRE(frames.size() == 1300);
    for (std::size_t k = 0; k < frames.size(); ++k) {
        REQUIRE(frames[k].tick == k);
        REQUIRE(frames[k].cycle == k % 600);
        REQUIRE(frames[k].power_w == Approx(1.01e6).epsilon(0.06));
        if (k % 600 == 0) {
            REQUIRE(frames[k].flavor == 0);
            REQUIRE(frames[k].charge_pc == 0);
            REQUIRE(simulator.plan(static_cast<std::int64_t>(k)).beam.state() == BeamState::no_beam_cycle);
        } else {
            REQUIRE((frames[k].flavor == 1 || frames[k].flavor == 2));
            // 1.01 MW at 60 pulses/s of 0.957 GeV protons: 17.6 uC
            REQUIRE(frames[k].charge_pc == Approx(1.76e7).epsilon(0.12));
        }
    }
    frames.clear();
    simulator.take_beam_frames(frames);
    CHECK(frames.empty());
}

TEST_CASE("with a frame index of -1 a frame holds the charge of the pulse before", "[readout][simulator]") {
    SimulatorConfig config = fast_config();
    config.beam_on_s = 1;
    config.beam_off_s = 1;
    config.frame_index_shift = -1;
    config.flavor_index_shift = 0;
    Simulator simulator{config, csi_board(), 0, 700};
    RecordHeader header;
    while (simulator.next(header, {}) == RecordSource::Next::record) {
    }
    std::vector<BeamFrame> frames;
    simulator.take_beam_frames(frames);
    REQUIRE(frames.size() == 701);  // the frame of tick 700 tells about the last pulse
    int off = 0;
    for (std::size_t k = 1; k < frames.size(); ++k) {
        const BeamTruth pulse = simulator.plan(static_cast<std::int64_t>(k) - 1).beam;
        REQUIRE(frames[k].charge_pc == static_cast<float>(pulse.charge_pc));
        REQUIRE((frames[k].flavor == 0) == (k % 600 == 0));
        REQUIRE(frames[k].cycle == k % 600);
        REQUIRE((frames[k].charge_pc > 0) == pulse.delivered);
        off += !pulse.delivered;
    }
    CHECK(off > 200);
    CHECK(off < 500);
}

TEST_CASE("beam trips and unreported power come as configured", "[readout][simulator]") {
    SimulatorConfig config = fast_config();
    config.beam_on_s = 20;
    config.beam_off_s = 10;
    config.beam_unknown_every_s = 50;
    config.beam_unknown_s = 5;
    Simulator simulator{config, csi_board(), 0, 6000};
    RecordHeader header;
    std::vector<BeamFrame> frames;
    while (simulator.next(header, {}) == RecordSource::Next::record) simulator.take_beam_frames(frames);
    REQUIRE(frames.size() == 6000);
    for (const BeamFrame& frame : frames) {
        const double t = static_cast<double>(frame.tick) * 16.6662e-3;  // the swing moves this by less than 0.2 ms
        const double in_trip = std::fmod(t, 30), in_unknown = std::fmod(t, 50);
        const auto near = [](double x, double edge) { return std::abs(x - edge) < 0.02; };
        if (near(in_trip, 0) || near(in_trip, 20) || near(in_trip, 30) || near(in_unknown, 0) || near(in_unknown, 45) ||
            near(in_unknown, 50)) {
            continue;
        }
        if (in_unknown > 45) {
            REQUIRE(frame.power_w == -1);
            REQUIRE(frame.charge_pc == -1);
        } else if (in_trip > 20) {
            REQUIRE(frame.power_w == 0);
            REQUIRE(frame.charge_pc == 0);
        } else {
            REQUIRE(frame.power_w > 0.9e6);
        }
    }
}

TEST_CASE("only codes that a PCI-5153 delivers occur", "[readout][simulator]") {
    SimulatorConfig config = fast_config(11);
    config.big_pulse_share = 0.5;  // codes from the baseline down to the end of the range
    config.veto_share = 0.5;
    config.veto_mean_adc = 150;
    config.linear_gate_share = 0.1;
    Simulator simulator{config, csi_board(), 0, 300};
    std::set<int> signal, veto;
    for (Taken record; take(simulator, record);) {
        for (const std::int8_t code : record.view().channel<std::int8_t>(0)) signal.insert(code);
        for (const std::int8_t code : record.view().channel<std::int8_t>(1)) veto.insert(code);
    }
    // By hand from the two formulas: of the codes 5 and 6 (16 and 17, ...) the signal channel never gives the second,
    // of 4 and 5 (15 and 16, ...) the veto channel not.
    for (int hole = 6; hole < 127; hole += 11) {
        CHECK(signal.count(hole) == 0);
        CHECK(signal.count(-hole) == 0);
    }
    for (int hole = 5; hole <= 126; hole += 11) {
        CHECK(veto.count(hole) == 0);
        CHECK(veto.count(-hole) == 0);
    }
    CHECK(*signal.begin() == -128);
    // From -128 to about +112 there are 241 codes less 22 holes; nearly all are seen.
    CHECK(signal.size() > 200);
    CHECK(veto.size() > 60);
}

TEST_CASE("ticks whose record never arrives are counted by the board", "[readout][simulator]") {
    SimulatorConfig config = quiet_config();
    config.missed_tick_share = 0.1;
    Simulator simulator{config, csi_board(), 0, 3000};
    RecordHeader header;
    std::int64_t expected = 0;
    while (simulator.next(header, {}) == RecordSource::Next::record) {
        while (simulator.plan(expected).missed) ++expected;
        REQUIRE(header.counter == static_cast<std::uint64_t>(expected));
        ++expected;
    }
    CHECK(agrees(static_cast<double>(expected) - 3000, static_cast<double>(expected), 0.1));
    std::vector<BeamFrame> frames;
    simulator.take_beam_frames(frames);
    CHECK(static_cast<std::int64_t>(frames.size()) == expected);  // the beam frame comes all the same
    CHECK(simulator.fraction_done() == 1.0);
}

TEST_CASE("a board of 14 bits with positive pulses is simulated with the same code", "[readout][simulator]") {
    BoardInfo board;
    board.name = "v1730";
    board.sample_type = SampleType::uint16;
    board.sample_period_ps = 4'000;
    board.samples = 10'001;
    board.clock_period_ps = 8'000;
    board.channels = {{"pmt0", false, "plain"}, {"pmt1", false, "plain"}, {"monitor", true, "plain"}};
    SimulatorConfig config = quiet_config(5);
    config.signal_channels = {"pmt0", "pmt1"};
    config.veto_channel = "";
    config.adc_bits = 14;
    config.baseline_adc = 1'500;
    config.veto_baseline_adc = 8'000;
    config.noise_sigma_adc = 3;
    config.trigger_position_ns = 20'000;
    config.background_rate_hz = 20'000;
    config.background_min_pe = config.background_max_pe = 40;
    config.rate_boost = 1;
    config.cevns_strength = config.neutron_strength = 0;
    config.spe_charge_adc = 300;
    Simulator simulator{config, board, 0, 400};

    double charge = 0, photoelectrons = 0, share = 0, square = 0;
    std::size_t quiet = 0;
    for (Taken record; take(simulator, record);) {
        REQUIRE(record.header.channels == 3);
        REQUIRE(record.header.channel_mask == 7);
        REQUIRE(record.header.sample_type == SampleType::uint16);
        // onset in the first 10 us: 30 us are left for the slow light of 5.6 us
        bool early = true;
        for (const TruthPulse& truth : record.view().truth()) {
            early = early && truth.onset_ns > 0 && truth.onset_ns < 10'000;
        }
        double sums[2] = {0, 0};
        for (std::size_t c = 0; c < 2; ++c) {
            for (const std::uint16_t code : record.view().channel<std::uint16_t>(c)) {
                REQUIRE(code <= 16'383);
                sums[c] += code - 1'500.0;
            }
        }
        if (early && record.header.truth_count == 1) {
            charge += sums[0] + sums[1];
            share += sums[0];
            photoelectrons += 40;
        }
        for (const std::uint16_t code : record.view().channel<std::uint16_t>(2)) {
            square += (code - 8'000.0) * (code - 8'000.0);
            ++quiet;
        }
    }
    REQUIRE(photoelectrons > 400);
    // 3.3e-3 of the light comes after 30 us; sigma of the sum: 0.38 x 300 x sqrt(n) and noise 3 x sqrt(2 x 10,001 x
    // n/40)
    const double sigma = std::sqrt(0.143 * 9e4 * photoelectrons + 9.1 * 20'002 * photoelectrons / 40);
    CHECK(charge == Approx(300 * photoelectrons).margin(4 * sigma + 0.005 * 300 * photoelectrons));
    CHECK(share / charge == Approx(0.5).margin(0.08));
    CHECK(std::sqrt(square / static_cast<double>(quiet)) == Approx(std::sqrt(9 + 1.0 / 12)).epsilon(0.005));
}

TEST_CASE("what does not fit together is refused in a sentence", "[readout][simulator]") {
    BoardInfo board = csi_board();
    board.samples = 0;
    CHECK_THROWS_WITH((Simulator{fast_config(), board, 0, 1}),
                      Catch::Contains("pci5153") && Catch::Contains("samples"));
    board = csi_board();
    board.sample_type = SampleType::int16;
    CHECK_THROWS_WITH((Simulator{fast_config(), board, 0, 1}), Catch::Contains("csi") && Catch::Contains("int8"));
    board = csi_board();
    board.channels = {{"other", true, "plain"}};
    CHECK_THROWS_WITH((Simulator{fast_config(), board, 0, 1}), Catch::Contains("signal_channels"));
    board = csi_board();
    board.samples = 20'000;  // 40 us: ends before the trigger
    CHECK_THROWS_WITH((Simulator{fast_config(), board, 0, 1}), Catch::Contains("trigger_position_ns"));
    SimulatorConfig config = fast_config();
    config.rate_boost = 1e7;
    CHECK_THROWS_WITH((Simulator{config, csi_board(), 0, 1}), Catch::Contains("rate_boost"));
}

TEST_CASE("every mistake in the simulator's table is reported at its place", "[readout][config]") {
    ConfigProblems problems;
    const SimulatorConfig config = parse(
        "[simulator]\n"
        "seed = -1\n"
        "pacing = \"slow\"\n"
        "noise_sigma_adc = \"loud\"\n"
        "rate_bost = 3\n"
        "start_utc = \"yesterday\"\n"
        "beam_on_s = 0\n"
        "beam_off_s = 0\n"
        "frame_index_shift = 1\n"
        "background_min_pe = 20\n"
        "background_max_pe = 10\n",
        problems);
    const std::vector<std::string> lines = problems.lines();
    REQUIRE(lines.size() == 8);
    CHECK(lines[0] == "station.toml:2:8: simulator.seed: -1 is outside [0, 9223372036854775807]");
    CHECK(lines[1] == "station.toml:3:10: simulator.pacing: 'slow' is not one of realtime, fast");
    CHECK(lines[2] == "station.toml:4:19: simulator.noise_sigma_adc: must be a number, not a text");
    CHECK(lines[3] == "station.toml:5:1: simulator.rate_bost: unknown key");
    CHECK(lines[4].find("station.toml:6:13: simulator.start_utc: 'yesterday'") == 0);
    CHECK(lines[5].find("station.toml:7:13: simulator.beam_on_s") == 0);
    CHECK(lines[6] == "station.toml:9:21: simulator.frame_index_shift: 1 is outside [-10, 0]");
    CHECK(lines[7].find("station.toml:11:21: simulator.background_max_pe") == 0);
    CHECK(config.noise_sigma_adc == SimulatorConfig{}.noise_sigma_adc);
}

TEST_CASE("the documented table parses and states the defaults", "[readout][config]") {
    const ConfigFile file = ConfigFile::load(ALLEYCAT_SOURCE_DIR "/tests/readout/simulator_section.toml");
    ConfigProblems problems, none;
    ConfigSection root{file, problems};
    const SimulatorConfig documented = parse_simulator(root);
    root.finish();
    CHECK(problems.lines() == std::vector<std::string>{});
    const SimulatorConfig defaults = parse("", none);
    // The plan and the samples of a configuration are its meaning: equal bytes, equal configuration.
    SimulatorConfig a = documented, b = defaults;
    a.start_utc = b.start_utc = from_iso8601("2015-10-02T16:00:00Z");
    a.pacing = b.pacing = Pacing::fast;
    Simulator from_file{a, csi_board(), 0, 50}, from_defaults{b, csi_board(), 0, 50};
    const std::vector<Taken> x = take_all(from_file), y = take_all(from_defaults);
    REQUIRE(x.size() == 50);
    for (std::size_t i = 0; i < x.size(); ++i) REQUIRE((x[i].header == y[i].header && x[i].words == y[i].words));
}

TEST_CASE("in real time a tick comes when it is due, and a stop is heard", "[readout][simulator]") {
    SimulatorConfig config = quiet_config();
    config.pacing = Pacing::realtime;
    config.tick_period_ns = 2e6;  // 500 Hz
    config.tick_period_swing_ns = 0;
    config.start_utc.reset();
    Simulator simulator{config, csi_board(), 0, 20};
    RecordHeader header;
    const auto start = std::chrono::steady_clock::now();
    int records = 0;
    for (RecordSource::Next what; (what = simulator.next(header, {})) != RecordSource::Next::end;) {
        records += what == RecordSource::Next::record;
    }
    CHECK(records == 20);
    CHECK(std::chrono::steady_clock::now() - start >=
          std::chrono::milliseconds{38});  // never early: 19 periods. A load cannot break this

    config.tick_period_ns = 1e10;
    Simulator slow{config, csi_board(), 0, 2};
    REQUIRE(slow.next(header, {}) == RecordSource::Next::record);
    CHECK(slow.next(header, {}) == RecordSource::Next::idle);  // not due for 10 s
    std::stop_source stop;
    stop.request_stop();
    CHECK(slow.next(header, stop.get_token()) == RecordSource::Next::idle);
}

TEST_CASE("two boards of a station see the same beam and pulses with noise of their own", "[readout][simulator]") {
    SimulatorConfig config = fast_config(9);
    config.rate_boost = 1e4;
    Simulator first{config, csi_board(), 0, 30}, second{config, csi_board(), 1, 30};
    const std::vector<Taken> a = take_all(first), b = take_all(second);
    for (std::size_t i = 0; i < a.size(); ++i) {
        REQUIRE(b[i].header.board == 1);
        REQUIRE(a[i].header.time_ps == b[i].header.time_ps);
        const auto x = a[i].view().truth(), y = b[i].view().truth();
        REQUIRE(std::equal(x.begin(), x.end(), y.begin(), y.end()));
        REQUIRE(a[i].words != b[i].words);
    }
    std::vector<BeamFrame> frames;
    second.take_beam_frames(frames);
    CHECK(frames.empty());  // the reference board alone reports the beam
}
