#include "readout/sis3316_records.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cstring>

#include "daq/core/error.hpp"

namespace alleycat::sis3316 {
namespace {

constexpr std::uint64_t kClockMask = (std::uint64_t{1} << kClockBits) - 1;
constexpr std::uint64_t kHalfRange = std::uint64_t{1} << (kClockBits - 1);

}  // namespace

/// The channel whose event comes first, counting on from the last record: a roll-over is no step back.
std::uint64_t RecordMaker::earliest(std::span<const Event* const> waiting) const noexcept {
    std::size_t first = waiting.size();
    std::uint64_t nearest = 0;
    std::uint64_t origin = last_stamp_;
    for (std::size_t c = 0; c < waiting.size(); ++c) {
        if (waiting[c] == nullptr) continue;
        if (first == waiting.size() && records_ == 0) origin = waiting[c]->timestamp;
        const std::uint64_t ahead = (waiting[c]->timestamp - origin + kHalfRange) & kClockMask;
        if (first == waiting.size() || ahead < nearest) {
            first = c;
            nearest = ahead;
        }
    }
    return first;
}

std::uint64_t RecordMaker::describe(std::span<const Event* const> waiting, std::int64_t utc_ns, RecordHeader& header,
                                    DefectLog& log) {
    const std::size_t first = earliest(waiting);
    const std::uint64_t stamp = waiting[first]->timestamp;
    const std::uint32_t samples = samples_of(*waiting[first]);
    header = RecordHeader{.counter = records_,
                          .samples_per_channel = samples,
                          .board = board_index_,
                          .sample_type = board_->sample_type,
                          .trigger_class = board_->self_triggered ? TriggerClass::hit : TriggerClass::beam_tick};
    std::uint64_t used_up = 0;
    for (std::size_t c = first; c < waiting.size(); ++c) {
        if (waiting[c] == nullptr || waiting[c]->timestamp != stamp) continue;
        used_up |= std::uint64_t{1} << c;
        if (samples_of(*waiting[c]) == samples) {
            header.channel_mask |= std::uint64_t{1} << c;
        } else {
            log.count("unequal_length");
        }
        if (board_->self_triggered) break;
    }
    header.channels = static_cast<std::uint16_t>(std::popcount(header.channel_mask));
    if (!board_->self_triggered && header.channels < waiting.size()) {
        header.flags |= record_flag::missing_channel;
        log.count("missing_channel");
    }
    if (board_->samples != 0 && samples != board_->samples) {
        header.flags |= record_flag::unexpected_length;
        log.count("unexpected_length");
    }
    set_time(stamp, utc_ns, header, log);
    ++records_;
    return used_up;
}

void RecordMaker::set_time(std::uint64_t stamp, std::int64_t utc_ns, RecordHeader& header, DefectLog& log) {
    const bool again = records_ != 0 && !restarted_ && stamp == last_stamp_ && !board_->self_triggered;
    if (again) {
        header.flags |= record_flag::duplicate;
        log.count("duplicate_record");
    }
    if (restarted_) clock_ = ClockUnwrapper{kClockBits};
    const ClockUnwrapper::Result clock = clock_.unwrap(stamp);
    if (clock.backwards) {
        header.flags |= record_flag::clock_backwards;
        log.count("clock_backwards");
    }
    std::int64_t time_ps = 0;
    if (__builtin_mul_overflow(static_cast<std::int64_t>(clock.ticks), board_->clock_period_ps, &time_ps) ||
        __builtin_add_overflow(time_ps, offset_ps_, &header.time_ps)) {
        throw Error{
            fmt::format("board {}: trigger {}: its time does not fit a run of 106 days: is clock_period_ps right?",
                        board_->name, records_)};
    }
    if (restarted_ && records_ != 0) {
        header.flags |= record_flag::clock_restarted;
        const std::int64_t away_ns = std::clamp<std::int64_t>(utc_ns - last_utc_ns_, 0, std::int64_t{1} << 50);
        header.time_ps = last_time_ps_ + away_ns * 1000;
        offset_ps_ = header.time_ps - time_ps;
    }
    restarted_ = false;
    header.clock = stamp;
    header.utc_ns = utc_ns;
    last_stamp_ = stamp;
    last_time_ps_ = header.time_ps;
    last_utc_ns_ = utc_ns;
}

void RecordMaker::fill(std::span<const Event* const> waiting, std::uint64_t channel_mask,
                       std::span<std::byte> payload) const noexcept {
    for (std::size_t c = 0; c < waiting.size(); ++c) {
        if ((channel_mask >> c & 1) == 0) continue;
        const std::span<const std::byte> samples = std::as_bytes(trace_of(*waiting[c]));
        if (!samples.empty()) std::memcpy(payload.data(), samples.data(), samples.size());
        payload = payload.subspan(samples.size());
    }
    std::fill(payload.begin(), payload.end(), std::byte{0});
}

}  // namespace alleycat::sis3316
