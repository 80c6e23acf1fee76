#include <catch2/catch.hpp>
#include <cmath>
#include <numeric>

#include "monitor/accumulator.hpp"
#include "synthetic.hpp"

using namespace alleycat;
using namespace alleycat::synthetic;

// A station without AC windows, as liquid argon: ticks of the beam against strobe triggers.

namespace {

RunDescription run_with_strobes() {
    RunDescription r = run();
    r.profile = "lar";
    r.windows.pop_back();
    return r;
}

class Station {
  public:
    explicit Station(const MonitorConfig& config = {}) : accumulator{config} { accumulator.on_run(run_with_strobes()); }

    void tick(BeamState state, double charge_pe = 0, float power_w = 6e5F) {
        Event e = one_window(charge_pe);
        accumulator.on_event(e);
        accumulator.on_beam({e.sequence, power_w, state});
    }
    void strobe(double charge_pe = 0) {
        Event e = one_window(charge_pe);
        e.trigger_class = TriggerClass::strobe;
        accumulator.on_event(e);
    }

    Accumulator accumulator;

  private:
    Event one_window(double charge_pe) {
        Event e = event(next_++);
        if (charge_pe > 0) e = with_c(e, charge_pe, 1000);
        e.window_count = 1;
        return e;
    }
    std::uint64_t next_ = 0;
};

double total(const Spectrum& s) { return std::accumulate(s.value.begin(), s.value.end(), 0.0); }

}  // namespace

TEST_CASE("strobe triggers are the background of a station without AC windows", "[monitor][strobe]") {
    Station lar;
    // 30 ticks with beam, 4 of them in the box; 12 without and 3 no-beam cycles, 2 in the box; 6 strobes, 1 in the box.
    for (int i = 0; i < 30; ++i) lar.tick(BeamState::on, i < 4 ? 11 : 0);
    for (int i = 0; i < 12; ++i) lar.tick(BeamState::off, i < 1 ? 11 : 0);
    for (int i = 0; i < 3; ++i) lar.tick(BeamState::no_beam_cycle, i < 1 ? 11 : 0);
    lar.tick(BeamState::unknown, 11);
    for (int i = 0; i < 6; ++i) lar.strobe(i == 0 ? 11 : i == 1 ? 45 : 0);
    const auto s = lar.accumulator.snapshot();
    CHECK(s->background == Background::strobe);
    CHECK(s->exposure.strobes == 6);
    CHECK(s->exposure.ticks_on == 30);
    CHECK(s->excess.n_on == 4);
    CHECK(s->excess.n_off == 1);
    CHECK(s->excess.alpha == 5);  // 30 / 6
    CHECK(s->excess.excess == -1);
    CHECK(s->excess.error == Approx(std::sqrt(4 + 25.0)));
    CHECK(s->control.n_on == 2);
    CHECK(s->control.n_off == 1);
    CHECK(s->control.alpha == 2.5);  // (12 + 3) / 6
    CHECK(s->control.excess == -0.5);
    CHECK(s->control.error == Approx(std::sqrt(2 + 6.25)));

    // Bin 5 is 10 to 12 PE, bin 22 is 44 to 46.
    CHECK(s->pe_on.coincident.value[5] == 4);
    CHECK(s->pe_on.anticoincident.value[5] == 5);  // one strobe stands for five ticks
    CHECK(s->pe_on.anticoincident.error[5] == 5);
    CHECK(s->pe_on.anticoincident.value[22] == 5);
    CHECK(s->pe_on.difference.value[5] == -1);
    CHECK(s->pe_on.difference.error[5] == Approx(std::sqrt(29.0)));
    CHECK(s->pe_on.alpha == 5);
    CHECK(s->pe_off.difference.value[5] == -0.5);
    CHECK(s->arrival_on.difference.value[2] == -1);  // 1 us
    // Loose: 46 ticks of every state against 6 strobes.
    CHECK(s->pe_loose.alpha == Approx(46.0 / 6));
    CHECK(s->pe_loose.coincident.value[5] == 7);
    CHECK(s->pe_loose.anticoincident.value[5] == Approx(46.0 / 6));
    CHECK(s->pe_on.anticoincident.title == "strobe, beam on");
    CHECK(s->pe_on.difference.title == "coincident - strobe, beam on");
    CHECK(s->excess_history.back().excess == -1);
    CHECK(s->excess_history.back().control == -0.5);
    CHECK(s->cut_flow[0].rows == 52);
}

TEST_CASE("each point of the history has the exposures of its time", "[monitor][strobe]") {
    MonitorConfig config;
    config.history_step_kwh = 6e5 / 60 / 3.6e6 * 10;  // ten ticks of 600 kW
    Station lar{config};
    for (int i = 0; i < 5; ++i) lar.strobe(i == 0 ? 11 : 0);
    for (int i = 0; i < 15; ++i) lar.tick(BeamState::on, i < 3 ? 11 : 0);
    for (int i = 0; i < 5; ++i) lar.strobe();
    const auto s = lar.accumulator.snapshot();
    const auto& points = s->excess_history;
    REQUIRE(points.size() >= 3);
    CHECK(points[0].excess == Approx(1 - 1.0 / 5));               // after the first tick: 1 - 1/5 x 1
    CHECK(points[1].excess == Approx(3 - 10.0 / 5).margin(0.3));  // after ten or eleven
    CHECK(points.back().excess == Approx(3 - 15.0 / 10));
}

TEST_CASE("without a strobe or without beam nothing is compared, and nothing looks like an excess",
          "[monitor][strobe]") {
    Station lar;
    for (int i = 0; i < 10; ++i) lar.tick(BeamState::on, 11);
    auto s = lar.accumulator.snapshot();
    CHECK(s->background == Background::none);
    CHECK(s->excess.n_on == 10);
    CHECK(s->excess.n_off == 0);
    for (const double x : {s->excess.alpha, s->excess.excess, s->excess.error, s->excess.li_ma, s->excess.interval_low,
                           s->excess.interval_high, s->excess.upper_limit_90}) {
        CHECK(std::isnan(x));
    }
    CHECK(s->excess_history.empty());
    CHECK(total(s->pe_on.coincident) == 10);
    CHECK(std::isnan(s->pe_on.difference.value[5]));
    CHECK(total(s->pe_on.anticoincident) == 0);

    Station dark;
    dark.strobe(11);
    s = dark.accumulator.snapshot();
    CHECK(s->excess.n_off == 1);
    CHECK(std::isnan(s->excess.excess));
    CHECK(std::isnan(s->control.excess));
    CHECK(total(s->pe_on.anticoincident) == 1);  // as counted: no exposure to scale it to
}

TEST_CASE("a strobe without its signal is exposure and nothing else", "[monitor][strobe]") {
    Station lar;
    lar.tick(BeamState::on, 11);
    Event blind = event(1);
    blind.trigger_class = TriggerClass::strobe;
    blind.window_count = 1;
    blind.window[0].cuts = 0;
    blind.flags = trigger_flag::missing_channel;
    lar.accumulator.on_event(blind);
    const auto s = lar.accumulator.snapshot();
    CHECK(s->exposure.strobes == 1);
    CHECK(s->excess.n_off == 0);
    CHECK(s->excess.alpha == 1);
}

TEST_CASE("strobes between the ticks change nothing in the rate of ticks, however few were seen", "[monitor][strobe]") {
    Station lar;
    // The synthetic clock gives 60 triggers per second: here a tick and a strobe in turn.
    for (int i = 0; i < 4; ++i) {
        lar.tick(BeamState::on);
        lar.strobe();
    }
    CHECK(lar.accumulator.conditions().tick_rate_hz == Approx(30));
    CHECK(lar.accumulator.conditions().tick_rate_span_s == Approx(0.1));  // three times from tick to tick
    for (int i = 0; i < 1200; ++i) {
        lar.tick(BeamState::on);
        lar.strobe();
    }
    CHECK(lar.accumulator.conditions().tick_rate_hz == Approx(30));
    lar.strobe();
    CHECK(lar.accumulator.conditions().tick_rate_hz == Approx(30));

    Station dark;  // without a tick nothing is known of their rate
    for (int i = 0; i < 100; ++i) dark.strobe();
    CHECK(dark.accumulator.conditions().tick_rate_span_s == 0);
}
