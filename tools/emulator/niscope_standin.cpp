#include "tools/emulator/niscope_standin.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <condition_variable>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <limits>
#include <map>
#include <mutex>
#include <optional>
#include <span>
#include <sstream>
#include <string>
#include <string_view>
#include <thread>
#include <type_traits>
#include <vector>

#include "readout/niscope_library.hpp"

using namespace alleycat::niscope;

namespace {

using Clock = std::chrono::steady_clock;

constexpr Status kAlreadyInUse = -1'074'118'610;      // 0xBFFA402E
constexpr Status kNotEnabled = -1'074'126'847;        // 0xBFFA2001
constexpr Status kInvalidParameter = -1'074'135'025;  // 0xBFFA000F
constexpr Status kUnknownAttribute = -1'074'135'028;  // 0xBFFA000C

constexpr std::int8_t kNobodyWroteThis = -86;

struct Fault {
    std::string kind;
    std::int64_t trigger = 0;
    double amount = 0;
};

/// What it is told to do.
struct Orders {
    std::map<std::string, std::string, std::less<>> words;
    std::vector<Fault> faults;
    std::vector<std::string> refused, warned;
    std::string misunderstood;

    [[nodiscard]] double number(std::string_view key, double fallback) const {
        const auto found = words.find(key);
        return found == words.end() ? fallback : std::strtod(found->second.c_str(), nullptr);
    }
    [[nodiscard]] std::string text(std::string_view key, const std::string& fallback) const {
        const auto found = words.find(key);
        return found == words.end() ? fallback : found->second;
    }
};

constexpr auto kFaults = std::to_array<std::string_view>(
    {"short", "damaged", "duplicate", "overwritten", "error", "reboot", "silent_reboot", "stall", "nan_time",
     "zero_time", "absurd_time", "backwards", "warning", "rollover", "misplaced"});
constexpr auto kKeys = std::to_array<std::string_view>({"rate_hz",
                                                        "triggers",
                                                        "interval_ps",
                                                        "clock_start_s",
                                                        "memory_records",
                                                        "traces",
                                                        "serial",
                                                        "bits",
                                                        "inputs",
                                                        "no_temperature",
                                                        "init_refused",
                                                        "hold_init",
                                                        "coerce_range_v",
                                                        "coerce_offset_v",
                                                        "coerce_impedance_ohm",
                                                        "coerce_attenuation",
                                                        "coerce_frequency_hz",
                                                        "coerce_coupling",
                                                        "coerce_record_length",
                                                        "coerce_sample_rate_hz",
                                                        "coerce_records",
                                                        "coerce_reference_percent",
                                                        "coerce_level_v",
                                                        "coerce_slope",
                                                        "coerce_waveforms"});

template <class List>
bool is_in(const List& list, std::string_view word) {
    return std::find(list.begin(), list.end(), word) != list.end();
}

Orders read_orders(const std::string& text) {
    Orders orders;
    std::istringstream words{text};
    for (std::string word; std::getline(words, word, ',');) {
        if (word.empty()) continue;
        const std::size_t equals = word.find('=');
        const std::string key = word.substr(0, equals);
        const std::string value = equals == std::string::npos ? "" : word.substr(equals + 1);
        if (value.empty()) {
            orders.misunderstood = word;
        } else if (is_in(kFaults, key)) {
            const std::size_t colon = value.find(':');
            const double amount = colon == std::string::npos ? 1 : std::strtod(value.c_str() + colon + 1, nullptr);
            orders.faults.push_back({key, std::strtoll(value.c_str(), nullptr, 10), amount});
        } else if (key == "refuse") {
            orders.refused.push_back(value);
        } else if (key == "warn") {
            orders.warned.push_back(value);
        } else if (is_in(kKeys, key)) {
            orders.words[key] = value;
        } else {
            orders.misunderstood = word;
        }
    }
    return orders;
}

struct Input {
    double range_v = 10, offset_v = 0, attenuation = 1, impedance_ohm = 1e6, frequency_hz = 0;
    std::int32_t coupling = kCouplingDc;
    bool enabled = true;
};

/// The board and the library that is its only way in. One lock: calls come one at a time, as the vendor's do.
class Board {
  public:
    explicit Board(const std::string& words)
        : orders_{read_orders(words)},
          inputs_(static_cast<std::size_t>(orders_.number("inputs", 2))),
          refusals_{static_cast<int>(orders_.number("init_refused", 0))} {
        const std::string path = orders_.text("traces", "");
        if (path.empty()) return;
        std::ifstream file{path, std::ios::binary};
        traces_.assign(std::istreambuf_iterator<char>{file}, {});
        if (traces_.empty()) orders_.misunderstood = "traces=" + path;
    }

    [[nodiscard]] bool understood() const { return orders_.misunderstood.empty(); }
    [[nodiscard]] double look_up(const std::string& name) const {
        const auto found = seen_.find(name);
        return found == seen_.end() ? std::numeric_limits<double>::quiet_NaN() : found->second;
    }

    Status init(std::unique_lock<std::mutex>& lock, const char* resource, Boolean reset, Handle* vi) {
        if (++seen("init") == orders_.number("hold_init", 0)) hold(lock);
        seen("reset") += reset;
        *vi = 0;
        if (!understood()) return fail(kInvalidParameter, "the stand-in does not understand " + orders_.misunderstood);
        if (refusals_ > 0) {
            --refusals_;
            return fail(status::hardware_failure, std::string{"no board answers as\n"} + resource);
        }
        if (is_in(orders_.refused, "niScope_init")) return fail(kInvalidParameter, "niScope_init is refused");
        if (open_) return fail(kAlreadyInUse, "the digitizer is already in use");
        if (reset != 0) {
            const std::size_t count = inputs_.size();
            inputs_.assign(count, Input{});
        }
        open_ = true;
        running_ = false;
        dead_ = 0;
        stalls_ = 0;
        *vi = ++handle_;
        return warned("niScope_init");
    }

    void release(std::unique_lock<std::mutex>& lock) {
        changed_.wait(lock, [&] { return held_; });
        held_ = false;
        changed_.notify_all();
    }

    Status close(Handle vi) {
        ++seen("close");
        if (vi != handle_ || !open_) return status::invalid_session;
        open_ = running_ = false;
        return 0;
    }

    /// Of every other call: what to return instead of doing it.
    [[nodiscard]] std::optional<Status> no_way(Handle vi, const std::string& function) {
        ++seen(function.substr(sizeof("niScope_") - 1));
        if (vi != handle_ || !open_) return fail(status::invalid_session, "the session is not valid");
        if (dead_ != 0) {
            return fail(dead_, dead_ == status::invalid_session ? "the session is not valid" : "the hardware failed");
        }
        if (is_in(orders_.refused, function)) return fail(kInvalidParameter, function + " is refused");
        return std::nullopt;
    }
    [[nodiscard]] Status warned(std::string_view function) const {
        return is_in(orders_.warned, function) ? status::warning_invalid_data : 0;
    }
    Status fail(Status code, std::string words) {
        error_ = code;
        error_words_ = std::move(words);
        return code;
    }
    Status take_error(Status* code, std::int32_t bytes, char* words) {
        *code = error_;
        copy(error_words_, bytes, words);
        error_ = 0;
        error_words_.clear();
        return 0;
    }
    static void copy(const std::string& text, std::int32_t bytes, char* to) {
        const std::size_t length = std::min(text.size(), static_cast<std::size_t>(bytes) - 1);
        std::memcpy(to, text.data(), length);
        to[length] = '\0';
    }

    [[nodiscard]] Input* input(const char* channel) {
        const auto number = static_cast<std::size_t>(std::strtoul(channel, nullptr, 10));
        return *channel != '\0' && number < inputs_.size() ? &inputs_[number] : nullptr;
    }
    Status configure_vertical(const std::string& channel, Input wanted) {
        Input* const one = input(channel.c_str());
        if (one == nullptr) return fail(kInvalidParameter, "there is no channel " + channel);
        seen("range_v." + channel) = wanted.range_v;
        seen("offset_v." + channel) = wanted.offset_v;
        seen("coupling." + channel) = wanted.coupling;
        seen("attenuation." + channel) = wanted.attenuation;
        seen("enabled." + channel) = wanted.enabled ? 1 : 0;
        one->range_v = orders_.number("coerce_range_v", wanted.range_v);
        one->offset_v = orders_.number("coerce_offset_v", wanted.offset_v);
        one->coupling = static_cast<std::int32_t>(orders_.number("coerce_coupling", wanted.coupling));
        one->attenuation = orders_.number("coerce_attenuation", wanted.attenuation);
        one->enabled = wanted.enabled;
        return warned("niScope_ConfigureVertical");
    }
    Status configure_characteristics(const std::string& channel, double impedance_ohm, double frequency_hz) {
        Input* const one = input(channel.c_str());
        if (one == nullptr) return fail(kInvalidParameter, "there is no channel " + channel);
        seen("impedance_ohm." + channel) = impedance_ohm;
        seen("frequency_hz." + channel) = frequency_hz;
        one->impedance_ohm = orders_.number("coerce_impedance_ohm", impedance_ohm);
        one->frequency_hz = orders_.number("coerce_frequency_hz", frequency_hz);
        return 0;
    }
    Status configure_horizontal(double rate_hz, std::int32_t samples, double percent, std::int32_t records,
                                Boolean realtime) {
        seen("sample_rate_hz") = rate_hz;
        seen("samples") = samples;
        seen("reference_percent") = percent;
        seen("records") = records;
        seen("realtime") = realtime;
        rate_hz_ = orders_.number("coerce_sample_rate_hz", rate_hz);
        record_length_ = static_cast<std::int32_t>(orders_.number("coerce_record_length", samples));
        percent_ = orders_.number("coerce_reference_percent", percent);
        records_ = static_cast<std::int32_t>(orders_.number("coerce_records", records));
        asked_samples_ = samples;
        return warned("niScope_ConfigureHorizontalTiming");
    }
    Status configure_trigger(bool digital, const char* source, double level_v, std::int32_t slope,
                             std::int32_t coupling) {
        seen("digital") = digital ? 1 : 0;
        seen(std::string{"source "} + source) = 1;
        seen("level_v") = level_v;
        seen("slope") = slope;
        seen("trigger_coupling") = coupling;
        level_v_ = orders_.number("coerce_level_v", level_v);
        slope_ = static_cast<std::int32_t>(orders_.number("coerce_slope", slope));
        trigger_coupling_ = coupling;
        return 0;
    }

    Status initiate() {
        running_ = true;
        first_ = triggers_so_far();
        return warned("niScope_InitiateAcquisition");
    }
    Status abort() {
        running_ = false;
        return 0;
    }
    [[nodiscard]] std::int32_t record_length() const { return record_length_; }
    [[nodiscard]] double sample_rate() const { return rate_hz_; }
    [[nodiscard]] std::int32_t waveforms(const std::string& channels) const {
        const auto count = 1 + std::count(channels.begin(), channels.end(), ',');
        return static_cast<std::int32_t>(orders_.number("coerce_waveforms", static_cast<double>(count)));
    }

    Status fetch(std::unique_lock<std::mutex>& lock, const std::string& channels, double timeout_s,
                 std::int32_t samples, std::int8_t* waveforms, WfmInfo* infos) {
        if (!running_) return fail(kInvalidParameter, "no acquisition runs");
        const std::vector<std::size_t> numbers = numbers_of(channels);
        for (const std::size_t number : numbers) {
            if (number >= inputs_.size() || !inputs_[number].enabled) return fail(kNotEnabled, "channel not enabled");
        }
        const std::int64_t trigger = first_ + fetch_record_;
        if (fetch_record_ >= records_ || !wait_for(lock, trigger, timeout_s)) return not_yet();
        if (const std::optional<Status> instead = strike_first(trigger)) return *instead;
        if (trigger < triggers_so_far() - memory_records()) {
            return fail(status::data_overwritten, "the data was written over");
        }
        if (rate() == 0) next_ = std::max(next_, trigger + 1);
        if (stalls_ > 0) {
            --stalls_;
            return not_yet();
        }
        ++seen("served");
        return serve(trigger, numbers, samples, waveforms, infos);
    }

    Status set_int32(Attribute which, std::int32_t value) {
        switch (which) {
            case attribute::fetch_record_number: fetch_record_ = value; return 0;
            case attribute::fetch_relative_to:
                return value == kFetchFromPretrigger ? 0 : fail(kInvalidParameter, "not from there");
            case attribute::fetch_offset: return value == 0 ? 0 : fail(kInvalidParameter, "offset");
            case attribute::fetch_num_records: return value == 1 ? 0 : fail(kInvalidParameter, "one record at a time");
            default: return fail(kUnknownAttribute, "attribute not known");
        }
    }
    Status get_int32(const char* channel, Attribute which, std::int32_t* value) {
        const Input* const one = input(channel);
        switch (which) {
            case attribute::channel_count: *value = static_cast<std::int32_t>(inputs_.size()); return 0;
            case attribute::resolution: *value = static_cast<std::int32_t>(orders_.number("bits", 8)); return 0;
            case attribute::horizontal_records: *value = records_; return 0;
            case attribute::trigger_slope: *value = slope_; return 0;
            case attribute::trigger_coupling: *value = trigger_coupling_; return 0;
            case attribute::records_done: *value = records_done(); return 0;
            case attribute::onboard_memory_size:
                if (one == nullptr) return fail(kInvalidParameter, "of which channel");
                *value = static_cast<std::int32_t>(memory_records() * record_length_ * enabled_inputs());
                return 0;
            case attribute::vertical_coupling:
                if (one == nullptr) return fail(kInvalidParameter, "of which channel");
                *value = one->coupling;
                return 0;
            default: return fail(kUnknownAttribute, "attribute not known");
        }
    }
    Status get_real64(const char* channel, Attribute which, double* value) {
        if (which == attribute::device_temperature && orders_.number("no_temperature", 0) == 0) {
            *value = 41.5;
        } else if (which == attribute::reference_position) {
            *value = percent_;
        } else if (which == attribute::trigger_level) {
            *value = level_v_;
        } else if (const Input* const one = input(channel); one == nullptr) {
            return fail(kUnknownAttribute, "attribute not known");
        } else if (which == attribute::vertical_range) {
            *value = one->range_v;
        } else if (which == attribute::vertical_offset) {
            *value = one->offset_v;
        } else if (which == attribute::probe_attenuation) {
            *value = one->attenuation;
        } else if (which == attribute::input_impedance) {
            *value = one->impedance_ohm;
        } else if (which == attribute::max_input_frequency) {
            *value = one->frequency_hz;
        } else {
            return fail(kUnknownAttribute, "attribute not known");
        }
        return 0;
    }
    Status set_boolean(const std::string& channel, Attribute which, Boolean value) {
        if (which == attribute::allow_more_records_than_memory) {
            seen("more_than_memory") = value;
            return 0;
        }
        Input* const one = input(channel.c_str());
        if (which != attribute::channel_enabled || one == nullptr) return fail(kUnknownAttribute, "not known");
        seen("enabled." + channel) = value;
        one->enabled = value != 0;
        return 0;
    }
    Status get_string(Attribute which, std::int32_t bytes, char* value) {
        std::string text;
        switch (which) {
            case attribute::instrument_model: text = "NI PCI-5153"; break;
            case attribute::serial_number: text = orders_.text("serial", "STANDIN1"); break;
            case attribute::instrument_firmware_revision: text = "1.0"; break;
            case attribute::specific_driver_revision: text = "stand-in"; break;
            default: return fail(kUnknownAttribute, "attribute not known");
        }
        copy(text, bytes, value);
        return static_cast<std::int32_t>(text.size()) < bytes ? 0 : static_cast<std::int32_t>(text.size()) + 1;
    }

  private:
    double& seen(const std::string& name) { return seen_[name]; }
    void hold(std::unique_lock<std::mutex>& lock) {
        held_ = true;
        changed_.notify_all();
        changed_.wait(lock, [&] { return !held_; });
    }
    [[nodiscard]] double rate() const { return orders_.number("rate_hz", 0); }
    [[nodiscard]] std::int64_t memory_records() const {
        return static_cast<std::int64_t>(orders_.number("memory_records", 1000));
    }
    [[nodiscard]] std::int64_t most_triggers() const {
        const double most = orders_.number("triggers", 0);
        return most == 0 ? std::numeric_limits<std::int64_t>::max() : static_cast<std::int64_t>(most);
    }
    [[nodiscard]] std::int64_t enabled_inputs() const {
        return std::count_if(inputs_.begin(), inputs_.end(), [](const Input& one) { return one.enabled; });
    }
    [[nodiscard]] static std::vector<std::size_t> numbers_of(const std::string& channels) {
        std::vector<std::size_t> numbers;
        std::istringstream list{channels};
        for (std::string one; std::getline(list, one, ',');) numbers.push_back(std::stoul(one));
        return numbers;
    }
    Status not_yet() { return fail(status::max_time_exceeded, "maximum time exceeded"); }

    [[nodiscard]] Clock::time_point due(std::int64_t trigger) const {
        const std::chrono::duration<double> after{static_cast<double>(trigger + 1) / rate()};
        return start_ + std::chrono::duration_cast<Clock::duration>(after);
    }
    [[nodiscard]] std::int64_t triggers_so_far() const {
        if (rate() == 0) return next_;
        const std::chrono::duration<double> since = Clock::now() - start_;
        return std::min(most_triggers(), static_cast<std::int64_t>(since.count() * rate()));
    }
    [[nodiscard]] std::int32_t records_done() const {
        return static_cast<std::int32_t>(std::clamp<std::int64_t>(triggers_so_far() - first_, 0, records_));
    }
    bool wait_for(std::unique_lock<std::mutex>& lock, std::int64_t trigger, double timeout_s) {
        const auto until =
            Clock::now() + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>{timeout_s});
        const bool comes = trigger < most_triggers() && (rate() != 0 || trigger <= next_);
        if (comes && rate() == 0) return true;
        const Clock::time_point when = comes ? due(trigger) : Clock::time_point::max();
        lock.unlock();
        std::this_thread::sleep_until(std::min(when, until));
        lock.lock();
        return when <= until;
    }

    /// The fault of this kind for this trigger, which then is over.
    [[nodiscard]] std::optional<Fault> strikes(std::string_view kind, std::int64_t trigger) {
        const auto found = std::find_if(orders_.faults.begin(), orders_.faults.end(), [&](const Fault& fault) {
            return fault.kind == kind && fault.trigger == trigger;
        });
        if (found == orders_.faults.end()) return std::nullopt;
        const Fault fault = *found;
        orders_.faults.erase(found);
        return fault;
    }
    /// Faults that keep the record from coming, or change which it is.
    [[nodiscard]] std::optional<Status> strike_first(std::int64_t trigger) {
        if (const auto fault = strikes("error", trigger)) {
            refusals_ = static_cast<int>(fault->amount);
            dead_ = status::hardware_failure;
            return fail(dead_, "the hardware failed");
        }
        if (strikes("reboot", trigger)) {
            clock_zero_ = trigger;
            dead_ = status::invalid_session;
            return fail(dead_, "the session is not valid");
        }
        if (strikes("silent_reboot", trigger)) {
            clock_zero_ = trigger;
            first_ = trigger;
            return not_yet();
        }
        if (const auto fault = strikes("overwritten", trigger)) {
            next_ = trigger + static_cast<std::int64_t>(fault->amount) + memory_records();
        }
        if (const auto fault = strikes("stall", trigger)) stalls_ = static_cast<int>(fault->amount);
        return std::nullopt;
    }

    [[nodiscard]] double stamp_s(std::int64_t trigger) const {
        const double interval_ps = orders_.number("interval_ps", 16'666'200'000);
        const auto since_ps = static_cast<std::int64_t>(interval_ps) * (trigger + 1 - clock_zero_);
        return orders_.number("clock_start_s", 0) + static_cast<double>(since_ps) * 1e-12;
    }

    Status serve(std::int64_t trigger, const std::vector<std::size_t>& numbers, std::int32_t samples,
                 std::int8_t* waveforms, WfmInfo* infos) {
        Status answer = 0;
        if (strikes("rollover", trigger)) {
            clock_zero_ = trigger;
            answer = status::warning_timestamp_rollover;
        }
        if (strikes("warning", trigger)) answer = status::warning_invalid_data;
        const std::int64_t content = strikes("duplicate", trigger) ? trigger - 1 : trigger;
        const double period_s = 1 / rate_hz_;
        // The first sample that was asked for, whatever more the board keeps.
        const double before_s = -std::round(percent_ / 100 * asked_samples_) * period_s;
        WfmInfo info{.absolute_initial_x = stamp_s(content) + before_s,
                     .relative_initial_x = before_s,
                     .x_increment = period_s,
                     .actual_samples = samples,
                     .offset = 0,
                     .gain = 0,
                     .reserved1 = 0,
                     .reserved2 = 0};
        if (strikes("misplaced", trigger)) info.relative_initial_x -= 10 * period_s;
        if (strikes("nan_time", trigger)) info.absolute_initial_x = std::numeric_limits<double>::quiet_NaN();
        if (strikes("zero_time", trigger)) info.absolute_initial_x = 0;
        if (const auto fault = strikes("absurd_time", trigger)) info.absolute_initial_x = fault->amount;
        if (const auto fault = strikes("backwards", trigger)) info.absolute_initial_x -= fault->amount * 1e-12;
        for (std::size_t i = 0; i < numbers.size(); ++i) {
            std::int8_t* const to = waveforms + i * static_cast<std::size_t>(samples);
            fill(content, i, numbers[i], numbers.size(), {to, static_cast<std::size_t>(samples)});
            info.gain = inputs_[numbers[i]].range_v / 256;
            info.offset = inputs_[numbers[i]].offset_v;
            infos[i] = info;
        }
        WfmInfo& last = infos[numbers.size() - 1];
        if (strikes("damaged", trigger)) last.actual_samples = -1;
        if (const auto fault = strikes("short", trigger)) {
            last.actual_samples = static_cast<std::int32_t>(fault->amount);
            const std::span all{waveforms, numbers.size() * static_cast<std::size_t>(samples)};
            std::ranges::fill(all.last(static_cast<std::size_t>(samples - last.actual_samples)), kNobodyWroteThis);
        }
        return answer;
    }

    void fill(std::int64_t trigger, std::size_t position, std::size_t number, std::size_t inputs,
              std::span<std::int8_t> to) const {
        if (!traces_.empty()) {
            const std::size_t records = std::max<std::size_t>(1, traces_.size() / (inputs * to.size()));
            const std::size_t from = (static_cast<std::size_t>(trigger) % records * inputs + position) * to.size();
            for (std::size_t s = 0; s < to.size(); ++s) {
                to[s] = from + s < traces_.size() ? static_cast<std::int8_t>(traces_[from + s]) : std::int8_t{0};
            }
            return;
        }
        const auto first = static_cast<std::uint8_t>(31 * static_cast<std::uint64_t>(trigger) + 101 * number);
        for (std::size_t s = 0; s < to.size(); ++s)
            to[s] = static_cast<std::int8_t>(static_cast<std::uint8_t>(first + 7 * s));
        for (std::size_t s = 0; s < std::min<std::size_t>(4, to.size()); ++s) {
            to[s] = static_cast<std::int8_t>(static_cast<std::uint8_t>(trigger >> (8 * s)));
        }
    }

    Orders orders_;
    std::map<std::string, double> seen_;
    std::vector<char> traces_;
    std::vector<Input> inputs_;
    int refusals_ = 0;
    Clock::time_point start_ = Clock::now();

    std::condition_variable changed_;
    bool held_ = false;  // an init waits

    Handle handle_ = 0;
    bool open_ = false, running_ = false;
    Status dead_ = 0;
    Status error_ = 0;
    std::string error_words_;

    double rate_hz_ = 0, percent_ = 0, level_v_ = 0;
    std::int32_t record_length_ = 0, asked_samples_ = 0, records_ = 0, slope_ = 0, trigger_coupling_ = 0;
    std::int32_t fetch_record_ = 0;
    std::int64_t first_ = 0;       // trigger of record 0
    std::int64_t next_ = 0;        // without a rate: triggers so far
    std::int64_t clock_zero_ = 0;  // trigger with which the clock began
    int stalls_ = 0;
};

std::mutex the_lock;
std::optional<Board> the_board;

Board& board() {
    if (!the_board) {
        const char* const words = std::getenv("ALLEYCAT_NISCOPE_STANDIN");
        the_board.emplace(words != nullptr ? words : "");
    }
    return *the_board;
}

/// Does it for a session that is there.
template <class Do>
Status call_board(Handle vi, const char* function, const Do& what) {
    const std::lock_guard lock{the_lock};
    const std::optional<Status> instead = board().no_way(vi, function);
    return instead ? *instead : what(board());
}

}  // namespace

#define EXPORTED __attribute__((visibility("default")))

extern "C" {

EXPORTED int alleycat_niscope_standin_set(const char* words) {
    const std::lock_guard lock{the_lock};
    the_board.emplace(words);
    return the_board->understood() ? 0 : -1;
}

EXPORTED double alleycat_niscope_standin_get(const char* name) {
    const std::lock_guard lock{the_lock};
    return board().look_up(name);
}

EXPORTED void alleycat_niscope_standin_release() {
    std::unique_lock lock{the_lock};
    board().release(lock);
}

EXPORTED Status niScope_init(const char* resource, Boolean, Boolean reset, Handle* vi) {
    std::unique_lock lock{the_lock};
    return board().init(lock, resource, reset, vi);
}

EXPORTED Status niScope_close(Handle vi) {
    const std::lock_guard lock{the_lock};
    return board().close(vi);
}

EXPORTED Status niScope_ConfigureVertical(Handle vi, const char* channels, double range_v, double offset_v,
                                          std::int32_t coupling, double attenuation, Boolean enabled) {
    return call_board(vi, __func__, [&](Board& b) {
        return b.configure_vertical(channels, {.range_v = range_v,
                                               .offset_v = offset_v,
                                               .attenuation = attenuation,
                                               .coupling = coupling,
                                               .enabled = enabled != 0});
    });
}

EXPORTED Status niScope_ConfigureChanCharacteristics(Handle vi, const char* channels, double impedance_ohm,
                                                     double max_hz) {
    return call_board(vi, __func__,
                      [&](Board& b) { return b.configure_characteristics(channels, impedance_ohm, max_hz); });
}

EXPORTED Status niScope_ConfigureHorizontalTiming(Handle vi, double rate_hz, std::int32_t samples, double percent,
                                                  std::int32_t records, Boolean realtime) {
    return call_board(vi, __func__,
                      [&](Board& b) { return b.configure_horizontal(rate_hz, samples, percent, records, realtime); });
}

EXPORTED Status niScope_ConfigureTriggerDigital(Handle vi, const char* source, std::int32_t slope, double, double) {
    return call_board(vi, __func__, [&](Board& b) { return b.configure_trigger(true, source, 0, slope, 0); });
}

EXPORTED Status niScope_ConfigureTriggerEdge(Handle vi, const char* source, double level_v, std::int32_t slope,
                                             std::int32_t coupling, double, double) {
    return call_board(vi, __func__,
                      [&](Board& b) { return b.configure_trigger(false, source, level_v, slope, coupling); });
}

EXPORTED Status niScope_InitiateAcquisition(Handle vi) {
    return call_board(vi, __func__, [](Board& b) { return b.initiate(); });
}

EXPORTED Status niScope_Abort(Handle vi) {
    return call_board(vi, __func__, [](Board& b) { return b.abort(); });
}

EXPORTED Status niScope_ActualRecordLength(Handle vi, std::int32_t* samples) {
    return call_board(vi, __func__, [&](Board& b) {
        *samples = b.record_length();
        return 0;
    });
}

EXPORTED Status niScope_SampleRate(Handle vi, double* hz) {
    return call_board(vi, __func__, [&](Board& b) {
        *hz = b.sample_rate();
        return 0;
    });
}

EXPORTED Status niScope_ActualNumWfms(Handle vi, const char* channels, std::int32_t* waveforms) {
    return call_board(vi, __func__, [&](Board& b) {
        *waveforms = b.waveforms(channels);
        return 0;
    });
}

EXPORTED Status niScope_FetchBinary8(Handle vi, const char* channels, double timeout_s, std::int32_t samples,
                                     std::int8_t* waveforms, WfmInfo* infos) {
    std::unique_lock lock{the_lock};
    const std::optional<Status> instead = board().no_way(vi, __func__);
    return instead ? *instead : board().fetch(lock, channels, timeout_s, samples, waveforms, infos);
}

EXPORTED Status niScope_GetAttributeViInt32(Handle vi, const char* channel, Attribute which, std::int32_t* value) {
    return call_board(vi, __func__, [&](Board& b) { return b.get_int32(channel, which, value); });
}

EXPORTED Status niScope_SetAttributeViInt32(Handle vi, const char*, Attribute which, std::int32_t value) {
    return call_board(vi, __func__, [&](Board& b) { return b.set_int32(which, value); });
}

EXPORTED Status niScope_GetAttributeViReal64(Handle vi, const char* channel, Attribute which, double* value) {
    return call_board(vi, __func__, [&](Board& b) { return b.get_real64(channel, which, value); });
}

EXPORTED Status niScope_SetAttributeViBoolean(Handle vi, const char* channel, Attribute which, Boolean value) {
    return call_board(vi, __func__, [&](Board& b) { return b.set_boolean(channel, which, value); });
}

EXPORTED Status niScope_GetAttributeViString(Handle vi, const char*, Attribute which, std::int32_t bytes, char* value) {
    return call_board(vi, __func__, [&](Board& b) { return b.get_string(which, bytes, value); });
}

EXPORTED Status niScope_GetError(Handle, Status* code, std::int32_t bytes, char* description) {
    const std::lock_guard lock{the_lock};
    return board().take_error(code, bytes, description);
}

EXPORTED Status niScope_GetErrorMessage(Handle, Status code, std::int32_t bytes, char* message) {
    Board::copy(code > 0 ? "the stand-in warns" : "an error of the stand-in", bytes, message);
    return 0;
}

}  // extern "C"

// What the driver takes them for.
static_assert(std::is_same_v<decltype(niScope_init), call::Init>);
static_assert(std::is_same_v<decltype(niScope_close), call::OfSession>);
static_assert(std::is_same_v<decltype(niScope_ConfigureVertical), call::ConfigureVertical>);
static_assert(std::is_same_v<decltype(niScope_ConfigureChanCharacteristics), call::ConfigureChanCharacteristics>);
static_assert(std::is_same_v<decltype(niScope_ConfigureHorizontalTiming), call::ConfigureHorizontalTiming>);
static_assert(std::is_same_v<decltype(niScope_ConfigureTriggerDigital), call::ConfigureTriggerDigital>);
static_assert(std::is_same_v<decltype(niScope_ConfigureTriggerEdge), call::ConfigureTriggerEdge>);
static_assert(std::is_same_v<decltype(niScope_ActualRecordLength), call::ActualRecordLength>);
static_assert(std::is_same_v<decltype(niScope_SampleRate), call::SampleRate>);
static_assert(std::is_same_v<decltype(niScope_ActualNumWfms), call::ActualNumWfms>);
static_assert(std::is_same_v<decltype(niScope_FetchBinary8), call::FetchBinary8>);
static_assert(std::is_same_v<decltype(niScope_GetAttributeViInt32), call::GetInt32>);
static_assert(std::is_same_v<decltype(niScope_SetAttributeViInt32), call::SetInt32>);
static_assert(std::is_same_v<decltype(niScope_GetAttributeViReal64), call::GetReal64>);
static_assert(std::is_same_v<decltype(niScope_SetAttributeViBoolean), call::SetBoolean>);
static_assert(std::is_same_v<decltype(niScope_GetAttributeViString), call::GetString>);
static_assert(std::is_same_v<decltype(niScope_GetError), call::GetError>);
static_assert(std::is_same_v<decltype(niScope_GetErrorMessage), call::GetErrorMessage>);
static_assert(std::is_same_v<decltype(alleycat_niscope_standin_set), AlleycatNiScopeStandinSet>);
static_assert(std::is_same_v<decltype(alleycat_niscope_standin_get), AlleycatNiScopeStandinGet>);
static_assert(std::is_same_v<decltype(alleycat_niscope_standin_release), AlleycatNiScopeStandinRelease>);
