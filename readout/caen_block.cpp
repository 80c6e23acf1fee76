#include "readout/caen_block.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "daq/core/error.hpp"
#include "readout/caen_family.hpp"
#include "readout/recorded_file.hpp"

namespace alleycat {
namespace fs = std::filesystem;

CaenConfig parse_caen(ConfigSection& root) {
    CaenConfig config;
    ConfigSection section = root.section("caen");
    if (section.present()) config.family = caen::required_family(section);
    config.channels = parse_channel_numbers(section, "channels", 15);
    config.extended_time_tag = section.boolean("extended_time_tag", config.extended_time_tag);
    if (section.has("suppressed_code")) {
        const int last = config.family ? (1 << caen::adc_bits(*config.family)) - 1 : 0xFFFF;
        config.suppressed_code = static_cast<std::uint16_t>(section.required_integer("suppressed_code", 0, last));
    }
    section.finish();
    return config;
}

namespace caen {

bool is_block_file(const fs::path& path, std::string& why_not) {
    RecordedFile file{path};
    std::array<std::uint32_t, kHeaderWords> header{};
    const bool there = file.get(header);
    const std::uint64_t words = header[0] & 0x0FFFFFFF;
    const bool some_channel = (header[1] & 0xFF) != 0 || header[2] >> 24 != 0;
    if (!there || header[0] >> 28 != 0xA || words <= kHeaderWords || !some_channel) {
        why_not = "does not begin with the header of a CAEN event";
        return false;
    }
    if (file.bytes() == 4 * words) return true;
    std::uint32_t next = 0;
    if (!file.seek(4 * words) || !file.get(next) || (next >> 28 != 0xA && next != 0xFFFFFFFF)) {
        why_not = fmt::format("begins like a CAEN event of {} words, but no other follows it", words);
        return false;
    }
    return true;
}

}  // namespace caen

namespace {

/// Whole words; what is left at a file's end is no word.
std::span<const std::uint32_t> as_words(std::span<const std::byte> bytes) noexcept {
    return {reinterpret_cast<const std::uint32_t*>(bytes.data()), bytes.size() / 4};
}

caen::Family family_of(const CaenConfig& config, const BoardInfo& board) {
    if (!config.family) {
        throw UsageError{fmt::format(
            "board {}: to read CAEN event blocks the station file needs [caen] family: the files do not say it",
            board.name)};
    }
    const SampleType type = caen::sample_type(*config.family);
    if (board.sample_type != type) {
        throw UsageError{fmt::format("board {}: this family's samples are {}, the configuration says {}", board.name,
                                     to_text(type), to_text(board.sample_type))};
    }
    return *config.family;
}

}  // namespace

CaenBlockSource::CaenBlockSource(std::vector<fs::path> files, const BoardInfo& board, std::uint16_t board_index,
                                 const CaenConfig& config)
    : files_{std::move(files)},
      board_{board},
      board_index_{board_index},
      config_{config},
      family_{family_of(config, board)},
      taken_{family_, ChannelNumbers{config.channels, board, "caen.channels"}, config.suppressed_code},
      clock_{config.extended_time_tag ? 48u : 31u} {
    board_.source = "caen";
    for (const fs::path& path : files_) all_bytes_ += fs::file_size(path);
    start_utc_ns_ = modification_time_ns(files_.front());
    if (!load_event()) {
        std::string counts;
        for (const auto& [name, n] : log_.counts())
            counts += fmt::format("{} {} {}", counts.empty() ? ":" : ",", n, name);
        throw Error{fmt::format("{}: no whole event of board {}{}", files_.front().string(), board.name, counts)};
    }
    if (board_.samples == 0) board_.samples = taken_.samples();
}

/// The next event that can be delivered; false at the end of the last file.
bool CaenBlockSource::load_event() {
    for (;;) {
        if (!file_) {
            if (next_file_ == files_.size()) return false;
            file_.emplace(files_[next_file_++]);
        }
        const std::span<const std::uint32_t> words = as_words(file_->bytes());
        if (words.empty() && file_->complete()) {
            if (!file_->bytes().empty()) log_.count("cut_short");
            bytes_of_ended_ += file_->file().bytes();
            file_.reset();
            continue;
        }
        caen::Event event;
        if (!words.empty()) event = caen::read_event(words, family_, file_->complete());
        if (words.empty() || (event.status == caen::Status::cut_short && !file_->complete())) {
            file_->more();
            continue;
        }
        file_->take(4 * event.words.size());
        if (take(event)) return true;
    }
}

/// Whether this event becomes a record; what does not is counted.
bool CaenBlockSource::take(const caen::Event& event) {
    switch (taken_.take(event, log_)) {
        case CaenRecords::Taken::record: loaded_ = true; return true;
        case CaenRecords::Taken::skipped: return false;
        case CaenRecords::Taken::excess_bits:
            if (std::exchange(said_excess_bits_, true)) return false;
            log_.remark(
                fmt::format("{}: an event has bits above the {} of this family: Pack2.5 is not read (switch off "
                            "bit 11 of register 0x8000), or [caen] family names another board",
                            file_->file().name(), caen::adc_bits(family_)));
            return false;
        case CaenRecords::Taken::no_suppressed_code: break;
    }
    throw Error{
        fmt::format("{}: its events are zero-length encoded: [caen] suppressed_code has to say which code "
                    "the samples that were left out stand for",
                    file_->file().path().string())};
}

void CaenBlockSource::describe(RecordHeader& header) {
    header = RecordHeader{.board = board_index_};
    taken_.describe(header, board_, log_);
    const caen::Event& event = taken_.event();
    const std::uint64_t tag = config_.extended_time_tag ? event.extended_time_tag() : event.time_tag;
    const ClockUnwrapper::Result counter = counter_.unwrap(event.counter);
    const ClockUnwrapper::Result clock = clock_.unwrap(tag, records_ != 0 && counter.ticks > last_counter_);
    header.counter = counter.ticks;
    header.clock = tag;
    if (clock.backwards) {
        header.flags |= record_flag::clock_backwards;
        log_.count("clock_backwards");
    }
    if (records_ != 0 && counter.ticks == last_counter_ && tag == last_tag_) {
        header.flags |= record_flag::duplicate;
        log_.count("duplicate_record");
    }
    if (counter.backwards) log_.count("counter_backwards");

    if (__builtin_mul_overflow(static_cast<std::int64_t>(clock.ticks), board_.clock_period_ps, &header.time_ps)) {
        throw Error{fmt::format("{}: trigger {}: its time does not fit a run of 106 days: is clock_period_ps right?",
                                files_[next_file_ - 1].filename().string(), records_)};
    }
    if (records_ == 0) first_time_ps_ = header.time_ps;
    header.utc_ns = start_utc_ns_ + (header.time_ps - first_time_ps_) / 1000;
    last_tag_ = tag;
    last_counter_ = counter.ticks;
    ++records_;
}

RecordSource::Next CaenBlockSource::next(RecordHeader& header, std::stop_token stop) {
    if (stop.stop_requested()) return Next::idle;
    if (!loaded_ && !load_event()) return Next::end;
    loaded_ = false;
    describe(header);
    return Next::record;
}

void CaenBlockSource::fill(std::span<std::byte> payload) { taken_.fill(payload); }

std::optional<double> CaenBlockSource::fraction_done() const {
    if (all_bytes_ == 0) return std::nullopt;
    const std::uint64_t here = file_ ? file_->taken() : 0;
    return std::min(1.0, static_cast<double>(bytes_of_ended_ + here) / static_cast<double>(all_bytes_));
}

}  // namespace alleycat
