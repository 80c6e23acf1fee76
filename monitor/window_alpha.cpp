#include "monitor/window_alpha.hpp"

#include <algorithm>
#include <cmath>

namespace alleycat {
namespace {

/// Time of arrivals between `from` and `to` that the windows of one role cover [ns]; without a sample period, their
/// number.
double covered(const RunDescription& run, WindowRole role, double from_ns, double to_ns) {
    const bool known =
        run.signal.present && run.signal.board < run.boards.size() && run.boards[run.signal.board].sample_period_ps > 0;
    double sum = 0;
    for (const WindowInfo& window : run.windows) {
        if (window.role != role) continue;
        if (!known) {
            sum += 1;
            continue;
        }
        // An arrival is accepted only if its integration ends within the window; of a hit, within its own trace.
        const double integration = triggers_are_hits(run) ? 0 : static_cast<double>(window.integration);
        const double length_ns =
            (static_cast<double>(window.roi_end) - static_cast<double>(window.roi_start) - integration) *
            static_cast<double>(run.boards[run.signal.board].sample_period_ps) * 1e-3;
        sum += std::max(0.0, std::min(std::max(0.0, length_ns), to_ns) - std::max(0.0, from_ns));
    }
    return sum;
}

}  // namespace

Background background_of(const RunDescription* run, std::uint64_t strobes) noexcept {
    if (run == nullptr) return Background::anticoincident;
    const bool has_ac = std::any_of(run->windows.begin(), run->windows.end(),
                                    [](const WindowInfo& w) { return w.role == WindowRole::anticoincident; });
    if (has_ac) return Background::anticoincident;
    return strobes > 0 ? Background::strobe : Background::none;
}

double window_alpha(const RunDescription* run, double from_ns, double to_ns) {
    if (run == nullptr) return 1;
    const double c = covered(*run, WindowRole::coincident, from_ns, to_ns);
    const double ac = covered(*run, WindowRole::anticoincident, from_ns, to_ns);
    return c > 0 && ac > 0 && std::isfinite(c / ac) ? c / ac : 1;
}

}  // namespace alleycat
