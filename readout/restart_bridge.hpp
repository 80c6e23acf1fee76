#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>

namespace alleycat {

/// Counter and time of a board that begin anew when it is restarted, and go on in its records all the same: the
/// daemon's books compare the counter's span with the ticks that came and those that are missing.
///
/// How long the board was away the host's clock says, to milliseconds. Where the beat of the triggers before is as
/// near, they are taken to have gone on meanwhile: a periodic signal stays in phase, and the triggers of that time are
/// counted.
class RestartBridge {
  public:
    /// A record's place in the board's counter, the board's time and the host's.
    struct Place {
        std::uint64_t counter = 0;
        std::int64_t time_ps = 0, utc_ns = 0;
    };

    /// What the board says, put behind the restarts so far; false: more time than there is room for, it is the last
    /// one's.
    [[nodiscard]] bool carry(Place& found) const noexcept {
        found.counter += counter_offset_;
        if (!__builtin_add_overflow(found.time_ps, offset_ps_, &found.time_ps)) return true;
        found.time_ps = last_.time_ps;
        return false;
    }
    /// The first record since a restart, as carried, goes where it belongs. `counter_went_on`: only its time began
    /// anew.
    [[nodiscard]] Place go_on(const Place& carried, bool counter_went_on = false) noexcept {
        Place place = carried;
        if (any_) {
            place = after_last(carried, counter_went_on);
            counter_offset_ += place.counter - carried.counter;
            offset_ps_ += place.time_ps - carried.time_ps;
        }
        any_ = true;
        begin_ = last_ = place;
        return place;
    }
    /// A record that was what it should be.
    void keep(const Place& place) noexcept {
        if (!any_) begin_ = place;
        any_ = true;
        last_ = place;
    }
    [[nodiscard]] const Place& last() const noexcept { return last_; }

  private:
    static constexpr std::int64_t kLongestAwayNs = std::int64_t{1} << 50;  // 13 days
    static constexpr double kMostBeats = 1e15;
    static constexpr double kHostUncertaintyPs = 1e10;  // of when a trigger came: it is read 10 ms later at most

    [[nodiscard]] Place after_last(const Place& carried, bool counter_went_on) const noexcept {
        const double counted = static_cast<double>(last_.counter - begin_.counter);
        const double beat_ps = counted > 0 ? static_cast<double>(last_.time_ps - begin_.time_ps) / counted : 0;
        const double away_ps =
            1000 * static_cast<double>(std::clamp<std::int64_t>(carried.utc_ns - last_.utc_ns, 0, kLongestAwayNs));
        double beats = beat_ps > 0 ? std::clamp(std::round(away_ps / beat_ps), 1.0, kMostBeats) : 1;
        if (counter_went_on) beats = static_cast<double>(carried.counter - last_.counter);
        const bool on_beat =
            beat_ps > 0 && (counter_went_on || std::abs(beats * beat_ps - away_ps) < kHostUncertaintyPs);
        const double step_ps = std::min(on_beat ? beats * beat_ps : away_ps, 1e3 * kLongestAwayNs);
        Place place{counter_went_on ? carried.counter : last_.counter + static_cast<std::uint64_t>(beats), 0,
                    carried.utc_ns};
        if (__builtin_add_overflow(last_.time_ps, std::llround(step_ps), &place.time_ps)) place.time_ps = last_.time_ps;
        return place;
    }

    Place begin_, last_;  ///< since the last restart
    bool any_ = false;
    std::uint64_t counter_offset_ = 0;
    std::int64_t offset_ps_ = 0;
};

}  // namespace alleycat
