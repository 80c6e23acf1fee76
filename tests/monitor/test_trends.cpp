#include <catch2/catch.hpp>
#include <cmath>

#include "monitor/accumulator.hpp"
#include "monitor/excess_history.hpp"
#include "monitor/trend_table.hpp"
#include "synthetic.hpp"

using namespace alleycat;
using namespace alleycat::synthetic;

namespace {

const Trend& named(const std::vector<Trend>& trends, std::string_view name) {
    for (const Trend& t : trends) {
        if (t.name == name) return t;
    }
    FAIL("no trend " << name);
    return trends.front();
}

}  // namespace

TEST_CASE("a trend has one point per interval of event time", "[monitor][unit]") {
    TrendTable table{10, 100};
    for (std::uint64_t i = 0; i < 1800; ++i) {  // 30 s
        Event e = event(i);
        e.baseline_median_adc = i < 600 ? 100 : 102;
        if (i % 100 == 0) e.flags = trigger_flag::muon_veto;
        table.add(e, i % 2 == 0 ? 2 : 4);
    }
    const std::vector<Trend> trends = table.trends(60);
    const Trend& baseline = named(trends, "baseline_median");
    REQUIRE(baseline.points.size() == 3);
    CHECK(baseline.points[0].value == 100);
    CHECK(baseline.points[1].value == 102);
    CHECK(baseline.points[0].utc_ns == Approx(static_cast<double>(kStart + 5 * kSecond)).margin(2e7));
    CHECK(baseline.unit == "ADC");
    const Trend& veto = named(trends, "veto_percent");
    CHECK(veto.points[0].value == Approx(1));  // 6 of 600
    CHECK(veto.points[0].error == Approx(100 * std::sqrt(0.01 * 0.99 / 600)));
    const Trend& pretrace = named(trends, "pretrace_peaks");
    CHECK(pretrace.points[0].value == 3);
    CHECK(pretrace.points[0].error == Approx(1 / std::sqrt(599.0)));  // standard deviation 1
    for (const TrendPoint& p : named(trends, "trigger_rate").points) CHECK(p.value == Approx(60));
    CHECK(named(trends, "overflow_percent").points[0].value == 0);
    CHECK(named(trends, "beam_power").points.empty());
}

TEST_CASE("the trigger rate counts refused triggers and shows a gap", "[monitor][unit]") {
    TrendTable table{10, 100};
    for (std::uint64_t i = 0; i < 600; ++i) {
        if (i >= 100 && i < 200) continue;  // refused: their numbers were given
        table.add(event(i), 0);
    }
    Event late = event(600);  // 20 s later
    late.time_ps += 20'000'000'000'000;
    late.utc_ns += 20 * kSecond;
    table.add(late, 0);
    const Trend rate = named(table.trends(60), "trigger_rate");
    REQUIRE(rate.points.size() == 2);
    CHECK(rate.points[0].value == Approx(60));
    CHECK(rate.points[1].value == Approx(1 / (20 + 1 / 60.0)));
}

TEST_CASE("no rate is drawn across two runs", "[monitor][unit]") {
    TrendTable table{10, 100};
    table.add(event(1000), 0);
    table.start_run();
    table.add(event(0), 0);
    table.add(event(1), 0);
    const auto trends = table.trends(60);
    REQUIRE(named(trends, "trigger_rate").points.size() == 1);
    CHECK(named(trends, "trigger_rate").points[0].value == Approx(60));
    CHECK(named(trends, "baseline_median").points.size() == 2);
}

TEST_CASE("a source without ticks has a Poisson error on its rate", "[monitor][unit]") {
    TrendTable table{10, 100};
    for (std::uint64_t i = 0; i <= 400; ++i) table.add(event(i), 0);
    const auto trends = table.trends(0);
    CHECK(named(trends, "trigger_rate").points[0].error == Approx(20 / (400 / 60.0)));
}

TEST_CASE("months of trends stay within their points, without losing an event", "[monitor][unit]") {
    TrendTable table{10, 50};
    std::uint64_t sequence = 0;
    for (int i = 0; i < 100'000; ++i) {  // 11 days, one event per interval
        Event e = event(sequence);
        sequence += 600;
        e.time_ps = i * 10'000'000'000'000;
        e.utc_ns = kStart + i * 10 * kSecond;
        e.baseline_median_adc = i < 50'000 ? 100 : 101;
        const std::uint64_t row = table.add(e, 1);
        table.add_beam_power(row, 1e6);
        REQUIRE(table.rows() <= 50);
    }
    const auto trends = table.trends(60);
    const auto& points = named(trends, "baseline_median").points;
    REQUIRE(points.size() <= 50);
    REQUIRE(points.size() >= 35);
    CHECK(points.front().value == 100);
    CHECK(points.back().value == 101);
    for (std::size_t i = 1; i < points.size(); ++i) CHECK(points[i].utc_ns > points[i - 1].utc_ns);
    // The newest half is as fine as it was taken.
    CHECK(points[points.size() - 1].utc_ns - points[points.size() - 20].utc_ns == 19 * 10 * kSecond);
    // Old ones are evenly merged: none covers more than a fifth of the time.
    for (std::size_t i = 1; i < points.size(); ++i) CHECK(points[i].utc_ns - points[i - 1].utc_ns < 200'000 * kSecond);
    for (const TrendPoint& p : named(trends, "trigger_rate").points) CHECK(p.value == Approx(60));
    for (const TrendPoint& p : named(trends, "beam_power").points) CHECK(p.value == 1e6);
}

TEST_CASE("trends survive a host clock that jumps about", "[monitor][unit]") {
    TrendTable table{10, 20};
    for (std::uint64_t i = 0; i < 2000; ++i) {
        Event e = event(i);
        if (i % 3 == 1) e.utc_ns = std::numeric_limits<std::int64_t>::max();
        if (i % 3 == 2) e.utc_ns = std::numeric_limits<std::int64_t>::min();
        table.add(e, 0);
        REQUIRE(table.rows() <= 20);
    }
    const auto trends = table.trends(60);
    for (const TrendPoint& p : named(trends, "baseline_median").points) CHECK(p.value == 100);
}

TEST_CASE("beam power belongs to the interval of its event, however late it comes", "[monitor][unit]") {
    Accumulator a;
    a.on_run(run());
    for (std::uint64_t i = 0; i < 1200; ++i) a.on_event(event(i));
    for (std::uint64_t i = 0; i < 1200; ++i)
        a.on_beam({i, i < 600 ? 1e6F : 0.0F, i < 600 ? BeamState::on : BeamState::off});
    const auto s = a.snapshot();
    const auto& power = named(s->trends, "beam_power").points;
    REQUIRE(power.size() == 2);
    CHECK(power[0].value == 1e6);
    CHECK(power[1].value == 0);
}

TEST_CASE("the history of the excess keeps even steps of beam energy within its points", "[monitor][unit]") {
    ExcessHistory history{1e-6, 100};
    ExcessTotals totals;
    double gwh = 0;
    for (int i = 0; i < 200'000; ++i) {
        gwh += 1e-7;
        if (i % 1000 == 0) ++totals.box.coincident_on;
        if (i % 2000 == 0) ++totals.box.background_on;
        history.advance(gwh, totals);
        REQUIRE(history.size() <= 100);
    }
    const std::vector<ExcessPoint> points =
        history.points([](const ExcessTotals&) { return ExposureRatio{}; }, gwh, totals);
    REQUIRE(points.size() >= 50);
    CHECK(points.back().beam_energy_gwh == Approx(0.02));
    CHECK(points.back().excess == 100);  // 200 - 100
    CHECK(points.back().error == Approx(std::sqrt(300.0)));
    const double step = points[2].beam_energy_gwh - points[1].beam_energy_gwh;
    for (std::size_t i = 2; i + 1 < points.size(); ++i) {
        CHECK(points[i].beam_energy_gwh - points[i - 1].beam_energy_gwh == Approx(step).epsilon(0.01));
        CHECK(points[i].excess == Approx(points[i].beam_energy_gwh / 0.02 * 100).margin(2));
    }
}
