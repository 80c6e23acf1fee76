#include <catch2/catch.hpp>

#include <cmath>
#include <limits>

#include "daq/core/event.hpp"
#include "daq/run/tick_tracker.hpp"

using namespace alleycat;

namespace {

constexpr std::int64_t kPeriod = 16'666'200'000;  // as the mains made it in the SNS's dumps; 1/60 s is 16'666'666'667
constexpr std::int64_t kMicrosecond = 1'000'000;

/// A tracker with its counters, fed in units of the period.
struct Signal {
    explicit Signal(TickConfig config = {}) : tracker{config, counters} {}

    TickVerdict at(double periods) { return tracker.add(start + std::llround(periods * double(kPeriod))); }
    /// Ticks number first .. last, all good.
    void regular(int first, int last) {
        for (int i = first; i <= last; ++i) REQUIRE(at(i) == TickVerdict{});
    }
    std::uint64_t count(const char* name) { return counters.get(std::string{"ticks."} + name).value(); }

    CounterRegistry counters;
    TickTracker tracker;
    std::int64_t start = 123'456'789;
};

}  // namespace

TEST_CASE("ticks that follow the mains are all good, far from 1/60 s after a while", "[run][unit]") {
    Signal signal;
    std::int64_t time = 0;
    for (int i = 0; i < 100'000; ++i) {
        REQUIRE(signal.tracker.add(time) == TickVerdict{});
        time += 16'666'200'000 + (i / 3'600 % 2 == 0 ? 100'000 : -100'000);  // 16,666,100 to 16,666,300 ns
    }
    // 100,000 ticks at 1/60 s would be 45 ms, 2.7 periods, away from here.
    REQUIRE(signal.tracker.period_ps() == Approx(16'666'200'000.).margin(150'000));
    for (const char* name : {"missing", "duplicate", "backwards", "out_of_phase", "phase_jumps"}) {
        REQUIRE(signal.count(name) == 0);
    }
}

TEST_CASE("mains a thousandth off the nominal rate are followed from the first tick", "[run][unit]") {
    for (const double off : {0.999, 1.001}) {
        Signal signal;
        for (int i = 0; i < 1'000; ++i) REQUIRE(signal.at(i * off) == TickVerdict{});
        REQUIRE(signal.tracker.period_ps() == Approx(off * double(kPeriod)).epsilon(1e-6));
    }
}

TEST_CASE("missing ticks are counted and the next one tells of them", "[run][unit]") {
    Signal signal;
    signal.regular(0, 20);
    REQUIRE(signal.at(24) == TickVerdict{trigger_flag::after_missing_tick, 3});
    REQUIRE(signal.at(25) == TickVerdict{});
    REQUIRE(signal.at(85) == TickVerdict{trigger_flag::after_missing_tick, 59});
    REQUIRE(signal.count("missing") == 62);
}

TEST_CASE("a second tick of the same pulse is a duplicate and changes nothing", "[run][unit]") {
    Signal signal;
    signal.regular(0, 20);
    REQUIRE(signal.at(20) == TickVerdict{trigger_flag::duplicate_tick, 0});       // the record delivered twice
    REQUIRE(signal.at(20.0001) == TickVerdict{trigger_flag::duplicate_tick, 0});  // a reflection, 1.7 us later
    signal.regular(21, 30);
    REQUIRE(signal.count("duplicate") == 2);
    REQUIRE(signal.count("missing") == 0);
}

TEST_CASE("a tick stamped early onto the last good one is no duplicate behind a distrusted one", "[run][unit]") {
    Signal signal;
    signal.regular(0, 20);
    REQUIRE(signal.at(21.4).flags == trigger_flag::tick_out_of_phase);   // tick 21
    REQUIRE(signal.at(20.05).flags == trigger_flag::tick_out_of_phase);  // tick 22, two periods early
    REQUIRE(signal.at(23) == TickVerdict{});
    REQUIRE(signal.count("duplicate") == 0);
    REQUIRE(signal.count("missing") == 0);
}

TEST_CASE("a tick before the one before is backwards and stands for the one in its place", "[run][unit]") {
    Signal signal;
    signal.regular(0, 20);
    REQUIRE(signal.at(15) == TickVerdict{trigger_flag::tick_backwards, 0});  // instead of tick 21
    REQUIRE(signal.at(22) == TickVerdict{});
    REQUIRE(signal.at(21.99) == TickVerdict{trigger_flag::tick_backwards, 0});
    signal.regular(23, 30);
    REQUIRE(signal.count("backwards") == 2);
    REQUIRE(signal.count("missing") == 0);
}

TEST_CASE("a tick between two is out of phase, and so is one that comes instead of another", "[run][unit]") {
    Signal signal;
    signal.regular(0, 20);
    REQUIRE(signal.at(20.4) == TickVerdict{trigger_flag::tick_out_of_phase, 0});  // noise on the line
    signal.regular(21, 22);
    REQUIRE(signal.at(23.3) == TickVerdict{trigger_flag::tick_out_of_phase, 0});  // late by 0.3 periods
    signal.regular(24, 30);
    REQUIRE(signal.count("out_of_phase") == 2);
    REQUIRE(signal.count("missing") == 0);
}

TEST_CASE("how far a tick may be off: 20 us, and 1e-4 of the time since the last good one", "[run][unit]") {
    // By hand: tolerance after n periods = 20 us + n x 1.66662 us once 16 periods are measured.
    const auto verdict_at = [](int n, std::int64_t off_us) {
        Signal signal;
        signal.regular(0, 40);
        return signal.tracker.add(signal.start + (40 + n) * kPeriod + off_us * kMicrosecond);
    };
    REQUIRE(verdict_at(1, 21) == TickVerdict{});
    REQUIRE(verdict_at(1, -21) == TickVerdict{});
    REQUIRE(verdict_at(1, 22).flags == trigger_flag::tick_out_of_phase);
    REQUIRE(verdict_at(1, -22).flags == trigger_flag::tick_out_of_phase);
    REQUIRE(verdict_at(60, 119) == TickVerdict{trigger_flag::after_missing_tick, 59});
    REQUIRE(verdict_at(60, 121).flags == trigger_flag::tick_out_of_phase);
    // After 42 s (2500 periods, a quarter of a period) nobody can tell: the tick is believed.
    REQUIRE(verdict_at(2'500, 3'000) == TickVerdict{trigger_flag::after_missing_tick, 2'499});
}

TEST_CASE("a phase that changed for good is the new one at its fifth tick", "[run][unit]") {
    Signal signal;
    signal.regular(0, 20);
    for (int i = 0; i < 4; ++i) REQUIRE(signal.at(21.3 + i).flags == trigger_flag::tick_out_of_phase);
    for (int i = 4; i < 20; ++i) REQUIRE(signal.at(21.3 + i) == TickVerdict{});
    REQUIRE(signal.at(41).flags == trigger_flag::tick_out_of_phase);  // the old phase is gone
    REQUIRE(signal.count("phase_jumps") == 1);
    REQUIRE(signal.count("missing") == 0);
}

TEST_CASE("a clock that began anew is followed too, whatever the phase", "[run][unit]") {
    Signal signal;
    signal.regular(1'000, 1'020);
    for (int i = 0; i < 4; ++i) REQUIRE(signal.at(3 + i).flags == trigger_flag::tick_backwards);
    for (int i = 4; i < 20; ++i) REQUIRE(signal.at(3 + i) == TickVerdict{});
    REQUIRE(signal.count("backwards") == 4);
    REQUIRE(signal.count("phase_jumps") == 1);
}

TEST_CASE("ticks missing while the phase changes are counted once it has", "[run][unit]") {
    Signal signal;
    signal.regular(0, 20);
    REQUIRE(signal.at(23.3).flags == trigger_flag::tick_out_of_phase);  // 21 and 22 did not come
    REQUIRE(signal.at(25.3).flags == trigger_flag::tick_out_of_phase);  // 24 neither
    REQUIRE(signal.at(26.3).flags == trigger_flag::tick_out_of_phase);
    REQUIRE(signal.at(27.3).flags == trigger_flag::tick_out_of_phase);
    REQUIRE(signal.count("missing") == 0);
    REQUIRE(signal.at(28.3) == TickVerdict{trigger_flag::after_missing_tick, 3});
    REQUIRE(signal.count("missing") == 3);
}

TEST_CASE("what is missing where the phase changes is told by numbers, if there are any", "[run][unit]") {
    const auto missing = [](std::optional<std::uint64_t> last, std::optional<std::uint64_t> first_of_new) {
        Signal signal;
        signal.regular(0, 19);
        REQUIRE(signal.tracker.add(signal.start + 20 * kPeriod, last) == TickVerdict{});
        std::uint64_t total = 0;
        for (int i = 0; i < 5; ++i) {  // a clock that was set back by one and a half periods
            const std::int64_t time = signal.start + 20 * kPeriod + kPeriod / 2 + i * kPeriod;
            const auto number = first_of_new ? std::optional{*first_of_new + static_cast<std::uint64_t>(i)} : std::nullopt;
            total += signal.tracker.add(time, number).missing;
        }
        REQUIRE(signal.count("phase_jumps") == 1);
        REQUIRE(signal.count("missing") == total);
        return total;
    };
    CHECK(missing(120, 122) == 1);
    CHECK(missing(120, 131) == 10);
    CHECK(missing(120, 121) == 0);
    CHECK(missing(120, 3) == 0);  // it counts anew: by the time, half a period
    CHECK(missing(std::nullopt, std::nullopt) == 0);
}

TEST_CASE("noise at the signal's own rate never becomes its phase while the signal is there", "[run][unit]") {
    Signal signal;
    signal.regular(0, 20);
    for (int i = 21; i < 200; ++i) {
        REQUIRE(signal.at(i) == TickVerdict{});
        REQUIRE(signal.at(i + 0.4).flags == trigger_flag::tick_out_of_phase);
    }
    REQUIRE(signal.count("phase_jumps") == 0);
}

TEST_CASE("a tick of unknown time is neither missing nor judged", "[run][unit]") {
    Signal signal;
    signal.regular(0, 20);
    signal.tracker.add_without_time();
    signal.tracker.add_without_time();
    REQUIRE(signal.at(23) == TickVerdict{});
    signal.tracker.add_without_time();
    REQUIRE(signal.at(26) == TickVerdict{trigger_flag::after_missing_tick, 1});
}

TEST_CASE("refused ticks are there, and what is missing among them is known before a good one comes", "[run][unit]") {
    Signal signal;
    REQUIRE(signal.tracker.add_refused(signal.start) == 0);  // a run may begin with one
    signal.regular(1, 20);
    const auto refused = [&](double periods) {
        return signal.tracker.add_refused(signal.start + std::llround(periods * double(kPeriod)));
    };
    REQUIRE(refused(21) == 0);
    REQUIRE(refused(22.4) == 0);  // interpolated in a file
    REQUIRE(refused(25) == 2);    // 23 and 24 did not come
    REQUIRE(signal.count("missing") == 0);
    REQUIRE(signal.at(27) == TickVerdict{trigger_flag::after_missing_tick, 3});
    REQUIRE(signal.count("missing") == 3);
}

TEST_CASE("a signal that comes only with beam has gaps that are no defect", "[run][unit]") {
    Signal signal{{.gaps_are_missing = false}};
    signal.regular(0, 20);
    REQUIRE(signal.at(620) == TickVerdict{});
    REQUIRE(signal.at(620.5).flags == trigger_flag::tick_out_of_phase);
    REQUIRE(signal.count("missing") == 0);
}

TEST_CASE("stamps of a hundredth of a second accuse nobody", "[run][unit]") {
    Signal signal{{.time_resolution_ps = 10'000'000'000}};
    for (std::int64_t i = 0; i < 600; ++i) {
        const std::int64_t time = i * kPeriod / 10'000'000'000 * 10'000'000'000;  // 0, 10, 30, 40, 60 ms ...
        REQUIRE(signal.tracker.add(time) == TickVerdict{});
    }
    REQUIRE(signal.tracker.add(20'000'000'000'000).missing > 500);  // 10 s of silence are seen all the same
}

TEST_CASE("without a timing signal nothing is judged", "[run][unit]") {
    Signal signal{{.rate_hz = 0}};
    for (const double t : {0.0, 0.3, 0.2, 0.2, 17.0}) REQUIRE(signal.at(t) == TickVerdict{});
}

TEST_CASE("times at the ends of their type give a verdict, not a crash", "[run][hostile]") {
    Signal signal;
    constexpr std::int64_t lowest = std::numeric_limits<std::int64_t>::min();
    constexpr std::int64_t highest = std::numeric_limits<std::int64_t>::max();
    for (const std::int64_t time : {highest, lowest, std::int64_t{0}, lowest, highest, highest, lowest}) {
        (void)signal.tracker.add(time);
    }
    SUCCEED();
}
