#include "readout/boards.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "daq/core/error.hpp"

namespace alleycat {
namespace {

constexpr std::array<std::string_view, 1> kDrivers{"fcio"};

[[noreturn]] void no_driver(const BoardInfo& board) {
    throw Error{fmt::format("board {}: source '{}' is not a driver of boards", board.name, board.source)};
}

}  // namespace

std::span<const std::string_view> board_drivers() noexcept { return kDrivers; }

bool is_board_driver(std::string_view source) noexcept {
    return std::find(kDrivers.begin(), kDrivers.end(), source) != kDrivers.end();
}

std::vector<BoardConfig> parse_boards(ConfigSection& root, const Station& station) {
    std::vector<BoardConfig> configs;
    if (station.boards.empty()) return configs;
    std::vector<ConfigSection> sections = root.sections("board");
    for (std::size_t b = 0; b < sections.size(); ++b) {
        const BoardInfo& board = station.boards[b];
        configs.emplace_back();
        if (board.source == "fcio") configs.back() = parse_fcio(sections[b], board.channels.size());
    }
    return configs;
}

std::unique_ptr<RecordSource> open_board(const BoardInfo& board, std::uint16_t board_index, const BoardConfig& config) {
    if (const auto* fcio = std::get_if<FcioConfig>(&config))
        return std::make_unique<FcioBoard>(board, board_index, *fcio);
    no_driver(board);
}

BoardIdentity identify_board(const BoardInfo& board, const BoardConfig& config) {
    if (const auto* fcio = std::get_if<FcioConfig>(&config)) return identify_fcio(board, *fcio);
    no_driver(board);
}

}  // namespace alleycat
