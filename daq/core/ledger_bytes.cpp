#include "daq/core/ledger_bytes.hpp"

namespace alleycat {

void put_ledger(ByteWriter& out, const Ledger& l) noexcept {
    out.put(static_cast<std::uint8_t>(l.has_ticks));
    for (const std::uint64_t n :
         {l.ticks_expected, l.ticks_seen, l.ticks_missed, l.triggers, l.recorded, l.refused, l.lost_estimated}) {
        out.put(n);
    }
}

Ledger get_ledger(ByteReader& in) noexcept {
    Ledger l;
    l.has_ticks = in.get_bool();
    for (std::uint64_t* n :
         {&l.ticks_expected, &l.ticks_seen, &l.ticks_missed, &l.triggers, &l.recorded, &l.refused, &l.lost_estimated}) {
        *n = in.get<std::uint64_t>();
    }
    return l;
}

void put_counters(ByteWriter& out, const CounterValues& counters) noexcept {
    out.put(static_cast<std::uint32_t>(counters.size()));
    for (const auto& [name, value] : counters) {
        out.put_text(name);
        out.put(value);
    }
}

CounterValues get_counters(ByteReader& in) {
    CounterValues counters(in.get_count(12));
    for (auto& [name, value] : counters) {
        name = in.get_text();
        value = in.get<std::uint64_t>();
    }
    return counters;
}

void put_gap(ByteWriter& out, const Gap& g) noexcept {
    for (const std::uint64_t n : {g.previous_run, g.last_sequence, g.lost_estimated}) out.put(n);
    for (const std::int64_t t : {g.from_utc_ns, g.to_utc_ns}) out.put(t);
    out.put(static_cast<std::uint8_t>(g.told_by_writer));
}

Gap get_gap(ByteReader& in) noexcept {
    Gap g;
    for (std::uint64_t* n : {&g.previous_run, &g.last_sequence, &g.lost_estimated}) *n = in.get<std::uint64_t>();
    for (std::int64_t* t : {&g.from_utc_ns, &g.to_utc_ns}) *t = in.get<std::int64_t>();
    g.told_by_writer = in.get_bool();
    return g;
}

}  // namespace alleycat
