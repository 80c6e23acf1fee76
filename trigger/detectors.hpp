#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "daq/core/config.hpp"
#include "daq/core/station.hpp"
#include "daq/core/trigger.hpp"

namespace alleycat {

/// One of many detectors that trigger themselves: a channel, or two of different gain.
struct Detector {
    std::string name;
    ChannelRef channel;
    ChannelRef low_gain;         ///< measured where the other overflows; absent: there is none
    double low_gain_ratio = 1;   ///< charge in the other channel over charge in this one
    double spe_charge_adc = 70;  ///< charge of one unit [ADC counts x sample of `channel`]

    friend bool operator==(const Detector&, const Detector&) = default;
};

/// What of a trigger is to be measured, and where it stands in its record.
struct FoundDetector {
    const RecordView* record = nullptr;            ///< nullptr: no detector's channel is in the trigger
    std::size_t position = kMaxChannels;           ///< of `channel` in the payload
    std::size_t low_gain_position = kMaxChannels;  ///< kMaxChannels: not in this record
    std::uint16_t index = 0;                       ///< in the list
    bool several = false;                          ///< another detector of the list is in the trigger too
};

/// The first detector of the list whose channel is in the trigger.
[[nodiscard]] FoundDetector find_detector(const Trigger& trigger, std::span<const Detector> detectors) noexcept;

/// Reads [[trigger.detector]] of `trigger_section`; empty when there is none. `spe_charge_adc` is the default of each.
[[nodiscard]] std::vector<Detector> parse_detectors(ConfigSection& trigger_section, const Station& station,
                                                    double spe_charge_adc);

}  // namespace alleycat
