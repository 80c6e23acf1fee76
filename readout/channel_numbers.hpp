#pragma once
// Which inputs of a digitizer are the channels of the station file.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "daq/core/config.hpp"
#include "daq/core/run_description.hpp"

namespace alleycat {

/// The inputs' own numbers, in the order of the board's channels.
class ChannelNumbers {
  public:
    /// `listed`: one per channel of the board; empty: 0, 1, 2, ... Throws UsageError naming `key` when there are more
    /// or fewer.
    ChannelNumbers(const std::vector<std::uint16_t>& listed, const BoardInfo& board, std::string_view key);

    [[nodiscard]] std::size_t size() const noexcept { return numbers_.size(); }
    /// Of the channel that stands at `index` in the board's list.
    [[nodiscard]] std::uint16_t operator[](std::size_t index) const noexcept { return numbers_[index]; }
    /// The channel that is input `number`; nullopt: the station file does not name it.
    [[nodiscard]] std::optional<std::size_t> find(unsigned number) const noexcept;

  private:
    std::vector<std::uint16_t> numbers_;
};

/// Reads a list of different numbers of inputs, 0 to `last`; problems are reported. Empty without the key.
[[nodiscard]] std::vector<std::uint16_t> parse_channel_numbers(ConfigSection& section, std::string_view key,
                                                               std::uint16_t last);

}  // namespace alleycat
