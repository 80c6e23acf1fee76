#pragma once
// /summary, written and read (internal to daq/store).

#include <optional>

#include "daq/store/hdf5.hpp"
#include "daq/store/part_summary.hpp"

namespace alleycat::h5 {

void write_summary(hid_t file, const PartSummary& summary, const RunDescription& run);
/// nullopt: the part was cut short. Numbers that are absent read as 0.
[[nodiscard]] std::optional<PartSummary> read_summary(hid_t file, const RunDescription& run);

}  // namespace alleycat::h5
