#pragma once
// What the host's stamps of a board's records tell of its clock: they come late, but never early.

#include <cstddef>
#include <cstdint>

#include "daq/core/record.hpp"
#include "daq/run/fifo.hpp"

namespace alleycat {

/// Records of one board that were taken from its ring and are in no trigger yet; the first is its next.
using RecordsAhead = Fifo<RecordView>;

/// What host times can tell apart [ps].
inline constexpr std::int64_t kHostPrecision = 5'000'000'000;

/// The board's clock did, before this record.
[[nodiscard]] inline bool began_anew(const RecordHeader& header) noexcept {
    return (header.flags & record_flag::clock_restarted) != 0;
}

/// So many of them, from the first, are by one clock.
[[nodiscard]] std::size_t by_one_clock(const RecordsAhead& ahead) noexcept;

/// The least time by which the host's clock is ahead of the board's [ns], of those from `begin` to `end`. One whose
/// times are far from those of the others tells nothing.
[[nodiscard]] std::int64_t least_host_minus_board_ns(const RecordsAhead& ahead, std::size_t begin,
                                                     std::size_t end) noexcept;

/// The stamp of the first is wrong: those behind it say so.
[[nodiscard]] bool begins_far_off(const RecordsAhead& ahead) noexcept;

/// What had waited for its reader comes at once, the later the less delayed: the least delay is still to come. Looks at
/// the newest of those by one clock, `most` at most.
[[nodiscard]] bool is_catching_up(const RecordsAhead& ahead, std::size_t most) noexcept;

}  // namespace alleycat
