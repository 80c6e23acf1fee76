#pragma once
// How the samples of a trace are looked at: the same results to the last bit, at very different speed.

#include <cstdint>
#include <string>
#include <string_view>

namespace alleycat {

enum class Kernels : std::uint8_t {
    simd,    ///< raw codes, many at once, with the best instructions this processor has
    scalar,  ///< the specification: one sample after the other, in ADC counts
};

/// The instruction set that Kernels::simd takes on this processor: "AVX2", "SSE4", "NEON", ...; "SCALAR" where it has
/// none that we know.
[[nodiscard]] std::string_view simd_target() noexcept;

/// For logs and people: "simd (AVX2)", "scalar".
[[nodiscard]] std::string to_text(Kernels kernels);

}  // namespace alleycat
