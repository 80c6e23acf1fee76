#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "daq/core/record.hpp"

namespace alleycat {

/// Several channels of one record added up, sample by sample, as a record with one channel: two photomultipliers that
/// look at one volume. Keeps its buffer between calls: one per thread.
class SignalSum {
  public:
    void make_room(std::size_t samples) { sums_.reserve(samples); }

    /// Codes beyond the ADC's ends count as the ends, so that the sum fits the 16 bits that were checked at the start.
    ///
    /// positions  of the channels in the record's payload
    /// returns    a view that holds until the next call; int16 for a board of signed codes, else uint16
    [[nodiscard]] RecordView add(const RecordView& record, std::span<const std::size_t> positions,
                                 std::int32_t low_code, std::int32_t high_code);

    /// A code of the record added last was at or beyond the ADC's ends.
    [[nodiscard]] bool overflows() const noexcept { return overflows_; }

  private:
    RecordHeader header_;
    std::vector<std::uint16_t> sums_;  // int16 as two's complement
    bool overflows_ = false;
};

/// Whether so many channels with codes from low to high fit the sum.
[[nodiscard]] bool sum_fits(SampleType type, std::size_t channels, std::int64_t low_code,
                            std::int64_t high_code) noexcept;

}  // namespace alleycat
