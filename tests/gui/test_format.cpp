#include <catch2/catch.hpp>
#include <limits>

#include "gui/envelope.hpp"
#include "gui/format.hpp"

using namespace alleycat::gui;

namespace {
std::string shown(const QString& text) {
    QString plain = text;
    return plain.replace(kThinSpace, ' ').toStdString();
}
}  // namespace

TEST_CASE("an envelope holds the lowest and highest sample of every piece", "[gui][unit]") {
    const std::vector<std::int32_t> samples{3, 1, 4, 1, 5, 9, 2, 6, 5, 3};
    // Ten samples in three pieces, by hand: [0, 3), [3, 6), [6, 10).
    REQUIRE(envelope(samples, 3) == std::vector<MinMax>{{1, 4}, {1, 9}, {2, 6}});
    REQUIRE(envelope(samples, 1) == std::vector<MinMax>{{1, 9}});
    REQUIRE(envelope(samples, 10).size() == 10);
    REQUIRE(envelope(samples, 10)[5] == MinMax{9, 9});
}

TEST_CASE("an envelope is never wider than its samples, and empty ones are allowed", "[gui][unit]") {
    REQUIRE(envelope(std::vector<std::int32_t>{7, -7}, 100) == std::vector<MinMax>{{7, 7}, {-7, -7}});
    REQUIRE(envelope({}, 100).empty());
    REQUIRE(envelope(std::vector<std::int32_t>{1, 2}, 0).empty());
}

TEST_CASE("a pulse of one sample survives in the envelope of a long trace", "[gui][unit]") {
    std::vector<std::int32_t> samples(35'000, 100);
    samples[17'503] = 12;
    const std::vector<MinMax> pieces = envelope(samples, 500);  // 70 samples each: piece 17503 / 70 = 250
    REQUIRE(pieces.size() == 500);
    REQUIRE(pieces[250] == MinMax{12, 100});
    REQUIRE(pieces[249] == MinMax{100, 100});
    REQUIRE(pieces[251] == MinMax{100, 100});
}

TEST_CASE("numbers carry a unit and the digits they deserve", "[gui][unit]") {
    CHECK(shown(count_text(0)) == "0");
    CHECK(shown(count_text(999)) == "999");
    CHECK(shown(count_text(1'728'430)) == "1 728 430");
    CHECK(shown(bytes_text(999)) == "999 B");
    CHECK(shown(bytes_text(67'108'864)) == "67.1 MB");
    CHECK(shown(bytes_text(999'600)) == "1.00 MB");
    CHECK(shown(bytes_text(2'310'000'000'000)) == "2.31 TB");
    CHECK(shown(power_text(1.402e6)) == "1.402 MW");
    CHECK(shown(power_text(12'000)) == "12.0 kW");
    CHECK(shown(power_text(0)) == "0 W");
    CHECK(power_text(-1) == kUnknown);
    CHECK(shown(energy_text(7.47594)) == "7.476 GWh");
    CHECK(shown(energy_text(0.0123)) == "12.3 MWh");
    CHECK(shown(energy_text(41e-6)) == "41 kWh");
    CHECK(shown(number_text(60.02)) == "60.02");
    CHECK(shown(number_text(0.9034)) == "0.903");
    CHECK(shown(plain_text(60)) == "60");
    CHECK(shown(utc_text(1'769'860'800'000'000'000)) == "2026-01-31 12:00:00 UTC");
    CHECK(shown(clock_text(1'769'860'800'000'000'000)) == "12:00:00");
}

TEST_CASE("a small loss is never rounded away", "[gui][unit]") {
    CHECK(shown(percent_text(1)) == "100 %");
    CHECK(shown(percent_text(0.999999)) == ">99.99 %");
    CHECK(shown(percent_text(0.9998)) == "99.98 %");
    CHECK(shown(percent_text(1e-6)) == "<0.01 %");
    CHECK(shown(percent_text(0)) == "0 %");
    CHECK(percent_text(std::numeric_limits<double>::quiet_NaN()) == kUnknown);
}

TEST_CASE("durations read as an operator would say them", "[gui][unit]") {
    CHECK(shown(duration_text(0.24)) == "0.2 s");
    CHECK(shown(duration_text(42)) == "42 s");
    CHECK(shown(duration_text(185)) == "3 min 05 s");
    CHECK(shown(duration_text(7800)) == "2 h 10 min");
    CHECK(shown(duration_text(5 * 86400 + 3 * 3600)) == "5 d 3 h");
    CHECK(shown(duration_text(-3)) == "-3.0 s");
    CHECK(duration_text(std::numeric_limits<double>::infinity()) == kUnknown);
}

TEST_CASE("an error has two digits and its value as many", "[gui][unit]") {
    CHECK(shown(value_error_text(142, 30.854)) == "142 ± 31");
    CHECK(shown(value_error_text(0.4321, 1.234)) == "0.4 ± 1.2");
    CHECK(shown(value_error_text(-0.04, 1.234)) == "0.0 ± 1.2");
    CHECK(shown(value_error_text(0, 0)) == "0 ± 0");
    CHECK(shown(interval_text(111.5, 173.2)) == "[112, 173]");  // half width 30.85: no digit behind the point
    CHECK(value_error_text(std::numeric_limits<double>::quiet_NaN(), 1) == kUnknown);
}
