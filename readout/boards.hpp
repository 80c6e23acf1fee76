#pragma once
// Boards that are read live: the section of each, [board.DRIVER], and the one switch that makes a source of it.

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "daq/core/config.hpp"
#include "daq/core/source.hpp"
#include "daq/core/station.hpp"
#include "readout/caen_board_config.hpp"
#include "readout/dig2_config.hpp"
#include "readout/fcio_board.hpp"
#include "readout/niscope_config.hpp"
#include "readout/sis3316_setup.hpp"

namespace alleycat {

/// What [board.DRIVER] says, one kind per driver; monostate: the board's source is none of ours (simulator, files).
using BoardConfig = std::variant<std::monostate, Sis3316Config, Dig2Config, FcioConfig, CaenBoardConfig, NiScopeConfig>;

/// What a board says when asked who it is, before any acquisition.
struct BoardIdentity {
    std::string model, serial, firmware;
    std::vector<std::string> remarks;  ///< what an operator should know: "8 channels of 14 bit at 250 MS/s"
};

/// Names of [[board]] `source` that open_board() understands.
[[nodiscard]] std::span<const std::string_view> board_drivers() noexcept;
[[nodiscard]] bool is_board_driver(std::string_view source) noexcept;

/// Reads [board.DRIVER] of every board, in the order of the station; problems are reported, not thrown.
[[nodiscard]] std::vector<BoardConfig> parse_boards(ConfigSection& root, const Station& station);

/// Opens and configures the board. Throws Error naming the board, its address and what it did not do.
[[nodiscard]] std::unique_ptr<RecordSource> open_board(const BoardInfo& board, std::uint16_t board_index,
                                                       const BoardConfig& config);

/// Opens the board, reads its identity and leaves it as it was. Throws Error as open_board() does.
[[nodiscard]] BoardIdentity identify_board(const BoardInfo& board, const BoardConfig& config);

}  // namespace alleycat
