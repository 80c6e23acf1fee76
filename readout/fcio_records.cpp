#include "readout/fcio_records.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "daq/core/error.hpp"

namespace alleycat {
namespace {

constexpr std::int64_t kSecond = 1'000'000'000'000;  // [ps]
/// A clock that shows more at the first event counts from some date: time is then counted from that second.
constexpr std::int64_t kLatestStart = 1'000'000;
constexpr std::int64_t kLongestRun = 9'000'000;  // [s] that picoseconds hold

std::uint64_t ticks_per_second(const BoardInfo& board) {
    return static_cast<std::uint64_t>(kSecond / std::max<std::int64_t>(board.clock_period_ps, 1));
}

}  // namespace

FcioRecords::FcioRecords(const BoardInfo& board, std::uint16_t board_index, const std::vector<std::uint16_t>& traces)
    : board_{board},
      board_index_{board_index},
      numbers_{traces, board, "board.fcio.traces"},
      ticks_per_second_{ticks_per_second(board)} {
    if (board.sample_type != SampleType::uint16) {
        throw UsageError{fmt::format("board {}: FCIO streams hold uint16 samples, the configuration says {}",
                                     board.name, to_text(board.sample_type))};
    }
    board_.source = "fcio";
}

void FcioRecords::take_config(const fcio::Decoder& decoder) {
    const fcio::Config& config = decoder.config();
    for (std::size_t c = 0; c < numbers_.size(); ++c) {
        if (numbers_[c] < config.traces()) continue;
        throw Error{fmt::format("board {}: the stream has {} traces, channel {} is to be number {}", board_.name,
                                config.traces(), board_.channels[c].name, numbers_[c])};
    }
    if (board_.model.empty()) board_.model = "FlashCam";
    board_.firmware = decoder.protocol();
    if (board_.samples == 0) board_.samples = config.samples;
}

/// Seconds, and the part of a second as the board's own count of the second before: its clock need not be exact.
/// nullopt: no time that a run can have.
std::optional<std::int64_t> FcioRecords::time_of(const fcio::Event& event, DefectLog& log) {
    if (event.pps < 0 || event.ticks < 0) return std::nullopt;
    if (!first_pps_ || event.pps < *first_pps_) first_pps_ = event.pps > kLatestStart ? event.pps : 0;
    if (event.pps - *first_pps_ > kLongestRun) return std::nullopt;
    const auto nominal = static_cast<std::int64_t>(ticks_per_second_);
    const std::int64_t counted = std::int64_t{event.max_ticks} + 1;
    const bool good = std::abs(counted - nominal) < nominal / 1000;
    const std::int64_t per_second = good ? counted : nominal;
    if (event.ticks >= per_second) log.count("missed_pps");
    // ticks x 1 s / per_second, in two parts that 64 bits hold.
    const std::int64_t part = event.ticks * (kSecond / per_second) + event.ticks * (kSecond % per_second) / per_second;
    return (std::int64_t{event.pps} - *first_pps_) * kSecond + part;
}

/// What was lost on the way leaves a gap, also while a connection was broken; a board that began anew does not.
void FcioRecords::follow_number(std::int32_t number, DefectLog& log) {
    if (last_number_ && number > std::int64_t{*last_number_} + 1) log.count("number_gap");
    last_number_ = number;
}

bool FcioRecords::describe(const fcio::Decoder& decoder, RecordHeader& header, DefectLog& log) {
    const fcio::Event& event = decoder.event();
    header = RecordHeader{.samples_per_channel = decoder.config().samples,
                          .board = board_index_,
                          .sample_type = board_.sample_type,
                          .trigger_class = board_.self_triggered ? TriggerClass::hit : TriggerClass::beam_tick};
    for (std::size_t c = 0; c < numbers_.size(); ++c) {
        if (decoder.trace(numbers_[c]).empty()) continue;
        header.channel_mask |= std::uint64_t{1} << c;
        ++header.channels;
    }
    follow_number(event.number, log);
    if (header.channels == 0) {
        log.count("no_listed_channel");
        return false;
    }
    const auto flag = [&](bool applies, std::uint32_t bit, std::string_view name) {
        if (!applies) return;
        header.flags |= bit;
        log.count(name);
    };
    if (restarted_) {
        counter_ = ClockUnwrapper{32};
        any_ = false;
    }
    const std::optional<std::int64_t> time_ps = time_of(event, log);
    header.time_ps = time_ps.value_or(last_time_ps_);
    const ClockUnwrapper::Result counter = counter_.unwrap(static_cast<std::uint32_t>(event.number));
    header.counter = counter.ticks;
    header.clock = static_cast<std::uint64_t>(event.pps) * ticks_per_second_ + static_cast<std::uint64_t>(event.ticks);
    header.utc_ns = event.utc_offset_s * 1'000'000'000LL + event.utc_offset_us * 1'000LL +
                    std::int64_t{event.pps} * 1'000'000'000 + header.time_ps % kSecond / 1000;

    flag(!time_ps, record_flag::bad_time, "bad_time");
    flag(restarted_, record_flag::clock_restarted, "clock_restarted");
    flag(header.channels < numbers_.size(), record_flag::missing_channel, "missing_channel");
    flag(board_.samples != header.samples_per_channel, record_flag::unexpected_length, "unexpected_length");
    if (any_) {
        flag(header.time_ps < last_time_ps_, record_flag::clock_backwards, "clock_backwards");
        flag(header.counter == last_counter_ && header.time_ps == last_time_ps_, record_flag::duplicate,
             "duplicate_record");
        if (counter.backwards) log.count("counter_backwards");
    }
    if (event.dead_region != last_dead_region_) {
        if (any_) log.count("dead_time");
        last_dead_region_ = event.dead_region;
    }
    last_counter_ = header.counter;
    last_time_ps_ = header.time_ps;
    any_ = true;
    restarted_ = false;
    return true;
}

void FcioRecords::fill(const fcio::Decoder& decoder, std::span<std::byte> payload) const {
    for (std::size_t c = 0; c < numbers_.size(); ++c) {
        const std::span<const std::byte> samples = decoder.trace(numbers_[c]);
        if (samples.empty()) continue;
        std::memcpy(payload.data(), samples.data(), samples.size());
        payload = payload.subspan(samples.size());
    }
    std::fill(payload.begin(), payload.end(), std::byte{0});
}

}  // namespace alleycat
