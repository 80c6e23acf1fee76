#pragma once
// What stands in a board's ring: a header, then the payload; of a stub the header alone.

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>

#include "daq/core/data_time.hpp"
#include "daq/core/record.hpp"

namespace alleycat {

/// The record in a slot of the ring, where it stands.
[[nodiscard]] inline RecordView view_of(std::span<const std::byte> slot) noexcept {
    return {*reinterpret_cast<const RecordHeader*>(slot.data()), slot.subspan(sizeof(RecordHeader))};
}

/// Data time of refused record `index` of those a stub stands for: spread evenly between the first and the last. [ps]
[[nodiscard]] inline std::int64_t stub_time(const RecordHeader& stub, std::uint32_t index) noexcept {
    if (stub.refused < 2) return stub.time_ps;
    const double part = static_cast<double>(index) / static_cast<double>(stub.refused - 1);
    return moved(stub.time_ps,
                 std::llround(part * static_cast<double>(between(stub.time_ps, stub.refused_last_time_ps))));
}

/// Whether refused trigger `index` of a stub counts as a beam tick. Of the first it is known, of the others only how
/// many are: they are spread evenly.
[[nodiscard]] inline bool stub_tick(const RecordHeader& stub, std::uint32_t index) noexcept {
    const bool first_is = stub.trigger_class == TriggerClass::beam_tick;
    if (index == 0 || stub.refused < 2) return first_is;
    const std::uint64_t others = stub.refused - 1;
    const std::uint64_t ticks = stub.samples_per_channel - (first_is ? 1 : 0);
    return index * ticks / others != (index - 1) * ticks / others;
}

}  // namespace alleycat
