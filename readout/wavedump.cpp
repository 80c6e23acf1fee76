#include "readout/wavedump.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <regex>

#include "daq/core/error.hpp"
#include "readout/recorded_file.hpp"

namespace alleycat {
namespace fs = std::filesystem;

namespace wavedump {
namespace {

static_assert(std::endian::native == std::endian::little, "headers and samples are read as they stand");

/// NAME and N of NAMEwave<N>.dat.
struct FileName {
    std::string recording;
    unsigned long number = 0;
};
std::optional<FileName> parse_name(const fs::path& path) {
    static const std::regex kName{"(.*)wave([0-9]{1,4})\\.dat"};
    std::smatch found;
    const std::string name = path.filename().string();
    if (!std::regex_match(name, found, kName)) return std::nullopt;
    return FileName{(path.parent_path() / found[1].str()).string(), std::stoul(found[2])};
}

}  // namespace

bool plausible(const EventHeader& header) noexcept {
    // Boards have a 5-bit number and at most 64 channels; board event counters 24 bits.
    return header.event_bytes > kHeaderBytes && header.event_bytes <= kHeaderBytes + 2 * kMostSamples &&
           header.board < 32 && header.channel < 64 && header.counter < 1u << 24;
}

bool has_headers(const fs::path& path, std::string& why_not) {
    RecordedFile file{path};
    EventHeader first;
    if (!file.get(first) || !plausible(first)) {
        why_not = "does not begin with a WaveDump event header";
        return false;
    }
    // The only event may be cut short; what else it could be shows when nothing whole is found.
    if (file.bytes() < first.event_bytes + kHeaderBytes) return true;
    // The second event may be damaged in its size, which the reader then says: board and channel are enough here.
    EventHeader second;
    if (!file.seek(first.event_bytes) || !file.get(second) || second.board != first.board ||
        second.channel != first.channel) {
        why_not = fmt::format("begins like a WaveDump event of {} bytes, but no other follows it", first.event_bytes);
        return false;
    }
    return true;
}

std::vector<fs::path> find_files(const fs::path& folder) {
    std::vector<fs::path> files;
    std::string recording;
    try {
        for (const fs::directory_entry& entry : fs::directory_iterator{folder}) {
            if (!entry.is_regular_file()) continue;
            const std::optional<FileName> name = parse_name(entry.path());
            if (!name) continue;
            if (!files.empty() && name->recording != recording) {
                throw Error{
                    fmt::format("{}: holds several recordings ({}wave*.dat and {}wave*.dat): name the files of one",
                                folder.string(), recording, name->recording)};
            }
            recording = name->recording;
            files.push_back(entry.path());
        }
    } catch (const fs::filesystem_error& e) {
        throw Error{fmt::format("{}: cannot be listed: {}", folder.string(), e.code().message())};
    }
    put_in_order(files);
    return files;
}

void put_in_order(std::vector<fs::path>& files) {
    std::vector<std::pair<unsigned long, fs::path>> numbered;
    for (const fs::path& file : files) {
        const std::optional<FileName> name = parse_name(file);
        if (!name) return;
        numbered.emplace_back(name->number, file);
    }
    std::stable_sort(numbered.begin(), numbered.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
    const auto same_number = [](const auto& a, const auto& b) { return a.first == b.first; };
    if (std::adjacent_find(numbered.begin(), numbered.end(), same_number) != numbered.end()) return;
    std::transform(numbered.begin(), numbered.end(), files.begin(), [](const auto& one) { return one.second; });
}

/// One wave<N>.dat: its current event stands whole in a buffer until it is dropped.
class ChannelFile {
  public:
    ChannelFile(const fs::path& path, std::size_t sample_bytes, std::uint32_t headerless_samples,
                std::uint32_t tag_mask)
        : sample_bytes_{sample_bytes}, headerless_samples_{headerless_samples}, tag_mask_{tag_mask}, file_{path} {}

    /// Reads the next event unless one is there. False at the file's end or where it cannot be read on.
    bool load(DefectLog& log) {
        while (!loaded_ && !ended_) {
            if (headerless_samples_ != 0) {
                header_ = {.counter = static_cast<std::uint32_t>(events_),
                           .time_tag = static_cast<std::uint32_t>(events_)};
                read_samples(headerless_samples_ * sample_bytes_, log);
            } else {
                read_event(log);
            }
        }
        return loaded_;
    }
    [[nodiscard]] bool loaded() const noexcept { return loaded_; }
    void drop() noexcept {
        loaded_ = false;
        previous_counter_ = header_.counter;
        dropped_one_ = true;
    }

    [[nodiscard]] const EventHeader& header() const noexcept { return header_; }
    [[nodiscard]] std::uint32_t tag() const noexcept { return header_.time_tag & tag_mask_; }
    /// The event counter moves on from event to event: what it says may be used.
    [[nodiscard]] bool counter_advances() const noexcept { return dropped_one_ && header_.counter > previous_counter_; }
    [[nodiscard]] std::uint32_t samples() const noexcept { return static_cast<std::uint32_t>(bytes_ / sample_bytes_); }
    [[nodiscard]] std::span<const std::byte> sample_bytes() const noexcept { return std::span{event_}.first(bytes_); }
    [[nodiscard]] std::string name() const { return file_.name(); }
    [[nodiscard]] std::uint64_t bytes() const noexcept { return file_.bytes(); }
    [[nodiscard]] std::uint64_t bytes_read() const noexcept { return file_.position(); }
    [[nodiscard]] std::uint64_t events() const noexcept { return events_; }

  private:
    void read_event(DefectLog& log) {
        const std::size_t got = file_.read(std::as_writable_bytes(std::span{&header_, 1}));
        if (got < sizeof header_) {
            if (got != 0) cut_short(log);
            ended_ = true;
            return;
        }
        const std::uint64_t left = file_.left();
        const bool like_before = events_ == 0 || header_.event_bytes == last_event_bytes_;
        const bool can_be = header_.event_bytes >= kHeaderBytes &&
                            header_.event_bytes <= kHeaderBytes + kMostSamples * sample_bytes_ &&
                            (header_.event_bytes - kHeaderBytes) % sample_bytes_ == 0;
        const bool in_step = like_before || (header_.board == board_ && header_.channel == channel_);
        const bool there = header_.event_bytes - kHeaderBytes <= left;
        if (!can_be || !in_step || (!there && !like_before)) {
            log.count("bad_event_size");
            log.remark(fmt::format("{}: event {} claims {} bytes, {} are left: the file is not read on from there",
                                   name(), events_, header_.event_bytes, left + kHeaderBytes));
            ended_ = true;
            return;
        }
        last_event_bytes_ = header_.event_bytes;
        board_ = header_.board;
        channel_ = header_.channel;
        if (header_.event_bytes == kHeaderBytes) {
            log.count("empty_record");
            return;
        }
        read_samples(header_.event_bytes - kHeaderBytes, log);
    }

    void read_samples(std::size_t bytes, DefectLog& log) {
        // No more is asked for than the file can hold: a damaged size must not fill the memory.
        bytes_ = bytes;
        const std::uint64_t left = file_.left();
        if (event_.size() < bytes && bytes <= left) event_.resize(bytes);
        const std::size_t got =
            bytes <= left ? file_.read(std::span{event_}.first(bytes)) : static_cast<std::size_t>(left);
        if (got == bytes) {
            loaded_ = true;
            ++events_;
            return;
        }
        if (headerless_samples_ == 0 || got != 0) cut_short(log);
        ended_ = true;
    }

    void cut_short(DefectLog& log) const {
        log.count("truncated_record");
        log.remark(fmt::format("{}: last event cut short after {} whole ones", name(), events_));
    }

    std::size_t sample_bytes_;
    std::uint32_t headerless_samples_;  ///< 0: events have headers
    std::uint32_t tag_mask_;
    RecordedFile file_;
    EventHeader header_;
    std::vector<std::byte> event_;
    std::size_t bytes_ = 0;  ///< of event_ in use
    std::uint64_t events_ = 0;
    std::uint32_t last_event_bytes_ = 0, board_ = 0, channel_ = 0;
    std::uint32_t previous_counter_ = 0;
    bool dropped_one_ = false;
    bool loaded_ = false;
    bool ended_ = false;
};

}  // namespace wavedump

namespace {

std::uint32_t low_bits(unsigned bits) { return bits >= 32 ? ~0u : (1u << bits) - 1; }

}  // namespace

WaveDumpSource::WaveDumpSource(const std::vector<fs::path>& files, const BoardInfo& board, std::uint16_t board_index,
                               const WaveDumpConfig& config)
    : board_{board},
      board_index_{board_index},
      config_{config},
      tag_mask_{low_bits(config.header ? config.clock_bits : 32)},
      clock_{config.header ? config.clock_bits : 32} {
    if (files.size() != board.channels.size()) {
        throw Error{
            fmt::format("board {}: {} WaveDump files for {} configured channels: one file per channel is needed",
                        board.name, files.size(), board.channels.size())};
    }
    if (board.sample_type != SampleType::uint8 && board.sample_type != SampleType::uint16) {
        throw UsageError{fmt::format("board {}: WaveDump files hold uint8 or uint16 samples, the configuration says {}",
                                     board.name, to_text(board.sample_type))};
    }
    if (!config.header && board.samples == 0) {
        throw UsageError{
            fmt::format("board {}: samples must be given to read WaveDump files without headers", board.name)};
    }
    board_.source = "wavedump";
    if (!config.header) board_.clock_period_ps = config.record_interval_ps;
    const std::size_t sample_bytes = bytes_per_sample(board.sample_type);
    for (const fs::path& path : files) {
        files_.push_back(
            std::make_unique<wavedump::ChannelFile>(path, sample_bytes, config.header ? 0 : board.samples, tag_mask_));
        const std::uint64_t record_bytes = board.samples * sample_bytes;
        if (!config.header && files_.back()->bytes() / record_bytes != files_.front()->bytes() / record_bytes) {
            throw Error{
                fmt::format("{} and {} hold different numbers of records: without headers they cannot be matched",
                            files_.front()->name(), files_.back()->name())};
        }
    }
    present_.reserve(files_.size());
    start_utc_ns_ = modification_time_ns(files.front());

    if (!load_heads()) {
        std::string reasons;
        for (const std::string& remark : log_.remarks()) reasons += "; " + remark;
        throw Error{fmt::format("{}: no whole event of board {}{}", files.front().string(), board.name, reasons)};
    }
    for (std::size_t i = 0; config.header && i < files_.size(); ++i) {
        if (!files_[i]->loaded()) continue;
        const wavedump::EventHeader& header = files_[i]->header();
        if (header.channel != i) {
            log_.remark(fmt::format("{}: its events say channel {}, it is read as channel {} ({})", files_[i]->name(),
                                    header.channel, i, board.channels[i].name));
        }
        if (files_[0]->loaded() && header.board != files_[0]->header().board) {
            log_.remark(fmt::format("{}: its events say board {}, those of {} board {}", files_[i]->name(),
                                    header.board, files_[0]->name(), files_[0]->header().board));
        }
        if (board_.samples == 0) board_.samples = files_[i]->samples();
    }
}

WaveDumpSource::~WaveDumpSource() = default;

bool WaveDumpSource::load_heads() {
    bool any = false;
    for (auto& file : files_) any = file->load(log_) || any;
    return any;
}

/// The tag that comes first when counting on from the last trigger's: a roll-over is no step back.
std::uint32_t WaveDumpSource::earliest_tag() const noexcept {
    std::uint32_t origin = last_tag_;
    if (records_ == 0) {
        // Nothing to count from yet: the tag from which all others lie within half a range.
        const auto before_all = [&](std::uint32_t tag) {
            return std::all_of(files_.begin(), files_.end(), [&](const auto& file) {
                return !file->loaded() || ((file->tag() - tag) & tag_mask_) <= tag_mask_ / 2;
            });
        };
        for (const auto& file : files_) {
            if (file->loaded() && before_all(file->tag())) return file->tag();
        }
        origin = 0;
    }
    std::uint32_t nearest = 0;
    bool found = false;
    for (const auto& file : files_) {
        if (!file->loaded()) continue;
        const std::uint32_t ahead = (file->tag() - origin) & tag_mask_;
        if (!found || ahead < nearest) nearest = ahead;
        found = true;
    }
    return (origin + nearest) & tag_mask_;
}

/// Collects the files whose event has this tag.
void WaveDumpSource::take(std::uint32_t tag) {
    present_.clear();
    for (std::size_t i = 0; i < files_.size(); ++i) {
        if (files_[i]->loaded() && files_[i]->tag() == tag) present_.push_back(i);
    }
    const wavedump::ChannelFile& first = *files_[present_.front()];
    // Same counter, other tag: this tag is damaged. Waiting for its time would leave the file behind for good.
    for (auto& file : files_) {
        if (!file->loaded() || file->tag() == tag || !file->counter_advances() || !first.counter_advances()) continue;
        if (file->header().counter != first.header().counter) continue;
        log_.count("time_tag_mismatch");
        file->drop();
    }
    const std::uint32_t samples = first.samples();
    const std::uint32_t counter = first.header().counter;
    std::erase_if(present_, [&](std::size_t i) {
        wavedump::ChannelFile& file = *files_[i];
        if (file.header().counter != counter) log_.count("counter_mismatch");
        if (file.samples() == samples) return false;
        log_.count("unequal_length");
        file.drop();
        return true;
    });
}

void WaveDumpSource::describe() {
    const wavedump::ChannelFile& first = *files_[present_.front()];
    header_ = RecordHeader{.samples_per_channel = first.samples(),
                           .board = board_index_,
                           .channels = static_cast<std::uint16_t>(present_.size()),
                           .sample_type = board_.sample_type};
    for (const std::size_t i : present_) header_.channel_mask |= std::uint64_t{1} << i;

    const ClockUnwrapper::Result counter = counter_.unwrap(first.header().counter);
    const bool later = records_ != 0 && counter.ticks > last_counter_;
    const ClockUnwrapper::Result clock = clock_.unwrap(first.tag(), later);
    header_.counter = counter.ticks;
    header_.clock = first.tag();

    const auto flag = [&](bool applies, std::uint32_t bit, std::string_view name) {
        if (!applies) return;
        header_.flags |= bit;
        log_.count(name);
    };
    const bool again = records_ != 0 && counter.ticks == last_counter_ && first.tag() == last_tag_;
    flag(present_.size() < files_.size(), record_flag::missing_channel, "missing_channel");
    flag(header_.samples_per_channel != board_.samples, record_flag::unexpected_length, "unexpected_length");
    flag(clock.backwards, record_flag::clock_backwards, "clock_backwards");
    flag(again, record_flag::duplicate, "duplicate_record");
    if (counter.backwards) log_.count("counter_backwards");
    if (!config_.header) header_.flags |= record_flag::bad_time;

    if (__builtin_mul_overflow(static_cast<std::int64_t>(clock.ticks), board_.clock_period_ps, &header_.time_ps)) {
        throw Error{fmt::format("{}: trigger {}: its time does not fit a run of 106 days: is clock_period_ps right?",
                                first.name(), records_)};
    }
    if (records_ == 0) first_time_ps_ = header_.time_ps;
    header_.utc_ns = start_utc_ns_ + (header_.time_ps - first_time_ps_) / 1000;
    last_tag_ = first.tag();
    last_counter_ = counter.ticks;
    ++records_;
}

RecordSource::Next WaveDumpSource::next(RecordHeader& header, std::stop_token stop) {
    if (stop.stop_requested()) return Next::idle;
    for (const std::size_t i : present_) files_[i]->drop();
    present_.clear();
    if (!load_heads()) return Next::end;
    take(earliest_tag());
    describe();
    header = header_;
    return Next::record;
}

void WaveDumpSource::fill(std::span<std::byte> payload) {
    for (const std::size_t i : present_) {
        const std::span<const std::byte> samples = files_[i]->sample_bytes();
        std::memcpy(payload.data(), samples.data(), samples.size());
        payload = payload.subspan(samples.size());
    }
    std::fill(payload.begin(), payload.end(), std::byte{0});
}

std::optional<double> WaveDumpSource::fraction_done() const {
    std::uint64_t all = 0, read = 0;
    for (const auto& file : files_) {
        all += file->bytes();
        read += file->bytes_read();
    }
    return all == 0 ? std::nullopt : std::optional{std::min(1.0, static_cast<double>(read) / static_cast<double>(all))};
}

}  // namespace alleycat
