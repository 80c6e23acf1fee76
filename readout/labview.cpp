#include "readout/labview.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>

#include "daq/core/error.hpp"

namespace alleycat {
namespace fs = std::filesystem;

namespace labview {
namespace {

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
                             const LabviewConfig& config, unsigned unzip_threads)
    : board_{board}, board_index_{board_index}, config_{config}, minutes_{std::move(minutes)} {
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

    ahead_ = std::make_unique<labview::MinutesAhead>(minutes_, unzip_threads);
    find_first_record();
}

void LabviewSource::find_first_record() {
    Step found = Step::again;
    while (found == Step::again || found == Step::nothing) found = step(std::stop_token{});
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
    while (!have_record_) {
        if (stop.stop_requested()) return Next::idle;
        switch (step(stop)) {
            case Step::again: break;
            case Step::record: have_record_ = true; break;
            case Step::nothing: return Next::idle;
            case Step::end: return Next::end;
        }
    }
    have_record_ = false;
    header = header_;
    return Next::record;
}

void LabviewSource::fill(std::span<std::byte> payload) {
    labview::deinterleave(block_->waveform(next_waveform_ - 1).subspan<labview::kStampColumns * labview::kChannels>(),
                          payload);
}

LabviewSource::Step LabviewSource::step(const std::stop_token& stop) {
    if (block_ == nullptr) return next_block(stop);
    if (next_waveform_ == block_->waveforms) {
        finish_block();
        return Step::again;
    }
    ++next_waveform_;
    ++minute_triggers_;
    return describe_waveform() ? Step::record : Step::again;
}

LabviewSource::Step LabviewSource::next_block(const std::stop_token& stop) {
    if (ahead_->at_end()) return Step::end;
    minute_ = ahead_->minute();
    block_ = ahead_->next(stop);
    next_waveform_ = 0;
    return block_ != nullptr ? Step::again : Step::nothing;
}

/// What was met on the way counts once its triggers are delivered.
void LabviewSource::finish_block() {
    log_.add(block_->log);
    if (block_->last) {
        if (minute_bad_stamps_ != 0) {
            log_.remark(fmt::format("{}: {} of {} triggers without a usable time stamp",
                                    labview::short_name(minutes_[minute_], minutes_.size() > 1), minute_bad_stamps_,
                                    minute_triggers_));
        }
        minute_triggers_ = 0;
        minute_bad_stamps_ = 0;
        done_bytes_ += bytes_[minute_];
    }
    block_ = nullptr;
}

/// False when the waveform has no time at all.
bool LabviewSource::describe_waveform() {
    header_ = RecordHeader{.counter = counter_++,
                           .channel_mask = 0b11,
                           .samples_per_channel = labview::kSamples,
                           .board = board_index_,
                           .channels = labview::kChannels,
                           .sample_type = SampleType::int8};
    const LocalTime stamp = labview::decode_stamp(
        block_->waveform(next_waveform_ - 1).first<labview::kStampColumns * labview::kChannels>());
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

std::optional<double> LabviewSource::fraction_done() const {
    if (total_bytes_ == 0) return std::nullopt;
    const std::uint64_t here = block_ != nullptr ? std::min(block_->packed_bytes, bytes_[minute_]) : 0;
    return std::min(1.0, static_cast<double>(done_bytes_ + here) / static_cast<double>(total_bytes_));
}

}  // namespace alleycat
