#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "daq/core/config.hpp"
#include "daq/core/run_description.hpp"

namespace alleycat {

/// [station] and [[board]] of a station file: what every folder needs to know about the hardware.
struct Station {
    std::string profile;       ///< short name, also of the recorded files: "csi"
    std::string title;         ///< for people: "CsI[Na] 14.6 kg"
    double tick_rate_hz = 60;  ///< nominal rate of the timing signal; 0: none
    std::vector<BoardInfo> boards;

    /// Where the channel of this name is, "board.channel" or "channel"; `present` is false when there is none, and when
    /// several boards have a "channel" of this name: which one is meant is not for us to guess.
    [[nodiscard]] ChannelRef find_channel(std::string_view name) const;
    /// The same for a name that stands at `key`, where its absence is a problem.
    ChannelRef find_channel(std::string_view name, ConfigSection& section, std::string_view key) const;
    /// The channel that `key` names; `present` is false without the key, and with it there is a problem.
    [[nodiscard]] ChannelRef parse_channel(ConfigSection& section, std::string_view key) const;
    /// The same, and a problem without the key.
    [[nodiscard]] ChannelRef required_channel(ConfigSection& section, std::string_view key) const;

    /// Its boards deliver hits, each with a time of its own. They are all of one kind.
    [[nodiscard]] bool self_triggered() const noexcept { return !boards.empty() && boards.front().self_triggered; }
};

/// The name at `key`, which must be there; one that is not a usable_name() is a problem.
[[nodiscard]] std::string required_name(ConfigSection& section, std::string_view key = "name");

/// Reads [station] and [[board]]; problems are reported, not thrown.
[[nodiscard]] Station parse_station(ConfigSection& root);

/// "alleycat 0.1.0"
[[nodiscard]] std::string software_version();
[[nodiscard]] std::string host_name();

}  // namespace alleycat
