#include "readout/sis3316_events.hpp"

#include <algorithm>
#include <bit>

namespace alleycat::sis3316 {
namespace {

static_assert(std::endian::native == std::endian::little, "words and samples are read as they stand");

constexpr std::uint32_t kRawOnly = 0xE, kRawAndAveraged = 0xA;
constexpr std::uint32_t kLengthMask = 0x03FF'FFFF;

/// Words before the sample header.
std::size_t head_words(std::uint8_t format) noexcept {
    return 2u + ((format & 1) != 0 ? 7u : 0u) + ((format & 2) != 0 ? 2u : 0u) + ((format & 4) != 0 ? 3u : 0u) +
           ((format & 8) != 0 ? 2u : 0u);
}

/// What stands between the time stamp and the sample header.
void read_head(std::span<const std::uint32_t> words, Event& event) noexcept {
    std::size_t sums = 0;
    if ((event.format & 1) != 0) {
        event.peak_code = static_cast<std::uint16_t>(words[2]);
        event.peak_index = static_cast<std::uint16_t>(words[2] >> 16);
        sums += 6;
    }
    if ((event.format & 2) != 0) sums += 2;
    event.gate_sums = words.subspan((event.format & 1) != 0 ? 3 : 2, sums);
}

}  // namespace

DecodedEvent decode_event(std::span<const std::uint32_t> words, const EventLayout& layout) noexcept {
    DecodedEvent result{.words = words};
    Event& event = result.event;
    const auto damaged = [&](EventDamage damage) {
        result.damage = damage;
        return result;
    };
    const auto identity = static_cast<std::uint16_t>(words[0]);
    event.channel_id = identity >> 4;
    event.format = identity & 0xF;
    if (layout.identity && identity != *layout.identity) return damaged(EventDamage::other_channel);
    const std::size_t head = head_words(event.format);
    if (words.size() <= head) return damaged(EventDamage::cut_short);
    event.timestamp = std::uint64_t{words[0] >> 16} << 32 | words[1];
    read_head(words, event);

    std::size_t at = head;
    const std::uint32_t header = words[at++];
    const std::uint32_t kind = header >> 28;
    if (kind != kRawOnly && kind != kRawAndAveraged) return damaged(EventDamage::no_sample_header);
    event.status = (header >> 26 & 1) != 0;
    const std::size_t raw = header & kLengthMask;
    std::size_t averaged = 0;
    if (kind == kRawAndAveraged) {
        if (at == words.size()) return damaged(EventDamage::cut_short);
        if (words[at] >> 28 != kRawOnly) return damaged(EventDamage::no_averaged_header);
        averaged = words[at++] & kLengthMask;
    }
    const bool with_maw = (header >> 27 & 1) != 0;
    if (with_maw && layout.maw_words == 0) return damaged(EventDamage::unknown_maw_length);
    const std::size_t maw = with_maw ? layout.maw_words : 0;
    if (at + raw + averaged + maw > kBankWords) return damaged(EventDamage::too_long);
    result.claimed_words = at + raw + averaged + maw;
    if (result.claimed_words > words.size()) return damaged(EventDamage::cut_short);

    event.raw = words.subspan(at, raw);
    event.averaged = words.subspan(at + raw, averaged);
    event.maw = words.subspan(at + raw + averaged, maw);
    result.words = words.first(result.claimed_words);
    return result;
}

std::size_t words_to_next_event(std::span<const std::uint32_t> words, const EventLayout& layout,
                                std::uint16_t identity) noexcept {
    EventLayout strict = layout;
    strict.identity = identity;
    for (std::size_t skip = 1; skip < words.size(); ++skip) {
        if (static_cast<std::uint16_t>(words[skip]) != identity) continue;
        const DecodedEvent one = decode_event(words.subspan(skip), strict);
        if (one.damage != EventDamage::none) continue;
        // Samples can look like an event: only one that another follows, or the end, is believed.
        const std::size_t end = skip + one.words.size();
        if (end == words.size() || static_cast<std::uint16_t>(words[end]) == identity) return skip;
    }
    return words.size();
}

void Events::Iterator::decode() noexcept {
    if (left_.empty()) return;
    now_ = decode_event(left_, layout_);
    if (!layout_.identity) layout_.identity = now_.event.identity();
    if (now_.damage == EventDamage::none) return;
    now_.words = left_.first(words_to_next_event(left_, layout_, *layout_.identity));
}

}  // namespace alleycat::sis3316
