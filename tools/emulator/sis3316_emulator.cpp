#include "tools/emulator/sis3316_emulator.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstring>
#include <deque>
#include <optional>

#include "daq/core/bytes.hpp"
#include "daq/core/error.hpp"
#include "readout/sis3316_events.hpp"
#include "readout/sis3316_registers.hpp"
#include "readout/udp.hpp"
#include "tools/emulator/trigger_pace.hpp"

namespace alleycat {
namespace {

using boost::asio::ip::udp;
using Clock = std::chrono::steady_clock;
using ErrorCode = boost::system::error_code;
namespace reg = sis3316::reg;
namespace bits = sis3316::bits;
namespace command = sis3316::command;
namespace status = sis3316::status;
using std::chrono::milliseconds;

constexpr std::size_t kPacketWords = 360;        ///< of a memory read: 1440 bytes
constexpr std::size_t kBurst = 16;               ///< packets between two looks at the clock
constexpr std::size_t kFastBankWords = 1 << 17;  ///< a bank that is filled as fast as possible holds about so many
constexpr std::uint64_t kClockMask = (std::uint64_t{1} << sis3316::kClockBits) - 1;
constexpr auto kLook = milliseconds{50};  ///< at the stop token, at least

struct Bank {
    std::array<std::vector<std::uint32_t>, sis3316::kInputs> words;
    std::array<bool, sis3316::kInputs> taken{};  ///< read to their end

    [[nodiscard]] std::size_t total() const noexcept {
        std::size_t sum = 0;
        for (const auto& one : words) sum += one.size();
        return sum;
    }
    void clear() noexcept {
        for (auto& one : words) one.clear();
        taken.fill(false);
    }
    [[nodiscard]] bool all_taken() const noexcept {
        for (std::size_t i = 0; i < words.size(); ++i) {
            if (!words[i].empty() && !taken[i]) return false;
        }
        return true;
    }
};

/// What a group's transfer logic delivers next.
struct Transfer {
    bool running = false;
    unsigned bank = 0, input = 0;
    std::size_t at = 0;
};

struct Packet {
    udp::endpoint to;
    std::vector<std::byte> bytes;
};
struct LatePacket {
    Clock::time_point due;
    Packet packet;
};

}  // namespace

struct Sis3316Emulator::State {
    State(std::unique_ptr<RecordSource> records, const EmulatorConfig& configured, const Sis3316Emulation& emulated)
        : source{std::move(records)}, config{configured}, emulation{emulated}, faults{configured.faults} {
        const BoardInfo& board = source->board();
        if (bytes_per_sample(board.sample_type) != 2) {
            throw Error{fmt::format("board {}: a SIS3316 has samples of 16 bit, these are {}", board.name,
                                    to_text(board.sample_type))};
        }
        for (std::size_t c = emulation.inputs.size(); c < board.channels.size(); ++c) {
            emulation.inputs.push_back(static_cast<unsigned>(c));
        }
        if (board.channels.size() > sis3316::kInputs) {
            throw Error{fmt::format("board {}: a SIS3316 has 16 inputs, these are {} channels", board.name,
                                    board.channels.size())};
        }
        ErrorCode error;
        socket.open(udp::v4(), error);
        if (!error) socket.bind({boost::asio::ip::address_v4::loopback(), config.port}, error);
        if (error) throw Error{fmt::format("127.0.0.1:{}: {}", config.port, error.message())};
        socket.non_blocking(true);
        own_port = socket.local_endpoint().port();
        power_up();
    }

    // Registers -----------------------------------------------------------------------------------------------------

    void power_up() {
        granted = false;
        clock_zero.reset();
        clear_registers();
    }
    void clear_registers() {
        registers.assign(reg::end_of_registers / 4, 0);
        armed = false;
        transfers.fill({});
    }
    [[nodiscard]] std::uint32_t get(std::uint32_t address) const noexcept {
        return address < reg::end_of_registers ? registers[address / 4] : 0;
    }
    [[nodiscard]] std::uint32_t read(std::uint32_t address) const noexcept {
        switch (address) {
            case reg::modid: return emulation.packet_identifiers ? 0x3316'2010 : 0x3316'2006;
            case reg::access_arbitration: return granted ? bits::own_access_granted | 1u << 16 | 1 : 0;
            case reg::hardware_version: return 1;
            case reg::internal_temperature: return 38 * 4 + 1;
            case reg::serial_number: return 291;
            case reg::adc_clk_osc_i2c: return 1u << 8;  // acknowledged, never busy
            case reg::acquisition_control:
                return (get(address) & 0xFFFF) | (armed ? bits::armed : 0) | (bank != 0 ? bits::armed_on_bank2 : 0);
            case 0xA0: return 0x1818'1818;  // all links up
            default: break;
        }
        const std::uint32_t of_group = address & 0xFFF, group = address / 0x1000 - 1;
        if (group < sis3316::kGroups) {
            if (of_group == (reg::adc_firmware & 0xFFF)) return 0x0250'0010;
            if (of_group == (reg::adc_status & 0xFFF)) return 0x0013'0018;
            const unsigned input = group * sis3316::kInputsPerGroup + (of_group & 0xF) / 4;
            if ((of_group & ~0xFu) == (reg::actual_sample_address & 0xFFF)) return address_of(bank, input);
            if ((of_group & ~0xFu) == (reg::previous_bank_sample_address & 0xFFF)) return address_of(bank ^ 1, input);
        }
        return get(address);
    }
    [[nodiscard]] std::uint32_t address_of(unsigned of_bank, unsigned input) const noexcept {
        return static_cast<std::uint32_t>(banks[of_bank].words[input].size()) |
               (of_bank != 0 ? bits::previous_bank2 : 0);
    }
    void write(std::uint32_t address, std::uint32_t value) {
        switch (address) {
            case reg::access_arbitration:
                if ((value & bits::take_access) == 0) granted = (value & bits::own_access_request) != 0;
                return;
            case reg::key_reset: clear_registers(); return;
            case reg::key_disarm: armed = false; return;
            case reg::key_trigger:
                if (armed && (get(reg::acquisition_control) & bits::external_trigger) != 0) take_trigger();
                return;
            case reg::key_timestamp_clear: clock_zero.reset(); return;
            case reg::key_arm_bank1: arm(0); return;
            case reg::key_arm_bank2: arm(1); return;
            default: break;
        }
        if (address >= reg::data_transfer_ctrl && address < reg::data_transfer_ctrl + 4 * sis3316::kGroups) {
            set_transfer((address - reg::data_transfer_ctrl) / 4, value);
        }
        const bool stuck = address != 0 && address == emulation.stuck_register;
        if (address < reg::end_of_registers && !stuck) registers[address / 4] = value;
    }
    void arm(unsigned which) {
        if (!armed || which != bank) banks[which].clear();
        if (!armed) pass_over(*source, pace.begin(), {});
        bank = which;
        armed = true;
    }
    void set_transfer(unsigned group, std::uint32_t value) {
        const unsigned input = group * sis3316::kInputsPerGroup + ((value & bits::transfer_memory2) != 0 ? 2 : 0) +
                               ((value & bits::transfer_odd_input) != 0 ? 1 : 0);
        transfers[group] = {.running = (value & bits::transfer_read) != 0,
                            .bank = (value & bits::transfer_bank2) != 0 ? 1u : 0u,
                            .input = input,
                            .at = value & bits::sample_address};
    }

    // Triggers ------------------------------------------------------------------------------------------------------

    [[nodiscard]] bool wants_trigger() const noexcept {
        if (!armed || ended) return false;
        if (pace.as_fast_as_possible()) return banks[bank].total() < kFastBankWords;
        return pace.is_due() && banks[bank].total() < sis3316::kBankWords;
    }
    void take_trigger() {
        RecordHeader header;
        const RecordSource::Next next = source->next(header, {});
        if (next == RecordSource::Next::end) ended = true;
        if (next != RecordSource::Next::record || header.refusal != RefusalReason::none) return;
        payload.resize(payload_bytes(header));
        source->fill(payload);
        pace.took_one();
        // A client that came late, or did not read, does not get all of it at once.
        if (Clock::now() > pace.due() + milliseconds{100} && !pace.as_fast_as_possible())
            pass_over(*source, pace.begin(), {});
        const std::uint64_t stamp = stamp_of(header);
        store(header, stamp);
        ++triggers;
        if (faults.strikes(Fault::clock_change)) clock_shift += std::uint64_t{1} << 32;
        if (faults.strikes(Fault::stall)) silent_until = Clock::now() + emulation.stall;
        if (faults.strikes(Fault::reboot)) reboot();
    }
    std::uint64_t stamp_of(const RecordHeader& header) {
        if (!clock_zero) {
            clock_zero = header.time_ps;
            clock_shift = config.first_clock;
        }
        const double ticks =
            static_cast<double>(header.time_ps - *clock_zero) / static_cast<double>(source->board().sample_period_ps);
        return (clock_shift + static_cast<std::uint64_t>(std::llround(ticks * (1 + config.clock_drift_ppm * 1e-6)))) &
               kClockMask;
    }
    void store(const RecordHeader& header, std::uint64_t stamp) {
        const RecordView record{header, payload};
        std::size_t position = 0;
        std::array<std::size_t, sis3316::kInputs> begins{};
        std::size_t events = 0;
        std::array<unsigned, sis3316::kInputs> stored_in{};
        for (std::size_t c = 0; c < emulation.inputs.size(); ++c) {
            if ((header.channel_mask >> c & 1) == 0) continue;
            const unsigned input = emulation.inputs[c];
            const std::span<const std::uint16_t> samples = record.channel<std::uint16_t>(position++);
            if (!triggered(input)) continue;
            begins[events] = banks[bank].words[input].size();
            stored_in[events++] = input;
            append_event(input, stamp, samples);
        }
        if (events != 0 && faults.strikes(Fault::garbage)) {
            // The sample header of one channel's event: the words after it are not where they are expected.
            const std::size_t which = garbage_turn++ % events;
            banks[bank].words[stored_in[which]][begins[which] + 2] = 0x1234'5678;
            ++events_garbled;
        }
    }
    [[nodiscard]] bool triggered(unsigned input) const noexcept {
        const std::uint32_t event = get(reg::of_group(reg::event_config, input / sis3316::kInputsPerGroup)) >>
                                    (8 * (input % sis3316::kInputsPerGroup));
        const bool external = (event & bits::external_trigger_of_input) != 0 &&
                              (get(reg::acquisition_control) & bits::external_trigger) != 0;
        return external || (event & bits::internal_trigger_of_input) != 0;
    }
    void append_event(unsigned input, std::uint64_t stamp, std::span<const std::uint16_t> samples) {
        const unsigned group = input / sis3316::kInputsPerGroup;
        std::vector<std::uint32_t>& words = banks[bank].words[input];
        const std::uint32_t format =
            get(reg::of_group(reg::dataformat_config, group)) >> (8 * (input % sis3316::kInputsPerGroup)) & 0x1F;
        const std::uint32_t id = get(reg::of_group(reg::channel_header, group)) >> 24 << 4 | input;
        words.push_back(static_cast<std::uint32_t>(stamp >> 32) << 16 | id << 4 | (format & 0xF));
        words.push_back(static_cast<std::uint32_t>(stamp));
        append_sums(words, format, samples);
        const std::uint32_t maw = (format & 0x10) != 0 ? get(reg::of_group(reg::maw_test_buffer, group)) & 0x7FE : 0;
        const std::uint32_t extended = get(reg::of_group(reg::extended_raw_data_buffer, group)) & 0x1FF'FFFE;
        const std::uint32_t wanted =
            extended != 0 ? extended : get(reg::of_group(reg::raw_data_buffer, group)) >> 16 & 0xFFFE;
        words.push_back(0xEu << 28 | (maw != 0 ? 1u << 27 : 0) | wanted / 2);
        const auto sample = [&](std::size_t i) -> std::uint32_t {
            return samples.empty() ? 0 : samples[std::min(i, samples.size() - 1)];
        };
        for (std::size_t i = 0; i < wanted; i += 2) words.push_back(sample(i) | sample(i + 1) << 16);
        words.resize(words.size() + maw);
    }
    /// Peak and sums as the format bits ask for; the gates of the sums are not emulated.
    static void append_sums(std::vector<std::uint32_t>& words, std::uint32_t format,
                            std::span<const std::uint16_t> samples) {
        if ((format & 1) != 0) {
            const auto peak = std::max_element(samples.begin(), samples.end());
            const auto index = static_cast<std::uint32_t>(peak - samples.begin());
            words.push_back(index << 16 | (samples.empty() ? 0u : *peak));
            words.resize(words.size() + 6);
        }
        words.resize(words.size() + ((format & 2) != 0 ? 2 : 0) + ((format & 4) != 0 ? 3 : 0) +
                     ((format & 8) != 0 ? 2 : 0));
    }
    void reboot() {
        for (Bank& one : banks) one.clear();
        power_up();
        clock_zero.reset();
        silent_until = Clock::now() + emulation.reboot;
    }

    // Packets -------------------------------------------------------------------------------------------------------

    void answer(std::span<const std::byte> bytes) {
        ++requests;
        ByteReader reader{bytes};
        const auto what = reader.get<std::uint8_t>();
        if (what == command::reset) {
            transfers.fill({});
            return;
        }
        if (what == command::write_link) {
            const auto address = reader.get<std::uint32_t>();
            const auto value = reader.get<std::uint32_t>();
            if (!reader.failed() && reader.left() == 0 && address < reg::end_of_link) write(address, value);
            return;
        }
        const std::uint8_t identifier = emulation.packet_identifiers ? reader.get<std::uint8_t>() : std::uint8_t{0};
        if (what == command::read_link) {
            const auto address = reader.get<std::uint32_t>();
            if (reader.failed() || reader.left() != 0) return;  // the other dialect
            begin(what, identifier);
            put(address);
            put(read(address));
            send(false, true);
            return;
        }
        const std::size_t count = std::size_t{reader.get<std::uint16_t>()} + 1;
        switch (what) {
            case command::read: answer_read(reader, identifier, count); break;
            case command::write: answer_write(reader, identifier, count); break;
            case command::read_fifo: answer_fifo(reader, identifier, count); break;
            default: break;
        }
    }
    /// A reply that only complains, if there is something to complain of.
    bool refuse(std::uint8_t what, std::uint8_t identifier, bool understood) {
        if (granted && understood) return false;
        begin(what, identifier);
        put(granted ? status::protocol_error : status::no_grant);
        send(false, true);
        return true;
    }
    void answer_read(ByteReader& reader, std::uint8_t identifier, std::size_t count) {
        if (refuse(command::read, identifier, count <= sis3316::kMostRegisters && reader.left() == 4 * count)) return;
        begin(command::read, identifier);
        put(std::uint8_t{0});
        bool looks_for_data = false;
        for (std::size_t i = 0; i < count; ++i) {
            const auto address = reader.get<std::uint32_t>();
            put(read(address));
            looks_for_data = looks_for_data || address == reg::acquisition_control;
        }
        looks_since_data += looks_for_data ? 1 : 0;
        send(false, true);
    }
    void answer_write(ByteReader& reader, std::uint8_t identifier, std::size_t count) {
        if (refuse(command::write, identifier, count <= sis3316::kMostRegisters && reader.left() == 8 * count)) return;
        for (std::size_t i = 0; i < count; ++i) {
            const auto address = reader.get<std::uint32_t>();
            write(address, reader.get<std::uint32_t>());
        }
        begin(command::write, identifier);
        put(std::uint8_t{0});
        send(false, true);
    }
    void answer_fifo(ByteReader& reader, std::uint8_t identifier, std::size_t count) {
        const auto address = reader.get<std::uint32_t>();
        const std::uint32_t group = address / reg::fifo - 1;
        if (refuse(command::read_fifo, identifier, !reader.failed() && reader.left() == 0 && group < sis3316::kGroups))
            return;
        Transfer& transfer = transfers[group];
        if (!transfer.running) {
            begin(command::read_fifo, identifier);
            put(status::fifo_timeout);
            send(false, true);
            return;
        }
        const std::vector<std::uint32_t>& words = banks[transfer.bank].words[transfer.input];
        Clock::time_point due = Clock::now();
        for (std::size_t done = 0, n = 0; done < count; ++n) {
            const std::size_t size = std::min(kPacketWords, count - done);
            begin(command::read_fifo, identifier);
            const bool miscounted = faults.strikes(Fault::wrong_counter);
            put(static_cast<std::uint8_t>((n + (miscounted ? 3 : 0)) & status::packet));
            for (std::size_t i = 0; i < size; ++i, ++transfer.at) {
                put(transfer.at < words.size() ? words[transfer.at] : 0u);
            }
            done += size;
            send(true, done == count);
            due = std::max(due, Clock::now() - emulation.packet_gap * static_cast<int>(kBurst)) + emulation.packet_gap;
            if (n % kBurst == kBurst - 1) wait_until(due);
        }
        looks_since_data = 0;
        if (transfer.at >= words.size()) banks[transfer.bank].taken[transfer.input] = true;
    }
    void wait_until(Clock::time_point due) {
        boost::asio::steady_timer timer{io, due};
        ErrorCode ignored;
        timer.wait(ignored);
    }

    void begin(std::uint8_t what, std::uint8_t identifier) {
        reply.clear();
        put(what);
        if (emulation.packet_identifiers) put(identifier);
    }
    template <class T>
    void put(T value) {
        const auto bytes = std::as_bytes(std::span{&value, 1});
        reply.insert(reply.end(), bytes.begin(), bytes.end());
    }

    /// Sends the reply, or what a fault makes of it.
    void send(bool of_memory, bool last) {
        if (faults.strikes(Fault::lost)) return;
        if (faults.strikes(Fault::late)) {
            late.push_back({Clock::now() + emulation.late, {client, reply}});
            return;
        }
        if (of_memory && faults.strikes(Fault::short_reply)) reply.resize(reply.size() - 4);
        if (faults.strikes(Fault::garbage)) {
            for (std::size_t i = 0; i < reply.size(); ++i) reply[i] = static_cast<std::byte>(0xA5 + 7 * i);
        }
        if (of_memory && !last && faults.strikes(Fault::reordered)) {
            held.push_back({client, reply});
            return;
        }
        transmit(client, reply);
        if (faults.strikes(Fault::repeated)) transmit(client, reply);
        for (const Packet& one : held) transmit(one.to, one.bytes);
        held.clear();
    }
    void transmit(const udp::endpoint& to, std::span<const std::byte> bytes) {
        ErrorCode error;
        for (;;) {
            socket.send_to(boost::asio::buffer(bytes.data(), bytes.size()), to, 0, error);
            if (error != boost::asio::error::would_block) break;
            socket.wait(udp::socket::wait_write, error);
        }
        ++packets;
    }
    void transmit_late() {
        while (!late.empty() && late.front().due <= Clock::now()) {
            transmit(late.front().packet.to, late.front().packet.bytes);
            late.pop_front();
        }
    }

    // The loop ------------------------------------------------------------------------------------------------------

    void serve(const std::stop_token& stop) {
        while (!stop.stop_requested() && !finished()) {
            transmit_late();
            ErrorCode error;
            const std::size_t bytes = socket.receive_from(boost::asio::buffer(request), client, 0, error);
            if (!error) {
                if (Clock::now() >= silent_until) answer(std::span{request}.first(bytes));
            } else if (error == boost::asio::error::would_block) {
                if (Clock::now() >= silent_until && wants_trigger()) {
                    take_trigger();
                } else {
                    (void)wait_readable(socket, wake_up());
                }
            }
        }
    }
    [[nodiscard]] Clock::time_point wake_up() const noexcept {
        Clock::time_point until = Clock::now() + kLook;
        if (!late.empty()) until = std::min(until, late.front().due);
        if (armed && !ended && !pace.as_fast_as_possible()) until = std::min(until, std::max(pace.due(), silent_until));
        return until;
    }
    /// All waveforms were taken, and the client has looked for more: it does not ask again for what it has read.
    bool finished() {
        if (!ended || banks[bank].total() != 0 || !banks[bank ^ 1].all_taken()) looks_since_data = 0;
        return looks_since_data >= 3;
    }

    std::unique_ptr<RecordSource> source;
    EmulatorConfig config;
    Sis3316Emulation emulation;
    FaultPlan faults;
    boost::asio::io_context io;
    udp::socket socket{io};
    udp::endpoint client;
    std::uint16_t own_port = 0;

    std::vector<std::uint32_t> registers;
    bool granted = false, armed = false;
    unsigned bank = 0;  ///< the one that is written
    std::array<Bank, 2> banks;
    std::array<Transfer, sis3316::kGroups> transfers{};

    std::vector<std::byte> payload;
    std::optional<std::int64_t> clock_zero;  ///< the source's time at which the clock was cleared
    std::uint64_t clock_shift = 0;
    TriggerPace pace{config};
    Clock::time_point silent_until{};
    bool ended = false;
    std::size_t garbage_turn = 0;

    std::array<std::byte, 2048> request{};
    std::vector<std::byte> reply;
    std::vector<Packet> held;
    std::deque<LatePacket> late;
    std::uint64_t requests = 0, packets = 0, triggers = 0, events_garbled = 0;
    unsigned looks_since_data = 0;
};

Sis3316Emulator::Sis3316Emulator(std::unique_ptr<RecordSource> source, const EmulatorConfig& config,
                                 const Sis3316Emulation& emulation)
    : state_{std::make_unique<State>(std::move(source), config, emulation)} {}
Sis3316Emulator::~Sis3316Emulator() = default;

std::uint16_t Sis3316Emulator::port() const noexcept { return state_->own_port; }
void Sis3316Emulator::serve(std::stop_token stop) { state_->serve(stop); }

std::vector<std::pair<std::string, std::uint64_t>> Sis3316Emulator::counts() const {
    const State& s = *state_;
    std::vector<std::pair<std::string, std::uint64_t>> all{{"triggers_served", s.triggers},
                                                           {"requests", s.requests},
                                                           {"packets", s.packets},
                                                           {"events_garbled", s.events_garbled}};
    for (std::size_t f = 0; f < kFaultNames.size(); ++f) {
        const std::uint64_t struck = s.faults.struck(static_cast<Fault>(f));
        if (struck != 0) all.emplace_back(fmt::format("fault_{}", kFaultNames[f]), struck);
    }
    return all;
}

}  // namespace alleycat
