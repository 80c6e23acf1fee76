#include "tools/emulator/dig2_emulator.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstring>
#include <functional>
#include <optional>

#include <nlohmann/json.hpp>

#include "daq/core/error.hpp"
#include "readout/asio.hpp"
#include "readout/dig2_events.hpp"
#include "readout/dig2_link.hpp"
#include "tools/emulator/dig2_tree.hpp"
#include "tools/emulator/trigger_pace.hpp"

namespace alleycat {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;
using Clock = std::chrono::steady_clock;
using nlohmann::json;

constexpr std::uint32_t kServerVersion = 10400;  // before the binary dialect: clients of every age speak JSON to it
constexpr std::uint64_t kLongestRequest = 1u << 20;
constexpr std::size_t kBlockBytes = 1u << 20;       // a block is closed when it has this much
constexpr std::chrono::milliseconds kBlockTime{5};  // ... or when it took this long
constexpr unsigned kInputs = 64;
constexpr std::uint16_t kFlatLine = 0x2000;
constexpr std::uint32_t kIdMask = (1u << dig2::kTriggerIdBits) - 1;
constexpr std::uint64_t kClockMask = (std::uint64_t{1} << dig2::kClockBits) - 1;
constexpr std::uint64_t kDeadTicksPerEvent = 2;
constexpr double kLate_s = 0.5;
/// A clock that changes goes back by so much of its time, or of 0.8 s: by no whole number of periods of a slow signal,
/// which together with a trigger that was lost nobody could tell.
constexpr double kBack = 0.37;
constexpr std::uint64_t kBackWithin = 100'000'000;  // [ticks]

void put_word(std::vector<std::byte>& bytes, std::uint64_t word) {
    word = __builtin_bswap64(word);
    const std::size_t at = bytes.size();
    bytes.resize(at + sizeof word);
    std::memcpy(bytes.data() + at, &word, sizeof word);
}

void put_header(std::vector<std::byte>& bytes, std::uint64_t size, std::uint32_t events) {
    put_word(bytes, size);
    put_word(bytes, std::uint64_t{events} << 32 | std::uint64_t{1} << 24);  // complete: no event goes on in the next
    put_word(bytes, 0);
    put_word(bytes, 0);
}

}  // namespace

struct Dig2Emulator::State {
    /// One connection on the control port.
    struct Client {
        explicit Client(tcp::socket s) : socket{std::move(s)}, later{socket.get_executor()} {}
        tcp::socket socket;
        asio::steady_timer later;
        std::array<std::byte, dig2::kFrameHeaderBytes> header{};
        std::string request, reply;
    };
    using ClientPtr = std::shared_ptr<Client>;

    State(std::unique_ptr<RecordSource> s, const EmulatorConfig& c, double stall);

    // control
    void make_tree();
    void accept_client();
    void read_request(const ClientPtr& client);
    void answer(const ClientPtr& client);
    json answer_to(const json& request);
    json values_for(const std::string& command, const json& request, std::string& flag);
    std::string run_command(std::uint32_t handle);

    // board
    void arm();
    void start();
    void stop_run();
    void clear();
    void reset();
    void reboot();
    void pause(double seconds);
    [[nodiscard]] bool stalled() const { return Clock::now() < stalled_until; }

    // data
    void accept_reader();
    void notice_the_end_of(const std::shared_ptr<tcp::socket>& leaving);
    void pump();
    void pump_at(Clock::time_point when);
    void fill_blocks();
    [[nodiscard]] bool next_record();
    void add_event();
    void make_event(std::uint32_t id, std::uint64_t clock);
    void close_block();
    void add_bad_block(bool cut_short);
    void add_special();
    [[nodiscard]] std::uint64_t clock_of(const RecordHeader& header);

    EmulatorConfig config;
    double stall_s;
    std::unique_ptr<RecordSource> source;
    FaultPlan faults;

    asio::io_context io;
    tcp::acceptor control{io, {asio::ip::address_v4::loopback(), config.port}};
    tcp::acceptor data{io, {asio::ip::address_v4::loopback(), 0}};
    std::vector<std::weak_ptr<Client>> clients;
    std::shared_ptr<tcp::socket> reader;
    asio::steady_timer due{io};
    std::stop_token stop;

    dig2::Tree tree;
    std::uint32_t record_length = 0, start_source = 0;  // handles
    std::array<std::uint32_t, kInputs> enabled{};       // handles

    bool armed = false, running = false, exhausted = false;
    bool start_event = false, stop_event = false;  // to be sent
    bool reboots = false;                          // as soon as it has nothing to send
    unsigned empty_blocks = 0;                     // to be sent
    Clock::time_point stalled_until{};
    TriggerPace pace{config};
    Clock::time_point next_due{};  // an event, with a rate
    std::uint64_t events_in_run = 0;
    std::uint32_t next_id = 0;
    std::optional<std::int64_t> run_time_ps;  // of the run's first record
    std::uint64_t first_clock = 0, clock_back = 0, last_clock = 0;

    RecordHeader header;
    bool have_record = false;
    std::vector<std::byte> samples;
    std::vector<std::byte> event, block, out;
    std::vector<std::byte> delayed;  // an event that comes after the next
    std::uint32_t events_in_block = 0;
    bool writing = false;
    std::array<std::byte, 64> said{};  // by the reader: of no interest
    std::uint64_t served = 0, requests = 0, connections = 0;
    bool header_is_next = false;  // which kind of garbage
};

Dig2Emulator::State::State(std::unique_ptr<RecordSource> s, const EmulatorConfig& c, double stall)
    : config{c}, stall_s{stall}, source{std::move(s)}, faults{c.faults}, first_clock{c.first_clock} {
    if (source->board().sample_type != SampleType::uint16) {
        throw Error{fmt::format("board {}: a CAEN 27xx has samples of 16 bit, not {}", source->board().name,
                                to_text(source->board().sample_type))};
    }
    make_tree();
    accept_client();
    accept_reader();
}

// ---- control ----

void Dig2Emulator::State::make_tree() {
    const BoardInfo& board = source->board();
    const std::uint32_t par = tree.add(tree.root(), "par", "FOLDER");
    const auto constant = [&](std::string_view name, std::string value) {
        tree.add_parameter(par, name, std::move(value));
    };
    const auto words = [&](std::uint32_t folder, std::string_view name, std::string value,
                           std::vector<std::string> all) {
        dig2::Tree::Node& node = tree.add_parameter(folder, name, std::move(value));
        node.writable = true;
        node.words = std::move(all);
        return node.handle;
    };
    const auto number = [&](std::uint32_t folder, std::string_view name, std::string value, dig2::Range range) {
        dig2::Tree::Node& node = tree.add_parameter(folder, name, std::move(value));
        node.writable = true;
        node.range = range;
        return node.handle;
    };
    constant("CupVer", "scope-2024112500");
    constant("FPGA_FwVer", "1.0.60");
    constant("FwType", "Scope");
    constant("ModelCode", "WV2745XAAAAA");
    constant("ModelName", "V2745");
    constant("FormFactor", "0");
    constant("FamilyCode", "2745");
    constant("SerialNum", "99001");
    constant("NumCh", std::to_string(kInputs));
    constant("ADC_Nbit", "16");
    constant("ADC_SamplRate", fmt::format("{:.6g}", 1e6 / static_cast<double>(board.sample_period_ps)));
    constant("InputRange", "4.0");
    constant("InputType", "0");
    constant("Zin", "50");
    constant("IPAddress", "127.0.0.1");
    for (const char* sensor : {"TempSensAirIn", "TempSensAirOut", "TempSensCore", "TempSensHottestADC"}) {
        tree.add_parameter(par, sensor, "").live = [this] {
            return fmt::format("{:.1f}", 35 + 0.1 * static_cast<double>(served % 10));
        };
    }
    tree.add_parameter(par, "RealtimeMonitor", "").live = [this] { return std::to_string(last_clock * 8); };
    tree.add_parameter(par, "DeadtimeMonitor", "").live = [this] {
        return std::to_string(events_in_run * kDeadTicksPerEvent * 8);
    };
    tree.add_parameter(par, "AcquisitionStatus", "").live = [this] {
        return std::to_string((armed ? 1 : 0) | (running ? 2 : 0));
    };
    tree.add_parameter(par, "MaxRawDataSize", "").live = [this] { return std::to_string(kBlockBytes + (64u << 20)); };
    words(par, "ClockSource", "Internal", {"Internal", "FPClkIn", "P0ClkIn", "Link", "DIPswitchSel"});
    words(par, "IOlevel", "NIM", {"NIM", "TTL"});
    start_source = words(par, "StartSource", "SWcmd", {"SWcmd", "SINlevel", "SINedge", "EncodedClkIn", "LVDS", "P0"});
    words(par, "AcqTriggerSource", "SwTrg",
          {"TrgIn", "P0", "SwTrg", "LVDS", "ITLA", "ITLB", "ITLA_AND_ITLB", "ITLA_OR_ITLB", "GPIO", "EncodedClkIn",
           "TestPulse"});
    words(par, "TriggerIDMode", "TriggerCnt", {"TriggerCnt", "EventCnt", "LVDSpattern"});
    words(par, "BusyInSource", "Disabled", {"Disabled", "SIN", "GPIO", "LVDS"});
    words(par, "TrgOutMode", "Disabled", {"Disabled", "TrgIn", "SwTrg", "Run", "RefClk", "TestPulse", "Busy"});
    record_length = number(par, "RecordLengthS", std::to_string(board.samples / 4 * 4), {4, 16'777'216, 4});
    number(par, "PreTriggerS", "100", {0, 16'777'216, 1});
    number(par, "RunDelay", "0", {0, 524'280, 8});
    number(par, "TestPulsePeriod", "100000000", {8, 34'359'738'360, 8});
    number(par, "TestPulseWidth", "1000", {0, 34'359'738'360, 8});

    const std::uint32_t cmd = tree.add(tree.root(), "cmd", "FOLDER");
    for (const char* command : {"Reset", "ClearData", "ArmAcquisition", "DisarmAcquisition", "SwStartAcquisition",
                                "SwStopAcquisition", "SendSwTrigger"}) {
        tree.add(cmd, command, "COMMAND");
    }
    const std::uint32_t channels = tree.add(tree.root(), "ch", "FOLDER");
    for (unsigned input = 0; input < kInputs; ++input) {
        const std::uint32_t channel = tree.add(tree.add(channels, std::to_string(input), "CHANNEL"), "par", "FOLDER");
        enabled[input] = words(channel, "ChEnable", "True", {"True", "False"});
        number(channel, "DCOffset", "50", {0, 100, 0});
        number(channel, "TriggerThr", "1000", {0, 65'535, 1});
        words(channel, "TriggerThrMode", "Relative", {"Relative", "Absolute"});
        words(channel, "SelfTriggerEdge", "Rise", {"Rise", "Fall"});
        words(channel, "ITLConnect", "Disabled", {"Disabled", "ITLA", "ITLB"});
        number(channel, "SamplesOverThreshold", "1", {1, 255, 1});
    }
    const std::uint32_t endpoints = tree.add(tree.root(), "endpoint", "FOLDER");
    words(tree.add(endpoints, "par", "FOLDER"), "ActiveEndpoint", "raw", {"raw", "scope"});
    const std::uint32_t raw = tree.add(endpoints, "raw", "ENDPOINT");
    dig2::Tree::Node& port = tree.at(tree.add(raw, "port", "ATTRIBUTE"));
    port.value = port.initial = std::to_string(data.local_endpoint().port());
    tree.add(endpoints, "scope", "ENDPOINT");
}

void Dig2Emulator::State::accept_client() {
    control.async_accept([this](const error_code& failed, tcp::socket socket) {
        if (failed) return;
        ++connections;
        error_code ignored;
        socket.set_option(tcp::no_delay{true}, ignored);
        const auto client = std::make_shared<Client>(std::move(socket));
        std::erase_if(clients, [](const auto& one) { return one.expired(); });
        clients.push_back(client);
        read_request(client);
        accept_client();
    });
}

void Dig2Emulator::State::read_request(const ClientPtr& client) {
    asio::async_read(client->socket, asio::buffer(client->header),
                     [this, client](const error_code& failed, std::size_t) {
                         if (failed) return;
                         std::uint64_t length;
                         std::memcpy(&length, client->header.data(), sizeof length);
                         length = __builtin_bswap64(length);
                         if (length > kLongestRequest) return;  // closes: nobody holds the client any more
                         client->request.resize(length);
                         asio::async_read(client->socket, asio::buffer(client->request),
                                          [this, client](const error_code& torn, std::size_t) {
                                              if (!torn) answer(client);
                                          });
                     });
}

void Dig2Emulator::State::answer(const ClientPtr& client) {
    if (stalled()) {
        client->later.expires_at(stalled_until);
        client->later.async_wait([this, client](const error_code& failed) {
            if (!failed) answer(client);
        });
        return;
    }
    ++requests;
    const json request = json::parse(client->request, nullptr, false);
    client->reply = answer_to(request).dump(-1, ' ', false, json::error_handler_t::replace);
    client->header = {};
    const std::uint64_t length = __builtin_bswap64(client->reply.size());
    std::memcpy(client->header.data(), &length, sizeof length);
    asio::async_write(client->socket,
                      std::array<asio::const_buffer, 2>{asio::buffer(client->header), asio::buffer(client->reply)},
                      [this, client](const error_code& failed, std::size_t) {
                          if (!failed) read_request(client);
                      });
}

json Dig2Emulator::State::answer_to(const json& request) {
    const std::string command =
        request.is_object() ? request.value("cmd", json{}).is_string() ? request["cmd"].get<std::string>() : "" : "";
    std::string flag;
    json reply{
        {"cmd", command}, {"result", true}, {"flag", nullptr}, {"value", json::array()}, {"multiple", json::array()}};
    try {
        if (command == "multiple") {
            for (const json& one : request.value("multiple", json::array()))
                reply["multiple"].push_back(answer_to(one));
        } else {
            reply["value"] = values_for(command, request, flag);
        }
        if (!flag.empty()) reply["flag"] = flag;
    } catch (const dig2::No& no) {
        reply["result"] = false;
        reply["value"] = json::array({no.why});
    } catch (const json::exception& e) {
        reply["result"] = false;
        reply["value"] = json::array({std::string{"the request makes no sense: "} + e.what()});
    }
    return reply;
}

json Dig2Emulator::State::values_for(const std::string& command, const json& request, std::string& flag) {
    if (command == "connect") return {std::to_string(tree.root()), std::to_string(kServerVersion)};
    const auto from = request.at("handle").get<std::uint32_t>();
    const std::string query = request.value("query", "");
    if (command == "setValue") {
        for (const std::uint32_t handle : tree.find_all(from, query))
            tree.set(handle, request.at("value").get<std::string>());
        return json::array();
    }
    const std::uint32_t handle = tree.find(from, query);
    if (command == "getValue") return {tree.get(handle)};
    if (command == "getHandle") return {std::to_string(handle)};
    if (command == "getParentHandle") return {std::to_string(tree.at(handle).parent)};
    if (command == "getPath") return {tree.path(handle)};
    if (command == "getNodeProperties") return {tree.at(handle).name, std::string{tree.at(handle).type}};
    if (command == "getDeviceTree") return {tree.dump(handle)};
    if (command == "getChildHandles") {
        json handles = json::array();
        for (const std::uint32_t child : tree.at(handle).children) handles.push_back(std::to_string(child));
        return handles;
    }
    if (command == "sendCommand") {
        flag = run_command(handle);
        return json::array();
    }
    throw dig2::No{fmt::format("'{}' is no command of this board", command)};
}

/// The flag of its reply.
std::string Dig2Emulator::State::run_command(std::uint32_t handle) {
    const dig2::Tree::Node& node = tree.at(handle);
    if (node.type != "COMMAND") throw dig2::No{fmt::format("{}: is no command", tree.path(handle))};
    if (node.name == "reset") {
        reset();
        return "RESET";
    }
    if (node.name == "cleardata") {
        clear();
        return "CLEAR";
    }
    if (node.name == "armacquisition") {
        arm();
        return "ARM";
    }
    if (node.name == "disarmacquisition") {
        stop_run();
        armed = false;
        return "DISARM";
    }
    if (node.name == "swstartacquisition") {
        if (!armed) throw dig2::No{"acquisition is not armed"};
        start();
    } else if (node.name == "swstopacquisition") {
        stop_run();
    }
    return "";
}

// ---- board ----

void Dig2Emulator::State::clear() {
    start_event = stop_event = false;
    ++empty_blocks;
    pump();
}

void Dig2Emulator::State::reset() {
    armed = running = false;
    tree.reset();
    clear();
}

void Dig2Emulator::State::arm() {
    armed = true;
    running = false;
    clear();
    if (tree.get(start_source) != "SWcmd") start();
}

void Dig2Emulator::State::start() {
    running = start_event = true;
    if (const std::uint64_t missed = pace.begin(); missed > 0) {
        pass_over(*source, missed - (have_record ? 1 : 0), stop);
        have_record = false;
    }
    events_in_run = 0;
    delayed.clear();
    next_id = 0;
    run_time_ps.reset();
    clock_back = 0;
    pump();
}

void Dig2Emulator::State::stop_run() {
    if (!running) return;
    running = false;
    stop_event = true;
    pump();
}

void Dig2Emulator::State::reboot() {
    armed = running = start_event = stop_event = false;
    empty_blocks = 0;
    tree.reset();
    error_code ignored;
    if (reader) reader->close(ignored);
    reader.reset();
    for (const auto& weak : clients) {
        if (const ClientPtr client = weak.lock()) client->socket.close(ignored);
    }
    clients.clear();
    first_clock = 0;
}

void Dig2Emulator::State::pause(double seconds) {
    stalled_until = Clock::now() + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds));
}

// ---- data ----

void Dig2Emulator::State::accept_reader() {
    data.async_accept([this](const error_code& failed, tcp::socket socket) {
        if (failed) return;
        error_code ignored;
        if (reader) reader->close(ignored);
        reader = std::make_shared<tcp::socket>(std::move(socket));
        reader->set_option(tcp::no_delay{true}, ignored);
        writing = false;
        empty_blocks = 1;
        notice_the_end_of(reader);
        pump();
        accept_reader();
    });
}

/// A reader says nothing; that it left shows in a read.
void Dig2Emulator::State::notice_the_end_of(const std::shared_ptr<tcp::socket>& leaving) {
    leaving->async_read_some(asio::buffer(said), [this, leaving](const error_code& failed, std::size_t) {
        if (!failed) return notice_the_end_of(leaving);
        if (leaving == reader) reader.reset();
    });
}

void Dig2Emulator::State::pump_at(Clock::time_point when) {
    due.expires_at(when);
    due.async_wait([this](const error_code& failed) {
        if (!failed) pump();
    });
}

/// Sends what there is to be sent, one write at a time.
void Dig2Emulator::State::pump() {
    if (writing || !reader) return;
    if (stalled()) return pump_at(stalled_until);
    if (std::exchange(reboots, false)) return reboot();
    out.clear();
    if (empty_blocks > 0) {
        --empty_blocks;
        put_header(out, 0, 0);
    } else if (start_event || stop_event) {
        add_special();
    } else if (running) {
        fill_blocks();
        if (out.empty() && stop_event) add_special();
    }
    if (reboots && out.empty()) return pump();
    if (out.empty()) {
        if (running) pump_at(std::max(next_due, stalled_until));
        return;
    }
    writing = true;
    asio::async_write(*reader, asio::buffer(out), [this, to = reader](const error_code& failed, std::size_t) {
        if (to != reader) return;  // another reader came meanwhile
        writing = false;
        if (failed) {
            reader.reset();
        } else {
            pump();
        }
    });
}

void Dig2Emulator::State::add_special() {
    std::uint64_t mask = 0;
    for (unsigned input = 0; input < kInputs; ++input) {
        if (tree.get(enabled[input]) == "True") mask |= std::uint64_t{1} << input;
    }
    if (start_event) {
        put_header(out, 4 * dig2::kWordBytes, 1);
        put_word(out, 0x3000000300000004);
        put_word(out, 0x0200000000000000 | std::uint64_t{1} << 25 | (std::stoull(tree.get(record_length)) & 0x1ffffff));
        put_word(out, 0x0100000000000000 | (mask & 0xffffffff));
        put_word(out, 0x0100000000000000 | mask >> 32);
        start_event = false;
        return;
    }
    put_header(out, 3 * dig2::kWordBytes, 1);
    put_word(out, 0x3200000200000003);
    put_word(out, last_clock);
    put_word(out, 0x0100000000000000 | ((events_in_run * kDeadTicksPerEvent) & 0xffffffff));
    stop_event = false;
}

/// What is due, up to a block.
void Dig2Emulator::State::fill_blocks() {
    block.clear();
    events_in_block = 0;
    // A source that waits for its time must not hold up what has come already.
    const Clock::time_point until = Clock::now() + kBlockTime;
    while (running && !reboots && !stalled() && Clock::now() < until && block.size() + out.size() < kBlockBytes) {
        if (!pace.is_due()) {
            next_due = pace.due();
            break;
        }
        if (!next_record()) break;
        add_event();
    }
    close_block();
    if (exhausted && running) {
        running = false;
        stop_event = true;
    }
}

bool Dig2Emulator::State::next_record() {
    if (have_record) return true;
    if (exhausted) return false;
    switch (source->next(header, stop)) {
        case RecordSource::Next::record: break;
        case RecordSource::Next::idle: return false;
        case RecordSource::Next::end: exhausted = true; return false;
    }
    samples.resize(payload_bytes(header));
    source->fill(samples);
    have_record = true;
    return true;
}

/// The record that is there, with what goes wrong with it.
void Dig2Emulator::State::add_event() {
    if (faults.strikes(Fault::stall)) return pause(stall_s);
    if (faults.strikes(Fault::late)) return pause(kLate_s);
    have_record = false;
    ++events_in_run;
    pace.took_one();
    if (faults.strikes(Fault::reboot)) {
        reboots = true;  // once what stands here is sent
        return;
    }
    if (faults.strikes(Fault::clock_change))
        clock_back += 1 + static_cast<std::uint64_t>(kBack * static_cast<double>(std::min(last_clock, kBackWithin)));
    const std::uint32_t id = next_id;
    next_id = (next_id + 1) & kIdMask;
    const std::uint64_t clock = clock_of(header);
    if (faults.strikes(Fault::lost)) return;
    make_event(faults.strikes(Fault::wrong_counter) ? (id - 5) & kIdMask : id, clock);
    if (faults.strikes(Fault::short_reply)) return add_bad_block(true);
    if (faults.strikes(Fault::garbage)) return add_bad_block(false);
    ++served;
    if (delayed.empty() && faults.strikes(Fault::reordered)) {
        delayed = event;
        return;
    }
    const auto append = [this](const std::vector<std::byte>& one) {
        block.insert(block.end(), one.begin(), one.end());
        ++events_in_block;
    };
    append(event);
    if (faults.strikes(Fault::repeated)) append(event);
    if (!delayed.empty()) append(std::exchange(delayed, {}));
}

std::uint64_t Dig2Emulator::State::clock_of(const RecordHeader& of) {
    if (!run_time_ps) run_time_ps = of.time_ps;
    const double fast = 1 + config.clock_drift_ppm * 1e-6;
    const auto ticks =
        static_cast<double>(of.time_ps - *run_time_ps) * fast / static_cast<double>(source->board().clock_period_ps);
    last_clock =
        (first_clock + static_cast<std::uint64_t>(std::llround(std::max(ticks, 0.0))) - clock_back) & kClockMask;
    return last_clock;
}

void Dig2Emulator::State::make_event(std::uint32_t id, std::uint64_t clock) {
    const auto length = static_cast<std::size_t>(std::stoull(tree.get(record_length)));
    std::array<const std::uint16_t*, kInputs> from{};  // of the inputs in the event; nullptr: a flat line
    std::uint64_t mask = 0;
    std::size_t inputs = 0, channel = 0;
    for (unsigned input = 0; input < kInputs; ++input) {
        if (tree.get(enabled[input]) != "True") continue;
        const std::size_t c = channel++;
        if (c < source->board().channels.size()) {
            if ((header.channel_mask >> c & 1) == 0) continue;
            const auto before =
                static_cast<std::size_t>(std::popcount(header.channel_mask & ((std::uint64_t{1} << c) - 1)));
            from[inputs] = reinterpret_cast<const std::uint16_t*>(samples.data()) + before * header.samples_per_channel;
        }
        mask |= std::uint64_t{1} << input;
        ++inputs;
    }
    const std::size_t words = dig2::kHeaderWords + inputs * (length / dig2::kSamplesPerWord);
    event.clear();
    event.reserve(words * dig2::kWordBytes);
    put_word(event, std::uint64_t{1} << 60 | std::uint64_t{id} << 32 | words);
    put_word(event, clock);
    put_word(event, mask);
    event.resize(words * dig2::kWordBytes);
    std::byte* to = event.data() + dig2::kHeaderWords * dig2::kWordBytes;
    const std::size_t there = header.samples_per_channel;
    for (std::size_t s = 0; s + dig2::kSamplesPerWord <= length; s += dig2::kSamplesPerWord) {
        for (std::size_t i = 0; i < inputs; ++i) {
            std::array<std::uint16_t, dig2::kSamplesPerWord> quartet{kFlatLine, kFlatLine, kFlatLine, kFlatLine};
            if (from[i] != nullptr && s + dig2::kSamplesPerWord <= there) {
                std::memcpy(quartet.data(), from[i] + s, sizeof quartet);
            } else if (from[i] != nullptr && there > 0) {
                for (std::size_t k = 0; k < quartet.size(); ++k) quartet[k] = from[i][std::min(s + k, there - 1)];
            }
            const std::uint64_t word = __builtin_bswap64(std::bit_cast<std::uint64_t>(quartet));
            std::memcpy(to, &word, sizeof word);
            to += sizeof word;
        }
    }
}

void Dig2Emulator::State::close_block() {
    if (block.empty()) return;
    put_header(out, block.size(), events_in_block);
    out.insert(out.end(), block.begin(), block.end());
    block.clear();
    events_in_block = 0;
}

/// Half of the event in a block of its own that says it is whole, or nonsense of its length, or a header of nonsense.
void Dig2Emulator::State::add_bad_block(bool cut_short) {
    close_block();
    if (cut_short) event.resize(event.size() / 2 / dig2::kWordBytes * dig2::kWordBytes);
    RandomStream random{config.first_clock, static_cast<std::int64_t>(events_in_run), 0xD162};
    const bool bad_header = !cut_short && std::exchange(header_is_next, !header_is_next);
    if (bad_header) {
        put_header(out, random.bits() | std::uint64_t{1} << 62, 1);
    } else {
        put_header(out, event.size(), 1);
    }
    if (!cut_short) {
        for (std::byte& byte : event) byte = static_cast<std::byte>(random.bits());
    }
    out.insert(out.end(), event.begin(), event.end());
}

// ---- the emulator ----

Dig2Emulator::Dig2Emulator(std::unique_ptr<RecordSource> source, const EmulatorConfig& config, double stall_s) try
    : state_{std::make_unique<State>(std::move(source), config, stall_s)} {
} catch (const boost::system::system_error& e) {
    throw Error{fmt::format("port {} on 127.0.0.1: {}", config.port, e.code().message())};
}
Dig2Emulator::~Dig2Emulator() = default;

std::uint16_t Dig2Emulator::port() const noexcept {
    error_code ignored;
    return state_->control.local_endpoint(ignored).port();
}

void Dig2Emulator::serve(std::stop_token stop) {
    State& s = *state_;
    s.stop = stop;
    const std::stop_callback stop_io{stop, [&] { s.io.stop(); }};
    while (!stop.stop_requested()) {
        s.io.run_one();
        // All was taken, and who took it has left.
        if (s.exhausted && !s.running && !s.reader) break;
    }
}

std::vector<std::pair<std::string, std::uint64_t>> Dig2Emulator::counts() const {
    std::vector<std::pair<std::string, std::uint64_t>> all{
        {"connections", state_->connections}, {"requests", state_->requests}, {"triggers_served", state_->served}};
    for (std::size_t f = 0; f < kFaultNames.size(); ++f) {
        const std::uint64_t struck = state_->faults.struck(static_cast<Fault>(f));
        if (struck != 0) all.emplace_back(kFaultNames[f], struck);
    }
    return all;
}

}  // namespace alleycat
