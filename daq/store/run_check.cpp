#include "daq/store/run_check.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace alleycat {

std::optional<std::filesystem::path> RunCheck::add(const AlleycatFile& file, PartAccount account) {
    const auto there = parts_.find(file.part());
    if (there != parts_.end()) return there->second.path;
    Part& part = parts_[file.part()];
    part.path = file.path();
    part.summary = file.summary();
    part.run = file.run();
    part.last_utc_ns = part.summary ? part.summary->last_utc_ns : 0;
    part.account = std::move(account);
    return std::nullopt;
}

void RunCheck::add_unreadable(std::uint32_t part) { unreadable_[part] = true; }

void RunCheck::add_moved(std::uint32_t part, std::optional<SequenceRange> range) { moved_[part] = range; }

std::uint64_t RunCheck::last_sequence() const noexcept {
    std::uint64_t last = kNoSequence;
    for (const auto& [number, part] : parts_) {
        for (const SequenceRange& r : part.account.ranges) last = last == kNoSequence ? r.last : std::max(last, r.last);
    }
    return last;
}

std::optional<RunCheck::Ends> RunCheck::ends() const {
    if (!readable()) return std::nullopt;
    const Part &first = parts_.begin()->second, &last = parts_.rbegin()->second;
    if (!last.summary) return std::nullopt;
    return Ends{first.run.start_utc_ns, last.last_utc_ns, first.run.tick_rate_hz, last.summary->run_ended,
                last.summary->ledger.lost_estimated};
}

void RunCheck::check(std::uint64_t number, bool whole_folder, std::vector<std::string>& problems) {
    if (parts_.empty()) return;
    if (whole_folder) check_parts_there(number, problems);
    if (whole_folder && unreadable_.empty()) check_sequences(number, problems);
    check_dead_time(number, problems);
    check_ledgers(number, problems);
}

void RunCheck::check_parts_there(std::uint64_t number, std::vector<std::string>& problems) const {
    const std::uint32_t last = std::max({parts_.rbegin()->first, unreadable_.empty() ? 0 : unreadable_.rbegin()->first,
                                         moved_.empty() ? 0 : moved_.rbegin()->first});
    Sentences absent{problems};
    for (std::uint32_t part = 1; part < last; ++part) {
        if (!has(part)) absent.add(fmt::format("run {}: part {} is not in the folder", number, part));
    }
    const Part& newest = parts_.rbegin()->second;
    if (parts_.rbegin()->first == last && newest.summary && !newest.summary->run_ended && newest.summary->clean) {
        absent.add(
            fmt::format("run {}: part {} is not in the folder: part {} was closed because it was full, not at the "
                        "run's end",
                        number, last + 1, last));
    }
}

void RunCheck::check_sequences(std::uint64_t number, std::vector<std::string>& problems) const {
    std::vector<SequenceRange> all;
    for (const auto& [part, one] : parts_) {
        all.insert(all.end(), one.account.ranges.begin(), one.account.ranges.end());
    }
    for (const auto& [part, range] : moved_) {
        if (range) all.push_back(*range);
    }
    std::vector<std::string> gaps;
    check_coverage(all, gaps);
    for (const std::string& gap : gaps) problems.push_back(fmt::format("run {}: {}", number, gap));
    if (parts_.contains(1) && !all.empty() && all.front().first != 0) {
        problems.push_back(
            fmt::format("run {}: {} missing at its beginning", number, text_of(0, all.front().first - 1)));
    }
}

/// Intervals end a nominal tick behind their last trigger, and the next one may come a little earlier than that.
void RunCheck::check_dead_time(std::uint64_t number, std::vector<std::string>& problems) const {
    std::vector<DeadTime> all;
    for (const auto& [part, one] : parts_) {
        all.insert(all.end(), one.account.dead_time.begin(), one.account.dead_time.end());
    }
    std::sort(all.begin(), all.end(),
              [](const DeadTime& a, const DeadTime& b) { return a.first_sequence < b.first_sequence; });
    const double rate_hz = parts_.begin()->second.run.tick_rate_hz;
    const std::int64_t tick_ps = rate_hz > 0 ? std::llround(1e12 / rate_hz) : 0;
    Sentences overlaps{problems};
    for (std::size_t i = 1; i < all.size(); ++i) {
        const DeadTime &a = all[i - 1], &b = all[i];
        if (b.begin_ps < a.end_ps - std::min(tick_ps, a.end_ps - a.begin_ps))
            overlaps.add(fmt::format("run {}: the dead times of {} and of {} overlap: until {} ps and from {} ps on",
                                     number, text_of(a.first_sequence, a.last_sequence),
                                     text_of(b.first_sequence, b.last_sequence), a.end_ps, b.begin_ps));
    }
}

bool RunCheck::begins_at_the_beginning() const {
    if (!parts_.contains(1)) return false;
    const auto& ranges = parts_.at(1).account.ranges;
    return ranges.empty() || ranges.front().first == 0;
}

/// The ledger of every part, as far as the parts from the first on are there. It speaks of the triggers up to the
/// moment it was reported, which is a little before the part's last one.
void RunCheck::check_ledgers(std::uint64_t number, std::vector<std::string>& problems) const {
    std::uint64_t recorded_before = 0, lost_estimated = 0, lost_in_gaps = 0;
    std::uint32_t expected = 1, lost_said_by = 0;
    bool from_the_beginning = begins_at_the_beginning();
    for (const auto& [part, one] : parts_) {
        from_the_beginning = from_the_beginning && part == expected && !unreadable_.contains(part);
        expected = part + 1;
        std::uint64_t rows = 0;
        for (const SequenceRange& r : one.account.ranges) rows += r.fate == Fate::recorded ? r.size() : 0;
        for (const Gap& gap : one.account.gaps.value_or(std::vector<Gap>{})) lost_in_gaps += gap.lost_estimated;
        if (one.summary && one.summary->has_ledger()) {
            const Ledger& ledger = one.summary->ledger;
            const std::string whose = one.summary->run_ended ? fmt::format("run {}: its ledger", number)
                                                             : fmt::format("run {}, part {}: its ledger", number, part);
            if (!ledger.closes())
                problems.push_back(fmt::format(
                    "{} does not close: {} triggers, {} recorded, {} refused; {} ticks expected, {} seen, {} missed",
                    whose, ledger.triggers, ledger.recorded, ledger.refused, ledger.ticks_expected, ledger.ticks_seen,
                    ledger.ticks_missed));
            if (lost_said_by != 0 && ledger.lost_estimated != lost_estimated)
                problems.push_back(fmt::format("{} says {} triggers were lost before the run, that of part {} says {}",
                                               whose, ledger.lost_estimated, lost_said_by, lost_estimated));
            lost_estimated = ledger.lost_estimated;
            lost_said_by = part;
            if (from_the_beginning && one.summary->run_ended && one.account.gaps &&
                ledger.lost_estimated != lost_in_gaps)
                problems.push_back(fmt::format("{} says {} triggers were lost before the run, /gaps says {}", whose,
                                               ledger.lost_estimated, lost_in_gaps));
            if (from_the_beginning) {
                std::uint64_t recorded = recorded_before;
                for (const SequenceRange& r : one.account.ranges) {
                    if (r.fate != Fate::recorded || (r.first >= ledger.triggers && !one.summary->run_ended)) continue;
                    const std::uint64_t end =
                        one.summary->run_ended ? r.last + 1 : std::min(r.last + 1, ledger.triggers);
                    recorded += end - r.first;
                }
                check_ledger(whose, ledger, one, recorded, problems);
            }
        }
        recorded_before += rows;
    }
}

void RunCheck::check_ledger(const std::string& whose, const Ledger& ledger, const Part& last, std::uint64_t recorded,
                            std::vector<std::string>& problems) const {
    const bool ended = last.summary->run_ended;
    const std::uint64_t lost = count_before(Fate::lost, ended ? kNoSequence : ledger.triggers);
    const bool recorded_fits = ledger.recorded >= recorded && ledger.recorded - recorded <= lost;
    if (!recorded_fits)
        problems.push_back(
            fmt::format("{} says {} triggers were recorded, the files hold {}{}", whose, ledger.recorded, recorded,
                        lost == 0 ? std::string{} : fmt::format(", and {} are lost on the way to them", lost)));
    // An interval that was open when the part was closed stands in the next one; a run that was cut off may have lost
    // it.
    const std::uint64_t lost_refused = recorded_fits ? lost - (ledger.recorded - recorded) : 0;
    const std::uint64_t refused = count_before(Fate::refused, ended ? kNoSequence : ledger.triggers) + lost_refused;
    const bool may_be_open = !ended && &last == &parts_.rbegin()->second;
    if (may_be_open ? ledger.refused < refused : ledger.refused != refused)
        problems.push_back(
            fmt::format("{} says {} triggers were refused, the files say {}", whose, ledger.refused, refused));
    if (!ended || !triggers_are_hits(last.run)) return;
    std::uint64_t ticks = 0, duplicates = 0;
    for (const auto& [part, one] : parts_) {
        if (one.account.missing_frames > 0) return;  // some were of ticks, or none
        ticks += one.account.ticks_apart;
        duplicates += one.account.duplicate_ticks;
    }
    // A tick that was delivered twice was seen once; a second one of its own number was seen.
    if (ticks < ledger.ticks_seen || ticks - duplicates > ledger.ticks_seen)
        problems.push_back(
            fmt::format("{} says {} ticks were seen, the files hold {}", whose, ledger.ticks_seen, ticks));
}

std::uint64_t RunCheck::count_before(Fate fate, std::uint64_t sequence) const {
    std::uint64_t count = 0;
    for (const auto& [number, part] : parts_) {
        for (const SequenceRange& r : part.account.ranges) {
            if (r.fate != fate || r.first >= sequence) continue;
            count += std::min(r.last, sequence - 1) - r.first + 1;
        }
    }
    return count;
}

std::vector<std::string> notes_on_gaps(const std::map<std::uint64_t, RunCheck::Ends>& runs) {
    std::vector<std::string> notes;
    const RunCheck::Ends* before = nullptr;
    std::uint64_t number_before = 0;
    for (const auto& [number, run] : runs) {
        if (before != nullptr && number == number_before + 1 && (run.lost_estimated > 0 || !before->ended)) {
            const double gap_s = static_cast<double>(run.start_utc_ns - before->last_utc_ns) * 1e-9;
            notes.push_back(fmt::format(
                "run {}: says that {} triggers were lost before it; {:.3f} s lie between the last trigger of run {} "
                "and "
                "its start{}",
                number, run.lost_estimated, gap_s, number_before,
                run.tick_rate_hz > 0 ? fmt::format(", {:.0f} at {} Hz", gap_s * run.tick_rate_hz, run.tick_rate_hz)
                                     : std::string{}));
        }
        before = &run;
        number_before = number;
    }
    return notes;
}

}  // namespace alleycat
