#pragma once
// The beam is a stream of its own. A tick is not a beam pulse: the state of a tick is known only later.

#include <array>
#include <cstdint>
#include <limits>
#include <string_view>

namespace alleycat {

/// State of one tick. Values as they stand in the file's beam_state column.
enum class BeamState : std::int8_t {
    unknown = -1,  ///< not known, and will not be: counts neither as ON nor as OFF
    off = 0,
    on = 1,
    no_beam_cycle = 2,  ///< cycle 0 of 600: a tick without beam while the beam is on
};
[[nodiscard]] constexpr std::string_view to_text(BeamState state) noexcept {
    switch (state) {
        case BeamState::unknown: return "unknown";
        case BeamState::off: return "off";
        case BeamState::on: return "on";
        case BeamState::no_beam_cycle: return "no-beam cycle";
    }
    return "unknown";
}

/// One frame of beam data as it came (charge, flavor, veto, cycle of one pulse). Facts: SNS RTDL fields.
struct BeamFrame {
    std::int64_t utc_ns = 0;      ///< when the host got it [ns since 1970]
    std::uint64_t tick = 0;       ///< trigger counter of the timing board when it came
    float power_w = -1;           ///< beam power [W]; -1: not reported
    float charge_pc = -1;         ///< proton charge of the pulse [pC]; -1: not reported
    std::uint16_t cycle = 0x3FF;  ///< 0..599; 0x3FF: missing
    std::uint16_t veto = 0;       ///< 12 veto bits
    std::uint8_t flavor = 0;      ///< 0 no beam, 1 and 2 normal target, 3..7 others
    std::array<std::uint8_t, 3> reserved{};

    friend bool operator==(const BeamFrame&, const BeamFrame&) = default;
};

/// One tick of a timing signal that comes apart from the triggers (self-triggered boards), with its beam state: made
/// once that is known, or will not be.
struct TickRecord {
    std::uint64_t tick = 0;    ///< number, counted by the timing signal
    std::int64_t time_ps = 0;  ///< since the run's first tick
    std::int64_t utc_ns = 0;   ///< what the host observed
    std::uint32_t flags = 0;   ///< trigger_flag bits about ticks
    float power_w = -1;        ///< beam power [W]; -1: not known
    BeamState state = BeamState::unknown;
    std::array<std::uint8_t, 7> reserved{};

    friend bool operator==(const TickRecord&, const TickRecord&) = default;
};

/// The late answer to "was there beam?" for one trigger, published after the event itself.
struct BeamResolution {
    std::uint64_t sequence = 0;
    float power_w = -1;  ///< beam power at that tick [W]; -1: not known
    BeamState state = BeamState::unknown;

    friend bool operator==(const BeamResolution&, const BeamResolution&) = default;
};

}  // namespace alleycat
