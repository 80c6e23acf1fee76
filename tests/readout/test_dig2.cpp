// The driver against the emulator, in one process on loopback.

#include <array>
#include <catch2/catch.hpp>
#include <cstdint>
#include <cstring>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "daq/core/error.hpp"
#include "daq/core/worker.hpp"
#include "readout/asio.hpp"
#include "readout/boards.hpp"
#include "readout/dig2.hpp"
#include "readout/dig2_setup.hpp"
#include "tests/readout/read_all.hpp"
#include "tools/emulator/dig2_emulator.hpp"

using namespace alleycat;
using namespace std::chrono_literals;
using Catch::Matchers::Contains;

namespace {

constexpr std::uint32_t kSamples = 64;
constexpr std::int64_t kClockPs = 8000;
constexpr std::int64_t kTicksBetween = 2'083'333;  // 60 Hz

BoardInfo board_of(std::size_t channels) {
    BoardInfo board;
    board.name = "adc";
    board.source = "dig2";
    board.sample_type = SampleType::uint16;
    board.sample_period_ps = 8000;
    board.samples = kSamples;
    board.clock_period_ps = kClockPs;
    for (std::size_t c = 0; c < channels; ++c) board.channels.push_back({.name = "in" + std::to_string(c)});
    return board;
}

/// What sample `s` of channel `c` of trigger `n` is: the first two say n, all others depend on all three.
std::uint16_t sample(std::uint64_t n, std::size_t c, std::size_t s) {
    if (s == 0) return static_cast<std::uint16_t>(n);
    if (s == 1) return static_cast<std::uint16_t>(n >> 16);
    return static_cast<std::uint16_t>(n * 31 + c * 1009 + s * 7);
}

/// Waveforms that say which trigger they belong to.
class Pattern final : public RecordSource {
  public:
    Pattern(const BoardInfo& board, std::uint64_t triggers) : board_{board}, triggers_{triggers} {}
    [[nodiscard]] const BoardInfo& board() const noexcept override { return board_; }
    [[nodiscard]] Next next(RecordHeader& header, std::stop_token) override {
        if (triggers_ != 0 && n_ == triggers_) return Next::end;
        header = RecordHeader{};
        header.counter = n_;
        header.time_ps = static_cast<std::int64_t>(n_) * kTicksBetween * kClockPs;
        header.channels = static_cast<std::uint16_t>(board_.channels.size());
        header.channel_mask = (std::uint64_t{1} << header.channels) - 1;
        header.samples_per_channel = kSamples;
        header.sample_type = SampleType::uint16;
        ++n_;
        return Next::record;
    }
    void fill(std::span<std::byte> payload) override {
        std::byte* to = payload.data();
        for (std::size_t c = 0; c < board_.channels.size(); ++c) {
            for (std::size_t s = 0; s < kSamples; ++s) {
                const std::uint16_t code = sample(n_ - 1, c, s);
                std::memcpy(to, &code, sizeof code);
                to += sizeof code;
            }
        }
    }

  private:
    BoardInfo board_;
    std::uint64_t triggers_;
    std::uint64_t n_ = 0;
};

/// An emulator at work on a port of its own.
class Running {
  public:
    explicit Running(std::uint64_t triggers = 0, EmulatorConfig config = {}, double stall_s = 0.3,
                     std::size_t channels = 3)
        : emulator_{std::make_unique<Pattern>(board_of(channels), triggers), config, stall_s},
          worker_{"emulator", [this](const std::stop_token& stop) { emulator_.serve(stop); }} {}
    [[nodiscard]] std::uint16_t port() const { return emulator_.port(); }
    [[nodiscard]] std::uint64_t count(std::string_view name) {
        worker_.request_stop();
        worker_.finish();
        for (const auto& [known, count] : emulator_.counts()) {
            if (known == name) return count;
        }
        return 0;
    }

  private:
    Dig2Emulator emulator_;
    Worker worker_;
};

Dig2Config config_for(std::uint16_t port) {
    Dig2Config config;
    config.address = "127.0.0.1:" + std::to_string(port);
    config.inputs = {0, 1, 2};
    config.timeout = 5s;
    config.retry_interval = 10ms;
    return config;
}

/// Takes records until there are so many or `enough` says so.
std::vector<testing::ReadRecord> take(RecordSource& source, std::size_t records,
                                      const std::function<bool()>& enough = {}) {
    return testing::take(source, records, 200, enough);
}

/// The trigger that the samples say they are; every one of them is as served.
std::uint64_t trigger_of(const testing::ReadRecord& record) {
    const std::vector<std::uint16_t> first = record.channel<std::uint16_t>(0);
    const std::uint64_t n = first[0] | std::uint64_t{first[1]} << 16;
    bool equal = true;
    for (std::size_t c = 0; c < record.header.channels; ++c) {
        const std::vector<std::uint16_t> codes = record.channel<std::uint16_t>(c);
        for (std::size_t s = 0; s < codes.size(); ++s) equal = equal && codes[s] == sample(n, c, s);
    }
    REQUIRE(equal);
    return n;
}

/// A server that is no board: takes connections one after another and lets `talk` do what it wants with each.
class Impostor {
  public:
    using Socket = boost::asio::ip::tcp::socket;
    explicit Impostor(std::function<void(Socket&)> talk)
        : worker_{"impostor", [this, talk = std::move(talk)](const std::stop_token& stop) {
                      const std::stop_callback end{stop, [this] { io_.stop(); }};
                      accept(talk);
                      io_.run();
                  }} {}
    [[nodiscard]] std::uint16_t port() const { return acceptor_.local_endpoint().port(); }

  private:
    void accept(const std::function<void(Socket&)>& talk) {
        acceptor_.async_accept([this, &talk](const boost::system::error_code& failed, Socket socket) {
            if (failed) return;
            clients_.push_back(std::move(socket));
            talk(clients_.back());
            accept(talk);
        });
    }
    boost::asio::io_context io_;
    boost::asio::ip::tcp::acceptor acceptor_{io_, {boost::asio::ip::address_v4::loopback(), 0}};
    std::vector<Socket> clients_;
    Worker worker_;
};

/// A frame header that says so many bytes, and what follows it.
void send_frame(Impostor::Socket& socket, std::uint64_t bytes, const std::string& body) {
    std::array<char, dig2::kFrameHeaderBytes> header{};
    for (int i = 0; i < 8; ++i) header[static_cast<std::size_t>(i)] = static_cast<char>(bytes >> (56 - 8 * i));
    boost::system::error_code ignored;
    boost::asio::write(socket, boost::asio::buffer(header), ignored);
    boost::asio::write(socket, boost::asio::buffer(body), ignored);
}

EmulatorConfig with_fault(Fault fault, double share) {
    EmulatorConfig config;
    config.faults.set(fault, share);
    return config;
}

}  // namespace

TEST_CASE("addresses of a 27xx are a host and perhaps a port", "[readout][dig2]") {
    REQUIRE(dig2::parse_address("10.0.0.12") == dig2::Address{"10.0.0.12", 0xCAE0});
    REQUIRE(dig2::parse_address("adc.lab:1234") == dig2::Address{"adc.lab", 1234});
    REQUIRE(dig2::parse_address("[fd00::1]") == dig2::Address{"fd00::1", 0xCAE0});
    REQUIRE(dig2::parse_address("[fd00::1]:99") == dig2::Address{"fd00::1", 99});
    for (const char* wrong :
         {"", ":1", "a:", "a:0", "a:65536", "a:b", "fd00::1", "[fd00::1", "[a]1", "[a]:", "a b", "dig2://a"}) {
        CAPTURE(wrong);
        REQUIRE(dig2::parse_address(wrong) == std::nullopt);
    }
}

TEST_CASE("a parameter of a 27xx is the same in other words", "[readout][dig2]") {
    REQUIRE(dig2::same_value("SwTrg | ITLA", "swtrg|itla"));
    REQUIRE(dig2::same_value("True", "true"));
    REQUIRE(dig2::same_value("50", "50.000"));
    REQUIRE(dig2::same_value("50", "50.01", 0.02));
    REQUIRE_FALSE(dig2::same_value("50", "50.03", 0.02));
    REQUIRE_FALSE(dig2::same_value("35000", "35004"));
    REQUIRE_FALSE(dig2::same_value("TrgIn", "SwTrg"));
}

TEST_CASE("every sample that a 27xx serves arrives, in order, with its number and time", "[readout][dig2]") {
    constexpr std::size_t kTriggers = 3000;
    Running emulator{kTriggers};
    Dig2Board board{board_of(3), 2, config_for(emulator.port())};
    REQUIRE(board.board().model == "V2745");
    REQUIRE(board.board().serial == "99001");
    REQUIRE(board.board().firmware == "scope-2024112500 1.0.60");

    const std::vector<testing::ReadRecord> records = take(board, kTriggers);
    REQUIRE(records.size() == kTriggers);
    for (std::size_t n = 0; n < kTriggers; ++n) {
        const RecordHeader& header = records[n].header;
        REQUIRE(trigger_of(records[n]) == n);
        REQUIRE(header.counter == n);
        REQUIRE(header.time_ps == static_cast<std::int64_t>(n) * kTicksBetween * kClockPs);
        REQUIRE(header.flags == 0);
        REQUIRE(header.board == 2);
        REQUIRE(header.channel_mask == 7);
    }
    REQUIRE(board.defects().empty());
}

TEST_CASE("the station's channels are the inputs that it names, in its order", "[readout][dig2]") {
    Running emulator{100};
    Dig2Config config = config_for(emulator.port());
    config.inputs = {7, 0, 63};
    Dig2Board board{board_of(3), 0, config};
    const std::vector<testing::ReadRecord> records = take(board, 1);
    REQUIRE(records.size() == 1);
    // The emulator gives its first channel to the lowest enabled input: 0, 7, 63 are its channels 0, 1, 2.
    REQUIRE(records[0].channel<std::uint16_t>(0)[5] == sample(0, 1, 5));
    REQUIRE(records[0].channel<std::uint16_t>(1)[5] == sample(0, 0, 5));
    REQUIRE(records[0].channel<std::uint16_t>(2)[5] == sample(0, 2, 5));
}

TEST_CASE("a 27xx's clock of 48 bits rolls over and time goes on", "[readout][dig2]") {
    EmulatorConfig start;
    start.first_clock = (std::uint64_t{1} << 48) - 3 * kTicksBetween;
    Running emulator{10, start};
    Dig2Board board{board_of(3), 0, config_for(emulator.port())};
    const std::vector<testing::ReadRecord> records = take(board, 10);
    REQUIRE(records.size() == 10);
    REQUIRE(records[3].header.clock == 0);
    for (std::size_t n = 1; n < records.size(); ++n) {
        REQUIRE(records[n].header.time_ps - records[n - 1].header.time_ps == kTicksBetween * kClockPs);
    }
}

TEST_CASE("a 27xx says how warm it is and how long it was dead", "[readout][dig2]") {
    Running emulator{50};
    Dig2Config config = config_for(emulator.port());
    config.readings_interval = 50ms;
    Dig2Board board{board_of(3), 0, config};
    // The emulator ends its run when all waveforms are taken: the stop event comes after the last record.
    const auto stopped = [&] { return testing::defect(board, "runs_stopped") == 1 && !board.readings().empty(); };
    REQUIRE(take(board, 51, stopped).size() == 50);
    REQUIRE(testing::defect(board, "run_time_ns") == 49 * kTicksBetween * 8);
    REQUIRE(testing::defect(board, "dead_time_ns") == 50 * 2 * 8);  // two ticks per event, of 8 ns
    bool warm = false;
    for (const BoardReading& reading : board.readings()) {
        warm = warm || (reading.name == "temperature_core" && reading.unit == "degC" && reading.value >= 35);
    }
    REQUIRE(warm);
}

TEST_CASE("the end of a run disarms a 27xx and takes its stop event", "[readout][dig2]") {
    EmulatorConfig slow;
    slow.rate_hz = 500;
    Running emulator{0, slow};
    Dig2Board board{board_of(3), 0, config_for(emulator.port())};
    REQUIRE(take(board, 20).size() == 20);
    board.finish();
    REQUIRE(testing::defect(board, "runs_stopped") == 1);
    REQUIRE(testing::defect(board, "dead_time_ns") >= 20 * 16);
}

TEST_CASE("identifying a 27xx leaves it alone", "[readout][dig2]") {
    Running emulator{0};
    const BoardIdentity found = identify_board(board_of(3), config_for(emulator.port()));
    REQUIRE(found.model == "V2745");
    REQUIRE(found.serial == "99001");
    REQUIRE(found.remarks == std::vector<std::string>{"Scope firmware, 64 inputs of 16 bit at 125 MS/s"});
    REQUIRE(emulator.count("triggers_served") == 0);
}

TEST_CASE("a 27xx that is not as configured is named, with what was wanted and what it is", "[readout][dig2]") {
    Running emulator{0};
    const Dig2Config good = config_for(emulator.port());
    const auto opening = [&](const BoardInfo& info, const Dig2Config& config) {
        try {
            const Dig2Board board{info, 0, config};
        } catch (const Error& e) {
            return std::string{e.what()};
        }
        return std::string{"opened"};
    };
    REQUIRE(opening(board_of(3), good) == "opened");
    const std::string who = "board adc (" + good.address + "): ";

    Dig2Config config = good;
    config.parameters = {{"/par/RunDelay", "13"}};  // the board counts it in steps of 8 ns
    REQUIRE(opening(board_of(3), config) == who + "/par/RunDelay: wanted 13, it is 16");
    config.parameters = {{"/par/Nonsense", "1"}};
    REQUIRE(opening(board_of(3), config) == who + "/par/Nonsense = 1: refused: /par/Nonsense: 'nonsense' not found");
    config.parameters = {{"/par/SerialNum", "1"}};
    REQUIRE_THAT(opening(board_of(3), config), Contains("/par/SerialNum = 1: refused"));
    config = good;
    config.inputs = {0, 1, 64};
    REQUIRE(opening(board_of(3), config) == who + "has 64 inputs, 64 is configured");

    BoardInfo info = board_of(3);
    info.sample_period_ps = 2000;
    REQUIRE(opening(info, good) == who + "takes a sample every 8000 ps, sample_period_ps says 2000");
    info = board_of(3);
    info.serial = "17";
    REQUIRE(opening(info, good) == who + "its serial number is 99001, the station file says 17");
}

TEST_CASE("what does not answer as a 27xx is said in one sentence", "[readout][dig2]") {
    const auto opening = [](std::uint16_t port) {
        Dig2Config config = config_for(port);
        config.timeout = 200ms;
        try {
            const Dig2Board board{board_of(3), 0, config};
        } catch (const Error& e) {
            return std::string{e.what()};
        }
        return std::string{"opened"};
    };
    std::uint16_t closed_port = 0;
    {
        const Impostor gone{[](Impostor::Socket&) {}};
        closed_port = gone.port();
    }
    REQUIRE_THAT(opening(closed_port),
                 Contains("no connection to port " + std::to_string(closed_port) + ": Connection refused"));
    const Impostor silent{[](Impostor::Socket&) {}};
    REQUIRE_THAT(opening(silent.port()), Contains("connect: no answer within 200 ms"));
    const Impostor closing{[](Impostor::Socket& socket) { socket.close(); }};
    REQUIRE_THAT(opening(closing.port()), Contains("connect: "));
    const Impostor endless{[](Impostor::Socket& socket) { send_frame(socket, std::uint64_t{1} << 60, ""); }};
    REQUIRE_THAT(opening(endless.port()), Contains("connect: its reply says it has 1152921504606846976 bytes"));
    const Impostor torn{[](Impostor::Socket& socket) { send_frame(socket, 100, "{}"); }};
    REQUIRE_THAT(opening(torn.port()), Contains("connect: no answer within 200 ms"));
    const Impostor babble{[](Impostor::Socket& socket) { send_frame(socket, 5, "hello"); }};
    REQUIRE_THAT(opening(babble.port()), Contains("connect: its reply is not JSON"));
    const std::string other = R"({"cmd":"getValue","result":true,"value":["1"]})";
    const Impostor confused{[&](Impostor::Socket& socket) { send_frame(socket, other.size(), other); }};
    REQUIRE_THAT(opening(confused.port()), Contains("connect: its reply is one to 'getValue'"));
    const std::string no = R"({"cmd":"connect","result":false,"value":["busy"]})";
    const Impostor refusing{[&](Impostor::Socket& socket) { send_frame(socket, no.size(), no); }};
    REQUIRE_THAT(opening(refusing.port()), Contains("connect: refused: busy"));
    const std::string word = R"({"cmd":"connect","result":true,"value":["x1"]})";
    const Impostor wordy{[&](Impostor::Socket& socket) { send_frame(socket, word.size(), word); }};
    REQUIRE_THAT(opening(wordy.port()), Contains("connect: 'x1' is not a number"));
}

TEST_CASE("a 27xx's block that comes in pieces is one block", "[readout][dig2]") {
    const auto header = [](std::uint8_t bytes, std::uint8_t events, std::uint8_t last) {
        std::string text(dig2::kFrameHeaderBytes, '\0');
        text[7] = static_cast<char>(bytes);    // u64, big endian
        text[11] = static_cast<char>(events);  // u32
        text[12] = static_cast<char>(last);
        return text;
    };
    const std::string stream = header(0, 0, 1) + header(11, 1, 0) + "hello world" + header(5, 1, 1) + " and " +
                               header(3, 0, 1) + "new" + std::string(dig2::kFrameHeaderBytes, '\xff');
    const Impostor server{[&](Impostor::Socket& socket) {
        boost::system::error_code ignored;
        for (const char& c : stream) boost::asio::write(socket, boost::asio::buffer(&c, 1), ignored);
    }};
    dig2::DataLink link{{"127.0.0.1", server.port()}, {.who = "board adc"}};
    link.drop_to_empty_block();
    const auto wait_for = [&](const std::function<bool()>& condition) {
        auto last = dig2::DataLink::Received::bytes;
        for (int idle = 0; idle < 100 && !condition();) {
            last = link.receive(100ms);
            if (last == dig2::DataLink::Received::bad_header) break;
            idle += last == dig2::DataLink::Received::nothing ? 1 : 0;
        }
        return last;
    };
    const auto text = [&] {
        return std::string{reinterpret_cast<const char*>(link.bytes().data()), link.bytes().size()};
    };
    (void)wait_for([&] { return text().size() == 11; });
    REQUIRE(text() == "hello world");
    REQUIRE_FALSE(link.block_is_whole());
    REQUIRE(link.can_bring(1000));  // another piece may have them
    link.consume(6);
    (void)wait_for([&] { return link.block_is_whole(); });
    REQUIRE(text() == "world and ");
    REQUIRE(link.promised_events() == 2);
    REQUIRE(link.can_bring(10));
    REQUIRE_FALSE(link.can_bring(11));
    link.make_room(8u << 20);
    REQUIRE(text() == "world and ");
    link.consume(10);
    (void)wait_for([&] { return link.block_is_whole() && text() == "new"; });
    REQUIRE(text() == "new");
    link.consume(3);
    REQUIRE(wait_for([] { return false; }) == dig2::DataLink::Received::bad_header);
}

TEST_CASE("a fault of a 27xx's events raises its counter and costs no other trigger", "[readout][dig2]") {
    struct Expected {
        Fault fault;
        const char* counter;
    };
    const auto expected =
        GENERATE(Expected{Fault::lost, "missed_triggers"}, Expected{Fault::repeated, "repeated_event"},
                 Expected{Fault::wrong_counter, "wrong_trigger_id"}, Expected{Fault::short_reply, "damaged_event"},
                 Expected{Fault::clock_change, "clock_backwards"});
    CAPTURE(kFaultNames[static_cast<std::size_t>(expected.fault)]);
    constexpr std::size_t kTriggers = 1000;
    Running emulator{kTriggers, with_fault(expected.fault, 0.02)};
    Dig2Board board{board_of(3), 0, config_for(emulator.port())};
    const std::vector<testing::ReadRecord> records =
        take(board, 2 * kTriggers, [&] { return testing::defect(board, "runs_stopped") == 1; });
    std::set<std::uint64_t> triggers;
    std::uint64_t last_counter = 0;
    for (const testing::ReadRecord& record : records) {
        const std::uint64_t n = trigger_of(record);
        const bool repeated = !triggers.insert(n).second;
        REQUIRE(repeated == ((record.header.flags & record_flag::duplicate) != 0));
        REQUIRE(record.header.counter >= last_counter);
        if (expected.fault != Fault::wrong_counter) REQUIRE(record.header.counter == n);
        last_counter = record.header.counter;
    }
    const std::uint64_t struck = emulator.count(kFaultNames[static_cast<std::size_t>(expected.fault)]);
    REQUIRE(struck > 5);
    REQUIRE(testing::defect(board, expected.counter) > 0);
    REQUIRE(testing::defect(board, expected.counter) <= struck);
    REQUIRE(triggers.size() == emulator.count("triggers_served"));
    REQUIRE(testing::defect(board, "disconnects") == 0);
}

TEST_CASE("a 27xx that breaks its connections comes back by itself", "[readout][dig2]") {
    struct Expected {
        Fault fault;
        const char* counter;
    };
    const auto expected = GENERATE(Expected{Fault::reboot, "disconnects"}, Expected{Fault::garbage, "bad_header"},
                                   Expected{Fault::stall, "disconnects"});
    CAPTURE(kFaultNames[static_cast<std::size_t>(expected.fault)]);
    Running emulator{0, with_fault(expected.fault, expected.fault == Fault::stall ? 0.001 : 0.005)};
    Dig2Config config = config_for(emulator.port());
    config.readings_interval = 50ms;
    if (expected.fault == Fault::stall) config.timeout = 100ms;
    Dig2Board board{board_of(3), 0, config};
    const auto enough = [&] {
        return testing::defect(board, "reconnects") >= 3 && testing::defect(board, expected.counter) >= 3;
    };
    const std::vector<testing::ReadRecord> before = take(board, 1'000'000, enough);
    const std::vector<testing::ReadRecord> after = take(board, 20);
    REQUIRE(after.size() == 20);
    REQUIRE(enough());
    std::uint64_t last = 0;
    std::size_t restarts = 0;
    const RecordHeader* previous = nullptr;
    for (const testing::ReadRecord& record : before) {
        const std::uint64_t n = trigger_of(record);
        REQUIRE(n >= last);
        // They go on, though the board's own begin anew.
        REQUIRE((previous == nullptr || record.header.counter > previous->counter));
        REQUIRE((previous == nullptr || record.header.time_ps >= previous->time_ps));
        previous = &record.header;
        const bool restarted = (record.header.flags & record_flag::clock_restarted) != 0;
        if (n > last + 1 && expected.fault == Fault::reboot) REQUIRE(restarted);
        restarts += restarted ? 1 : 0;
        last = n;
    }
    REQUIRE(restarts > 0);
}

TEST_CASE("a 27xx with every fault at once neither hangs nor lies", "[readout][dig2]") {
    EmulatorConfig all;
    for (std::size_t f = 0; f < kFaultNames.size(); ++f) all.faults.set(static_cast<Fault>(f), 0.003);
    all.faults.set(Fault::stall, 0.0005);
    Running emulator{0, all, 0.2};
    Dig2Config config = config_for(emulator.port());
    config.readings_interval = 50ms;
    config.timeout = 100ms;
    Dig2Board board{board_of(3), 0, config};
    const std::array<const char*, 7> counters{"disconnects",     "reconnects",     "bad_header",      "damaged_event",
                                              "missed_triggers", "repeated_event", "wrong_trigger_id"};
    const auto enough = [&] {
        return std::all_of(counters.begin(), counters.end(),
                           [&](const char* c) { return testing::defect(board, c) > 1; });
    };
    for (const testing::ReadRecord& record : take(board, 1'000'000, enough)) (void)trigger_of(record);
    REQUIRE(enough());
    board.finish();
}

TEST_CASE("a 27xx that is switched off and on is read on", "[readout][dig2]") {
    auto emulator = std::make_unique<Running>();
    const std::uint16_t port = emulator->port();
    Dig2Board board{board_of(3), 0, config_for(port)};
    REQUIRE(take(board, 10).size() == 10);
    take(board, 1'000'000, [&] { return !board.readings().empty(); });
    emulator.reset();
    take(board, 1'000'000, [&] { return testing::defect(board, "failed_attempts") >= 2; });
    REQUIRE(board.readings().empty());  // an old temperature is not told as one of now
    EmulatorConfig again;
    again.port = port;
    emulator = std::make_unique<Running>(0, again);
    bool restarted = false;
    for (const testing::ReadRecord& record : take(board, 1000)) {
        restarted = restarted || (record.header.flags & record_flag::clock_restarted) != 0;
    }
    REQUIRE(restarted);
    REQUIRE(testing::defect(board, "reconnects") == 1);
    REQUIRE(testing::defect(board, "disconnects") == 1);
}

TEST_CASE("a 27xx in trouble ends at once when asked to", "[readout][dig2]") {
    auto emulator = std::make_unique<Running>();
    Dig2Board board{board_of(3), 0, config_for(emulator->port())};
    REQUIRE(take(board, 10).size() == 10);
    emulator.reset();
    take(board, 1'000'000, [&] { return testing::defect(board, "failed_attempts") >= 1; });
    board.finish();
    std::stop_source stop;
    stop.request_stop();
    RecordHeader header;
    REQUIRE(board.next(header, stop.get_token()) == RecordSource::Next::idle);
}
