#pragma once

#include <nlohmann/json.hpp>

#include "daq/core/frame.hpp"
#include "daq/core/status.hpp"

namespace alleycat {

/// What no file has before a run, for `info --json` and `control status --json`.
[[nodiscard]] inline nlohmann::json to_json(const Gap& gap) {
    return {{"previous_run", gap.previous_run},
            {"last_sequence", gap.last_sequence == kNoSequence ? nlohmann::json{} : nlohmann::json(gap.last_sequence)},
            {"from_utc_ns", gap.from_utc_ns},
            {"to_utc_ns", gap.to_utc_ns},
            {"lost_estimated", gap.lost_estimated},
            {"told_by_writer", gap.told_by_writer}};
}

}  // namespace alleycat
