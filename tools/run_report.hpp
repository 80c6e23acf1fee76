#pragma once

#include <fmt/format.h>

#include <string>
#include <string_view>

#include "daq/run/daemon.hpp"
#include "monitor/snapshot.hpp"

namespace alleycat {

/// What came of a run, for people, on stdout: ledger, windows, excess, files.
void print_run_report(const RunResult& result);

/// Throws Error when the run's counts do not balance.
void require_closed_ledger(const RunResult& result);

/// A value of the command line instead of the station file's: said in the text that stands in every file.
template <class T>
void note_override(StationSetup& setup, std::string_view key, const T& value) {
    setup.text += fmt::format("\n# on the command line: {} = {}\n", key, value);
}

/// "142 +- 30.9 (Li-Ma 4.61)" of counts in the box.
[[nodiscard]] std::string to_text(const Excess& excess);

}  // namespace alleycat
