#pragma once
// [board.caen] of a station file: CAEN.md lists the keys with unit, range and default.

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "daq/core/config.hpp"
#include "daq/core/run_description.hpp"
#include "readout/caen_events.hpp"
#include "readout/caen_library.hpp"

namespace alleycat {

/// A board of the families x720 to x751, reached through CAEN's library.
struct CaenBoardConfig {
    std::string library = "libCAENDigitizer.so";
    caen::Link link = caen::Link::usb;
    int link_number = 0;            ///< of the USB device or the optical link; of an A4818 its PID
    int conet_node = 0;             ///< in the optical daisy chain
    std::uint32_t vme_address = 0;  ///< only over a VME bridge

    caen::Family family = caen::Family::x720;
    std::vector<std::uint16_t> inputs{};  ///< one for each of the station's channels
    std::uint32_t post_trigger_percent = 50;
    std::vector<double> dc_offset_percent{};  ///< one for each of the channels
    bool external_trigger = true, channel_trigger = false, software_trigger = false;
    bool trigger_output = false;              ///< triggers also leave by TRG OUT
    std::vector<std::uint32_t> thresholds{};  ///< raw codes, one for each of the channels; with channel_trigger
    double software_trigger_hz = 10;
    caen::IoLevel io_level = caen::IoLevel::nim;
    caen::Start start = caen::Start::software;
    bool count_all_triggers = true;  ///< those that the board could not record, too
    bool extended_time_tag = false;
    bool calibrate = true;  ///< the ADCs of families that can
    std::uint32_t events_per_read = 100;
    std::optional<std::uint16_t> suppressed_code{};  ///< for samples that zero-length encoding left out
    std::vector<std::pair<std::uint32_t, std::uint32_t>> registers{};  ///< address and value, after all others

    std::chrono::milliseconds readings_interval{10'000};
    std::chrono::milliseconds retry_interval{1000};  ///< between attempts to get a lost board back
};

/// Reads [board.caen] of this board, which is present; problems are reported, not thrown.
[[nodiscard]] CaenBoardConfig parse_caen_board(ConfigSection section, const BoardInfo& board);

}  // namespace alleycat
