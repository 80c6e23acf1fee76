#include "readout/input.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <set>
#include <string_view>

#include "daq/core/error.hpp"
#include "readout/fcio_file.hpp"

namespace alleycat {
namespace fs = std::filesystem;

namespace {

std::string_view to_text(InputKind kind) {
    switch (kind) {
        case InputKind::labview: return "LabVIEW minutes";
        case InputKind::wavedump: return "WaveDump files";
        case InputKind::sis3316: return "SIS3316 files";
        case InputKind::caen: return "CAEN event blocks";
        case InputKind::compass: return "CoMPASS lists";
        case InputKind::fcio: return "FlashCam streams";
        case InputKind::unknown: break;
    }
    return "an unknown format";
}

struct Recognised {
    InputKind kind = InputKind::unknown;
    std::string why_not;  ///< of an unknown one: "is a zip file without members"
};

bool begins_like_zip(const fs::path& file) {
    std::array<char, 4> magic{};
    std::ifstream in{file, std::ios::binary};
    if (!in) throw Error{fmt::format("{}: cannot be opened", file.string())};
    in.read(magic.data(), magic.size());
    // A member, or the end of a directory without any.
    return in && magic[0] == 'P' && magic[1] == 'K' &&
           ((magic[2] == 3 && magic[3] == 4) || (magic[2] == 5 && magic[3] == 6));
}

Recognised look_at(const fs::path& path) {
    std::error_code error;
    const fs::file_status status = fs::status(path, error);
    if (status.type() == fs::file_type::not_found)
        throw Error{fmt::format("{}: no such file or folder", path.string())};
    if (error) throw Error{fmt::format("{}: cannot be read: {}", path.string(), error.message())};
    if (fs::is_directory(status)) {
        if (!labview::find_minutes(path).empty()) return {InputKind::labview, ""};
        if (!wavedump::find_files(path).empty()) return {InputKind::wavedump, ""};
        return {InputKind::unknown,
                "is a folder without data: neither minutes (HHMMSS.zip), nor days (YYMMDD), nor wave<N>.dat"};
    }
    if (!fs::is_regular_file(status)) throw Error{fmt::format("{}: is neither a file nor a folder", path.string())};
    if (fs::file_size(path, error) == 0 && !error) throw Error{fmt::format("{}: the file is empty", path.string())};

    Recognised result;
    if (begins_like_zip(path)) {
        if (labview::is_minute(path, result.why_not)) result.kind = InputKind::labview;
    } else if (fcio::is_stream_file(path, result.why_not)) {
        result.kind = InputKind::fcio;
    } else if (compass::is_list_file(path, result.why_not)) {
        result.kind = InputKind::compass;
    } else if (caen::is_block_file(path, result.why_not)) {
        result.kind = InputKind::caen;
    } else if (wavedump::has_headers(path, result.why_not)) {
        result.kind = InputKind::wavedump;
    } else if (std::string ignored; sis3316::is_event_file(path, ignored)) {
        result.kind = InputKind::sis3316;
    }
    return result;
}

/// What a file is that does not tell: the station file expects one without headers, or it goes on where the list of
/// another input ended.
InputKind expected_kind(const BoardInfo& board, const FileSourceConfig& config, InputKind first) {
    if (board.source == "wavedump" && !config.wavedump.header) return InputKind::wavedump;
    if (first == InputKind::compass || (board.source == "compass" && config.compass.fields)) return InputKind::compass;
    return InputKind::unknown;
}

/// One kind for all, or a sentence which is not.
InputKind kind_of_all(const std::vector<fs::path>& inputs, const BoardInfo& board, const FileSourceConfig& config) {
    InputKind first = InputKind::unknown;
    for (const fs::path& input : inputs) {
        Recognised one = look_at(input);
        if (one.kind == InputKind::unknown && !fs::is_directory(input) && !begins_like_zip(input)) {
            one.kind = expected_kind(board, config, first);
        }
        if (one.kind == InputKind::unknown) {
            throw Error{fmt::format("{}: no known format of recorded data: it {}", input.string(), one.why_not)};
        }
        if (first != InputKind::unknown && one.kind != first) {
            throw Error{fmt::format("{}: {} cannot be read together with {} ({})", input.string(), to_text(one.kind),
                                    to_text(first), inputs.front().string())};
        }
        first = one.kind;
    }
    return first;
}

std::vector<fs::path> minutes_of(const std::vector<fs::path>& inputs) {
    std::vector<fs::path> minutes;
    std::set<fs::path> known;
    for (const fs::path& input : inputs) {
        for (fs::path& minute : labview::find_minutes(input)) {
            if (!known.insert(fs::canonical(minute)).second)
                throw Error{fmt::format("{}: is given twice", minute.string())};
            minutes.push_back(std::move(minute));
        }
    }
    labview::put_in_order(minutes);
    return minutes;
}

std::vector<fs::path> each_once(const std::vector<fs::path>& inputs) {
    std::set<fs::path> known;
    for (const fs::path& input : inputs) {
        if (!known.insert(fs::canonical(input)).second) throw Error{fmt::format("{}: is given twice", input.string())};
    }
    return inputs;
}

std::vector<fs::path> channel_files_of(const std::vector<fs::path>& inputs, const WaveDumpConfig& config) {
    std::vector<fs::path> files;
    for (const fs::path& input : inputs) {
        if (fs::is_directory(input)) {
            const std::vector<fs::path> inside = wavedump::find_files(input);
            files.insert(files.end(), inside.begin(), inside.end());
        } else {
            files.push_back(input);
        }
    }
    wavedump::put_in_order(files);
    std::set<fs::path> known;
    for (const fs::path& file : files) {
        if (!known.insert(fs::canonical(file)).second) throw Error{fmt::format("{}: is given twice", file.string())};
        std::string why_not;
        if (fs::file_size(file) == 0) throw Error{fmt::format("{}: the file is empty", file.string())};
        const bool headers = wavedump::has_headers(file, why_not);
        if (headers && !config.header) {
            throw Error{fmt::format("{}: has event headers, but the configuration says [wavedump] header = false",
                                    file.string())};
        }
        if (!headers && config.header) throw Error{fmt::format("{}: {}", file.string(), why_not)};
    }
    return files;
}

}  // namespace

FileSourceConfig parse_file_sources(ConfigSection& root) {
    FileSourceConfig config;
    ConfigSection labview = root.section("labview");
    const std::string rule = labview.text("time_zone", config.labview.time_zone.rule());
    try {
        config.labview.time_zone = TimeZone{rule};
    } catch (const UsageError& e) {
        labview.problem("time_zone", e.what());
    }
    labview.finish();

    ConfigSection wavedump = root.section("wavedump");
    config.wavedump.header = wavedump.boolean("header", config.wavedump.header);
    config.wavedump.clock_bits =
        static_cast<unsigned>(wavedump.integer("clock_bits", config.wavedump.clock_bits, 16, 32));
    config.wavedump.record_interval_ps =
        wavedump.integer("record_interval_ps", config.wavedump.record_interval_ps, 1'000, 1'000'000'000'000);
    if (config.wavedump.header && wavedump.has("record_interval_ps")) {
        wavedump.problem("record_interval_ps", "has a meaning only with header = false: event headers carry the time");
    }
    wavedump.finish();

    ConfigSection words = root.section("sis3316");
    config.sis3316.trace = words.choice("trace", config.sis3316.trace,
                                        {{"raw", sis3316::Trace::raw}, {"averaged", sis3316::Trace::averaged}});
    words.finish();
    config.caen = parse_caen(root);
    config.compass = parse_compass(root);
    return config;
}

std::span<const std::string_view> recorded_sources() noexcept {
    static constexpr std::array<std::string_view, 3> kSources{"labview", "wavedump", "compass"};
    return kSources;
}

bool is_recorded_source(std::string_view source) noexcept {
    const std::span<const std::string_view> known = recorded_sources();
    return std::find(known.begin(), known.end(), source) != known.end();
}

InputKind recognise(const fs::path& path) {
    try {
        return look_at(path).kind;
    } catch (const fs::filesystem_error& e) {
        throw Error{fmt::format("{}: cannot be read: {}", path.string(), e.code().message())};
    }
}

std::unique_ptr<RecordSource> open_recorded(const std::vector<fs::path>& inputs, const BoardInfo& board,
                                            std::uint16_t board_index, const FileSourceConfig& config,
                                            unsigned decode_threads) {
    if (inputs.empty()) throw UsageError{"no recorded file is given"};
    try {
        switch (kind_of_all(inputs, board, config)) {
            case InputKind::labview:
                return std::make_unique<LabviewSource>(minutes_of(inputs), board, board_index, config.labview,
                                                       decode_threads);
            case InputKind::wavedump:
                return std::make_unique<WaveDumpSource>(channel_files_of(inputs, config.wavedump), board, board_index,
                                                        config.wavedump);
            case InputKind::sis3316:
                return std::make_unique<Sis3316FileSource>(inputs, board, board_index, config.sis3316);
            case InputKind::caen:
                return std::make_unique<CaenBlockSource>(each_once(inputs), board, board_index, config.caen);
            case InputKind::compass:
                return std::make_unique<CompassSource>(each_once(inputs), board, board_index, config.compass);
            case InputKind::fcio:
                return std::make_unique<FcioFileSource>(each_once(inputs), board, board_index, config.fcio_traces);
            case InputKind::unknown: break;
        }
    } catch (const fs::filesystem_error& e) {
        throw Error{fmt::format("{}: cannot be read: {}", e.path1().string(), e.code().message())};
    }
    throw Error{fmt::format("{}: no known format of recorded data", inputs.front().string())};
}

}  // namespace alleycat
