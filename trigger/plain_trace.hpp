#pragma once
// The specification of what is looked for in a trace: every sample becomes ADC counts, then a height, and is looked at
// in its turn. Kernels::scalar. CodeTrace gives the same results to the last bit.

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "trigger/baseline.hpp"
#include "trigger/charge.hpp"
#include "trigger/codes.hpp"
#include "trigger/linear_gate.hpp"
#include "trigger/peaks.hpp"

namespace alleycat {

/// The functions are those of Trace and mean the same.
class PlainTrace {
  public:
    void make_room(std::size_t samples);
    void open(const Codes& codes, bool negative_pulses);

    [[nodiscard]] std::int64_t samples() const noexcept { return codes_.size; }
    [[nodiscard]] bool overflows(std::int32_t low_code, std::int32_t high_code) const noexcept;
    [[nodiscard]] Baseline take_baseline(std::int64_t region, std::int32_t band_adc) noexcept;
    [[nodiscard]] bool gate_closed(const LinearGate& gate) const noexcept;
    void find_peaks(const PeakFinding& finding, std::vector<Peak>& peaks) noexcept;
    [[nodiscard]] std::span<const std::int32_t> heights(std::int64_t begin, std::int64_t end) noexcept;
    [[nodiscard]] double local_baseline(std::int64_t arrival, std::int64_t length, std::int32_t band_adc) noexcept;
    [[nodiscard]] WindowCharges charges(std::span<const Peak> peaks, const PeakFinding& finding, std::int64_t arrival,
                                        std::int64_t window, double local_baseline) noexcept;

  private:
    Codes codes_;
    bool negative_ = true;
    std::int32_t median_ = 0;
    BaselineFinder baseline_;
    std::vector<std::int32_t> counts_;   // ADC counts of the whole trace
    std::vector<std::int32_t> heights_;  // the same above the median
    std::vector<double> curve_;          // scratch of integrate_peaks
};

}  // namespace alleycat
