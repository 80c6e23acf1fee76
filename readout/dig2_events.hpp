#pragma once
// The raw stream of a CAEN 27xx digitizer ("Dig2") with scope firmware: 64-bit words, big endian, event after event.
// Layout: CAEN UM11792, "Supported Endpoints". DIG2.md shows it.

#include <array>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <ranges>
#include <span>
#include <string_view>

namespace alleycat::dig2 {

inline constexpr std::size_t kWordBytes = 8;
inline constexpr std::size_t kHeaderWords = 3;     ///< of a data event, before its samples
inline constexpr std::size_t kSamplesPerWord = 4;  ///< of one channel, the first in the lowest bits
inline constexpr std::size_t kMostChannels = 64;
inline constexpr unsigned kTriggerIdBits = 24;
inline constexpr unsigned kClockBits = 48;

/// What is wrong with an event. Behind the first three nothing tells where the next one begins.
enum class Damage : std::uint8_t {
    none,
    torn_word,       ///< fewer bytes than a word are left
    no_length,       ///< says that it has no words
    cut_short,       ///< says that it has more words than there are
    unknown_format,  ///< neither data of the scope firmware nor a special event
    short_header,    ///< data with fewer words than the header has
    no_channel,      ///< data of no channel
    uneven,          ///< its channels have not the same number of samples
    wrong_start,     ///< start of run with another number of words than a start has
    wrong_stop,      ///< the same of the stop
};
inline constexpr std::array<std::string_view, 10> kDamageNames{
    "none",         "torn_word",  "no_length", "cut_short",   "unknown_format",
    "short_header", "no_channel", "uneven",    "wrong_start", "wrong_stop"};

/// One event where it stands. With a damage only `words` means something: what it says of its own length.
struct Event {
    enum class Kind : std::uint8_t {
        data,   ///< one trigger
        start,  ///< of a run
        stop,   ///< of a run
        other,  ///< a special event of no use here
    };

    Kind kind = Kind::data;
    Damage damage = Damage::none;
    std::uint32_t words = 0;  ///< all of the event

    // data
    bool board_fail = false;
    std::uint32_t trigger_id = 0;
    std::uint16_t flags = 0;         ///< 13 bits
    std::uint8_t overlap = 0;        ///< 3 bits: samples shared with the event before
    std::uint64_t clock = 0;         ///< of the trigger [ticks of the board's clock]
    std::uint64_t channel_mask = 0;  ///< data: that are in it; start: that are enabled
    std::uint32_t samples_per_channel = 0;
    std::span<const std::byte> sample_words;  ///< quartets: of the first channel, of the second, ..., of the first

    // start
    std::uint32_t width = 0;  ///< of the waveform, as the board puts it
    std::uint8_t log2_decimation = 0;

    // stop
    std::uint64_t real_time = 0;  ///< of the run [ticks]
    std::uint64_t dead_time = 0;  ///< [ticks]
};

/// The event that begins with `bytes`.
[[nodiscard]] Event decode_event(std::span<const std::byte> bytes) noexcept;

/// Nothing tells where the event after this one begins.
[[nodiscard]] constexpr bool ends_the_block(Damage damage) noexcept {
    return damage == Damage::torn_word || damage == Damage::no_length || damage == Damage::cut_short;
}

/// Writes a data event's samples, channel by channel. to[i], one for each: samples_per_channel codes of the i-th
/// channel in the event's mask; nullptr: not wanted.
void copy_samples(const Event& event, std::span<std::uint16_t* const> to) noexcept;

/// All events of a block, damaged ones included:
///
///     for (const Event& event : Events{bytes}) ...
class Events {
  public:
    explicit Events(std::span<const std::byte> bytes) noexcept : bytes_{bytes} {}

    class Iterator {
      public:
        using value_type = Event;
        using difference_type = std::ptrdiff_t;

        Iterator() noexcept = default;
        explicit Iterator(std::span<const std::byte> bytes) noexcept : left_{bytes} { decode(); }
        [[nodiscard]] const Event& operator*() const noexcept { return event_; }
        [[nodiscard]] const Event* operator->() const noexcept { return &event_; }
        Iterator& operator++() noexcept {
            const bool last = ends_the_block(event_.damage);
            left_ = last ? std::span<const std::byte>{} : left_.subspan(event_.words * kWordBytes);
            decode();
            return *this;
        }
        void operator++(int) noexcept { ++*this; }
        [[nodiscard]] bool operator==(std::default_sentinel_t) const noexcept { return left_.empty(); }

      private:
        void decode() noexcept {
            if (!left_.empty()) event_ = decode_event(left_);
        }
        std::span<const std::byte> left_;
        Event event_;
    };

    [[nodiscard]] Iterator begin() const noexcept { return Iterator{bytes_}; }
    [[nodiscard]] std::default_sentinel_t end() const noexcept { return {}; }

  private:
    std::span<const std::byte> bytes_;
};
static_assert(std::ranges::input_range<Events>);

}  // namespace alleycat::dig2
