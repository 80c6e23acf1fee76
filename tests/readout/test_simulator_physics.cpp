// What the simulated traces contain, measured with a decoder and a peak finder of the test's own.

#include <array>
#include <numeric>

#include "readout/csi_spectra.hpp"
#include "readout/pulse_model.hpp"
#include "test_simulator_tools.hpp"

using namespace simulator_test;

namespace {

double sum_between(const PhotoelectronSpectrum& spectrum, std::size_t from, std::size_t to) {
    // Acceptance of the 2017 release, at bin centres.
    double sum = 0;
    for (std::size_t n = from; n < to; ++n) {
        const double x = static_cast<double>(n) + 0.5;
        const double threshold = n < 5 ? 0 : n < 6 ? 0.5 : 1;
        sum += spectrum[n] * threshold * 0.6655 / (1 + std::exp(-0.4942 * (x - 10.8507)));
    }
    return sum;
}

/// Heights below a known baseline; no rounding to a median.
std::vector<double> heights(const RecordView& view, double baseline) {
    std::vector<double> h;
    h.reserve(kSamples);
    for (const int counts : decode_signal(view)) h.push_back(baseline - counts);
    return h;
}

}  // namespace

TEST_CASE("the CEvNS prediction is that of the 2017 result", "[readout][physics]") {
    // Klein-Nystrand, flat quenching factor, 7.47594 GWh, 6 to 30 PE: 176.9 events, of them 33.7 prompt.
    const CevnsSpectra spectra = csi_cevns_spectra();
    CHECK(sum_between(spectra.prompt, 6, 30) * 7.47594 == Approx(33.7).epsilon(0.01));
    CHECK(sum_between(spectra.delayed, 6, 30) * 7.47594 == Approx(84.8 + 58.4).epsilon(0.01));
    CHECK(sum_between(csi_prompt_neutron_spectrum(), 6, 30) * 7.47594 == Approx(5.42).epsilon(0.003));
}

TEST_CASE("veto, gate, overflow and pretrace acceptance are those of the experiment", "[readout][physics]") {
    SimulatorConfig config = fast_config(21);
    config.gain_drift = 0;
    constexpr int ticks = 9'000;
    Simulator simulator{config, csi_board(), 0, ticks};
    int vetoed = 0, gated = 0, saturated = 0, clean = 0;
    std::array<int, 10> c_at_most{}, ac_at_most{};
    for (Taken record; take(simulator, record);) {
        bool overflow = false;
        for (const std::int8_t code : record.view().channel<std::int8_t>(0)) overflow |= code >= 127 || code == -128;
        const std::vector<int> signal = decode_signal(record.view()), veto = decode_veto(record.view());
        int down = 0, up = 0;
        for (std::size_t i = 1; i < signal.size(); ++i) {
            down += signal[i] <= 18 && signal[i - 1] > 18;
            up += signal[i - 1] <= 18 && signal[i] > 18;
        }
        const int baseline = median(signal);
        const bool gate = down != up || baseline < 50;
        const bool muon = !find_peaks(veto, median(veto), 10, 3).empty();
        saturated += overflow;
        gated += gate;
        vetoed += muon;
        if (overflow || gate || muon) continue;
        ++clean;
        const std::vector<int> peaks = find_peaks(signal, baseline, 3, 4);
        const auto count = [&](int from, int to) {
            return std::count_if(peaks.begin(), peaks.end(), [&](int p) { return p >= from && p < to; });
        };
        const auto c = static_cast<std::size_t>(count(kCPretrace, kCStart));
        const auto ac = static_cast<std::size_t>(count(kAcPretrace, kAcStart));
        for (std::size_t n = 0; n < 10; ++n) {
            c_at_most[n] += c <= n;
            ac_at_most[n] += ac <= n;
        }
    }
    CHECK(agrees(vetoed, ticks, 0.01095));
    CHECK(agrees(gated, ticks, 0.00809));
    // Gates hide 0.8 % of the overflows: far less than the statistical error.
    CHECK(agrees(saturated, ticks, 0.00315));
    // Published table of <= 0 .. 9 peaks in 39.6 us. The two-component mixture follows it within 0.02.
    constexpr std::array<double, 10> published{0.16298, 0.39799, 0.59975, 0.73394, 0.81404,
                                               0.86115, 0.89002, 0.90887, 0.92200, 0.93165};
    for (std::size_t n = 0; n < 10; ++n) {
        INFO("at most " << n << " peaks: C " << c_at_most[n] << ", AC " << ac_at_most[n] << " of " << clean);
        const double tolerance = 0.025 + 3 * std::sqrt(published[n] * (1 - published[n]) / clean);
        CHECK(static_cast<double>(c_at_most[n]) / clean == Approx(published[n]).margin(tolerance));
        CHECK(static_cast<double>(ac_at_most[n]) / clean == Approx(published[n]).margin(tolerance));
    }
    CHECK(static_cast<double>(c_at_most[3]) / clean == Approx(0.734).margin(0.02));
}

TEST_CASE("noise is Gaussian, white, and never repeats from tick to tick", "[readout][physics]") {
    Simulator simulator{quiet_config(4), csi_board(), 0, 200};
    double n = 0, sum = 0, square = 0, lag1 = 0, lag8 = 0, across = 0, channels = 0;
    std::array<double, 12> counts{};
    std::vector<double> before;
    for (Taken record; take(simulator, record);) {
        const std::vector<double> x = heights(record.view(), 100);
        const auto veto = record.view().channel<std::int8_t>(1);
        for (std::size_t i = 8; i < x.size(); ++i) {
            ++n;
            sum += x[i];
            square += x[i] * x[i];
            lag1 += x[i] * x[i - 1];
            lag8 += x[i] * x[i - 8];
            channels += x[i] * (veto_counts(veto[i]) - 21);
            if (!before.empty()) across += x[i] * before[i];
            const double bin = x[i] + 6;
            if (bin >= 0 && bin < 12) counts[static_cast<std::size_t>(bin)] += 1;
        }
        before = x;
    }
    const double variance = square / n;
    CHECK(sum / n == Approx(0).margin(5 * std::sqrt(variance / n)));
    // Rounding adds 1/12.
    CHECK(variance == Approx(0.81 + 1.0 / 12).epsilon(0.003));
    // The finite table repeats itself over 200 ticks, so correlations are a little wider than 1 / sqrt(n) = 3.8e-4.
    CHECK(lag1 / square == Approx(0).margin(4e-3));
    CHECK(lag8 / square == Approx(0).margin(4e-3));
    CHECK(across / square == Approx(0).margin(4e-3));
    CHECK(channels / square == Approx(0).margin(4e-3));
    for (int height = -4; height <= 4; ++height) {
        // Chance of a rounded Gaussian, from its distribution function.
        const auto below = [](double edge) { return 0.5 * std::erfc(-edge / 0.9 / std::sqrt(2.0)); };
        const double expected = below(height + 0.5) - below(height - 0.5);
        INFO("height " << height);
        CHECK(counts[static_cast<std::size_t>(height + 6)] / n ==
              Approx(expected).epsilon(0.003).margin(4.5 * std::sqrt(expected / n)));
    }
}

TEST_CASE("a single photoelectron has a Polya charge with the configured mean", "[readout][physics]") {
    SimulatorConfig config = quiet_config(6);
    config.dark_rate_hz = 200'000;
    Simulator simulator{config, csi_board(), 0, 900};
    double n = 0, sum = 0, square = 0;
    for (Taken record; take(simulator, record);) {
        const std::vector<int> counts = decode_signal(record.view());
        const std::vector<int> onsets = find_peaks(counts, 100, 3, 4);
        for (std::size_t p = 1; p + 1 < onsets.size(); ++p) {
            if (onsets[p] - onsets[p - 1] < 200 || onsets[p + 1] - onsets[p] < 200) continue;
            double charge = 0;
            for (int i = onsets[p] - 10; i < onsets[p] + 30; ++i) charge += 100 - counts[static_cast<std::size_t>(i)];
            ++n;
            sum += charge;
            square += charge * charge;
        }
    }
    REQUIRE(n > 3000);
    const double mean = sum / n, sigma = std::sqrt(square / n - mean * mean);
    // Expected 70 and 70 / sqrt(7) = 26.5 (with 40 samples of noise: 27.1). The finder loses 1 % of the photoelectrons,
    // all small; 0.5 % of the peaks hold two.
    CHECK(mean == Approx(70).epsilon(0.025));
    CHECK(sigma == Approx(27.1).epsilon(0.06));

    const PolyaCharge polya{6};
    RandomStream random{1, 2, 3};
    double draws = 0, draws2 = 0, cubes = 0;
    constexpr int total = 200'000;
    for (int i = 0; i < total; ++i) {
        const double q = polya.draw(random);
        draws += q;
        draws2 += q * q;
        cubes += (q - 1) * (q - 1) * (q - 1);
    }
    CHECK(draws / total == Approx(1).epsilon(0.004));
    CHECK(draws2 / total - draws * draws / total / total == Approx(1.0 / 7).epsilon(0.02));
    CHECK(cubes / total ==
          Approx(2.0 / 49).epsilon(0.08));  // third moment of the gamma distribution: 2 / (theta + 1)^2
}

TEST_CASE("a pulse holds its charge exactly at any phase and sample period", "[readout][physics]") {
    for (const double period_ns : {1.0, 2.0, 4.0, 16.0, 100.0}) {
        const PulseShape shape{4.5, 6.5, period_ns};
        for (const double time_ns : {1000.0, 1000.3, 1001.9, 1003.99}) {
            PulseCanvas canvas{3000};
            shape.add(canvas, time_ns, 70);
            double sum = 0, centre = 0;
            for (std::size_t s = 0; s < canvas.segments(); ++s) {
                for (std::size_t i = 0; i < PulseCanvas::kSegment; ++i) {
                    const double h = static_cast<double>(canvas.segment(s)[i]);
                    sum += h;
                    centre += h * static_cast<double>(s * PulseCanvas::kSegment + i) * period_ns;
                }
            }
            INFO("period " << period_ns << " ns at " << time_ns << " ns");
            CHECK(sum == Approx(70).epsilon(1e-4));
            // Maximum after 13.5 ns; the centre of a two-sided Gaussian lies sqrt(2/pi) (6.5 - 4.5) = 1.6 ns behind it.
            CHECK(centre / sum ==
                  Approx(time_ns + 13.5 + 1.6).margin(period_ns < 5 ? 0.1 + period_ns / 16 : period_ns / 2));
        }
    }
    // Height 10.15 ADC for 70 ADC x sample: the two-sided Gaussian's area is sqrt(pi/2) (4.5 + 6.5) ns / 2 ns = 6.893.
    CHECK(PulseShape(4.5, 6.5, 2).charge_per_height() == Approx(6.893).epsilon(1e-3));
    PulseCanvas edge{100};
    const PulseShape shape{4.5, 6.5, 2};
    for (const double time_ns : {-1e6, -30.0, -1.0, 190.0, 199.0, 1e6}) shape.add(edge, time_ns, 70);  // never outside
    edge.clear();
    for (std::size_t s = 0; s < edge.segments(); ++s) CHECK_FALSE(edge.touched(s));
}

TEST_CASE("scintillation light has two decay times, and the truth is what was injected", "[readout][physics]") {
    struct Case {
        const char* name;
        bool beam;
        double fast_ns;
    };
    for (const Case& c : {Case{"electron recoils", false, 527.0}, Case{"nuclear recoils", true, 589.0}}) {
        SimulatorConfig config = quiet_config(31);
        config.rate_boost = c.beam ? 3e5 : 1;
        config.beam_off_s = 0;
        config.background_rate_hz = c.beam ? 0 : 8'000;
        config.background_min_pe = config.background_max_pe = 50;
        config.neutron_strength = 0;
        config.trigger_position_ns = 10'000;  // 58 us are left: ten slow decay times
        Simulator simulator{config, csi_board(), 0, 1500};
        std::vector<double> curve(27'000);  // mean light from the onset on, 54 us
        double photoelectrons = 0;
        for (Taken record; take(simulator, record);) {
            if (record.header.truth_count != 1) continue;
            const TruthPulse truth = record.view().truth()[0];
            if (truth.onset_ns < 200 || truth.onset_ns > 15'900) continue;
            const std::vector<double> h = heights(record.view(), 100);
            const auto begin = static_cast<std::size_t>(truth.onset_ns / 2);
            for (std::size_t i = 0; i < curve.size(); ++i) curve[i] += h[begin + i];
            photoelectrons += truth.photoelectrons;
        }
        INFO(c.name << ": " << photoelectrons << " photoelectrons");
        REQUIRE(photoelectrons > 1500);
        const double noise = std::sqrt(0.9 * 27'000 * 400);  // 400 traces of 27,000 samples, generous
        const double total = std::accumulate(curve.begin(), curve.end(), 0.0);
        const double charge_error = 70 * std::sqrt(photoelectrons / 7) + noise;
        CHECK(total == Approx(70 * photoelectrons).margin(3.5 * charge_error));
        for (const double t : {300.0, 600.0, 1200.0, 3000.0, 8000.0}) {
            // 15 ns: the pulse's own delay, see above
            const double u = t - 15;
            const double expected = (1 - std::exp(-u / c.fast_ns) + 0.41 * (1 - std::exp(-u / 5600))) / 1.41;
            const double seen =
                std::accumulate(curve.begin(), curve.begin() + static_cast<int>(t / 2), 0.0) / (70 * photoelectrons);
            const double error =
                std::sqrt(expected * (1 + 1.0 / 7) / photoelectrons) + noise / 3 / (70 * photoelectrons);
            INFO("light within " << t << " ns");
            CHECK(seen == Approx(expected).margin(4 * error));
        }
    }
}

TEST_CASE("background pulses begin anywhere in the trace with equal chance", "[readout][physics]") {
    SimulatorConfig config = quiet_config(13);
    config.rate_boost = 1e4;
    config.beam_on_s = 0;
    config.beam_off_s = 1;
    const Simulator simulator{config, csi_board(), 0, 1};
    std::vector<double> onsets;
    std::array<int, 61> pe{};
    int inside = 0;
    constexpr int ticks = 30'000;
    for (std::int64_t tick = 0; tick < ticks; ++tick) {
        for (const PlannedPulse& pulse : simulator.plan(tick).pulses) {
            REQUIRE(pulse.truth.kind == TruthKind::background);
            onsets.push_back(pulse.onset_ns);
            inside += pulse.onset_ns >= 0;
            ++pe.at(pulse.truth.photoelectrons);
        }
    }
    // Poisson: 0.45 Hz x 1e4 x 70 us = 0.315 per trace
    CHECK(std::abs(inside - 0.315 * ticks) < 4.5 * std::sqrt(0.315 * ticks));
    std::sort(onsets.begin(), onsets.end());
    const double low = -3 * 5600.0, high = 70'000;
    double distance = 0;  // Kolmogorov-Smirnov
    for (std::size_t i = 0; i < onsets.size(); ++i) {
        const double expected = (onsets[i] - low) / (high - low);
        distance = std::max({distance, std::abs(expected - static_cast<double>(i) / static_cast<double>(onsets.size())),
                             std::abs(expected - static_cast<double>(i + 1) / static_cast<double>(onsets.size()))});
    }
    CHECK(distance * std::sqrt(static_cast<double>(onsets.size())) < 1.95);  // 0.1 % of uniform samples exceed this
    CHECK(pe[2] == 0);
    // 32 % flat over 58 numbers, the rest exp(-n / 5) from 3 on: share at 3 is 0.68 (1 - e^-0.2) + 0.0055 = 0.1288
    CHECK(agrees(pe[3], static_cast<double>(onsets.size()), 0.1288));
    CHECK(agrees(std::accumulate(pe.begin() + 40, pe.end(), 0), static_cast<double>(onsets.size()),
                 0.32 * 21 / 58 + 0.0004));
}

TEST_CASE("neutrinos and neutrons come with the protons and at no other time", "[readout][physics]") {
    SimulatorConfig config = quiet_config(17);
    config.background_rate_hz = 0;
    config.rate_boost = 1e6;
    config.beam_on_s = 2;
    config.beam_off_s = 1;
    const Simulator simulator{config, csi_board(), 0, 1};
    std::array<std::vector<double>, 3> onset;  // from the start of the C region, by kind
    double gwh = 0;
    std::array<double, 3> in_box{};
    for (std::int64_t tick = 0; tick < 30'000; ++tick) {
        const TickPlan plan = simulator.plan(tick);
        const double t = std::fmod(static_cast<double>(plan.time_ps) * 1e-12, 3);
        REQUIRE(plan.beam.delivered == (t < 2 && tick % 600 != 0));
        if (!plan.beam.delivered) {
            REQUIRE(plan.pulses.empty());
            REQUIRE(plan.beam.charge_pc == 0);
            continue;
        }
        gwh += plan.beam.charge_pc * 1e-12 * 0.957e9 / 3.6e12;
        for (const PlannedPulse& pulse : plan.pulses) {
            const auto kind = static_cast<std::size_t>(pulse.truth.kind);
            REQUIRE(kind < 3);
            onset[kind].push_back(pulse.onset_ns - 54'950);
            in_box[kind] += pulse.truth.photoelectrons >= 1;
        }
    }
    // 1.01 MW during 2 of 3 s of 500 s
    CHECK(gwh == Approx(1.01e6 * 500 * 2 / 3 / 3.6e12).epsilon(0.01));
    const CevnsSpectra cevns = csi_cevns_spectra();
    const PhotoelectronSpectrum neutrons = csi_prompt_neutron_spectrum();
    const std::array<const PhotoelectronSpectrum*, 3> spectra{&cevns.prompt, &cevns.delayed, &neutrons};
    // Published arrival times, bins of 0.5 us from the start of the region
    constexpr std::array<std::array<double, 4>, 3> published{
        {{0.0648, 0.9095, 0.0257, 0.0000}, {0.0014, 0.1192, 0.1796, 0.1435}, {0.0933, 0.8683, 0.0275, 0.0050}}};
    for (std::size_t kind = 0; kind < 3; ++kind) {
        INFO(kTruthKindNames[kind]);
        const double expected = std::accumulate(spectra[kind]->begin() + 1, spectra[kind]->end(), 0.0) * gwh * 1e6;
        const auto n = static_cast<double>(onset[kind].size());
        REQUIRE(n > 150);
        CHECK(std::abs(n - expected) < 4.5 * std::sqrt(expected));
        for (std::size_t bin = 0; bin < 4; ++bin) {
            const double from = 500.0 * static_cast<double>(bin);
            const auto in_bin = std::count_if(onset[kind].begin(), onset[kind].end(),
                                              [&](double t) { return t >= from && t < from + 500; });
            const double p = published[kind][bin];
            INFO("bin " << bin);
            CHECK(static_cast<double>(in_bin) / n == Approx(p).margin(0.02 + 4 * std::sqrt(p * (1 - p) / n)));
        }
    }
}

TEST_CASE("Cherenkov light comes in one short burst, a big pulse saturates and glows on", "[readout][physics]") {
    SimulatorConfig config = quiet_config(19);
    config.cherenkov_share = 0.3;
    Simulator bursts{config, csi_board(), 0, 500};
    int seen = 0, long_ones = 0;
    for (Taken record; take(bursts, record);) {
        if (record.header.truth_count != 1 || record.view().truth()[0].onset_ns > 69'000) continue;
        REQUIRE(record.view().truth()[0].kind == TruthKind::cherenkov);
        const std::vector<int> peaks = find_peaks(decode_signal(record.view()), 100, 3, 4);
        if (peaks.empty()) continue;
        ++seen;
        long_ones += peaks.back() - peaks.front() > 50 || std::ssize(peaks) >= 8;
    }
    CHECK(seen > 80);
    CHECK(long_ones < seen / 5);  // 100 ns: the last of 10 photoelectrons at 20 ns comes later in about one of 14 cases

    config.cherenkov_share = 0;
    config.big_pulse_share = 0.3;
    Simulator big{config, csi_board(), 0, 200};
    int pulses = 0;
    double glow = 0, expected = 0;
    for (Taken record; take(big, record);) {
        if (record.header.truth_count != 1) continue;
        const TruthPulse truth = record.view().truth()[0];
        if (truth.onset_ns > 18'000) continue;
        ++pulses;
        const auto codes = record.view().channel<std::int8_t>(0);
        REQUIRE(std::find(codes.begin(), codes.end(), -128) != codes.end());
        // From 45 us after the onset on, the slow light of 5.6 us has died to 3e-4: what is left is the afterglow.
        const std::vector<double> h = heights(record.view(), 100);
        const double begin_ns = static_cast<double>(truth.onset_ns) + 45'000;
        for (auto i = static_cast<std::size_t>(begin_ns / 2); i < h.size(); ++i) glow += h[i];
        const double end = 70'000 - static_cast<double>(truth.onset_ns);
        const double n = truth.photoelectrons;
        expected += 70 * n *
                    (100e-9 * 10'000 * std::log((1 + end / 1e4) / 5.5) +
                     0.41 / 1.41 * (std::exp(-45'000 / 5600.0) - std::exp(-end / 5600)));
    }
    REQUIRE(pulses > 8);
    CHECK(glow == Approx(expected).epsilon(0.25));
}

TEST_CASE("gain and baseline drift with time as configured", "[readout][physics]") {
    SimulatorConfig config = quiet_config(23);
    config.gain_drift = 0.1;
    config.gain_drift_period_s = 100;
    config.baseline_drift_adc = 5;
    config.baseline_drift_period_s = 40;
    Simulator simulator{config, csi_board(), 0, 2400};  // 40 s
    int low = 1000, high = 0;
    for (Taken record; take(simulator, record);) {
        if (record.header.counter % 50 != 0) continue;
        const int level = median(decode_signal(record.view()));
        const double t = static_cast<double>(record.header.counter) / 60;
        REQUIRE(level == Approx(100 + 5 * std::sin(2 * 3.14159265 * t / 40)).margin(0.7));
        low = std::min(low, level);
        high = std::max(high, level);
    }
    CHECK(low == 95);
    CHECK(high == 105);
    CHECK(simulator.plan(1500).spe_charge_adc == Approx(77).epsilon(1e-3));  // 25 s: a quarter of the period
    CHECK(simulator.plan(4500).spe_charge_adc == Approx(63).epsilon(1e-3));
}
