#pragma once

#include <cstdint>
#include <optional>

#include "daq/core/config.hpp"
#include "daq/core/station.hpp"
#include "trigger/peaks.hpp"
#include "trigger/trigger_config.hpp"

namespace alleycat {

/// Where the tick of a trigger comes from.
enum class TickSource : std::uint8_t {
    trigger,  ///< the trigger is the tick: the record's time stamp, at trigger.tick_position_ns of the trace
    channel,  ///< an edge in a digitized channel of the same trace
    stamps,   ///< ticks of their own, time-stamped by a source (boards that trigger themselves)
};

/// What a tick of this line says about the beam.
enum class TickMeaning : std::uint8_t {
    always_60Hz,   ///< nothing: it comes every cycle
    beam_present,  ///< there was beam: it comes only then
};

/// The tick as an edge in a channel, in samples of the signal's board.
struct TickChannel {
    ChannelRef channel;
    PeakFinding pulse{.threshold_adc = 1, .min_samples = 3, .margin_samples = 0, .close_at_trace_end = true};
    std::int64_t dead_samples = 500;      ///< edges closer to the first than this are the same pulse ringing
    std::int64_t baseline_samples = 500;  ///< where the channel lies between ticks
    std::int64_t stamp_sample = 0;        ///< where the record's time stamp stands
    friend bool operator==(const TickChannel&, const TickChannel&) = default;
};

/// The ticks of boards that trigger themselves: they come apart from the hits, through one board's source.
struct HitTicks {
    std::uint16_t board = 0;
    ChannelRef channel;                            ///< of TickSource::channel: its hits are the ticks
    std::int64_t max_wait_ps = 1'000'000'000'000;  ///< live, a hit waits for its tick for so much data time

    friend bool operator==(const HitTicks&, const HitTicks&) = default;
};

/// [tick] of a station file: the timing line.
struct TickSignal {
    TickSource source = TickSource::trigger;
    TickMeaning meaning = TickMeaning::always_60Hz;
    std::int64_t phase_tolerance_ps = 20'000'000;  ///< how far a tick may be from where the mains let expect it
    std::optional<TickChannel> channel;            ///< of TickSource::channel, boards triggered from outside
    std::optional<HitTicks> of_hits;               ///< boards that trigger themselves
};

/// Reads [tick]; `trigger` says where the signal and the time stamp are.
[[nodiscard]] TickSignal parse_tick(ConfigSection& root, const Station& station, const TriggerConfig& trigger);

}  // namespace alleycat
