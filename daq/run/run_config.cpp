#include "daq/run/run_config.hpp"

#include <bit>

namespace alleycat {
namespace {

std::size_t power_of_two_mb(ConfigSection& section, std::string_view key, std::int64_t fallback_mb,
                            std::int64_t max_mb) {
    return std::bit_ceil(static_cast<std::size_t>(section.integer(key, fallback_mb, 1, max_mb)) << 20);
}

}  // namespace

RunConfig parse_run(ConfigSection& root) {
    ConfigSection section = root.section("run");
    RunConfig config;
    config.ring_bytes = power_of_two_mb(section, "ring_mb", 64, 4'096);
    config.retransmit_bytes = power_of_two_mb(section, "retransmit_mb", 256, 16'384);
    config.spill_folder = section.text("spill_folder", "");
    config.spill_bytes = static_cast<std::uint64_t>(section.integer("spill_mb", 0, 0, 100'000'000)) * 1'000'000;
    config.workers = static_cast<unsigned>(section.integer("workers", 1, 1, 64));
    config.kernels = section.choice("kernels", Kernels::simd, {{"simd", Kernels::simd}, {"scalar", Kernels::scalar}});
    config.drain_timeout_s = section.number("drain_timeout_s", 10, 0, 3'600);
    config.waveforms_per_s = section.number("waveforms_per_s", 5, 0, 10);
    config.autostart = section.boolean("autostart", true);
    section.finish();
    return config;
}

BuilderConfig parse_builder(ConfigSection& root, double tick_rate_hz) {
    ConfigSection section = root.section("builder");
    BuilderConfig config;
    config.tick_rate_hz = tick_rate_hz;
    config.counter_is_hardware = section.boolean("tick_counter", true);
    config.skew_ps = static_cast<std::int64_t>(section.number("skew_ns", 1'000, 0, 1e9) * 1e3);
    config.missing_after_ps = static_cast<std::int64_t>(section.number("missing_after_ms", 2'000, 1, 1e6) * 1e9);
    section.finish();
    return config;
}

AnalysisBox parse_analysis(ConfigSection& root) {
    ConfigSection section = root.section("analysis");
    AnalysisBox box;
    box.min_pe = section.number("min_pe", 6, 0, 1e9);
    box.max_pe = section.number("max_pe", 30, 0, 1e9);
    box.min_arrival_ns = section.number("min_arrival_ns", 0, 0, 1e12);
    box.max_arrival_ns = section.number("max_arrival_ns", 6'000, 0, 1e12);
    if (box.min_pe >= box.max_pe) section.problem("min_pe", "is not below max_pe");
    if (box.min_arrival_ns >= box.max_arrival_ns) section.problem("min_arrival_ns", "is not below max_arrival_ns");
    section.finish();
    return box;
}

}  // namespace alleycat
