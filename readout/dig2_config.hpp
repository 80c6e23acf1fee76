#pragma once
// [board.dig2] of a station file: DIG2.md lists the keys with unit, range and default.

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "daq/core/config.hpp"
#include "daq/core/run_description.hpp"

namespace alleycat {

struct Dig2Config {
    std::string address;           ///< dig2::parse_address() understands it
    std::vector<unsigned> inputs;  ///< of the board, one for each of the station's channels
    std::uint32_t pre_trigger_samples = 0;
    double dc_offset_percent = 50;
    std::string trigger_source = "TrgIn";  ///< "TrgIn | SwTrg"
    std::string start_source = "SWcmd";
    std::string clock_source = "Internal";
    std::string io_level = "NIM";
    std::string trigger_id = "TriggerCnt";
    std::optional<std::uint32_t> threshold_adc;                   ///< of the inputs' self triggers, from the baseline
    std::vector<std::pair<std::string, std::string>> parameters;  ///< path and value, after all others
    std::chrono::milliseconds timeout{3000};                      ///< for an answer
    std::chrono::milliseconds readings_interval{10'000};
    std::chrono::milliseconds retry_interval{1000};  ///< between attempts to get a lost board back
};

/// Reads [board.dig2] of this board; problems are reported, not thrown.
[[nodiscard]] Dig2Config parse_dig2(ConfigSection section, const BoardInfo& board);

}  // namespace alleycat
