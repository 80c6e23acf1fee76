#pragma once
// The settings file that CoMPASS leaves beside its recordings: what the boards were told.

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace alleycat::compass {

/// One board of the settings; what the file does not say stays empty or 0.
struct BoardSettings {
    std::string model, serial, firmware;  ///< firmware: of the channels, "136.16"
    std::int64_t sample_period_ps = 0;
    std::uint32_t samples = 0;  ///< per waveform
    struct Channel {
        bool enabled = false;
        std::optional<bool> negative_pulses;
    };
    std::map<unsigned, Channel> channels;  ///< by their number
};

/// Boards in the order in which recordings number them. `name` is for the message of what it throws: Error, when this
/// is no settings file.
[[nodiscard]] std::vector<BoardSettings> parse_settings(std::string_view xml, const std::string& name);
[[nodiscard]] std::vector<BoardSettings> read_settings(const std::filesystem::path& file);

/// Where the settings of a recording are: NAME_settings.xml or settings.xml beside NAME.BIN, or settings.xml in the
/// folder above (CoMPASS puts its recordings into RAW, UNFILTERED and FILTERED). Empty: nowhere.
[[nodiscard]] std::filesystem::path find_settings(const std::filesystem::path& recording);

}  // namespace alleycat::compass
