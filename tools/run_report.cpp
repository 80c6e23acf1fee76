#include "tools/run_report.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "daq/core/error.hpp"

namespace alleycat {

std::string to_text(const Excess& excess) {
    if (std::isnan(excess.alpha)) {
        return fmt::format("not known (N_on {}, N_off {}): no anticoincident window, and no exposure to compare with",
                           excess.n_on, excess.n_off);
    }
    return fmt::format("{:.1f} +- {:.1f} (N_on {}, N_off {}, alpha {:.4g}, Li-Ma {:.2f})", excess.excess, excess.error,
                       excess.n_on, excess.n_off, excess.alpha, excess.li_ma);
}

void require_closed_ledger(const RunResult& result) {
    const Ledger& l = result.status.ledger;
    if (l.closes()) return;
    throw Error{
        fmt::format("run {}: the ledger does not close: {} triggers, {} recorded, {} refused; ticks: {} expected, {} "
                    "seen, {} missed",
                    result.run.run, l.triggers, l.recorded, l.refused, l.ticks_expected, l.ticks_seen, l.ticks_missed)};
}

void print_run_report(const RunResult& result) {
    const Ledger& ledger = result.status.ledger;
    fmt::print("run {}: {} triggers, {} recorded, {} refused", result.run.run, ledger.triggers, ledger.recorded,
               ledger.refused);
    if (const std::uint64_t n = not_kept(result.status.counters); n > 0)
        fmt::print(" (of them {} whose samples were not kept: nothing to measure again)", n);
    if (ledger.has_ticks)
        fmt::print("; ticks: {} expected, {} seen, {} missed", ledger.ticks_expected, ledger.ticks_seen,
                   ledger.ticks_missed);
    if (ledger.lost_estimated > 0) fmt::print("; about {} lost before the run", ledger.lost_estimated);
    fmt::print("\nledger {}\n", ledger.closes() ? "closes" : "DOES NOT CLOSE");
    for (const auto& [board, n] : missing_by_board(result.status.counters))
        fmt::print("board {}: in {} triggers, missing from {}\n", board, ledger.triggers - std::min(n, ledger.triggers),
                   n);
    if (result.seconds > 0) {
        std::uint64_t bytes = 0;
        for (const auto& [name, value] : result.status.counters) {
            if (name.starts_with("readout.") && name.ends_with(".bytes")) bytes += value;
        }
        fmt::print("rate: {:.0f} triggers/s, {:.1f} MB/s of samples over {:.2f} s\n",
                   static_cast<double>(ledger.triggers) / result.seconds,
                   static_cast<double>(bytes) * 1e-6 / result.seconds, result.seconds);
    }
    if (result.status.index_check.verdict != IndexVerdict::none) {
        fmt::print("{}\n", to_text(result.status.index_check));
    }
    if (result.monitor) {
        for (const CutFlow& flow : result.monitor->cut_flow) {
            fmt::print("window {}: {} rows, {} accepted", flow.window, flow.rows, flow.accepted);
            for (std::size_t i = 0; i < flow.names.size(); ++i)
                fmt::print(", {} {}", flow.names[i], flow.removed_first[i]);
            fmt::print("\n");
        }
        const Exposure& exposure = result.monitor->exposure;
        if (exposure.ticks_on + exposure.ticks_off > 0) {  // without a beam there is nothing to subtract
            fmt::print("excess in the box, beam on:  {}\n", to_text(result.monitor->excess));
            fmt::print("control, beam off:           {}\n", to_text(result.monitor->control));
        }
    }
    for (const auto& file : result.files) fmt::print("{}\n", file.string());
    std::fflush(stdout);
}

}  // namespace alleycat
