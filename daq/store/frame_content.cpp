#include "daq/store/frame_content.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "daq/core/error.hpp"

namespace alleycat {
namespace {

[[noreturn]] void refuse(const FrameView& frame, std::string_view what) {
    throw Error{fmt::format("run {}, frame {}: {}", frame.header.run, frame.header.ordinal, what)};
}

/// Names become links of an HDF5 file and entries of comma-separated lists.
bool usable(std::string_view name) {
    return !name.empty() && name != "." && name != ".." && name.find_first_of("/,{}") == std::string_view::npos &&
           name.find('\0') == std::string_view::npos;
}

template <class List>
void check_names(const FrameView& frame, const List& list, std::string_view what,
                 std::initializer_list<std::string_view> taken = {}) {
    std::set<std::string_view> seen{taken};
    for (const auto& entry : list) {
        if (!usable(entry.name)) refuse(frame, fmt::format("'{}' cannot be the name of a {}", entry.name, what));
        if (!seen.insert(entry.name).second) refuse(frame, fmt::format("two {}s are called '{}'", what, entry.name));
    }
}

void check_run(const FrameView& frame, const RunDescription& run) {
    check_names(frame, run.boards, "board");
    for (const BoardInfo& board : run.boards) check_names(frame, board.channels, "channel");
    check_names(frame, run.windows, "window");
    check_names(frame, run.features, "feature", {"sequence", "cuts", "accepted"});
    check_names(frame, run.cuts, "cut");
    const std::vector<FeatureInfo> core = core_features();
    if (!run.windows.empty() &&
        (run.features.size() < core.size() ||
         !std::equal(core.begin(), core.end(), run.features.begin(), [](const FeatureInfo& a, const FeatureInfo& b) {
             return a.name == b.name && a.type == b.type;
         }))) {
        refuse(frame, "its features do not begin with those every profile has");
    }
}

void check_readings(const FrameView& frame, const RunDescription& run, std::span<const ReadingSample> readings) {
    for (const ReadingSample& reading : readings) {
        if (reading.board >= run.boards.size())
            refuse(frame, fmt::format("a reading of board {}, the run has {}", reading.board, run.boards.size()));
    }
}

void check_trigger(const FrameView& frame, const RunDescription& run, const TriggerFrame& content) {
    const Event& event = content.event;
    if (event.window_count != run.windows.size() ||
        (event.window_count != 0 && event.feature_count != run.features.size())) {
        refuse(frame, fmt::format("its event has {} windows of {} features, the run {} of {}", event.window_count,
                                  event.feature_count, run.windows.size(), run.features.size()));
    }
    if (event.detector >= std::max<std::size_t>(run.detectors.size(), 1)) {
        refuse(frame, fmt::format("its event is of detector {}, the run has {}", event.detector, run.detectors.size()));
    }
    for (std::size_t w = 0; w < event.window_count; ++w) {
        if (run.cuts.size() < kMaxCuts && event.window[w].cuts >> run.cuts.size() != 0) {
            refuse(frame, fmt::format("its event fails a cut the run does not have ({} cuts)", run.cuts.size()));
        }
    }
    for (const RecordView& record : content.trigger.records()) {
        if (record.header().board >= run.boards.size()) {
            refuse(frame,
                   fmt::format("a record of board {}, the run has {}", record.header().board, run.boards.size()));
        }
    }
}

template <class T>
T expect(const FrameView& frame, std::optional<T> decoded, std::string_view kind) {
    if (!decoded) refuse(frame, fmt::format("its body is not {}", kind));
    return std::move(*decoded);
}

}  // namespace

void read_content(const FrameView& frame, const RunDescription* run, FrameContent& into) {
    into.kind = frame.header.kind;
    into.run = frame.header.run;
    into.ordinal = frame.header.ordinal;
    if (run == nullptr && into.kind != FrameKind::run_start) refuse(frame, "came before the run's description");
    switch (into.kind) {
        case FrameKind::run_start:
            into.description = expect(frame, decode_run_start(frame), "a run's description");
            check_run(frame, *into.description);
            return;
        case FrameKind::trigger:
            if (!decode_trigger(frame, into.trigger)) refuse(frame, "its body is not a trigger");
            check_trigger(frame, *run, into.trigger);
            return;
        case FrameKind::beam_frames: into.beam_frames = expect(frame, decode_beam_frames(frame), "beam frames"); return;
        case FrameKind::beam_states: into.beam_states = expect(frame, decode_beam_states(frame), "beam states"); return;
        case FrameKind::ticks: into.ticks = expect(frame, decode_ticks(frame), "ticks"); return;
        case FrameKind::dead_time:
            into.dead_time = expect(frame, decode_dead_time(frame), "a dead-time interval");
            return;
        case FrameKind::gap: into.gap = expect(frame, decode_gap(frame), "a gap"); return;
        case FrameKind::calibration:
            into.calibration = expect(frame, decode_calibration(frame), "a calibration");
            return;
        case FrameKind::counters: into.counters = expect(frame, decode_counters(frame), "a counter sample"); return;
        case FrameKind::run_end: into.run_end = expect(frame, decode_run_end(frame), "a run's end"); return;
        case FrameKind::note: into.note = expect(frame, decode_note(frame), "an operator's note"); return;
        case FrameKind::readings:
            into.readings = expect(frame, decode_readings(frame), "readings of boards");
            check_readings(frame, *run, into.readings);
            return;
    }
    refuse(frame, fmt::format("kind {} is not known", static_cast<int>(into.kind)));
}

void check_follows(const FrameView& frame, std::optional<std::uint64_t> last) {
    const std::uint64_t run = frame.header.run, ordinal = frame.header.ordinal, expected = last ? *last + 1 : 0;
    if (ordinal == expected) return;
    throw Error{
        last ? fmt::format("run {}: frame {} came after frame {}: frames {} to {} are missing", run, ordinal, *last,
                           expected, ordinal - 1)
             : fmt::format("run {}: frame {} came first: frames 0 to {} are missing", run, ordinal, ordinal - 1)};
}

void check_order(const FrameContent& content, std::uint64_t last_sequence) {
    if (content.kind == FrameKind::run_start) {
        throw Error{fmt::format("run {}, frame {}: describes the run a second time", content.run, content.ordinal)};
    }
    if (content.kind != FrameKind::trigger || last_sequence == kNoSequence) return;
    if (content.trigger.event.sequence <= last_sequence) {
        throw Error{fmt::format("run {}, frame {}: trigger {} came after trigger {}", content.run, content.ordinal,
                                content.trigger.event.sequence, last_sequence)};
    }
}

}  // namespace alleycat
