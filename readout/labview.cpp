#include "readout/labview.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <chrono>
#include <cstring>

#include "daq/core/error.hpp"

namespace alleycat {
namespace fs = std::filesystem;

namespace labview {
namespace {

std::int32_t big_endian_int32(const std::byte* at) noexcept {
    std::uint32_t value = 0;
    for (int i = 0; i < 4; ++i) value = value << 8 | std::to_integer<std::uint32_t>(at[i]);
    return std::bit_cast<std::int32_t>(value);
}

bool six_digits(std::string_view text) {
    return text.size() == 6 && std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

void add_minutes_in(const fs::path& folder, std::vector<fs::path>& minutes) {
    for (const fs::directory_entry& entry : fs::directory_iterator{folder}) {
        if (entry.is_regular_file() && entry.path().extension() == ".zip" && six_digits(entry.path().stem().string())) {
            minutes.push_back(entry.path());
        }
    }
}

}  // namespace

ChunkHeader decode_chunk_header(std::span<const std::byte, kChunkHeaderBytes> bytes) noexcept {
    const std::int32_t columns = big_endian_int32(bytes.data());
    const std::int32_t channels = big_endian_int32(bytes.data() + 4);
    if (columns > static_cast<std::int32_t>(kMostColumns)) return {ChunkKind::leftovers, 0};
    if (columns <= 0 || channels != static_cast<std::int32_t>(kChannels) ||
        static_cast<std::size_t>(columns) % kColumns != 0) {
        return {ChunkKind::bad, 0};
    }
    return {ChunkKind::waveforms, static_cast<std::size_t>(columns) / kColumns};
}

LocalTime decode_stamp(std::span<const std::byte, kStampColumns * kChannels> bytes) noexcept {
    const auto column = [&](std::size_t i) { return std::to_integer<int>(bytes[2 * i + 1]); };
    return {2000 + column(0), column(1), column(2), column(3), column(4), column(5), column(6)};
}

void deinterleave(std::span<const std::byte> pairs, std::span<std::byte> channels) noexcept {
    const std::size_t samples = pairs.size() / kChannels;
    std::byte* const signal = channels.data();
    std::byte* const veto = channels.data() + samples;
    // Eight pairs at a time in two words: their even bytes are pushed together in three steps.
    const auto even_bytes = [](std::uint64_t word) noexcept {
        word &= 0x00FF'00FF'00FF'00FFu;
        word = (word | word >> 8) & 0x0000'FFFF'0000'FFFFu;
        return (word | word >> 16) & 0x0000'0000'FFFF'FFFFu;
    };
    std::size_t i = 0;
    for (; i + 8 <= samples; i += 8) {
        std::array<std::uint64_t, 2> words;
        std::memcpy(words.data(), pairs.data() + 2 * i, 16);
        const std::uint64_t even = even_bytes(words[0]) | even_bytes(words[1]) << 32;
        const std::uint64_t odd = even_bytes(words[0] >> 8) | even_bytes(words[1] >> 8) << 32;
        std::memcpy(signal + i, &even, 8);
        std::memcpy(veto + i, &odd, 8);
    }
    for (; i < samples; ++i) {
        signal[i] = pairs[2 * i];
        veto[i] = pairs[2 * i + 1];
    }
}

std::vector<fs::path> find_minutes(const fs::path& input) {
    if (!fs::is_directory(input)) return {input};
    std::vector<fs::path> minutes;
    try {
        add_minutes_in(input, minutes);
        for (const fs::directory_entry& entry : fs::directory_iterator{input}) {
            if (!entry.is_directory()) continue;
            const std::string name = entry.path().filename().string();
            if (six_digits(name)) add_minutes_in(entry.path(), minutes);
            if (name.starts_with("Run-")) {  // a folder of runs, as the simulator leaves it
                const std::vector<fs::path> inside = find_minutes(entry.path());
                minutes.insert(minutes.end(), inside.begin(), inside.end());
            }
        }
    } catch (const fs::filesystem_error& e) {
        throw Error{fmt::format("{}: cannot be listed: {}", input.string(), e.code().message())};
    }
    std::sort(minutes.begin(), minutes.end());  // YYMMDD/HHMMSS: the order of names is the order of time
    return minutes;
}

void put_in_order(std::vector<fs::path>& minutes) {
    const auto day = [](const fs::path& minute) { return minute.parent_path().filename(); };
    const bool named_by_time = std::all_of(minutes.begin(), minutes.end(), [&](const fs::path& minute) {
        return six_digits(day(minute).string()) && six_digits(minute.stem().string());
    });
    if (!named_by_time) return;
    std::stable_sort(minutes.begin(), minutes.end(), [&](const fs::path& a, const fs::path& b) {
        return std::pair{day(a), a.stem()} < std::pair{day(b), b.stem()};
    });
}

bool is_minute(const fs::path& file, std::string& why_not) {
    ZipStream zip{file};
    std::string members;
    while (zip.next_member()) {
        std::array<std::byte, kChunkHeaderBytes> bytes{};
        if (zip.read(bytes) == bytes.size() && decode_chunk_header(bytes).kind == ChunkKind::waveforms) return true;
        members += (members.empty() ? "" : ", ") + zip.member();
        if (members.size() > 200) break;
    }
    if (!members.empty()) {
        why_not = "is a zip file, but no LabVIEW minute is in it (members: " + members + ")";
    } else {
        why_not = "is a zip file without members";
    }
    if (!zip.problem().empty()) why_not += "; " + zip.problem();
    return false;
}

}  // namespace labview

namespace {
constexpr auto kLongestRun = std::chrono::hours{24 * 100};  // time_ps holds 106 days

std::int64_t hundredths_of_local_time(const LocalTime& t) {
    using namespace std::chrono;
    const sys_days day{year_month_day{year{t.year}, month{static_cast<unsigned>(t.month)},
                                      std::chrono::day{static_cast<unsigned>(t.day)}}};
    const seconds clock = day.time_since_epoch() + hours{t.hour} + minutes{t.minute} + seconds{t.second};
    return clock.count() * 100 + t.hundredths;
}

/// The day a minute's folder is named after (YYMMDD).
std::optional<std::chrono::sys_days> day_of(const fs::path& minute) {
    const std::string folder = minute.parent_path().filename().string();
    if (!labview::six_digits(folder)) return std::nullopt;
    const auto two = [&](std::size_t at) { return (folder[at] - '0') * 10 + (folder[at + 1] - '0'); };
    const std::chrono::year_month_day date{std::chrono::year{2000 + two(0)},
                                           std::chrono::month{static_cast<unsigned>(two(2))},
                                           std::chrono::day{static_cast<unsigned>(two(4))}};
    return date.ok() ? std::optional{std::chrono::sys_days{date}} : std::nullopt;
}

void refuse_too_long_a_span(const fs::path& first, const fs::path& last) {
    const auto from = day_of(first);
    const auto to = day_of(last);
    if (from && to && *to - *from >= kLongestRun) {
        throw Error{fmt::format("{} and {} are {} days apart, a run is at most 100 days long: replay it in pieces",
                                first.string(), last.string(), (*to - *from).count())};
    }
}

}  // namespace

LabviewSource::LabviewSource(std::vector<fs::path> minutes, const BoardInfo& board, std::uint16_t board_index,
                             const LabviewConfig& config)
    : board_{board},
      board_index_{board_index},
      config_{config},
      minutes_{std::move(minutes)},
      waveform_(labview::kWaveformBytes) {
    if (board.channels.size() != labview::kChannels) {
        throw UsageError{fmt::format("board {}: LabVIEW minutes hold 2 channels, the configuration {}", board.name,
                                     board.channels.size())};
    }
    if (board.sample_type != SampleType::int8) {
        throw UsageError{fmt::format("board {}: LabVIEW minutes hold int8 samples, the configuration says {}",
                                     board.name, to_text(board.sample_type))};
    }
    if (board.samples != 0 && board.samples != labview::kSamples) {
        throw UsageError{fmt::format("board {}: LabVIEW minutes hold {} samples per trigger, the configuration says {}",
                                     board.name, labview::kSamples, board.samples)};
    }
    board_.source = "labview";
    board_.samples = labview::kSamples;
    board_.clock_period_ps = labview::kHundredthPs;
    for (const fs::path& minute : minutes_) {
        std::error_code unknown;
        const std::uintmax_t bytes = fs::file_size(minute, unknown);
        bytes_.push_back(unknown ? 0 : bytes);
        total_bytes_ += bytes_.back();
    }

    if (!minutes_.empty()) refuse_too_long_a_span(minutes_.front(), minutes_.back());

    Step found = Step::again;
    while (found == Step::again) found = step();
    if (found == Step::end) {
        std::string reasons;
        for (const std::string& remark : log_.remarks()) {
            if (reasons.size() > 500) break;
            reasons += (reasons.empty() ? "" : "; ") + remark;
        }
        throw Error{fmt::format("no trigger in {}", reasons.empty() ? "no minute" : reasons)};
    }
    have_record_ = true;
}

RecordSource::Next LabviewSource::next(RecordHeader& header, std::stop_token stop) {
    // One step reads a waveform or a header, so stop is looked at often enough also where nothing is found.
    while (!have_record_) {
        if (stop.stop_requested()) return Next::idle;
        switch (step()) {
            case Step::again: break;
            case Step::record: have_record_ = true; break;
            case Step::end: return Next::end;
        }
    }
    have_record_ = false;
    header = header_;
    return Next::record;
}

void LabviewSource::fill(std::span<std::byte> payload) {
    labview::deinterleave(std::span{waveform_}.subspan(labview::kStampColumns * labview::kChannels), payload);
}

LabviewSource::Step LabviewSource::step() {
    if (!zip_) return open_next_minute() ? Step::again : Step::end;
    switch (where_) {
        case Where::between_members:
            if (zip_->next_member()) {
                where_ = Where::between_chunks;
                first_chunk_ = true;
                skipped_bytes_ = 0;
            } else {
                end_minute();
            }
            return Step::again;
        case Where::between_chunks: return begin_chunk();
        case Where::in_chunk: return read_waveform();
        case Where::skipping: skip_rest_of_member(); return Step::again;
    }
    return Step::end;
}

bool LabviewSource::open_next_minute() {
    while (next_minute_ < minutes_.size()) {
        if (next_minute_ != 0) done_bytes_ += bytes_[next_minute_ - 1];
        ++next_minute_;
        minute_triggers_ = 0;
        minute_bad_stamps_ = 0;
        minute_has_remark_ = false;
        where_ = Where::between_members;
        try {
            zip_.emplace(minutes_[next_minute_ - 1]);
            return true;
        } catch (const Error& e) {
            log_.count("unreadable_file");
            log_.remark(e.what());
        }
    }
    return false;
}

LabviewSource::Step LabviewSource::begin_chunk() {
    std::array<std::byte, labview::kChunkHeaderBytes> bytes{};
    const std::size_t got = zip_->read(bytes);
    const labview::ChunkHeader chunk =
        got == bytes.size() ? labview::decode_chunk_header(bytes) : labview::ChunkHeader{};
    if (first_chunk_ && chunk.kind != labview::ChunkKind::waveforms) {
        // Damage before the first chunk is said by end_member(); an empty member by end_minute().
        if (got != 0 && zip_->damage() != ZipStream::Damage::torn) {
            log_.count("foreign_member");
            log_.remark(fmt::format("{}: member '{}' is not a LabVIEW minute, skipped", name(), zip_->member()));
            minute_has_remark_ = true;
        }
        end_member();
        return Step::again;
    }
    if (got < bytes.size()) {
        if (got != 0) log_.count("trailing_bytes", got);
        end_member();
        return Step::again;
    }
    first_chunk_ = false;
    waveforms_left_ = chunk.waveforms;
    switch (chunk.kind) {
        case labview::ChunkKind::waveforms: where_ = Where::in_chunk; break;
        case labview::ChunkKind::bad:
            log_.count("bad_chunk");
            log_.remark(fmt::format("{}: chunk header that cannot be after {} triggers, the rest is skipped", name(),
                                    minute_triggers_));
            minute_has_remark_ = true;
            [[fallthrough]];
        case labview::ChunkKind::leftovers:
            where_ = Where::skipping;
            skipped_bytes_ = got;
            break;
    }
    return Step::again;
}

LabviewSource::Step LabviewSource::read_waveform() {
    if (waveforms_left_ == 0) {
        where_ = Where::between_chunks;
        return Step::again;
    }
    const std::size_t got = zip_->read(waveform_);
    if (got < waveform_.size()) {
        if (zip_->damage() != ZipStream::Damage::torn) {  // a tear has its own counter and sentence
            log_.count(got != 0 ? "truncated_record" : "truncated_chunk");
            log_.remark(fmt::format("{}: ends within a chunk after {} triggers: {} waveforms announced, {} bytes there",
                                    name(), minute_triggers_, waveforms_left_, got));
            minute_has_remark_ = true;
        }
        end_member();
        return Step::again;
    }
    --waveforms_left_;
    ++minute_triggers_;
    return describe_waveform() ? Step::record : Step::again;
}

/// False when the waveform has no time at all.
bool LabviewSource::describe_waveform() {
    header_ = RecordHeader{.counter = counter_++,
                           .channel_mask = 0b11,
                           .samples_per_channel = labview::kSamples,
                           .board = board_index_,
                           .channels = labview::kChannels,
                           .sample_type = SampleType::int8};
    const LocalTime stamp =
        labview::decode_stamp(std::span{waveform_}.first<labview::kStampColumns * labview::kChannels>());
    bool good = is_valid(stamp);
    if (good) {
        const UtcTime utc =
            first_utc_ ? local_to_utc(stamp, config_.time_zone, last_utc_) : local_to_utc(stamp, config_.time_zone);
        if (!first_utc_) first_utc_ = last_utc_ = utc;
        good = utc - *first_utc_ < kLongestRun && *first_utc_ - utc < kLongestRun;
        if (good) {
            if (utc < last_utc_) {
                header_.flags |= record_flag::clock_backwards;
                log_.count("clock_backwards");
            }
            last_utc_ = utc;
            header_.clock = static_cast<std::uint64_t>(hundredths_of_local_time(stamp));
        }
    }
    if (!good) {
        log_.count("bad_timestamp");
        ++minute_bad_stamps_;
        if (!first_utc_) {
            log_.count("untimed_record");
            return false;
        }
        header_.flags |= record_flag::bad_time;
    }
    header_.utc_ns = last_utc_.time_since_epoch().count();
    header_.time_ps = Picoseconds{last_utc_ - *first_utc_}.count();
    return true;
}

/// The rest is read all the same: the checksum stands at its end.
void LabviewSource::skip_rest_of_member() {
    const std::size_t got = zip_->read(waveform_);
    skipped_bytes_ += got;
    if (got == waveform_.size()) return;
    log_.count("trailing_bytes", skipped_bytes_);
    if (skipped_bytes_ >= labview::kWaveformBytes) {
        log_.remark(fmt::format("{}: {} bytes after the last chunk skipped", name(), skipped_bytes_));
        minute_has_remark_ = true;
    }
    end_member();
}

void LabviewSource::end_member() {
    where_ = Where::between_members;
    if (zip_->damage() == ZipStream::Damage::checksum && minute_triggers_ != 0) {
        log_.count("crc_error");
        log_.remark(fmt::format("{}: {} at the end: any of its {} triggers may be wrong", name(), zip_->problem(),
                                minute_triggers_));
        minute_has_remark_ = true;
    }
}

void LabviewSource::end_minute() {
    const bool torn = zip_->damage() == ZipStream::Damage::torn;
    if (torn && minute_triggers_ != 0) {
        log_.count("torn_file");
        log_.remark(fmt::format("{}: torn after {} triggers: {}", name(), minute_triggers_, zip_->problem()));
    } else if (!zip_->problem().empty() && minute_triggers_ == 0) {
        log_.count("unreadable_file");
        log_.remark(fmt::format("{}: {} the first trigger: {}", name(), torn ? "torn before" : "cannot be read up to",
                                zip_->problem()));
    } else if (minute_triggers_ == 0) {
        log_.count("empty_file");
        if (!minute_has_remark_) log_.remark(fmt::format("{}: holds no trigger", name()));
    }
    if (minute_bad_stamps_ != 0) {
        log_.remark(fmt::format("{}: {} of {} triggers without a usable time stamp", name(), minute_bad_stamps_,
                                minute_triggers_));
    }
    zip_.reset();
}

std::optional<double> LabviewSource::fraction_done() const {
    if (total_bytes_ == 0) return std::nullopt;
    const std::uint64_t here = zip_ ? zip_->bytes_consumed() : next_minute_ != 0 ? bytes_[next_minute_ - 1] : 0;
    return std::min(1.0, static_cast<double>(done_bytes_ + here) / static_cast<double>(total_bytes_));
}

/// "151002/120000.zip", for people who look at a folder of thousands.
std::string LabviewSource::name() const {
    const fs::path& path = minutes_[next_minute_ - 1];
    const fs::path day = path.parent_path().filename();
    return minutes_.size() > 1 && !day.empty() ? (day / path.filename()).string() : path.filename().string();
}

}  // namespace alleycat
