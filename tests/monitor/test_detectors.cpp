#include <catch2/catch.hpp>
#include <cmath>

#include "monitor/accumulator.hpp"
#include "synthetic.hpp"

using namespace alleycat;
using namespace alleycat::synthetic;

namespace {

RunDescription run_of_three(std::uint64_t number = 1) {
    RunDescription r = run(number);
    r.profile = "nai";
    r.windows.pop_back();
    r.detectors = {"north", "middle", "south"};
    return r;
}

Event hit(std::uint64_t sequence, std::uint16_t detector, double charge_pe, double time_s) {
    Event e = with_c(event(sequence), charge_pe, 1000);
    e.trigger_class = TriggerClass::hit;
    e.window_count = 1;
    e.detector = detector;
    e.time_ps = std::llround(time_s * 1e12);
    return e;
}

}  // namespace

TEST_CASE("each detector has its rate over the newest complete interval and its mean charge", "[monitor][detectors]") {
    Accumulator a;  // intervals of 10 s
    a.on_run(run_of_three());
    std::uint64_t n = 0;
    // 10 s: the first detector 4 times per second, the second once, the third never.
    for (int i = 0; i < 50; ++i) {
        const bool middle = i % 5 == 4;
        a.on_event(hit(n++, middle ? 1 : 0, middle ? 20 : i % 2 == 0 ? 9 : 11, 0.2 * i));
    }
    auto s = a.snapshot();
    REQUIRE(s->detectors.size() == 3);
    CHECK(s->detectors[0].name == "north");
    CHECK(s->detectors[0].events == 40);
    CHECK(s->detectors[0].rate_hz == Approx(40 / 9.8));  // the first interval, as far as it has come
    CHECK(s->detectors[1].mean_charge == Approx(20));
    CHECK(s->detectors[1].mean_charge_error == 0);
    CHECK(s->detectors[0].mean_charge == Approx(10));
    CHECK(std::isnan(s->detectors[2].mean_charge));

    a.on_event(hit(n++, 2, 5, 10));  // begins the next interval
    a.on_event(hit(n++, 2, 5, 11));
    s = a.snapshot();
    CHECK(s->detectors[0].rate_hz == Approx(4));
    CHECK(s->detectors[0].rate_error_hz == Approx(std::sqrt(40.0) / 10));
    CHECK(s->detectors[1].rate_hz == Approx(1));
    CHECK(s->detectors[2].rate_hz == 0);  // not in the complete one
    CHECK(s->detectors[2].events == 2);
}

TEST_CASE("a detector that gives nothing while the others do is silent, in the alarms too", "[monitor][detectors]") {
    Accumulator a;
    a.on_run(run_of_three());
    std::uint64_t n = 0;
    const auto both = [&](int times) {
        for (int i = 0; i < times; ++i, ++n) a.on_event(hit(n, n % 2 == 0 ? 0 : 2, 10, 0.01 * static_cast<double>(n)));
    };
    both(149);  // 49.7 for each of three
    CHECK(a.conditions().silent_detectors.empty());
    both(1);
    CHECK(a.conditions().silent_detectors == std::vector<std::string>{"middle"});
    CHECK(a.snapshot()->detectors[1].silent);
    CHECK_FALSE(a.snapshot()->detectors[0].silent);
    a.on_event(hit(n, 1, 10, 0.01 * static_cast<double>(n)));
    CHECK(a.conditions().silent_detectors.empty());

    MonitorConfig never;
    never.alarms.silent_detector_events = 0;
    Accumulator b{never};
    b.on_run(run_of_three());
    for (std::uint64_t i = 0; i < 1000; ++i) b.on_event(hit(i, 0, 10, 0.01 * static_cast<double>(i)));
    CHECK(b.conditions().silent_detectors.empty());
}

TEST_CASE("a calibration belongs to its detector, and a new run begins anew", "[monitor][detectors]") {
    Accumulator a;
    a.on_run(run_of_three());
    Calibration calibration{0, 72, 0.5, 1.1};
    calibration.detector = 2;
    a.on_calibration(calibration);
    calibration.detector = 9;  // there is none
    a.on_calibration(calibration);
    a.on_event(hit(0, 0, 10, 0));
    a.on_event(hit(1, 7, 10, 0.1));  // nor this one
    auto s = a.snapshot();
    CHECK(s->detectors[2].spe_charge_adc == 72);
    CHECK(s->detectors[2].spe_charge_error_adc == 0.5);
    CHECK(s->detectors[0].spe_charge_adc == 0);
    CHECK(s->detectors[0].events == 1);
    CHECK(s->events == 2);
    a.on_run(run_of_three(2));
    s = a.snapshot();
    CHECK(s->detectors[0].events == 0);
    CHECK(s->detectors[2].spe_charge_adc == 0);
    a.on_run(run(3));
    CHECK(a.snapshot()->detectors.empty());
}
