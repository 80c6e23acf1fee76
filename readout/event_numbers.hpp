#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>

namespace alleycat {

/// Numbers of a board's events, from a counter that rolls over.
///
/// A number that goes back, or far ahead, is not believed: one wrong number would otherwise be a gap of millions. Three
/// in a row that follow each other are, and two where the clock went back as well: ahead they are a gap after all, back
/// a board that counts anew, and those that come after are numbered on from there.
class EventNumbers {
  public:
    /// bits  width of the counter, 2..31
    explicit EventNumbers(unsigned bits) noexcept : mask_{(std::uint32_t{1} << bits) - 1} {}

    enum class Kind : std::uint8_t {
        first,
        next,        ///< behind the one before, perhaps not right behind it
        repeated,    ///< the same number and clock as the one before
        wrong,       ///< not believed: counted as the next
        began_anew,  ///< the one that makes it believed that they went back
    };
    struct Result {
        Kind kind = Kind::first;
        std::uint64_t counter = 0;  ///< roll-overs added
        std::uint32_t missed = 0;   ///< numbers between this event and the one before

        /// Its number is the board's own, and new.
        [[nodiscard]] bool is_trusted() const noexcept { return kind == Kind::first || kind == Kind::next; }
    };
    [[nodiscard]] Result take(std::uint32_t number, std::uint64_t clock) noexcept {
        const bool repeated = last_ && number == wrong_.value_or(*last_) && clock == last_clock_;
        if (repeated) return {Kind::repeated, counter_ + unbelieved_};
        Result result;
        const std::uint32_t ahead = last_ ? (number - *last_) & mask_ : 1;
        const bool follows = wrong_ && number == ((*wrong_ + 1) & mask_);
        const std::uint32_t witnesses = follows ? witnesses_ + 1 : 1 + (clock < last_clock_ ? 1 : 0);
        const bool confirmed = witnesses >= kBelieved;
        if (!last_) {
            counter_ = number;
        } else if (ahead != 0 && (ahead <= kFarAhead || (confirmed && ahead <= mask_ / 2))) {
            result.kind = Kind::next;
            result.missed = ahead - 1 - std::min(ahead - 1, unbelieved_);
            counter_ += ahead;
        } else if (confirmed) {
            result.kind = Kind::began_anew;
            counter_ += unbelieved_ + 1;
        } else {
            result.kind = Kind::wrong;
        }
        result.counter = counter_;
        last_clock_ = clock;
        if (result.kind == Kind::wrong) {  // it may stand where it belongs, or come too late: the next one tells
            wrong_ = number;
            witnesses_ = witnesses;
            result.counter += ++unbelieved_;
        } else {
            last_ = number;
            wrong_.reset();
            unbelieved_ = 0;
        }
        return result;
    }

  private:
    static constexpr std::uint32_t kBelieved = 3;         // so many witnesses make no mistake
    static constexpr std::uint32_t kFarAhead = 1u << 16;  // a quarter of an hour at 60 Hz, seconds at the highest rates

    std::uint32_t mask_;
    std::optional<std::uint32_t> last_;   ///< that was believed
    std::optional<std::uint32_t> wrong_;  ///< of the event before, if it was not believed
    std::uint32_t witnesses_ = 0;         ///< of it
    std::uint32_t unbelieved_ = 0;        ///< events since last_
    std::uint64_t counter_ = 0;           ///< of last_
    std::uint64_t last_clock_ = 0;
};

}  // namespace alleycat
