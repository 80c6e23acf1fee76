#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>

#include "daq/core/config.hpp"
#include "daq/core/run_description.hpp"
#include "daq/run/builder_config.hpp"
#include "trigger/kernels.hpp"

namespace alleycat {

/// [run] of a station file: how the daemon works.
struct RunConfig {
    std::size_t ring_bytes = 64u << 20;         ///< per board; rounded up to a power of two
    std::size_t retransmit_bytes = 256u << 20;  ///< frames that are not yet on disk
    std::filesystem::path spill_folder{};  ///< frames that memory has no room for; "": "spill" in the store's folder
    std::uint64_t spill_bytes = 0;         ///< at most so many there; 0: no spill
    unsigned workers = 1;                  ///< threads of the trigger stage
    Kernels kernels = Kernels::simd;       ///< of the trigger stage: its speed, never its results
    double drain_timeout_s = 10;           ///< how long a stopped run waits for an absent writer
    double waveforms_per_s = 5;            ///< sampled for the scope
    bool autostart = true;                 ///< the daemon begins a run when it starts
};

[[nodiscard]] RunConfig parse_run(ConfigSection& root);
[[nodiscard]] BuilderConfig parse_builder(ConfigSection& root, double tick_rate_hz);
[[nodiscard]] AnalysisBox parse_analysis(ConfigSection& root);

}  // namespace alleycat
