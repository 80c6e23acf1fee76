#include "daq/store/summary_io.hpp"

#include <fmt/format.h>

#include <utility>

namespace alleycat::h5 {
namespace {

/// Every number of a summary under its name, for writing and for reading: `each(group, name, number)`.
template <class Summary, class Each>
void for_each_number(Summary& s, const Each& each) {
    each("summary", "triggers", s.triggers);
    each("summary", "first_sequence", s.first_sequence);
    each("summary", "last_sequence", s.last_sequence);
    for (std::size_t i = 0; i < s.by_class.size(); ++i)
        each("summary", fmt::format("triggers_{}", kTriggerClassNames[i]), s.by_class[i]);
    for (std::size_t i = 1; i < s.refused.size(); ++i)
        each("summary", fmt::format("refused_{}", kRefusalReasonNames[i]), s.refused[i]);
    each("summary", "dead_time_ps", s.dead_time_ps);
    each("summary", "first_time_ps", s.first_time_ps);
    each("summary", "last_time_ps", s.last_time_ps);
    each("summary", "first_utc_ns", s.first_utc_ns);
    each("summary", "last_utc_ns", s.last_utc_ns);
    each("summary", "end_utc_ns", s.end_utc_ns);
    for (std::size_t i = 0; i < s.ticks.size(); ++i)
        each("summary/exposure", fmt::format("ticks_{}", kBeamStateNames[i]), s.ticks[i]);
    each("summary/exposure", "beam_energy_gwh", s.beam_energy_gwh);
    each("summary/ledger", "lost_in_stream", s.lost_in_stream);
}

/// The same of the run's ledger.
template <class Books, class Each>
void for_each_number_of(Books& l, const Each& each) {
    each("summary/ledger", "ticks_expected", l.ticks_expected);
    each("summary/ledger", "ticks_seen", l.ticks_seen);
    each("summary/ledger", "ticks_missed", l.ticks_missed);
    each("summary/ledger", "triggers", l.triggers);
    each("summary/ledger", "recorded", l.recorded);
    each("summary/ledger", "refused", l.refused);
    each("summary/ledger", "lost_estimated", l.lost_estimated);
}

}  // namespace

void write_summary(hid_t file, const PartSummary& summary, const RunDescription& run) {
    const Handle top = create_group(file, "summary");
    for (const char* name : {"exposure", "ledger", "cut_flow", "box", "excess"}) (void)create_group(top.get(), name);
    const auto put = [&](const std::string& group, const std::string& name, const auto& value) {
        put_number(open_group(file, group).get(), name, value);
    };
    for_each_number(summary, put);
    if (summary.has_ledger()) {  // zeros would be a ledger that closes and says nothing true
        for_each_number_of(summary.ledger, put);
        put("summary/ledger", "has_ticks", static_cast<std::uint8_t>(summary.ledger.has_ticks));
    }
    put_number(top.get(), "run_ended", static_cast<std::uint8_t>(summary.run_ended));
    put_number(top.get(), "clean", static_cast<std::uint8_t>(summary.clean));
    put_text(top.get(), "end_reason", summary.end_reason);
    put_text(top.get(), "quality", summary.quality.flags);
    put_text(top.get(), "quality_reasons", summary.quality.reasons);

    const Handle box = open_group(file, "summary/box");
    std::string states;
    for (const std::string_view name : kBeamStateNames) states += (states.empty() ? "" : ",") + std::string{name};
    put_text(box.get(), "beam_states", states);
    put_number(box.get(), "min_pe", run.box.min_pe);
    put_number(box.get(), "max_pe", run.box.max_pe);
    put_number(box.get(), "min_arrival_ns", run.box.min_arrival_ns);
    put_number(box.get(), "max_arrival_ns", run.box.max_arrival_ns);
    for (const WindowSummary& w : summary.windows) {
        const Handle flow = create_group(file, "summary/cut_flow/" + w.name);
        put_number(flow.get(), "rows", w.rows);
        put_number(flow.get(), "accepted", w.accepted);
        for (std::size_t c = 0; c < w.rejected.size(); ++c)
            put_number(flow.get(), "rejected_" + run.cuts[c].name, w.rejected[c]);
        const Handle counts = create_group(box.get(), w.name);
        for (std::size_t c = 0; c < w.in_box.size(); ++c) {
            put_numbers(counts.get(), std::string{kTriggerClassNames[c]}, native_type<std::uint64_t>(),
                        w.in_box[c].data(), kBeamStates);
        }
    }
    const Handle excess = open_group(file, "summary/excess");
    put_number(excess.get(), "n_on", n_on(summary, run));
    put_number(excess.get(), "n_off", n_off(summary, run));
}

std::optional<PartSummary> read_summary(hid_t file, const RunDescription& run) {
    if (!exists(file, "summary/excess")) return std::nullopt;
    PartSummary s{run};
    const auto get = [&](const std::string& group, const std::string& name, auto& value) {
        const Handle folder = open_group(file, group);
        value = get_number<std::remove_reference_t<decltype(value)>>(folder.get(), name).value_or(value);
    };
    for_each_number(s, get);
    for_each_number_of(s.ledger, get);
    const Handle top = open_group(file, "summary");
    s.ledger.has_ticks =
        get_number<std::uint8_t>(open_group(file, "summary/ledger").get(), "has_ticks").value_or(1) != 0;
    s.run_ended = get_number<std::uint8_t>(top.get(), "run_ended").value_or(0) != 0;
    s.clean = get_number<std::uint8_t>(top.get(), "clean").value_or(0) != 0;
    s.end_reason = get_text(top.get(), "end_reason").value_or("");
    s.quality.flags = get_text(top.get(), "quality").value_or("");
    s.quality.reasons = get_text(top.get(), "quality_reasons").value_or("");
    for (WindowSummary& w : s.windows) {
        if (!exists(file, "summary/cut_flow/" + w.name) || !exists(file, "summary/box/" + w.name)) continue;
        const Handle flow = open_group(file, "summary/cut_flow/" + w.name);
        w.rows = get_number<std::uint64_t>(flow.get(), "rows").value_or(0);
        w.accepted = get_number<std::uint64_t>(flow.get(), "accepted").value_or(0);
        for (std::size_t c = 0; c < w.rejected.size(); ++c) {
            w.rejected[c] = get_number<std::uint64_t>(flow.get(), "rejected_" + run.cuts[c].name).value_or(0);
        }
        const Handle counts = open_group(file, "summary/box/" + w.name);
        for (std::size_t c = 0; c < w.in_box.size(); ++c) {
            std::array<std::uint64_t, kBeamStates> n{};
            if (get_numbers(counts.get(), std::string{kTriggerClassNames[c]}, native_type<std::uint64_t>(), n.data(),
                            n.size()) == n.size()) {
                w.in_box[c] = n;
            }
        }
    }
    return s;
}

}  // namespace alleycat::h5
