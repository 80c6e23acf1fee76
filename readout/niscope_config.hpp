#pragma once
// [board.niscope] of a station file: NISCOPE.md lists the keys with unit, range and default.

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "daq/core/config.hpp"
#include "daq/core/run_description.hpp"

namespace alleycat {

/// One input of the board, for one channel of the station.
struct NiScopeInput {
    unsigned number = 0;
    double range_v = 1;  ///< peak to peak
    double offset_v = 0;
    std::int32_t coupling = 1;  ///< as the library counts them
    double probe_attenuation = 1;
    double impedance_ohm = 50;
    double max_frequency_hz = 0;  ///< 0: all that the board has
};

enum class NiScopeTrigger : std::uint8_t { digital, edge };

struct NiScopeConfig {
    std::string library = "libniscope.so";
    std::string resource;              ///< as the vendor's configuration names the board: "Dev1"
    std::vector<NiScopeInput> inputs;  ///< ascending: the library gives no word that it keeps another order
    std::uint32_t pre_trigger_samples = 0;
    NiScopeTrigger trigger = NiScopeTrigger::digital;
    std::string trigger_source = "VAL_PFI_1";
    double trigger_level_v = 0;         ///< of an edge
    std::int32_t trigger_slope = 1;     ///< as the library counts them
    std::int32_t trigger_coupling = 1;  ///< of an edge, as the library counts them
    std::int32_t records = 10'000'000;  ///< of one acquisition
    std::chrono::milliseconds fetch_timeout{50};
    std::chrono::milliseconds readings_interval{10'000};
    std::chrono::milliseconds retry_interval{1000};  ///< between attempts to get a lost board back
};

/// Reads [board.niscope] of this board; problems are reported, not thrown.
[[nodiscard]] NiScopeConfig parse_niscope(ConfigSection section, const BoardInfo& board);

}  // namespace alleycat
