#include "readout/compass_settings.hpp"

#include <fmt/format.h>

#include <cmath>
#include <fstream>
#include <iterator>
#include <pugixml.hpp>

#include "daq/core/error.hpp"

namespace alleycat::compass {
namespace fs = std::filesystem;

namespace {

/// Of <entry><key>KEY</key>...: the value of a board stands one level deeper than a channel's.
std::string value_of(const pugi::xml_node& entries, const char* key) {
    for (const pugi::xml_node& entry : entries.children("entry")) {
        if (std::string_view{entry.child_value("key")} != key) continue;
        const pugi::xml_node value = entry.child("value");
        return value.child("value") ? value.child_value("value") : value.child_value();
    }
    return {};
}

std::optional<bool> negative(const std::string& polarity) {
    if (polarity == "POLARITY_NEGATIVE") return true;
    if (polarity == "POLARITY_POSITIVE") return false;
    return std::nullopt;
}

/// A positive number below 2^31, or 0.
double positive(const std::string& text) {
    double value = 0;
    try {
        value = std::stod(text);
    } catch (const std::exception&) {
        return 0;
    }
    return value > 0 && value < 2147483648.0 ? value : 0;
}

BoardSettings parse_board(const pugi::xml_node& node) {
    BoardSettings board;
    board.model = node.child_value("modelName");
    board.serial = node.child_value("serialNumber");
    const pugi::xml_node firmware = node.child("amcFirmware");
    if (firmware) board.firmware = fmt::format("{}.{}", firmware.child_value("major"), firmware.child_value("minor"));
    board.sample_period_ps = std::llround(positive(node.child_value("sampleTime")));

    const pugi::xml_node parameters = node.child("parameters");
    const double record_ns = positive(value_of(parameters, "SRV_PARAM_RECLEN"));
    if (board.sample_period_ps != 0) {
        const double samples = record_ns * 1000 / static_cast<double>(board.sample_period_ps);
        if (samples < 16'777'216) board.samples = static_cast<std::uint32_t>(std::llround(samples));
    }
    // A channel says only what differs from its board.
    const std::string enabled = value_of(parameters, "SRV_PARAM_CH_ENABLED");
    const std::string polarity = value_of(parameters, "SRV_PARAM_CH_POLARITY");
    for (const pugi::xml_node& channel : node.children("channel")) {
        const pugi::xml_node own = channel.child("values");
        const std::string own_enabled = value_of(own, "SRV_PARAM_CH_ENABLED");
        const std::string own_polarity = value_of(own, "SRV_PARAM_CH_POLARITY");
        board.channels[channel.child("index").text().as_uint()] = {
            .enabled = (own_enabled.empty() ? enabled : own_enabled) == "true",
            .negative_pulses = negative(own_polarity.empty() ? polarity : own_polarity)};
    }
    return board;
}

}  // namespace

std::vector<BoardSettings> parse_settings(std::string_view xml, const std::string& name) {
    pugi::xml_document document;
    const pugi::xml_parse_result result = document.load_buffer(xml.data(), xml.size());
    if (!result) throw Error{fmt::format("{}: at byte {}: {}", name, result.offset, result.description())};
    std::vector<BoardSettings> boards;
    for (const pugi::xml_node& node : document.child("configuration").children("board")) {
        boards.push_back(parse_board(node));
    }
    if (boards.empty()) throw Error{fmt::format("{}: holds no <board> of CoMPASS settings", name)};
    return boards;
}

std::vector<BoardSettings> read_settings(const fs::path& file) {
    std::ifstream in{file, std::ios::binary};
    if (!in) throw Error{fmt::format("{}: cannot be opened", file.string())};
    const std::string xml{std::istreambuf_iterator<char>{in}, {}};
    return parse_settings(xml, file.string());
}

fs::path find_settings(const fs::path& recording) {
    const fs::path folder = recording.parent_path();
    for (const fs::path& candidate : {folder / (recording.stem().string() + "_settings.xml"), folder / "settings.xml",
                                      folder / ".." / "settings.xml"}) {
        std::error_code error;
        if (fs::is_regular_file(candidate, error)) return candidate;
    }
    return {};
}

}  // namespace alleycat::compass
