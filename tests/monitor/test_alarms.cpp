#include <catch2/catch.hpp>
#include <cmath>
#include <limits>
#include <map>
#include <string>

#include "monitor/alarms.hpp"
#include "synthetic.hpp"

using namespace alleycat;
using synthetic::kSecond;
using synthetic::kStart;

namespace {

/// A healthy run at 60 Hz, looked at once a second. Tests spoil it.
class Shift {
  public:
    explicit Shift(AlarmConfig config = {}) : watch{config} {
        status.run = 1;
        status.state = RunState::running;
        status.run_start_utc_ns = kStart;
        status.bytes_per_second = 4.2e6;
        status.beam_state = BeamState::on;
        status.buffers = {{"ring pci5153", 1000, 10, 20}, {"retransmit", 1000, 10, 20}};
        status.writer.connected = true;
        status.writer.disk_free_bytes = 2'000'000'000'000;
        conditions.tick_rate_hz = 60;
        conditions.tick_rate_span_s = 10;
        conditions.events = 600;
        conditions.baseline_median_adc = 100;
        conditions.baseline_sigma_adc = 0.9;
        conditions.spe_charge_adc = 70;
    }
    /// Another second passes, in which `triggers` came: ticks, and `strobes` besides.
    std::vector<Alarm> second(int triggers = 60) {
        now += kSecond;
        status.utc_ns = now;
        status.ledger.triggers += static_cast<std::uint64_t>(triggers + strobes);
        status.ledger.recorded = status.ledger.triggers - status.ledger.refused;
        status.ledger.ticks_seen += static_cast<std::uint64_t>(triggers);
        status.ledger.ticks_expected = status.ledger.ticks_seen;
        if (spoil_ledger) --status.ledger.recorded;
        if (triggers > 0) {
            status.last_trigger_utc_ns = now;
            if (events_follow) conditions.newest_event_utc_ns = now;
        }
        std::vector<Alarm> changed =
            watch.update({status, conditions, 60, real_time, UtcTime{std::chrono::nanoseconds{now}}});
        for (const Alarm& alarm : changed) CHECK(alarm.utc_ns == now);
        return changed;
    }
    /// Runs until something changes; the seconds it took (at most `limit`).
    int seconds_until_change(int limit, int triggers = 60) {
        for (int s = 1; s <= limit; ++s) {
            last = second(triggers);
            if (!last.empty()) return s;
        }
        return limit + 1;
    }

    AlarmWatch watch;
    Status status;
    Conditions conditions;
    std::int64_t now = kStart;
    int strobes = 0;  ///< per second
    bool spoil_ledger = false;
    bool events_follow = true;
    bool real_time = true;
    std::vector<Alarm> last;
};

}  // namespace

TEST_CASE("a healthy run raises nothing, from its first second on", "[monitor][alarms]") {
    Shift shift;
    for (int s = 0; s < 600; ++s) REQUIRE(shift.second(s % 3 == 0 ? 59 : s % 3 == 1 ? 61 : 60).empty());
    CHECK(shift.watch.active().empty());
}

TEST_CASE("the first seconds of a run are not judged by their rate", "[monitor][alarms]") {
    Shift shift;
    shift.conditions = {};
    shift.status.beam_state = BeamState::unknown;
    for (int s = 0; s < 2; ++s) REQUIRE(shift.second(0).empty());
}

TEST_CASE("silence is an alarm within three seconds and goes after triggers came back", "[monitor][alarms]") {
    Shift shift;
    for (int s = 0; s < 30; ++s) REQUIRE(shift.second().empty());
    REQUIRE(shift.seconds_until_change(10, 0) <= 3);
    REQUIRE(shift.last.size() == 1);
    CHECK(shift.last[0].name == "trigger_rate");
    CHECK(shift.last[0].level == AlarmLevel::alarm);
    CHECK(shift.last[0].active);
    CHECK(shift.watch.active().size() == 1);
    const int back = shift.seconds_until_change(60);
    CHECK(back >= 5);  // clear_after_s, and the host's rate must recover over its 10 s
    CHECK(back <= 20);
    REQUIRE(shift.last.size() == 1);
    CHECK_FALSE(shift.last[0].active);
    CHECK(shift.watch.active().empty());
}

TEST_CASE("a rate off by a tenth of a hertz is a warning, by one an alarm", "[monitor][alarms]") {
    Shift shift;
    for (int s = 0; s < 20; ++s) REQUIRE(shift.second().empty());
    shift.conditions.tick_rate_hz = 60.09;
    REQUIRE(shift.second().empty());
    shift.conditions.tick_rate_hz = 59.85;
    auto changed = shift.second();
    REQUIRE(changed.size() == 1);
    CHECK(changed[0].level == AlarmLevel::warning);
    shift.conditions.tick_rate_hz = 58.5;
    changed = shift.second();
    REQUIRE(changed.size() == 1);
    CHECK(changed[0].level == AlarmLevel::alarm);
    // Within the hysteresis the level stays: 0.91 Hz off is below the limit of 1 but not 10 % below.
    shift.conditions.tick_rate_hz = 59.09;
    for (int s = 0; s < 20; ++s) REQUIRE(shift.second().empty());
    shift.conditions.tick_rate_hz = 59.5;
    CHECK(shift.seconds_until_change(20) == 5);
    REQUIRE(shift.last.size() == 1);
    CHECK(shift.last[0].level == AlarmLevel::warning);
    CHECK(shift.last[0].active);
    shift.conditions.tick_rate_hz = 60;
    CHECK(shift.seconds_until_change(20) == 5);
    CHECK_FALSE(shift.last.at(0).active);
}

TEST_CASE("a slow stall is seen by the host's clock before the board's interval ends", "[monitor][alarms]") {
    Shift shift;
    for (int s = 0; s < 20; ++s) REQUIRE(shift.second().empty());
    REQUIRE(shift.seconds_until_change(10, 50) <= 3);
    CHECK(shift.last.at(0).name == "trigger_rate");
    CHECK(shift.last.at(0).level == AlarmLevel::alarm);
}

TEST_CASE("a value that dances around its limit raises one alarm, not many", "[monitor][alarms]") {
    Shift shift;
    for (int s = 0; s < 10; ++s) REQUIRE(shift.second().empty());
    std::size_t changes = 0;
    for (int s = 0; s < 200; ++s) {
        shift.conditions.baseline_sigma_adc = s % 2 == 0 ? 1.51 : 1.49;
        changes += shift.second().size();
    }
    CHECK(changes == 1);
    REQUIRE(shift.watch.active().size() == 1);
    CHECK(shift.watch.active()[0].name == "baseline_sigma");
    CHECK(shift.watch.active()[0].level == AlarmLevel::alarm);
    shift.conditions.baseline_sigma_adc = 0.9;
    CHECK(shift.seconds_until_change(20) == 5);
}

TEST_CASE("signal conditions out of range are named", "[monitor][alarms]") {
    const auto raised = [](auto spoil) {
        Shift shift;
        for (int s = 0; s < 5; ++s) REQUIRE(shift.second().empty());
        spoil(shift.conditions);
        const auto changed = shift.second();
        return changed.size() == 1 ? changed[0].name : std::to_string(changed.size()) + " alarms";
    };
    const double nan = std::numeric_limits<double>::quiet_NaN();
    CHECK(raised([](Conditions& c) { c.baseline_median_adc = 84; }) == "baseline");
    CHECK(raised([](Conditions& c) { c.baseline_median_adc = 116; }) == "baseline");
    CHECK(raised([&](Conditions& c) { c.baseline_median_adc = nan; }) == "baseline");
    CHECK(raised([&](Conditions& c) { c.baseline_sigma_adc = nan; }) == "baseline_sigma");
    CHECK(raised([](Conditions& c) { c.spe_charge_adc = 49; }) == "spe_charge");
    CHECK(raised([](Conditions& c) { c.spe_charge_adc = 101; }) == "spe_charge");
    CHECK(raised([](Conditions& c) { c.spe_charge_adc = 0; }) == "0 alarms");  // not known
    CHECK(raised([](Conditions& c) { c.baseline_median_adc = 86, c.spe_charge_adc = 99; }) == "0 alarms");
    CHECK(raised([](Conditions& c) { c.baseline_median_adc = 50, c.events = 10; }) == "0 alarms");  // too few to say
}

TEST_CASE("three blocks in a row without a good fit of the SPE charge warn, the next good one clears it",
          "[monitor][alarms]") {
    Shift shift;
    const auto look = [&](std::uint64_t fits, std::uint64_t kept) {
        shift.status.counters = {{"calibration.fits", fits}, {"calibration.fits_kept", kept}};
        const std::vector<Alarm> changed = shift.second();
        REQUIRE(changed.size() < 2);
        return changed.empty() ? std::string{} : changed[0].name + (changed[0].active ? " raised" : " cleared");
    };
    CHECK(look(0, 0).empty());
    CHECK(look(1, 1).empty());  // at a run's start nothing good is there yet
    CHECK(look(2, 2).empty());
    CHECK(look(3, 2).empty());  // a good one
    CHECK(look(4, 3).empty());
    CHECK(look(5, 4).empty());
    CHECK(look(6, 5) == "spe_fit raised");
    CHECK(look(9, 8).empty());  // still
    CHECK(shift.watch.active().size() == 1);
    int seconds = 0;
    std::string change;
    while (change.empty() && ++seconds < 20) change = look(10, 8);
    CHECK(change == "spe_fit cleared");
    shift.status.run = 2;  // counters of a new run begin anew
    CHECK(look(2, 2).empty());
    CHECK(look(3, 3) == "spe_fit raised");
}

TEST_CASE("triggers without events are stale data", "[monitor][alarms]") {
    Shift shift;
    for (int s = 0; s < 20; ++s) REQUIRE(shift.second().empty());
    shift.events_follow = false;
    CHECK(shift.seconds_until_change(20) == 6);
    CHECK(shift.last.at(0).name == "stale_data");
    shift.events_follow = true;
    CHECK(shift.seconds_until_change(20) == 5);
}

TEST_CASE("refused triggers stay on the screen for a minute", "[monitor][alarms]") {
    Shift shift;
    for (int s = 0; s < 5; ++s) REQUIRE(shift.second().empty());
    shift.status.ledger.refused = 12;
    auto changed = shift.second();
    REQUIRE(changed.size() == 1);
    CHECK(changed[0].name == "refused_triggers");
    CHECK(changed[0].text.find("12 triggers") == 0);
    const int cleared = shift.seconds_until_change(100);
    CHECK(cleared >= 60);
    CHECK(cleared <= 66);
    shift.status.ledger.refused = 13;
    CHECK(shift.second().size() == 1);
    shift.status.run = 2;  // the next run starts without
    shift.status.ledger.refused = 0;
    CHECK(shift.seconds_until_change(10) <= 6);
    CHECK_FALSE(shift.last.at(0).active);
}

TEST_CASE("a full buffer without a writer is told as such, and neither as silence nor as an open ledger",
          "[monitor][alarms]") {
    // Ten minutes in, the writer goes away; 5 s later its buffer is full. 60 triggers a second are refused at the
    // board: no tick and no event gets on.
    Shift shift;
    for (int s = 0; s < 5; ++s) REQUIRE(shift.second().empty());
    shift.status.counters = {{"readout.pci5153.ticks", shift.status.ledger.ticks_seen}};
    shift.status.writer.connected = false;
    shift.status.backed_up = true;
    shift.status.in_hand = 14;
    shift.status.buffers[1] = {"retransmit", 42'000'000, 42'000'000, 42'000'000, 4.2e6};
    const auto stalled_second = [&] {
        shift.now += kSecond;
        shift.status.utc_ns = shift.status.last_trigger_utc_ns = shift.now;
        shift.status.ledger.triggers += 60;
        shift.status.ledger.refused += 60;
        shift.status.counters[0].second += 60;
        shift.status.dead_s += 1;
        return shift.watch.update(
            {shift.status, shift.conditions, 60, true, UtcTime{std::chrono::nanoseconds{shift.now}}});
    };
    for (int s = 0; s < 120; ++s) (void)stalled_second();
    std::map<std::string, std::string> texts;
    for (const Alarm& alarm : shift.watch.active()) texts[alarm.name] = alarm.text;
    CHECK(texts.size() == 4);
    CHECK(texts["refused_triggers"] ==
          "7200 triggers of this run were refused, without a break for 120 s: the retransmit buffer is full, and no "
          "writer "
          "is connected");
    CHECK(texts["retransmit_buffer"] ==
          "retransmit buffer 100 % full: 10 s of data, triggers are refused; no writer is connected");
    CHECK(texts.count("writer_away") == 1);
    CHECK_THAT(texts["stale_data"], Catch::Contains("no writer is connected"));
    // A writer that is there and does not get on is another cause, a troubled one a third.
    shift.status.writer.connected = true;
    (void)stalled_second();
    for (const Alarm& alarm : shift.watch.active()) texts[alarm.name] = alarm.text;
    CHECK_THAT(texts["refused_triggers"], Catch::EndsWith("the writer is connected and behind"));
    shift.status.writer.problem = "disk full";
    (void)stalled_second();
    for (const Alarm& alarm : shift.watch.active()) texts[alarm.name] = alarm.text;
    CHECK_THAT(texts["refused_triggers"], Catch::EndsWith("the writer has a problem: disk full"));
}

TEST_CASE("a board that falls silent while the buffer is full is still an alarm", "[monitor][alarms]") {
    Shift shift;
    for (int s = 0; s < 5; ++s) REQUIRE(shift.second().empty());
    shift.status.backed_up = true;
    CHECK(shift.seconds_until_change(10, 0) <= 3);
    CHECK(shift.last.at(0).name == "trigger_rate");
}

TEST_CASE("what waits for the writer is told in seconds of data at the present rate", "[monitor][alarms]") {
    // 60 triggers of 70 kB a second are 4.2 MB/s; 256 MB, of which 126 MB are used, hold 30 s; 130 MB are left
    // for 30.95 s.
    const std::vector<BufferStatus> memory{{"ring pci5153", 64'000'000, 1, 1, 0},
                                           {"retransmit", 256'000'000, 126'000'000, 126'000'000, 4.2e6}};
    REQUIRE(waiting_for_writer(memory));
    CHECK(waiting_for_writer(memory)->held_s == Approx(30));
    CHECK(waiting_for_writer(memory)->left_s == Approx(130.0 / 4.2));
    // With 1 GB on the disk beside it, of which 84 MB are used: 50 s, and 1046 MB are left.
    std::vector<BufferStatus> with_spill = memory;
    with_spill.push_back({"spill", 1'000'000'000, 84'000'000, 84'000'000, 4.2e6});
    CHECK(waiting_for_writer(with_spill)->held_s == Approx(50));
    CHECK(waiting_for_writer(with_spill)->left_s == Approx(1046.0 / 4.2));
    CHECK_FALSE(waiting_for_writer(std::vector<BufferStatus>{{"retransmit", 100, 10, 10, 0}}));  // no rate, no seconds

    Shift shift;
    for (int s = 0; s < 5; ++s) REQUIRE(shift.second().empty());
    shift.status.buffers = memory;
    shift.status.buffers[1].used_bytes = 147'000'000;  // 35 s; 109 MB are left
    const auto changed = shift.second();
    REQUIRE(changed.size() == 1);
    CHECK(changed[0].text ==
          "retransmit buffer 57 % full: 35 s of data, triggers are refused in 26 s if the writer takes nothing");
}

TEST_CASE("a ledger that does not close for five seconds is an alarm", "[monitor][alarms]") {
    Shift shift;
    for (int s = 0; s < 5; ++s) REQUIRE(shift.second().empty());
    for (int s = 0; s < 50; ++s) {
        shift.spoil_ledger = s % 4 != 0;  // a trigger on its way, now and then
        REQUIRE(shift.second().empty());
    }
    shift.spoil_ledger = false;
    REQUIRE(shift.second().empty());
    shift.spoil_ledger = true;
    CHECK(shift.seconds_until_change(20) == 6);
    CHECK(shift.last.at(0).name == "ledger");
}

TEST_CASE("an absent or troubled writer is an alarm", "[monitor][alarms]") {
    Shift shift;
    for (int s = 0; s < 5; ++s) REQUIRE(shift.second().empty());
    shift.status.writer.connected = false;
    CHECK(shift.seconds_until_change(20) == 6);
    CHECK(shift.last.at(0).name == "writer_away");
    shift.status.writer.connected = true;
    CHECK(shift.seconds_until_change(20) == 5);
    shift.status.writer.problem = "disk full";
    const auto changed = shift.second();
    REQUIRE(changed.size() == 1);
    CHECK(changed[0].name == "writer");
    CHECK(changed[0].text == "writer: disk full");
}

TEST_CASE("the disk warns a day ahead and alarms two hours ahead", "[monitor][alarms]") {
    Shift shift;
    const auto free_hours = [&](double hours) {
        shift.status.writer.disk_free_bytes = static_cast<std::uint64_t>(4.2e6 * 3600 * hours);
    };
    free_hours(25);
    for (int s = 0; s < 10; ++s) REQUIRE(shift.second().empty());
    free_hours(23);
    auto changed = shift.second();
    REQUIRE(changed.size() == 1);
    CHECK(changed[0].name == "disk_low");
    CHECK(changed[0].level == AlarmLevel::warning);
    CHECK(changed[0].text == "23.0 h until the disk is full, at 4.2 MB/s");
    free_hours(1.9);
    changed = shift.second();
    REQUIRE(changed.size() == 1);
    CHECK(changed[0].level == AlarmLevel::alarm);
    free_hours(100);
    CHECK(shift.seconds_until_change(20) == 5);
    CHECK_FALSE(shift.last.at(0).active);
}

TEST_CASE("the hours left are those of what the disk really loses: parts and strangers, not journals",
          "[monitor][alarms]") {
    Shift shift;
    WriterStatus& writer = shift.status.writer;
    writer.disk_free_bytes = 101'000'000'000;
    writer.disk_stop_bytes = 1'000'000'000;
    // 1.5 MB/s of parts and 4.2 MB/s of journal, which is given back every 300 s: 100 GB last 18.5 h, not 6.6.
    const auto pass = [&] {
        writer.disk_free_bytes -= 1'500'000 + 4'200'000;
        writer.journal_bytes += 4'200'000;
        if (writer.journal_bytes >= 300 * 4'200'000) {
            writer.disk_free_bytes += writer.journal_bytes;
            writer.journal_bytes = 0;
        }
        return shift.second();
    };
    std::vector<Alarm> changed;
    int seconds = 0;
    for (; seconds < 900 && changed.empty(); ++seconds) changed = pass();
    // At first by the rate of the samples, 4.2 MB/s: 100 GB are 6.6 h.
    REQUIRE(changed.size() == 1);
    CHECK(changed[0].text == "6.6 h until writing stops for want of space, at 4.2 MB/s");
    for (; seconds < 900; ++seconds) REQUIRE(pass().empty());
    // Then 18.3 h: still below the day of the warning. A stranger takes 12 MB/s more: 2 h are left soon.
    for (changed.clear(); seconds < 4000 && changed.empty(); ++seconds) {
        writer.disk_free_bytes -= 12'000'000;
        changed = pass();
    }
    REQUIRE(changed.size() == 1);
    CHECK(changed[0].level == AlarmLevel::alarm);
    CHECK_THAT(changed[0].text, Catch::StartsWith("2.0 h until writing stops") && Catch::Contains("MB/s"));
}

TEST_CASE("data that wait for seconds though a writer takes them are a slow disk, without a writer they are not",
          "[monitor][alarms]") {
    Shift shift;
    for (int s = 0; s < 5; ++s) REQUIRE(shift.second().empty());
    // 42 MB at 4.2 MB/s are 10 s of data; 16 % of the buffer.
    shift.status.buffers = {{"retransmit", 256'000'000, 42'000'000, 42'000'000, 4.2e6}};
    CHECK(shift.seconds_until_change(20) == 6);
    CHECK(shift.last.at(0).name == "disk_slow");
    CHECK(shift.last.at(0).level == AlarmLevel::warning);
    CHECK(shift.last.at(0).text == "the disk, or the writer, is slow: 10 s of data are not on the disk yet");
    shift.status.buffers[0].used_bytes = 4'200'000;
    CHECK(shift.seconds_until_change(20) == 5);
    CHECK_FALSE(shift.last.at(0).active);

    shift.status.writer.connected = false;
    shift.status.buffers[0].used_bytes = 42'000'000;
    CHECK(shift.seconds_until_change(20) == 6);
    REQUIRE(shift.last.size() == 1);
    CHECK(shift.last.at(0).name == "writer_away");
    CHECK(shift.seconds_until_change(20) == 21);  // and nothing else
}

TEST_CASE("the screen's hours are those of the alarm: first by the samples, then by what the disk loses",
          "[monitor][unit]") {
    DiskWatch watch;
    Status status;
    status.run = 1;
    status.state = RunState::running;
    status.bytes_per_second = 4.2e6;
    status.writer.connected = true;
    status.writer.disk_stop_bytes = 1'000'000'000;
    const std::int64_t begin_ns = 1'700'000'000'000'000'000;
    // Every second 1.5 MB of parts and 4.2 MB of journal, which counts as free.
    for (std::int64_t s = 0; s <= 60; ++s) {
        status.writer.disk_free_bytes = static_cast<std::uint64_t>(101'000'000'000 - s * 5'700'000);
        status.writer.journal_bytes = static_cast<std::uint64_t>(s * 4'200'000);
        watch.look(status, begin_ns + s * 1'000'000'000);
        REQUIRE(watch.outlook());
        if (s > 0) continue;
        CHECK_FALSE(watch.outlook()->measured);
        CHECK(watch.outlook()->hours_left == Approx(1e11 / 4.2e6 / 3600));
    }
    CHECK(watch.outlook()->measured);
    CHECK(watch.outlook()->bytes_per_s == Approx(1.5e6));
    CHECK(watch.outlook()->hours_left == Approx((1e11 - 60 * 5.7e6) / 1.5e6 / 3600));
    status.writer.connected = false;  // nobody knows the disk
    watch.look(status, begin_ns + 61'000'000'000);
    CHECK_FALSE(watch.outlook());
}

TEST_CASE("a writer that stopped for want of space is one alarm, with its reason", "[monitor][alarms]") {
    Shift shift;
    for (int s = 0; s < 5; ++s) REQUIRE(shift.second().empty());
    shift.status.writer.state = WriterState::stopped_disk_full;
    shift.status.writer.problem = "/data: fewer than 1000 MB are free";
    auto changed = shift.second();
    REQUIRE(changed.size() == 1);
    CHECK(changed[0].name == "disk_full");
    CHECK(changed[0].level == AlarmLevel::alarm);
    CHECK(changed[0].text == "nothing is written: /data: fewer than 1000 MB are free");
    shift.status.writer.state = WriterState::failed;
    shift.status.writer.problem = "/data/x.journal: cannot be written: Read-only file system";
    changed = shift.second();
    REQUIRE(changed.size() == 1);
    CHECK(changed[0].name == "writer");
    CHECK(changed[0].level == AlarmLevel::alarm);
    shift.status.writer.state = WriterState::writing;
    shift.status.writer.problem.clear();
    CHECK(shift.seconds_until_change(20) == 4);
    CHECK(shift.last.at(0).name == "disk_full");
    CHECK_FALSE(shift.last.at(0).active);
}

TEST_CASE("a beam that is unknown for a minute is a warning", "[monitor][alarms]") {
    Shift shift;
    for (int s = 0; s < 5; ++s) REQUIRE(shift.second().empty());
    shift.status.beam_state = BeamState::unknown;
    CHECK(shift.seconds_until_change(100) == 62);  // first seen at the first look, then more than 60 s
    CHECK(shift.last.at(0).name == "beam_unknown");
    CHECK(shift.last.at(0).level == AlarmLevel::warning);
    shift.status.beam_state = BeamState::off;
    CHECK(shift.seconds_until_change(20) == 5);
    shift.status.beam_lag_s = 61;
    CHECK(shift.second().size() == 1);
}

TEST_CASE("a contradicted charge index is an alarm with both indices, whatever else the check says is not",
          "[monitor][alarms]") {
    Shift shift;
    for (const IndexVerdict verdict : {IndexVerdict::none, IndexVerdict::undecided, IndexVerdict::confirmed}) {
        shift.status.index_check = {verdict, 0, 0, 3.5, 600};
        for (int s = 0; s < 5; ++s) REQUIRE(shift.second().empty());
    }
    shift.status.index_check = {IndexVerdict::contradicted, 0, -1, -14.84, 7'200};
    const auto changed = shift.second();
    REQUIRE(changed.size() == 1);
    CHECK(changed[0].name == "beam_index");
    CHECK(changed[0].level == AlarmLevel::alarm);
    CHECK(changed[0].text ==
          "the charge index 0 is contradicted, it should be -1: evidence -14.8 from 7200 ticks. Beam states are wrong "
          "by a "
          "pulse: correct beam.charge_index");
    shift.status.index_check.verdict = IndexVerdict::confirmed;
    CHECK(shift.seconds_until_change(20) == 5);
    CHECK_FALSE(shift.last.at(0).active);
}

TEST_CASE("the retransmit buffer warns at half and alarms at nine tenths", "[monitor][alarms]") {
    Shift shift;
    for (int s = 0; s < 5; ++s) REQUIRE(shift.second().empty());
    shift.status.buffers[0].used_bytes = 1000;  // a full ring shows as refused triggers
    REQUIRE(shift.second().empty());
    shift.status.buffers[1].used_bytes = 510;
    CHECK(shift.second().at(0).level == AlarmLevel::warning);
    shift.status.buffers[1].used_bytes = 910;
    CHECK(shift.second().at(0).level == AlarmLevel::alarm);
    shift.status.buffers[1].used_bytes = 850;  // not 10 % below
    for (int s = 0; s < 20; ++s) REQUIRE(shift.second().empty());
    shift.status.buffers[1].used_bytes = 100;
    CHECK(shift.seconds_until_change(20) == 5);
    CHECK_FALSE(shift.last.at(0).active);
}

TEST_CASE("a run in error says why, and what belongs to running is cleared when it stops", "[monitor][alarms]") {
    Shift shift;
    for (int s = 0; s < 5; ++s) REQUIRE(shift.second().empty());
    REQUIRE(shift.seconds_until_change(5, 0) <= 3);
    shift.status.state = RunState::error;
    shift.status.reason = "board pci5153: gone";
    auto changed = shift.second(0);
    REQUIRE(changed.size() == 1);
    CHECK(changed[0].name == "run_error");
    CHECK(changed[0].text == "the run is in error: board pci5153: gone");
    shift.status.state = RunState::idle;
    for (int s = 0; s < 10; ++s) (void)shift.second(0);
    CHECK(shift.watch.active().empty());
}

TEST_CASE("a replay as fast as it goes is not judged by the host's clock", "[monitor][alarms]") {
    Shift shift;
    shift.real_time = false;
    shift.spoil_ledger = true;
    shift.events_follow = false;
    for (int s = 0; s < 100; ++s) REQUIRE(shift.second(s % 7 == 0 ? 0 : 5000).empty());
    shift.status.state = RunState::draining;
    CHECK(shift.seconds_until_change(20) == 6);  // at its end the ledger must close
    CHECK(shift.last.at(0).name == "ledger");
}

TEST_CASE("strobes between the ticks neither raise an alarm nor hide missing ticks", "[monitor][alarms]") {
    Shift shift;
    shift.strobes = 6;
    CHECK(shift.seconds_until_change(60) == 61);
    shift.strobes = 12;
    CHECK(shift.seconds_until_change(60, 54) <= 11);  // 54 ticks and 12 strobes: ten seconds of the host's clock
    CHECK(shift.last.at(0).name == "trigger_rate");
    CHECK(shift.last.at(0).active);
}

TEST_CASE("a detector that gives nothing is an alarm with its name", "[monitor][alarms]") {
    Shift shift;
    CHECK(shift.seconds_until_change(10) == 11);
    shift.conditions.silent_detectors = {"nai7", "nai12"};
    CHECK(shift.seconds_until_change(10) == 1);
    CHECK(shift.last.at(0).name == "detector_silent");
    CHECK(shift.last.at(0).level == AlarmLevel::alarm);
    CHECK(shift.last.at(0).text ==
          "no event from nai7, nai12 while the other detectors had some: 50 each would have been due");
    shift.conditions.silent_detectors.clear();
    CHECK(shift.seconds_until_change(20) == 5);
    CHECK_FALSE(shift.last.at(0).active);
}

TEST_CASE("a board that the triggers go on without is an alarm, named, that goes when it is back",
          "[monitor][alarms]") {
    Shift shift;
    shift.status.boards = {{"v2745", {}, {}, {}, 0, {}}, {"sis3316", 5.0, {}, {}, 0, {}}};
    CHECK(shift.seconds_until_change(10) == 11);  // not longer than the limit
    shift.status.boards[1].missing_s = 5.6;
    CHECK(shift.seconds_until_change(10) == 1);
    CHECK(shift.last.at(0).name == "board_missing");
    CHECK(shift.last.at(0).level == AlarmLevel::alarm);
    CHECK(shift.last.at(0).text == "triggers go on without a board: nothing from sis3316 for 6 s");
    shift.status.boards[1].missing_s.reset();
    CHECK(shift.seconds_until_change(20) == 5);
    CHECK_FALSE(shift.last.at(0).active);
}

TEST_CASE("a board that is too warm is an alarm that names the hottest", "[monitor][alarms]") {
    Shift shift;
    shift.status.boards = {{"v2745", {}, {}, {}, 0, {{"temperature_in", 35, "degC"}, {"temperature_adc", 79, "degC"}}},
                           {"sis3316", {}, {}, {}, 0, {{"temperature", 40, "degC"}, {"busy", 99, ""}}}};
    CHECK(shift.seconds_until_change(10) == 11);
    shift.status.boards[0].readings[1].value = 80.5;
    CHECK(shift.seconds_until_change(10) == 1);
    CHECK(shift.last.at(0).name == "board_temperature");
    CHECK(shift.last.at(0).level == AlarmLevel::alarm);
    CHECK(shift.last.at(0).text == "board v2745: 80.5 degC, limit 80");
    shift.status.boards[0].readings[1].value = 73;  // within 10 % of the limit
    CHECK(shift.seconds_until_change(20) == 21);
    shift.status.boards[0].readings[1].value = 71;
    CHECK(shift.seconds_until_change(20) == 5);
    CHECK_FALSE(shift.last.at(0).active);
}

TEST_CASE("a clock that drifts against the reference board's is a warning, whichever way", "[monitor][alarms]") {
    Shift shift;
    shift.status.boards = {{"v2745", {}, {}, {}, 0, {}}, {"sis3316", {}, 1e6, 9.9, 0, {}}};
    CHECK(shift.seconds_until_change(10) == 11);
    shift.status.boards[1].clock_drift_ppm = -12.3;
    CHECK(shift.seconds_until_change(10) == 1);
    CHECK(shift.last.at(0).name == "board_clock_drift");
    CHECK(shift.last.at(0).level == AlarmLevel::warning);
    CHECK(shift.last.at(0).text == "board sis3316: its clock runs -12.30 ppm against the reference board's, limit 10");
}

TEST_CASE("limits of boards that are 0 switch their alarms off", "[monitor][alarms]") {
    AlarmConfig config;
    config.board_missing_s = config.board_temperature_degc = config.board_clock_drift_ppm = 0;
    Shift shift{config};
    shift.status.boards = {{"v2745", 3600.0, 0.0, 1e5, 0, {{"temperature", 199, "degC"}}}};
    CHECK(shift.seconds_until_change(10) == 11);
}
