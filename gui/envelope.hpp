#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace alleycat::gui {

struct MinMax {
    std::int32_t min = 0, max = 0;
    friend bool operator==(const MinMax&, const MinMax&) = default;
};

/// Lowest and highest sample of each of `columns` neighbouring pieces, so that 35,000 samples become as many strokes as
/// the screen has pixels and a pulse of one sample is still seen.
///
/// samples  ADC codes or counts, shape (n_samples,)
/// columns  pieces wanted; piece k holds samples [k n / columns, (k + 1) n / columns)
/// returns  shape (min(columns, n_samples),)
[[nodiscard]] std::vector<MinMax> envelope(std::span<const std::int32_t> samples, std::size_t columns);

}  // namespace alleycat::gui
