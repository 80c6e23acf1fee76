#include "readout/niscope_config.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <numeric>

#include "readout/niscope_library.hpp"

namespace alleycat {
namespace {

using std::chrono::milliseconds;

/// One value for all channels or one for each; `values` as the file has them.
template <class T>
std::vector<T> for_each_channel(ConfigSection& section, std::string_view key, std::vector<T> values, T fallback,
                                std::size_t channels) {
    if (values.size() != 1 && values.size() != channels) {
        section.problem(
            key, fmt::format("has {} values: one for all or one for each of the {} channels", values.size(), channels));
        values.assign(1, fallback);
    }
    if (values.size() == 1) values.resize(channels, values.front());
    return values;
}

std::vector<double> numbers(ConfigSection& section, std::string_view key, double fallback, double min, double max,
                            std::size_t channels) {
    return for_each_channel(section, key, section.number_list(key, {fallback}, min, max), fallback, channels);
}

std::vector<std::int32_t> couplings(ConfigSection& section, std::size_t channels) {
    std::vector<std::int32_t> found;
    for (const std::string& word : section.text_list("coupling", {"dc"})) {
        if (word != "dc" && word != "ac") section.problem("coupling", fmt::format("'{}' is not one of dc, ac", word));
        found.push_back(word == "ac" ? niscope::kCouplingAc : niscope::kCouplingDc);
    }
    return for_each_channel(section, "coupling", std::move(found), niscope::kCouplingDc, channels);
}

std::vector<unsigned> input_numbers(ConfigSection& section, std::size_t channels) {
    std::vector<double> given(channels);
    std::iota(given.begin(), given.end(), 0.0);
    given = section.number_list("inputs", std::move(given), 0, kMaxChannels - 1);
    std::vector<unsigned> inputs;
    for (const double number : given) {
        const auto input = static_cast<unsigned>(number);
        if (input != number) section.problem("inputs", fmt::format("{} is no number of an input", number));
        if (!inputs.empty() && input <= inputs.back()) {
            section.problem("inputs", fmt::format("names input {} after {}: they have to ascend, put the channels in "
                                                  "this order",
                                                  input, inputs.back()));
        }
        inputs.push_back(input);
    }
    if (inputs.size() != channels && section.has("inputs")) {
        section.problem("inputs",
                        fmt::format("has {} numbers for the {} channels of this board", inputs.size(), channels));
    }
    inputs.resize(channels, 0);
    return inputs;
}

std::vector<NiScopeInput> parse_inputs(ConfigSection& section, std::size_t channels) {
    const std::vector<unsigned> number = input_numbers(section, channels);
    if (section.present() && !section.has("range_v")) {
        section.problem("range_v", "is missing: a list of volts, peak to peak");
    }
    const std::vector<double> range = numbers(section, "range_v", 1, 0.001, 1000, channels);
    const std::vector<double> offset = numbers(section, "offset_v", 0, -1000, 1000, channels);
    const std::vector<std::int32_t> coupling = couplings(section, channels);
    const std::vector<double> attenuation = numbers(section, "probe_attenuation", 1, 0.001, 10'000, channels);
    const std::vector<double> impedance = numbers(section, "impedance_ohm", 50, 1, 1e9, channels);
    const std::vector<double> frequency = numbers(section, "max_frequency_hz", 0, 0, 1e12, channels);
    std::vector<NiScopeInput> inputs;
    for (std::size_t c = 0; c < channels; ++c) {
        inputs.push_back({number[c], range[c], offset[c], coupling[c], attenuation[c], impedance[c], frequency[c]});
    }
    return inputs;
}

void parse_trigger(ConfigSection& section, NiScopeConfig& config) {
    config.trigger = section.choice("trigger", NiScopeTrigger::digital,
                                    {{"digital", NiScopeTrigger::digital}, {"edge", NiScopeTrigger::edge}});
    const bool edge = config.trigger == NiScopeTrigger::edge;
    config.trigger_source = section.text("trigger_source", edge ? "VAL_EXTERNAL" : "VAL_PFI_1");
    if (config.trigger_source.empty()) section.problem("trigger_source", "is empty: nothing would ever trigger");
    config.trigger_slope =
        section.choice("trigger_slope", niscope::kSlopePositive,
                       {{"positive", niscope::kSlopePositive}, {"negative", niscope::kSlopeNegative}});
    if (edge) {
        config.trigger_level_v = section.required_number("trigger_level_v", -1000, 1000);
        config.trigger_coupling = section.choice("trigger_coupling", niscope::kCouplingDc,
                                                 {{"dc", niscope::kCouplingDc},
                                                  {"ac", niscope::kCouplingAc},
                                                  {"hf_reject", niscope::kCouplingHfReject},
                                                  {"lf_reject", niscope::kCouplingLfReject}});
        return;
    }
    for (const char* key : {"trigger_level_v", "trigger_coupling"}) {
        if (!section.has(key)) continue;
        section.leave_to_others(key);
        section.problem(key, "belongs to trigger = \"edge\": a digital trigger has none");
    }
}

void check_board(ConfigSection& section, const BoardInfo& board) {
    if (board.sample_type != SampleType::int8) {
        section.problem(
            "", fmt::format("the board delivers int8 samples, sample_type says {}", to_text(board.sample_type)));
    }
    if (board.samples == 0) section.problem("", "records have one length: samples must not be 0");
    if (board.self_triggered) section.problem("", "the board triggers all inputs at once: trigger = \"external\"");
}

}  // namespace

NiScopeConfig parse_niscope(ConfigSection section, const BoardInfo& board) {
    NiScopeConfig config;
    config.library = section.text("library", config.library);
    if (config.library.empty()) section.problem("library", "is empty");
    config.resource = section.required_text("resource");
    config.inputs = parse_inputs(section, board.channels.size());
    config.pre_trigger_samples =
        static_cast<std::uint32_t>(section.required_integer("pre_trigger_samples", 0, 16'777'216));
    if (board.samples != 0 && config.pre_trigger_samples > board.samples) {
        section.problem("pre_trigger_samples",
                        fmt::format("{} are more than the record's {}", config.pre_trigger_samples, board.samples));
    }
    parse_trigger(section, config);
    config.records = static_cast<std::int32_t>(
        section.integer("records", config.records, 1, std::numeric_limits<std::int32_t>::max()));
    config.fetch_timeout = milliseconds{section.integer("fetch_timeout_ms", 50, 1, 100)};
    config.readings_interval = milliseconds{section.integer("readings_interval_ms", 10'000, 50, 3'600'000)};
    config.retry_interval = milliseconds{section.integer("retry_interval_ms", 1000, 10, 600'000)};
    section.finish();
    if (section.present()) check_board(section, board);
    return config;
}

}  // namespace alleycat
