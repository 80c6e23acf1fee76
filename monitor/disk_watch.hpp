#pragma once

#include <cstdint>
#include <deque>
#include <optional>

#include "daq/core/status.hpp"

namespace alleycat {

/// How long the disk lasts.
struct DiskOutlook {
    double bytes_per_s = 0;  ///< what it loses
    double hours_left = 0;   ///< until writing stops for want of space, or the disk is full
    bool measured = false;   ///< false: not watched for a minute yet, the rate is that of the samples uncompressed
};

/// What the disk loses, whoever takes it: parts as they are compressed, other programs. Journals are given back when
/// their part is closed and are left out, else the disk would seem to fill at several times the rate and to empty with
/// every part. Until that was watched for a minute: the rate of the samples, more than parts will take.
///
/// No clock inside. Used by one thread.
class DiskWatch {
  public:
    /// Once a second, or so.
    void look(const Status& status, std::int64_t now_utc_ns);
    /// nullopt: no run, nobody who knows the disk, nothing is written, or nothing is lost.
    [[nodiscard]] const std::optional<DiskOutlook>& outlook() const noexcept { return outlook_; }

  private:
    struct Sample {
        std::int64_t utc_ns = 0;
        std::uint64_t bytes = 0;  ///< free, or in journals
    };
    std::uint64_t run_ = 0;
    std::deque<Sample> samples_;  ///< of the last minutes, oldest first
    std::optional<DiskOutlook> outlook_;
};

}  // namespace alleycat
