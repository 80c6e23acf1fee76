#pragma once

#include <atomic>
#include <cstdint>
#include <stop_token>

namespace alleycat {

/// Wakes a thread that found nothing to do. Ringing costs one atomic operation when nobody sleeps: no lock, no
/// allocation, no system call.
///
///     const auto seen = bell.value();
///     if (nothing_to_do()) bell.wait(seen, stop);   // returns once rung since value(), or on stop
///
/// One word holds the number of rings and, in bit 0, whether somebody went to sleep at this number. The ring that moves
/// the number on takes the bit away and wakes all who sleep; those that follow find no bit, also while the woken have
/// not got a core yet. (std::atomic's own count of sleepers is of many addresses together and falls when a thread runs
/// again: on a busy machine every ring of a file's record was a system call, 6 % of a replay.)
class Doorbell {
  public:
    void ring() noexcept {
        std::uint32_t old = state_.load(std::memory_order_relaxed);
        while (!state_.compare_exchange_weak(old, (old + 2) & ~kSomebodySleeps, std::memory_order_acq_rel,
                                             std::memory_order_relaxed)) {
        }
        if ((old & kSomebodySleeps) != 0) state_.notify_all();
    }
    /// How often it has rung (modulo 2^31).
    [[nodiscard]] std::uint32_t value() const noexcept { return state_.load(std::memory_order_acquire) >> 1; }
    /// May also return early; look again. Does not allocate.
    void wait(std::uint32_t seen, const std::stop_token& stop) {
        std::stop_callback wake{stop, [this] { ring(); }};
        if (stop.stop_requested()) return;
        std::uint32_t now = seen << 1;
        const std::uint32_t asleep = now | kSomebodySleeps;
        if (state_.compare_exchange_strong(now, asleep, std::memory_order_acq_rel, std::memory_order_acquire) ||
            now == asleep) {
            state_.wait(asleep, std::memory_order_acquire);
        }
    }

  private:
    static constexpr std::uint32_t kSomebodySleeps = 1;
    std::atomic<std::uint32_t> state_{0};
};

}  // namespace alleycat
