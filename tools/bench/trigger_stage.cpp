// How fast the trigger stage is, against the speed at which this machine reads memory and against the scalar twin, both
// measured in the same run. README.md of this folder says how to read the table.

#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <map>
#include <memory>

#include "tools/bench/bench_traces.hpp"
#include "tools/bench/ratio_table.hpp"
#include "trigger/trigger_stage.hpp"

namespace alleycat::bench {
namespace {

constexpr std::size_t kWorkingSet = 128u << 20;  // far above a core's caches
constexpr std::size_t kDifferentTriggers = 48;
constexpr std::size_t kInCache = 4;  // triggers: 280 or 560 kB

constexpr std::array<std::pair<const char*, Kernels>, 2> kBoth{{{"simd", Kernels::simd}, {"scalar", Kernels::scalar}}};

/// One working set for all, filled with what the benchmark at hand needs.
class Bench {
  public:
    const WorkingSet& filled_with(const TraceKind& kind, int bits, std::size_t at_most) {
        const std::string wanted = fmt::format("{} {} {}", kind.name, bits, at_most);
        if (wanted != content_) {
            const std::string name = fmt::format("{} {}", kind.name, bits);
            const auto [traces, added] = traces_.try_emplace(name);
            if (added) traces->second = make_traces(kind, bits, kDifferentTriggers);
            set_.fill(traces->second, at_most);
            content_ = wanted;
        }
        return set_;
    }
    const WorkingSet& as_it_is() const noexcept { return set_; }

  private:
    WorkingSet set_{kWorkingSet};
    std::string content_;
    std::map<std::string, TraceSet> traces_;
};

/// Reads the whole working set once, with four sums so that none waits for another.
void read_memory(benchmark::State& state, const Bench& bench) {
    using Vector [[gnu::vector_size(16)]] = std::uint64_t;
    const std::span<const std::uint64_t> words = bench.as_it_is().words();
    const auto* const vectors = reinterpret_cast<const Vector*>(words.data());
    const std::size_t n = words.size() / 2 / 8 * 8;
    for (auto _ : state) {
        Vector sum[8]{};
        for (std::size_t i = 0; i < n; i += 8) {
            for (std::size_t k = 0; k < 8; ++k) sum[k] ^= vectors[i + k];
        }
        benchmark::DoNotOptimize(sum);
    }
    state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(n * sizeof(Vector)));
}

void run_stage(benchmark::State& state, Bench& bench, const TraceKind& kind, int bits, Kernels kernels) {
    const BenchStation station = bench_station(bits);
    const WorkingSet& set = bench.filled_with(kind, bits, kWorkingSet);
    TriggerStage stage{station.trigger, {station.board}, kernels};
    Event event;
    std::size_t i = 0;
    for (auto _ : state) {
        stage.process(set.triggers()[i], station.trigger.spe_charge_adc, event);
        benchmark::DoNotOptimize(event);
        if (++i == set.triggers().size()) i = 0;
    }
    state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(set.bytes_per_trigger()));
}

/// One step of the stage on the signal channel.
struct Step {
    std::string name;
    std::int64_t samples;             ///< that it looks at
    std::vector<std::string> traces;  ///< kinds on which it differs
    std::function<void(Trace&, const TriggerConfig&, std::vector<Peak>&)> run;
};

std::vector<Step> steps() {
    return {
        {"median, mean and sigma",
         20'000,
         {"simulated"},
         [](Trace& trace, const TriggerConfig& config, std::vector<Peak>&) {
             benchmark::DoNotOptimize(trace.take_baseline(config.baseline_samples, config.baseline_band_adc));
         }},
        {"peaks and overflow",
         35'000,
         {"simulated", "500 peaks"},
         [](Trace& trace, const TriggerConfig& config, std::vector<Peak>& peaks) {
             peaks.clear();
             trace.find_peaks(config.peaks, peaks);
             benchmark::DoNotOptimize(trace.overflows(config.overflow_low_code, config.overflow_high_code));
         }},
        {"local baseline",
         500,
         {"simulated"},
         [](Trace& trace, const TriggerConfig& config, std::vector<Peak>&) {
             benchmark::DoNotOptimize(
                 trace.local_baseline(20'000, config.local_baseline_samples, config.local_baseline_band_adc));
         }},
        {"both charges, rise times",
         1'500,
         {"500 peaks"},
         [](Trace& trace, const TriggerConfig& config, std::vector<Peak>& peaks) {
             benchmark::DoNotOptimize(trace.charges(peaks, config.peaks, 20'000, 1'500, 0.3));
         }},
    };
}

/// The trace is in the cache, its baseline and peaks are known.
void run_step(benchmark::State& state, Bench& bench, const TraceKind& kind, int bits, Kernels kernels,
              const Step& step) {
    const BenchStation station = bench_station(bits);
    const WorkingSet& set = bench.filled_with(kind, bits, kInCache);
    std::vector<std::unique_ptr<Trace>> traces;
    std::vector<std::vector<Peak>> peaks(set.triggers().size());
    for (std::size_t i = 0; i < peaks.size(); ++i) {
        peaks[i].reserve(station.board.samples);
        traces.push_back(std::make_unique<Trace>(station.board.samples, kernels));
        traces[i]->open(set.triggers()[i].record[0], 0, station.board.channels[0]);
        traces[i]->take_baseline(station.trigger.baseline_samples, station.trigger.baseline_band_adc);
        traces[i]->find_peaks(station.trigger.peaks, peaks[i]);
    }
    std::size_t i = 0;
    for (auto _ : state) {
        step.run(*traces[i], station.trigger, peaks[i]);
        i = (i + 1) % peaks.size();
    }
    state.SetBytesProcessed(state.iterations() * step.samples * (bits / 8));
}

std::string stage_name(const TraceKind& kind, int bits, const char* kernels) {
    return fmt::format("stage/{} bit/{}/{}", bits, kind.name, kernels);
}
std::string step_name(const Step& step, const TraceKind& kind, int bits, const char* kernels) {
    return fmt::format("step/{}/{} bit/{}/{}", step.name, bits, kind.name, kernels);
}
std::vector<TraceKind> kinds_of(const Step& step) {
    std::vector<TraceKind> kinds = trace_kinds();
    std::erase_if(kinds, [&](const TraceKind& kind) {
        return std::find(step.traces.begin(), step.traces.end(), kind.name) == step.traces.end();
    });
    return kinds;
}

void register_all(Bench& bench) {
    benchmark::RegisterBenchmark("read", [&](benchmark::State& state) { read_memory(state, bench); });
    for (const auto& [word, kernels] : kBoth) {
        for (const int bits : {8, 16}) {
            for (const TraceKind& kind : trace_kinds()) {
                benchmark::RegisterBenchmark(
                    stage_name(kind, bits, word).c_str(),
                    [&bench, kind, bits, k = kernels](benchmark::State& s) { run_stage(s, bench, kind, bits, k); });
            }
            for (const Step& step : steps()) {
                for (const TraceKind& kind : kinds_of(step)) {
                    benchmark::RegisterBenchmark(step_name(step, kind, bits, word).c_str(),
                                                 [&bench, kind, bits, k = kernels, step](benchmark::State& s) {
                                                     run_step(s, bench, kind, bits, k, step);
                                                 });
                }
            }
        }
    }
}

void print_table(const Medians& medians) {
    const double read = medians.of("read");
    fmt::print("trigger stage, one core of: {}; {}; SIMD target {}\n", processor_name(), compiler_name(),
               simd_target());
    fmt::print("reading memory: {} GB/s (a loop over {} MiB, the reference of column \"of read\")\n\n",
               number_or_dash(read / 1e9, 1), kWorkingSet >> 20);
    fmt::print("{:<8}{:<12}{:>12}{:>11}{:>9}{:>13}{:>13}\n", "samples", "trace", "triggers/s", "simd GB/s", "of read",
               "scalar GB/s", "simd/scalar");
    for (const int bits : {8, 16}) {
        for (const TraceKind& kind : trace_kinds()) {
            const double simd = medians.of(stage_name(kind, bits, "simd"));
            const double scalar = medians.of(stage_name(kind, bits, "scalar"));
            fmt::print("{:<8}{:<12}{:>12}{:>11}{:>9}{:>13}{:>13}\n", fmt::format("{} bit", bits), kind.name,
                       number_or_dash(simd / (70'000.0 * bits / 8), 0), number_or_dash(simd / 1e9, 2),
                       number_or_dash(read > 0 ? simd / read : 0, 2), number_or_dash(scalar / 1e9, 2),
                       number_or_dash(scalar > 0 ? simd / scalar : 0, 1));
        }
    }
    fmt::print("\n{:<26}{:<8}{:<12}{:>11}{:>13}{:>13}\n", "step, trace in the cache", "samples", "trace", "simd GB/s",
               "scalar GB/s", "simd/scalar");
    for (const Step& step : steps()) {
        for (const int bits : {8, 16}) {
            for (const TraceKind& kind : kinds_of(step)) {
                const double simd = medians.of(step_name(step, kind, bits, "simd"));
                const double scalar = medians.of(step_name(step, kind, bits, "scalar"));
                fmt::print("{:<26}{:<8}{:<12}{:>11}{:>13}{:>13}\n", step.name, fmt::format("{} bit", bits), kind.name,
                           number_or_dash(simd / 1e9, 2), number_or_dash(scalar / 1e9, 2),
                           number_or_dash(scalar > 0 ? simd / scalar : 0, 1));
            }
        }
    }
}

}  // namespace
}  // namespace alleycat::bench

int main(int argc, char** argv) {
    using namespace alleycat::bench;
    initialize(argc, argv);
    Bench bench;
    register_all(bench);
    Medians medians;
    benchmark::RunSpecifiedBenchmarks(&medians);
    print_table(medians);
    benchmark::Shutdown();
}
