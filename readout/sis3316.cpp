#include "readout/sis3316.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <utility>

#include "daq/core/data_time.hpp"
#include "daq/core/error.hpp"
#include "daq/core/log.hpp"
#include "readout/sis3316_events.hpp"
#include "readout/sis3316_link.hpp"
#include "readout/sis3316_records.hpp"
#include "readout/sis3316_registers.hpp"

namespace alleycat {
namespace {

using namespace std::chrono_literals;
using sis3316::Answer;
using sis3316::Link;
using sis3316::LinkCount;
using sis3316::SetupStep;
namespace reg = sis3316::reg;
namespace bits = sis3316::bits;
using Clock = std::chrono::steady_clock;

constexpr auto kOpenPatience = 5s;  ///< for a board to be found and set up at start
constexpr auto kLostAfter = 1s;     ///< of silence
constexpr auto kNextTakes = 95ms;   ///< of the 100 ms that next() may take
constexpr auto kLookEvery = 5ms;    ///< at an empty bank: looking is most of the work at 60 Hz
constexpr std::size_t kFewestRequestWords = 1024;
constexpr std::int64_t kSwapSlackNs = 1'000'000'000;  ///< between the host's clock and the board's, over one bank
constexpr std::uint64_t kClockMask = (std::uint64_t{1} << sis3316::kClockBits) - 1;

std::int64_t utc_now_ns() {
    return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::system_clock::now().time_since_epoch())
        .count();
}

/// 10 bits with a sign, a quarter of a degree each.
double temperature_c(std::uint32_t value) {
    const auto quarter_degrees = static_cast<int>(value & 0x3FF);
    return (quarter_degrees >= 0x200 ? quarter_degrees - 0x400 : quarter_degrees) / 4.0;
}

/// One channel's part of a bank: its words, the events in them, and the one that waits to be put into a record.
struct ChannelBank {
    unsigned input = 0;
    std::vector<std::uint32_t> words;
    std::size_t used = 0;  ///< of words
    std::vector<sis3316::Event> events;
    std::size_t waiting = 0;

    void keep_room_for(std::size_t n) {
        if (words.size() < n) words.resize(n);
        used = n;
    }
};

}  // namespace

std::string Sis3316Identity::model() const { return sixteen_bit() ? "SIS3316-125-16" : "SIS3316-250-14"; }
std::string Sis3316Identity::serial_text() const {
    return (serial >> 16 & 1) != 0 ? "" : std::to_string(serial & 0xFFFF);
}
std::string Sis3316Identity::firmware() const {
    return fmt::format("VME {:04x}, ADC {:04x}-{:04x}", module_id & 0xFFFF, adc_firmware >> 16, adc_firmware & 0xFFFF);
}

struct Sis3316Source::State {
    /// What is done next. Each step is one request and can be done again.
    enum class Phase {
        find,        ///< ask for the module id, in both dialects
        look,        ///< after a loss: is access still granted?
        look_armed,  ///< and is the board armed as it was left?
        ask,         ///< for access
        granted,     ///< is access granted?
        identify,    ///< serial number, firmware
        configure,   ///< the setup's steps
        arm,         ///< the first bank
        watch,       ///< is something in the bank that is written?
        swap,        ///< write the other bank
        sizes,       ///< how much stands in the one that was written
        transfer,    ///< its words, channel by channel
        deliver,     ///< records, until none is left
    };

    State(const BoardInfo& configured, std::uint16_t board_index, const Sis3316Config& wanted)
        : board{configured}, config{wanted}, link{link_config(wanted)}, maker{board, board_index} {
        board.source = "sis3316";
        banks.resize(config.inputs.size());
        for (std::size_t c = 0; c < banks.size(); ++c) banks[c].input = config.inputs[c];
        waiting.resize(banks.size());
        watched = {reg::acquisition_control, reg::internal_temperature};
        for (const ChannelBank& bank : banks) {
            watched.push_back(reg::of_input(reg::actual_sample_address, bank.input));
            sizes.push_back(reg::of_input(reg::previous_bank_sample_address, bank.input));
        }
        values.resize(watched.size());
    }

    [[nodiscard]] std::string where() const {
        return fmt::format("board {} ({}:{})", board.name, config.host, config.port);
    }

    // Before data: found, granted, known, set up ------------------------------------------------------------------

    void open() {
        link.reset();
        step_until(Phase::watch, Clock::now() + kOpenPatience);
        board.model = identity.model();
        board.serial = identity.serial_text();
        board.firmware = identity.firmware();
    }
    /// Access belongs to the interface, not to a client: who had it before, keeps it.
    void open_to_identify() {
        const Clock::time_point give_up = Clock::now() + kOpenPatience;
        step_until(Phase::ask, give_up);
        std::uint32_t access = 0;
        while (!done(link.read_link(reg::access_arbitration, access))) check_patience(give_up);
        if ((access & bits::own_access_granted) != 0) phase = Phase::identify;
        step_until(Phase::configure, give_up);
        if ((access & bits::own_access_granted) == 0) link.write_link(reg::access_arbitration, 0);
    }
    void step_until(Phase wanted, Clock::time_point give_up) {
        while (phase != wanted) {
            check_patience(give_up);
            step(true);
        }
    }
    void check_patience(Clock::time_point give_up) const {
        if (Clock::now() >= give_up) throw Error{fmt::format("{}: {} within 5 s", where(), what_is_missing())};
    }
    [[nodiscard]] std::string_view what_is_missing() const {
        switch (phase) {
            case Phase::find: return "no answer";
            case Phase::look:
            case Phase::look_armed:
            case Phase::ask:
            case Phase::granted: return "access was not granted: another interface holds the board";
            case Phase::identify: return "its identity could not be read";
            default: return "it could not be set up";
        }
    }

    /// Best effort: nobody waits for a board that does not answer.
    void hand_back() {
        (void)write(reg::key_disarm, 0);
        link.write_link(reg::access_arbitration, 0);
    }

    void find() {
        std::uint32_t module_id = 0;
        if (!done(link.find_protocol(module_id))) return;
        if (module_id >> 16 != 0x3316) {
            if (opened) return;  // it is still starting
            throw Error{fmt::format("{}: is no SIS3316: its module id is 0x{:08X}", where(), module_id)};
        }
        identity.module_id = module_id;
        if (!opened) {
            phase = Phase::ask;
            return;
        }
        ++reconnects;
        phase = Phase::look;
    }

    void look() {
        std::uint32_t access = 0;
        if (!done(link.read_link(reg::access_arbitration, access))) return;
        const bool as_left = (access & bits::own_access_granted) != 0 && before_loss != Phase::configure;
        phase = as_left ? Phase::look_armed : Phase::ask;
    }
    /// Armed on the bank it was told: then nothing is lost.
    void look_armed() {
        std::uint32_t acquisition = 0;
        if (!done(read(reg::acquisition_control, acquisition))) return;
        if ((acquisition & bits::armed) == 0 || (before_loss != Phase::swap && bank_of(acquisition) != armed_bank)) {
            phase = Phase::ask;
            return;
        }
        ++resumed;
        transfer_running = false;
        swap_uncertain = true;
        phase = before_loss;
        log::readout().warn("{}: answers again, as it was left", where());
    }

    void ask() {
        link.write_link(reg::access_arbitration, refusals == 0 ? bits::own_access_request : bits::take_access);
        if (refusals != 0) link.write_link(reg::access_arbitration, bits::own_access_request);
        phase = Phase::granted;
    }
    void granted() {
        std::uint32_t access = 0;
        if (!done(link.read_link(reg::access_arbitration, access))) return;
        if ((access & bits::own_access_granted) == 0) {
            ++refusals;
            link.pause(kLookEvery);
            phase = Phase::ask;
            return;
        }
        refusals = 0;
        phase = Phase::identify;
    }
    void identify() {
        const std::array<std::uint32_t, 3> addresses{reg::internal_temperature, reg::serial_number,
                                                     reg::of_group(reg::adc_firmware, 0)};
        std::array<std::uint32_t, 3> answer{};
        if (!done(link.read(addresses, answer))) return;
        identity.temperature_c = temperature_c(answer[0]);
        identity.serial = answer[1];
        identity.adc_firmware = answer[2];
        if (identity.sixteen_bit() && board.sample_period_ps == 4000) {
            throw Error{fmt::format("{}: a {} samples at 8000 ps, the configuration says {}", where(), identity.model(),
                                    board.sample_period_ps)};
        }
        steps = sis3316::setup_steps(board, config, identity.sixteen_bit());
        at_step = 0;
        phase = Phase::configure;
    }

    void configure(bool at_start) {
        if (at_step == steps.size()) {
            phase = Phase::arm;
            return;
        }
        const SetupStep& one = steps[at_step];
        switch (one.kind) {
            case SetupStep::Kind::wait: link.pause(one.pause); break;
            case SetupStep::Kind::write:
                if (!done(write(one.address, one.value))) return;
                break;
            case SetupStep::Kind::verify:
                if (!verified(one, at_start)) return;
                break;
            case SetupStep::Kind::await_clear: {
                std::uint32_t value = 0;
                if (!done(read(one.address, value)) || (value & one.mask) != 0) return;
                break;
            }
        }
        ++at_step;
    }
    bool verified(const SetupStep& one, bool at_start) {
        std::uint32_t is = 0;
        if (!done(read(one.address, is))) return false;
        if (((is ^ one.value) & one.mask) == 0) return true;
        const std::string sentence =
            fmt::format("{}: register {} (0x{:04X}) should be 0x{:08X}, but reads back 0x{:08X}", where(), one.name,
                        one.address, one.value & one.mask, is & one.mask);
        if (at_start) throw Error{sentence};
        if (readback_differences++ == 0) log::readout().error("{}", sentence);
        at_step = 0;  // somebody else's hand, or it is still starting
        return false;
    }

    void arm() {
        if (!done(write(reg::key_arm_bank1, 0))) return;
        armed_bank = 0;
        if (opened) maker.restart_clock();
        opened = true;
        phase = Phase::watch;
    }

    // Data ----------------------------------------------------------------------------------------------------------

    void watch() {
        if (!done(link.read(watched, values))) return;
        if (!armed_as_told(values[0])) return;
        identity.temperature_c = temperature_c(values[1]);
        const bool empty = std::all_of(values.begin() + 2, values.end(),
                                       [](std::uint32_t value) { return (value & bits::sample_address) == 0; });
        if (empty) {
            link.pause(kLookEvery);
            return;
        }
        swap_uncertain = false;
        phase = Phase::swap;
    }
    bool armed_as_told(std::uint32_t acquisition) {
        if ((acquisition & bits::armed) != 0 && bank_of(acquisition) == armed_bank) return true;
        ++found_disarmed;
        lose("was found not armed as it was told");
        before_loss = Phase::configure;
        return false;
    }
    [[nodiscard]] static unsigned bank_of(std::uint32_t acquisition) noexcept {
        return (acquisition & bits::armed_on_bank2) != 0 ? 1 : 0;
    }

    /// To swap twice would throw away what the bank got in between: an order without an answer is looked after first.
    void swap() {
        if (swap_uncertain) {
            std::uint32_t acquisition = 0;
            if (!done(read(reg::acquisition_control, acquisition))) return;
            swap_uncertain = false;
            if ((acquisition & bits::armed) != 0 && bank_of(acquisition) != armed_bank) swapped();
            return;
        }
        swap_uncertain = true;
        if (!done(write(armed_bank == 0 ? reg::key_arm_bank2 : reg::key_arm_bank1, 0))) return;
        swapped();
    }
    void swapped() {
        armed_bank ^= 1;
        last_swap_utc_ns = std::exchange(swap_utc_ns, utc_now_ns());
        phase = Phase::sizes;
    }

    void read_sizes() {
        const std::span<std::uint32_t> ends = std::span{values}.first(sizes.size());
        if (!done(link.read(sizes, ends))) return;
        const bool settled = std::all_of(ends.begin(), ends.end(), [&](std::uint32_t end) {
            return ((end & bits::previous_bank2) != 0) == (armed_bank == 0);
        });
        if (!settled) return;  // the last samples are still on their way
        for (std::size_t c = 0; c < banks.size(); ++c) banks[c].keep_room_for(ends[c] & bits::sample_address);
        transferring = 0;
        transferred = 0;
        transfer_running = false;
        phase = Phase::transfer;
    }

    void transfer() {
        while (transferring < banks.size() && transferred == banks[transferring].used) {
            ++transferring;
            transferred = 0;
            transfer_running = false;
        }
        if (transferring == banks.size()) {
            decode();
            return;
        }
        ChannelBank& bank = banks[transferring];
        if (!transfer_running) {
            transfer_running = done(start_transfer(bank.input));
            return;
        }
        const std::size_t words = std::min(request_words, bank.used - transferred);
        const std::uint32_t fifo = reg::fifo * (1 + bank.input / sis3316::kInputsPerGroup);
        if (done(link.read_fifo(fifo, std::span{bank.words}.subspan(transferred, words)))) {
            transferred += words;
            request_words = std::min(request_words + request_words / 8, link.request_words());
        } else {
            link.count(LinkCount::rerequests);
            transfer_running = false;  // where the board's memory stands is not known
            // Less at a time goes through where the way is slow or loses much; packets stay where they are.
            request_words = std::max(request_words / 2, kFewestRequestWords);
        }
    }
    Answer start_transfer(unsigned input) {
        const unsigned of_group = input % sis3316::kInputsPerGroup;
        const std::uint32_t control = reg::data_transfer_ctrl + 4 * (input / sis3316::kInputsPerGroup);
        const std::uint32_t start = bits::transfer_read | (of_group >= 2 ? bits::transfer_memory2 : 0) |
                                    (of_group % 2 != 0 ? bits::transfer_odd_input : 0) |
                                    (armed_bank == 0 ? bits::transfer_bank2 : 0) |
                                    static_cast<std::uint32_t>(transferred);
        const std::array<sis3316::RegisterValue, 2> registers{{{control, 0}, {control, start}}};
        return link.write(registers);
    }

    /// All events of the bank, where they stand. What cannot be decoded is counted and left out.
    void decode() {
        std::uint64_t newest = 0;
        bool any = false;
        for (ChannelBank& bank : banks) {
            bank.events.clear();
            bank.waiting = 0;
            const sis3316::EventLayout layout{.identity = static_cast<std::uint16_t>(bank.input << 4)};
            for (const sis3316::DecodedEvent& one :
                 sis3316::Events{std::span<const std::uint32_t>{bank.words}.first(bank.used), layout}) {
                if (one.damage == sis3316::EventDamage::none) {
                    bank.events.push_back(one.event);
                } else {
                    defect_log.count("events_damaged");
                }
            }
            if (bank.events.empty()) continue;
            const std::uint64_t last = bank.events.back().timestamp;
            if (!any || ((last - newest) & kClockMask) < kClockMask / 2) newest = last;
            any = true;
        }
        newest_stamp = newest;
        phase = Phase::deliver;
    }

    /// The next record of the bank, or none is left.
    bool describe_next(RecordHeader& header) {
        bool any = false;
        for (std::size_t c = 0; c < banks.size(); ++c) {
            ChannelBank& bank = banks[c];
            if ((used_up >> c & 1) != 0) ++bank.waiting;
            waiting[c] = bank.waiting < bank.events.size() ? &bank.events[bank.waiting] : nullptr;
            any = any || waiting[c] != nullptr;
        }
        used_up = in_record = 0;
        if (!any) {
            phase = Phase::watch;
            return false;
        }
        used_up = maker.describe(waiting, swap_utc_ns, header, defect_log);
        // The host saw the bank's last event when it swapped; the others came before by what the board's clock says.
        // A clock that jumped within the bank says nothing: no event is older than the bank.
        const std::uint64_t before = (newest_stamp - header.clock) & kClockMask;
        const std::int64_t bank_ns = last_swap_utc_ns == 0 ? kForever : swap_utc_ns - last_swap_utc_ns;
        const std::int64_t before_ns = static_cast<std::int64_t>(before) * board.clock_period_ps / 1000;
        if (before < kClockMask / 2 && before_ns <= later(bank_ns, kSwapSlackNs)) header.utc_ns -= before_ns;
        in_record = header.channel_mask;
        return true;
    }

    // Steps and losses ----------------------------------------------------------------------------------------------

    Answer read(std::uint32_t address, std::uint32_t& value) { return link.read({&address, 1}, {&value, 1}); }
    Answer write(std::uint32_t address, std::uint32_t value) {
        const sis3316::RegisterValue one{address, value};
        return link.write({&one, 1});
    }

    /// Notes what came of a request; true when it is done.
    bool done(Answer answer) {
        const Clock::time_point now = Clock::now();
        switch (answer) {
            case Answer::ok: last_success = now; return true;
            case Answer::no_grant:
                if (opened && phase != Phase::find) {
                    lose("grants no access any more");
                } else {
                    phase = Phase::ask;
                }
                return false;
            case Answer::timeout:
            case Answer::fifo_timeout:
            case Answer::protocol_error: break;
        }
        if (opened && phase != Phase::find && now - last_success > kLostAfter) lose("does not answer");
        return false;
    }
    void lose(std::string_view why) {
        if (phase == Phase::configure || phase == Phase::arm) {
            before_loss = Phase::configure;
        } else if (phase >= Phase::watch) {
            before_loss = phase;
        }
        ++board_lost;
        log::readout().warn("{}: {}; it is looked for", where(), why);
        phase = Phase::find;
    }

    void step(bool at_start = false) {
        switch (phase) {
            case Phase::find: find(); break;
            case Phase::look: look(); break;
            case Phase::look_armed: look_armed(); break;
            case Phase::ask: ask(); break;
            case Phase::granted: granted(); break;
            case Phase::identify: identify(); break;
            case Phase::configure: configure(at_start); break;
            case Phase::arm: arm(); break;
            case Phase::watch: watch(); break;
            case Phase::swap: swap(); break;
            case Phase::sizes: read_sizes(); break;
            case Phase::transfer: transfer(); break;
            case Phase::deliver: break;
        }
    }

    BoardInfo board;
    Sis3316Config config;
    Link link;
    sis3316::RecordMaker maker;
    DefectLog defect_log;
    Sis3316Identity identity{};
    std::vector<ChannelBank> banks;  ///< as the board's channels
    std::vector<std::uint32_t> watched, sizes, values;

    Phase phase = Phase::find, before_loss = Phase::configure;
    bool opened = false;
    Clock::time_point last_success = Clock::now();
    std::vector<SetupStep> steps;
    std::size_t at_step = 0;
    unsigned refusals = 0;

    unsigned armed_bank = 0;  ///< 0 or 1: the one that is written
    bool swap_uncertain = false;
    std::int64_t swap_utc_ns = 0, last_swap_utc_ns = 0;  ///< when the bank that is read ended and began; 0: not yet
    std::size_t transferring = 0;                        ///< channel
    std::size_t transferred = 0;                         ///< of its words
    bool transfer_running = false;
    std::size_t request_words = link.request_words();  ///< at a time, as the way allows

    std::vector<const sis3316::Event*> waiting;  ///< as the board's channels
    std::uint64_t used_up = 0, in_record = 0;    ///< channels of the record described last
    std::uint64_t newest_stamp = 0;

    std::uint64_t board_lost = 0, reconnects = 0, resumed = 0, found_disarmed = 0, readback_differences = 0;
};

Sis3316Source::Sis3316Source(const BoardInfo& board, std::uint16_t board_index, const Sis3316Config& config)
    : state_{std::make_unique<State>(board, board_index, config)} {
    state_->open();
}
Sis3316Source::~Sis3316Source() { state_->hand_back(); }

const BoardInfo& Sis3316Source::board() const noexcept { return state_->board; }

RecordSource::Next Sis3316Source::next(RecordHeader& header, std::stop_token stop) {
    State& s = *state_;
    const Clock::time_point last_step = Clock::now() + kNextTakes - s.config.timeout;
    do {
        if (s.phase == State::Phase::deliver && s.describe_next(header)) return Next::record;
        if (stop.stop_requested()) return Next::idle;
        s.step();
    } while (Clock::now() < last_step);
    return Next::idle;
}

void Sis3316Source::fill(std::span<std::byte> payload) {
    state_->maker.fill(state_->waiting, state_->in_record, payload);
}

std::vector<std::pair<std::string, std::uint64_t>> Sis3316Source::defects() const {
    const State& s = *state_;
    std::vector<std::pair<std::string, std::uint64_t>> all = s.defect_log.counts();
    const auto add = [&](std::string_view name, std::uint64_t n) {
        if (n != 0) all.emplace_back(name, n);
    };
    for (std::size_t i = 0; i < sis3316::kLinkCountNames.size(); ++i) {
        add(sis3316::kLinkCountNames[i], s.link.counts()[i]);
    }
    add("board_lost", s.board_lost);
    add("reconnects", s.reconnects);
    add("resumed", s.resumed);
    add("found_disarmed", s.found_disarmed);
    add("readback_differences", s.readback_differences);
    return all;
}

std::vector<BoardReading> Sis3316Source::readings() const {
    if (state_->phase < State::Phase::configure) return {};  // it is looked for
    return {{.name = "temperature", .value = state_->identity.temperature_c, .unit = "degC"}};
}

Sis3316Identity identify_sis3316(const BoardInfo& board, const Sis3316Config& config) {
    Sis3316Source::State state{board, 0, config};
    state.open_to_identify();
    return state.identity;
}

}  // namespace alleycat
