#include "readout/niscope_session.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include "daq/core/error.hpp"
#include "daq/core/log.hpp"

namespace alleycat::niscope {
namespace {

constexpr const char* kWholeBoard = "";
constexpr std::int32_t kMostBits = 8;

std::string list_of(const std::vector<NiScopeInput>& inputs) {
    std::vector<unsigned> numbers;
    for (const NiScopeInput& input : inputs) numbers.push_back(input.number);
    return fmt::format("{}", fmt::join(numbers, ","));
}

/// One line, whatever the library put into it.
std::string in_one_line(std::string_view text) {
    std::string line;
    for (const char c : text) {
        const bool blank = c == '\n' || c == '\r' || c == '\t' || c == ' ';
        if (!blank) {
            line += c;
        } else if (!line.empty() && line.back() != ' ') {
            line += ' ';
        }
    }
    while (!line.empty() && line.back() == ' ') line.pop_back();
    return line;
}

}  // namespace

std::string Identity::revisions() const { return fmt::format("{}, driver {}", firmware, driver); }

std::string name_board(const BoardInfo& board, const NiScopeConfig& config) {
    return fmt::format("board {} ({})", board.name, config.resource);
}

std::shared_ptr<const Library> load_library(const BoardInfo& board, const NiScopeConfig& config) {
    try {
        return std::make_shared<const Library>(config.library);
    } catch (const Error& e) {
        throw Error{
            fmt::format("{}: {}: install NI-SCOPE of National Instruments, or say in [board.niscope] where its "
                        "library is",
                        name_board(board, config), e.what())};
    }
}

Session::Session(std::shared_ptr<const Library> library, const BoardInfo& board, const NiScopeConfig& config, Open how)
    : library_{std::move(library)},
      board_{board},
      config_{config},
      who_{name_board(board, config)},
      channels_{list_of(config.inputs)} {
    const Boolean reset = how == Open::reset ? kTrue : kFalse;
    try {
        check("niScope_init", library_->init(config_.resource.c_str(), reset, reset, &vi_));
    } catch (...) {
        if (vi_ != 0) (void)library_->close(vi_);  // a session may be left of an init that failed
        throw;
    }
}

Session::~Session() { (void)library_->close(vi_); }

Identity Session::identity() {
    return {.model = text(attribute::instrument_model, "model"),
            .serial = text(attribute::serial_number, "serial number"),
            .firmware = text(attribute::instrument_firmware_revision, "firmware revision"),
            .driver = text(attribute::specific_driver_revision, "driver revision"),
            .inputs = integer(attribute::channel_count, "number of inputs"),
            .bits = integer(attribute::resolution, "resolution")};
}

void Session::check_identity(const Identity& found) const {
    if (!board_.serial.empty() && board_.serial != found.serial) {
        throw Error{
            fmt::format("{}: its serial number is {}, the station file says {}", who_, found.serial, board_.serial)};
    }
    if (found.bits > kMostBits) {
        throw Error{fmt::format("{}: its samples have {} bits, more than the 8 that are fetched", who_, found.bits)};
    }
    const unsigned last = config_.inputs.empty() ? 0 : config_.inputs.back().number;
    if (static_cast<std::int64_t>(last) >= found.inputs) {
        throw Error{fmt::format("{}: has {} inputs, counted from 0: {} is configured", who_, found.inputs, last)};
    }
}

Layout Session::configure(const Identity& found) {
    check_identity(found);
    configure_inputs(found.inputs);
    configure_horizontal();
    configure_trigger();
    configure_fetch();
    return layout();
}

void Session::configure_inputs(std::int32_t inputs) {
    for (unsigned number = 0; static_cast<std::int64_t>(number) < inputs; ++number) {
        const auto input = std::find_if(config_.inputs.begin(), config_.inputs.end(),
                                        [&](const NiScopeInput& i) { return i.number == number; });
        if (input != config_.inputs.end()) {
            configure_input(*input);
        } else {
            check("niScope_SetAttributeViBoolean(channel enabled)",
                  library_->set_boolean(vi_, std::to_string(number).c_str(), attribute::channel_enabled, kFalse));
        }
    }
}

void Session::configure_input(const NiScopeInput& input) {
    const std::string channel = std::to_string(input.number);
    const bool full = input.max_frequency_hz == 0;
    check("niScope_ConfigureVertical", library_->configure_vertical(vi_, channel.c_str(), input.range_v, input.offset_v,
                                                                    input.coupling, input.probe_attenuation, kTrue));
    check("niScope_ConfigureChanCharacteristics",
          library_->configure_characteristics(vi_, channel.c_str(), input.impedance_ohm,
                                              full ? kFullBandwidth : input.max_frequency_hz));
    expect(channel, attribute::probe_attenuation, "probe attenuation", "", input.probe_attenuation,
           1e-3 * input.probe_attenuation);
    expect(channel, attribute::vertical_range, "vertical range", " V", input.range_v, 1e-3 * input.range_v);
    // The converter that makes it has steps.
    expect(channel, attribute::vertical_offset, "vertical offset", " V", input.offset_v, 5e-3 * input.range_v);
    expect(channel, attribute::input_impedance, "input impedance", " ohm", input.impedance_ohm,
           1e-3 * input.impedance_ohm);
    expect_integer(channel, attribute::vertical_coupling, "coupling (0 AC, 1 DC)", input.coupling);
    if (!full) {
        expect(channel, attribute::max_input_frequency, "maximum input frequency", " Hz", input.max_frequency_hz,
               1e-2 * input.max_frequency_hz);
    }
}

void Session::configure_horizontal() {
    const double rate_hz = 1e12 / static_cast<double>(board_.sample_period_ps);
    const auto samples = static_cast<std::int32_t>(board_.samples);
    const double reference = 100.0 * config_.pre_trigger_samples / board_.samples;
    check("niScope_SetAttributeViBoolean(allow more records than memory)",
          library_->set_boolean(vi_, kWholeBoard, attribute::allow_more_records_than_memory, kTrue));
    check("niScope_ConfigureHorizontalTiming",
          library_->configure_horizontal(vi_, rate_hz, samples, reference, config_.records, kTrue));
    double is_hz = 0;
    check("niScope_SampleRate", library_->sample_rate(vi_, &is_hz));
    if (!(std::abs(is_hz - rate_hz) <= 1e-6 * rate_hz)) differs("sample rate", rate_hz, is_hz, " Hz");
    expect_integer(kWholeBoard, attribute::horizontal_records, "records of an acquisition", config_.records);
    expect(kWholeBoard, attribute::reference_position, "reference position", " %", reference, 100.0 / board_.samples);
}

void Session::configure_trigger() {
    const char* const source = config_.trigger_source.c_str();
    if (config_.trigger == NiScopeTrigger::digital) {
        check("niScope_ConfigureTriggerDigital",
              library_->configure_trigger_digital(vi_, source, config_.trigger_slope, 0, 0));
    } else {
        check("niScope_ConfigureTriggerEdge",
              library_->configure_trigger_edge(vi_, source, config_.trigger_level_v, config_.trigger_slope,
                                               config_.trigger_coupling, 0, 0));
        expect(kWholeBoard, attribute::trigger_level, "trigger level", " V", config_.trigger_level_v,
               0.05 + 0.05 * std::abs(config_.trigger_level_v));
        expect_integer(kWholeBoard, attribute::trigger_coupling, "trigger coupling", config_.trigger_coupling);
    }
    expect_integer(kWholeBoard, attribute::trigger_slope, "trigger slope (0 negative, 1 positive)",
                   config_.trigger_slope);
}

void Session::configure_fetch() {
    set(attribute::fetch_relative_to, "fetch relative to", kFetchFromPretrigger);
    set(attribute::fetch_offset, "fetch offset", 0);
    set(attribute::fetch_num_records, "fetch number of records", 1);
    // What a fetch writes must be what there is room for.
    std::int32_t waveforms = 0;
    check("niScope_ActualNumWfms", library_->actual_waveforms(vi_, channels_.c_str(), &waveforms));
    if (waveforms != static_cast<std::int32_t>(config_.inputs.size())) {
        differs("waveforms of a fetch", static_cast<double>(config_.inputs.size()), waveforms, "");
    }
}

Layout Session::layout() {
    Layout found;
    check("niScope_ActualRecordLength", library_->actual_record_length(vi_, &found.record_length));
    // More is no harm: what is fetched begins at the first sample asked for and ends with the last.
    if (found.record_length < static_cast<std::int32_t>(board_.samples)) {
        differs("record length", board_.samples, found.record_length, " samples");
    }
    std::int32_t bytes = 0;  // of all inputs together, whichever is asked for it
    const std::string first = std::to_string(config_.inputs.front().number);
    if (library_->get_int32(vi_, first.c_str(), attribute::onboard_memory_size, &bytes) >= 0 && bytes > 0) {
        found.records_in_memory = static_cast<std::int32_t>(
            bytes / (std::int64_t{found.record_length} * static_cast<std::int64_t>(config_.inputs.size())));
    }
    return found;
}

void Session::start() { check("niScope_InitiateAcquisition", library_->initiate(vi_)); }

void Session::abort() noexcept { (void)library_->abort(vi_); }

Status Session::fetch(std::int32_t record, std::chrono::milliseconds timeout, std::span<std::int8_t> waveforms,
                      std::span<WfmInfo> infos) noexcept {
    const Status chosen = library_->set_int32(vi_, kWholeBoard, attribute::fetch_record_number, record);
    if (chosen < 0) return chosen;
    return library_->fetch(vi_, channels_.c_str(), std::chrono::duration<double>{timeout}.count(),
                           static_cast<std::int32_t>(board_.samples), waveforms.data(), infos.data());
}

std::optional<std::int32_t> Session::records_done() noexcept {
    std::int32_t done = 0;
    const Status asked = library_->get_int32(vi_, kWholeBoard, attribute::records_done, &done);
    return asked >= 0 ? std::optional{done} : std::nullopt;
}

std::optional<double> Session::temperature_c() noexcept {
    double value = 0;
    const Status asked = library_->get_real64(vi_, kWholeBoard, attribute::device_temperature, &value);
    return asked >= 0 && std::isfinite(value) ? std::optional{value} : std::nullopt;
}

std::string Session::explain(Status status) {
    std::array<char, 1024> words{};
    Status last = 0;
    // The first says which parameter; it forgets the error with this.
    const Status asked = library_->get_error(vi_, &last, static_cast<std::int32_t>(words.size()), words.data());
    if (asked < 0 || last != status || words[0] == '\0') {
        words.fill('\0');
        (void)library_->get_error_message(vi_, status, static_cast<std::int32_t>(words.size()), words.data());
    }
    words.back() = '\0';
    const std::string said = in_one_line(words.data());
    return fmt::format("{} ({})", said.empty() ? "the library has no words for it" : said, status);
}

void Session::check(std::string_view call, Status status) {
    if (status < 0) throw Error{fmt::format("{}: {}: {}", who_, call, explain(status))};
    if (status > 0) warn(call, status);
}

void Session::warn(std::string_view call, Status status) {
    ++warnings_;
    if (std::find(known_warnings_.begin(), known_warnings_.end(), status) != known_warnings_.end()) return;
    known_warnings_.push_back(status);
    log::readout().warn("{}: {} warns: {}; it is counted and not said again", who_, call, explain(status));
}

std::uint64_t Session::take_warnings() noexcept { return std::exchange(warnings_, 0); }

void Session::differs(std::string_view what, double wanted, double is, std::string_view unit) const {
    throw Error{fmt::format("{}: {}: wanted {}{}, it is {}{}", who_, what, wanted, unit, is, unit)};
}

std::string Session::text(Attribute attribute, std::string_view name) {
    std::array<char, 512> value{};
    const Status asked =
        library_->get_string(vi_, kWholeBoard, attribute, static_cast<std::int32_t>(value.size()), value.data());
    // Above 0 is the size that the text needs, no warning.
    if (asked < 0) throw Error{fmt::format("{}: {}: {}", who_, name, explain(asked))};
    value.back() = '\0';
    return in_one_line(value.data());
}

std::int32_t Session::integer(Attribute attribute, std::string_view name) {
    std::int32_t value = 0;
    check(name, library_->get_int32(vi_, kWholeBoard, attribute, &value));
    return value;
}

void Session::set(Attribute attribute, std::string_view name, std::int32_t value) {
    check(name, library_->set_int32(vi_, kWholeBoard, attribute, value));
}

void Session::expect(const std::string& channel, Attribute attribute, std::string_view what, std::string_view unit,
                     double wanted, double tolerance) {
    const std::string name = channel.empty() ? std::string{what} : fmt::format("{} of input {}", what, channel);
    double is = 0;
    check(name, library_->get_real64(vi_, channel.c_str(), attribute, &is));
    if (!(std::abs(is - wanted) <= tolerance)) differs(name, wanted, is, unit);
}

void Session::expect_integer(const std::string& channel, Attribute attribute, std::string_view what,
                             std::int32_t wanted) {
    const std::string name = channel.empty() ? std::string{what} : fmt::format("{} of input {}", what, channel);
    std::int32_t is = 0;
    check(name, library_->get_int32(vi_, channel.c_str(), attribute, &is));
    if (is != wanted) differs(name, wanted, is, "");
}

}  // namespace alleycat::niscope
