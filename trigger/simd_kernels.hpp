#pragma once
// The loops over samples, many samples per instruction (Highway). Each is a small question about raw codes; what the
// answers mean is decided elsewhere, in plain C++. The instruction set is chosen when the program runs.
//
// Codes are compared as signed integers after `flip` has been xored to them: 0 for signed codes, the sign bit for
// unsigned ones, and all bits inverted where the order is to be reversed. Such a code is called a key.

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "trigger/baseline.hpp"
#include "trigger/peaks.hpp"

namespace alleycat::simd {

/// Keys of 8-bit and of 16-bit codes.
using Key8 = std::int8_t;
using Key16 = std::int16_t;

/// How many keys lie below and how many above a value.
struct Split {
    std::int64_t below = 0;
    std::int64_t above = 0;
};
[[nodiscard]] Split split(std::span<const Key8> codes, Key8 flip, Key8 at) noexcept;
[[nodiscard]] Split split(std::span<const Key16> codes, Key16 flip, Key16 at) noexcept;

/// Lowest and highest key of some codes.
struct Extremes {
    std::int32_t lowest = 0;
    std::int32_t highest = 0;
};
/// Bit i % 64 of words[i / 64] says whether key i is below `limit`; the bits behind the last sample are 0. `words` has
/// room for a bit per code. codes: at least one.
Extremes mark_below(std::span<const Key8> codes, Key8 flip, Key8 limit, std::span<std::uint64_t> words) noexcept;
Extremes mark_below(std::span<const Key16> codes, Key16 flip, Key16 limit, std::span<std::uint64_t> words) noexcept;

/// Runs of at least `min_samples` set bits (1 to 64), in order; one that reaches the last bit ends behind it. `runs`
/// has room for one per two bits, and one more. Returns how many there are.
[[nodiscard]] std::size_t find_runs(std::span<const std::uint64_t> words, int min_samples,
                                    std::span<Peak> runs) noexcept;

/// Some neighbouring codes and what each means: 0 in all three for those outside the band.
inline constexpr int kBandTableSize = 16;
struct BandTable {
    alignas(16) std::array<std::uint8_t, kBandTableSize> inside{};  ///< 1
    alignas(16) std::array<std::uint8_t, kBandTableSize> offset{};  ///< from the median, + kBandTableBias
    alignas(16) std::array<std::uint8_t, kBandTableSize> square{};  ///< of the offset
    std::uint8_t largest = 1;                                       ///< of all entries
};
inline constexpr int kBandTableBias = 16;
/// Sums over the codes from `first` on for which the table has an entry. The codes are in the cache by now and the
/// memory idle: the `next` codes behind them, which will be wanted soon, are fetched meanwhile.
[[nodiscard]] BandSums band_sums(std::span<const std::uint8_t> codes, std::uint8_t first, const BandTable& table,
                                 std::size_t next) noexcept;

/// The widest band of sum_distances().
inline constexpr std::int32_t kWidestBand = 2'048;
/// Sums of code - first over the codes of [first, first + width]; signed codes as the unsigned ones of the same bits.
/// next: as for band_sums().
[[nodiscard]] BandSums sum_distances(std::span<const std::uint8_t> codes, std::uint8_t first, std::uint16_t width,
                                     std::size_t next) noexcept;
[[nodiscard]] BandSums sum_distances(std::span<const std::uint16_t> codes, std::uint16_t first, std::uint16_t width,
                                     std::size_t next) noexcept;

/// out[i] = negative ? median - codes[i] : codes[i] - median
void make_heights(std::span<const std::int8_t> codes, bool negative, std::int32_t median, std::int32_t* out) noexcept;
void make_heights(std::span<const std::uint8_t> codes, bool negative, std::int32_t median, std::int32_t* out) noexcept;
void make_heights(std::span<const std::int16_t> codes, bool negative, std::int32_t median, std::int32_t* out) noexcept;
void make_heights(std::span<const std::uint16_t> codes, bool negative, std::int32_t median, std::int32_t* out) noexcept;

}  // namespace alleycat::simd
