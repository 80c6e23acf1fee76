#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "daq/core/config.hpp"
#include "daq/core/event_sink.hpp"
#include "daq/core/source.hpp"
#include "daq/core/station.hpp"
#include "daq/run/beam_join.hpp"
#include "daq/run/run_config.hpp"
#include "daq/store/archive.hpp"
#include "daq/store/store_config.hpp"
#include "daq/wire/wire_config.hpp"
#include "monitor/monitor_config.hpp"
#include "readout/boards.hpp"
#include "readout/input.hpp"
#include "readout/simulator.hpp"
#include "trigger/tick_config.hpp"
#include "trigger/trigger_config.hpp"

namespace alleycat {

/// A whole station file, read once: each folder parses its own section.
struct StationSetup {
    std::filesystem::path path;
    std::string text;
    Station station;
    TriggerConfig trigger;
    TickSignal tick;
    SimulatorConfig simulator;
    FileSourceConfig files;
    std::vector<BoardConfig> boards;  ///< as station.boards
    BeamConfig beam;
    BuilderConfig builder;
    RunConfig run;
    AnalysisBox analysis;
    StoreConfig store;
    ArchiveConfig archive;
    WireConfig wire;
    MonitorConfig monitor;
};

/// The station file is wrong: a line per problem, "file:line:column: key: what is wrong", to be shown as they stand so
/// that editors can jump there.
class StationError : public UsageError {
  public:
    using UsageError::UsageError;
};

/// Throws StationError with every problem of the file.
[[nodiscard]] StationSetup load_station(const std::filesystem::path& path);

/// The boards of a live station. One switch makes a source; a station of recorded files says to replay instead (Error).
/// `max_triggers` is what simulated boards deliver before their end, of hits the periods of the timing signal.
[[nodiscard]] std::vector<std::unique_ptr<RecordSource>> make_live_sources(const StationSetup& setup,
                                                                           std::uint64_t max_triggers);

/// Recorded input, recognised by its content: an Alleycat run, or what readout/ knows.
struct RecordedInput {
    std::vector<std::unique_ptr<RecordSource>> sources;
    bool is_alleycat = false;
    std::uint64_t run = 0;  ///< of an Alleycat file; else 0
    double rate_boost = 1;  ///< of an Alleycat file: what its simulator was told
    bool test_run = false;  ///< the same
    /// Of an Alleycat file: the SPE charges it was recorded with. With these a station that fits them makes none anew.
    std::optional<std::vector<Calibration>> calibration{};
    /// Of an Alleycat file: what no file has before its run.
    std::optional<Gap> gap{};
};
/// decode_threads  decompress ahead of the readers' threads; 1: none does
[[nodiscard]] RecordedInput open_input(const StationSetup& setup, const std::vector<std::filesystem::path>& inputs,
                                       unsigned decode_threads = 1);

/// What a run with these sources is; its start is filled in by the pipeline. Throws Error when the boards found are not
/// those of the station file.
[[nodiscard]] RunDescription describe_run(const StationSetup& setup, std::uint64_t run,
                                          const std::vector<std::unique_ptr<RecordSource>>& sources);

/// The join that [beam] asks for; reads the power log. Throws Error.
[[nodiscard]] BeamJoin make_beam_join(const StationSetup& setup, CounterRegistry& registry);

}  // namespace alleycat
