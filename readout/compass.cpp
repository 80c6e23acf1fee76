#include "readout/compass.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <limits>
#include <string_view>

#include "daq/core/bytes.hpp"
#include "daq/core/error.hpp"
#include "readout/compass_settings.hpp"
#include "readout/file_window.hpp"

namespace alleycat {
namespace fs = std::filesystem;

namespace compass {

std::optional<Fields> parse_header(std::uint16_t word) noexcept {
    if ((word & 0xFFF0) != 0xCAE0) return std::nullopt;
    return Fields{.energy = (word & 1) != 0,
                  .calibrated_energy = (word & 2) != 0,
                  .short_energy = (word & 4) != 0,
                  .waveform = (word & 8) != 0};
}

Hit read_hit(std::span<const std::byte> bytes, Fields fields) noexcept {
    ByteReader reader{bytes};
    Hit hit;
    hit.board = reader.get<std::uint16_t>();
    hit.input = reader.get<std::uint16_t>();
    hit.time_ps = reader.get<std::uint64_t>();
    if (fields.energy) hit.energy = reader.get<std::uint16_t>();
    if (fields.calibrated_energy) hit.calibrated_energy = reader.get<double>();
    if (fields.short_energy) hit.short_energy = reader.get<std::uint16_t>();
    hit.flags = reader.get<std::uint32_t>();
    std::uint32_t samples = 0;
    if (fields.waveform) {
        hit.waveform_code = reader.get<std::uint8_t>();
        samples = reader.get<std::uint32_t>();
    }
    if (reader.failed()) {
        hit.status = Status::cut_short;
        hit.bytes = bytes.size() + 1;
        return hit;
    }
    const bool time_fits = hit.time_ps <= std::uint64_t{std::numeric_limits<std::int64_t>::max()};
    if (hit.board >= kMostBoards || hit.input >= kMostInputs || samples > kMostSamples || !time_fits) {
        hit.status = Status::bad_record;
        return hit;
    }
    hit.bytes = reader.position() + 2 * std::size_t{samples};
    hit.samples = reader.get_bytes(2 * std::size_t{samples});
    if (reader.failed()) hit.status = Status::cut_short;
    return hit;
}

bool is_list_file(const fs::path& path, std::string& why_not) {
    RecordedFile file{path};
    std::uint16_t word = 0;
    const std::optional<Fields> fields = file.get(word) ? parse_header(word) : std::nullopt;
    if (!fields) {
        why_not = "does not begin with the word 0xCAE. of a CoMPASS list";
        return false;
    }
    std::array<std::byte, 64> record{};
    const std::size_t got = file.read(record);
    if (read_hit(std::span{record}.first(got), *fields).status == Status::bad_record) {
        why_not = "begins like a CoMPASS list, but what follows is no record";
        return false;
    }
    return true;
}

/// The files of one list, one after the other: its current hit stands whole in memory until it is dropped.
class Stream {
  public:
    explicit Stream(std::optional<Fields> fields) : fields_{fields} {}
    void add(fs::path file) {
        bytes_ += fs::file_size(file);
        files_.push_back(std::move(file));
    }
    [[nodiscard]] std::vector<fs::path>& files() noexcept { return files_; }

    /// Reads the next hit unless one is there. False at the end.
    bool load(DefectLog& log) {
        while (!loaded_) {
            if (!window_ && !open_next(log)) return false;
            hit_ = read_hit(window_->bytes(), *fields_);
            if (hit_.status == Status::cut_short && !window_->complete()) {
                window_->more();
            } else if (hit_.status == Status::ok) {
                loaded_ = true;
            } else {
                end_file(log);
            }
        }
        return true;
    }
    void drop() noexcept {
        window_->take(hit_.bytes);
        loaded_ = false;
        ++hits_;
    }
    [[nodiscard]] bool loaded() const noexcept { return loaded_; }
    [[nodiscard]] const Hit& hit() const noexcept { return hit_; }
    [[nodiscard]] std::uint64_t bytes() const noexcept { return bytes_; }
    [[nodiscard]] std::uint64_t bytes_read() const noexcept { return ended_ + (window_ ? window_->taken() : 0); }

  private:
    bool open_next(DefectLog& log) {
        if (next_ == files_.size()) return false;
        window_.emplace(files_[next_++]);
        std::uint16_t word = 0;
        if (window_->bytes().size() >= sizeof word) std::memcpy(&word, window_->bytes().data(), sizeof word);
        const std::optional<Fields> said = parse_header(word);
        if (said) window_->take(sizeof word);
        if (said && fields_ && *said != *fields_ && next_ > 1) {
            log.remark(fmt::format("{}: its records hold other fields than those of {}", window_->file().name(),
                                   files_[next_ - 2].filename().string()));
        }
        if (said) fields_ = said;
        return true;
    }

    void end_file(DefectLog& log) {
        const std::string name = window_->file().name();
        if (hit_.status == Status::bad_record) {
            log.count("bad_record");
            log.remark(fmt::format("{}: record {} cannot be one: the file is not read on from there", name, hits_));
        } else if (!window_->bytes().empty()) {
            log.count("truncated_record");
            log.remark(fmt::format("{}: last record cut short after {} whole ones", name, hits_));
        }
        ended_ += window_->file().bytes();
        window_.reset();
    }

    std::optional<Fields> fields_;
    std::vector<fs::path> files_;
    std::size_t next_ = 0;
    std::optional<FileWindow> window_;
    Hit hit_;
    bool loaded_ = false;
    std::uint64_t bytes_ = 0, ended_ = 0, hits_ = 0;
};

namespace {

struct NamedFlag {
    std::uint32_t bit;
    std::string_view name;
};
/// Those that mean that something was lost or is not to be trusted. 0x4000, a fine time stamp, is the normal case.
constexpr std::array<NamedFlag, 11> kFlags{{{0x1, "dead_time_before"},
                                            {0x4, "clock_reset"},
                                            {0x8, "fake_event"},
                                            {0x10, "memory_full_before"},
                                            {0x20, "trigger_lost_before"},
                                            {0x80, "saturated_in_gate"},
                                            {0x400, "saturated_input"},
                                            {0x8000, "pile_up"},
                                            {0x80000, "pll_lock_lost"},
                                            {0x100000, "over_temperature"},
                                            {0x200000, "adc_shutdown"}}};

/// Whether `file` is called like `first` with _N added: CoMPASS splits long lists so.
bool goes_on_after(const fs::path& first, const fs::path& file) {
    const std::string stem = first.stem().string(), name = file.stem().string();
    if (file.parent_path() != first.parent_path() || !name.starts_with(stem + "_")) return false;
    const std::string_view number = std::string_view{name}.substr(stem.size() + 1);
    return !number.empty() &&
           std::all_of(number.begin(), number.end(), [](char digit) { return digit >= '0' && digit <= '9'; });
}

}  // namespace
}  // namespace compass

CompassConfig parse_compass(ConfigSection& root) {
    CompassConfig config;
    ConfigSection section = root.section("compass");
    config.board = static_cast<std::uint16_t>(section.integer("board", 0, 0, compass::kMostBoards - 1));
    config.channels = parse_channel_numbers(section, "channels", compass::kMostInputs - 1);
    config.settings = section.text("settings", "");
    if (section.has("fields")) {
        compass::Fields fields;
        for (const std::string& word : section.text_list("fields", {})) {
            if (word == "energy") {
                fields.energy = true;
            } else if (word == "calibrated_energy") {
                fields.calibrated_energy = true;
            } else if (word == "short_energy") {
                fields.short_energy = true;
            } else if (word == "waveform") {
                fields.waveform = true;
            } else {
                section.problem("fields",
                                "'" + word + "' is not one of energy, calibrated_energy, short_energy, waveform");
            }
        }
        config.fields = fields;
    }
    section.finish();
    return config;
}

CompassSource::CompassSource(const std::vector<fs::path>& files, const BoardInfo& board, std::uint16_t board_index,
                             const CompassConfig& config)
    : board_{board},
      board_index_{board_index},
      config_{config},
      numbers_{config.channels, board, "compass.channels"},
      last_ps_(board.channels.size()) {
    if (!board.self_triggered) {
        throw UsageError{
            fmt::format("board {}: CoMPASS lists hold hits, each with a time of its own: the board needs "
                        "trigger = \"self\"",
                        board.name)};
    }
    if (board.sample_type != SampleType::uint16) {
        throw UsageError{fmt::format("board {}: CoMPASS lists hold uint16 samples, the configuration says {}",
                                     board.name, to_text(board.sample_type))};
    }
    board_.source = "compass";
    board_.clock_period_ps = 1;  // stamps are picoseconds, whatever the board's own tick is
    open(files);
    take_settings(files.front());
    start_utc_ns_ = modification_time_ns(files.front());
    if (!find_next()) {
        std::string reasons;
        for (const std::string& remark : log_.remarks()) reasons += "; " + remark;
        for (const auto& [name, n] : log_.counts()) reasons += fmt::format("; {} {}", n, name);
        throw Error{fmt::format("{}: no whole hit of board {} (number {} in the file){}", files.front().string(),
                                board.name, config.board, reasons)};
    }
    if (board_.samples == 0) board_.samples = static_cast<std::uint32_t>(current_->hit().samples.size() / 2);
    first_ps_ = current_->hit().time_ps;
}

CompassSource::~CompassSource() = default;

/// Files that go on where another one ends join its list; every other file is a list of its own.
void CompassSource::open(const std::vector<fs::path>& files) {
    std::vector<fs::path> sorted = files;
    std::sort(sorted.begin(), sorted.end(), [](const fs::path& a, const fs::path& b) {
        return a.stem().string().size() != b.stem().string().size()
                   ? a.stem().string().size() < b.stem().string().size()
                   : a < b;
    });
    for (const fs::path& file : sorted) {
        std::string why_not;
        const bool says_its_fields = compass::is_list_file(file, why_not);
        const auto before = std::find_if(streams_.begin(), streams_.end(), [&](const auto& stream) {
            return compass::goes_on_after(stream->files().front(), file);
        });
        if (before != streams_.end()) {
            (*before)->add(file);
        } else if (says_its_fields || config_.fields) {
            streams_.push_back(std::make_unique<compass::Stream>(config_.fields));
            streams_.back()->add(file);
        } else if (streams_.size() == 1) {
            streams_.front()->add(file);
        } else {
            throw Error{
                fmt::format("{}: {}; of a file that goes on where another ended, give that one too, or say what "
                            "its records hold ([compass] fields)",
                            file.string(), why_not)};
        }
    }
}

/// What the station file leaves open is filled in; where both speak, the station file is checked against the settings
/// by whoever compares board() with it.
void CompassSource::take_settings(const fs::path& first_file) {
    const fs::path folder = first_file.parent_path();
    const fs::path path = config_.settings.empty() ? compass::find_settings(first_file) : folder / config_.settings;
    if (path.empty()) return;
    std::vector<compass::BoardSettings> boards;
    try {
        boards = compass::read_settings(path);
    } catch (const Error& e) {
        if (!config_.settings.empty()) throw;
        log_.remark(fmt::format("settings beside the recording are not used: {}", e.what()));
        return;
    }
    if (config_.board >= boards.size()) {
        log_.remark(fmt::format("{}: has {} boards, none with number {}", path.filename().string(), boards.size(),
                                config_.board));
        return;
    }
    const compass::BoardSettings& said = boards[config_.board];
    if (board_.model.empty()) board_.model = said.model;
    if (board_.serial.empty()) board_.serial = said.serial;
    board_.firmware = said.firmware;
    if (said.sample_period_ps != 0) board_.sample_period_ps = said.sample_period_ps;
    if (board_.samples == 0) board_.samples = said.samples;
    for (const auto& [number, channel] : said.channels) {
        const std::optional<std::size_t> c = numbers_.find(number);
        if (!c && channel.enabled) {
            log_.remark(fmt::format("{}: input {} was enabled and is no channel of board {}", path.filename().string(),
                                    number, board_.name));
        }
        if (!c) continue;
        if (channel.negative_pulses && *channel.negative_pulses != board_.channels[*c].negative_pulses) {
            log_.remark(
                fmt::format("{}: pulses of input {} were said to be {}, the station file says {} ({})",
                            path.filename().string(), number, *channel.negative_pulses ? "negative" : "positive",
                            board_.channels[*c].negative_pulses ? "negative" : "positive", board_.channels[*c].name));
        }
    }
}

bool CompassSource::skips(const compass::Hit& hit) {
    if (hit.board != config_.board) {
        log_.count("other_board");
        return true;
    }
    if (!numbers_.find(hit.input)) {
        log_.count("no_listed_channel");
        return true;
    }
    return false;
}

/// The earliest of the lists' next hits.
bool CompassSource::find_next() {
    current_ = nullptr;
    for (const auto& stream : streams_) {
        while (stream->load(log_) && skips(stream->hit())) stream->drop();
        if (!stream->loaded()) continue;
        if (current_ == nullptr || stream->hit().time_ps < current_->hit().time_ps) current_ = stream.get();
    }
    return current_ != nullptr;
}

void CompassSource::describe(RecordHeader& header) {
    const compass::Hit& hit = current_->hit();
    const std::size_t channel = *numbers_.find(hit.input);
    header = RecordHeader{.counter = hits_++,
                          .clock = hit.time_ps,
                          .time_ps = static_cast<std::int64_t>(hit.time_ps),
                          .channel_mask = std::uint64_t{1} << channel,
                          .samples_per_channel = static_cast<std::uint32_t>(hit.samples.size() / 2),
                          .board = board_index_,
                          .channels = 1,
                          .sample_type = board_.sample_type,
                          .trigger_class = TriggerClass::hit};
    header.utc_ns = start_utc_ns_ + (header.time_ps - static_cast<std::int64_t>(first_ps_)) / 1000;
    if (hit.samples.empty()) {
        log_.count("without_waveform");
    } else if (header.samples_per_channel != board_.samples) {
        header.flags |= record_flag::unexpected_length;
        log_.count("unexpected_length");
    }
    if (hit.time_ps < last_ps_[channel]) {
        header.flags |= record_flag::clock_backwards;
        log_.count("clock_backwards");
    }
    last_ps_[channel] = hit.time_ps;
    for (const auto& [bit, name] : compass::kFlags) {
        if ((hit.flags & bit) != 0) log_.count(name);
    }
}

RecordSource::Next CompassSource::next(RecordHeader& header, std::stop_token stop) {
    if (stop.stop_requested()) return Next::idle;
    if (described_) {
        current_->drop();
        described_ = false;
        if (!find_next()) return Next::end;
    }
    if (current_ == nullptr) return Next::end;
    describe(header);
    described_ = true;
    return Next::record;
}

void CompassSource::fill(std::span<std::byte> payload) {
    const std::span<const std::byte> samples = current_->hit().samples;
    if (!samples.empty()) std::memcpy(payload.data(), samples.data(), samples.size());
    std::fill(payload.begin() + static_cast<std::ptrdiff_t>(samples.size()), payload.end(), std::byte{0});
}

std::optional<double> CompassSource::fraction_done() const {
    std::uint64_t all = 0, read = 0;
    for (const auto& stream : streams_) {
        all += stream->bytes();
        read += stream->bytes_read();
    }
    return all == 0 ? std::nullopt : std::optional{std::min(1.0, static_cast<double>(read) / static_cast<double>(all))};
}

}  // namespace alleycat
