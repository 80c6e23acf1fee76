#pragma once
// What may go wrong with ticks and beam frames on their way: a pure function of (seed, tick), for the simulator.

#include <cstdint>

#include "daq/core/config.hpp"

namespace alleycat {

/// Shares of ticks, and of frames. One tick or frame has at most one defect.
struct TimingDefectsConfig {
    double duplicate_tick_share = 0;     ///< the pulse is recorded twice
    double backwards_tick_share = 0;     ///< stamped before the tick before it
    double out_of_phase_tick_share = 0;  ///< stamped at another phase
    double phase_jump_share = 0;         ///< this and all later ticks are stamped at another phase
    double lost_frame_share = 0;
    double duplicate_frame_share = 0;
    double late_frame_share = 0;
    double late_frame_s = 20;  ///< how late
};

/// Reads its keys from [simulator].
[[nodiscard]] TimingDefectsConfig parse_timing_defects(ConfigSection& section);

enum class TickDefect : std::uint8_t { none, duplicate, backwards, out_of_phase, phase_jump };
enum class FrameDefect : std::uint8_t { none, lost, duplicate, late };

class TimingDefects {
  public:
    TimingDefects(const TimingDefectsConfig& config, std::uint64_t seed, double tick_period_ns)
        : config_{config}, seed_{seed}, period_ps_{tick_period_ns * 1e3} {}

    struct OfTick {
        TickDefect defect = TickDefect::none;
        std::int64_t off_ps = 0;  ///< how far its stamp is off; of a duplicate: the second one's
    };
    [[nodiscard]] OfTick of_tick(std::int64_t tick) const noexcept;
    [[nodiscard]] FrameDefect of_frame(std::int64_t tick) const noexcept;
    /// By how many ticks a late frame is late.
    [[nodiscard]] std::int64_t late_ticks() const noexcept;

  private:
    TimingDefectsConfig config_;
    std::uint64_t seed_;
    double period_ps_;
};

}  // namespace alleycat
