#pragma once
// A frame's content, checked against its run before anything is written: what stands in a journal can be replayed.

#include <optional>
#include <string>
#include <vector>

#include "daq/core/frame.hpp"

namespace alleycat {

/// The content of one frame; only the member of its kind is filled. A trigger's records point into the frame.
struct FrameContent {
    FrameKind kind = FrameKind::run_start;
    std::uint64_t run = 0, ordinal = 0;
    std::optional<RunDescription> description;
    TriggerFrame trigger;
    std::vector<BeamFrame> beam_frames;
    std::vector<BeamResolution> beam_states;
    std::vector<TickRecord> ticks;
    DeadTime dead_time;
    Gap gap;
    Calibration calibration;
    CounterSample counters;
    RunEnd run_end;
    OperatorNote note;
    std::vector<ReadingSample> readings;
};

/// Decodes `frame`; `run` is its run's description (nullptr: only a run_start is expected). Throws Error
/// "run 5, frame 17: what does not hold".
void read_content(const FrameView& frame, const RunDescription* run, FrameContent& into);

/// Throws Error "run 5: frame 17 came after frame 12: frames 13 to 16 are missing" unless `frame` is the one after
/// `last` (nullopt: the run's first).
void check_follows(const FrameView& frame, std::optional<std::uint64_t> last);
/// Throws Error when a trigger does not come after trigger `last_sequence` (kNoSequence: it is the first), or a second
/// run_start comes.
void check_order(const FrameContent& content, std::uint64_t last_sequence);

}  // namespace alleycat
