#include "readout/sis3316_setup.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "readout/sis3316_registers.hpp"

namespace alleycat {
namespace {

constexpr std::uint32_t kMostSamples = 33'554'430;   ///< of the extended raw buffer
constexpr std::uint32_t kMostPlainSamples = 65'534;  ///< of the plain one
constexpr std::uint32_t kMostGateSamples = 65'536;
constexpr std::int64_t kMostPretrigger = 16'378;

/// "10.0.0.12" or "digitizer:57344".
void parse_address(ConfigSection& section, Sis3316Config& config) {
    const std::string address = section.required_text("address");
    const std::size_t colon = address.rfind(':');
    config.host = address.substr(0, colon);
    config.port = sis3316::kDefaultPort;
    if (colon != std::string::npos) {
        const char* const end = address.data() + address.size();
        const auto [stop, error] = std::from_chars(address.data() + colon + 1, end, config.port);
        if (error != std::errc{} || stop != end || config.port == 0)
            section.problem("address", fmt::format("'{}' must end in a port from 1 to 65535", address));
    }
    if (section.has("address") && config.host.empty())
        section.problem("address", fmt::format("'{}' must be HOST or HOST:PORT", address));
}

/// Whole numbers, one per channel; a list of one stands for all.
std::vector<std::uint32_t> per_channel(ConfigSection& section, std::string_view key, double fallback, double min,
                                       double max, std::size_t channels) {
    const std::vector<double> values = section.number_list(key, {fallback}, min, max);
    std::vector<std::uint32_t> all;
    for (const double value : values) {
        all.push_back(static_cast<std::uint32_t>(value));
        if (value != static_cast<double>(all.back())) section.problem(key, fmt::format("{} is no whole number", value));
    }
    if (all.size() != 1 && all.size() != channels) {
        if (section.has(key))
            section.problem(key, fmt::format("holds {} numbers: one for all or one for each of the {} channels",
                                             values.size(), channels));
        all.assign(1, static_cast<std::uint32_t>(fallback));
    }
    if (all.size() == 1) all.resize(channels, all.front());
    return all;
}

std::vector<unsigned> parse_inputs(ConfigSection& section, std::size_t channels) {
    std::vector<double> counted;
    for (std::size_t c = 1; c <= channels; ++c) counted.push_back(static_cast<double>(c));
    const std::vector<double> numbers = section.number_list("inputs", counted, 1, sis3316::kInputs);
    if (numbers.size() != channels) {
        section.problem("inputs",
                        fmt::format("names {} inputs of the board, it has {} channels", numbers.size(), channels));
    }
    std::vector<unsigned> inputs;
    for (std::size_t c = 0; c < channels; ++c) {
        const double number = c < numbers.size() ? numbers[c] : 1;
        const auto input = static_cast<unsigned>(number) - 1;
        if (static_cast<double>(input + 1) != number) {
            section.problem("inputs", fmt::format("{} is no whole number", number));
        } else if (c < numbers.size() && std::find(inputs.begin(), inputs.end(), input) != inputs.end()) {
            section.problem("inputs", fmt::format("input {} is given twice", input + 1));
        }
        inputs.push_back(input);
    }
    return inputs;
}

std::vector<std::uint32_t> parse_ranges(ConfigSection& section, std::size_t channels) {
    constexpr std::array<std::string_view, 3> kRanges{"5V", "2V", "1.9V"};
    const std::vector<std::string> words = section.text_list("range", {"5V"});
    std::vector<std::uint32_t> gains;
    for (const std::string& word : words) {
        const auto found = std::find(kRanges.begin(), kRanges.end(), word);
        if (found == kRanges.end()) section.problem("range", fmt::format("'{}' is not one of 5V, 2V, 1.9V", word));
        gains.push_back(found == kRanges.end() ? 0 : static_cast<std::uint32_t>(found - kRanges.begin()));
    }
    if (gains.size() != 1 && gains.size() != channels) {
        section.problem("range", fmt::format("holds {} ranges: one for all or one for each of the {} channels",
                                             gains.size(), channels));
        gains.assign(1, 0);
    }
    if (gains.size() == 1) gains.resize(channels, gains.front());
    return gains;
}

std::uint32_t even(ConfigSection& section, std::string_view key, std::int64_t fallback, std::int64_t min,
                   std::int64_t max) {
    const std::int64_t value = section.integer(key, fallback, min, max);
    if (value % 2 != 0) section.problem(key, fmt::format("{} is odd: the board counts samples in pairs", value));
    return static_cast<std::uint32_t>(value);
}

/// What the board cannot do although other boards can.
void check_board(ConfigSection& section, const BoardInfo& board) {
    if (board.channels.size() > sis3316::kInputs) section.problem("channel", "a SIS3316 has 16 inputs");
    if (board.sample_type != SampleType::uint16) section.problem("sample_type", "a SIS3316 delivers uint16");
    if (board.sample_period_ps != 4000 && board.sample_period_ps != 8000) {
        section.problem("sample_period_ps", fmt::format("{}: a SIS3316 is run at 4000 or 8000 ps (250 or 125 MS/s)",
                                                        board.sample_period_ps));
    }
    if (board.clock_period_ps != board.sample_period_ps) {
        section.problem("clock_period_ps", fmt::format("{}: a SIS3316 stamps time in sample periods ({} ps)",
                                                       board.clock_period_ps, board.sample_period_ps));
    }
    if (board.samples == 0 || board.samples % 2 != 0 || board.samples > kMostSamples) {
        section.problem("samples",
                        fmt::format("{}: a SIS3316 takes an even number from 2 to {}", board.samples, kMostSamples));
    }
}

}  // namespace

Sis3316Config parse_sis3316(ConfigSection& board_section, const BoardInfo& board) {
    check_board(board_section, board);
    ConfigSection section = board_section.section("sis3316");
    const std::size_t channels = std::min<std::size_t>(board.channels.size(), sis3316::kInputs);
    Sis3316Config config;
    parse_address(section, config);
    config.local_port = static_cast<std::uint16_t>(section.integer("local_port", 0, 0, 65'535));
    config.protocol = section.choice("protocol", sis3316::Protocol::automatic,
                                     {{"auto", sis3316::Protocol::automatic},
                                      {"plain", sis3316::Protocol::plain},
                                      {"identifier", sis3316::Protocol::identifier}});
    config.timeout = std::chrono::milliseconds{section.integer("timeout_ms", 40, 1, 80)};
    config.inputs = parse_inputs(section, channels);
    config.gains = parse_ranges(section, channels);
    config.termination_50ohm = section.boolean("termination_50ohm", true);
    config.dac_offsets = per_channel(section, "dac_offset", 32'768, 0, 65'535, channels);
    config.pretrigger_samples = even(section, "pretrigger_samples", 0, 0, kMostPretrigger);
    config.gate_samples =
        even(section, "gate_samples", std::clamp(board.samples / 2 * 2, 2u, kMostGateSamples), 2, kMostGateSamples);
    config.clear_timestamp = section.choice(
        "clear_timestamp", TimestampClear::start,
        {{"start", TimestampClear::start}, {"input", TimestampClear::input}, {"never", TimestampClear::never}});
    config.clock = section.choice("clock", Sis3316Clock::internal,
                                  {{"internal", Sis3316Clock::internal}, {"fp_bus", Sis3316Clock::fp_bus}});
    if (board.self_triggered) {
        if (!section.has("threshold_adc")) section.problem("threshold_adc", "is missing: the board triggers itself");
        config.thresholds_adc = per_channel(section, "threshold_adc", 1, 1, 65'535, channels);
        config.peaking_samples = even(section, "peaking_samples", 8, 2, 510);
        config.gap_samples = even(section, "gap_samples", 8, 2, 510);
    }
    section.finish();
    return config;
}

sis3316::LinkConfig link_config(const Sis3316Config& config) {
    return {.host = config.host,
            .port = config.port,
            .local_port = config.local_port,
            .protocol = config.protocol,
            .timeout = config.timeout};
}

namespace sis3316 {
namespace {

using Kind = SetupStep::Kind;
using std::chrono::milliseconds;

class Steps {
  public:
    Steps(const BoardInfo& board, const Sis3316Config& config) : board_{board}, config_{config} {}

    void write(std::string_view name, std::uint32_t address, std::uint32_t value) {
        all_.push_back({.kind = Kind::write, .name = name, .address = address, .value = value});
    }
    void verified(std::string_view name, std::uint32_t address, std::uint32_t value, std::uint32_t mask = ~0u) {
        write(name, address, value);
        all_.push_back({.kind = Kind::verify, .name = name, .address = address, .value = value, .mask = mask});
    }
    void wait(milliseconds length) { all_.push_back({.kind = Kind::wait, .pause = length}); }

    /// The programmable oscillator (Si570), by I2C: dividers for 250 or 125 MHz, then a new frequency.
    void oscillator() {
        const std::uint32_t divider = board_.sample_period_ps == 4000 ? 0x20 : 0x21;
        i2c({137, 0x10});          // freeze
        i2c({13, divider, 0xC2});  // dividers
        i2c({137, 0x00});          // unfreeze
        i2c({135, 0x40});          // new frequency
        wait(milliseconds{10});
    }
    void sample_clock(bool sixteen_bit) {
        verified("SAMPLE_CLOCK_DISTRIBUTION_CONTROL", reg::sample_clock_distribution,
                 static_cast<std::uint32_t>(config_.clock), 0x3);
        if (config_.clock == Sis3316Clock::internal) oscillator();
        write("KEY_ADC_CLOCK_DCM_RESET", reg::key_adc_clock_dcm_reset, 0);
        wait(milliseconds{5});
        const std::uint32_t delay = sixteen_bit ? 0x7F : 0x48;
        for (unsigned g = 0; g < kGroups; ++g) {
            const std::uint32_t tap = reg::of_group(reg::input_tap_delay, g);
            write("INPUT_TAP_DELAY", tap, 0xF00);  // calibrate
            wait(milliseconds{1});
            write("INPUT_TAP_DELAY", tap, 0x300 | delay);
            write("INPUT_TAP_DELAY", tap, 0x400);  // clear the link's error bits
        }
    }
    /// Both ADC chips of a group: outputs on, offset binary.
    void adc_chips(unsigned group, bool sixteen_bit) {
        const std::uint32_t spi = reg::of_group(reg::spi_ctrl, group);
        const std::uint32_t output = sixteen_bit ? 0x8100'1440 : 0x8100'1404;
        for (const std::uint32_t value : {output, 0x8100'FF01u}) {
            write("SPI_CTRL", spi, value);
            write("SPI_CTRL", spi, value | 0x0040'0000);
        }
    }
    void offsets(unsigned group) {
        const std::uint32_t dac = reg::of_group(reg::dac_offset_ctrl, group);
        write("DAC_OFFSET_CTRL", dac, 0x88F0'0001);  // internal reference on
        wait(milliseconds{1});
        for (std::size_t c = 0; c < config_.inputs.size(); ++c) {
            const unsigned input = config_.inputs[c];
            if (input / kInputsPerGroup != group) continue;
            write("DAC_OFFSET_CTRL", dac, 0x8200'0000 | (input % kInputsPerGroup) << 20 | config_.dac_offsets[c] << 4);
        }
        wait(milliseconds{1});
    }
    void analog(unsigned group) {
        std::uint32_t value = 0;
        for_each_of(group, [&](unsigned shift, std::size_t c) {
            value |= (config_.gains[c] | (config_.termination_50ohm ? 0 : bits::termination_off)) << shift;
        });
        verified("ANALOG_CTRL", reg::of_group(reg::analog_ctrl, group), value);
    }
    void events(unsigned group) {
        verified("CHANNEL_HEADER", reg::of_group(reg::channel_header, group), group << 22);
        verified("TRIGGER_GATE_WINDOW_LENGTH", reg::of_group(reg::trigger_gate_window, group), config_.gate_samples - 2,
                 0xFFFF);
        const bool extended = board_.samples > kMostPlainSamples;
        verified("RAW_DATA_BUFFER_CONFIG", reg::of_group(reg::raw_data_buffer, group),
                 extended ? 0 : board_.samples << 16);
        verified("EXTENDED_RAW_DATA_BUFFER_CONFIG", reg::of_group(reg::extended_raw_data_buffer, group),
                 extended ? board_.samples : 0);
        verified("PRE_TRIGGER_DELAY", reg::of_group(reg::pre_trigger_delay, group), config_.pretrigger_samples);
        verified("DATAFORMAT_CONFIG", reg::of_group(reg::dataformat_config, group), 0);
    }
    void triggers(unsigned group) {
        std::uint32_t event_config = 0;
        for_each_of(group, [&](unsigned shift, std::size_t c) {
            event_config |= (board_.channels[c].negative_pulses ? bits::input_invert : 0) << shift;
            event_config |= (board_.self_triggered ? bits::internal_trigger_of_input : bits::external_trigger_of_input)
                            << shift;
        });
        for (std::size_t c = 0; c < config_.inputs.size(); ++c) {
            const unsigned input = config_.inputs[c];
            if (input / kInputsPerGroup != group) continue;
            const std::uint32_t threshold = reg::of_input(reg::fir_trigger_threshold, input, 0x10);
            write("FIR_TRIGGER_THRESHOLD", threshold, 0);  // off while the filter changes
            if (!board_.self_triggered) continue;
            verified("FIR_TRIGGER_SETUP", reg::of_input(reg::fir_trigger_setup, input, 0x10),
                     config_.gap_samples << 12 | config_.peaking_samples);
            // The filter's sum over the peaking time is compared: counts times its length.
            verified(
                "FIR_TRIGGER_THRESHOLD", threshold,
                bits::trigger_enable | (bits::threshold_zero + config_.thresholds_adc[c] * config_.peaking_samples));
        }
        verified("EVENT_CONFIG", reg::of_group(reg::event_config, group), event_config);
    }
    void inputs_and_acquisition() {
        const bool clears = config_.clear_timestamp == TimestampClear::input;
        verified("NIM_INPUT_CONTROL", reg::nim_input_control,
                 (board_.self_triggered ? 0 : bits::ti_is_trigger) | (clears ? bits::ui_clears_timestamp : 0), 0x3FFF);
        verified("ACQUISITION_CONTROL", reg::acquisition_control,
                 (board_.self_triggered ? 0 : bits::external_trigger) | (clears ? bits::external_timestamp_clear : 0),
                 0xFFFF);
    }
    [[nodiscard]] bool uses(unsigned group) const {
        return std::any_of(config_.inputs.begin(), config_.inputs.end(),
                           [&](unsigned input) { return input / kInputsPerGroup == group; });
    }
    [[nodiscard]] std::vector<SetupStep> take() && { return std::move(all_); }

  private:
    /// The bits of each input in use, within a register of the group that holds eight for each.
    template <class F>
    void for_each_of(unsigned group, F&& f) const {
        for (std::size_t c = 0; c < config_.inputs.size(); ++c) {
            if (config_.inputs[c] / kInputsPerGroup == group) f(8 * (config_.inputs[c] % kInputsPerGroup), c);
        }
    }
    void i2c(std::initializer_list<std::uint32_t> bytes) {
        constexpr std::uint32_t start = 1u << 9, stop = 1u << 11, write_byte = 1u << 12, oscillator_address = 0x55 << 1;
        i2c_cycle(start);
        i2c_cycle(write_byte | oscillator_address);
        for (const std::uint32_t byte : bytes) i2c_cycle(write_byte | byte);
        i2c_cycle(stop);
    }
    void i2c_cycle(std::uint32_t value) {
        constexpr std::uint32_t busy = 1u << 31;
        write("ADC_CLK_OSC_I2C", reg::adc_clk_osc_i2c, value);
        all_.push_back(
            {.kind = Kind::await_clear, .name = "ADC_CLK_OSC_I2C", .address = reg::adc_clk_osc_i2c, .mask = busy});
    }

    const BoardInfo& board_;
    const Sis3316Config& config_;
    std::vector<SetupStep> all_;
};

}  // namespace

std::vector<SetupStep> setup_steps(const BoardInfo& board, const Sis3316Config& config, bool sixteen_bit) {
    Steps steps{board, config};
    steps.write("KEY_DISARM", reg::key_disarm, 0);
    steps.write("KEY_RESET", reg::key_reset, 0);
    steps.sample_clock(sixteen_bit);
    for (unsigned group = 0; group < kGroups; ++group) {
        if (!steps.uses(group)) continue;
        steps.adc_chips(group, sixteen_bit);
        steps.analog(group);
        steps.offsets(group);
        steps.events(group);
        steps.triggers(group);
    }
    steps.inputs_and_acquisition();
    if (config.clear_timestamp == TimestampClear::start) {
        steps.write("KEY_TIMESTAMP_CLEAR", reg::key_timestamp_clear, 0);
    }
    return std::move(steps).take();
}

}  // namespace sis3316
}  // namespace alleycat
