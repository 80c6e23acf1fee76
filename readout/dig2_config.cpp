#include "readout/dig2_config.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <numeric>

#include "readout/dig2_events.hpp"
#include "readout/dig2_link.hpp"

namespace alleycat {
namespace {

using std::chrono::milliseconds;

constexpr std::array<std::string_view, 11> kTriggerSources{"TrgIn", "P0",           "SwTrg",         "LVDS",
                                                           "ITLA",  "ITLB",         "ITLA_AND_ITLB", "ITLA_OR_ITLB",
                                                           "GPIO",  "EncodedClkIn", "TestPulse"};

/// One of the board's own words, as the board writes it.
std::string word(ConfigSection& section, std::string_view key, std::string_view fallback,
                 std::initializer_list<std::string_view> words) {
    const std::string chosen = section.text(key, fallback);
    if (std::find(words.begin(), words.end(), chosen) == words.end()) {
        section.problem(key, fmt::format("'{}' is not one of {}", chosen, fmt::join(words, ", ")));
    }
    return chosen;
}

std::string parse_trigger_source(ConfigSection& section) {
    const std::vector<std::string> sources = section.text_list("trigger_source", {"TrgIn"});
    for (const std::string& source : sources) {
        if (std::find(kTriggerSources.begin(), kTriggerSources.end(), source) == kTriggerSources.end()) {
            section.problem("trigger_source",
                            fmt::format("'{}' is not one of {}", source, fmt::join(kTriggerSources, ", ")));
        }
    }
    if (sources.empty()) section.problem("trigger_source", "is empty: nothing would ever trigger");
    return fmt::format("{}", fmt::join(sources, " | "));
}

std::vector<unsigned> parse_inputs(ConfigSection& section, std::size_t channels) {
    std::vector<double> numbers(channels);
    std::iota(numbers.begin(), numbers.end(), 0.0);
    numbers = section.number_list("inputs", std::move(numbers), 0, dig2::kMostChannels - 1);
    std::vector<unsigned> inputs;
    for (const double number : numbers) {
        const auto input = static_cast<unsigned>(number);
        if (input != number) section.problem("inputs", fmt::format("{} is no number of an input", number));
        if (std::find(inputs.begin(), inputs.end(), input) != inputs.end()) {
            section.problem("inputs", fmt::format("names input {} twice", input));
        }
        inputs.push_back(input);
    }
    if (inputs.size() != channels && section.has("inputs")) {
        section.problem("inputs",
                        fmt::format("has {} numbers for the {} channels of this board", inputs.size(), channels));
    }
    return inputs;
}

void check_board(ConfigSection& section, const BoardInfo& board) {
    if (board.sample_type != SampleType::uint16) {
        section.problem(
            "", fmt::format("the board delivers uint16 samples, sample_type says {}", to_text(board.sample_type)));
    }
    if (board.samples == 0 || board.samples % dig2::kSamplesPerWord != 0) {
        section.problem("", fmt::format("records have a multiple of 4 samples, samples says {}", board.samples));
    }
    if (board.self_triggered)
        section.problem("", "the scope firmware triggers all inputs at once: trigger = \"external\"");
}

}  // namespace

Dig2Config parse_dig2(ConfigSection section, const BoardInfo& board) {
    Dig2Config config;
    config.address = section.required_text("address");
    if (section.has("address") && !dig2::parse_address(config.address)) {
        section.problem("address", fmt::format("'{}' is not HOST or HOST:PORT", config.address));
    }
    config.inputs = parse_inputs(section, board.channels.size());
    config.pre_trigger_samples =
        static_cast<std::uint32_t>(section.required_integer("pre_trigger_samples", 0, 16'777'216));
    if (board.samples != 0 && config.pre_trigger_samples > board.samples) {
        section.problem("pre_trigger_samples",
                        fmt::format("{} are more than the record's {}", config.pre_trigger_samples, board.samples));
    }
    config.dc_offset_percent = section.number("dc_offset_percent", 50, 0, 100);
    config.trigger_source = parse_trigger_source(section);
    config.start_source =
        word(section, "start_source", "SWcmd", {"SWcmd", "SINlevel", "SINedge", "EncodedClkIn", "LVDS", "P0"});
    config.clock_source =
        word(section, "clock_source", "Internal", {"Internal", "FPClkIn", "P0ClkIn", "Link", "DIPswitchSel"});
    config.io_level = word(section, "io_level", "NIM", {"NIM", "TTL"});
    config.trigger_id = word(section, "trigger_id", "TriggerCnt", {"TriggerCnt", "EventCnt", "LVDSpattern"});
    if (section.has("threshold_adc")) {
        config.threshold_adc = static_cast<std::uint32_t>(section.required_integer("threshold_adc", 1, 65'535));
    }
    config.parameters = section.texts("parameters");
    config.timeout = milliseconds{section.integer("timeout_ms", 3000, 50, 60'000)};
    config.readings_interval = milliseconds{section.integer("readings_interval_ms", 10'000, 50, 3'600'000)};
    config.retry_interval = milliseconds{section.integer("retry_interval_ms", 1000, 10, 600'000)};
    section.finish();
    if (section.present()) check_board(section, board);
    return config;
}

}  // namespace alleycat
