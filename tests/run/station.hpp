#pragma once
// The shipped CsI station, simulated as fast as it goes, and a pipeline around it.

#include <filesystem>
#include <string>

#include "daq/core/time.hpp"
#include "daq/run/pipeline.hpp"
#include "daq/run/station_setup.hpp"
#include "tests/temporary_folder.hpp"

namespace run_test {

using alleycat::testing::TemporaryFolder;

using namespace alleycat;

inline StationSetup csi_station() {
    StationSetup setup = load_station(std::filesystem::path{ALLEYCAT_SOURCE_DIR} / "config" / "csi.toml");
    setup.simulator.pacing = Pacing::fast;
    setup.simulator.start_utc = from_iso8601("2015-10-02T16:00:00Z");
    setup.simulator.rate_boost = 1e3;
    setup.simulator.missed_tick_share = 0.05;
    return setup;
}

inline std::unique_ptr<Pipeline> make_pipeline(const StationSetup& setup, std::uint64_t triggers, WhenFull mode,
                                               std::vector<std::unique_ptr<RecordSource>> sources, RunBuffers& buffers,
                                               CounterRegistry& registry, RawData keep = RawData::all) {
    Pipeline::Config config{
        .mode = mode, .run = setup.run, .builder = setup.builder, .keep = keep, .max_triggers = triggers};
    config.builder.mode = mode;
    RunDescription run = describe_run(setup, 1, sources);
    return std::make_unique<Pipeline>(config, std::move(run), setup.trigger, make_beam_join(setup, registry),
                                      std::move(sources), buffers, registry);
}

}  // namespace run_test
