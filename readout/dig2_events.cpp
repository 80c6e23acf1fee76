#include "readout/dig2_events.hpp"

#include <bit>
#include <cstring>

namespace alleycat::dig2 {
namespace {

static_assert(std::endian::native == std::endian::little, "a turned word holds its samples in order");

enum class Format : std::uint8_t { scope = 1, special = 3 };
enum class Special : std::uint8_t { start = 0, stop = 2 };
constexpr std::uint32_t kStartWords = 4, kStopWords = 3;

std::uint64_t word(std::span<const std::byte> bytes, std::size_t index) noexcept {
    std::uint64_t turned;
    std::memcpy(&turned, bytes.data() + index * kWordBytes, sizeof turned);
    return __builtin_bswap64(turned);
}

/// `count` bits from `first` (the lowest is 0) on.
constexpr std::uint64_t bits(std::uint64_t from, unsigned first, unsigned count) noexcept {
    return (from >> first) & ((std::uint64_t{1} << count) - 1);
}

void decode_data(std::span<const std::byte> bytes, Event& event) noexcept {
    if (event.words < kHeaderWords) {
        event.damage = Damage::short_header;
        return;
    }
    const std::uint64_t first = word(bytes, 0);
    event.board_fail = bits(first, 56, 1) != 0;
    event.trigger_id = static_cast<std::uint32_t>(bits(first, 32, kTriggerIdBits));
    const std::uint64_t second = word(bytes, 1);
    event.flags = static_cast<std::uint16_t>(bits(second, 51, 13));
    event.overlap = static_cast<std::uint8_t>(bits(second, 48, 3));
    event.clock = bits(second, 0, kClockBits);
    event.channel_mask = word(bytes, 2);

    const auto channels = static_cast<std::uint32_t>(std::popcount(event.channel_mask));
    const auto sample_words = static_cast<std::uint32_t>(event.words - kHeaderWords);
    if (channels == 0) {
        event.damage = Damage::no_channel;
    } else if (sample_words % channels != 0) {
        event.damage = Damage::uneven;
    } else {
        // 2^32 words of one channel would be more samples than 32 bits count.
        const std::uint64_t samples = std::uint64_t{sample_words / channels} * kSamplesPerWord;
        if (samples > ~std::uint32_t{0}) {
            event.damage = Damage::uneven;
            return;
        }
        event.samples_per_channel = static_cast<std::uint32_t>(samples);
        event.sample_words = bytes.subspan(kHeaderWords * kWordBytes, sample_words * kWordBytes);
    }
}

void decode_special(std::span<const std::byte> bytes, Event& event) noexcept {
    switch (static_cast<Special>(bits(word(bytes, 0), 56, 4))) {
        case Special::start: {
            event.kind = Event::Kind::start;
            if (event.words != kStartWords) {
                event.damage = Damage::wrong_start;
                return;
            }
            const std::uint64_t width = word(bytes, 1);
            event.width = static_cast<std::uint32_t>(bits(width, 0, 25));
            event.log2_decimation = static_cast<std::uint8_t>(bits(width, 27, 4));
            event.channel_mask = bits(word(bytes, 2), 0, 32) | bits(word(bytes, 3), 0, 32) << 32;
            return;
        }
        case Special::stop:
            event.kind = Event::Kind::stop;
            if (event.words != kStopWords) {
                event.damage = Damage::wrong_stop;
                return;
            }
            event.real_time = bits(word(bytes, 1), 0, 48);
            event.dead_time = bits(word(bytes, 2), 0, 32);
            return;
    }
    event.kind = Event::Kind::other;
}

}  // namespace

Event decode_event(std::span<const std::byte> bytes) noexcept {
    Event event;
    if (bytes.size() < kWordBytes) {
        event.damage = Damage::torn_word;
        return event;
    }
    const std::uint64_t first = word(bytes, 0);
    event.words = static_cast<std::uint32_t>(bits(first, 0, 32));
    if (event.words == 0) {
        event.damage = Damage::no_length;
    } else if (event.words > bytes.size() / kWordBytes) {
        event.damage = Damage::cut_short;
    } else {
        switch (static_cast<Format>(bits(first, 60, 4))) {
            case Format::scope: decode_data(bytes, event); return event;
            case Format::special: decode_special(bytes, event); return event;
        }
        event.damage = Damage::unknown_format;
    }
    return event;
}

void copy_samples(const Event& event, std::span<std::uint16_t* const> to) noexcept {
    const std::byte* from = event.sample_words.data();
    for (std::size_t sample = 0; sample < event.samples_per_channel; sample += kSamplesPerWord) {
        for (std::uint16_t* const channel : to) {
            if (channel != nullptr) {
                std::uint64_t quartet;
                std::memcpy(&quartet, from, sizeof quartet);
                quartet = __builtin_bswap64(quartet);
                std::memcpy(channel + sample, &quartet, sizeof quartet);
            }
            from += kWordBytes;
        }
    }
}

}  // namespace alleycat::dig2
