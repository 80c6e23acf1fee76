#include <catch2/catch.hpp>
#include <chrono>
#include <functional>
#include <map>

#include "daq/core/error.hpp"
#include "readout/boards.hpp"
#include "readout/input.hpp"
#include "readout/sis3316.hpp"
#include "tests/readout/emulated_sis3316.hpp"
#include "tests/readout/read_all.hpp"

using namespace alleycat;
using namespace alleycat::testing;
using namespace std::chrono_literals;

namespace {

struct Received {
    std::vector<ReadRecord> records;
    std::map<std::string, std::uint64_t> defects, served;
};

/// Reads until the board has given everything.
Received read_out(RecordSource& source, Board& board) {
    Received received;
    RecordHeader header;
    for (bool last_round = false;;) {
        const bool done = board.done();
        const RecordSource::Next next = source.next(header, {});
        if (next == RecordSource::Next::record) {
            received.records.push_back({header, std::vector<std::byte>(payload_bytes(header), std::byte{0xEE})});
            source.fill(received.records.back().payload);
            continue;
        }
        if (last_round) break;
        last_round = done;
    }
    for (const auto& [name, count] : source.defects()) received.defects[name] = count;
    received.served = board.stop_and_count();
    return received;
}

/// Number of the trigger that the record's samples are of; every sample of every channel is looked at.
std::uint64_t trigger_of(const ReadRecord& record, std::size_t channels) {
    std::uint64_t trigger = 0;
    std::size_t position = 0, wrong = 0;
    for (std::size_t c = 0; c < channels; ++c) {
        if ((record.header.channel_mask >> c & 1) == 0) continue;
        const std::vector<std::uint16_t> samples = record.channel<std::uint16_t>(position++);
        trigger = samples.at(0) | static_cast<std::uint64_t>(samples.at(1)) << 16;
        for (std::uint32_t i = 0; i < samples.size(); ++i) {
            wrong += samples[i] == NumberedTriggers::expected(trigger, c, i) ? 0 : 1;
        }
    }
    REQUIRE(wrong == 0);
    return trigger;
}

Received run(
    const BoardInfo& board, std::uint64_t triggers, const EmulatorConfig& emulator,
    const Sis3316Emulation& emulation = {}, const std::function<void(Sis3316Config&)>& change = [](Sis3316Config&) {}) {
    Board emulated{std::make_unique<NumberedTriggers>(board, triggers), emulator, emulation};
    Sis3316Config config = driver_config(board, emulated.port());
    change(config);
    Sis3316Source source{board, 2, config};
    return read_out(source, emulated);
}

EmulatorConfig with_faults(std::string_view text, std::uint64_t seed = 1) {
    EmulatorConfig config;
    config.faults = FaultPlan::parse(text, seed);
    return config;
}

}  // namespace

TEST_CASE("all samples of a board arrive as they were served, in both dialects", "[readout][sis3316]") {
    const BoardInfo board = struck_board(3, 5000);
    for (const bool identifiers : {true, false}) {
        for (const sis3316::Protocol protocol :
             {sis3316::Protocol::automatic, identifiers ? sis3316::Protocol::identifier : sis3316::Protocol::plain}) {
            const Received got =
                run(board, 200, {}, {.packet_identifiers = identifiers, .inputs = {0, 6, 15}}, [&](auto& config) {
                    config.protocol = protocol;
                    config.inputs = {0, 6, 15};
                });
            REQUIRE(got.records.size() == 200);
            for (std::size_t i = 0; i < 200; ++i) {
                const RecordHeader& header = got.records[i].header;
                REQUIRE(trigger_of(got.records[i], 3) == i);
                REQUIRE(header.channel_mask == 7);
                REQUIRE(header.counter == i);
                REQUIRE(header.flags == 0);
                REQUIRE(header.board == 2);
                REQUIRE(header.trigger_class == TriggerClass::beam_tick);
                REQUIRE(header.time_ps == static_cast<std::int64_t>(i) * kTriggerPeriodPs);
            }
            REQUIRE(got.defects.count("events_damaged") == 0);
            REQUIRE(got.defects.count("reconnects") == 0);
        }
    }
}

TEST_CASE("hits of a self-triggered board are records of one channel", "[readout][sis3316]") {
    const BoardInfo board = struck_board(4, 64, true);
    const Received got = run(board, 1000, {});
    REQUIRE(got.records.size() == 1000);
    for (std::size_t i = 0; i < 1000; ++i) {
        REQUIRE(trigger_of(got.records[i], 4) == i);
        REQUIRE(got.records[i].header.channel_mask == std::uint64_t{1} << i % 4);
        REQUIRE(got.records[i].header.trigger_class == TriggerClass::hit);
        REQUIRE(got.records[i].header.flags == 0);
    }
}

TEST_CASE("waveforms longer than a plain buffer use the extended one", "[readout][sis3316]") {
    const BoardInfo board = struck_board(1, 70'000);
    const Received got = run(board, 10, {}, {}, [](auto& config) { config.gate_samples = 65536; });
    REQUIRE(got.records.size() == 10);
    for (std::size_t i = 0; i < 10; ++i) REQUIRE(trigger_of(got.records[i], 1) == i);
}

TEST_CASE("the 48-bit clock rolls over without a step", "[readout][sis3316]") {
    EmulatorConfig emulator;
    emulator.first_clock = (std::uint64_t{1} << 48) - 3 * static_cast<std::uint64_t>(kTriggerPeriodPs / 4000);
    const Received got = run(struck_board(1, 16), 10, emulator);
    REQUIRE(got.records.size() == 10);
    for (std::size_t i = 1; i < 10; ++i) {
        REQUIRE(got.records[i].header.time_ps - got.records[i - 1].header.time_ps == kTriggerPeriodPs);
        REQUIRE(got.records[i].header.flags == 0);
    }
    REQUIRE(got.records[9].header.clock < got.records[0].header.clock);
}

TEST_CASE("the recorded pulser, served by the emulator, arrives unchanged", "[readout][sis3316][real]") {
    const fs::path ch0 = real_file("sis3316/pulser_ch0.bin"), ch4 = real_file("sis3316/pulser_ch4.bin");
    if (ch0.empty() || ch4.empty()) return;
    const BoardInfo board = struck_board(2, 2000);
    const std::vector<ReadRecord> recorded = read_all(*open_recorded({ch0, ch4}, board, 0, {}));
    Board emulated{open_recorded({ch0, ch4}, board, 0, {}), {}, {.inputs = {0, 4}}};
    Sis3316Config config = driver_config(board, emulated.port());
    config.inputs = {0, 4};
    Sis3316Source source{board, 0, config};
    const Received got = read_out(source, emulated);
    REQUIRE(got.records.size() == recorded.size());
    for (std::size_t i = 0; i < recorded.size(); ++i) {
        REQUIRE(got.records[i].payload == recorded[i].payload);
        REQUIRE(got.records[i].header.time_ps - got.records[0].header.time_ps ==
                recorded[i].header.time_ps - recorded[0].header.time_ps);
    }
}

TEST_CASE("who the board is stands in its description, its temperature in the readings", "[readout][sis3316]") {
    const BoardInfo board = struck_board(1, 16);
    Board emulated{std::make_unique<NumberedTriggers>(board, 1), {}, {}};
    const Sis3316Config config = driver_config(board, emulated.port());
    const BoardIdentity identity = identify_board(board, config);
    CHECK(identity.model == "SIS3316-250-14");
    CHECK(identity.serial == "291");
    CHECK(identity.firmware == "VME 2010, ADC 0250-0010");
    const std::unique_ptr<RecordSource> source = open_board(board, 0, config);
    CHECK(source->board().model == identity.model);
    CHECK(source->board().serial == identity.serial);
    CHECK(source->board().firmware == identity.firmware);
    CHECK(source->readings() == std::vector<BoardReading>{{.name = "temperature", .value = 38.25, .unit = "degC"}});
}

TEST_CASE("a board that is away tells no temperature", "[readout][sis3316][faults]") {
    const BoardInfo board = struck_board(1, 16);
    auto emulated =
        std::make_unique<Board>(std::make_unique<NumberedTriggers>(board, 1), EmulatorConfig{}, Sis3316Emulation{});
    Sis3316Source source{board, 0, driver_config(board, emulated->port())};
    REQUIRE_FALSE(source.readings().empty());
    emulated.reset();
    RecordHeader header;
    while (testing::defect(source, "board_lost") == 0) (void)source.next(header, {});
    CHECK(source.readings().empty());
}

TEST_CASE("a packet that goes astray has its counter, and no sample suffers", "[readout][sis3316][faults]") {
    struct Case {
        const char* faults;
        const char* counter;
    };
    const BoardInfo board = struck_board(2, 8000);
    for (const bool identifiers : {true, false}) {
        for (const Case& one :
             {Case{"lost=0.01", "packets_lost"}, Case{"repeated=0.02", "packets_repeated"},
              Case{"reordered=0.02", "packets_reordered"}, Case{"wrong_counter=0.01", "counter_mismatches"},
              Case{"short_reply=0.01", "short_replies"}}) {
            INFO(one.faults << (identifiers ? " with" : " without") << " identifiers");
            const Received got = run(board, 100, with_faults(one.faults), {.packet_identifiers = identifiers},
                                     [](auto& config) { config.timeout = 5ms; });
            REQUIRE(got.records.size() == 100);
            for (std::size_t i = 0; i < got.records.size(); ++i) {
                REQUIRE(trigger_of(got.records[i], 2) == i);
                REQUIRE(got.records[i].header.flags == 0);
            }
            REQUIRE(got.defects.at(one.counter) > 0);
            REQUIRE(got.defects.count("clock_backwards") == 0);
        }
    }
}

TEST_CASE("late answers are known for what they are", "[readout][sis3316][faults]") {
    const Received got = run(struck_board(2, 8000), 100, with_faults("late=0.01"), {.late = 12ms},
                             [](auto& config) { config.timeout = 5ms; });
    REQUIRE(got.records.size() == 100);
    for (std::size_t i = 0; i < got.records.size(); ++i) REQUIRE(trigger_of(got.records[i], 2) == i);
    REQUIRE(got.defects.at("timeouts") > 0);
    REQUIRE(got.defects.at("packets_late") > 0);
}

TEST_CASE("garbage costs a channel of the trigger it hits, in packets nothing", "[readout][sis3316][faults]") {
    const Received got =
        run(struck_board(2, 8000), 200, with_faults("garbage=0.01"), {}, [](auto& config) { config.timeout = 5ms; });
    const std::uint64_t garbled = got.served.at("events_garbled");
    REQUIRE(garbled > 0);
    REQUIRE(got.records.size() == 200);
    std::uint64_t missing = 0;
    for (std::size_t i = 0; i < got.records.size(); ++i) {
        REQUIRE(trigger_of(got.records[i], 2) == i);
        missing += got.records[i].header.channels == 1 ? 1 : 0;
    }
    CHECK(missing == garbled);
    CHECK(got.defects.at("events_damaged") == garbled);
    CHECK(got.defects.at("missing_channel") == garbled);
    CHECK(got.defects.at("garbage_packets") > 0);
}

TEST_CASE("a board that stalls and goes on loses nothing", "[readout][sis3316][faults]") {
    const Received got = run(struck_board(2, 100), 3000, with_faults("stall=0.0005", 3), {.stall = 1500ms});
    REQUIRE(got.served.at("fault_stall") > 0);
    REQUIRE(got.records.size() == 3000);
    for (std::size_t i = 0; i < got.records.size(); ++i) REQUIRE(trigger_of(got.records[i], 2) == i);
    CHECK(got.defects.at("board_lost") == got.served.at("fault_stall"));
    CHECK(got.defects.at("reconnects") == got.defects.at("board_lost"));
    CHECK(got.defects.at("resumed") == got.defects.at("board_lost"));
}

TEST_CASE("a board that reboots is set up anew, and its first record says that the clock restarted",
          "[readout][sis3316][faults]") {
    const Received got = run(struck_board(2, 4000), 600, with_faults("reboot=0.005", 5), {.reboot = 30ms});
    const std::uint64_t reboots = got.served.at("fault_reboot");
    REQUIRE(reboots > 0);
    REQUIRE(got.records.size() > 100);
    std::uint64_t restarted = 0;
    std::uint64_t last = 0;
    for (std::size_t i = 0; i < got.records.size(); ++i) {
        const std::uint64_t trigger = trigger_of(got.records[i], 2);
        if (i != 0) REQUIRE(trigger > last);
        if (i != 0) REQUIRE(got.records[i].header.time_ps > got.records[i - 1].header.time_ps);
        const bool says_so = (got.records[i].header.flags & record_flag::clock_restarted) != 0;
        if (i != 0 && !says_so) REQUIRE(trigger == last + 1);
        restarted += says_so ? 1 : 0;
        last = trigger;
    }
    CHECK(restarted >= 1);
    CHECK(restarted <= reboots);
    CHECK(got.defects.at("reconnects") >= restarted);
}

TEST_CASE("a clock that jumps is seen in the times, not taken for a reboot", "[readout][sis3316][faults]") {
    const Received got = run(struck_board(1, 100), 200, with_faults("clock_change=0.02"));
    REQUIRE(got.records.size() == 200);
    std::uint64_t jumps = 0;
    for (std::size_t i = 1; i < got.records.size(); ++i) {
        jumps += got.records[i].header.time_ps - got.records[i - 1].header.time_ps != kTriggerPeriodPs ? 1 : 0;
    }
    CHECK(jumps + 1 >= got.served.at("fault_clock_change"));  // the last trigger's shows in no other
    CHECK(got.defects.count("reconnects") == 0);
}

TEST_CASE("with everything going wrong at once nothing hangs and what arrives is true", "[readout][sis3316][faults]") {
    for (const bool identifiers : {true, false}) {
        // Without identifiers a late packet cannot be told from a good one: it is left out there.
        const std::string late = identifiers ? "late=0.002," : "";
        const Received got =
            run(struck_board(2, 4000), 400,
                with_faults(late + "lost=0.002,repeated=0.002,reordered=0.002,wrong_counter=0.002,short_reply=0.002,"
                                   "garbage=0.002,stall=0.003,reboot=0.005,clock_change=0.005",
                            11),
                {.packet_identifiers = identifiers, .stall = 60ms, .reboot = 30ms, .late = 12ms},
                [](auto& config) { config.timeout = 5ms; });
        REQUIRE(got.records.size() > 50);
        std::uint64_t last = 0;
        for (std::size_t i = 0; i < got.records.size(); ++i) {
            const std::uint64_t trigger = trigger_of(got.records[i], 2);
            if (i != 0) REQUIRE(trigger > last);
            last = trigger;
        }
        CHECK(got.defects.at("reconnects") > 0);
    }
}

TEST_CASE("a board that is not there is named within seconds", "[readout][sis3316][error]") {
    const BoardInfo board = struck_board(1, 16);
    std::uint16_t port = 0;
    {
        const Sis3316Emulator gone{std::make_unique<NumberedTriggers>(board, 1), {}, {}};
        port = gone.port();
    }
    CHECK_THROWS_WITH(open_board(board, 0, driver_config(board, port)),
                      Catch::Contains("board struck (127.0.0.1:" + std::to_string(port) + "): no answer within 5 s"));
}

TEST_CASE("a register that does not keep what is written is named", "[readout][sis3316][error]") {
    const BoardInfo board = struck_board(1, 16);
    Board emulated{std::make_unique<NumberedTriggers>(board, 1), {}, {.stuck_register = 0x1028}};
    Sis3316Config config = driver_config(board, emulated.port());
    config.pretrigger_samples = 10;
    CHECK_THROWS_WITH(
        open_board(board, 0, config),
        Catch::Contains("register PRE_TRIGGER_DELAY (0x1028) should be 0x0000000A, but reads back 0x00000000"));
}

namespace {
std::vector<std::string> problems_in(const std::string& driver, const std::string& board_keys = "",
                                     std::string_view period = "4000") {
    const std::string text =
        "[station]\nprofile = \"t\"\n[[board]]\nname = \"struck\"\nsource = \"sis3316\"\nsample_type = \"uint16\"\n"
        "sample_period_ps = 4000\nclock_period_ps = " +
        std::string{period} + "\nsamples = 1000\n" + board_keys +
        "[[board.channel]]\nname = \"a\"\n[[board.channel]]\nname = \"b\"\n[board.sis3316]\n" + driver;
    const ConfigFile file = ConfigFile::parse(text, "s.toml");
    ConfigProblems problems;
    ConfigSection root{file, problems};
    const Station station = parse_station(root);
    (void)parse_boards(root, station);
    return problems.lines();
}
bool says(const std::vector<std::string>& lines, const std::string& words) {
    for (const std::string& line : lines) {
        if (line.find(words) != std::string::npos) return true;
    }
    return false;
}
}  // namespace

TEST_CASE("the table of a SIS3316 is read with all its problems", "[readout][sis3316][config]") {
    CHECK(problems_in("address = \"10.0.0.12\"\n").empty());
    CHECK(problems_in("address = \"10.0.0.12:57344\"\ninputs = [1, 16]\nrange = [\"5V\", \"1.9V\"]\n"
                      "dac_offset = [1, 65535]\ntermination_50ohm = false\nclear_timestamp = \"input\"\n")
              .empty());
    const std::vector<std::string> lines = problems_in(
        "address = \"10.0.0.12:0\"\ninputs = [3, 3]\nrange = \"3V\"\ndac_offset = [1, 2, 3]\npretrigger_samples = 3\n"
        "timeout_ms = 500\nthreshold_adc = [5]\n");
    CHECK(says(lines, "address: '10.0.0.12:0' must end in a port from 1 to 65535"));
    CHECK(says(lines, "inputs: input 3 is given twice"));
    CHECK(says(lines, "range: '3V' is not one of 5V, 2V, 1.9V"));
    CHECK(says(lines, "dac_offset: holds 3 numbers: one for all or one for each of the 2 channels"));
    CHECK(says(lines, "pretrigger_samples: 3 is odd"));
    CHECK(says(lines, "timeout_ms: 500 is outside [1, 80]"));
    CHECK(says(lines, "threshold_adc: unknown key"));
    CHECK(lines.size() == 7);
    CHECK(says(problems_in(""), "address"));
    CHECK(says(problems_in("address = \"a\"\n", "trigger = \"self\"\n"),
               "threshold_adc: is missing: the board triggers itself"));
    CHECK(says(problems_in("address = \"a\"\n", "", "8000"),
               "clock_period_ps: 8000: a SIS3316 stamps time in sample periods (4000 ps)"));
}
