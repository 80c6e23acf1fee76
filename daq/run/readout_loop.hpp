#pragma once

#include <stop_token>

#include "daq/core/counter.hpp"
#include "daq/core/source.hpp"
#include "daq/run/board_input.hpp"

namespace alleycat {

/// Bytes of a board's ring that only stubs may use: 4096 refused triggers (over a minute at 60 Hz) keep their own stub.
inline constexpr std::size_t kStubReserve = 4096 * 192;

struct ReadoutCounters {
    explicit ReadoutCounters(CounterRegistry& registry, const std::string& board)
        : records{registry.get("readout." + board + ".records")},
          bytes{registry.get("readout." + board + ".bytes")},
          refused{registry.get("readout." + board + ".refused")},
          ticks{registry.get("readout." + board + ".ticks")},
          beam_items_lost{registry.get("readout." + board + ".beam_items_lost")},
          ticks_lost{registry.get("readout." + board + ".ticks_lost")} {}
    Counter& records;
    Counter& bytes;
    Counter& refused;
    Counter& ticks;  ///< of the timing signal, refused ones included
    Counter& beam_items_lost;
    Counter& ticks_lost;
};

/// Board -> ring: the first of the two loops. Runs until the source ends or stop is requested. Throws what the
/// source throws. The caller marks the end of the input (EndOfInput).
void readout_loop(RecordSource& source, BoardInput& input, CounterRegistry& registry, WhenFull when_full,
                  const std::stop_token& stop);

}  // namespace alleycat
