#include "readout/caen_block.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <bit>

#include "daq/core/error.hpp"
#include "readout/recorded_file.hpp"

namespace alleycat {
namespace fs = std::filesystem;

CaenConfig parse_caen(ConfigSection& root) {
    using caen::Family;
    CaenConfig config;
    ConfigSection section = root.section("caen");
    if (section.present()) {
        if (!section.has("family")) section.problem("family", "is missing: x720, x721, x724, x725, x730, x731 or x751");
        config.family = section.choice("family", Family::x730,
                                       {{"x720", Family::x720},
                                        {"x721", Family::x721},
                                        {"x724", Family::x724},
                                        {"x725", Family::x725},
                                        {"x730", Family::x730},
                                        {"x731", Family::x731},
                                        {"x751", Family::x751}});
    }
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
      numbers_{config.channels, board, "caen.channels"},
      clock_{config.extended_time_tag ? 48u : 31u} {
    board_.source = "caen";
    for (std::size_t c = 0; c < numbers_.size(); ++c) wanted_ |= 1u << numbers_[c];
    for (const fs::path& path : files_) all_bytes_ += fs::file_size(path);
    start_utc_ns_ = modification_time_ns(files_.front());
    if (!load_event()) {
        std::string counts;
        for (const auto& [name, n] : log_.counts())
            counts += fmt::format("{} {} {}", counts.empty() ? ":" : ",", n, name);
        throw Error{fmt::format("{}: no whole event of board {}{}", files_.front().string(), board.name, counts)};
    }
    if (board_.samples == 0) board_.samples = layout_.samples;
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
    caen::Status status = event.status;
    if (status == caen::Status::ok) {
        layout_ = caen::lay_out(event, family_);
        status = layout_.status;
    }
    if (status == caen::Status::filler) return false;
    if (status != caen::Status::ok) {
        log_.count(caen::kStatusNames[static_cast<std::size_t>(status)]);
        if (status == caen::Status::excess_bits && !said_excess_bits_) {
            said_excess_bits_ = true;
            log_.remark(
                fmt::format("{}: an event has bits above the {} of this family: Pack2.5 is not read (switch off "
                            "bit 11 of register 0x8000), or [caen] family names another board",
                            file_->file().name(), caen::adc_bits(family_)));
        }
        return false;
    }
    if ((event.channel_mask & wanted_) == 0) {
        log_.count("no_listed_channel");
        return false;
    }
    if (layout_.samples == 0) {
        log_.count("empty_record");
        return false;
    }
    if (layout_.suppressed != 0 && !config_.suppressed_code) {
        throw Error{
            fmt::format("{}: its events are zero-length encoded: [caen] suppressed_code has to say which code "
                        "the samples that were left out stand for",
                        file_->file().path().string())};
    }
    event_ = event;
    loaded_ = true;
    return true;
}

void CaenBlockSource::describe(RecordHeader& header) {
    header = RecordHeader{.samples_per_channel = layout_.samples,
                          .board = board_index_,
                          .sample_type = board_.sample_type,
                          .trigger_class = board_.self_triggered ? TriggerClass::hit : TriggerClass::beam_tick};
    for (std::size_t c = 0; c < numbers_.size(); ++c) {
        if ((event_.channel_mask >> numbers_[c] & 1) == 0) continue;
        header.channel_mask |= std::uint64_t{1} << c;
        ++header.channels;
    }
    const std::uint64_t tag = config_.extended_time_tag ? event_.extended_time_tag() : event_.time_tag;
    const ClockUnwrapper::Result counter = counter_.unwrap(event_.counter);
    const ClockUnwrapper::Result clock = clock_.unwrap(tag, records_ != 0 && counter.ticks > last_counter_);
    header.counter = counter.ticks;
    header.clock = tag;

    const auto flag = [&](bool applies, std::uint32_t bit, std::string_view name) {
        if (!applies) return;
        header.flags |= bit;
        log_.count(name);
    };
    const bool again = records_ != 0 && counter.ticks == last_counter_ && tag == last_tag_;
    flag(header.channels < numbers_.size(), record_flag::missing_channel, "missing_channel");
    flag(layout_.samples != board_.samples, record_flag::unexpected_length, "unexpected_length");
    flag(clock.backwards, record_flag::clock_backwards, "clock_backwards");
    flag(again, record_flag::duplicate, "duplicate_record");
    if (counter.backwards) log_.count("counter_backwards");
    if (event_.board_failed) log_.count("board_failed");

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

void CaenBlockSource::fill(std::span<std::byte> payload) {
    const std::size_t bytes = std::size_t{layout_.samples} * bytes_per_sample(board_.sample_type);
    for (std::size_t c = 0; c < numbers_.size(); ++c) {
        const unsigned below = event_.channel_mask & ((1u << numbers_[c]) - 1);
        if ((event_.channel_mask >> numbers_[c] & 1) == 0) continue;
        caen::unpack(event_, family_, static_cast<unsigned>(std::popcount(below)), payload.first(bytes),
                     config_.suppressed_code.value_or(0));
        payload = payload.subspan(bytes);
    }
    std::fill(payload.begin(), payload.end(), std::byte{0});
}

std::optional<double> CaenBlockSource::fraction_done() const {
    if (all_bytes_ == 0) return std::nullopt;
    const std::uint64_t here = file_ ? file_->taken() : 0;
    return std::min(1.0, static_cast<double>(bytes_of_ended_ + here) / static_cast<double>(all_bytes_));
}

}  // namespace alleycat
