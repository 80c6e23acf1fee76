#pragma once

#include <chrono>
#include <cstdint>
#include <optional>

namespace alleycat {

/// One line on a terminal that is written over: rate, fraction, time left. Silent when stderr is a pipe or a file.
class ProgressLine {
  public:
    ProgressLine();
    ~ProgressLine();
    ProgressLine(const ProgressLine&) = delete;
    ProgressLine& operator=(const ProgressLine&) = delete;

    /// fraction  0..1 of the work; nullopt: nobody knows
    void show(std::uint64_t triggers, double bytes_per_second, std::optional<double> fraction);

  private:
    bool terminal_;
    bool shown_ = false;
    std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
    std::chrono::steady_clock::time_point last_{};
};

}  // namespace alleycat
