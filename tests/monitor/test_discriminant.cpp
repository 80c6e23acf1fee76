#include <catch2/catch.hpp>
#include <cmath>
#include <limits>
#include <numeric>
#include <utility>

#include "monitor/accumulator.hpp"
#include "synthetic.hpp"

using namespace alleycat;
using namespace alleycat::synthetic;

namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
using V = std::vector<double>;

/// Rise time in two rows of 500 ns against charge in three columns of 10 PE.
MonitorConfig rise_against_charge() {
    MonitorConfig config;
    config.discriminant.feature = "rise_10_90_ns";
    config.discriminant.bins = {0, 500, 2};
    config.discriminant.against_bins = {0, 10, 3};
    return config;
}

Event with_rise(Event e, std::size_t window, double charge_pe, double rise_ns, std::uint32_t cuts = 0,
                double arrival_ns = 1000) {
    set_window(e.window[window], charge_pe, arrival_ns, cuts);
    e.window[window].set(Feature::rise_10_90_ns, rise_ns);
    return e;
}

double total(const Spectrum2D& map) { return std::accumulate(map.counts.begin(), map.counts.end(), 0.0); }

}  // namespace

TEST_CASE("the discriminant is counted by role and selection, row by row", "[monitor][discriminant]") {
    Accumulator a{rise_against_charge()};
    a.on_run(run());
    a.on_event(with_rise(event(0), 0, 5, 100));               // column 0, row 0
    a.on_event(with_rise(event(1), 0, 15, 500));              // column 1, row 1: its lower edge
    a.on_event(with_rise(event(2), 0, 25, 999, kPretrace));   // column 2, row 1, but cut
    a.on_event(with_rise(event(3), 1, 15, 20));               // AC: column 1, row 0
    a.on_event(with_rise(event(4), 0, 30, 20));               // beyond the charges
    a.on_event(with_rise(event(5), 0, 5, 1000));              // beyond the rise times
    a.on_event(with_rise(event(6), 0, 5, kNan));              // has none
    a.on_event(with_rise(event(7), 0, 5, 100, kDoesNotFit));  // no arrival that fits
    a.on_event(with_rise(event(8), 0, 5, 100, 0, 7000));      // accepted, after the box
    auto s = a.snapshot();
    const DiscriminantMaps& loose = s->discriminant.loose;
    CHECK(s->discriminant.problem.empty());
    CHECK(loose.coincident.counts == V{2, 0, 0, 0, 1, 1});
    CHECK(loose.anticoincident.counts == V{0, 1, 0, 0, 0, 0});
    CHECK(loose.both.counts == V{2, 1, 0, 0, 1, 1});
    CHECK(loose.coincident.outside == 2);
    CHECK(loose.coincident.undefined == 1);
    CHECK(loose.coincident.x_edges == V{0, 10, 20, 30});
    CHECK(loose.coincident.y_edges == V{0, 500, 1000});
    CHECK(loose.coincident.x_axis == "charge [PE]");
    CHECK(loose.coincident.y_axis == "rise_10_90 [ns]");
    CHECK(loose.coincident.title == "coincident, loose");
    CHECK(loose.both.title == "coincident and anticoincident, loose");
    CHECK(loose.projection.coincident.value == V{2, 2});
    CHECK(loose.projection.anticoincident.value == V{1, 0});
    CHECK(loose.projection.difference.value == V{1, 2});
    CHECK(loose.projection.difference.error[0] == Approx(std::sqrt(3.0)));
    CHECK(total(s->discriminant.on.both) == 0);  // no beam state is known yet

    for (std::uint64_t i = 0; i < 9; ++i) a.on_beam({i, 1e6F, i == 0 ? BeamState::off : BeamState::on});
    s = a.snapshot();
    const DiscriminantMaps& on = s->discriminant.on;
    CHECK(on.coincident.counts == V{0, 0, 0, 0, 1, 0});  // the first had no beam, the third was cut, the last is late
    CHECK(on.anticoincident.counts == V{0, 1, 0, 0, 0, 0});
    CHECK(on.coincident.outside == 2);
    CHECK(on.coincident.undefined == 1);
}

TEST_CASE("a profile's own feature is found by its name, and an absent one is named", "[monitor][discriminant]") {
    MonitorConfig config = rise_against_charge();
    config.discriminant.feature = "f90";
    config.discriminant.bins = {0, 0.25, 4};
    config.discriminant.title = "F90, prompt share";
    Accumulator a{config};
    a.on_run(run());
    CHECK(a.snapshot()->discriminant.problem == "the run has no feature 'f90'");
    a.on_event(with_c(event(0), 5, 1000));
    CHECK(total(a.snapshot()->discriminant.loose.both) == 0);

    RunDescription lar = run(2);
    lar.profile = "lar";
    lar.features.push_back({"mean_time_ns", "ns", FeatureType::f64, ""});
    lar.features.push_back({"f90", "", FeatureType::f64, ""});
    a.on_run(lar);
    Event e = with_c(event(0), 5, 1000);
    e.feature_count = kCoreFeatures + 2;
    e.window[0].value[kCoreFeatures + 1] = 0.7;
    a.on_event(e);
    a.on_event(with_c(event(1), 5, 1000));  // an event without the column: no value
    const auto s = a.snapshot();
    CHECK(s->discriminant.problem.empty());
    CHECK(s->discriminant.loose.coincident.y_axis == "F90, prompt share");
    CHECK(s->discriminant.loose.coincident.counts == V{0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0});  // row 2, column 0
    CHECK(s->discriminant.loose.coincident.undefined == 1);
}

TEST_CASE("without a discriminant the view says so and holds nothing", "[monitor][discriminant]") {
    const auto s = Accumulator{}.snapshot();
    CHECK(s->discriminant.problem == "the station file names no discriminant: [monitor.discriminant]");
    CHECK(s->discriminant.loose.both.counts.empty());
}

TEST_CASE("the profile's cuts on either feature become lines", "[monitor][discriminant]") {
    MonitorConfig config;
    config.discriminant.feature = "rise_10_90_ns";
    config.discriminant.against = "t50_ns";
    Accumulator a{config};
    RunDescription r = run();
    r.config_text = R"([[trigger.cut]]
name = "veto"
flag = "muon_veto"
[[trigger.cut]]
name = "pretrace"
feature = "pretrace_peaks"
max = 3
[[trigger.cut]]
name = "order"
feature = "t50_ns"
below = "rise_10_90_ns"
[[trigger.cut]]
name = "t0_50"
feature = "t50_ns"
min = 200
max = 2500
[[trigger.cut]]
name = "t10_90"
feature = "rise_10_90_ns"
max = 2850
[[trigger.cut]]
name = "choice"
any = [{feature = "t50_ns", min = 8}, {feature = "charge_pe", min = 30}]
)";
    a.on_run(r);
    using enum CutLine::Along;
    CHECK(a.snapshot()->discriminant.cuts ==
          std::vector<CutLine>{{"order", diagonal, 0}, {"t0_50", x, 200}, {"t0_50", x, 2500}, {"t10_90", y, 2850}});
    r.run = 2;
    r.config_text = "no station";
    a.on_run(r);
    CHECK(a.snapshot()->discriminant.cuts.empty());
}

TEST_CASE("charge is called by the unit of the run's schema", "[monitor][unit]") {
    Accumulator a{rise_against_charge()};
    RunDescription r = run();
    a.on_run(r);
    CHECK(a.snapshot()->charge_unit == "PE");
    CHECK(a.snapshot()->pe_loose.coincident.axis == "charge [PE]");
    r.run = 2;
    r.features[static_cast<std::size_t>(Feature::charge_pe)].unit = "adc*sample";
    a.on_run(r);
    CHECK(a.snapshot()->charge_unit == "ADC·sample");
    r.run = 3;
    r.features[static_cast<std::size_t>(Feature::charge_pe)].unit = "keVee";
    a.on_run(r);
    CHECK(a.snapshot()->charge_unit == "keVee");
    CHECK(a.snapshot()->pe_on.coincident.axis == "charge [keVee]");
    CHECK(a.snapshot()->discriminant.loose.coincident.x_axis == "charge [keVee]");
}

TEST_CASE("the maps of a quiet detector cost little in the state", "[monitor][discriminant]") {
    MonitorConfig config;
    const std::size_t without = Accumulator{config}.state().size();
    config.discriminant.feature = "rise_10_90_ns";
    config.discriminant.bins = {0, 10, 200};
    config.discriminant.against_bins = {0, 1, 200};
    Accumulator a{config};
    CHECK(a.state().size() < without + 100);  // four maps of 40,000 cells: one run of empty cells each
    a.on_run(run());
    const std::size_t before = a.state().size();
    for (std::uint64_t i = 0; i < 1000; ++i) {
        a.on_event(with_rise(event(i), 0, static_cast<double>(i % 200), 10 * static_cast<double>(i / 5)));
        a.on_beam({i, 0, BeamState::unknown});
    }
    CHECK(a.state().size() < before + 1000 * 4 + 1000);  // two or three bytes per cell that is not empty, and a trend
}
