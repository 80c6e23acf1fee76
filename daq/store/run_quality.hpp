#pragma once
// What a run is worth, and why: judged when it is closed from its ledger, its counters and its end, and by operators.

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "daq/core/frame.hpp"
#include "daq/core/operator_note.hpp"
#include "daq/core/status.hpp"

namespace alleycat {

/// As it stands in files and in the catalogue.
///
/// flags    of "interrupted" (its end never came), "incomplete" (something is missing), "degraded" (all is there that
/// is
///          accounted for, but not all that was to be recorded), "tainted" and "good" (an operator's mark), separated
///          by commas, in this order. "good" alone: nothing speaks against it. "": nothing does so far, the run goes
///          on.
/// reasons  a line "flag: reason" each
struct RunQuality {
    std::string flags;
    std::string reasons;

    friend bool operator==(const RunQuality&, const RunQuality&) = default;
};

/// What is known of a run when one of its parts is closed.
struct RunEvidence {
    bool over = false;                      ///< no frame of it is to come
    std::optional<RunEnd> end;              ///< absent in a run that is over: it was interrupted
    Ledger ledger;                          ///< as it reported last
    CounterValues counters;                 ///< the same
    std::vector<std::string> missing;       ///< sentences of its writer: makes it incomplete
    std::vector<std::string> shortcomings;  ///< the same: makes it degraded
};

[[nodiscard]] RunQuality judge(const RunEvidence& evidence, std::span<const OperatorNote> notes);
/// The same after operators said something else: only their flags change.
[[nodiscard]] RunQuality judge_anew(const RunQuality& known, std::span<const OperatorNote> notes);

}  // namespace alleycat
