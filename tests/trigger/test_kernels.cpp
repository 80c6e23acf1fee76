// CodeTrace (raw codes, many at a time) against PlainTrace (the specification): the same numbers to the last bit, on
// random and on hostile traces, with every instruction set of this processor.

#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <vector>

#include "simd_targets.hpp"
#include "trigger/code_trace.hpp"
#include "trigger/kernels.hpp"
#include "trigger/plain_trace.hpp"
#include "trigger/simd_kernels.hpp"

using namespace alleycat;
using alleycat::testing::for_each_simd_target;

namespace {

using Random = std::mt19937;

int pick(Random& random, int low, int high) { return std::uniform_int_distribution{low, high}(random); }
template <class T>
T one_of(Random& random, std::initializer_list<T> choices) {
    return choices.begin()[pick(random, 0, static_cast<int>(choices.size()) - 1)];
}

/// A trace and everything that is asked about it.
struct Trial {
    SampleType type = SampleType::int8;
    const CodeTable* map = nullptr;
    bool negative = true;
    std::vector<std::int32_t> codes;
    std::size_t channel = 0;

    std::int64_t region = 0;
    std::int32_t band = 5;
    std::int32_t low_code = 0, high_code = 0;
    bool overflow_first = false;  // asked before the peaks, as for a trace without a baseline
    LinearGate gate;
    PeakFinding finding;
    std::int64_t begin = 0, end = 0;  // of the heights
    std::int64_t arrival = 0, window = 0, local_length = 0;
    std::int32_t local_band = 0;
};

struct Outcome {
    double median = 0, mean = 0, sigma = 0;
    bool overflow = false, gate = false;
    std::vector<Peak> peaks;
    std::vector<std::int32_t> raw_heights, heights;
    std::vector<double> charges;  // local baseline, then both charges with their times

    friend bool operator==(const Outcome&, const Outcome&) = default;
};

/// NaN stands for what nobody knows and equals itself.
double comparable(double value) { return std::isnan(value) ? std::numeric_limits<double>::infinity() : value; }

template <class AnyTrace>
Outcome measure(AnyTrace& trace, const Trial& trial) {
    Outcome outcome;
    const auto piece = [&] {
        const std::span<const std::int32_t> all = trace.heights(trial.begin, trial.end);
        return std::vector<std::int32_t>{all.begin() + trial.begin, all.begin() + trial.end};
    };
    outcome.raw_heights = piece();
    if (trial.overflow_first) outcome.overflow = trace.overflows(trial.low_code, trial.high_code);
    const Baseline baseline = trace.take_baseline(trial.region, trial.band);
    outcome.median = baseline.median;
    outcome.mean = baseline.mean;
    outcome.sigma = baseline.sigma;
    outcome.gate = trace.gate_closed(trial.gate);
    trace.find_peaks(trial.finding, outcome.peaks);
    if (!trial.overflow_first) outcome.overflow = trace.overflows(trial.low_code, trial.high_code);
    outcome.heights = piece();
    const double local = trace.local_baseline(trial.arrival, trial.local_length, trial.local_band);
    const auto [global, charge] = trace.charges(outcome.peaks, trial.finding, trial.arrival, trial.window, local);
    for (const double value :
         {local, global.charge, global.t10, global.t50, global.t90, charge.charge, charge.t10, charge.t50, charge.t90})
        outcome.charges.push_back(comparable(value));
    return outcome;
}

/// The codes in their own type, ending where the memory ends: a sanitizer sees a step too far.
std::vector<std::byte> bytes_of(const Trial& trial, std::size_t offset) {
    std::vector<std::byte> bytes(offset + trial.codes.size() * bytes_per_sample(trial.type));
    with_sample_type(trial.type, [&]<class Sample>(Sample) {
        for (std::size_t i = 0; i < trial.codes.size(); ++i) {
            const auto code = static_cast<Sample>(trial.codes[i]);
            std::memcpy(bytes.data() + offset + i * sizeof code, &code, sizeof code);
        }
    });
    return bytes;
}

class Comparison {
  public:
    /// With the target that is taken at present.
    void check(const Trial& trial) {
        const std::size_t offset = bytes_per_sample(trial.type) * (trial.channel % 5);
        const std::vector<std::byte> bytes = bytes_of(trial, offset);
        const Codes codes{bytes.data() + offset, static_cast<std::int64_t>(trial.codes.size()), trial.type, trial.map};
        plain_.open(codes, trial.negative);
        const Outcome expected = measure(plain_, trial);
        fast_.open(codes, trial.negative, trial.channel);
        const Outcome found = measure(fast_, trial);
        if (found == expected) return;
        INFO("type " << to_text(trial.type) << (trial.map != nullptr ? " with a map" : "") << ", "
                     << (trial.negative ? "negative" : "positive") << ", " << trial.codes.size() << " samples, region "
                     << trial.region << ", band " << trial.band << ", threshold " << trial.finding.threshold_adc
                     << ", min_samples " << trial.finding.min_samples);
        CHECK(found.median == expected.median);
        CHECK(found.mean == expected.mean);
        CHECK(found.sigma == expected.sigma);
        CHECK(found.overflow == expected.overflow);
        CHECK(found.gate == expected.gate);
        CHECK(found.peaks == expected.peaks);
        CHECK(found.raw_heights == expected.raw_heights);
        CHECK(found.heights == expected.heights);
        CHECK(found.charges == expected.charges);
        REQUIRE(false);
    }

  private:
    PlainTrace plain_;
    CodeTrace fast_;
};

/// What the trace looks like.
enum class Shape { uniform, noise, noise_with_pulses, flat, ends_of_range, alternating, runs, steps };

std::vector<std::int32_t> make_codes(Random& random, SampleType type, Shape shape, std::size_t n, bool negative) {
    const auto [low, high] = code_range(type);
    const std::int32_t base = one_of(
        random, {low, high, low + 1, high - 1, pick(random, low, high), pick(random, low, high), (low + high) / 2});
    std::vector<std::int32_t> codes(n, base);
    const auto clamp_all = [&, l = low, h = high] {
        for (std::int32_t& code : codes) code = std::clamp(code, l, h);
    };
    switch (shape) {
        case Shape::flat: break;
        case Shape::uniform:
            for (std::int32_t& code : codes) code = pick(random, low, high);
            break;
        case Shape::noise:
        case Shape::noise_with_pulses: {
            std::normal_distribution<double> noise{0, one_of(random, {0.4, 1.0, 3.0, 30.0})};
            for (std::int32_t& code : codes) code += static_cast<std::int32_t>(std::lround(noise(random)));
            for (std::size_t i = 0; shape == Shape::noise_with_pulses && i < n;
                 i += static_cast<std::size_t>(pick(random, 1, 90))) {
                const int height = pick(random, 1, 60) * (negative ? -1 : 1);
                const std::size_t end = std::min(n, i + static_cast<std::size_t>(pick(random, 1, 70)));
                for (; i < end; ++i) codes[i] += height;
            }
            clamp_all();
            break;
        }
        case Shape::ends_of_range:
            for (std::int32_t& code : codes) code = pick(random, 0, 1) == 0 ? low : high;
            break;
        case Shape::alternating:
            for (std::size_t i = 0; i < n; i += 2) codes[i] += one_of(random, {-4, -3, -1, 1, 3, 4});
            clamp_all();
            break;
        case Shape::runs: {
            const int longest = one_of(random, {8, 70, 140});
            for (std::size_t i = 0; i < n;) {
                i += static_cast<std::size_t>(pick(random, 0, 3));
                const std::size_t end = std::min(n, i + static_cast<std::size_t>(pick(random, 1, longest)));
                for (; i < end; ++i) codes[i] += negative ? -10 : 10;
                i += static_cast<std::size_t>(pick(random, 1, 3));
            }
            clamp_all();
            break;
        }
        case Shape::steps: {
            const std::size_t edge = n == 0 ? 0 : static_cast<std::size_t>(pick(random, 0, static_cast<int>(n) - 1));
            for (std::size_t i = edge; i < n; ++i) codes[i] = one_of(random, {base - 40, base + 40, low, high});
            clamp_all();
            break;
        }
    }
    return codes;
}
constexpr std::initializer_list<Shape> kShapes{Shape::uniform, Shape::noise,         Shape::noise_with_pulses,
                                               Shape::flat,    Shape::ends_of_range, Shape::alternating,
                                               Shape::runs,    Shape::steps};

Trial make_trial(Random& random, SampleType type, const CodeTable* map, Shape shape, std::size_t n) {
    Trial trial;
    trial.type = type;
    trial.map = map;
    trial.negative = pick(random, 0, 1) == 0;
    trial.codes = make_codes(random, type, shape, n, trial.negative);
    trial.channel = static_cast<std::size_t>(pick(random, 0, 9));
    const auto [low, high] = code_range(type);
    const int last = static_cast<int>(n);
    trial.region = one_of<std::int64_t>(random, {last, pick(random, 0, last), last + 5});
    trial.band = one_of(random, {1, 2, 5, 7, 8, 9, 15, 16, 17, 20, 127, 255, 256, 1023, 1024, 1025, 40'000, 65'535});
    trial.low_code = one_of(random, {low, low - 1, low + 1, pick(random, low, high)});
    trial.high_code = one_of(random, {high, high + 1, high - 1, pick(random, low, high)});
    trial.overflow_first = pick(random, 0, 3) == 0;
    trial.gate = {pick(random, low - 1, high + 1), pick(random, low - 1, high + 1)};
    trial.finding = {.threshold_adc = one_of(
                         random, {1, 2, 3, 3, 4, 10, pick(random, 1, high - low), 300, 65'535, 0, -5,
                                  std::numeric_limits<std::int32_t>::max(), std::numeric_limits<std::int32_t>::min()}),
                     .min_samples = one_of(
                         random, {1, 2, 3, 4, 4, 5, 6, 7, 8, 16, 31, 33, 63, 64, 65, pick(random, 1, 100), 10'000}),
                     .margin_samples = one_of(random, {0, 1, 2, 2, 7, 100}),
                     .close_at_trace_end = pick(random, 0, 1) == 0};
    trial.begin = pick(random, 0, last);
    trial.end = pick(random, static_cast<int>(trial.begin), last);
    trial.arrival = pick(random, 0, last);
    trial.window = one_of<std::int64_t>(random, {0, 1, pick(random, 0, last), last, 2 * last});
    trial.local_length = one_of<std::int64_t>(random, {1, 50, last, 2 * last});
    trial.local_band = one_of(random, {0, 1, 3, 8, 20, 1'024, 65'535});
    return trial;
}

struct Input {
    SampleType type;
    const CodeTable* map;
};
constexpr std::initializer_list<Input> kInputs{{SampleType::int8, nullptr},       {SampleType::int8, &kPci5153Signal},
                                               {SampleType::int8, &kPci5153Veto}, {SampleType::uint8, nullptr},
                                               {SampleType::int16, nullptr},      {SampleType::uint16, nullptr}};

/// Peaks from one sample to the next, as in the description: a second method next to PlainTrace.
std::vector<Peak> runs_of(const std::vector<bool>& above, const PeakFinding& finding) {
    std::vector<Peak> runs;
    for (std::size_t i = 0; i < above.size();) {
        std::size_t end = i;
        while (end < above.size() && above[end]) ++end;
        const bool closed = end < above.size() || finding.close_at_trace_end;
        if (closed && end - i >= static_cast<std::size_t>(finding.min_samples))
            runs.push_back({static_cast<std::int32_t>(i), static_cast<std::int32_t>(end)});
        i = end + 1;
    }
    return runs;
}

}  // namespace

TEST_CASE("traces of all lengths up to 200 and of every shape give the same in codes as in heights",
          "[trigger][property]") {
    for_each_simd_target([](const std::string& target) {
        INFO(target);
        Random random{1};
        Comparison comparison;
        for (const Input& input : kInputs) {
            for (const Shape shape : kShapes) {
                for (std::size_t n = 0; n <= 200; ++n)
                    comparison.check(make_trial(random, input.type, input.map, shape, n));
            }
        }
    });
}

TEST_CASE("long traces of odd lengths give the same in codes as in heights", "[trigger][property]") {
    for_each_simd_target([](const std::string& target) {
        INFO(target);
        Random random{2};
        Comparison comparison;
        for (const Input& input : kInputs) {
            for (const Shape shape : kShapes) {
                for (const std::size_t n : {255u, 256u, 257u, 1'023u, 4'161u, 16'321u, 20'000u, 35'007u, 70'001u})
                    comparison.check(make_trial(random, input.type, input.map, shape, n));
            }
        }
    });
}

TEST_CASE("more equal samples than an 8-bit or 16-bit lane can count are counted", "[trigger][property]") {
    for_each_simd_target([](const std::string& target) {
        INFO(target);
        // One more below 5 than above it, or as many: the median is 4, then 5. Every lane counts far beyond 65,535.
        const std::size_t half = 2'200'000;
        std::vector<std::int16_t> codes(2 * half + 1, 4);
        std::fill(codes.begin() + static_cast<std::ptrdiff_t>(half) + 1, codes.end(), std::int16_t{6});
        const simd::Split split = simd::split(std::span<const std::int16_t>{codes}, 0, 5);
        CHECK(split.below == static_cast<std::int64_t>(half) + 1);
        CHECK(split.above == static_cast<std::int64_t>(half));
        std::vector<std::int8_t> narrow(codes.begin(), codes.begin() + 100'001);
        narrow[77] = 6;
        const simd::Split of_narrow = simd::split(std::span<const std::int8_t>{narrow}, 0, 5);
        CHECK(of_narrow.below == 100'000);
        CHECK(of_narrow.above == 1);
    });
}

TEST_CASE("many samples at the far end of a band do not overflow a lane", "[trigger][property]") {
    constexpr std::int64_t n = 100'001;
    for_each_simd_target([](const std::string& target) {
        INFO(target);
        for (int offset = -15; offset <= 15; offset += 5) {
            simd::BandTable table;
            table.inside[3] = 1;
            table.offset[3] = static_cast<std::uint8_t>(offset + simd::kBandTableBias);
            table.square[3] = static_cast<std::uint8_t>(offset * offset);
            table.largest = std::max({table.largest, table.offset[3], table.square[3]});
            const std::vector<std::uint8_t> codes(n, 253);  // entry 3 from 250 on
            CHECK(simd::band_sums(codes, 250, table, 0) == BandSums{n, offset * n, offset * offset * n});
        }
        const std::vector<std::uint8_t> narrow(n, 255);
        CHECK(simd::sum_distances(narrow, 0, 255, 0) == BandSums{n, 255 * n, 255 * 255 * n});
        const std::vector<std::uint16_t> wide(n, 1'000);  // 2,048 from 64,488 on, once around
        CHECK(simd::sum_distances(wide, 64'488, 2'048, 0) == BandSums{n, 2'048 * n, 2'048 * 2'048 * n});
        CHECK(simd::sum_distances(wide, 64'488, 2'047, 0) == BandSums{});
    });
}

TEST_CASE("runs of every length, at every place around the ends of 64-sample words, are found", "[trigger][property]") {
    for_each_simd_target([](const std::string& target) {
        INFO(target);
        CodeTrace trace;
        std::vector<Peak> found;
        for (const int n : {64, 65, 127, 128, 190, 192}) {
            for (int begin = 0; begin < n; ++begin) {
                for (const int length : {1, 2, 3, 4, 5, 6, 7, 8, 62, 63, 64, 65, 66, 128, 200}) {
                    std::vector<bool> above(static_cast<std::size_t>(n), false);
                    for (int i = begin; i < std::min(n, begin + length); ++i) above[static_cast<std::size_t>(i)] = true;
                    if (begin >= 2) above[static_cast<std::size_t>(begin) - 2] = true;  // a neighbour one sample before
                    std::vector<std::int8_t> codes(above.size());
                    std::transform(above.begin(), above.end(), codes.begin(), [](bool a) { return a ? 5 : 0; });
                    trace.open({reinterpret_cast<const std::byte*>(codes.data()), n, SampleType::int8, nullptr}, false,
                               0);
                    for (const int min_samples : {1, 2, 3, 4, 5, 6, 7, 8, 63, 64, 65, 100}) {
                        const PeakFinding finding{.min_samples = min_samples, .close_at_trace_end = length % 2 == 0};
                        found.clear();
                        trace.find_peaks(finding, found);
                        if (found == runs_of(above, finding)) continue;
                        INFO(n << " samples, run of " << length << " from " << begin << " on, at least "
                               << min_samples);
                        REQUIRE(found == runs_of(above, finding));
                    }
                }
            }
        }
    });
}

TEST_CASE("a gate has closed as often as it opened exactly when the trace ends as it began", "[trigger][property]") {
    // All traces of up to 12 samples, each open (100) or closed (10), against the definition: crossings are counted.
    CodeTrace trace;
    const LinearGate gate{.closed_at_adc = 18, .min_baseline_adc = -200};
    for (int n = 1; n <= 12; ++n) {
        for (int pattern = 0; pattern < 1 << n; ++pattern) {
            std::vector<std::int8_t> codes;
            for (int i = 0; i < n; ++i) codes.push_back((pattern >> i & 1) != 0 ? 10 : 100);
            int closings = 0, openings = 0;
            for (std::size_t i = 1; i < codes.size(); ++i) {
                closings += codes[i] <= 18 && codes[i - 1] > 18;
                openings += codes[i - 1] <= 18 && codes[i] > 18;
            }
            trace.open({reinterpret_cast<const std::byte*>(codes.data()), n, SampleType::int8, nullptr}, true, 0);
            REQUIRE(trace.gate_closed(gate) == (closings != openings));
        }
    }
}

TEST_CASE("the median does not depend on the trace from which its search begins", "[trigger][property]") {
    for_each_simd_target([](const std::string& target) {
        INFO(target);
        Random random{3};
        std::vector<std::uint16_t> codes(501);
        for (std::uint16_t& code : codes) code = static_cast<std::uint16_t>(pick(random, 29'000, 31'000));
        std::vector<std::uint16_t> sorted = codes;
        std::sort(sorted.begin(), sorted.end());
        CodeTrace trace;
        for (const int level : {0, 1, 29'999, 30'000, 30'001, 32'767, 32'768, 65'534, 65'535}) {
            const auto before = static_cast<std::uint16_t>(level);
            trace.open({reinterpret_cast<const std::byte*>(&before), 1, SampleType::uint16, nullptr}, true, 0);
            REQUIRE(trace.take_baseline(1, 5).median == before);
            trace.open({reinterpret_cast<const std::byte*>(codes.data()), 501, SampleType::uint16, nullptr}, true, 0);
            REQUIRE(trace.take_baseline(501, 5).median == sorted[250]);
        }
    });
}

TEST_CASE("a processor with vector instructions uses them", "[trigger][simd]") {
#if defined(__x86_64__)
    if (__builtin_cpu_supports("sse4.2") == 0) return;
    CHECK(hwy::SupportedAndGeneratedTargets().size() >= 2);  // the best one and a fallback for other processors
#elif !defined(__aarch64__)
    return;
#endif
    INFO(simd_target());
    REQUIRE(simd_target() != "SCALAR");
    REQUIRE(simd_target() != "EMU128");
    for_each_simd_target([](const std::string& target) { CHECK(simd_target() == target); });
}
