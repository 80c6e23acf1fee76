#pragma once
// Event blocks of CAEN digitizers with their standard (waveform) firmware, as a block transfer delivers them and as
// people write them to files: a decoder over a span of 32-bit words that knows neither files nor boards.
// source: readout/CAEN.md

#include <array>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <span>
#include <string_view>

#include "daq/core/record.hpp"

namespace alleycat::caen {

/// What decides how samples stand in the words.
enum class Family : std::uint8_t { x720, x721, x724, x725, x730, x731, x751 };

[[nodiscard]] int adc_bits(Family family) noexcept;
/// uint8 where the ADC has 8 bits, else uint16.
[[nodiscard]] SampleType sample_type(Family family) noexcept;

/// Each way an event can be; all but `ok` and `filler` have a counter of their name.
enum class Status : std::uint8_t {
    ok,
    filler,               ///< words 0xFFFFFFFF that a transfer may end with: nothing is wrong
    cut_short,            ///< claims more words than there are
    no_header,            ///< words in front of the next header that belong to no event
    no_channels,          ///< its channel mask is empty
    uneven_channels,      ///< its words do not divide by its channels, or these differ in length
    bad_sample_count,     ///< 10 bits: a word that says it holds no sample
    excess_bits,          ///< bits above the ADC's are set: Pack2.5, another family, or damage
    bad_suppression,      ///< zero-length encoding whose control words do not add up
    unknown_suppression,  ///< zero-length encoding of a family whose own firmware encodes it in another way
};
inline constexpr std::array<std::string_view, 10> kStatusNames{"ok",
                                                               "filler",
                                                               "cut_short",
                                                               "no_header",
                                                               "no_channels",
                                                               "uneven_channels",
                                                               "bad_sample_count",
                                                               "excess_bits",
                                                               "bad_suppression",
                                                               "unknown_suppression"};

inline constexpr std::size_t kHeaderWords = 4;
/// More in one event is taken for a damaged size: 16 channels of the largest memory are two thirds of it.
inline constexpr std::size_t kMostWords = std::size_t{1} << 26;
/// Of one channel, when some are suppressed: those take no words that would bound their number.
inline constexpr std::size_t kMostSuppressed = std::size_t{1} << 24;

struct Event {
    Status status = Status::ok;
    std::span<const std::uint32_t> words;  ///< all of it; of no_header and filler: what is skipped
    std::uint8_t board = 0;                ///< its number in the crate
    bool board_failed = false;             ///< lost its clock or got too hot: its samples are not to be trusted
    bool zero_length = false;              ///< zero-length encoded: quiet samples are counted, not there
    std::uint16_t pattern = 0;             ///< inputs of the front panel, or bits 32..47 of the time tag
    std::uint16_t channel_mask = 0;
    std::uint32_t counter = 0;   ///< 24 bits
    std::uint32_t time_tag = 0;  ///< 31 bits
    bool rolled_over = false;    ///< bit 31: the tag went through its end since the board was cleared

    /// 48 bits, when the board was told to put the upper 16 where the pattern stands.
    [[nodiscard]] std::uint64_t extended_time_tag() const noexcept {
        return std::uint64_t{pattern} << 32 | std::uint32_t{rolled_over} << 31 | time_tag;
    }
    [[nodiscard]] std::span<const std::uint32_t> payload() const noexcept { return words.subspan(kHeaderWords); }
};

/// The first event in `words`, which are not empty. `complete`: nothing will follow them (a whole transfer, a file's
/// end); else what cannot be judged yet is cut_short. Where an event's size leads nowhere, the next header is searched:
/// one whose size leads to another, or to the end.
[[nodiscard]] Event read_event(std::span<const std::uint32_t> words, Family family, bool complete = true) noexcept;

/// The events of a whole transfer: for (const caen::Event& event : caen::Events{words, family}) ...
class Events {
  public:
    class Iterator {
      public:
        using difference_type = std::ptrdiff_t;
        using value_type = Event;

        Iterator() noexcept = default;
        Iterator(std::span<const std::uint32_t> words, Family family) noexcept : left_{words}, family_{family} {
            read();
        }
        [[nodiscard]] const Event& operator*() const noexcept { return event_; }
        Iterator& operator++() noexcept {
            left_ = left_.subspan(event_.words.size());
            read();
            return *this;
        }
        void operator++(int) noexcept { ++*this; }
        [[nodiscard]] bool operator==(std::default_sentinel_t) const noexcept { return left_.empty(); }

      private:
        void read() noexcept {
            if (!left_.empty()) event_ = read_event(left_, family_);
        }
        std::span<const std::uint32_t> left_;
        Family family_ = Family::x730;
        Event event_;
    };

    Events(std::span<const std::uint32_t> words, Family family) noexcept : words_{words}, family_{family} {}
    [[nodiscard]] Iterator begin() const noexcept { return {words_, family_}; }
    [[nodiscard]] std::default_sentinel_t end() const noexcept { return {}; }

  private:
    std::span<const std::uint32_t> words_;
    Family family_;
};

/// What is inside an event.
struct Layout {
    Status status = Status::ok;
    std::uint16_t channels = 0;
    std::uint32_t samples = 0;     ///< per channel, suppressed ones included
    std::uint64_t suppressed = 0;  ///< of all channels
};
/// Looks at every word of an event that is `ok`.
[[nodiscard]] Layout lay_out(const Event& event, Family family) noexcept;

/// Writes the samples of the channel at `position` among those of the mask. `out` holds as many bytes as the layout's
/// samples take. Suppressed samples become `suppressed_code`. The layout must be `ok`.
void unpack(const Event& event, Family family, unsigned position, std::span<std::byte> out,
            std::uint16_t suppressed_code) noexcept;

}  // namespace alleycat::caen
