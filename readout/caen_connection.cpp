#include "readout/caen_connection.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <utility>

#include "daq/core/error.hpp"
#include "readout/caen_family.hpp"

namespace alleycat::caen {
namespace {

/// A getter computes it anew from the length of the record, in whole percent.
constexpr std::uint32_t kPostTriggerTolerance = 1;
constexpr double kOffsetSteps = 65'535;

std::string name_board(const BoardInfo& board, const CaenBoardConfig& config) {
    static constexpr std::array<std::string_view, 8> kLinks{
        "usb", "optical", "usb_a4818_v2718", "usb_a4818_v3718", "usb_a4818_v4718", "usb_a4818", "", "usb_v4718"};
    std::string place = fmt::format("{} {}", kLinks[static_cast<std::size_t>(config.link)], config.link_number);
    if (config.link != Link::usb || config.conet_node != 0) place += fmt::format(", node {}", config.conet_node);
    if (config.vme_address != 0) place += fmt::format(", VME 0x{:08X}", config.vme_address);
    return fmt::format("board {} ({})", board.name, place);
}

template <std::size_t N>
std::string text_of(const std::array<char, N>& field) {
    std::string text{field.begin(), std::find(field.begin(), field.end(), '\0')};
    while (!text.empty() && text.back() == ' ') text.pop_back();
    return text;
}

/// CAEN_DGTZ_BoardFamilyCode_t
std::string family_of(std::uint32_t code) {
    static constexpr std::array<std::string_view, 17> kFamilies{"x724", "x721", "x731", "x720", "x740", "x751",
                                                                "x742", "x780", "x761", "x743", "",     "x730",
                                                                "x790", "x781", "x725", "",     "x782"};
    if (code < kFamilies.size() && !kFamilies[code].empty()) return std::string{kFamilies[code]};
    return fmt::format("a family with the code {}", code);
}

/// The DPP firmware whose releases of the mezzanines' FPGA begin with this number; "": waveform recording.
std::string dpp_firmware(std::string_view amc_release) {
    unsigned major = 0;
    const std::size_t digits = std::min(amc_release.find_first_of("0123456789"), amc_release.size());
    (void)std::from_chars(amc_release.data() + digits, amc_release.data() + amc_release.size(), major);
    switch (major) {
        case 0x80:
        case 0x8B: return "DPP-PHA";
        case 0x82:
        case 0x86: return "DPP-CI";
        case 0x83:
        case 0x84:
        case 0x88: return "DPP-PSD";
        case 0x85:
        case 0x8C: return "DPP-ZLE";
        case 0x87: return "DPP-QDC";
        case 0x89:
        case 0x8D: return "DPP-DAW";
        default: return major >= 0x80 ? "a DPP firmware" : "";
    }
}

std::uint32_t mode_of(bool on, bool output) noexcept {
    if (!on) return static_cast<std::uint32_t>(TriggerMode::off);
    return static_cast<std::uint32_t>(output ? TriggerMode::acquire_and_output : TriggerMode::acquire);
}

}  // namespace

Connection::Connection(const BoardInfo& board, const CaenBoardConfig& config) try
    : config_{config}, who_{name_board(board, config)}, serial_{board.serial}, library_{config.library} {
    for (const std::uint16_t input : config_.inputs) input_mask_ |= 1u << input;
    make_settings(board);
} catch (const Error& e) {
    throw Error{fmt::format("board {}: {}", board.name, e.what())};
}

void Connection::require(Code code, std::string_view call) const {
    if (code != kSuccess) throw Error{fmt::format("{}: CAEN_DGTZ_{}: {} ({})", who_, call, to_text(code), code)};
}

void Connection::make_settings(const BoardInfo& board) {
    const auto add = [&](std::string name, std::uint32_t wanted, auto set, auto get, std::uint32_t tolerance = 0) {
        settings_.push_back({std::move(name), wanted, [this, set](std::uint32_t value) { return set(*handle_, value); },
                             [this, get](std::uint32_t* value) { return get(*handle_, value); }, tolerance});
    };
    add("record length", board.samples, library_.set_record_length, library_.get_record_length);
    add("mask of the inputs", input_mask_, library_.set_inputs, library_.get_inputs);
    add("post-trigger [%]", config_.post_trigger_percent, library_.set_post_trigger, library_.get_post_trigger,
        kPostTriggerTolerance);
    for (std::size_t c = 0; c < config_.inputs.size(); ++c) {
        const auto steps = static_cast<std::uint32_t>(std::lround(config_.dc_offset_percent[c] / 100 * kOffsetSteps));
        add_of_input("DC offset", c, steps, library_.set_offset, library_.get_offset);
    }
    add_trigger_settings(board);
    add("external trigger", mode_of(config_.external_trigger, config_.trigger_output), library_.set_external_trigger,
        library_.get_external_trigger);
    add("software trigger", mode_of(config_.software_trigger, config_.trigger_output), library_.set_software_trigger,
        library_.get_software_trigger);
    add("level of the front panel", static_cast<std::uint32_t>(config_.io_level), library_.set_io_level,
        library_.get_io_level);
    add("start mode", static_cast<std::uint32_t>(config_.start), library_.set_start, library_.get_start);
    add_bits("which triggers are counted", kAcquisitionControl, 3, 1, config_.count_all_triggers ? 1 : 0);
    add_bits("what the pattern holds", kFrontPanel, kPatternShift, 3, config_.extended_time_tag ? 2 : 0);
    add("events per read", config_.events_per_read, library_.set_events_per_read, library_.get_events_per_read);
    for (const auto& [address, value] : config_.registers)
        add_bits(fmt::format("register 0x{:04X}", address), address, 0, 0xFFFF'FFFF, value);
}

void Connection::add_of_input(std::string_view name, std::size_t channel, std::uint32_t wanted, InputSetter set,
                              InputGetter get) {
    const std::uint32_t input = config_.inputs[channel];
    settings_.push_back({fmt::format("{} of input {}", name, input), wanted,
                         [this, input, set](std::uint32_t value) { return set(*handle_, input, value); },
                         [this, input, get](std::uint32_t* value) { return get(*handle_, input, value); }});
}

/// Of the inputs: first none of them triggers, then those that are to.
void Connection::add_trigger_settings(const BoardInfo& board) {
    add_self_trigger(false, [this] { return (1u << identity_.inputs) - 1; });
    if (!config_.channel_trigger) return;
    for (std::size_t c = 0; c < config_.inputs.size(); ++c) {
        const Edge edge = board.channels[c].negative_pulses ? Edge::falling : Edge::rising;
        add_of_input("threshold", c, config_.thresholds[c], library_.set_threshold, library_.get_threshold);
        add_of_input("trigger edge", c, static_cast<std::uint32_t>(edge), library_.set_edge, library_.get_edge);
    }
    add_self_trigger(true, [this] { return input_mask_; });
}

/// Set for all inputs of the mask at once, since some boards share it between two of them; read back of each.
void Connection::add_self_trigger(bool on, std::function<std::uint32_t()> mask) {
    for (std::size_t c = 0; c < config_.inputs.size(); ++c) {
        add_of_input("self trigger", c, mode_of(on, config_.trigger_output), nullptr, library_.get_self_trigger);
        settings_.back().write = [this, mask, first = c == 0](std::uint32_t mode) {
            return first ? library_.set_self_trigger(*handle_, mode, mask()) : kSuccess;
        };
    }
}

/// Bits of a register; the others stay as they are.
void Connection::add_bits(std::string name, std::uint32_t address, unsigned shift, std::uint32_t mask,
                          std::uint32_t wanted) {
    settings_.push_back({std::move(name), wanted,
                         [this, address, shift, mask](std::uint32_t value) {
                             std::uint32_t all = 0;
                             const Code code = library_.read_register(*handle_, address, &all);
                             if (code != kSuccess) return code;
                             all = (all & ~(mask << shift)) | value << shift;
                             return library_.write_register(*handle_, address, all);
                         },
                         [this, address, shift, mask](std::uint32_t* value) {
                             const Code code = library_.read_register(*handle_, address, value);
                             *value = *value >> shift & mask;
                             return code;
                         }});
}

void Connection::apply(const Setting& setting) const {
    const auto refuse = [&](Code code, std::string_view what) {
        if (code != kSuccess) {
            throw Error{fmt::format("{}: {}: cannot be {}: {} ({})", who_, setting.name, what, to_text(code), code)};
        }
    };
    refuse(setting.write(setting.wanted), "set");
    std::uint32_t is = 0;
    refuse(setting.read(&is), "read back");
    const std::uint32_t off = std::max(is, setting.wanted) - std::min(is, setting.wanted);
    if (off > setting.tolerance)
        throw Error{fmt::format("{}: {}: wanted {}, it is {}", who_, setting.name, setting.wanted, is)};
}

void Connection::step() {
    switch (step_) {
        case Step::open: open(); break;
        case Step::identify: identify(); break;
        case Step::reset: require(library_.reset(*handle_), "Reset"); break;
        case Step::settings:
            apply(settings_[next_setting_]);
            if (++next_setting_ < settings_.size()) return;
            break;
        case Step::calibrate:
            if (config_.calibrate && has_thermometers(config_.family))
                require(library_.calibrate(*handle_), "Calibrate");
            break;
        case Step::buffer:
            require(library_.make_buffer(*handle_, &buffer_, &buffer_bytes_), "MallocReadoutBuffer");
            break;
        case Step::clear:
            require(library_.clear(*handle_), "ClearData");
            (void)read_register(kReadoutStatus);  // a clock that was lost before is no concern of this run
            break;
        case Step::start: require(library_.start(*handle_), "SWStartAcquisition"); break;
        case Step::done: return;
    }
    step_ = static_cast<Step>(static_cast<int>(step_) + 1);
}

void Connection::open() {
    int handle = -1;
    require(library_.open(static_cast<std::uint32_t>(config_.link), config_.link_number, config_.conet_node,
                          config_.vme_address, &handle),
            "OpenDigitizer");
    handle_ = handle;
}

void Connection::identify() {
    Info info{};
    require(library_.get_info(*handle_, &info), "GetInfo");
    identity_ = {.model = text_of(info.model_name),
                 .serial = fmt::format("{}", info.serial),
                 .firmware = fmt::format("ROC {}, AMC {}", text_of(info.roc_firmware), text_of(info.amc_firmware)),
                 .inputs = std::min(info.channels, 16u)};
    check(info);
    serial_ = identity_.serial;  // another board in its place is not the one that went away
}

/// Whether it can be the board of the station file.
void Connection::check(const Info& info) const {
    if (const std::string family = family_of(info.family); family != to_text(config_.family)) {
        throw Error{fmt::format("{}: is a {}, {}: the station file says {}", who_, identity_.model, family,
                                to_text(config_.family))};
    }
    if (const std::string dpp = dpp_firmware(text_of(info.amc_firmware)); !dpp.empty()) {
        throw Error{fmt::format("{}: its firmware is {} ({}): the waveform recording firmware is needed", who_, dpp,
                                identity_.firmware)};
    }
    if (!serial_.empty() && serial_ != identity_.serial) {
        throw Error{fmt::format("{}: its serial number is {}, {} was expected", who_, identity_.serial, serial_)};
    }
    const std::uint16_t last = *std::max_element(config_.inputs.begin(), config_.inputs.end());
    if (last >= identity_.inputs) {
        throw Error{fmt::format("{}: has inputs 0 to {}, {} is configured", who_,
                                static_cast<int>(identity_.inputs) - 1, last)};
    }
}

void Connection::close() noexcept {
    if (handle_) {
        // What these say is of no use: a board that is away refuses all of them.
        if (step_ == Step::done) (void)library_.stop(*handle_);
        if (buffer_ != nullptr) (void)library_.free_buffer(&buffer_);
        (void)library_.close(*handle_);
    }
    handle_.reset();
    buffer_ = nullptr;
    buffer_bytes_ = 0;
    step_ = Step::open;
    next_setting_ = 0;
}

Identity Connection::ask_identity() {
    open();
    identify();
    close();
    return identity_;
}

std::span<const std::uint32_t> Connection::read() {
    std::uint32_t bytes = 0;
    require(library_.read(*handle_, kReadMode, buffer_, &bytes), "ReadData");
    if (bytes > buffer_bytes_ || bytes % sizeof(std::uint32_t) != 0)
        throw Error{fmt::format("{}: CAEN_DGTZ_ReadData gave {} bytes, its buffer has {}", who_, bytes, buffer_bytes_)};
    return {reinterpret_cast<const std::uint32_t*>(buffer_), bytes / sizeof(std::uint32_t)};
}

std::uint32_t Connection::read_register(std::uint32_t address) {
    std::uint32_t value = 0;
    require(library_.read_register(*handle_, address, &value), "ReadRegister");
    return value;
}

std::optional<double> Connection::temperature_c(unsigned input) {
    std::uint32_t degrees = 0;
    const Code code = library_.read_temperature(*handle_, static_cast<std::int32_t>(input), &degrees);
    if (code == kCommError) require(code, "ReadTemperature");
    return code == kSuccess ? std::optional<double>{degrees} : std::nullopt;
}

void Connection::send_trigger() { require(library_.trigger(*handle_), "SendSWtrigger"); }

}  // namespace alleycat::caen
