#include "readout/channel_numbers.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "daq/core/error.hpp"

namespace alleycat {

ChannelNumbers::ChannelNumbers(const std::vector<std::uint16_t>& listed, const BoardInfo& board, std::string_view key)
    : numbers_{listed} {
    if (numbers_.empty()) {
        numbers_.resize(board.channels.size());
        std::iota(numbers_.begin(), numbers_.end(), std::uint16_t{0});
    }
    if (numbers_.size() != board.channels.size()) {
        throw UsageError{fmt::format("board {}: {} lists {} inputs for {} channels: one each is needed", board.name,
                                     key, numbers_.size(), board.channels.size())};
    }
}

std::optional<std::size_t> ChannelNumbers::find(unsigned number) const noexcept {
    const auto found = std::find(numbers_.begin(), numbers_.end(), number);
    if (found == numbers_.end()) return std::nullopt;
    return static_cast<std::size_t>(found - numbers_.begin());
}

std::vector<std::uint16_t> parse_channel_numbers(ConfigSection& section, std::string_view key, std::uint16_t last) {
    std::vector<std::uint16_t> numbers;
    for (const double value : section.number_list(key, {}, 0, last)) {
        if (value != std::floor(value)) {
            section.problem(key, fmt::format("{} is not the number of an input", value));
            continue;
        }
        const auto number = static_cast<std::uint16_t>(value);
        if (std::find(numbers.begin(), numbers.end(), number) != numbers.end()) {
            section.problem(key, fmt::format("names input {} twice", number));
        }
        numbers.push_back(number);
    }
    return numbers;
}

}  // namespace alleycat
