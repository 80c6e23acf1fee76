#pragma once
// The triggers that the benchmarks measure: the CsI[Na] station (signal and veto channel, 35,000 samples each), with
// 8-bit codes as its digitizer gives them, or on a board of 16 bits.

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "daq/core/run_description.hpp"
#include "daq/core/trigger.hpp"
#include "trigger/trigger_config.hpp"

namespace alleycat::bench {

/// What is in the signal channel.
struct TraceKind {
    std::string name;
    bool simulated = false;  ///< by the simulator of config/csi.toml at nature's rates
    int peaks = 0;           ///< else: noise, and so many peaks
};
[[nodiscard]] std::vector<TraceKind> trace_kinds();

/// A board and the configuration that fits it.
struct BenchStation {
    TriggerConfig trigger;
    BoardInfo board;
};
/// config/csi.toml for 8 bits; for 16 the same detector with ten counts for one.
[[nodiscard]] BenchStation bench_station(int bits);

/// Different triggers of a kind, one payload each. The same numbers in every run.
struct TraceSet {
    RecordHeader header;
    std::vector<std::vector<std::byte>> payloads;
};
[[nodiscard]] TraceSet make_traces(const TraceKind& kind, int bits, std::size_t triggers);

/// Memory larger than the caches, filled again and again with the same few triggers.
class WorkingSet {
  public:
    explicit WorkingSet(std::size_t bytes) : memory_(bytes / sizeof(std::uint64_t)) {}

    /// Copies `traces` until the memory is full, or `at_most` triggers stand in it.
    void fill(const TraceSet& traces, std::size_t at_most);

    [[nodiscard]] std::span<const Trigger> triggers() const noexcept { return triggers_; }
    [[nodiscard]] std::size_t bytes_per_trigger() const noexcept { return bytes_per_trigger_; }
    [[nodiscard]] std::span<const std::uint64_t> words() const noexcept { return memory_; }

  private:
    std::vector<std::uint64_t> memory_;
    RecordHeader header_;
    std::vector<Trigger> triggers_;
    std::size_t bytes_per_trigger_ = 0;
};

}  // namespace alleycat::bench
