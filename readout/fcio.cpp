#include "readout/fcio.hpp"

#include <algorithm>
#include <cstring>

#include "daq/core/bytes.hpp"

namespace alleycat::fcio {
namespace {

constexpr std::int32_t kLastTag = -1'000'000'000;  // smaller ones are none
/// More in one frame is no frame: the largest are 672 traces of 32,770 samples.
constexpr std::uint32_t kMostFrameBytes = 1u << 26;
constexpr std::uint32_t kMostCards = 256;

// A message's frames, in their order.
constexpr std::size_t kConfigFrames = 10;
constexpr std::size_t kStatusHead = 4;                                 // then one per card
constexpr std::size_t kTimeOffset = 2, kTimestamp = 3;                 // of both kinds of events
constexpr std::size_t kTraces = 4, kDeadRegion = 5, kEventFrames = 6;  // of an event
constexpr std::size_t kSparseDeadRegion = 4, kTraceCount = 5, kTraceList = 6, kSparseHead = 7;  // then one per trace

// Of a card's status: words before its number of errors, and before its readings.
constexpr std::size_t kCardReadings = 6, kCardErrors = 10, kCardEnvironment = 19;
constexpr std::uint32_t kLeastCardBytes = 4 * (kCardEnvironment + 16);

template <class T>
T read(std::span<const std::byte> bytes, std::size_t index) noexcept {
    T value{};
    if ((index + 1) * sizeof(T) <= bytes.size()) std::memcpy(&value, bytes.data() + index * sizeof(T), sizeof(T));
    return value;
}

}  // namespace

std::span<std::byte> Decoder::space(std::size_t bytes) {
    // The message delivered last is no longer needed.
    if (delivered_) {
        message_ = at_;
        frames_.clear();
        delivered_ = false;
    }
    if (message_ != 0) {
        if (end_ != message_) std::memmove(buffer_.data(), buffer_.data() + message_, end_ - message_);
        at_ -= message_;
        end_ -= message_;
        message_ = 0;
    }
    if (buffer_.size() < end_ + bytes) buffer_.resize(end_ + bytes);
    return std::span{buffer_}.subspan(end_);
}

void Decoder::restart() noexcept {
    message_ = at_ = end_ = skip_ = 0;
    frames_.clear();
    tag_ = Tag::none;
    started_ = lost_ = delivered_ = has_config_ = false;
}

/// The present message is over; its frames stay until the next call.
Item Decoder::end_message(Item item) noexcept {
    tag_ = Tag::none;
    delivered_ = true;
    return item;
}

Item Decoder::next() {
    if (lost_) return Item::lost;
    if (delivered_) {
        message_ = at_;
        frames_.clear();
        delivered_ = false;
    }
    for (;;) {
        const std::size_t skipped = std::min(skip_, end_ - at_);
        skip_ -= skipped;
        at_ += skipped;
        if (tag_ == Tag::none) message_ = at_;
        if (skip_ != 0 || end_ - at_ < 4) return Item::need_more;
        const auto word = read<std::int32_t>(std::span{buffer_}.subspan(at_, 4), 0);
        if (word < 0) {
            // Only a tag tells that a message ends before all its frames are there.
            if (tag_ != Tag::none) return parse();
            const Item item = begin_message(word);
            if (item != Item::event) return item;
            continue;
        }
        const auto bytes = static_cast<std::uint32_t>(word);
        if (!started_ || bytes > kMostFrameBytes) {
            lost_ = true;
            return Item::lost;
        }
        switch (judge(bytes)) {
            case Length::right: break;
            case Length::wrong: return end_message(Item::bad_frame);
            case Length::unwanted:
                at_ += 4;
                skip_ = bytes;
                continue;
        }
        if (end_ - at_ - 4 < bytes) return Item::need_more;
        frames_.push_back({at_ + 4 - message_, bytes});
        at_ += 4 + bytes;
        if (is_whole()) return parse();
    }
}

Item Decoder::finish() {
    if (lost_ || delivered_ || tag_ == Tag::none || at_ != end_) return Item::need_more;
    return parse();
}

/// Item::event: go on reading.
Item Decoder::begin_message(std::int32_t word) {
    if (word == kProtocolTag) return begin_stream();
    if (!started_ || word < kLastTag) {
        lost_ = true;
        return Item::lost;
    }
    at_ += 4;
    switch (static_cast<Tag>(-word)) {
        case Tag::config:
        case Tag::status: break;
        case Tag::event:
        case Tag::sparse_event:
            if (!has_config_) return end_message(Item::event_before_config);
            break;
        case Tag::none:
        default: return end_message(Item::unknown_tag);
    }
    tag_ = static_cast<Tag>(-word);
    return Item::event;
}

Item Decoder::begin_stream() {
    if (end_ - at_ < 4 + kProtocolBytes) return Item::need_more;
    const char* const text = reinterpret_cast<const char*>(buffer_.data() + at_ + 4);
    protocol_.assign(text, strnlen(text, kProtocolBytes));
    if (!protocol_.starts_with(kProtocol)) {
        lost_ = true;
        return Item::lost;
    }
    at_ += 4 + kProtocolBytes;
    started_ = true;
    return end_message(Item::start);
}

/// Before the frame itself is there: what cannot be is not waited for.
Decoder::Length Decoder::judge(std::uint32_t bytes) const noexcept {
    const auto exactly = [&](std::size_t wanted) { return bytes == wanted ? Length::right : Length::wrong; };
    const auto numbers = [&](std::size_t most) {
        return bytes % 4 == 0 && bytes <= most ? Length::right : Length::wrong;
    };
    const std::size_t index = frames_.size();
    switch (tag_) {
        case Tag::none: return Length::unwanted;
        case Tag::config: return exactly(4);
        case Tag::status:
            if (index >= kStatusHead) return exactly(static_cast<std::uint32_t>(number(kStatusHead - 1)));
            return index == 1 ? numbers(4096) : exactly(4);
        case Tag::event:
            if (index < 2) return exactly(4);
            return index == kTraces ? exactly(config_.traces() * trace_bytes()) : numbers(4096);
        case Tag::sparse_event:
            if (index < 2 || index == kTraceCount) return exactly(4);
            if (index == kTraceList) return exactly(2 * std::size_t{static_cast<std::uint32_t>(number(kTraceCount))});
            return index < kTraceCount ? numbers(4096) : exactly(trace_bytes());
    }
    return Length::unwanted;
}

bool Decoder::is_whole() const noexcept {
    const std::size_t frames = frames_.size();
    switch (tag_) {
        case Tag::none: break;
        case Tag::config: return frames == kConfigFrames;
        case Tag::status:
            // A number that cannot be ends the message here: parse() says so.
            if (frames < kStatusHead) return false;
            return static_cast<std::uint32_t>(number(2)) > kMostCards ||
                   static_cast<std::uint32_t>(number(3)) > 65'536 ||
                   frames == kStatusHead + static_cast<std::uint32_t>(number(2));
        case Tag::event: return frames == kEventFrames;
        case Tag::sparse_event: {
            if (frames <= kTraceCount) return false;
            const auto traces = static_cast<std::uint32_t>(number(kTraceCount));
            return traces > config_.traces() || frames == kSparseHead + traces;
        }
    }
    return false;
}

std::span<const std::byte> Decoder::frame(std::size_t index) const noexcept {
    if (index >= frames_.size()) return {};
    return std::span{buffer_}.subspan(message_ + frames_[index].at, frames_[index].bytes);
}

std::int32_t Decoder::number(std::size_t frame_index, std::size_t index) const noexcept {
    return read<std::int32_t>(frame(frame_index), index);
}

Item Decoder::parse() {
    switch (tag_) {
        case Tag::none: break;
        case Tag::config: return end_message(parse_config());
        case Tag::status: return end_message(parse_status());
        case Tag::event:
        case Tag::sparse_event: {
            event_.sparse = tag_ == Tag::sparse_event;
            return end_message(parse_event());
        }
    }
    return Item::need_more;
}

Item Decoder::parse_config() {
    if (frames_.size() < kConfigFrames) return Item::short_message;
    const auto unsigned_number = [&](std::size_t i) { return static_cast<std::uint32_t>(number(i)); };
    const Config said{.adcs = unsigned_number(0),
                      .triggers = unsigned_number(1),
                      .samples = unsigned_number(2),
                      .adc_bits = unsigned_number(5),
                      .master_cards = unsigned_number(6),
                      .trigger_cards = unsigned_number(7),
                      .adc_cards = unsigned_number(8),
                      .gps = unsigned_number(9)};
    has_config_ = said.adcs <= kMostTraces && said.triggers <= kMostTraces && said.traces() > 0 &&
                  said.traces() <= kMostTraces && said.samples > 0 && said.samples <= kMostSamples &&
                  said.traces() * (said.samples + kHeaderSamples) * 2 <= kMostFrameBytes;
    if (!has_config_) return Item::bad_config;
    config_ = said;
    return Item::config;
}

Item Decoder::parse_status() {
    if (frames_.size() < kStatusHead) return Item::short_message;
    const auto cards = static_cast<std::uint32_t>(number(2));
    if (cards > kMostCards || static_cast<std::uint32_t>(number(3)) > 65'536) return Item::bad_frame;
    if (frames_.size() < kStatusHead + cards) return Item::short_message;
    status_.no_errors = number(0) != 0;
    status_.cards.resize(cards);
    for (std::uint32_t c = 0; c < cards; ++c) {
        const std::span<const std::byte> card = frame(kStatusHead + c);
        CardStatus& said = status_.cards[c];
        said = {};
        said.errors = read<std::uint32_t>(card, kCardErrors);
        if (card.size() < kLeastCardBytes) continue;
        said.readings = std::min<std::uint32_t>(read<std::uint32_t>(card, kCardReadings), 16);
        for (std::size_t i = 0; i < 16; ++i) said.environment[i] = read<std::int32_t>(card, kCardEnvironment + i);
    }
    return Item::status;
}

Item Decoder::parse_event() {
    const std::size_t dead = event_.sparse ? kSparseDeadRegion : kDeadRegion;
    if (event_.sparse) {
        if (frames_.size() <= kTraceCount) return Item::short_message;
        const auto traces = static_cast<std::uint32_t>(number(kTraceCount));
        if (traces > config_.traces()) return Item::bad_frame;
        if (frames_.size() < kSparseHead + traces) return Item::short_message;
        for (std::uint32_t i = 0; i < traces; ++i) {
            if (read<std::uint16_t>(frame(kTraceList), i) >= config_.traces()) return Item::bad_frame;
        }
    } else if (frames_.size() <= kTraces) {
        return Item::short_message;  // only the dead region, the last part, is dispensable
    }
    event_.type = number(0);
    event_.number = number(kTimestamp, 0);
    event_.pps = number(kTimestamp, 1);
    event_.ticks = number(kTimestamp, 2);
    event_.max_ticks = number(kTimestamp, 3);
    event_.utc_offset_s = number(kTimeOffset, 0);
    event_.utc_offset_us = number(kTimeOffset, 1);
    for (std::size_t i = 0; i < event_.dead_region.size(); ++i) event_.dead_region[i] = number(dead, i);
    return Item::event;
}

std::span<const std::byte> Decoder::trace(std::uint32_t number_wanted) const noexcept {
    const std::size_t header = 2 * kHeaderSamples;
    if (!event_.sparse) {
        const std::span<const std::byte> all = frame(kTraces);
        if ((number_wanted + 1) * trace_bytes() > all.size()) return {};
        return all.subspan(number_wanted * trace_bytes() + header, trace_bytes() - header);
    }
    const std::span<const std::byte> list = frame(kTraceList);
    for (std::size_t i = 0; i < list.size() / 2; ++i) {
        if (read<std::uint16_t>(list, i) == number_wanted) return frame(kSparseHead + i).subspan(header);
    }
    return {};
}

}  // namespace alleycat::fcio
