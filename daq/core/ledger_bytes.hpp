#pragma once
// The ledger and the counters as bytes, in frames and in the monitor's state alike.

#include "daq/core/bytes.hpp"
#include "daq/core/status.hpp"

namespace alleycat {

void put_ledger(ByteWriter& out, const Ledger& ledger) noexcept;
[[nodiscard]] Ledger get_ledger(ByteReader& in) noexcept;

void put_counters(ByteWriter& out, const CounterValues& counters) noexcept;
[[nodiscard]] CounterValues get_counters(ByteReader& in);

void put_gap(ByteWriter& out, const Gap& gap) noexcept;
[[nodiscard]] Gap get_gap(ByteReader& in) noexcept;

}  // namespace alleycat
