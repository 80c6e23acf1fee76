#include <catch2/catch.hpp>

#include <deque>
#include <functional>

#include "spe_sample.hpp"
#include "trigger/calibration/calibration_keeper.hpp"

using namespace alleycat;
using namespace trigger_test;

namespace {

constexpr std::int64_t kSecond = 1'000'000'000'000;  // [ps]

/// Gain of one sequence number: it grows by 5 in every thousand.
double gain_at(std::uint64_t sequence) { return 60 + 5.0 * static_cast<double>(sequence / 1'000); }

PeakCharges twenty_peaks(double charge, std::uint64_t seed, std::uint16_t detector = 0) {
    PeakCharges peaks;
    peaks.detector = detector;
    for (const float one : draw_charges({.charge = charge, .two = 0, .three = 0}, 20, seed)) {
        peaks.charge_adc[peaks.count++] = one;
    }
    return peaks;
}

Trigger trigger_at(std::uint64_t sequence, std::int64_t time_ps) {
    Trigger trigger;
    trigger.sequence = sequence;
    trigger.time_ps = time_ps;
    return trigger;
}

CalibrationConfig blocks_of(std::uint64_t triggers) {
    CalibrationConfig config;
    config.source = CalibrationConfig::Source::fit;
    config.block_triggers = triggers;
    config.fit.min_peaks = 5'000;
    return config;
}

CalibrationConfig blocks_of_seconds(std::int64_t seconds) {
    CalibrationConfig config = blocks_of(0);
    config.block_ps = seconds * kSecond;
    return config;
}

/// Does with triggers what the pipeline does: up to `depth` are under way before the peaks of the oldest come back.
class Line {
  public:
    explicit Line(CalibrationKeeper::Setup setup, std::size_t depth = 64)
        : keeper{std::move(setup), bell, registry}, depth_{depth} {}

    void take(const Trigger& trigger, const PeakCharges& peaks) {
        for (;;) {
            const std::uint32_t seen = bell.value();
            if (const auto admission = keeper.admit(trigger)) {
                charge.push_back(admission->spe_charge_adc);
                under_way_.push_back({trigger, admission->block, peaks});
                break;
            }
            if (under_way_.empty()) {
                ++waits;
                bell.wait(seen, {});
            } else {
                give_back();
            }
        }
        while (under_way_.size() > depth_) give_back();
    }
    void finish() {
        while (!under_way_.empty()) give_back();
    }
    [[nodiscard]] std::uint64_t counter(const char* name) { return registry.get(name).value(); }

    CounterRegistry registry;
    Doorbell bell;
    CalibrationKeeper keeper;
    std::vector<double> charge;          // in force, by trigger
    std::vector<Calibration> announced;  // in the order of the data stream
    int waits = 0;

  private:
    struct UnderWay {
        Trigger trigger;
        std::uint64_t block;
        PeakCharges peaks;
    };
    void give_back() {
        const UnderWay& oldest = under_way_.front();
        for (; const Calibration* next = keeper.due(oldest.trigger.sequence); keeper.pop_due())
            announced.push_back(*next);
        const bool recorded = oldest.trigger.refusal == RefusalReason::none;
        keeper.collect(oldest.block, recorded ? &oldest.peaks : nullptr);
        under_way_.pop_front();
    }
    std::size_t depth_;
    std::deque<UnderWay> under_way_;
};

}  // namespace

TEST_CASE("the fit of block k applies from the first trigger of block k + 2", "[trigger][calibration]") {
    Line line{{.config = blocks_of(1'000)}};
    for (std::uint64_t s = 0; s < 5'500; ++s) line.take(trigger_at(s, 0), twenty_peaks(gain_at(s), s));
    line.finish();

    REQUIRE(line.announced.size() == 5);
    CHECK(line.announced[0] == Calibration{.spe_charge_adc = 70});
    for (std::uint64_t k = 0; k < 4; ++k) {
        const Calibration& c = line.announced[k + 1];
        CHECK(c.from_sequence == 1'000 * (k + 2));
        CHECK(c.block == k);
        CHECK(c.origin == CalibrationOrigin::fitted);
        CHECK(c.peaks > 19'000);
        CHECK(c.fit_quality == Approx(1).margin(0.35));
        CHECK(c.spe_charge_error_adc < 2);
        CHECK(std::abs(c.spe_charge_adc - gain_at(1'000 * k)) < 4 * c.spe_charge_error_adc);
    }
    for (std::uint64_t s = 0; s < 5'500; ++s) {
        const std::uint64_t block = s / 1'000;
        REQUIRE(line.charge[s] == (block < 2 ? 70 : line.announced[block - 1].spe_charge_adc));
    }
    CHECK(line.counter("calibration.fits") == 4);
    CHECK(line.counter("calibration.fits_kept") == 0);
}

TEST_CASE("how much is under way changes nothing, whatever a block's length", "[trigger][calibration]") {
    const std::uint64_t length = GENERATE(1u, 2u, 7u, 300u);
    constexpr std::uint64_t blocks = 15;
    CalibrationConfig config = blocks_of(length);
    config.fit.min_peaks = 100;
    config.fit.max_error_percent =
        50;  // 20 peaks in the shortest block: never fitted; 140 in those of 7: often no good
    std::vector<PeakCharges> peaks;
    for (std::uint64_t s = 0; s < blocks * length; ++s) peaks.push_back(twenty_peaks(65, s));
    std::vector<double> charge;
    std::vector<Calibration> announced;
    for (const std::size_t depth : {0u, 1u, 2u, 63u, 10'000u}) {
        Line line{{.config = config}, depth};
        for (std::uint64_t s = 0; s < peaks.size(); ++s) line.take(trigger_at(s, 0), peaks[s]);
        line.finish();
        INFO("blocks of " << length << ", " << depth << " under way");
        CHECK(line.announced.size() == 1 + blocks - 2);
        if (charge.empty()) {
            charge = line.charge;
            announced = line.announced;
        }
        CHECK(line.charge == charge);
        CHECK(line.announced == announced);
    }
}

TEST_CASE("a block of time begins with the first trigger at or after its time", "[trigger][calibration]") {
    Line line{{.config = blocks_of_seconds(10)}};
    // 40 triggers per second: block 0 is 0 to 399, 1 to 799, 2 to 1199, 3 to 1599, and half of 4.
    for (std::uint64_t s = 0; s < 1'800; ++s) {
        const double gain = s < 400 ? 60 : s < 800 ? 65 : 70;
        line.take(trigger_at(s, static_cast<std::int64_t>(s) * kSecond / 40), twenty_peaks(gain, s));
    }
    line.finish();
    REQUIRE(line.announced.size() == 4);
    CHECK(line.announced[1].from_sequence == 800);
    CHECK(line.announced[1].spe_charge_adc == Approx(60).epsilon(0.05));
    CHECK(line.announced[2].from_sequence == 1'200);
    CHECK(line.announced[2].spe_charge_adc == Approx(65).epsilon(0.05));
    CHECK(line.announced[3].from_sequence == 1'600);
    CHECK(line.announced[3].block == 2);
}

TEST_CASE("after a hole in the data everything fitted before it comes into force at once", "[trigger][calibration]") {
    Line line{{.config = blocks_of_seconds(10)}, GENERATE(0u, 5u, 64u)};
    for (std::uint64_t s = 0; s < 800; ++s) {
        const auto time = static_cast<std::int64_t>(s) * kSecond / 40;  // blocks 0 and 1
        line.take(trigger_at(s, time), twenty_peaks(s < 400 ? 60 : 65, s));
    }
    line.take(trigger_at(800, 1'000'000 * kSecond), twenty_peaks(70, 800));  // block 100,000
    line.finish();
    REQUIRE(line.announced.size() == 3);
    CHECK(line.announced[1].from_sequence == 800);
    CHECK(line.announced[1].block == 0);
    CHECK(line.announced[2].from_sequence == 800);
    CHECK(line.announced[2].block == 1);
    CHECK(line.charge[799] == 70);
    CHECK(line.charge[800] == line.announced[2].spe_charge_adc);
}

TEST_CASE("refused triggers count in blocks of triggers and begin no block of time", "[trigger][calibration]") {
    const auto take_ten = [](Line& line) {
        for (std::uint64_t s = 0; s < 10; ++s) {
            Trigger trigger = trigger_at(s, static_cast<std::int64_t>(s) * kSecond);
            if (s == 4 || s == 5) trigger.refusal = RefusalReason::buffer_full;
            line.take(trigger, twenty_peaks(65, s));
        }
        line.finish();
    };
    SECTION("triggers") {
        Line line{{.config = blocks_of(2)}};
        take_ten(line);  // blocks 0-1, 2-3, 4-5 (refused), 6-7, 8-9
        REQUIRE(line.announced.size() == 4);
        CHECK(line.announced[1].from_sequence == 4);
        CHECK(line.announced[2].from_sequence == 6);
        CHECK(line.announced[3].from_sequence == 8);
        CHECK(line.announced[3].peaks == 0);  // of the refused ones
        CHECK(line.announced[1].peaks > 30);
    }
    SECTION("time") {
        Line line{{.config = blocks_of_seconds(2)}};
        take_ten(line);  // 0 and 1, 2 to 5 (4 and 5 refused), 6 and 7, 8 and 9: from 4 s to 6 s there is no block
        REQUIRE(line.announced.size() == 3);
        CHECK(line.announced[1].from_sequence == 6);
        CHECK(line.announced[1].block == 0);
        CHECK(line.announced[2].from_sequence == 6);
        CHECK(line.announced[2].block == 1);
        CHECK(line.announced[2].peaks > 30);
        CHECK(line.announced[2].peaks < 45);  // sequences 2 and 3
    }
}

TEST_CASE("a clock that runs backwards begins no block again", "[trigger][calibration]") {
    Line line{{.config = blocks_of_seconds(10)}};
    std::uint64_t sequence = 0;
    for (const std::int64_t second : {0, 11, 5, 12, -3, 25, 8, 21}) {
        line.take(trigger_at(sequence++, second * kSecond), twenty_peaks(65, 1));
    }
    line.finish();
    REQUIRE(line.announced.size() == 2);
    CHECK(line.announced[1].block == 0);
    CHECK(line.announced[1].from_sequence == 5);  // at 25 s
    CHECK(line.announced[1].peaks == twenty_peaks(65, 1).count);
}

TEST_CASE("a block without a good fit keeps the last good charge and says so", "[trigger][calibration]") {
    Line line{{.config = blocks_of(400)}};
    for (std::uint64_t s = 0; s < 3'200; ++s) {
        const std::uint64_t block = s / 400;
        PeakCharges peaks = twenty_peaks(block == 4 ? 65 : 60, s);
        if (block == 0 || block == 2) peaks.count = 1;  // too few
        if (block == 3) peaks.charge_adc.fill(30.5F);   // nonsense
        line.take(trigger_at(s, 0), peaks);
    }
    line.finish();
    const std::vector<Calibration>& c = line.announced;
    REQUIRE(c.size() == 7);
    CHECK(c[1].origin == CalibrationOrigin::kept);  // nothing good yet: the configured one goes on
    CHECK(c[1].spe_charge_adc == 70);
    CHECK(c[1].spe_charge_error_adc == 0);
    CHECK(c[1].peaks == 400);
    CHECK(c[2].origin == CalibrationOrigin::fitted);
    CHECK(c[2].spe_charge_adc == Approx(60).epsilon(0.05));
    for (const std::size_t kept : {3u, 4u}) {
        CHECK(c[kept].origin == CalibrationOrigin::kept);
        CHECK(c[kept].block == kept - 1);
        CHECK(c[kept].spe_charge_adc == c[2].spe_charge_adc);
        CHECK(c[kept].spe_charge_error_adc == c[2].spe_charge_error_adc);
    }
    CHECK(c[3].fit_quality == 0);  // there was no fit
    CHECK(c[5].origin == CalibrationOrigin::fitted);
    CHECK(c[5].spe_charge_adc == Approx(65).epsilon(0.05));
    CHECK(line.counter("calibration.fits") == 6);
    CHECK(line.counter("calibration.fits_kept") == 3);
}

TEST_CASE("a station that fits nothing has its configured charge for ever", "[trigger][calibration]") {
    Line line{{.config = {}, .spe_charge_adc = 68}};
    CHECK_FALSE(line.keeper.collects());
    for (std::uint64_t s = 0; s < 100; ++s)
        line.take(trigger_at(s, static_cast<std::int64_t>(s) * 1'000 * kSecond), {});
    line.finish();
    CHECK(line.announced == std::vector<Calibration>{{.spe_charge_adc = 68}});
    CHECK(line.charge == std::vector<double>(100, 68));
    CHECK(line.waits == 0);
    CHECK(line.counter("calibration.fits") == 0);
}

TEST_CASE("recorded charges apply from their sequence on, and nothing is fitted", "[trigger][calibration]") {
    const std::vector<Calibration> recorded{
        {.from_sequence = 0, .spe_charge_adc = 70},
        {.from_sequence = 25, .spe_charge_adc = 69, .origin = CalibrationOrigin::fitted},
        {.from_sequence = 35, .spe_charge_adc = 69, .origin = CalibrationOrigin::kept},
        {.from_sequence = 900, .spe_charge_adc = 71}};
    const auto expected = [](std::uint64_t s) { return s < 25 ? 70.0 : 69.0; };
    SECTION("a whole run") {
        Line line{{.config = blocks_of(2), .spe_charge_adc = 60, .recorded = recorded}};
        CHECK_FALSE(line.keeper.collects());
        for (std::uint64_t s = 0; s < 50; ++s) line.take(trigger_at(s, 0), {});
        line.finish();
        for (std::uint64_t s = 0; s < 50; ++s) CHECK(line.charge[s] == expected(s));
        CHECK(line.announced == std::vector<Calibration>(recorded.begin(), recorded.begin() + 3));
    }
    SECTION("some triggers of a part of it") {
        Line line{{.config = blocks_of(2), .spe_charge_adc = 60, .recorded = {{recorded.begin() + 1, recorded.end()}}}};
        for (const std::uint64_t s : {30u, 34u, 36u}) line.take(trigger_at(s, 0), {});
        line.finish();
        CHECK(line.charge == std::vector<double>(3, 69));
        CHECK(line.announced == std::vector<Calibration>(recorded.begin() + 1, recorded.begin() + 3));
    }
    SECTION("a run that recorded none has the configured one") {
        Line line{{.config = blocks_of(2), .spe_charge_adc = 60, .recorded = std::vector<Calibration>{}}};
        for (std::uint64_t s = 0; s < 50; ++s) line.take(trigger_at(s, 0), {});
        line.finish();
        CHECK(line.charge == std::vector<double>(50, 60));
        CHECK(line.announced == std::vector<Calibration>{{.spe_charge_adc = 60}});
    }
}

TEST_CASE("each detector has its own histogram and charge", "[trigger][calibration]") {
    Line line{{.config = blocks_of(1'000), .detectors = 2, .detector_charges = {65, 85}}};
    for (std::uint64_t s = 0; s < 2'001; ++s) {
        const auto detector = static_cast<std::uint16_t>(s % 2);
        line.take(trigger_at(s, 0), twenty_peaks(detector == 0 ? 60 : 80, s, detector));
    }
    line.finish();
    REQUIRE(line.announced.size() == 4);
    CHECK(line.announced[0] == Calibration{.spe_charge_adc = 65});
    CHECK(line.announced[1] == Calibration{.spe_charge_adc = 85, .detector = 1});
    for (const std::size_t d : {0u, 1u}) {
        const Calibration& c = line.announced[2 + d];
        CHECK(c.detector == d);
        CHECK(c.from_sequence == 2'000);
        CHECK(c.origin == CalibrationOrigin::fitted);
        CHECK(std::abs(c.spe_charge_adc - (d == 0 ? 60 : 80)) < 4 * c.spe_charge_error_adc);
        CHECK(line.keeper.in_force()[d] == c.spe_charge_adc);
    }
}

TEST_CASE("each of several detectors begins with the charge configured for it", "[trigger][calibration]") {
    Doorbell bell;
    CounterRegistry registry;
    CalibrationKeeper keeper{
        {.config = {}, .spe_charge_adc = 68, .detectors = 3, .detector_charges = {60, 61, 62}}, bell, registry};
    REQUIRE(keeper.admit({})->spe_charge_adc == 60);
    REQUIRE(std::ranges::equal(keeper.in_force(), std::array{60.0, 61.0, 62.0}));
    for (const double charge : {60.0, 61.0, 62.0}) {
        REQUIRE(keeper.due(0)->spe_charge_adc == charge);
        keeper.pop_due();
    }
    REQUIRE(keeper.due(0) == nullptr);
}
