#pragma once
// How the samples of a trace are looked at: the same results to the last bit, at very different speed.

#include <array>
#include <cstdint>
#include <string_view>

namespace alleycat {

enum class Kernels : std::uint8_t {
    simd,    ///< raw codes, many at once, with the best instructions this processor has
    scalar,  ///< the specification: one sample after the other, in ADC counts
};
inline constexpr std::array<std::string_view, 2> kKernelNames{"simd", "scalar"};

/// The instruction set that Kernels::simd takes on this processor: "AVX2", "SSE4", "NEON", ...; "SCALAR" where it has
/// none that we know.
[[nodiscard]] std::string_view simd_target() noexcept;

}  // namespace alleycat
