#pragma once
// What a part amounts to: counts, exposure, cut flow, what lies in the analysis box. Made while the part is written,
// stands under /summary when it is closed, and made again from the columns by verify.

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "daq/core/beam.hpp"
#include "daq/core/event.hpp"
#include "daq/core/run_description.hpp"
#include "daq/core/status.hpp"
#include "daq/store/run_quality.hpp"

namespace alleycat {

/// Index of a beam state in the arrays below: off, on, no-beam cycle, unknown.
inline constexpr std::size_t kBeamStates = 4;
inline constexpr std::array<std::string_view, kBeamStates> kBeamStateNames{"off", "on", "no_beam_cycle", "unknown"};
[[nodiscard]] constexpr std::size_t index_of(BeamState state) noexcept {
    return state == BeamState::unknown ? 3 : static_cast<std::size_t>(state);
}
inline constexpr std::size_t kTriggerClasses = kTriggerClassNames.size();

struct WindowSummary {
    std::string name;
    std::uint64_t rows = 0;
    std::uint64_t accepted = 0;
    std::vector<std::uint64_t> rejected;  ///< per cut: rows of which it is the first to fail
    /// Accepted and inside the analysis box, [trigger class][beam state].
    std::array<std::array<std::uint64_t, kBeamStates>, kTriggerClasses> in_box{};

    friend bool operator==(const WindowSummary&, const WindowSummary&) = default;
};

struct PartSummary {
    std::uint64_t triggers = 0;                  ///< rows of /triggers
    std::uint64_t first_sequence = kNoSequence;  ///< refused ones included; kNoSequence: there is none
    std::uint64_t last_sequence = kNoSequence;
    std::array<std::uint64_t, kTriggerClasses> by_class{};
    std::array<std::uint64_t, kRefusalReasonNames.size()> refused{};  ///< by RefusalReason
    std::uint64_t lost_in_stream = 0;                                 ///< on the way from the daemon, by /gaps
    std::int64_t dead_time_ps = 0;                                    ///< sum of the intervals
    std::int64_t first_time_ps = 0, last_time_ps = 0;                 ///< of the triggers recorded
    std::int64_t first_utc_ns = 0, last_utc_ns = 0;
    std::array<std::uint64_t, kBeamStates> ticks{};  ///< recorded triggers of class beam_tick, by beam state
    double beam_energy_gwh = 0;                      ///< sum of power / tick rate over the ticks with beam on
    std::vector<WindowSummary> windows;              ///< in the order of RunDescription::windows

    // Of the run, known when the part was closed.
    bool run_ended = false;       ///< the last part of its run
    bool clean = false;           ///< the run ended without an error
    std::string end_reason;       ///< why the part was closed: the run's reason, "part full", "interrupted: ..."
    Ledger ledger;                ///< as the run last reported it in this part; all zero: it did not
    std::int64_t end_utc_ns = 0;  ///< when it ended; 0: not in this part
    RunQuality quality;           ///< of the run, as far as it was known

    explicit PartSummary(const RunDescription& run = {});
    /// Counts one recorded trigger. Returns a bit per window that is accepted and inside the box.
    std::uint8_t add_event(const Event& event, const RunDescription& run);
    /// Counts what only the beam state decides, once per trigger. `box` is what add_event returned.
    void add_beam_state(TriggerClass trigger_class, std::uint8_t box, BeamState state, float power_w,
                        double tick_rate_hz);
    /// Counts a tick that comes apart from the triggers.
    void add_tick(BeamState state, float power_w, double tick_rate_hz);
    void add_dead_time(const DeadTime& interval);
    [[nodiscard]] std::uint64_t refused_total() const noexcept;
    /// The run reported its ledger in this part.
    [[nodiscard]] bool has_ledger() const noexcept { return run_ended || ledger != Ledger{}; }

    friend bool operator==(const PartSummary&, const PartSummary&) = default;
};

/// Counts of the excess: what lies in the box in ticks with beam, in coincident (on) and in anticoincident windows
/// (off). Without an anticoincident window the background is the coincident window of strobe triggers.
[[nodiscard]] std::uint64_t n_on(const PartSummary& summary, const RunDescription& run) noexcept;
[[nodiscard]] std::uint64_t n_off(const PartSummary& summary, const RunDescription& run) noexcept;

}  // namespace alleycat
