#include "trigger/detectors.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "trigger/record_channel.hpp"

namespace alleycat {
namespace {

std::size_t position_in(const RecordView& record, const ChannelRef& channel) noexcept {
    if (!channel.present || record.header().board != channel.board) return kMaxChannels;
    return position_of(record.header(), channel.channel);
}

Detector parse_detector(ConfigSection& section, const Station& station, double spe_charge_adc) {
    Detector detector;
    detector.name = required_name(section);
    if (!section.has("channel")) section.problem("channel", "is missing: the detector's channel");
    detector.channel = station.parse_channel(section, "channel");
    detector.low_gain = station.parse_channel(section, "low_gain");
    detector.low_gain_ratio = section.number("low_gain_ratio", 1, 1e-3, 1e6);
    detector.spe_charge_adc = section.number("spe_charge_adc", spe_charge_adc, 1e-6, 1e9);
    if (section.has("low_gain") != section.has("low_gain_ratio")) {
        section.problem(section.has("low_gain") ? "low_gain" : "low_gain_ratio",
                        "low_gain and low_gain_ratio belong together");
    }
    if (detector.low_gain.present && detector.channel.present && detector.low_gain.board != detector.channel.board) {
        section.problem("low_gain", "is on another board than channel: their samples are not of one record");
    }
    if (detector.low_gain.present && detector.low_gain == detector.channel) {
        section.problem("low_gain", "is the detector's channel itself");
    }
    section.finish();
    return detector;
}

}  // namespace

FoundDetector find_detector(const Trigger& trigger, std::span<const Detector> detectors) noexcept {
    FoundDetector found;
    for (std::size_t d = 0; d < detectors.size(); ++d) {
        for (const RecordView& record : trigger.records()) {
            const std::size_t position = position_in(record, detectors[d].channel);
            if (position == kMaxChannels) continue;
            if (found.record != nullptr) {
                found.several = true;
                return found;
            }
            found = {&record, position, position_in(record, detectors[d].low_gain), static_cast<std::uint16_t>(d)};
        }
    }
    return found;
}

std::vector<Detector> parse_detectors(ConfigSection& trigger_section, const Station& station, double spe_charge_adc) {
    std::vector<Detector> detectors;
    for (ConfigSection& section : trigger_section.sections("detector")) {
        Detector detector = parse_detector(section, station, spe_charge_adc);
        for (const Detector& other : detectors) {
            if (other.name == detector.name) section.problem("name", "two detectors have this name");
            if (detector.channel.present && other.channel == detector.channel) {
                section.problem("channel", "is detector '" + other.name + "' already");
            }
            const bool of_other = detector.channel.present && detector.channel == other.low_gain;
            if (of_other || (detector.low_gain.present && detector.low_gain == other.channel)) {
                section.problem(of_other ? "channel" : "low_gain", "belongs to detector '" + other.name + "' already");
            }
        }
        const auto board_of = [&](const Detector& d) -> const BoardInfo& { return station.boards[d.channel.board]; };
        if (detector.channel.present && !detectors.empty() && detectors.front().channel.present &&
            (board_of(detector).sample_period_ps != board_of(detectors.front()).sample_period_ps ||
             board_of(detector).sample_type != board_of(detectors.front()).sample_type)) {
            section.problem("channel",
                            fmt::format("its board samples otherwise than that of '{}': windows and codes are "
                                        "the same for all detectors",
                                        detectors.front().name));
        }
        detectors.push_back(std::move(detector));
    }
    if (detectors.size() > kMaxDetectors) trigger_section.problem("detector", "there are more than 256 detectors");
    return detectors;
}

}  // namespace alleycat
