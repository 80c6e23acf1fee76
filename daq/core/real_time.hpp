#pragma once

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <optional>
#include <stop_token>

#include "daq/core/time.hpp"

namespace alleycat {

/// Lets data time pass no faster than real time does: for sources that could deliver at once. Counts from the first
/// wait. One thread.
class RealTime {
  public:
    /// Waits until it is `time_ps`; at most 100 ms, and not longer than until stop. false: it is not yet.
    [[nodiscard]] bool wait_until(std::int64_t time_ps, const std::stop_token& stop) {
        using namespace std::chrono;
        if (!start_) start_ = steady_clock::now();
        const auto due = *start_ + duration_cast<steady_clock::duration>(Picoseconds{time_ps});
        if (steady_clock::now() >= due) return true;
        std::unique_lock lock{mutex_};
        (void)wake_.wait_until(lock, stop, std::min(due, steady_clock::now() + milliseconds{100}),
                               [] { return false; });
        return steady_clock::now() >= due;
    }

  private:
    std::optional<std::chrono::steady_clock::time_point> start_;
    std::mutex mutex_;  // guards nothing: a condition variable is how to wait for a time and for a stop at once
    std::condition_variable_any wake_;
};

}  // namespace alleycat
