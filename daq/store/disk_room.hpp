#pragma once
// Free space against the two thresholds of [store] (internal to daq/store).

#include <cstdint>
#include <optional>

#include "daq/store/store_config.hpp"

namespace alleycat {

/// plenty: above disk_warning_mb. full: below disk_stop_mb, and from then on until there is a tenth more than that.
class DiskRoom {
  public:
    enum class Verdict : std::uint8_t { plenty, low, full };

    explicit DiskRoom(const StoreConfig& config) noexcept
        : warning_{config.disk_warning_mb * 1'000'000}, stop_{config.disk_stop_mb * 1'000'000} {}

    /// `free_bytes` nullopt: the system does not say; what it said last holds.
    Verdict look(std::optional<std::uint64_t> free_bytes) noexcept {
        if (!free_bytes) return verdict_;
        const bool was_full = verdict_ == Verdict::full;
        if (*free_bytes < (was_full ? resume_bytes() : stop_))
            verdict_ = Verdict::full;
        else
            verdict_ = *free_bytes < warning_ ? Verdict::low : Verdict::plenty;
        return verdict_;
    }
    /// The disk itself says that it is full, whatever the free space.
    void refused() noexcept {
        if (stop_ > 0) verdict_ = Verdict::full;
    }
    [[nodiscard]] Verdict verdict() const noexcept { return verdict_; }
    [[nodiscard]] std::uint64_t stop_bytes() const noexcept { return stop_; }
    [[nodiscard]] std::uint64_t resume_bytes() const noexcept { return stop_ + stop_ / 10; }

  private:
    std::uint64_t warning_, stop_;
    Verdict verdict_ = Verdict::plenty;
};

}  // namespace alleycat
