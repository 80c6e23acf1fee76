#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace alleycat {

/// One number that only grows within a run; added to by any thread, read by any thread.
class Counter {
  public:
    void add(std::uint64_t n = 1) noexcept { value_.fetch_add(n, std::memory_order_relaxed); }
    /// For a counter that mirrors one kept elsewhere (a source's defects).
    void raise_to(std::uint64_t n) noexcept {
        std::uint64_t now = value_.load(std::memory_order_relaxed);
        while (n > now && !value_.compare_exchange_weak(now, n, std::memory_order_relaxed)) {
        }
    }
    [[nodiscard]] std::uint64_t value() const noexcept { return value_.load(std::memory_order_relaxed); }

  private:
    friend class CounterRegistry;
    std::atomic<std::uint64_t> value_{0};
};

using CounterValues = std::vector<std::pair<std::string, std::uint64_t>>;

/// Every counter of a run under its name ("readout.pci5153.refused"), in the order they were made. Counters stay where
/// they are for the registry's life: take a reference at start, count without a lock.
class CounterRegistry {
  public:
    /// The counter of this name; made at the first call.
    [[nodiscard]] Counter& get(std::string_view name);
    [[nodiscard]] CounterValues values() const;
    /// All back to 0: a run begins. References stay good.
    void start_anew() noexcept;

  private:
    // Guards the list, not the counters: names are added at start and by sources that meet a new defect.
    mutable std::mutex mutex_;
    std::deque<std::pair<std::string, Counter>> counters_;
};

}  // namespace alleycat
