#include "readout/caen_board_config.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <numeric>

#include "readout/caen_family.hpp"
#include "readout/channel_numbers.hpp"

namespace alleycat {
namespace {

using caen::Family;
using std::chrono::milliseconds;

constexpr std::uint16_t kLastInput = 15;
constexpr std::uint32_t kLastRegister = 0xFFFC;

/// One for each of the channels; a list of one stands for all.
std::vector<double> per_channel(ConfigSection& section, std::string_view key, std::vector<double> values,
                                std::size_t channels) {
    if (values.size() == 1) values.resize(channels, values.front());
    if (values.size() != channels) {
        section.problem(key, fmt::format("holds {} numbers: one for all or one for each of the {} channels",
                                         values.size(), channels));
        values.resize(channels);
    }
    return values;
}

std::vector<std::uint16_t> parse_inputs(ConfigSection& section, std::size_t channels) {
    std::vector<std::uint16_t> inputs = parse_channel_numbers(section, "inputs", kLastInput);
    if (!section.has("inputs")) {
        if (channels > kLastInput + 1)
            section.problem("inputs", fmt::format("a board has 16 inputs, not {}", channels));
        inputs.resize(channels);
        std::iota(inputs.begin(), inputs.end(), std::uint16_t{0});
    }
    if (inputs.size() != channels) {
        section.problem("inputs",
                        fmt::format("lists {} inputs for {} channels: one each is needed", inputs.size(), channels));
    }
    return inputs;
}

void parse_triggers(ConfigSection& section, CaenBoardConfig& config, std::size_t channels) {
    config.external_trigger = false;
    const std::vector<std::string> sources = section.text_list("trigger_source", {"external"});
    for (const std::string& source : sources) {
        if (source == "external") {
            config.external_trigger = true;
        } else if (source == "channels") {
            config.channel_trigger = true;
        } else if (source == "software") {
            config.software_trigger = true;
        } else {
            section.problem("trigger_source", fmt::format("'{}' is not one of external, channels, software", source));
        }
    }
    if (sources.empty()) section.problem("trigger_source", "is empty: nothing would ever trigger");
    config.trigger_output = section.boolean("trigger_output", config.trigger_output);

    const double last_code = (1 << caen::adc_bits(config.family)) - 1;
    const std::vector<double> thresholds = section.number_list("threshold_code", {}, 0, last_code);
    if (config.channel_trigger && !section.has("threshold_code"))
        section.problem("threshold_code", "is missing: trigger_source says that channels trigger");
    if (!config.channel_trigger && section.has("threshold_code"))
        section.problem("threshold_code", "has no meaning unless trigger_source names channels");
    if (section.has("threshold_code")) {
        for (const double code : per_channel(section, "threshold_code", thresholds, channels)) {
            config.thresholds.push_back(static_cast<std::uint32_t>(code));
            if (code != std::floor(code)) section.problem("threshold_code", fmt::format("{} is no whole number", code));
        }
    }
    config.software_trigger_hz = section.number("software_trigger_hz", config.software_trigger_hz, 0.01, 1000);
    if (!config.software_trigger && section.has("software_trigger_hz"))
        section.problem("software_trigger_hz", "has no meaning unless trigger_source names software");
}

/// "0x8110" or "33040"
std::optional<std::uint32_t> register_number(std::string_view text) {
    const bool hexadecimal = text.starts_with("0x") || text.starts_with("0X");
    if (hexadecimal) text.remove_prefix(2);
    std::uint32_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, hexadecimal ? 16 : 10);
    if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
    return value;
}

void parse_registers(ConfigSection& section, CaenBoardConfig& config) {
    for (const auto& [address_text, value_text] : section.texts("registers")) {
        const std::optional<std::uint32_t> address = register_number(address_text), value = register_number(value_text);
        if (!address || *address > kLastRegister || *address % 4 != 0) {
            section.problem("registers", fmt::format("'{}' is not the address of a register, 0x0 to 0x{:X} in fours",
                                                     address_text, kLastRegister));
        } else if (!value) {
            section.problem("registers", fmt::format("{}: '{}' is not 32 bits", address_text, value_text));
        } else {
            config.registers.emplace_back(*address, *value);
        }
    }
}

void check_board(ConfigSection& section, const CaenBoardConfig& config, const BoardInfo& board) {
    const SampleType type = caen::sample_type(config.family);
    if (board.sample_type != type) {
        section.problem("", fmt::format("an {} delivers {} samples, sample_type says {}", caen::to_text(config.family),
                                        to_text(type), to_text(board.sample_type)));
    }
    const std::int64_t period = caen::sample_period_ps(config.family);
    const bool twice_as_fast = caen::samples_twice_as_fast(config.family) && 2 * board.sample_period_ps == period;
    if (board.sample_period_ps != period && !twice_as_fast) {
        section.problem("", fmt::format("an {} takes a sample every {} ps, sample_period_ps says {}",
                                        caen::to_text(config.family), period, board.sample_period_ps));
    }
    if (board.samples == 0) section.problem("", "the length of its records is set by samples, which is missing");
    if (board.self_triggered && !config.channel_trigger)
        section.problem("", "trigger = \"self\" needs channels in trigger_source");
}

}  // namespace

CaenBoardConfig parse_caen_board(ConfigSection section, const BoardInfo& board) {
    using caen::Link;
    using caen::Start;
    CaenBoardConfig config;
    config.library = section.text("library", config.library);
    if (config.library.empty()) section.problem("library", "is empty");
    config.link = section.choice("link", config.link,
                                 {{"usb", Link::usb},
                                  {"optical", Link::optical},
                                  {"usb_a4818", Link::usb_a4818},
                                  {"usb_a4818_v2718", Link::usb_a4818_v2718},
                                  {"usb_a4818_v3718", Link::usb_a4818_v3718},
                                  {"usb_a4818_v4718", Link::usb_a4818_v4718},
                                  {"usb_v4718", Link::usb_v4718}});
    config.link_number = static_cast<int>(section.integer("link_number", 0, 0, 999'999));
    config.conet_node = static_cast<int>(section.integer("conet_node", 0, 0, 7));
    config.vme_address = static_cast<std::uint32_t>(section.integer("vme_address", 0, 0, 0xFFFF'FFFF));
    const std::optional<Family> family = caen::required_family(section);
    config.family = family.value_or(config.family);
    config.inputs = parse_inputs(section, board.channels.size());
    config.post_trigger_percent = static_cast<std::uint32_t>(section.required_integer("post_trigger_percent", 0, 100));
    config.dc_offset_percent = per_channel(
        section, "dc_offset_percent", section.number_list("dc_offset_percent", {50}, 0, 100), board.channels.size());
    parse_triggers(section, config, board.channels.size());
    config.io_level =
        section.choice("io_level", config.io_level, {{"NIM", caen::IoLevel::nim}, {"TTL", caen::IoLevel::ttl}});
    config.start =
        section.choice("start_source", config.start,
                       {{"software", Start::software}, {"s_in", Start::s_in}, {"first_trigger", Start::first_trigger}});
    config.count_all_triggers = section.boolean("count_all_triggers", config.count_all_triggers);
    config.extended_time_tag = section.boolean("extended_time_tag", config.extended_time_tag);
    config.calibrate = section.boolean("calibrate", config.calibrate);
    config.events_per_read = static_cast<std::uint32_t>(section.integer("events_per_read", 100, 1, 1023));
    if (section.has("suppressed_code")) {
        config.suppressed_code = static_cast<std::uint16_t>(
            section.required_integer("suppressed_code", 0, (1 << caen::adc_bits(config.family)) - 1));
    }
    parse_registers(section, config);
    config.readings_interval = milliseconds{section.integer("readings_interval_ms", 10'000, 50, 3'600'000)};
    config.retry_interval = milliseconds{section.integer("retry_interval_ms", 1000, 10, 600'000)};
    section.finish();
    if (family) check_board(section, config, board);
    return config;
}

}  // namespace alleycat
