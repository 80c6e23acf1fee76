#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <stop_token>

#include "daq/core/doorbell.hpp"
#include "daq/core/worker.hpp"

namespace alleycat {

/// Rings a doorbell at an even pace, so that its owner wakes for housekeeping without looking at a clock itself.
class Ticker {
  public:
    Ticker(Doorbell& bell, std::chrono::milliseconds period)
        : thread_{"ticker", [this, &bell, period](const std::stop_token& stop) {
                      std::mutex mutex;  // condition_variable_any asks for one; nothing is shared under it
                      std::condition_variable_any wake;
                      std::unique_lock lock{mutex};
                      while (!stop.stop_requested()) {
                          wake.wait_for(lock, stop, period, [] { return false; });
                          ticked_.store(true, std::memory_order_release);
                          bell.ring();
                      }
                  }} {}

    /// A period has passed since the last time this was asked.
    [[nodiscard]] bool ticked() noexcept { return ticked_.exchange(false, std::memory_order_acq_rel); }

  private:
    std::atomic<bool> ticked_{false};
    Worker thread_;
};

}  // namespace alleycat
