#include "readout/dig2_setup.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cmath>
#include <optional>
#include <vector>

#include "daq/core/error.hpp"
#include "readout/dig2_events.hpp"

namespace alleycat::dig2 {
namespace {

constexpr double kOffsetTolerance = 0.02;  // percent: the converter that makes it has steps

std::optional<double> number(std::string_view text) {
    double value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end != text.data() + text.size() || !std::isfinite(value)) return std::nullopt;
    return value;
}

/// Without blanks, in small letters: "SwTrg | ITLA" is "swtrg|itla" to the board.
std::string plain(std::string_view text) {
    std::string all;
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        if (std::isspace(byte) == 0) all += static_cast<char>(std::tolower(byte));
    }
    return all;
}

struct Setting {
    std::string path, value;
    double tolerance = 0;
};

std::vector<Setting> settings(const BoardInfo& board, const Dig2Config& config, unsigned inputs) {
    std::vector<Setting> all;
    const auto set = [&](std::string path, std::string value, double tolerance = 0) {
        all.push_back({std::move(path), std::move(value), tolerance});
    };
    set("/endpoint/par/activeendpoint", "raw");
    set("/par/ClockSource", config.clock_source);
    set("/par/IOlevel", config.io_level);
    set("/par/StartSource", config.start_source);
    set("/par/AcqTriggerSource", config.trigger_source);
    set("/par/TriggerIDMode", config.trigger_id);
    set("/par/RecordLengthS", std::to_string(board.samples));
    set("/par/PreTriggerS", std::to_string(config.pre_trigger_samples));
    for (unsigned input = 0; input < inputs; ++input) {
        const auto wanted = std::find(config.inputs.begin(), config.inputs.end(), input);
        set(fmt::format("/ch/{}/par/ChEnable", input), wanted != config.inputs.end() ? "True" : "False");
        if (wanted == config.inputs.end()) continue;
        set(fmt::format("/ch/{}/par/DCOffset", input), fmt::format("{}", config.dc_offset_percent), kOffsetTolerance);
        if (!config.threshold_adc) continue;
        const ChannelInfo& channel = board.channels[static_cast<std::size_t>(wanted - config.inputs.begin())];
        set(fmt::format("/ch/{}/par/TriggerThrMode", input), "Relative");
        set(fmt::format("/ch/{}/par/TriggerThr", input), std::to_string(*config.threshold_adc));
        set(fmt::format("/ch/{}/par/SelfTriggerEdge", input), channel.negative_pulses ? "Fall" : "Rise");
        set(fmt::format("/ch/{}/par/ITLConnect", input), "ITLA");
    }
    for (const auto& [path, value] : config.parameters) set(path, value);
    return all;
}

LinkOptions options(const BoardInfo& board, const Dig2Config& config, std::stop_token stop) {
    return {.who = name_board(board, config), .timeout = config.timeout, .stop = std::move(stop)};
}

Address address(const Dig2Config& config) {
    // The station file was checked; who calls without one gets an address that does not answer.
    return parse_address(config.address).value_or(Address{.host = config.address, .port = kControlPort});
}

double number_of(Control& control, const std::string& who, std::string_view path) {
    const std::string text = control.get(path);
    const std::optional<double> value = number(text);
    if (!value || *value < 0) throw Error{fmt::format("{}: {}: '{}' is not a number", who, path, text)};
    return *value;
}

Identity read_identity(Control& control, const std::string& who) {
    Identity identity;
    identity.model = control.get("/par/ModelName");
    identity.serial = control.get("/par/SerialNum");
    identity.firmware_type = control.get("/par/FwType");
    identity.firmware = fmt::format("{} {}", control.get("/par/cupver"), control.get("/par/FPGA_FwVer"));
    identity.inputs = static_cast<unsigned>(std::min(number_of(control, who, "/par/NumCh"), 1e6));
    identity.bits = static_cast<unsigned>(std::min(number_of(control, who, "/par/ADC_Nbit"), 1e6));
    identity.megasamples_per_s = number_of(control, who, "/par/ADC_SamplRate");
    return identity;
}

/// Whether this board can be the one of the station.
void check(const Identity& found, const BoardInfo& board, const Dig2Config& config, const std::string& who) {
    if (plain(found.firmware_type).find("scope") == std::string::npos) {
        throw Error{fmt::format("{}: its firmware is {}: the scope firmware is needed", who, found.firmware_type)};
    }
    if (!board.serial.empty() && board.serial != found.serial) {
        throw Error{
            fmt::format("{}: its serial number is {}, the station file says {}", who, found.serial, board.serial)};
    }
    const bool decimates = std::any_of(config.parameters.begin(), config.parameters.end(), [](const auto& parameter) {
        return plain(parameter.first).find("decimation") != std::string::npos;
    });
    const double period_ps = 1e6 / found.megasamples_per_s;
    if (!decimates && std::abs(period_ps - static_cast<double>(board.sample_period_ps)) > 0.5) {
        throw Error{fmt::format("{}: takes a sample every {} ps, sample_period_ps says {}", who, period_ps,
                                board.sample_period_ps)};
    }
    const unsigned last = config.inputs.empty() ? 0 : *std::max_element(config.inputs.begin(), config.inputs.end());
    if (last >= found.inputs || found.inputs > kMostChannels) {
        throw Error{fmt::format("{}: has {} inputs, {} is configured", who, found.inputs, last)};
    }
}

void write_settings(Control& control, const std::vector<Setting>& all, const std::string& who) {
    for (const Setting& setting : all) {
        control.set(setting.path, setting.value);
        const std::string is = control.get(setting.path);
        if (!same_value(setting.value, is, setting.tolerance)) {
            throw Error{fmt::format("{}: {}: wanted {}, it is {}", who, setting.path, setting.value, is)};
        }
    }
}

}  // namespace

bool same_value(std::string_view wanted, std::string_view got, double tolerance) {
    const std::optional<double> a = number(wanted), b = number(got);
    if (a && b) return std::abs(*a - *b) <= tolerance;
    return plain(wanted) == plain(got);
}

std::string name_board(const BoardInfo& board, const Dig2Config& config) {
    return fmt::format("board {} ({})", board.name, config.address);
}

Identity ask_identity(const BoardInfo& board, const Dig2Config& config) {
    Control control{address(config), options(board, config, {})};
    return read_identity(control, name_board(board, config));
}

Session open_session(const BoardInfo& board, const Dig2Config& config, std::stop_token stop) {
    const std::string who = name_board(board, config);
    Address to = address(config);
    Control control{to, options(board, config, stop)};
    const Identity identity = read_identity(control, who);
    check(identity, board, config, who);
    to.port = control.data_port();
    DataLink data{to, options(board, config, stop)};
    data.drop_to_empty_block();
    if (control.command("/cmd/Reset")) data.drop_to_empty_block();
    write_settings(control, settings(board, config, identity.inputs), who);
    // It follows from the settings.
    data.limit_blocks(static_cast<std::uint64_t>(std::min(number_of(control, who, "/par/MaxRawDataSize"), 1e15)));
    return {std::move(control), std::move(data), identity};
}

void start_acquisition(Session& session, const Dig2Config& config) {
    if (session.control.command("/cmd/ArmAcquisition")) session.data.drop_to_empty_block();
    if (config.start_source == "SWcmd") session.control.command("/cmd/SwStartAcquisition");
}

}  // namespace alleycat::dig2
