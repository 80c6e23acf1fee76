#include "daq/run/station_setup.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "daq/core/error.hpp"
#include "daq/run/revision.hpp"
#include "daq/run/tick_channel_source.hpp"
#include "daq/store/file_reader.hpp"
#include "readout/hit_simulator.hpp"

namespace alleycat {
namespace {

void check_board(const StationSetup& setup, const BoardInfo& configured, const BoardInfo& found) {
    const auto differs = [&](std::string_view what, const auto& wanted, const auto& is) {
        throw Error{fmt::format("board {}: the input has {} {}, but {} says {}", configured.name, what, is,
                                setup.path.string(), wanted)};
    };
    if (found.name != configured.name) differs("name", configured.name, found.name);
    if (found.sample_type != configured.sample_type) {
        differs("sample type", to_text(configured.sample_type), to_text(found.sample_type));
    }
    if (found.sample_period_ps != configured.sample_period_ps) {
        differs("sample period [ps]", configured.sample_period_ps, found.sample_period_ps);
    }
    if (found.self_triggered != configured.self_triggered) {
        differs("trigger", configured.self_triggered ? "self" : "external", found.self_triggered ? "self" : "external");
    }
    if (found.channels.size() != configured.channels.size()) {
        differs("number of channels", configured.channels.size(), found.channels.size());
    }
    for (std::size_t c = 0; c < found.channels.size(); ++c) {
        if (found.channels[c].name != configured.channels[c].name) {
            differs(fmt::format("channel {}", c), configured.channels[c].name, found.channels[c].name);
        }
    }
}

/// "simulator, labview, ..."
std::string known_sources() {
    return fmt::format("simulator, {}, {}", fmt::join(recorded_sources(), ", "), fmt::join(board_drivers(), ", "));
}

/// Which sources there are, and what they need, is known here, not where the station is read.
void check_source(ConfigSection& board, const BoardInfo& info) {
    const std::string source = board.text("source", "");
    if (source == "simulator" && info.samples == 0)
        board.problem("samples", "a simulated board must know how long its traces are: at least 1 sample");
    if (source.empty() || source == "simulator" || is_recorded_source(source) || is_board_driver(source)) return;
    board.problem("source", fmt::format("'{}' is not one of {}", source, known_sources()));
}

/// What the timing line means for those who follow it.
void apply_tick(StationSetup& setup) {
    BuilderConfig& builder = setup.builder;
    builder.phase_tolerance_ps = setup.tick.phase_tolerance_ps;
    builder.gaps_are_missing = setup.tick.meaning == TickMeaning::always_60Hz;
    builder.triggers_are_ticks = setup.tick.source != TickSource::stamps;
    builder.tick_channel = setup.tick.channel;
    if (setup.tick.of_hits) {
        builder.tick_board = setup.tick.of_hits->board;
        builder.max_tick_wait_ps = setup.tick.of_hits->max_wait_ps;
    }
    for (const BoardInfo& board : setup.station.boards) {
        builder.time_resolution_ps = std::max(builder.time_resolution_ps, board.clock_period_ps);
    }
    setup.beam.ticks_mean_beam = setup.tick.meaning == TickMeaning::beam_present;
}

StationSetup read_station(const std::filesystem::path& path) {
    const ConfigFile file = ConfigFile::load(path);
    ConfigProblems problems;
    ConfigSection root{file, problems};
    StationSetup setup;
    setup.path = path;
    setup.text = file.text();
    setup.station = parse_station(root);
    if (!setup.station.boards.empty()) {
        std::vector<ConfigSection> sections = root.sections("board");
        for (std::size_t b = 0; b < sections.size(); ++b) check_source(sections[b], setup.station.boards.at(b));
    }
    setup.trigger = parse_trigger(root, setup.station);
    setup.tick = parse_tick(root, setup.station, setup.trigger);
    setup.simulator = parse_simulator(root);
    setup.files = parse_file_sources(root);
    setup.boards = parse_boards(root, setup.station);
    // Files are replayed by stations of one board: what is recorded of a live one has its traces where it says.
    for (const BoardConfig& board : setup.boards) {
        if (const auto* fcio = std::get_if<FcioConfig>(&board)) setup.files.fcio_traces = fcio->traces;
    }
    setup.beam = parse_beam(root);
    setup.builder = parse_builder(root, setup.station.tick_rate_hz);
    setup.run = parse_run(root);
    apply_tick(setup);
    setup.analysis = parse_analysis(root);
    setup.store = parse_store(root);
    setup.archive = parse_archive(root);
    setup.wire = parse_wire(root);
    setup.monitor = parse_monitor(root);
    check_features(root, setup.monitor, feature_infos(setup.trigger));
    root.finish();
    problems.throw_if_any();
    return setup;
}

}  // namespace

StationSetup load_station(const std::filesystem::path& path) {
    try {
        return read_station(path);
    } catch (const UsageError& e) {
        throw StationError{e.what()};
    }
}

namespace {

std::unique_ptr<RecordSource> make_simulator(const StationSetup& setup, std::uint16_t board,
                                             std::uint64_t max_triggers) {
    const BoardInfo& info = setup.station.boards[board];
    if (!setup.tick.of_hits) return std::make_unique<Simulator>(setup.simulator, info, board, max_triggers);
    const bool stamps = setup.tick.source == TickSource::stamps && board == setup.tick.of_hits->board;
    return std::make_unique<HitSimulator>(setup.simulator, info, board, stamps, max_triggers);
}

/// Where a channel carries the timing signal, its hits become ticks.
void find_ticks(const StationSetup& setup, std::vector<std::unique_ptr<RecordSource>>& sources) {
    if (!setup.tick.of_hits || setup.tick.source != TickSource::channel) return;
    std::unique_ptr<RecordSource>& source = sources.at(setup.tick.of_hits->board);
    source = std::make_unique<TickChannelSource>(std::move(source), setup.tick.of_hits->channel.channel,
                                                 tick_config(setup.builder));
}

}  // namespace

std::vector<std::unique_ptr<RecordSource>> make_live_sources(const StationSetup& setup, std::uint64_t max_triggers) {
    std::vector<std::unique_ptr<RecordSource>> sources;
    for (std::size_t b = 0; b < setup.station.boards.size(); ++b) {
        const BoardInfo& board = setup.station.boards[b];
        if (board.source == "simulator") {
            sources.push_back(make_simulator(setup, static_cast<std::uint16_t>(b), max_triggers));
        } else if (is_board_driver(board.source)) {
            sources.push_back(open_board(board, static_cast<std::uint16_t>(b), setup.boards[b]));
        } else if (is_recorded_source(board.source)) {
            throw Error{
                fmt::format("board {}: its source is recorded {} files: use 'alleycat replay FILES --config {}'",
                            board.name, board.source, setup.path.string())};
        } else {
            throw Error{
                fmt::format("board {}: source '{}' is not one of {}", board.name, board.source, known_sources())};
        }
    }
    find_ticks(setup, sources);
    return sources;
}

namespace {

/// In order of the sequence; every part of a run repeats what was in force when it began.
std::vector<Calibration> recorded_calibrations(const std::vector<std::filesystem::path>& files) {
    std::vector<Calibration> all;
    for (const std::filesystem::path& file : files) {
        for (const Calibration& one : AlleycatFile{file}.calibration()) {
            if (std::find(all.begin(), all.end(), one) == all.end()) all.push_back(one);
        }
    }
    std::stable_sort(all.begin(), all.end(),
                     [](const Calibration& a, const Calibration& b) { return a.from_sequence < b.from_sequence; });
    return all;
}

/// Stands in the first part of a run.
std::optional<Gap> recorded_gap(const std::vector<std::filesystem::path>& files) {
    for (const std::filesystem::path& file : files) {
        if (const std::vector<Gap> gaps = AlleycatFile{file}.gaps(); !gaps.empty()) return gaps.front();
    }
    return std::nullopt;
}

}  // namespace

RecordedInput open_input(const StationSetup& setup, const std::vector<std::filesystem::path>& inputs,
                         unsigned decode_threads) {
    if (inputs.empty()) throw UsageError{"no input: name the recorded files or folders"};
    RecordedInput input;
    std::size_t alleycat_files = 0;
    for (const std::filesystem::path& path : inputs) alleycat_files += is_alleycat_file(path) ? 1 : 0;
    if (alleycat_files == inputs.size()) {
        input.is_alleycat = true;
        input.sources = open_recorded_run(inputs, decode_threads);  // which refuses what HDF5 dies of
        const AlleycatFile first{inputs.front()};
        input.run = first.run().run;
        input.rate_boost = first.run().rate_boost;
        input.test_run = first.run().test_run;
        input.calibration = recorded_calibrations(inputs);
        input.gap = recorded_gap(inputs);
    } else if (alleycat_files > 0) {
        throw Error{"Alleycat files and files of other formats cannot be replayed together"};
    } else {
        if (setup.station.boards.size() != 1) {
            throw Error{fmt::format("{}: a station of {} boards cannot be fed from these files: they are one board's",
                                    setup.path.string(), setup.station.boards.size())};
        }
        input.sources.push_back(open_recorded(inputs, setup.station.boards.front(), 0, setup.files, decode_threads));
        find_ticks(setup, input.sources);
    }
    return input;
}

RunDescription describe_run(const StationSetup& setup, std::uint64_t run,
                            const std::vector<std::unique_ptr<RecordSource>>& sources) {
    RunDescription description;
    description.run = run;
    description.profile = setup.station.profile;
    description.software = software_version();
    description.revision = source_revision();
    description.compiler = compiler_version();
    description.host = host_name();
    description.config_name = setup.path.filename().string();
    description.config_text = setup.text;
    description.tick_rate_hz = setup.station.tick_rate_hz;
    description.signal = setup.trigger.signal;
    description.veto = setup.trigger.veto;
    for (const Detector& detector : setup.trigger.detectors) description.detectors.push_back(detector.name);
    description.windows = setup.trigger.windows;
    description.features = feature_infos(setup.trigger);
    description.cuts = cut_infos(setup.trigger);
    description.box = setup.analysis;
    if (sources.size() != setup.station.boards.size()) {
        throw Error{fmt::format("{}: the station has {} boards, the input {}", setup.path.string(),
                                setup.station.boards.size(), sources.size())};
    }
    for (std::size_t b = 0; b < sources.size(); ++b) {
        BoardInfo board = sources[b]->board();
        check_board(setup, setup.station.boards[b], board);
        // How codes become counts is for the station file to say, also in replay: that is what tuning is for.
        board.channels = setup.station.boards[b].channels;
        if (board.source == "simulator") description.rate_boost = setup.simulator.rate_boost;
        description.boards.push_back(std::move(board));
    }
    return description;
}

BeamJoin make_beam_join(const StationSetup& setup, CounterRegistry& registry) {
    std::optional<PowerLog> log;
    if (setup.beam.source == BeamConfig::Source::power_log) {
        const std::filesystem::path path = setup.path.parent_path() / setup.beam.power_log;
        log = PowerLog::load(path);
    }
    return BeamJoin{setup.beam, std::move(log), registry};
}

}  // namespace alleycat
