#include "trigger/cuts.hpp"

#include <algorithm>

namespace alleycat {

std::uint32_t failed_cuts(const std::vector<Cut>& cuts, const WindowEvent& window, std::uint32_t trigger_flags,
                          bool has_arrival) noexcept {
    std::uint32_t failed = 0;
    for (std::size_t i = 0; i < cuts.size(); ++i) {
        const Cut& cut = cuts[i];
        if (cut.needs_arrival && !has_arrival) continue;
        const bool in_range = cut.any_of.empty() || std::any_of(cut.any_of.begin(), cut.any_of.end(),
                                                                [&](const CutRange& r) { return r.holds(window); });
        if (!in_range || (trigger_flags & cut.forbidden_flags) != 0) failed |= 1u << (i + kFixedCuts);
    }
    return failed;
}

}  // namespace alleycat
