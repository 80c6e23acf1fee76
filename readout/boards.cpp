#include "readout/boards.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "daq/core/error.hpp"

namespace alleycat {
namespace {

constexpr std::array<std::string_view, 0> kDrivers{};

[[noreturn]] void no_driver(const BoardInfo& board) {
    throw Error{fmt::format("board {}: source '{}' is not a driver of boards", board.name, board.source)};
}

}  // namespace

bool is_board_driver(std::string_view source) noexcept {
    return std::find(kDrivers.begin(), kDrivers.end(), source) != kDrivers.end();
}

std::vector<BoardConfig> parse_boards(ConfigSection& root, const Station& station) {
    std::vector<BoardConfig> configs;
    if (station.boards.empty()) return configs;
    std::vector<ConfigSection> sections = root.sections("board");
    for (std::size_t b = 0; b < sections.size(); ++b) {
        configs.emplace_back();  // a driver per `station.boards[b].source`
    }
    return configs;
}

std::unique_ptr<RecordSource> open_board(const BoardInfo& board, std::uint16_t, const BoardConfig&) {
    no_driver(board);
}

BoardIdentity identify_board(const BoardInfo& board, const BoardConfig&) { no_driver(board); }

}  // namespace alleycat
