#include "daq/core/station.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>

namespace alleycat {
namespace {

ChannelInfo parse_channel(ConfigSection& section) {
    ChannelInfo channel;
    channel.name = required_name(section);
    channel.negative_pulses = section.choice("pulses", true, {{"negative", true}, {"positive", false}});
    channel.code_map = section.text("codes", "plain");
    constexpr std::array<std::string_view, 3> maps{"plain", "pci5153_signal", "pci5153_veto"};
    if (std::find(maps.begin(), maps.end(), channel.code_map) == maps.end()) {
        section.problem("codes", "'" + channel.code_map + "' is not one of plain, pci5153_signal, pci5153_veto");
    }
    section.finish();
    return channel;
}

BoardInfo parse_board(ConfigSection& section) {
    BoardInfo board;
    board.name = required_name(section);
    board.source = section.required_text("source");
    board.model = section.text("model", "");
    board.serial = section.text("serial", "");
    board.sample_type = section.choice("sample_type", SampleType::int8,
                                       {{"int8", SampleType::int8},
                                        {"uint8", SampleType::uint8},
                                        {"int16", SampleType::int16},
                                        {"uint16", SampleType::uint16}});
    board.sample_period_ps = section.required_integer("sample_period_ps", 100, 1'000'000'000);
    board.samples = static_cast<std::uint32_t>(section.integer("samples", 0, 0, 16'777'216));
    board.clock_period_ps = section.integer("clock_period_ps", 8'000, 1, 1'000'000'000'000);
    board.self_triggered = section.choice("trigger", false, {{"external", false}, {"self", true}});
    section.leave_to_others(board.source);  // what only its driver understands: readout/boards
    std::vector<ConfigSection> channels = section.sections("channel");
    for (ConfigSection& channel : channels) {
        board.channels.push_back(parse_channel(channel));
        const auto same = [&](const ChannelInfo& c) { return c.name == board.channels.back().name; };
        if (std::count_if(board.channels.begin(), board.channels.end(), same) > 1) {
            channel.problem("name", "two channels of this board have this name");
        }
    }
    if (board.channels.empty() && !section.has("channel"))
        section.problem("channel", "is missing: a board has at least one [[board.channel]]");
    if (board.channels.size() > kMaxChannels) section.problem("channel", "a board has at most 64 channels");
    section.finish();
    return board;
}

}  // namespace

bool usable_name(std::string_view name) noexcept {
    return !name.empty() && name.size() <= 32 && std::all_of(name.begin(), name.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
    });
}

bool triggers_are_hits(const RunDescription& run) noexcept {
    return std::any_of(run.boards.begin(), run.boards.end(), [](const BoardInfo& b) { return b.self_triggered; });
}

std::string required_name(ConfigSection& section, std::string_view key) {
    std::string name = section.required_text(key);
    if (section.has(key) && !usable_name(name)) {
        section.problem(key, "'" + name + "' must be 1 to 32 letters, digits, '_' or '-'");
    }
    return name;
}

Station parse_station(ConfigSection& root) {
    Station station;
    ConfigSection section = root.section("station");
    if (!root.has("station")) root.problem("station", "is missing: a station file starts with [station]");
    station.profile = section.present() ? required_name(section, "profile") : "";
    station.title = section.text("title", station.profile);
    station.tick_rate_hz = section.number("tick_rate_hz", 60, 0, 10'000);
    section.finish();

    std::vector<ConfigSection> boards = root.sections("board");
    if (boards.empty() && !root.has("board")) root.problem("board", "is missing: a station has at least one [[board]]");
    if (boards.size() > kMaxBoards) root.problem("board", "a station has at most 16 boards");
    for (ConfigSection& board : boards) {
        station.boards.push_back(parse_board(board));
        const auto same = [&](const BoardInfo& b) { return b.name == station.boards.back().name; };
        if (std::count_if(station.boards.begin(), station.boards.end(), same) > 1) {
            board.problem("name", "two boards have this name");
        }
        if (station.boards.back().self_triggered != station.boards.front().self_triggered) {
            board.problem("trigger", "is not that of board '" + station.boards.front().name +
                                         "': the boards of a station are triggered from outside, or all by themselves");
        }
    }
    return station;
}

ChannelRef Station::find_channel(std::string_view name) const {
    ChannelRef found;
    for (std::size_t b = 0; b < boards.size(); ++b) {
        for (std::size_t c = 0; c < boards[b].channels.size(); ++c) {
            const std::string& channel = boards[b].channels[c].name;
            if (name != channel && name != boards[b].name + "." + channel) continue;
            if (found.present) return {};
            found = {static_cast<std::uint16_t>(b), static_cast<std::uint16_t>(c), true};
        }
    }
    return found;
}

ChannelRef Station::find_channel(std::string_view name, ConfigSection& section, std::string_view key) const {
    const ChannelRef channel = find_channel(name);
    if (!channel.present) section.problem(key, fmt::format("no board has a channel '{}'", name));
    return channel;
}

ChannelRef Station::parse_channel(ConfigSection& section, std::string_view key) const {
    const std::string name = section.text(key, "");
    return section.has(key) ? find_channel(name, section, key) : ChannelRef{};
}

ChannelRef Station::required_channel(ConfigSection& section, std::string_view key) const {
    const std::string name = section.required_text(key);
    return section.has(key) ? find_channel(name, section, key) : ChannelRef{};
}

std::string software_version() { return "alleycat " ALLEYCAT_VERSION; }

std::string host_name() {
    std::array<char, 256> name{};
    return gethostname(name.data(), name.size() - 1) == 0 ? name.data() : "unknown";
}

}  // namespace alleycat
