#pragma once
// Frames: what the daemon hands to the writer, and what the journal holds. One format for both, so that what was
// checked on the way is what stands on the disk.
//
//   offset size
//        0    4  magic "ALYF"
//        4    2  kind (FrameKind)
//        6    2  version of the body (kFrameVersion)
//        8    4  body bytes
//       12    4  CRC-32 (the one of gzip) over the frame with this field zero
//       16    8  run
//       24    8  ordinal: number of the frame within the run, from 0, without gaps
//       32       body, then zeros up to a multiple of 8
//
// A trigger's body: event, then per record its header and payload (records in place, 8-byte aligned).

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "daq/core/beam.hpp"
#include "daq/core/board_reading.hpp"
#include "daq/core/event.hpp"
#include "daq/core/event_sink.hpp"
#include "daq/core/operator_note.hpp"
#include "daq/core/run_description.hpp"
#include "daq/core/status.hpp"
#include "daq/core/trigger.hpp"

namespace alleycat {

enum class FrameKind : std::uint16_t {
    run_start = 0,    ///< RunDescription
    trigger = 1,      ///< Event and its records
    beam_frames = 2,  ///< BeamFrame list
    beam_states = 3,  ///< BeamResolution list
    dead_time = 4,    ///< DeadTime
    calibration = 5,  ///< Calibration
    counters = 6,     ///< CounterSample
    run_end = 7,      ///< RunEnd
    ticks = 8,        ///< TickRecord list
    gap = 9,          ///< Gap before this run
    note = 10,        ///< OperatorNote
    readings = 11,    ///< ReadingSample list; read_frame() refuses kinds beyond
};
inline constexpr std::uint32_t kFrameMagic = 0x46594C41;  // "ALYF"
/// Older ones are read as well: 1 knew no ticks apart from triggers, 2 no notes, test runs and origin of the software,
/// 3 no firmware of boards, 4 no readings of theirs.
inline constexpr std::uint16_t kFrameVersion = 5;
inline constexpr std::size_t kMaxBodyBytes = std::size_t{1} << 30;  ///< a longer one is damage, not data

struct FrameHeader {
    std::uint32_t magic = kFrameMagic;
    FrameKind kind = FrameKind::run_start;
    std::uint16_t version = kFrameVersion;
    std::uint32_t body_bytes = 0;
    std::uint32_t crc = 0;
    std::uint64_t run = 0;
    std::uint64_t ordinal = 0;
};
static_assert(sizeof(FrameHeader) == 32);

/// Counters and ledger at one moment.
struct CounterSample {
    std::int64_t utc_ns = 0;
    std::uint64_t sequence = 0;  ///< of the next trigger
    Ledger ledger;
    CounterValues counters;

    friend bool operator==(const CounterSample&, const CounterSample&) = default;
};

struct RunEnd {
    std::int64_t utc_ns = 0;
    bool clean = true;   ///< false: the run ended by an error
    std::string reason;  ///< "stopped", "end of input", or the error's sentence
    Ledger ledger;

    friend bool operator==(const RunEnd&, const RunEnd&) = default;
};

/// Whole size of a frame with this body.
[[nodiscard]] constexpr std::size_t frame_bytes(std::size_t body_bytes) noexcept {
    return sizeof(FrameHeader) + (body_bytes + 7) / 8 * 8;
}

// ---- writing. Only the trigger's is on the hot path: it allocates nothing, fills `space` (32-byte header space
// included) and returns the frame's bytes; 0: it did not fit. The others throw Error for a body above kMaxBodyBytes.

/// Upper bound of the bytes that encode_trigger() will need.
[[nodiscard]] std::size_t trigger_frame_bytes(const Trigger& trigger, const Event& event) noexcept;
[[nodiscard]] std::size_t encode_trigger(std::span<std::byte> space, std::uint64_t run, std::uint64_t ordinal,
                                         const Trigger& trigger, const Event& event) noexcept;

/// In place and without allocation, for the pipeline; beam_states_frame_bytes(n) bytes suffice for n states,
/// ticks_frame_bytes(n) for n ticks.
[[nodiscard]] constexpr std::size_t beam_states_frame_bytes(std::size_t n) noexcept { return frame_bytes(8 + 16 * n); }
[[nodiscard]] std::size_t encode_beam_states(std::span<std::byte> space, std::uint64_t run, std::uint64_t ordinal,
                                             std::span<const BeamResolution> states) noexcept;

[[nodiscard]] constexpr std::size_t ticks_frame_bytes(std::size_t n) noexcept {
    return frame_bytes(4 + sizeof(TickRecord) * n);
}
[[nodiscard]] std::size_t encode_ticks(std::span<std::byte> space, std::uint64_t run, std::uint64_t ordinal,
                                       std::span<const TickRecord> ticks) noexcept;

[[nodiscard]] std::vector<std::byte> encode_run_start(const RunDescription& run, std::uint64_t ordinal);
[[nodiscard]] std::vector<std::byte> encode_beam_frames(std::uint64_t run, std::uint64_t ordinal,
                                                        std::span<const BeamFrame> frames);
[[nodiscard]] std::vector<std::byte> encode_beam_states(std::uint64_t run, std::uint64_t ordinal,
                                                        std::span<const BeamResolution> states);
[[nodiscard]] std::vector<std::byte> encode_ticks(std::uint64_t run, std::uint64_t ordinal,
                                                  std::span<const TickRecord> ticks);
[[nodiscard]] std::vector<std::byte> encode_dead_time(std::uint64_t run, std::uint64_t ordinal, const DeadTime& d);
[[nodiscard]] std::vector<std::byte> encode_gap(std::uint64_t run, std::uint64_t ordinal, const Gap& gap);
[[nodiscard]] std::vector<std::byte> encode_calibration(std::uint64_t run, std::uint64_t ordinal, const Calibration& c);
[[nodiscard]] std::vector<std::byte> encode_counters(std::uint64_t run, std::uint64_t ordinal, const CounterSample& c);
[[nodiscard]] std::vector<std::byte> encode_run_end(std::uint64_t run, std::uint64_t ordinal, const RunEnd& end);
[[nodiscard]] std::vector<std::byte> encode_note(std::uint64_t run, std::uint64_t ordinal, const OperatorNote& note);
[[nodiscard]] std::vector<std::byte> encode_readings(std::uint64_t run, std::uint64_t ordinal,
                                                     std::span<const ReadingSample> readings);

// ---- reading

/// A frame where it stands. Views point into the bytes it was read from.
struct FrameView {
    FrameHeader header;
    std::span<const std::byte> body;
    std::span<const std::byte> bytes;  ///< whole frame, header and padding included
};

enum class FrameError : std::uint8_t { none = 0, cut_short, bad_magic, bad_version, bad_kind, bad_length, bad_crc };
[[nodiscard]] std::string_view to_text(FrameError error) noexcept;

/// The frame at the start of `bytes`. On an error `frame` is unchanged. `bytes` must be 8-byte aligned in memory.
[[nodiscard]] FrameError read_frame(std::span<const std::byte> bytes, FrameView& frame) noexcept;

/// A trigger frame's content; the records' views point into the frame.
struct TriggerFrame {
    Event event;
    Trigger trigger;
};
// Each returns nullopt (false) for a frame of another kind, and when the body does not hold what its kind says: a
// damaged or hostile frame. What was decoded can be used: enumerations have values, ChannelRefs point at a channel,
// counts are within their limits, and what becomes a folder, a group or a column is a usable_name().
[[nodiscard]] bool decode_trigger(const FrameView& frame, TriggerFrame& into) noexcept;
[[nodiscard]] std::optional<RunDescription> decode_run_start(const FrameView& frame);
[[nodiscard]] std::optional<std::vector<BeamFrame>> decode_beam_frames(const FrameView& frame);
[[nodiscard]] std::optional<std::vector<BeamResolution>> decode_beam_states(const FrameView& frame);
[[nodiscard]] std::optional<std::vector<TickRecord>> decode_ticks(const FrameView& frame);
[[nodiscard]] std::optional<DeadTime> decode_dead_time(const FrameView& frame);
[[nodiscard]] std::optional<Gap> decode_gap(const FrameView& frame);
[[nodiscard]] std::optional<Calibration> decode_calibration(const FrameView& frame);
[[nodiscard]] std::optional<CounterSample> decode_counters(const FrameView& frame);
[[nodiscard]] std::optional<RunEnd> decode_run_end(const FrameView& frame);
[[nodiscard]] std::optional<OperatorNote> decode_note(const FrameView& frame);
[[nodiscard]] std::optional<std::vector<ReadingSample>> decode_readings(const FrameView& frame);

/// CRC-32 as gzip computes it.
[[nodiscard]] std::uint32_t crc32(std::span<const std::byte> bytes, std::uint32_t seed = 0) noexcept;

}  // namespace alleycat
