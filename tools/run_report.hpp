#pragma once

#include "daq/run/daemon.hpp"
#include "monitor/snapshot.hpp"

namespace alleycat {

/// What came of a run, for people, on stdout: ledger, windows, excess, files.
void print_run_report(const RunResult& result);

/// "142 +- 30.9 (Li-Ma 4.61)" of counts in the box.
[[nodiscard]] std::string to_text(const Excess& excess);

}  // namespace alleycat
