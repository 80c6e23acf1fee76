#include "readout/sis3316_files.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstring>
#include <fstream>
#include <optional>

#include "daq/core/error.hpp"

namespace alleycat {
namespace fs = std::filesystem;

namespace sis3316 {
namespace {

constexpr std::uint32_t kMostMawWords = 1024;

/// A file as words, read forward; what is looked at stands in a buffer that grows to the longest event.
class WordFile {
  public:
    explicit WordFile(const fs::path& path)
        : path_{path}, left_bytes_{fs::file_size(path)}, in_{path, std::ios::binary} {
        if (!in_) throw Error{fmt::format("{}: cannot be opened", path.string())};
        bytes_ = left_bytes_;
    }

    /// The next words, at least `wanted` of them unless the file ends before.
    [[nodiscard]] std::span<const std::uint32_t> look(std::size_t wanted) {
        if (end_ - begin_ < wanted && left_bytes_ >= 4) refill(wanted);
        return std::span{buffer_}.subspan(begin_, end_ - begin_);
    }
    void skip(std::size_t words) noexcept { begin_ += words; }

    /// Nothing is left to read behind what look() gave.
    [[nodiscard]] bool all_read() const noexcept { return left_bytes_ < 4; }
    [[nodiscard]] bool ends_within_a_word() const noexcept { return bytes_ % 4 != 0; }
    [[nodiscard]] std::uint64_t bytes() const noexcept { return bytes_; }
    [[nodiscard]] std::uint64_t bytes_done() const noexcept { return bytes_ - left_bytes_ - 4 * (end_ - begin_); }
    [[nodiscard]] std::string name() const { return path_.filename().string(); }

  private:
    static constexpr std::size_t kBlockWords = 64 * 1024;

    void refill(std::size_t wanted) {
        std::copy(buffer_.begin() + static_cast<std::ptrdiff_t>(begin_),
                  buffer_.begin() + static_cast<std::ptrdiff_t>(end_), buffer_.begin());
        end_ -= begin_;
        begin_ = 0;
        // No more than the file holds: a damaged length must not fill the memory.
        const std::size_t more =
            static_cast<std::size_t>(std::min<std::uint64_t>(left_bytes_ / 4, std::max(wanted - end_, kBlockWords)));
        if (buffer_.size() < end_ + more) buffer_.resize(end_ + more);
        in_.read(reinterpret_cast<char*>(buffer_.data() + end_), static_cast<std::streamsize>(4 * more));
        const auto got = static_cast<std::size_t>(in_.gcount());
        left_bytes_ = got < 4 * more ? 0 : left_bytes_ - got;
        end_ += got / 4;
    }

    fs::path path_;
    std::uint64_t bytes_ = 0, left_bytes_;
    std::ifstream in_;
    std::vector<std::uint32_t> buffer_;
    std::size_t begin_ = 0, end_ = 0;  ///< of buffer_, what is not yet skipped
};

/// The first event as far as it goes: reads as much as it claims, and what follows it.
DecodedEvent look_at_event(WordFile& file, const EventLayout& layout, std::size_t behind = 0) {
    std::span<const std::uint32_t> words = file.look(32);
    if (words.empty()) return {.damage = EventDamage::cut_short};
    DecodedEvent one = decode_event(words, layout);
    if (one.claimed_words + behind > words.size()) {
        words = file.look(one.claimed_words + behind);
        one = decode_event(words, layout);
    }
    return one;
}

/// The layout with which the first event ends where the second begins, or the file; nothing when there is none.
std::optional<EventLayout> find_layout(WordFile& file) {
    EventLayout layout;
    DecodedEvent one = look_at_event(file, layout, kMostMawWords + 1);
    const bool with_maw = one.damage == EventDamage::unknown_maw_length;
    layout.identity = one.event.identity();
    for (layout.maw_words = with_maw ? 2 : 0; layout.maw_words <= (with_maw ? kMostMawWords : 0);
         layout.maw_words += 2) {
        one = look_at_event(file, layout, with_maw ? kMostMawWords : 1);
        if (one.damage != EventDamage::none) return std::nullopt;
        const std::span<const std::uint32_t> words = file.look(one.claimed_words + 1);
        if (words.size() == one.claimed_words && file.all_read()) return layout;
        if (words.size() > one.claimed_words &&
            static_cast<std::uint16_t>(words[one.claimed_words]) == *layout.identity)
            return layout;
    }
    return std::nullopt;
}

std::int64_t modification_time_ns(const fs::path& path) {
    using namespace std::chrono;
    return duration_cast<nanoseconds>(file_clock::to_sys(fs::last_write_time(path)).time_since_epoch()).count();
}

}  // namespace

bool is_event_file(const fs::path& path, std::string& why_not) {
    WordFile file{path};
    if (find_layout(file)) return true;
    why_not = "does not begin with two SIS3316 events";
    return false;
}

/// One channel's events; the one that waits stands whole in the buffer until it is dropped.
class ChannelFile {
  public:
    explicit ChannelFile(const fs::path& path) : file_{path} {
        // Whatever its beginning is: a file that is damaged there is read from the first event that fits the others.
        if (const std::optional<EventLayout> layout = find_layout(file_)) layout_ = *layout;
    }

    /// The next event, or nullptr at the end.
    [[nodiscard]] const Event* load(const RecordMaker& maker, DefectLog& log) {
        while (!loaded_) {
            now_ = look_at_event(file_, layout_);
            if (now_.words.empty()) return end_of_file(log);
            if (now_.damage != EventDamage::none) {
                if (!skip_damage(log)) return nullptr;
                continue;
            }
            if (!layout_.identity) layout_.identity = now_.event.identity();
            ++events_;
            longest_ = std::max(longest_, now_.words.size());
            if (maker.samples_of(now_.event) != 0) {
                loaded_ = true;
            } else {
                log.count("empty_record");
                file_.skip(now_.words.size());
            }
        }
        return &now_.event;
    }
    void drop() noexcept {
        file_.skip(now_.words.size());
        loaded_ = false;
    }
    [[nodiscard]] const WordFile& file() const noexcept { return file_; }

  private:
    /// Steps over words that are no event. False when none is left after them.
    bool skip_damage(DefectLog& log) {
        if (!layout_.identity) layout_.identity = now_.event.identity();
        // Wide enough for a whole event and the one that confirms it in the first half.
        const std::span<const std::uint32_t> words = file_.look(std::max(kLookThrough, 4 * longest_));
        std::size_t skip = words_to_next_event(words, layout_, *layout_.identity);
        const bool last = skip == words.size() && file_.all_read();
        if (skip == words.size() && !last) skip /= 2;
        log.count(last && now_.damage == EventDamage::cut_short ? "truncated_record" : "events_damaged");
        log.remark(last && now_.damage == EventDamage::cut_short
                       ? fmt::format("{}: last event cut short after {} whole ones", file_.name(), events_)
                       : fmt::format("{}: after {} events {} words are none ({}), skipped", file_.name(), events_, skip,
                                     kEventDamageNames[static_cast<std::size_t>(now_.damage)]));
        file_.skip(skip);
        return !last;
    }
    const Event* end_of_file(DefectLog& log) {
        if (file_.ends_within_a_word() && !said_) {
            log.count("truncated_record");
            log.remark(fmt::format("{}: ends within a word, after {} whole events", file_.name(), events_));
        }
        said_ = true;
        return nullptr;
    }

    static constexpr std::size_t kLookThrough = std::size_t{1} << 18;  ///< words at a time

    WordFile file_;
    EventLayout layout_;
    DecodedEvent now_;
    std::uint64_t events_ = 0;
    std::size_t longest_ = 0;  ///< words of an event
    bool loaded_ = false, said_ = false;
};

}  // namespace sis3316

Sis3316FileSource::Sis3316FileSource(const std::vector<fs::path>& files, const BoardInfo& board,
                                     std::uint16_t board_index, const Sis3316FilesConfig& config)
    : board_{board}, maker_{board_, board_index, config.trace} {
    if (files.size() != board.channels.size()) {
        throw Error{fmt::format("board {}: {} SIS3316 files for {} configured channels: one file per channel is needed",
                                board.name, files.size(), board.channels.size())};
    }
    if (board.sample_type != SampleType::uint16) {
        throw UsageError{fmt::format("board {}: SIS3316 files hold uint16 samples, the configuration says {}",
                                     board.name, to_text(board.sample_type))};
    }
    board_.source = "sis3316";
    for (const fs::path& path : files) files_.push_back(std::make_unique<sis3316::ChannelFile>(path));
    waiting_.resize(files_.size());
    start_utc_ns_ = sis3316::modification_time_ns(files.front());
    if (!load_waiting()) {
        std::string reasons;
        for (const std::string& remark : log_.remarks()) reasons += "; " + remark;
        throw Error{fmt::format("{}: no whole event of board {}{}", files.front().string(), board.name, reasons)};
    }
    const auto first =
        std::find_if(waiting_.begin(), waiting_.end(), [](const auto* event) { return event != nullptr; });
    if (board_.samples == 0) board_.samples = maker_.samples_of(**first);
}

Sis3316FileSource::~Sis3316FileSource() = default;

bool Sis3316FileSource::load_waiting() {
    bool any = false;
    for (std::size_t c = 0; c < files_.size(); ++c) {
        waiting_[c] = files_[c]->load(maker_, log_);
        any = any || waiting_[c] != nullptr;
    }
    return any;
}

RecordSource::Next Sis3316FileSource::next(RecordHeader& header, std::stop_token stop) {
    if (stop.stop_requested()) return Next::idle;
    for (std::size_t c = 0; c < files_.size(); ++c) {
        if ((used_up_ >> c & 1) != 0) files_[c]->drop();
    }
    used_up_ = in_record_ = 0;
    if (!load_waiting()) return Next::end;
    const bool first = maker_.records() == 0;
    used_up_ = maker_.describe(waiting_, start_utc_ns_, header, log_);
    if (first) first_time_ps_ = header.time_ps;
    header.utc_ns = start_utc_ns_ + (header.time_ps - first_time_ps_) / 1000;
    in_record_ = header.channel_mask;
    return Next::record;
}

void Sis3316FileSource::fill(std::span<std::byte> payload) { maker_.fill(waiting_, in_record_, payload); }

std::optional<double> Sis3316FileSource::fraction_done() const {
    std::uint64_t all = 0, done = 0;
    for (const auto& channel : files_) {
        all += channel->file().bytes();
        done += channel->file().bytes_done();
    }
    return all == 0 ? std::nullopt : std::optional{static_cast<double>(done) / static_cast<double>(all)};
}

}  // namespace alleycat
