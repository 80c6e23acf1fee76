#include "readout/caen_events.hpp"

#include <algorithm>
#include <bit>
#include <cstring>

namespace alleycat::caen {
namespace {

using Words = std::span<const std::uint32_t>;

static_assert(std::endian::native == std::endian::little, "samples are copied as they stand in their words");

constexpr std::uint32_t kFiller = 0xFFFFFFFF;

bool has_upper_mask(Family family) noexcept { return family == Family::x725 || family == Family::x730; }
/// Those whose standard firmware sends the control words read here.
bool suppresses(Family family) noexcept { return !has_upper_mask(family); }

unsigned samples_per_word(Family family) noexcept {
    switch (family) {
        case Family::x721:
        case Family::x731: return 4;
        case Family::x751: return 3;
        case Family::x720:
        case Family::x724:
        case Family::x725:
        case Family::x730: break;
    }
    return 2;
}

/// Bits of a word of samples that are always zero.
std::uint32_t unused_bits(Family family) noexcept {
    if (samples_per_word(family) != 2) return 0;
    const std::uint32_t above = 0xFFFFu << adc_bits(family) & 0xFFFFu;
    return above << 16 | above;
}

bool begins(std::uint32_t word) noexcept { return word >> 28 == 0xA; }
std::size_t size_of(std::uint32_t word) noexcept { return word & 0x0FFFFFFF; }

std::uint16_t mask_of(Words words, Family family) noexcept {
    const std::uint32_t upper = has_upper_mask(family) ? words[2] >> 24 : 0;
    return static_cast<std::uint16_t>(upper << 8 | (words[1] & 0xFF));
}

/// The next event begins, or the transfer's filler.
bool goes_on_with(std::uint32_t word) noexcept { return begins(word) || word == kFiller; }

/// Index of the first header from `from` on whose size leads to another or to the end; the number of words when there
/// is none. What cannot be judged because more words will come counts as a header.
std::size_t find_header(Words words, std::size_t from, std::size_t to, Family family, bool complete) noexcept {
    for (std::size_t at = from; at < to; ++at) {
        if (!begins(words[at])) continue;
        const std::size_t size = size_of(words[at]);
        if (size < kHeaderWords || size > kMostWords) continue;
        const std::size_t left = words.size() - at;
        if (!complete && size >= left) return at;
        if (size > left || mask_of(words.subspan(at), family) == 0) continue;
        if (size == left || goes_on_with(words[at + size])) return at;
    }
    return words.size();
}

Event skipped(Words words, Status status) noexcept {
    Event event;
    event.status = status;
    event.words = words;
    return event;
}

/// What a channel's words hold, run by run: on_run(suppressed, words of samples, number of samples).
template <class F>
Status for_each_run(Words channel, Family family, bool zero_length, F&& on_run) noexcept {
    const unsigned per_word = samples_per_word(family);
    const auto present = [&](Words words) {
        std::size_t samples = words.size() * per_word;
        if (per_word == 3) {  // each word says how many of its three are there
            samples = 0;
            for (const std::uint32_t word : words) {
                if (word >> 30 == 0) return Status::bad_sample_count;
                samples += word >> 30;
            }
        }
        on_run(false, words, samples);
        return Status::ok;
    };
    if (!zero_length) return present(channel);
    while (!channel.empty()) {
        const std::size_t words = channel[0] & 0x1FFFFF;
        const bool there = channel[0] >> 31 != 0;
        channel = channel.subspan(1);
        if (!there) {
            on_run(true, Words{}, words * per_word);
            continue;
        }
        if (words > channel.size()) return Status::bad_suppression;
        if (const Status status = present(channel.first(words)); status != Status::ok) return status;
        channel = channel.subspan(words);
    }
    return Status::ok;
}

/// The words of the channel in front of `payload`, without its own length, and how many they take with it.
struct ChannelWords {
    Words words;
    std::size_t taken = 0;  ///< 0: the length cannot be
};
ChannelWords first_channel(Words payload, const Event& event, unsigned channels_left) noexcept {
    if (!event.zero_length) {
        const std::size_t words = payload.size() / channels_left;
        return {payload.first(words), words};
    }
    if (payload.empty()) return {};
    const std::size_t words = payload[0];  // itself included
    if (words == 0 || words > payload.size()) return {};
    return {payload.subspan(1, words - 1), words};
}

}  // namespace

int adc_bits(Family family) noexcept {
    switch (family) {
        case Family::x720: return 12;
        case Family::x721:
        case Family::x731: return 8;
        case Family::x751: return 10;
        case Family::x724:
        case Family::x725:
        case Family::x730: break;
    }
    return 14;
}

SampleType sample_type(Family family) noexcept {
    return adc_bits(family) <= 8 ? SampleType::uint8 : SampleType::uint16;
}

Event read_event(Words words, Family family, bool complete) noexcept {
    if (words[0] == kFiller) {
        const auto end = std::find_if(words.begin(), words.end(), [](std::uint32_t word) { return word != kFiller; });
        return skipped(words.first(static_cast<std::size_t>(end - words.begin())), Status::filler);
    }
    const std::size_t size = size_of(words[0]);
    if (!begins(words[0]) || size < kHeaderWords || size > kMostWords) {
        return skipped(words.first(find_header(words, 1, words.size(), family, complete)), Status::no_header);
    }
    // Not complete: the word behind it is looked at, too.
    if (!complete && size >= words.size()) return skipped(words, Status::cut_short);
    if (size > words.size() || (size < words.size() && !goes_on_with(words[size]))) {
        // Its size may be damaged: then another event begins inside what it claims.
        const std::size_t inside = std::min(size, words.size());
        const std::size_t next = find_header(words, 1, inside, family, complete);
        if (next < words.size()) return skipped(words.first(next), Status::no_header);
        if (size > words.size()) return skipped(words, Status::cut_short);
    }
    Event event;
    event.words = words.first(size);
    event.board = static_cast<std::uint8_t>(words[1] >> 27);
    event.board_failed = (words[1] >> 26 & 1) != 0;
    event.zero_length = (words[1] >> 24 & 1) != 0;
    event.pattern = static_cast<std::uint16_t>(words[1] >> 8);
    event.channel_mask = mask_of(words, family);
    event.counter = words[2] & 0xFFFFFF;
    event.time_tag = words[3] & 0x7FFFFFFF;
    event.rolled_over = words[3] >> 31 != 0;
    return event;
}

Layout lay_out(const Event& event, Family family) noexcept {
    Layout layout;
    layout.channels = static_cast<std::uint16_t>(std::popcount(event.channel_mask));
    const auto refuse = [&](Status status) {
        layout.status = status;
        return layout;
    };
    if (layout.channels == 0) return refuse(Status::no_channels);
    if (event.zero_length && !suppresses(family)) return refuse(Status::unknown_suppression);
    Words payload = event.payload();
    if (!event.zero_length && payload.size() % layout.channels != 0) return refuse(Status::uneven_channels);

    const std::uint32_t unused = unused_bits(family);
    for (unsigned c = 0; c < layout.channels; ++c) {
        const ChannelWords channel = first_channel(payload, event, layout.channels - c);
        if (event.zero_length && channel.taken == 0) return refuse(Status::bad_suppression);
        std::uint64_t samples = 0;
        std::uint32_t bits = 0;
        const Status status =
            for_each_run(channel.words, family, event.zero_length, [&](bool suppressed, Words words, std::size_t n) {
                samples += n;
                if (suppressed) layout.suppressed += n;
                for (const std::uint32_t word : words) bits |= word;
            });
        if (status != Status::ok) return refuse(status);
        if ((bits & unused) != 0) return refuse(Status::excess_bits);
        if (event.zero_length && samples > kMostSuppressed) return refuse(Status::bad_suppression);
        if (c == 0) layout.samples = static_cast<std::uint32_t>(samples);
        if (samples != layout.samples) return refuse(Status::uneven_channels);
        payload = payload.subspan(channel.taken);
    }
    if (!payload.empty()) return refuse(Status::bad_suppression);
    return layout;
}

void unpack(const Event& event, Family family, unsigned position, std::span<std::byte> out,
            std::uint16_t suppressed_code) noexcept {
    const auto channels = static_cast<unsigned>(std::popcount(event.channel_mask));
    Words payload = event.payload();
    for (unsigned c = 0; c < position; ++c)
        payload = payload.subspan(first_channel(payload, event, channels - c).taken);
    const ChannelWords channel = first_channel(payload, event, channels - position);
    const bool bytes = sample_type(family) == SampleType::uint8;

    (void)for_each_run(channel.words, family, event.zero_length, [&](bool suppressed, Words words, std::size_t n) {
        const std::span<std::byte> here = out.first(n * (bytes ? 1 : 2));
        out = out.subspan(here.size());
        if (suppressed && bytes) {
            std::fill(here.begin(), here.end(), static_cast<std::byte>(suppressed_code));
        } else if (suppressed) {
            for (std::size_t i = 0; i < n; ++i) std::memcpy(&here[2 * i], &suppressed_code, 2);
        } else if (family == Family::x751) {
            std::byte* to = here.data();
            for (const std::uint32_t word : words) {
                for (unsigned i = 0; i < word >> 30; ++i, to += 2) {
                    const auto code = static_cast<std::uint16_t>(word >> 10 * i & 0x3FF);
                    std::memcpy(to, &code, 2);
                }
            }
        } else if (!here.empty()) {
            std::memcpy(here.data(), words.data(), here.size());
        }
    });
}

}  // namespace alleycat::caen
