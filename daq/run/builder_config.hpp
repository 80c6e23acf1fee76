#pragma once

#include <cstdint>
#include <optional>

#include "daq/core/trigger.hpp"
#include "daq/run/board_input.hpp"
#include "daq/run/tick_tracker.hpp"
#include "trigger/tick_edge.hpp"

namespace alleycat {

/// How records become triggers.
struct BuilderConfig {
    double tick_rate_hz = 60;  ///< nominal; 0: no timing signal, nothing can be missed
    std::int64_t phase_tolerance_ps = TickConfig{}.phase_tolerance_ps;
    std::int64_t time_resolution_ps = 0;        ///< of the boards' clocks
    bool gaps_are_missing = true;               ///< a tick comes every period; false: only when there is beam
    std::optional<TickChannel> tick_channel{};  ///< where the tick of a trigger is an edge in its trace
    bool triggers_are_ticks = true;    ///< a trigger's time stamp is its tick, or its tick is an edge in its trace
    bool counter_is_hardware = true;   ///< the reference board counts triggers it could not record
    std::int64_t skew_ps = 1'000'000;  ///< records within this belong to one trigger
    std::int64_t missing_after_ps =
        2'000'000'000'000;             ///< a silent board is missing once the others' data time is so far on
    WhenFull mode = WhenFull::refuse;  ///< replay (wait) never calls a slow file a missing board
    /// Boards run beside the host's clock: it tells to within half a tick how their clocks stand to each other, at the
    /// start and when one begins anew. false (files, a simulator without pacing): they all begin with the same trigger.
    bool clocks_by_host = false;
    std::uint32_t records_to_place = 16;  ///< of a board, before the host's clock is asked: the least delay counts

    // Of stations of self-triggered boards.
    bool recorded = false;                              ///< an Alleycat run: numbers and times are authoritative
    std::uint16_t tick_board = 0;                       ///< whose source delivers the ticks
    std::int64_t max_tick_wait_ps = 1'000'000'000'000;  ///< live, a hit waits for its tick for so much data time
};

/// How ticks are judged.
[[nodiscard]] inline TickConfig tick_config(const BuilderConfig& config) {
    return {.rate_hz = config.tick_rate_hz,
            .phase_tolerance_ps = config.phase_tolerance_ps,
            .time_resolution_ps = config.time_resolution_ps,
            .gaps_are_missing = config.gaps_are_missing};
}

}  // namespace alleycat
