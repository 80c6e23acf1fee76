#include <catch2/catch.hpp>

#include <algorithm>
#include <cstring>

#include "spe_sample.hpp"
#include "trigger/calibration/spe_fit.hpp"

using namespace alleycat;
using namespace trigger_test;

namespace {

SpeHistogram histogram_of(const std::vector<float>& charges) {
    SpeHistogram histogram{ChargeBinning{}};
    histogram.fill(charges);
    return histogram;
}

SpeFit fit_of(const std::vector<float>& charges, const SpeFitConfig& config = {}) {
    return fit_spe(histogram_of(charges), config);
}

/// Far from its threshold the model is the sum of its parts.
SpeModel::Values without_threshold() {
    SpeModel::Values p{};
    p[SpeModel::spe_charge] = 70;
    p[SpeModel::theta] = 6;
    p[SpeModel::noise_mean] = 8;
    p[SpeModel::threshold] = -1'000;
    p[SpeModel::threshold_width] = 1;
    return p;
}

struct Moments {
    double sum = 0, mean = 0, variance = 0;
};
Moments moments_of(const SpeModel::Values& p) {
    Moments m;
    SpeModel::Values slope;
    constexpr double step = 0.05;
    for (double x = step / 2; x < 1'500; x += step) {
        const double here = step * SpeModel::density(p, x, slope);
        m.sum += here;
        m.mean += here * x;
        m.variance += here * x * x;
    }
    m.mean /= m.sum;
    m.variance = m.variance / m.sum - m.mean * m.mean;
    return m;
}

}  // namespace

TEST_CASE("charges are counted in bins that hold their lower edge, and all count as peaks", "[trigger][calibration]") {
    SpeHistogram histogram{ChargeBinning{}};
    histogram.fill(std::vector<float>{-50.F, -49.5F, -50.5F, 0.F, 249.5F, 250.F, 1e30F, -1e30F});
    CHECK(histogram.peaks() == 8);
    CHECK(histogram.counts()[0] == 2);
    CHECK(histogram.counts()[50] == 1);
    CHECK(histogram.counts()[299] == 1);
    std::uint64_t inside = 0;
    for (const std::uint64_t n : histogram.counts()) inside += n;
    CHECK(inside == 4);
}

TEST_CASE("n photoelectrons have n times the mean and n times the variance q^2 / (1 + theta)",
          "[trigger][calibration]") {
    for (const std::size_t n : {1u, 2u, 3u}) {
        SpeModel::Values p = without_threshold();
        p[SpeModel::one + n - 1] = 1'000;
        const Moments m = moments_of(p);
        const auto photoelectrons = static_cast<double>(n);
        CHECK(m.sum == Approx(1'000).epsilon(1e-6));
        CHECK(m.mean == Approx(70 * photoelectrons).epsilon(1e-6));
        CHECK(m.variance == Approx(70.0 * 70 / 7 * photoelectrons).epsilon(1e-5));
    }
    SpeModel::Values p = without_threshold();
    p[SpeModel::noise] = 1'000;
    const Moments m = moments_of(p);
    CHECK(m.sum == Approx(1'000).epsilon(1e-5));
    CHECK(m.mean == Approx(8).epsilon(1e-5));
}

TEST_CASE("at its threshold the model gives half of what is there, far above it all", "[trigger][calibration]") {
    SpeModel::Values p = without_threshold(), slope;
    p[SpeModel::one] = 1'000;
    const double all_at_20 = SpeModel::density(p, 20, slope);
    const double all_at_100 = SpeModel::density(p, 100, slope);
    p[SpeModel::threshold] = 20;
    CHECK(SpeModel::density(p, 20, slope) == Approx(all_at_20 / 2));
    CHECK(SpeModel::density(p, 100, slope) == Approx(all_at_100));
}

TEST_CASE("every derivative of the model is that of its values", "[trigger][calibration]") {
    const SpeModel::Values p{70, 5.5, 1'000, 50, 10, 300, 9, 21, 2.5};
    for (const double charge : {5.0, 18.0, 25.0, 60.0, 140.0, 240.0}) {
        SpeModel::Values slope, unused;
        (void)SpeModel::density(p, charge, slope);
        for (std::size_t k = 0; k < SpeModel::parameters; ++k) {
            const double step = 1e-5 * p[k];
            SpeModel::Values above = p, below = p;
            above[k] += step;
            below[k] -= step;
            const double difference =
                (SpeModel::density(above, charge, unused) - SpeModel::density(below, charge, unused)) / (2 * step);
            INFO("parameter " << k << " at " << charge);
            CHECK(slope[k] == Approx(difference).epsilon(1e-5).margin(1e-9));
        }
    }
}

TEST_CASE("the fit finds the charge that was put in, within the error it gives", "[trigger][calibration]") {
    const auto [what, truth] = GENERATE(
        std::pair<const char*, SpeTruth>{"as the CsI[Na] detector", {}},
        std::pair<const char*, SpeTruth>{"lower gain, narrower", {.charge = 62, .theta = 6.4}},
        std::pair<const char*, SpeTruth>{"higher gain, wider, with noise", {.charge = 85, .theta = 5.2, .noise = 0.2}});
    INFO(what);
    constexpr int seeds = 40;
    double pulls = 0, squares = 0, charges = 0, chi2 = 0;
    for (int seed = 1; seed <= seeds; ++seed) {
        const SpeFit fit = fit_of(draw_charges(truth, 30'000, static_cast<std::uint64_t>(seed)));
        REQUIRE(fit.good());
        const double pull = (fit.spe_charge_adc - truth.charge) / fit.error_adc;
        pulls += pull / seeds;
        squares += pull * pull / seeds;
        charges += fit.spe_charge_adc / seeds;
        chi2 += fit.chi2_per_ndf / seeds;
        CHECK(fit.error_adc < 0.02 * truth.charge);
    }
    // 40 pulls of width 1: their mean is known to 0.16, their width to 0.11. Limits on theta and on noise make errors
    // from the information a little too large, never too small.
    const double width = std::sqrt(squares - pulls * pulls);
    INFO("pulls " << pulls << " +- " << width << ", mean charge " << charges << ", chi2 per ndf " << chi2);
    CHECK(std::abs(pulls) < 0.5);
    CHECK(width > 0.55);
    CHECK(width < 1.3);
    CHECK(std::abs(charges / truth.charge - 1) < 0.003);
    CHECK(std::abs(chi2 - 1) < 0.1);
}

TEST_CASE("with more peaks the error shrinks as it should, and the charge does not move away",
          "[trigger][calibration]") {
    const SpeFit few = fit_of(draw_charges({}, 40'000, 3));
    const SpeFit many = fit_of(draw_charges({}, 1'000'000, 4));
    REQUIRE(few.good());
    REQUIRE(many.good());
    CHECK(many.error_adc < few.error_adc / 3);  // 25 times the peaks: about a fifth
    CHECK(std::abs(many.spe_charge_adc - 70) < 4 * many.error_adc);
    CHECK(many.spe_charge_adc == Approx(70).epsilon(0.003));
}

TEST_CASE("the same histogram gives the same bits", "[trigger][calibration]") {
    const SpeHistogram histogram = histogram_of(draw_charges({}, 30'000, 7));
    const SpeFit one = fit_spe(histogram, {});
    const SpeFit other = fit_spe(histogram, {});
    CHECK(std::memcmp(&one.spe_charge_adc, &other.spe_charge_adc, sizeof(double)) == 0);
    CHECK(std::memcmp(&one.error_adc, &other.error_adc, sizeof(double)) == 0);
    CHECK(std::memcmp(&one.chi2_per_ndf, &other.chi2_per_ndf, sizeof(double)) == 0);
    CHECK(one.values == other.values);
}

TEST_CASE("a histogram that says nothing about photoelectrons has no good fit", "[trigger][calibration][hostile]") {
    constexpr int n = 100'000;
    std::mt19937_64 random{11};
    std::vector<float> charges;
    SECTION("empty") {
        CHECK(fit_of(charges).verdict == SpeFitVerdict::too_few_peaks);
        CHECK(fit_of(charges).chi2_per_ndf == 0);
    }
    SECTION("too few peaks") {
        charges = draw_charges({}, 9'000, 1);
        CHECK(fit_of(charges).verdict == SpeFitVerdict::too_few_peaks);
    }
    SECTION("all outside the range") { charges.assign(n, 400.F); }
    SECTION("all negative") { charges.assign(n, -20.F); }
    SECTION("all in one bin") { charges.assign(n, 70.5F); }
    SECTION("all in the first bin") { charges.assign(n, 0.5F); }
    SECTION("all in the last bin") { charges.assign(n, 249.5F); }
    SECTION("flat") {
        std::uniform_real_distribution<float> flat{-50, 250};
        for (int i = 0; i < n; ++i) charges.push_back(flat(random));
    }
    SECTION("two lines") {
        for (int i = 0; i < n; ++i) charges.push_back(i % 2 == 0 ? 30.5F : 200.5F);
    }
    SECTION("noise only") { charges = draw_charges({.two = 0, .three = 0, .noise = 1}, 20 * n, 5); }
    SECTION("the gain is far too low") { charges = draw_charges({.charge = 35}, n, 6); }
    SECTION("the gain is far too high") { charges = draw_charges({.charge = 130}, n, 6); }
    const SpeFit fit = fit_of(charges);
    INFO(kSpeFitVerdictNames[static_cast<std::size_t>(fit.verdict)]
         << ", " << fit.spe_charge_adc << " +- " << fit.error_adc << ", chi2 per ndf " << fit.chi2_per_ndf);
    CHECK_FALSE(fit.good());
}

TEST_CASE("limits of the station decide what a good fit is", "[trigger][calibration]") {
    const std::vector<float> charges = draw_charges({}, 30'000, 9);
    REQUIRE(fit_of(charges).good());
    CHECK(fit_of(charges, {.min_peaks = 100'000}).verdict == SpeFitVerdict::too_few_peaks);
    CHECK(fit_of(charges, {.max_error_percent = 0.01}).verdict == SpeFitVerdict::large_error);
    CHECK(fit_of(charges, {.max_chi2_per_ndf = 0.1}).verdict == SpeFitVerdict::large_chi2);
    CHECK(fit_of(charges, {.start_adc = 80, .min_adc = 75}).verdict == SpeFitVerdict::at_a_limit);
}
