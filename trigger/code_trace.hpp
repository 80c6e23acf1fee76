#pragma once
// What PlainTrace finds, found in raw codes and many samples at a time: thresholds on counts become thresholds on codes
// (codes.hpp), and only what somebody asks for becomes heights. Kernels::simd. Why each shortcut is exact stands in
// trigger/README.md#speed.

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "trigger/baseline.hpp"
#include "trigger/charge.hpp"
#include "trigger/charge_walk.hpp"
#include "trigger/codes.hpp"
#include "trigger/linear_gate.hpp"
#include "trigger/peaks.hpp"
#include "trigger/simd_kernels.hpp"

namespace alleycat {

/// The functions are those of Trace and mean the same.
class CodeTrace {
  public:
    /// The median of a trace is looked for from that of its channel's last trace on; more channels share their places.
    static constexpr std::size_t kRememberedChannels = 64;

    void make_room(std::size_t samples);
    /// channel  any number that tells channels apart; the results do not depend on it
    void open(const Codes& codes, bool negative_pulses, std::size_t channel);

    [[nodiscard]] std::int64_t samples() const noexcept { return codes_.size; }
    [[nodiscard]] bool overflows(std::int32_t low_code, std::int32_t high_code) noexcept;
    [[nodiscard]] Baseline take_baseline(std::int64_t region, std::int32_t band_adc) noexcept;
    [[nodiscard]] bool gate_closed(const LinearGate& gate) const noexcept;
    void find_peaks(const PeakFinding& finding, std::vector<Peak>& peaks) noexcept;
    [[nodiscard]] std::span<const std::int32_t> heights(std::int64_t begin, std::int64_t end) noexcept;
    [[nodiscard]] double local_baseline(std::int64_t arrival, std::int64_t length, std::int32_t band_adc) noexcept;
    [[nodiscard]] WindowCharges charges(std::span<const Peak> peaks, const PeakFinding& finding, std::int64_t arrival,
                                        std::int64_t window, double local_baseline) noexcept;

  private:
    struct CodeRange {
        std::int32_t lowest = 0, highest = 0;
    };
    using HeightTable = std::array<std::int32_t, 256>;  // of int8 codes, index = code + 128

    void mark(std::int64_t threshold_adc) noexcept;
    void mark_codes(std::int32_t highest_below) noexcept;
    [[nodiscard]] BandSums sums_between(const Codes& codes, std::int64_t from_count, std::int64_t to_count,
                                        std::size_t next) const noexcept;
    [[nodiscard]] simd::BandTable band_table(const Codes& codes, std::int32_t first, std::int32_t last) const noexcept;
    [[nodiscard]] const HeightTable& height_table() noexcept;

    Codes codes_;
    bool negative_ = true;
    std::int32_t median_ = 0;
    std::size_t channel_ = 0;
    std::optional<CodeRange> range_;  // of the whole trace; known once peaks have been looked for
    std::array<std::int32_t, kRememberedChannels> last_median_{};  // codes
    HeightTable height_table_{};
    const CodeTable* table_map_ = nullptr;  // what height_table_ was made for
    std::int32_t table_median_ = 0;
    bool table_negative_ = true;
    std::vector<std::uint64_t> marks_;    // a bit per sample: inside a peak?
    std::vector<Peak> runs_;              // of marks
    std::vector<std::int32_t> heights_;   // filled in where asked for
    std::vector<PeakStretch> stretches_;  // scratch of ChargeWalk
};

}  // namespace alleycat
