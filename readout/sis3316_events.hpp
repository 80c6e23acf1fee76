#pragma once
// Native event words of a Struck SIS3316, as they stand in a bank of its memory and in files: 32-bit words, little
// endian.
//
//     word 0        time stamp [47:32] << 16 | channel id << 4 | format bits
//     word 1        time stamp [31:0], in sample clocks
//     format bit 0  7 words: index and height of the peak, sums of the gates 1 to 6
//     format bit 1  2 words: sums of the gates 7 and 8
//     format bit 2  3 words: the trigger's moving average: highest, before and with the trigger
//     format bit 3  2 words: the energy filter: at the start, highest
//     then          0xE << 28 | 27: moving average follows | 26: status | words of raw samples [25:0]
//                   0xA << 28 instead of 0xE: a second such word follows, for the averaged trace
//     then          raw samples, two in a word, the first in the low half; averaged samples; moving average

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <iterator>
#include <optional>
#include <span>
#include <string_view>

namespace alleycat::sis3316 {

inline constexpr unsigned kClockBits = 48;
/// Words of one channel in one bank: no event is longer.
inline constexpr std::uint32_t kBankWords = 0xFF0000;

/// What is wrong with an event. It is skipped, up to where the next one begins.
enum class EventDamage : std::uint8_t {
    none = 0,
    cut_short = 1,           ///< ends before its length says; the next, if any, begins nowhere
    no_sample_header = 2,    ///< neither 0xE nor 0xA where the number of samples must stand
    no_averaged_header = 3,  ///< 0xA announces an averaged trace, whose header is no 0xE
    too_long = 4,            ///< more words than a bank holds
    other_channel = 5,       ///< channel id or format bits are not those of the words before
    unknown_maw_length = 6,  ///< a moving average follows, whose length nobody told
};
inline constexpr std::array<std::string_view, 7> kEventDamageNames{
    "none", "cut_short", "no_sample_header", "no_averaged_header", "too_long", "other_channel", "unknown_maw_length"};

/// What the words themselves do not say.
struct EventLayout {
    std::uint32_t maw_words = 0;                 ///< length of the moving average, where one follows
    std::optional<std::uint16_t> identity = {};  ///< low half of word 0 of every event; absent: that of the first
};

/// One event where it stands.
struct Event {
    std::uint64_t timestamp = 0;   ///< sample clocks, 48 bits
    std::uint16_t channel_id = 0;  ///< 12 bits, free to set; the lowest four are the input: 0 to 15
    std::uint8_t format = 0;
    bool status = false;                          ///< bit 26 of the sample header: pile-up, as configured
    std::uint16_t peak_index = 0, peak_code = 0;  ///< with format bit 0
    std::span<const std::uint32_t> gate_sums{};   ///< 0, 2, 6 or 8 of them
    std::span<const std::uint32_t> raw{}, averaged{}, maw{};

    [[nodiscard]] std::uint16_t identity() const noexcept {
        return static_cast<std::uint16_t>(channel_id << 4 | format);
    }
    [[nodiscard]] std::uint32_t samples() const noexcept { return static_cast<std::uint32_t>(raw.size() * 2); }
};

/// An event, or words that are none.
struct DecodedEvent {
    EventDamage damage = EventDamage::none;
    Event event{};                           ///< of a damaged one: what could be read before the damage
    std::span<const std::uint32_t> words{};  ///< all of it; of a damaged one: what is skipped
    std::size_t claimed_words = 0;           ///< as its headers say, also where it is cut short; 0: not known
};

/// The event that begins with the first word. `words` must not be empty.
[[nodiscard]] DecodedEvent decode_event(std::span<const std::uint32_t> words, const EventLayout& layout) noexcept;

/// How many words to skip for the next place where an event of this identity can begin; all of them when there is none.
[[nodiscard]] std::size_t words_to_next_event(std::span<const std::uint32_t> words, const EventLayout& layout,
                                              std::uint16_t identity) noexcept;

/// Events of one channel, one after the other, damaged ones included: every word belongs to exactly one.
///
///     for (const DecodedEvent& one : Events{words, layout}) ...
class Events {
  public:
    explicit Events(std::span<const std::uint32_t> words, const EventLayout& layout = {}) noexcept
        : words_{words}, layout_{layout} {}

    class Iterator {
      public:
        using value_type = DecodedEvent;
        using difference_type = std::ptrdiff_t;
        using iterator_concept = std::input_iterator_tag;

        Iterator() noexcept = default;
        Iterator(std::span<const std::uint32_t> words, const EventLayout& layout) noexcept
            : left_{words}, layout_{layout} {
            decode();
        }
        [[nodiscard]] const DecodedEvent& operator*() const noexcept { return now_; }
        [[nodiscard]] const DecodedEvent* operator->() const noexcept { return &now_; }
        Iterator& operator++() noexcept {
            left_ = left_.subspan(now_.words.size());
            decode();
            return *this;
        }
        void operator++(int) noexcept { ++*this; }
        [[nodiscard]] friend bool operator==(const Iterator& one, std::default_sentinel_t) noexcept {
            return one.left_.empty();
        }

      private:
        void decode() noexcept;

        std::span<const std::uint32_t> left_{};
        EventLayout layout_{};
        DecodedEvent now_{};
    };

    [[nodiscard]] Iterator begin() const noexcept { return {words_, layout_}; }
    [[nodiscard]] std::default_sentinel_t end() const noexcept { return {}; }

  private:
    std::span<const std::uint32_t> words_;
    EventLayout layout_;
};

}  // namespace alleycat::sis3316
