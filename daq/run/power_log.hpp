#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>

#include "daq/core/time.hpp"

namespace alleycat {

/// The 1 Hz history of the accelerator's beam power, as text: "epoch_second power_W" per line, '#' starts a comment.
///
/// A stamp covers the second before it: the accelerator's operators think that time stamp 10 covers the second (9, 10],
/// so the power of a trigger is that of its time rounded up. Gaps are filled as in the published analysis: both
/// neighbours 0 W gives 0, a gap of at most 5 s between two positive values their mean, anything else is unknown.
class PowerLog {
  public:
    /// Throws Error naming file and line. Lines are in any order; the same second twice must agree.
    [[nodiscard]] static PowerLog load(const std::filesystem::path& path);

    /// [W]; -1: unknown (recorded as such, in a gap, or outside the log).
    [[nodiscard]] float power_w(UtcTime time) const noexcept;
    [[nodiscard]] std::size_t seconds() const noexcept { return power_.size(); }

  private:
    std::map<std::int64_t, float> power_;  // by epoch second
};

}  // namespace alleycat
