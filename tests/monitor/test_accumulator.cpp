#include <catch2/catch.hpp>
#include <cmath>
#include <limits>
#include <numeric>

#include "daq/core/error.hpp"
#include "monitor/accumulator.hpp"
#include "synthetic.hpp"

using namespace alleycat;
using namespace alleycat::synthetic;

namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

double total(const Spectrum& s) { return std::accumulate(s.value.begin(), s.value.end(), 0.0); }

const Trend& trend(const Snapshot& s, std::string_view name) {
    for (const Trend& t : s.trends) {
        if (t.name == name) return t;
    }
    throw Error{"no such trend"};
}

}  // namespace

TEST_CASE("an event counts as ON or OFF only once its beam state is known", "[monitor][unit]") {
    Accumulator a;
    a.on_run(run());
    for (std::uint64_t i = 0; i < 4; ++i) a.on_event(with_c(event(i), 10, 1000));
    auto s = a.snapshot(17);
    CHECK(s->message_number == 17);
    CHECK(s->events == 4);
    CHECK(s->exposure.ticks_pending == 4);
    CHECK(s->excess.n_on == 0);
    CHECK(s->control.n_on == 0);
    CHECK(total(s->pe_on.coincident) == 0);
    CHECK(total(s->pe_loose.coincident) == 4);  // the loose selection does not wait

    a.on_beam({0, 1.2e6F, BeamState::on});
    a.on_beam({1, 0.0F, BeamState::off});
    a.on_beam({2, 1.2e6F, BeamState::no_beam_cycle});
    a.on_beam({3, -1.0F, BeamState::unknown});
    s = a.snapshot();
    CHECK(s->exposure.ticks_pending == 0);
    CHECK(s->exposure.ticks_on == 1);
    CHECK(s->exposure.ticks_off == 1);
    CHECK(s->exposure.ticks_no_beam_cycle == 1);
    CHECK(s->exposure.ticks_unknown == 1);
    CHECK(s->excess.n_on == 1);
    CHECK(s->control.n_on == 2);
    CHECK(total(s->pe_on.coincident) == 1);
    CHECK(total(s->pe_off.coincident) == 2);
    CHECK(s->exposure.live_on_s == Approx(1 / 60.0));
    CHECK(s->exposure.live_off_s == Approx(2 / 60.0));
    CHECK(s->exposure.beam_energy_gwh == Approx(1.2e6 / 60 / 3600 / 1e9));  // the energy of one tick at 1.2 MW
}

TEST_CASE("the box takes its lower edges and leaves its upper ones", "[monitor][unit]") {
    Accumulator a;
    a.on_run(run());
    const double charges[] = {6, 29.999, 30, 5.999, 10, 10, 10, kNan};
    const double arrivals[] = {0, 5999, 100, 100, 6000, -2, 5998, 100};
    for (std::uint64_t i = 0; i < 8; ++i) {
        a.on_event(with_c(event(i), charges[i], arrivals[i]));
        a.on_beam({i, 1e6F, BeamState::on});
    }
    const auto s = a.snapshot();
    CHECK(s->excess.n_on == 3);  // (6, 0), (29.999, 5999), (10, 5998)
    // Charge for arrivals in the box: bins 4-6, 6-8, 10-12, 28-30, 30-32, and the NaN by itself.
    CHECK(s->pe_on.coincident.value[2] == 1);
    CHECK(s->pe_on.coincident.value[3] == 1);
    CHECK(s->pe_on.coincident.value[5] == 1);
    CHECK(s->pe_on.coincident.value[14] == 1);
    CHECK(s->pe_on.coincident.value[15] == 1);
    CHECK(s->pe_on.coincident.undefined == 1);
    // Arrival for charges in the box: 0, 5999, 6000, -2 (below), 5998.
    CHECK(s->arrival_on.coincident.value[0] == 1);
    CHECK(s->arrival_on.coincident.value[11] == 2);
    CHECK(s->arrival_on.coincident.value[12] == 1);
    CHECK(s->arrival_on.coincident.below == 1);
}

TEST_CASE("arrivals on an edge fall into the bin above it, at every edge", "[monitor][unit]") {
    MonitorConfig config;
    config.arrival_ns = {0, 100, 120};
    Accumulator a{config};
    a.on_run(run());
    for (std::uint64_t i = 0; i < 120; ++i) {
        a.on_event(with_c(event(i), 10, 100.0 * static_cast<double>(i)));
    }
    const auto s = a.snapshot();
    CHECK(s->arrival_loose.coincident.value == std::vector<double>(120, 1.0));
    CHECK(s->arrival_loose.coincident.edges[3] == Approx(0.3));
}

TEST_CASE("the loose selection asks for an arrival that fits and for nothing else", "[monitor][unit]") {
    Accumulator a;
    a.on_run(run());
    a.on_event(with_c(event(0), 10, 1000, kOverflow | kPretrace));
    a.on_event(with_c(event(1), 10, 1000, kDoesNotFit));
    a.on_event(with_c(event(2), 0, kNan, kNoPeak));
    a.on_event(with_ac(event(3), 3, 9000));
    const auto s = a.snapshot();
    CHECK(total(s->pe_loose.coincident) == 1);
    CHECK(total(s->arrival_loose.coincident) == 1);
    CHECK(total(s->pe_loose.anticoincident) == 1);
    CHECK(s->arrival_loose.anticoincident.value[18] == 1);
    CHECK(s->pe_loose.difference.value[5] == 1);
    CHECK(s->pe_loose.difference.value[1] == -1);
    CHECK(s->pe_loose.difference.error[1] == 1);
}

TEST_CASE("the cut flow balances in every window", "[monitor][unit]") {
    Accumulator a;
    a.on_run(run());
    a.on_event(with_c(event(0), 10, 1000, kOverflow | kPretrace));
    a.on_event(with_c(event(1), 10, 1000, kPretrace));
    a.on_event(with_c(event(2), 10, 1000));
    a.on_event(event(3));
    const auto s = a.snapshot();
    REQUIRE(s->cut_flow.size() == 2);
    const CutFlow& c = s->cut_flow[0];
    CHECK(c.window == "coincident");
    CHECK(c.names == std::vector<std::string>{"no_peak", "does_not_fit", "overflow", "pretrace"});
    CHECK(c.rows == 4);
    CHECK(c.accepted == 1);
    CHECK(c.removed_first == std::vector<std::uint64_t>{1, 0, 1, 1});
    CHECK(c.failed == std::vector<std::uint64_t>{1, 0, 1, 2});
    CHECK(s->cut_flow[1].removed_first == std::vector<std::uint64_t>{4, 0, 0, 0});
}

TEST_CASE("events out of order, before a run, or with unknown cuts are skipped and counted", "[monitor][unit]") {
    Accumulator a;
    a.on_event(event(0));  // no run yet
    a.on_run(run());
    a.on_event(event(5));
    a.on_event(event(5));
    a.on_event(event(4));
    a.on_event(with_c(event(6), 1, 1, 1u << 31));
    Event windows = event(7);
    windows.window_count = 3;
    a.on_event(windows);
    Event none = event(0);
    none.sequence = kNoSequence;
    a.on_event(none);
    a.on_beam({4, 1e6F, BeamState::on});
    const auto s = a.snapshot();
    CHECK(s->events == 1);
    CHECK(s->skipped_events == 6);
    CHECK(s->unmatched_beam_states == 1);
    CHECK(s->cut_flow[0].rows == 1);
}

TEST_CASE("a beam state counts once", "[monitor][unit]") {
    Accumulator a;
    a.on_run(run());
    a.on_event(event(0));
    a.on_event(event(1));
    a.on_beam({1, 1e6F, BeamState::on});
    a.on_beam({1, 1e6F, BeamState::on});
    a.on_beam({0, 1e6F, BeamState::on});
    a.on_beam({0, 1e6F, BeamState::on});
    CHECK(a.snapshot()->exposure.ticks_on == 2);
    CHECK(a.snapshot()->unmatched_beam_states == 2);
}

TEST_CASE("events whose beam state never comes become unknown and are not kept", "[monitor][unit]") {
    MonitorConfig config;
    config.pending_events = 100;
    Accumulator a{config};
    a.on_run(run());
    for (std::uint64_t i = 0; i < 1000; ++i) {
        a.on_event(event(i));
        if (i > 0) a.on_beam({i, 1e6F, BeamState::on});  // 0 is never answered
    }
    const auto s = a.snapshot();
    CHECK(s->exposure.ticks_on == 999);
    CHECK(s->exposure.ticks_unknown == 1);
    CHECK(s->exposure.ticks_pending == 0);
}

TEST_CASE("a new run keeps the campaign and gives up what still waits", "[monitor][unit]") {
    Accumulator a;
    a.on_run(run(1));
    a.on_status({});
    a.on_calibration({0, 70, 1, 1});
    a.on_event(with_c(event(0), 10, 1000));
    a.on_event(with_c(event(1), 10, 1000));
    a.on_beam({0, 1e6F, BeamState::on});
    a.on_run(run(1));  // announced again: nothing happens
    CHECK(a.snapshot()->exposure.ticks_pending == 1);
    CHECK(a.snapshot()->status.has_value());
    a.on_run(run(2));
    auto s = a.snapshot();
    CHECK(s->run->run == 2);
    CHECK(s->events == 2);
    CHECK(s->excess.n_on == 1);
    CHECK(s->exposure.ticks_unknown == 1);
    CHECK(s->exposure.ticks_pending == 0);
    CHECK_FALSE(s->status.has_value());
    CHECK_FALSE(s->calibration.has_value());
    a.on_event(with_c(event(0), 10, 1000));  // sequences begin anew
    a.on_beam({0, 1e6F, BeamState::on});
    CHECK(a.snapshot()->excess.n_on == 2);
    CHECK(a.snapshot()->skipped_events == 0);
}

TEST_CASE("a run that cannot be added starts a new campaign", "[monitor][unit]") {
    const auto remains = [](auto change) {
        Accumulator a;
        a.on_run(run(1));
        a.on_event(event(0));
        a.on_alarm({"baseline", AlarmLevel::warning, true, 1, "off"});
        RunDescription next = run(2);
        change(next);
        a.on_run(next);
        CHECK(a.snapshot()->alarms.size() == 1);  // the detector's, not the campaign's
        return a.snapshot()->events == 1;
    };
    CHECK(remains([](RunDescription&) {}));
    CHECK(remains([](RunDescription& r) { r.config_text = "# a comment"; }));
    CHECK_FALSE(remains([](RunDescription& r) { r.profile = "lar"; }));
    CHECK_FALSE(remains([](RunDescription& r) { r.cuts[3].meaning = "pretrace_peaks <= 4"; }));
    CHECK_FALSE(remains([](RunDescription& r) { r.windows[0].roi_start += 1; }));
    CHECK_FALSE(remains([](RunDescription& r) { r.features.pop_back(); }));
    CHECK_FALSE(remains([](RunDescription& r) { r.box.min_pe = 5; }));
    CHECK_FALSE(remains([](RunDescription& r) { r.rate_boost = 1000; }));
    CHECK_FALSE(remains([](RunDescription& r) { r.boards[0].source = "simulator"; }));
}

TEST_CASE("windows of unequal length are compared by what they cover of the box", "[monitor][physics]") {
    RunDescription r = run();
    // AC of 30 us: longer than the box, so both cover its 6 us fully, and only the loose comparison sees the ratio.
    r.windows[1].roi_end = r.windows[1].roi_start + 15050;
    Accumulator a;
    a.on_run(r);
    a.on_event(with_ac(event(0), 10, 1000));
    a.on_beam({0, 1e6F, BeamState::on});
    CHECK(a.snapshot()->excess.alpha == 1);
    CHECK(a.snapshot()->pe_loose.difference.value[5] == Approx(-(7525.0 - 1500) / (15050 - 1500)));
    // AC of 6 us, of which arrivals can take 3 us, half of the box: each of its counts stands for two.
    r.windows[1].roi_end = r.windows[1].roi_start + 3000;
    Accumulator b;
    b.on_run(r);
    b.on_event(with_ac(event(0), 10, 1000));
    b.on_beam({0, 1e6F, BeamState::on});
    const auto s = b.snapshot();
    CHECK(s->excess.alpha == 2);
    CHECK(s->excess.excess == -2);
    CHECK(s->excess.error == 2);
    CHECK(s->pe_on.difference.error[5] == 2);
    CHECK(s->excess_history.back().excess == -2);
}

TEST_CASE("triggers that are no beam ticks are in the cut flow only", "[monitor][unit]") {
    Accumulator a;
    a.on_run(run());
    Event strobe = with_c(event(0), 10, 1000);
    strobe.trigger_class = TriggerClass::strobe;
    a.on_event(strobe);
    CHECK(a.snapshot()->exposure.ticks_pending == 0);
    a.on_beam({0, 1e6F, BeamState::on});
    const auto s = a.snapshot();
    CHECK(s->cut_flow[0].accepted == 1);
    CHECK(s->exposure.ticks_on == 0);
    CHECK(s->excess.n_on == 0);
    CHECK(total(s->pe_loose.coincident) == 0);
    CHECK(s->unmatched_beam_states == 0);
}

TEST_CASE("a trigger without its signal channel is a row, never a count", "[monitor][unit]") {
    Accumulator a;
    a.on_run(run());
    Event blind = event(0);
    blind.feature_count = 0;
    blind.window[0].cuts = 0;  // even if it called itself accepted
    blind.flags = trigger_flag::missing_channel;
    blind.baseline_median_adc = blind.baseline_sigma_adc = kNan;
    blind.spe_charge_adc = 0;
    a.on_event(blind);
    a.on_beam({0, 1e6F, BeamState::on});
    const auto s = a.snapshot();
    CHECK(s->exposure.ticks_on == 1);  // recorded: exposure comes before any cut
    CHECK(total(s->pe_on.coincident) == 0);
    CHECK(total(s->pe_loose.coincident) == 0);
    CHECK(s->cut_flow[0].rows == 1);
    CHECK(trend(*s, "baseline_median").points.empty());
    CHECK(trend(*s, "spe_charge").points.empty());
    CHECK(trend(*s, "pretrace_peaks").points.empty());
}

TEST_CASE("beam on without a power adds a tick and no energy", "[monitor][unit]") {
    Accumulator a;
    a.on_run(run());
    const float powers[] = {-1, std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity(), 6e5F};
    for (std::uint64_t i = 0; i < 4; ++i) {
        a.on_event(event(i));
        a.on_beam({i, powers[i], BeamState::on});
    }
    const auto s = a.snapshot();
    CHECK(s->exposure.ticks_on == 4);
    CHECK(s->exposure.ticks_on_without_power == 3);
    CHECK(s->exposure.beam_energy_gwh == Approx(6e5 / 60 / 3600 / 1e9));
    CHECK(trend(*s, "beam_power").points.at(0).value == 6e5);
}

TEST_CASE("a dead-time interval that grows counts once", "[monitor][unit]") {
    Accumulator a;
    a.on_run(run());
    const std::int64_t second_ps = 1'000'000'000'000;
    a.on_dead_time({10, 69, 0, second_ps, 1, {}});
    a.on_dead_time({10, 69, 0, second_ps, 1, {}});
    CHECK(a.snapshot()->refused_triggers == 60);
    CHECK(a.snapshot()->dead_time_s == Approx(1));
    a.on_dead_time({10, 129, 0, 2 * second_ps, 1, {}});
    a.on_dead_time({5, 4, 0, 0, 1, {}});  // nonsense
    const auto s = a.snapshot();
    CHECK(s->refused_triggers == 120);
    CHECK(s->dead_time_s == Approx(2));
    CHECK(s->last_dead_time->last_sequence == 129);
}

TEST_CASE("alarms are kept by name, worst first, and logged newest first", "[monitor][unit]") {
    Accumulator a;
    a.on_alarm({"baseline", AlarmLevel::warning, true, 1, "a"});
    a.on_alarm({"trigger_rate", AlarmLevel::alarm, true, 2, "b"});
    a.on_alarm({"disk_low", AlarmLevel::warning, true, 3, "c"});
    a.on_alarm({"disk_low", AlarmLevel::warning, false, 4, "d"});
    auto s = a.snapshot();
    REQUIRE(s->alarms.size() == 2);
    CHECK(s->alarms[0].name == "trigger_rate");
    CHECK(s->alarms[1].name == "baseline");
    REQUIRE(s->alarm_log.size() == 4);
    CHECK(s->alarm_log.front().text == "d");
    for (int i = 0; i < 500; ++i) a.on_alarm({"flapping", AlarmLevel::info, i % 2 == 0, i, ""});
    CHECK(a.snapshot()->alarm_log.size() == 200);
}

TEST_CASE("an empty accumulator gives a snapshot that can be drawn", "[monitor][unit]") {
    const auto s = Accumulator{}.snapshot();
    CHECK(s->run == nullptr);
    CHECK_FALSE(s->status.has_value());
    CHECK(s->pe_on.coincident.edges.size() == 26);
    CHECK(s->pe_on.coincident.value.size() == 25);
    CHECK(s->arrival_on.difference.error.size() == 24);
    CHECK(s->pe_on.coincident.title == "coincident, beam on");
    CHECK(s->trends.size() == 9);
    CHECK(s->excess_history.size() == 1);
    CHECK(s->excess.li_ma == 0);
}

TEST_CASE("a configuration outside its ranges is refused", "[monitor][unit]") {
    MonitorConfig config;
    config.charge_pe.bins = 0;
    CHECK_THROWS_AS(Accumulator{config}, UsageError);
}
