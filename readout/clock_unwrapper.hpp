#pragma once

#include <cstdint>

namespace alleycat {

/// Makes a counter that rolls over into one that does not.
///
/// A step back of more than half the range is a roll-over; a smaller one means the clock really ran backwards: it is
/// reported, and time does not move back with it by a roll-over. More than one roll-over between two records cannot be
/// seen here: the event builder checks against wall time.
class ClockUnwrapper {
  public:
    /// bits  width of the counter, 1..64
    explicit ClockUnwrapper(unsigned bits) noexcept : range_{bits >= 64 ? 0 : std::uint64_t{1} << bits} {}

    struct Result {
        std::uint64_t ticks = 0;  ///< since the counter's zero, roll-overs added
        bool backwards = false;
    };
    /// later  something else (an event counter) says that this record came after the one before: then a step back of
    ///        more than a sixteenth of the range is a roll-over, so that gaps may be longer than half the range
    [[nodiscard]] Result unwrap(std::uint64_t raw, bool later = false) noexcept {
        if (range_ != 0) raw &= range_ - 1;
        bool backwards = false;
        if (seen_ && raw < last_) {
            if (range_ != 0 && last_ - raw > range_ / (later ? 16 : 2)) {
                base_ += range_;
            } else {
                backwards = true;
            }
        } else if (!later && seen_ && range_ != 0 && raw - last_ > range_ / 2 && base_ != 0) {
            // A late record from before the roll-over.
            return {base_ - range_ + raw, true};
        }
        seen_ = true;
        last_ = raw;
        return {base_ + raw, backwards};
    }

  private:
    std::uint64_t range_;
    std::uint64_t base_ = 0;
    std::uint64_t last_ = 0;
    bool seen_ = false;
};

}  // namespace alleycat
