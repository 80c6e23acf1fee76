#pragma once

#include <atomic>
#include <cstdint>
#include <stop_token>

namespace alleycat {

/// Wakes a thread that found nothing to do. Ringing costs one atomic addition when nobody sleeps: no lock, no
/// allocation.
///
///     const auto seen = bell.value();
///     if (nothing_to_do()) bell.wait(seen, stop);   // returns once rung since value(), or on stop
class Doorbell {
  public:
    void ring() noexcept {
        // Sequentially consistent, as the look for sleepers in notify_all(): a weaker order could pass it on arm64, and
        // somebody who is just going to sleep would not be woken.
        rings_.fetch_add(1, std::memory_order_seq_cst);
        rings_.notify_all();
    }
    [[nodiscard]] std::uint32_t value() const noexcept { return rings_.load(std::memory_order_acquire); }
    /// May also return early; look again. Does not allocate.
    void wait(std::uint32_t seen, const std::stop_token& stop) {
        std::stop_callback wake{stop, [this] { ring(); }};
        if (!stop.stop_requested()) rings_.wait(seen, std::memory_order_acquire);
    }

  private:
    std::atomic<std::uint32_t> rings_{0};
};

}  // namespace alleycat
