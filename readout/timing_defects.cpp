#include "readout/timing_defects.hpp"

#include <algorithm>
#include <array>
#include <cmath>

#include "readout/simulator_random.hpp"

namespace alleycat {
namespace {

enum Purpose : std::uint64_t { kTickDefect = 200, kFrameDefect };  // the others' are below

/// A board's clock does not go below its zero, and the first tick is where time begins.
constexpr std::int64_t kFirstWithDefect = 10;

/// Which of the shares a number in (0, 1) falls into; the number of shares: none.
template <std::size_t n>
std::size_t pick(double uniform, const std::array<double, n>& shares) noexcept {
    std::size_t i = 0;
    for (; i < n && uniform >= shares[i]; ++i) uniform -= shares[i];
    return i;
}

/// To either side, far enough to be seen and not so far that it is nearer to the next tick.
double other_phase(RandomStream& random) noexcept {
    const double off = random.uniform(0.05, 0.45);
    return random.uniform() < 0.5 ? -off : off;
}

}  // namespace

TimingDefectsConfig parse_timing_defects(ConfigSection& s) {
    TimingDefectsConfig c;
    c.duplicate_tick_share = s.number("duplicate_tick_share", 0, 0, 0.2);
    c.backwards_tick_share = s.number("backwards_tick_share", 0, 0, 0.2);
    c.out_of_phase_tick_share = s.number("out_of_phase_tick_share", 0, 0, 0.2);
    c.phase_jump_share = s.number("phase_jump_share", 0, 0, 0.2);
    c.lost_frame_share = s.number("lost_frame_share", 0, 0, 0.3);
    c.duplicate_frame_share = s.number("duplicate_frame_share", 0, 0, 0.3);
    c.late_frame_share = s.number("late_frame_share", 0, 0, 0.3);
    c.late_frame_s = s.number("late_frame_s", c.late_frame_s, 0.001, 600);
    return c;
}

TimingDefects::OfTick TimingDefects::of_tick(std::int64_t tick) const noexcept {
    if (tick < kFirstWithDefect) return {};
    RandomStream random{seed_, tick, kTickDefect};
    const std::array shares{config_.duplicate_tick_share, config_.backwards_tick_share, config_.out_of_phase_tick_share,
                            config_.phase_jump_share};
    double off = 0;  // in periods
    TickDefect defect = TickDefect::none;
    switch (pick(random.uniform(), shares)) {
        case 0:
            defect = TickDefect::duplicate;
            off = random.uniform(0, 0.006);  // within 0.1 ms
            break;
        case 1:
            defect = TickDefect::backwards;
            off = -random.uniform(1.2, 5);
            break;
        case 2:
            defect = TickDefect::out_of_phase;
            off = other_phase(random);
            break;
        case 3:
            defect = TickDefect::phase_jump;
            off = other_phase(random);
            break;
        default: break;
    }
    return {defect, std::llround(off * period_ps_)};
}

FrameDefect TimingDefects::of_frame(std::int64_t tick) const noexcept {
    RandomStream random{seed_, tick, kFrameDefect};
    const std::array shares{config_.lost_frame_share, config_.duplicate_frame_share, config_.late_frame_share};
    switch (pick(random.uniform(), shares)) {
        case 0: return FrameDefect::lost;
        case 1: return FrameDefect::duplicate;
        case 2: return FrameDefect::late;
        default: return FrameDefect::none;
    }
}

std::int64_t TimingDefects::late_ticks() const noexcept {
    return std::max<std::int64_t>(1, std::llround(config_.late_frame_s * 1e12 / period_ps_));
}

}  // namespace alleycat
