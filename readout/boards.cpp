#include "readout/boards.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "daq/core/error.hpp"
#include "readout/caen_board.hpp"
#include "readout/dig2.hpp"
#include "readout/dig2_setup.hpp"
#include "readout/niscope_board.hpp"
#include "readout/sis3316.hpp"

namespace alleycat {
namespace {

constexpr std::array<std::string_view, 5> kDrivers{"caen", "sis3316", "dig2", "fcio", "niscope"};

[[noreturn]] void no_driver(const BoardInfo& board) {
    if (board.source == "caen") {
        throw Error{
            fmt::format("board {}: to read it live it needs a table [board.caen]; recorded event blocks: "
                        "'alleycat replay FILES'",
                        board.name)};
    }
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
        if (board.source == "sis3316") {
            configs.emplace_back(parse_sis3316(sections[b], board));
        } else if (board.source == "dig2") {
            configs.emplace_back(parse_dig2(sections[b].section("dig2"), board));
        } else if (board.source == "fcio") {
            configs.emplace_back(parse_fcio(sections[b], board.channels.size()));
        } else if (board.source == "caen" && sections[b].has("caen")) {  // without: files of its event blocks
            configs.emplace_back(parse_caen_board(sections[b].section("caen"), board));
        } else if (board.source == "niscope") {
            configs.emplace_back(parse_niscope(sections[b].section("niscope"), board));
        } else {
            configs.emplace_back();
        }
    }
    return configs;
}

std::unique_ptr<RecordSource> open_board(const BoardInfo& board, std::uint16_t board_index, const BoardConfig& config) {
    if (const auto* sis3316 = std::get_if<Sis3316Config>(&config)) {
        return std::make_unique<Sis3316Source>(board, board_index, *sis3316);
    }
    if (const auto* dig2 = std::get_if<Dig2Config>(&config)) {
        return std::make_unique<Dig2Board>(board, board_index, *dig2);
    }
    if (const auto* fcio = std::get_if<FcioConfig>(&config))
        return std::make_unique<FcioBoard>(board, board_index, *fcio);
    if (const auto* caen = std::get_if<CaenBoardConfig>(&config))
        return std::make_unique<CaenBoard>(board, board_index, *caen);
    if (const auto* niscope = std::get_if<NiScopeConfig>(&config))
        return std::make_unique<NiScopeBoard>(board, board_index, *niscope);
    no_driver(board);
}

BoardIdentity identify_board(const BoardInfo& board, const BoardConfig& config) {
    if (const auto* sis3316 = std::get_if<Sis3316Config>(&config)) {
        const Sis3316Identity found = identify_sis3316(board, *sis3316);
        return {.model = found.model(),
                .serial = found.serial_text(),
                .firmware = found.firmware(),
                .remarks = {fmt::format("{:.2f} degC", found.temperature_c)}};
    }
    if (const auto* dig2 = std::get_if<Dig2Config>(&config)) {
        const dig2::Identity found = dig2::ask_identity(board, *dig2);
        return {.model = found.model,
                .serial = found.serial,
                .firmware = found.firmware,
                .remarks = {fmt::format("{} firmware, {} inputs of {} bit at {} MS/s", found.firmware_type,
                                        found.inputs, found.bits, found.megasamples_per_s)}};
    }
    if (const auto* fcio = std::get_if<FcioConfig>(&config)) return identify_fcio(board, *fcio);
    if (const auto* caen = std::get_if<CaenBoardConfig>(&config)) return identify_caen(board, *caen);
    if (const auto* niscope = std::get_if<NiScopeConfig>(&config)) return identify_niscope(board, *niscope);
    no_driver(board);
}

}  // namespace alleycat
