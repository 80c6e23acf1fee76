#include "daq/store/run_quality.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string_view>

#include "daq/core/time.hpp"

namespace alleycat {
namespace {

constexpr std::array<std::string_view, 5> kFlags{"interrupted", "incomplete", "degraded", "tainted", "good"};

/// Reasons, and the flags that follow from them.
class Judgement {
  public:
    void add(std::string_view flag, std::string reason) {
        std::ranges::replace(reason, '\n', ' ');
        quality_.reasons += fmt::format("{}{}: {}", quality_.reasons.empty() ? "" : "\n", flag, reason);
        present_[static_cast<std::size_t>(std::ranges::find(kFlags, flag) - kFlags.begin())] = true;
    }
    /// Marks in the order they were given: a "good" takes back what was tainted before.
    void add(std::span<const OperatorNote> notes) {
        std::vector<OperatorNote> marks;
        for (const OperatorNote& note : notes) {
            if (note.kind == NoteKind::comment) continue;
            if (note.kind == NoteKind::good) marks.clear();
            std::erase_if(marks, [](const OperatorNote& mark) { return mark.kind == NoteKind::good; });
            marks.push_back(note);
        }
        for (const OperatorNote& mark : marks) {
            add(to_text(mark.kind), fmt::format("{} ({}, {})", mark.text, mark.author,
                                                to_iso8601(UtcTime{std::chrono::nanoseconds{mark.utc_ns}})));
        }
    }
    [[nodiscard]] RunQuality take(bool over) {
        if (over && quality_.reasons.empty()) present_.back() = true;
        for (std::size_t i = 0; i < kFlags.size(); ++i) {
            if (present_[i]) quality_.flags += fmt::format("{}{}", quality_.flags.empty() ? "" : ",", kFlags[i]);
        }
        return std::move(quality_);
    }

  private:
    RunQuality quality_;
    std::array<bool, kFlags.size()> present_{};
};

std::uint64_t value_of(const CounterValues& counters, std::string_view name) {
    const auto at = std::ranges::find(counters, name, [](const auto& counter) { return counter.first; });
    return at == counters.end() ? 0 : at->second;
}

void judge_ledger(const Ledger& ledger, std::uint64_t without_samples, bool over, Judgement& into) {
    if (ledger.lost_estimated > 0) {
        into.add("incomplete",
                 fmt::format("about {} triggers before its first one are lost: the run before it was cut off",
                             ledger.lost_estimated));
    }
    if (over && !ledger.closes()) into.add("incomplete", "its ledger does not close");
    if (without_samples > 0)
        into.add("degraded",
                 fmt::format("{} of {} triggers had no samples to be replayed", without_samples, ledger.triggers));
    if (ledger.refused > without_samples)
        into.add("degraded",
                 fmt::format("{} of {} triggers were refused", ledger.refused - without_samples, ledger.triggers));
    if (ledger.ticks_missed > 0)
        into.add("degraded", fmt::format("{} of {} ticks were missed", ledger.ticks_missed, ledger.ticks_expected));
}

/// Counters of the run that no ledger has.
void judge_counters(const CounterValues& counters, Judgement& into) {
    if (const std::uint64_t n = value_of(counters, "run.given_up_frames"); n > 0)
        into.add("incomplete",
                 fmt::format("{} frames of beam states, ticks, counters or comments did not get to disk", n));
    for (const auto& [board, n] : missing_by_board(counters))
        into.add("degraded", fmt::format("board {} is missing from {} triggers", board, n));
    if (const std::uint64_t n = value_of(counters, "builder.hit_clock_restarts"); n > 0)
        into.add(
            "degraded",
            fmt::format("a board's clock began anew {} times: its hits behind that are placed by the host's clock", n));
    if (const std::uint64_t n = value_of(counters, "calibration.fits_kept"); n > 0)
        into.add("degraded", fmt::format("{} blocks had no good fit of the SPE charge and kept the one before", n));
}

}  // namespace

RunQuality judge(const RunEvidence& evidence, std::span<const OperatorNote> notes) {
    Judgement judgement;
    if (evidence.over && !evidence.end) judgement.add("interrupted", "the run's end never came");
    for (const std::string& sentence : evidence.missing) judgement.add("incomplete", sentence);
    judge_ledger(evidence.ledger, not_kept(evidence.counters), evidence.end.has_value(), judgement);
    if (evidence.end && !evidence.end->clean)
        judgement.add("degraded", fmt::format("it ended by an error: {}", evidence.end->reason));
    judge_counters(evidence.counters, judgement);
    for (const std::string& sentence : evidence.shortcomings) judgement.add("degraded", sentence);
    judgement.add(notes);
    return judgement.take(evidence.over);
}

RunQuality judge_anew(const RunQuality& known, std::span<const OperatorNote> notes) {
    Judgement judgement;
    std::string_view lines{known.reasons};
    while (!lines.empty()) {
        const std::string_view line = lines.substr(0, lines.find('\n'));
        lines.remove_prefix(std::min(lines.size(), line.size() + 1));
        const std::size_t colon = line.find(": ");
        const std::string_view flag = line.substr(0, colon);
        const bool of_the_run = std::ranges::find(kFlags, flag) < kFlags.begin() + 3;
        if (colon != std::string_view::npos && of_the_run) judgement.add(flag, std::string{line.substr(colon + 2)});
    }
    judgement.add(notes);
    return judgement.take(!known.flags.empty());
}

}  // namespace alleycat
