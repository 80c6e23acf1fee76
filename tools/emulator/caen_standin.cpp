// A shared library of its own: nothing of the project is linked to it.

#include "tools/emulator/caen_standin.hpp"

#include <algorithm>
#include <chrono>
#include <cstdarg>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <map>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "readout/caen_library.hpp"

namespace {

using namespace alleycat;
using caen::Code;
using caen::kCommError;
using caen::kInvalidParam;
using caen::kSuccess;
using Words = std::vector<std::uint32_t>;
using Clock = std::chrono::steady_clock;

constexpr int kHandle = 7;
constexpr double kClockHz = 125e6;
constexpr std::uint64_t kMemoryEvents = 1024;  // then triggers are lost
constexpr std::uint32_t kBoardReady = 1u << 8, kEventReady = 1u << 3;

struct FamilyOf {
    std::string name, model;
    std::uint32_t code, inputs;
    unsigned bits, samples_per_word;
};
const std::array<FamilyOf, 7> kFamilies{{{"x720", "V1720", 3, 8, 12, 2},
                                         {"x721", "V1721", 1, 8, 8, 4},
                                         {"x724", "V1724", 0, 8, 14, 2},
                                         {"x725", "V1725", 14, 16, 14, 2},
                                         {"x730", "V1730", 11, 16, 14, 2},
                                         {"x731", "V1731", 2, 8, 8, 4},
                                         {"x751", "V1751", 5, 8, 10, 3}}};

struct Fault {
    std::string name;
    std::uint64_t at = 0, amount = 1;
};

class Board {
  public:
    explicit Board(const std::string& words) {
        std::istringstream in{words};
        for (std::string word; in >> word;) order(word);
        if (step_ == 0) step_ = static_cast<std::uint64_t>(kClockHz / (rate_hz_ > 0 ? rate_hz_ : 60));
        if (!blocks_file_.empty()) read_blocks();
        reset();
    }

    [[nodiscard]] bool answers(int handle) const { return open_ && !unplugged_ && handle == kHandle; }

    Code open(int* handle) {
        if (open_) return -25;
        if (refused_ > 0) {
            --refused_;
            return kCommError;
        }
        open_ = true;
        unplugged_ = false;
        ++state_.opens;
        *handle = kHandle;
        return kSuccess;
    }
    Code close(int handle) {
        if (!open_ || handle != kHandle) return caen::kInvalidHandle;
        open_ = false;
        ++state_.closes;
        return kSuccess;
    }
    Code info(caen::Info* info) const {
        std::memset(info, 0, sizeof *info - sizeof info->rest);
        std::snprintf(info->model_name.data(), info->model_name.size(), "%s", family_->model.c_str());
        std::snprintf(info->roc_firmware.data(), info->roc_firmware.size(), "04.25 - Build H522");
        std::snprintf(info->amc_firmware.data(), info->amc_firmware.size(), "%s - Build H523", amc_.c_str());
        info->family = family_->code;
        info->channels = family_->inputs;
        info->serial = serial_;
        return kSuccess;
    }
    Code reset() {
        const CaenStandinState old = state_;
        state_ = {.opens = old.opens,
                  .closes = old.closes,
                  .resets = old.resets,
                  .calibrations = old.calibrations,
                  .starts = old.starts,
                  .stops = old.stops,
                  .buffers = old.buffers,
                  .served = old.served};
        state_.events_per_read = 1;
        registers_.clear();
        clear();
        return kSuccess;
    }
    Code clear() {
        counter_ = 0;
        tag_ = first_tag_;
        due_ = 0;
        return kSuccess;
    }
    Code start() {
        ++state_.starts;
        state_.running = true;
        started_ = Clock::now();
        made_ = 0;
        return kSuccess;
    }
    Code stop() {
        ++state_.stops;
        state_.running = false;
        return kSuccess;
    }
    Code trigger() {
        if (state_.software != 0) ++due_;
        return kSuccess;
    }

    /// A setting's own place, and the value as it was asked for or another one.
    Code set(const char* name, std::uint32_t& place, std::uint32_t value) {
        place = rounded_ == name ? value + 6 : value;
        return kSuccess;
    }

    Code write_register(std::uint32_t address, std::uint32_t value) {
        std::ostringstream name;
        name << "0x" << std::hex << address;
        std::uint32_t& place = address == caen::kAcquisitionControl ? state_.acquisition_control
                               : address == caen::kFrontPanel       ? state_.front_panel
                                                                    : registers_[address];
        place = rounded_ == name.str() ? value ^ 0x400010 : value;
        return kSuccess;
    }
    Code read_register(std::uint32_t address, std::uint32_t* value) {
        switch (address) {
            case caen::kAcquisitionControl: *value = state_.acquisition_control; break;
            case caen::kFrontPanel: *value = state_.front_panel; break;
            case caen::kAcquisitionStatus:
                *value = kBoardReady | (state_.running ? caen::kRunning | kEventReady : 0) |
                         (full_ ? caen::kMemoryFull : 0) | (clock_lost_ ? 0 : caen::kClockKept);
                break;
            case caen::kReadoutStatus:
                clock_lost_ = false;
                *value = 0;
                break;
            default: *value = registers_[address];
        }
        return kSuccess;
    }

    Code make_buffer(char** buffer, std::uint32_t* bytes) {
        if (*buffer != nullptr) return kInvalidParam;
        buffer_words_ = 2 * state_.events_per_read * (event_words() + 4) + 64;
        *buffer = static_cast<char*>(std::malloc(4 * buffer_words_));
        *bytes = static_cast<std::uint32_t>(4 * buffer_words_);
        ++state_.buffers;
        return kSuccess;
    }
    Code free_buffer(char** buffer) {
        std::free(*buffer);
        *buffer = nullptr;
        --state_.buffers;
        return kSuccess;
    }

    Code read(char* buffer, std::uint32_t* bytes) {
        *bytes = 0;
        if (!state_.running) return kSuccess;
        if (stalled_ > 0) {
            --stalled_;
            return kSuccess;
        }
        Words block;
        make_events();
        for (std::uint32_t i = 0; i < state_.events_per_read && due_ > 0; ++i, --due_) {
            if (!serve(block)) break;
        }
        if (unplugged_) return kCommError;
        block.resize(std::min(block.size(), buffer_words_));
        if (!block.empty()) std::memcpy(buffer, block.data(), 4 * block.size());
        *bytes = static_cast<std::uint32_t>(4 * block.size());
        return kSuccess;
    }

    [[nodiscard]] Code temperature(std::int32_t input, std::uint32_t* degrees) const {
        const bool can = family_->name == "x725" || family_->name == "x730" || family_->name == "x751";
        if (!can) return caen::kBadBoardType;
        *degrees = static_cast<std::uint32_t>(40 + input);
        return kSuccess;
    }
    [[nodiscard]] CaenStandinState& state() { return state_; }
    [[nodiscard]] bool has_input(std::uint32_t input) const { return input < family_->inputs; }

  private:
    void order(const std::string& word) {
        if (const std::size_t at = word.find('@'); at != std::string::npos) {
            const std::size_t colon = word.find(':', at);
            Fault fault{word.substr(0, at), std::stoull(word.substr(at + 1))};
            if (colon != std::string::npos) fault.amount = std::stoull(word.substr(colon + 1));
            faults_.push_back(fault);
            return;
        }
        const std::size_t equal = word.find('=');
        const std::string key = word.substr(0, equal), value = word.substr(equal + 1);
        if (key == "family")
            family_ = std::find_if(kFamilies.begin(), kFamilies.end(), [&](const auto& f) { return f.name == value; });
        if (key == "serial") serial_ = static_cast<std::uint32_t>(std::stoul(value));
        if (key == "amc") amc_ = value;
        if (key == "rate") rate_hz_ = std::stod(value);
        if (key == "step") step_ = std::stoull(value);
        if (key == "first") first_tag_ = std::stoull(value);
        if (key == "events") most_ = std::stoull(value);
        if (key == "blocks") blocks_file_ = value;
        if (key == "refused") refused_ = std::stoull(value);
        if (key == "rounded") rounded_ = value;
    }

    void read_blocks() {
        std::ifstream in{blocks_file_, std::ios::binary};
        const std::vector<char> bytes{std::istreambuf_iterator<char>{in}, {}};
        blocks_.resize(bytes.size() / 4);
        std::memcpy(blocks_.data(), bytes.data(), 4 * blocks_.size());
    }

    /// How many triggers have come since the last time; those for which there is no memory are gone.
    void make_events() {
        const bool triggers =
            state_.external != 0 || std::any_of(state_.self_trigger.begin(), state_.self_trigger.end(),
                                                [](std::uint32_t mode) { return mode != 0; });
        if (!triggers) return;
        if (rate_hz_ <= 0) {
            due_ = state_.events_per_read;
            return;
        }
        const std::chrono::duration<double> run = Clock::now() - started_;
        const auto wanted = static_cast<std::uint64_t>(run.count() * rate_hz_);
        due_ += wanted - std::min(wanted, made_);
        made_ = std::max(made_, wanted);
        if (due_ > kMemoryEvents) lose(std::exchange(due_, kMemoryEvents) - kMemoryEvents);
    }

    void lose(std::uint64_t events) {
        if ((state_.acquisition_control & caen::kCountAllTriggers) != 0) counter_ += static_cast<std::uint32_t>(events);
        tag_ += events * step_;
        number_ += events;
    }

    /// How much of the fault this event has; 0: none of it.
    std::uint64_t strikes(const char* name) {
        const auto fault = std::find_if(faults_.begin(), faults_.end(),
                                        [&](const Fault& f) { return f.name == name && f.at <= number_; });
        if (fault == faults_.end()) return 0;
        const std::uint64_t amount = fault->amount;
        faults_.erase(fault);
        return amount;
    }

    /// The next event, behind what the block has; false: the block ends.
    bool serve(Words& block) {
        if (!blocks_.empty()) return serve_from_file(block);
        if (most_ != 0 && number_ >= most_) return false;
        if (const std::uint64_t attempts = strikes("unplugged")) {
            unplugged_ = true;
            refused_ = attempts;
            return false;
        }
        if (strikes("rebooted") != 0) {
            reset();
            return false;
        }
        if (const std::uint64_t reads = strikes("stalled")) {
            stalled_ = reads;
            return false;
        }
        if (strikes("counts_anew") != 0) {
            counter_ = 0;
            tag_ = first_tag_;
        }
        lose(strikes("lost"));
        tag_ += strikes("skip");
        tag_ -= strikes("clock_back");
        if (strikes("clock_lost") != 0) clock_lost_ = true;
        if (strikes("full") != 0) full_ = true;
        block.insert(block.end(), strikes("garbage"), 0x12345678);

        Words event = make_event();
        const bool truncated = strikes("truncated") != 0, filler = strikes("filler") != 0;
        if (truncated || strikes("torn") != 0) event.resize(event.size() / 2);
        block.insert(block.end(), event.begin(), event.end());
        if (strikes("duplicated") != 0) block.insert(block.end(), event.begin(), event.end());
        if (filler) block.insert(block.end(), 2, 0xFFFFFFFF);
        ++state_.served;
        ++number_;
        ++counter_;
        tag_ += step_;
        return !truncated && !filler;
    }

    bool serve_from_file(Words& block) {
        if (next_block_word_ >= blocks_.size()) return false;
        const std::size_t words = std::max<std::size_t>(1, blocks_[next_block_word_] & 0x0FFFFFFF);
        const std::size_t end = std::min(blocks_.size(), next_block_word_ + words);
        if (block.size() + end - next_block_word_ > buffer_words_) return false;
        block.insert(block.end(), blocks_.begin() + static_cast<std::ptrdiff_t>(next_block_word_),
                     blocks_.begin() + static_cast<std::ptrdiff_t>(end));
        next_block_word_ = end;
        ++state_.served;
        return true;
    }

    [[nodiscard]] std::size_t event_words() const {
        std::size_t inputs = 0;
        for (std::uint32_t i = 0; i < family_->inputs; ++i) inputs += state_.inputs >> i & 1;
        return 4 + inputs * (state_.record_length / family_->samples_per_word + 1);
    }

    [[nodiscard]] std::uint32_t sample(std::uint32_t input, std::uint32_t s) const {
        if (s < 4) return static_cast<std::uint32_t>(number_ >> 8 * s) & 0xFF;
        return static_cast<std::uint32_t>(31 * number_ + 1009 * input + 7 * s) & ((1u << family_->bits) - 1);
    }

    Words make_event() {
        const unsigned per_word = family_->samples_per_word, width = per_word == 2 ? 16 : family_->bits;
        std::uint32_t inputs = state_.inputs, samples = state_.record_length;
        if (strikes("missing_channel") != 0) inputs &= inputs - 1;
        if (strikes("short") != 0) samples -= 4 * per_word;
        Words words(4);
        for (std::uint32_t input = 0; input < family_->inputs; ++input) {
            if ((inputs >> input & 1) == 0) continue;
            for (std::uint32_t s = 0; s < samples; s += per_word) {
                const unsigned here = std::min(per_word, samples - s);
                std::uint32_t word = 0;
                for (unsigned i = 0; i < here; ++i) word |= sample(input, s + i) << width * i;
                if (per_word == 3) word |= here << 30;
                words.push_back(word);
            }
        }
        if (strikes("excess_bits") != 0) words.back() |= 1u << 31;
        std::uint32_t counter = counter_;
        if (strikes("wrong_counter") != 0) counter ^= 0x555555;
        const bool extended = (state_.front_panel >> caen::kPatternShift & 3) == 2;
        const auto pattern = extended ? static_cast<std::uint32_t>(tag_ >> 32 & 0xFFFF) : 0x1234u;
        const bool rolled_over = extended ? (tag_ >> 31 & 1) != 0 : tag_ >> 31 != 0;
        words[0] = 0xAu << 28 | static_cast<std::uint32_t>(words.size());
        words[1] = (strikes("board_fail") != 0 ? 1u << 26 : 0) | pattern << 8 | (inputs & 0xFF);
        words[2] = inputs >> 8 << 24 | (counter & 0xFFFFFF);
        words[3] = static_cast<std::uint32_t>(rolled_over) << 31 | static_cast<std::uint32_t>(tag_ & 0x7FFFFFFF);
        return words;
    }

    const FamilyOf* family_ = kFamilies.data();
    std::uint32_t serial_ = 12345;
    std::string amc_ = "00.11";
    double rate_hz_ = 0;
    std::uint64_t step_ = 0, first_tag_ = 0, most_ = 0, refused_ = 0;
    std::string blocks_file_, rounded_;
    std::vector<Fault> faults_;
    Words blocks_;
    std::size_t next_block_word_ = 0;

    CaenStandinState state_;
    std::map<std::uint32_t, std::uint32_t> registers_;
    bool open_ = false, unplugged_ = false, clock_lost_ = false, full_ = false;
    std::size_t buffer_words_ = 0;
    Clock::time_point started_{};
    std::uint64_t made_ = 0;  ///< triggers since the start
    std::uint64_t due_ = 0;   ///< of them, not read yet
    std::uint64_t stalled_ = 0;
    std::uint64_t number_ = 0;  ///< of the next event, ever
    std::uint64_t tag_ = 0;
    std::uint32_t counter_ = 0;
};

Board& board() {
    static Board the_board{[] {
        const char* words = std::getenv("ALLEYCAT_CAEN_STANDIN");
        return std::string{words != nullptr ? words : ""};
    }()};
    return the_board;
}

}  // namespace

extern "C" {

void alleycat_caen_standin(const char* words) { board() = Board{words}; }
const CaenStandinState* alleycat_caen_standin_state() { return &board().state(); }

#define CALL(name, ...) Code CAEN_DGTZ_##name(__VA_ARGS__)
#define ANSWER(expression) return board().answers(handle) ? (expression) : kCommError
#define SETTING(call, name)                                                                                       \
    CALL(Set##call, int handle, std::uint32_t value) { ANSWER(board().set(#name, board().state().name, value)); } \
    CALL(Get##call, int handle, std::uint32_t* value) { ANSWER((*value = board().state().name, kSuccess)); }
#define INPUT_SETTING(call, name)                                                                                  \
    CALL(Set##call, int handle, std::uint32_t input, std::uint32_t value) {                                        \
        ANSWER(board().has_input(input) ? board().set(#name, board().state().name[input], value) : kInvalidParam); \
    }                                                                                                              \
    CALL(Get##call, int handle, std::uint32_t input, std::uint32_t* value) {                                       \
        ANSWER(board().has_input(input) ? (*value = board().state().name[input], kSuccess) : kInvalidParam);       \
    }

CALL(OpenDigitizer, std::uint32_t, int, int, std::uint32_t, int* handle) { return board().open(handle); }
CALL(CloseDigitizer, int handle) { return board().close(handle); }
CALL(GetInfo, int handle, caen::Info* info) { ANSWER(board().info(info)); }
CALL(Reset, int handle) { ANSWER((++board().state().resets, board().reset())); }
CALL(WriteRegister, int handle, std::uint32_t address, std::uint32_t value) {
    ANSWER(board().write_register(address, value));
}
CALL(ReadRegister, int handle, std::uint32_t address, std::uint32_t* value) {
    ANSWER(board().read_register(address, value));
}
CALL(SetRecordLength, int handle, std::uint32_t samples, ...) {
    ANSWER(board().set("record_length", board().state().record_length, samples));
}
CALL(GetRecordLength, int handle, std::uint32_t* samples, ...) {
    ANSWER((*samples = board().state().record_length, kSuccess));
}
SETTING(PostTriggerSize, post_trigger)
SETTING(ChannelEnableMask, inputs)
SETTING(ExtTriggerInputMode, external)
SETTING(SWTriggerMode, software)
SETTING(IOLevel, io_level)
SETTING(AcquisitionMode, start)
SETTING(MaxNumEventsBLT, events_per_read)
INPUT_SETTING(ChannelDCOffset, offset)
INPUT_SETTING(ChannelTriggerThreshold, threshold)
INPUT_SETTING(TriggerPolarity, edge)
CALL(SetChannelSelfTrigger, int handle, std::uint32_t mode, std::uint32_t mask) {
    if (!board().answers(handle)) return kCommError;
    for (std::uint32_t input = 0; input < 16; ++input) {
        if ((mask >> input & 1) != 0) board().set("self_trigger", board().state().self_trigger[input], mode);
    }
    return kSuccess;
}
CALL(GetChannelSelfTrigger, int handle, std::uint32_t input, std::uint32_t* mode) {
    ANSWER(board().has_input(input) ? (*mode = board().state().self_trigger[input], kSuccess) : kInvalidParam);
}
CALL(Calibrate, int handle) { ANSWER((++board().state().calibrations, kSuccess)); }
CALL(MallocReadoutBuffer, int handle, char** buffer, std::uint32_t* bytes) {
    ANSWER(board().make_buffer(buffer, bytes));
}
CALL(FreeReadoutBuffer, char** buffer) { return board().free_buffer(buffer); }
CALL(ClearData, int handle) { ANSWER(board().clear()); }
CALL(SWStartAcquisition, int handle) { ANSWER(board().start()); }
CALL(SWStopAcquisition, int handle) { ANSWER(board().stop()); }
CALL(SendSWtrigger, int handle) { ANSWER(board().trigger()); }
CALL(ReadData, int handle, std::uint32_t, char* buffer, std::uint32_t* bytes) { ANSWER(board().read(buffer, bytes)); }
CALL(ReadTemperature, int handle, std::int32_t input, std::uint32_t* degrees) {
    ANSWER(board().temperature(input, degrees));
}
}
