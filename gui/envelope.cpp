#include "gui/envelope.hpp"

#include <algorithm>

namespace alleycat::gui {

std::vector<MinMax> envelope(std::span<const std::int32_t> samples, std::size_t columns) {
    columns = std::min(columns, samples.size());
    std::vector<MinMax> pieces;
    pieces.reserve(columns);
    for (std::size_t k = 0; k < columns; ++k) {
        const std::size_t begin = k * samples.size() / columns;
        const std::size_t end = (k + 1) * samples.size() / columns;
        MinMax piece{samples[begin], samples[begin]};
        for (const std::int32_t sample : samples.subspan(begin, end - begin)) {
            piece.min = std::min(piece.min, sample);
            piece.max = std::max(piece.max, sample);
        }
        pieces.push_back(piece);
    }
    return pieces;
}

}  // namespace alleycat::gui
