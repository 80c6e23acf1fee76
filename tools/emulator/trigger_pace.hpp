#pragma once

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <optional>

#include "tools/emulator/emulator.hpp"

namespace alleycat {

/// When the triggers of an emulated board come: each as soon as the one before was taken, at a rate from the moment at
/// which the board begins to take them, or at a rate by the host's clock, whether somebody takes them or not.
class TriggerPace {
  public:
    using Clock = std::chrono::steady_clock;

    explicit TriggerPace(const EmulatorConfig& config) : rate_hz_{config.rate_hz} {
        if (config.first_trigger_utc && rate_hz_ > 0)
            first_ = Clock::now() + std::chrono::duration_cast<Clock::duration>(*config.first_trigger_utc -
                                                                                std::chrono::system_clock::now());
    }

    /// The board begins to take triggers, or does so again. Returns how many nobody took: the source's next so many
    /// records are of these.
    [[nodiscard]] std::uint64_t begin() {
        if (!first_) {
            began_ = Clock::now();
            since_began_ = 0;
            return 0;
        }
        const double passed = std::ceil(std::chrono::duration<double>{Clock::now() - *first_}.count() * rate_hz_);
        const auto number = static_cast<std::uint64_t>(std::max(0.0, passed));
        const std::uint64_t missed = number > taken_ ? number - taken_ : 0;
        taken_ += missed;
        return missed;
    }
    void took_one() noexcept {
        ++taken_;
        ++since_began_;
    }

    [[nodiscard]] bool as_fast_as_possible() const noexcept { return !(rate_hz_ > 0); }
    /// Of the trigger that comes next.
    [[nodiscard]] Clock::time_point due() const {
        if (as_fast_as_possible()) return Clock::time_point::min();
        const auto number = static_cast<double>(first_ ? taken_ : since_began_);
        return first_.value_or(began_) +
               std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>{number / rate_hz_});
    }
    [[nodiscard]] bool is_due() const { return as_fast_as_possible() || Clock::now() >= due(); }

  private:
    double rate_hz_;
    std::optional<Clock::time_point> first_;
    Clock::time_point began_ = Clock::now();
    std::uint64_t taken_ = 0, since_began_ = 0;
};

/// Records of triggers that nobody took.
inline void pass_over(RecordSource& source, std::uint64_t records, const std::stop_token& stop) {
    RecordHeader header;
    while (records > 0 && !stop.stop_requested()) {
        const RecordSource::Next next = source.next(header, stop);
        if (next == RecordSource::Next::end) return;
        if (next == RecordSource::Next::record) --records;
    }
}

}  // namespace alleycat
