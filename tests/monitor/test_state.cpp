#include <algorithm>
#include <catch2/catch.hpp>
#include <cstring>
#include <random>

#include "daq/core/bytes.hpp"
#include "daq/core/frame.hpp"
#include "monitor/accumulator.hpp"
#include "synthetic.hpp"

using namespace alleycat;
using namespace alleycat::synthetic;

namespace {

/// What a story is about: C and AC in every tick; beam ticks against strobes; hits of three detectors.
enum class Station { pulse_windows, strobes, detectors };

RunDescription run_of(Station station, std::uint64_t number) {
    RunDescription r = run(number);
    if (station != Station::pulse_windows) r.windows.pop_back();
    if (station == Station::detectors) r.detectors = {"nai1", "nai2", "nai3"};
    return r;
}

/// A few thousand messages in an order that may come: events with gaps, late and missing beam states, restarts,
/// everything that a monitor can hear, from one seed.
class Story {
  public:
    explicit Story(std::uint32_t seed, Station station = Station::pulse_windows) : station_{station}, random_{seed} {}

    void tell(EventSink& sink, int messages) {
        for (int i = 0; i < messages; ++i) next(sink);
    }

  private:
    double uniform(double low, double high) { return std::uniform_real_distribution{low, high}(random_); }
    int pick(int n) { return std::uniform_int_distribution{0, n - 1}(random_); }

    void next(EventSink& sink) {
        const int what = pick(200);
        if (run_ == 0 || what == 0) {
            sink.on_run(run_of(station_, ++run_));
            sequence_ = 0;
            waiting_.clear();
        } else if (what < 120) {
            sink.on_event(make_event());
        } else if (what < 185) {
            resolve(sink);
        } else if (what < 188) {
            sink.on_dead_time({sequence_, sequence_ + 3, 0, 66'666'666'666, 1, {}});
            sequence_ += 4;
        } else if (what < 191) {
            Calibration calibration{sequence_, uniform(60, 80), 0.1, 1.1};
            calibration.detector = static_cast<std::uint32_t>(pick(4));  // one more than there are
            sink.on_calibration(calibration);
        } else if (what < 194) {
            Status status;
            status.run = run_;
            status.state = RunState::running;
            status.reason = "none";
            status.trigger_rate_hz = uniform(59, 61);
            status.buffers = {{"retransmit", 100, static_cast<std::uint64_t>(pick(100)), 50, uniform(0, 9)}};
            status.in_hand = static_cast<std::uint64_t>(pick(9));
            status.dead_s = uniform(0, 9);
            if (pick(2) == 0) status.gap = Gap{run_ - 1, 12, 1, 2, 60, true};
            status.counters = {{"readout.pci5153.refused", static_cast<std::uint64_t>(pick(9))}};
            status.writer.file = "run1.h5.part";
            sink.on_status(status);
        } else if (what < 197) {
            sink.on_alarm(
                {"alarm" + std::to_string(pick(4)), static_cast<AlarmLevel>(pick(3)), pick(2) == 0, utc_, "text"});
        } else {
            Waveform waveform;
            waveform.sequence = sequence_;
            sink.on_waveform(waveform);
        }
    }
    Event make_event() {
        utc_ += pick(50) == 0 ? 30 * kSecond : kSecond / 60;
        Event e = event(sequence_);
        e.utc_ns = kStart + utc_;
        e.trigger_class = pick(20) == 0 ? TriggerClass::strobe : TriggerClass::beam_tick;
        e.flags = static_cast<std::uint32_t>(pick(8));
        if (station_ == Station::detectors) {
            e.trigger_class = TriggerClass::hit;
            e.detector = static_cast<std::uint16_t>(pick(4));
        }
        if (station_ != Station::pulse_windows) e.window_count = 1;
        for (std::size_t w = 0; w < e.window_count; ++w) {
            e.window[w].set(Feature::rise_10_90_ns, uniform(-100, 3100));
            if (pick(3) == 0)
                set_window(e.window[w], uniform(-2, 60), uniform(0, 13000),
                           static_cast<std::uint32_t>(pick(6)) * 4 % 16);
        }
        waiting_.push_back(sequence_);
        sequence_ += pick(30) == 0 ? 5 : 1;
        return e;
    }
    void resolve(EventSink& sink) {
        if (waiting_.empty()) return;
        const auto at = waiting_.begin() + (pick(10) == 0 ? pick(static_cast<int>(waiting_.size())) : 0);
        const auto state = static_cast<BeamState>(pick(4) - 1);
        sink.on_beam({*at, pick(9) == 0 ? -1.0F : static_cast<float>(uniform(0, 1.4e6)), state});
        waiting_.erase(at);
    }

    Station station_;
    std::mt19937 random_;
    std::uint64_t run_ = 0;
    std::uint64_t sequence_ = 0;
    std::int64_t utc_ = 0;
    std::vector<std::uint64_t> waiting_;
};

MonitorConfig small() {
    MonitorConfig config;
    config.trend_points = 16;  // so that thinning happens within the story
    config.history_points = 16;
    config.history_step_kwh = 0.01;
    config.pending_events = 60;
    config.discriminant.feature = "rise_10_90_ns";
    config.discriminant.bins = {0, 100, 30};
    return config;
}

/// The same bytes with a checksum that holds: what a hostile peer would send.
std::vector<std::byte> resealed(std::vector<std::byte> bytes) {
    const std::uint32_t crc = crc32(std::span{bytes}.first(bytes.size() - 4));
    std::memcpy(bytes.data() + bytes.size() - 4, &crc, 4);
    return bytes;
}

}  // namespace

TEST_CASE("a monitor that joins late ends with the bytes of one that was there from the start", "[monitor][property]") {
    for (std::uint32_t seed = 1; seed <= 24; ++seed) {
        const int join_at = static_cast<int>(seed * 217 % 4000);
        Accumulator first{small()};
        Story story{seed, static_cast<Station>(seed % 3)};
        story.tell(first, join_at);
        Accumulator late;
        REQUIRE(late.restore(first.state()));
        REQUIRE(late.state() == first.state());
        Story same = story;
        story.tell(first, 4000 - join_at);
        same.tell(late, 4000 - join_at);
        INFO("seed " << seed << ", joined after " << join_at);
        REQUIRE(late.state() == first.state());
        CHECK(late.snapshot()->excess.n_on == first.snapshot()->excess.n_on);
    }
}

TEST_CASE("a monitor that asks again and again stays equal too", "[monitor][property]") {
    Accumulator first{small()};
    Accumulator restless{small()};
    Story story{99}, same{99};
    for (int i = 0; i < 200; ++i) {
        story.tell(first, 17);
        same.tell(restless, 17);
        Accumulator next;
        REQUIRE(next.restore(restless.state()));
        restless = std::move(next);
        REQUIRE(restless.state() == first.state());
    }
}

TEST_CASE("exposure and cut flow of a random story balance", "[monitor][property]") {
    for (std::uint32_t seed = 1; seed <= 5; ++seed) {
        Accumulator a{small()};
        Story story{seed};
        story.tell(a, 5000);
        const auto s = a.snapshot();
        REQUIRE(s->events > 1000);
        for (const CutFlow& flow : s->cut_flow) {
            std::uint64_t sum = flow.accepted;
            for (const std::uint64_t n : flow.removed_first) sum += n;
            CHECK(flow.rows == s->events);
            CHECK(sum == flow.rows);
        }
        const Exposure& x = s->exposure;
        const std::uint64_t ticks =
            x.ticks_on + x.ticks_off + x.ticks_no_beam_cycle + x.ticks_unknown + x.ticks_pending;
        CHECK(ticks <= s->events);  // strobes are events, not ticks
        CHECK(ticks > s->events * 9 / 10);
        CHECK(x.ticks_on > 0);
        CHECK(x.ticks_unknown > 0);
        CHECK(s->skipped_events == 0);
    }
}

TEST_CASE("a restored state carries its configuration and run", "[monitor][unit]") {
    MonitorConfig config = small();
    config.alarms.silence_s = 7;
    Accumulator a{config};
    a.on_run(run(5));
    Accumulator b;
    REQUIRE(b.restore(a.state()));
    CHECK(b.config() == config);
    CHECK(*b.snapshot()->run == run(5));
}

TEST_CASE("an empty state restores", "[monitor][unit]") {
    Accumulator b;
    b.on_run(run());
    REQUIRE(b.restore(Accumulator{}.state()));
    CHECK(b.snapshot()->run == nullptr);
}

TEST_CASE("a state cut anywhere or with a changed byte is refused and changes nothing", "[monitor][hostile]") {
    Accumulator source{small()};
    Story story{7};
    story.tell(source, 1500);
    const std::vector<std::byte> good = source.state();
    Accumulator target;
    target.on_run(run(3));
    const std::vector<std::byte> before = target.state();
    for (std::size_t n = 0; n < good.size(); n += 1 + n / 50) REQUIRE_FALSE(target.restore(std::span{good}.first(n)));
    for (std::size_t n = 0; n < good.size(); n += 1 + n / 50) {
        std::vector<std::byte> bad = good;
        bad[n] ^= std::byte{0x40};
        REQUIRE_FALSE(target.restore(bad));
    }
    REQUIRE(target.state() == before);
}

TEST_CASE("hostile states with a good checksum are refused or harmless", "[monitor][hostile]") {
    const auto station = GENERATE(Station::pulse_windows, Station::strobes, Station::detectors);
    Accumulator source{small()};
    Story story{8, station};
    story.tell(source, 1500);
    const std::vector<std::byte> good = source.state();
    std::mt19937 random{8};
    const unsigned char values[] = {0x00, 0x01, 0x7F, 0x80, 0xFF};
    int taken = 0;
    for (int i = 0; i < 1500; ++i) {
        std::vector<std::byte> bad = good;
        if (i % 4 == 0) {
            bad.resize(4 + random() % (bad.size() - 4));
        } else {
            const std::size_t at = random() % (bad.size() - 12) + 8;
            for (std::size_t j = 0; j < 1 + random() % 8 && at + j + 4 < bad.size(); ++j)
                bad[at + j] = std::byte{values[random() % 5]};
        }
        bad = resealed(bad);
        Accumulator target{small()};
        const std::vector<std::byte> before = target.state();
        if (!target.restore(bad)) {
            REQUIRE(target.state() == before);
            continue;
        }
        ++taken;
        Story more{9, station};
        more.tell(target, 50);
        REQUIRE(target.snapshot() != nullptr);
        Accumulator again;
        REQUIRE(again.restore(target.state()));
    }
    CHECK(taken > 0);  // a count may have any value
    CHECK(taken < 1500);
}

TEST_CASE("a state of a newer version is refused", "[monitor][hostile]") {
    std::vector<std::byte> bytes = Accumulator{}.state();
    bytes[4] = std::byte{0xEE};
    CHECK_FALSE(Accumulator{}.restore(resealed(bytes)));
}
