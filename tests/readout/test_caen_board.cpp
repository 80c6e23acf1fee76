// The driver of CAEN digitizers against the library that stands in for the vendor's, in one process.

#include <algorithm>
#include <catch2/catch.hpp>
#include <cstdint>
#include <limits>
#include <map>
#include <string>
#include <vector>

#include "daq/core/error.hpp"
#include "daq/core/station.hpp"
#include "readout/boards.hpp"
#include "readout/caen_board.hpp"
#include "readout/caen_family.hpp"
#include "readout/event_numbers.hpp"
#include "readout/restart_bridge.hpp"
#include "readout/shared_library.hpp"
#include "readout/tag_clock.hpp"
#include "tests/readout/read_all.hpp"
#include "tools/emulator/caen_standin.hpp"

using namespace alleycat;
using namespace alleycat::testing;
using namespace std::chrono_literals;
using Catch::Contains;

namespace {

constexpr const char* kStandin = ALLEYCAT_CAEN_STANDIN_LIBRARY;
constexpr std::uint32_t kSamples = 48;  // whole words of two, three and four samples
constexpr std::int64_t kClockPs = 8000;
constexpr std::int64_t kStep = 2'083'333;  // ticks between triggers at 60 Hz

/// The stand-in, begun anew.
class Standin {
  public:
    explicit Standin(const std::string& words) {
        library_.get<void(const char*)>("alleycat_caen_standin")(words.c_str());
    }
    const CaenStandinState& state() const {
        return *library_.get<const CaenStandinState*()>("alleycat_caen_standin_state")();
    }

  private:
    SharedLibrary library_{kStandin};
};

BoardInfo board_of(std::size_t channels, caen::Family family = caen::Family::x720) {
    BoardInfo board;
    board.name = "lar";
    board.source = "caen";
    board.sample_type = caen::sample_type(family);
    board.sample_period_ps = caen::sample_period_ps(family);
    board.samples = kSamples;
    board.clock_period_ps = kClockPs;
    for (std::size_t c = 0; c < channels; ++c) board.channels.push_back({.name = "in" + std::to_string(c)});
    return board;
}

CaenBoardConfig config_of(std::vector<std::uint16_t> inputs, caen::Family family = caen::Family::x720) {
    CaenBoardConfig config;
    config.library = kStandin;
    config.link = caen::Link::optical;
    config.family = family;
    config.dc_offset_percent.assign(inputs.size(), 50);
    config.inputs = std::move(inputs);
    config.events_per_read = 16;
    config.retry_interval = 10ms;
    config.readings_interval = 60min;
    return config;
}

std::vector<ReadRecord> take(RecordSource& source, std::size_t records) { return testing::take(source, records, 100); }

std::vector<std::uint32_t> codes_of(const ReadRecord& record, std::size_t position) {
    if (record.header.sample_type == SampleType::uint8) {
        const auto codes = record.channel<std::uint8_t>(position);
        return {codes.begin(), codes.end()};
    }
    const auto codes = record.channel<std::uint16_t>(position);
    return {codes.begin(), codes.end()};
}

/// The event that the samples say they are; every one of them is as served.
std::uint64_t event_of(const ReadRecord& record, const std::vector<std::uint16_t>& inputs,
                       caen::Family family = caen::Family::x720) {
    const std::vector<std::uint32_t> first = codes_of(record, 0);
    const std::uint64_t n = first[0] | first[1] << 8 | first[2] << 16 | first[3] << 24;
    const std::uint32_t mask = (1u << caen::adc_bits(family)) - 1;
    bool equal = true;
    std::size_t position = 0;
    for (std::size_t c = 0; c < inputs.size(); ++c) {
        if ((record.header.channel_mask >> c & 1) == 0) continue;
        const std::vector<std::uint32_t> codes = codes_of(record, position++);
        equal = equal && codes.size() == record.header.samples_per_channel;
        for (std::size_t s = 4; s < codes.size(); ++s)
            equal = equal && codes[s] == ((31 * n + 1009u * inputs[c] + 7 * s) & mask);
    }
    REQUIRE(equal);
    return n;
}

std::map<std::string, std::uint64_t> counts(const RecordSource& source) {
    const auto defects = source.defects();
    return {defects.begin(), defects.end()};
}
using Counts = std::map<std::string, std::uint64_t>;

}  // namespace

TEST_CASE("every sample of a CAEN board arrives, in order, with its number and time", "[readout][caen]") {
    using caen::Family;
    for (const Family family :
         {Family::x720, Family::x721, Family::x724, Family::x725, Family::x730, Family::x731, Family::x751}) {
        CAPTURE(caen::to_text(family));
        constexpr std::size_t kEvents = 500;
        const Standin standin{"family=" + std::string{caen::to_text(family)} + " events=" + std::to_string(kEvents)};
        const bool sixteen = family == Family::x725 || family == Family::x730;
        // Not in the order of the board.
        const std::vector<std::uint16_t> inputs =
            sixteen ? std::vector<std::uint16_t>{9, 0, 15} : std::vector<std::uint16_t>{5, 0, 7};
        CaenBoard board{board_of(3, family), 2, config_of(inputs, family)};
        CHECK(board.board().model == "V1" + std::string{caen::to_text(family)}.substr(1));
        CHECK(board.board().serial == "12345");
        CHECK(board.board().firmware == "ROC 04.25 - Build H522, AMC 00.11 - Build H523");
        const std::vector<ReadRecord> records = take(board, kEvents);
        REQUIRE(records.size() == kEvents);
        for (std::size_t n = 0; n < kEvents; ++n) {
            const RecordHeader& header = records[n].header;
            REQUIRE(event_of(records[n], inputs, family) == n);
            REQUIRE(header.counter == n);
            REQUIRE(header.time_ps == static_cast<std::int64_t>(n) * kStep * kClockPs);
            REQUIRE(header.flags == 0);
            REQUIRE(header.board == 2);
            REQUIRE(header.channel_mask == 7);
            REQUIRE(header.trigger_class == TriggerClass::beam_tick);
        }
        CHECK(counts(board).empty());
    }
}

TEST_CASE("a CAEN board is set as the station file says, then started, and stopped at the end", "[readout][caen]") {
    const Standin standin{"family=x730"};
    CaenBoardConfig config = config_of({1, 4}, caen::Family::x730);
    config.post_trigger_percent = 30;
    config.dc_offset_percent = {10, 100};
    config.channel_trigger = true;
    config.trigger_output = true;
    config.external_trigger = false;
    config.thresholds = {8000, 7000};
    config.io_level = caen::IoLevel::ttl;
    config.extended_time_tag = true;
    config.events_per_read = 7;
    config.registers = {{0x8110, 0x40000000}, {0x8124, 5}};
    BoardInfo info = board_of(2, caen::Family::x730);
    info.channels[1].negative_pulses = false;
    info.self_triggered = true;
    {
        CaenBoard board{info, 0, config};
        const CaenStandinState& state = standin.state();
        CHECK(state.record_length == kSamples);
        CHECK(state.inputs == 0b10010);
        CHECK(state.post_trigger == 30);
        CHECK(state.offset[1] == 6554);  // 10 % of 65535
        CHECK(state.offset[4] == 65535);
        CHECK(state.threshold[1] == 8000);
        CHECK(state.threshold[4] == 7000);
        CHECK(state.edge[1] == 1);  // CAEN_DGTZ_TriggerOnFallingEdge
        CHECK(state.edge[4] == 0);
        CHECK(state.self_trigger == std::array<std::uint32_t, 16>{0, 3, 0, 0, 3});  // ACQ_AND_EXTOUT
        CHECK(state.external == 0);
        CHECK(state.software == 0);
        CHECK(state.io_level == 1);
        CHECK(state.events_per_read == 7);
        CHECK(state.acquisition_control == 1u << 3);
        CHECK(state.front_panel == 2u << 21);
        CHECK(state.resets == 1);
        CHECK(state.calibrations == 1);
        CHECK(state.buffers == 1);
        CHECK(state.starts == 0);
        const std::vector<ReadRecord> records = take(board, 10);
        REQUIRE(records.size() == 10);
        CHECK(state.starts == 1);
        CHECK(records[3].header.trigger_class == TriggerClass::hit);
        board.finish();
        CHECK(state.stops == 1);
        CHECK(state.buffers == 0);
    }
    CHECK(standin.state().closes == standin.state().opens);
}

TEST_CASE("a setting that a CAEN board rounds is told with what was wanted and what it is", "[readout][caen][error]") {
    for (const auto& [rounded, says] : std::vector<std::pair<std::string, std::string>>{
             {"record_length", "record length: wanted 48, it is 54"},
             {"post_trigger", "post-trigger [%]: wanted 50, it is 56"},
             {"inputs", "mask of the inputs: wanted 5, it is 11"},
             {"offset", "DC offset of input 0: wanted 32768, it is 32774"},
             {"threshold", "threshold of input 0: wanted 2000, it is 2006"},
             {"edge", "trigger edge of input 0: wanted 1, it is 7"},
             {"self_trigger", "self trigger of input 0: wanted 0, it is 6"},
             {"external", "external trigger: wanted 1, it is 7"},
             {"software", "software trigger: wanted 0, it is 6"},
             {"io_level", "level of the front panel: wanted 0, it is 6"},
             {"start", "start mode: wanted 0, it is 6"},
             {"events_per_read", "events per read: wanted 16, it is 22"},
             {"0x811c", "what the pattern holds: wanted 2, it is 0"},
             {"0x8110", "register 0x8110: wanted 2, it is 4194322"}}) {
        CAPTURE(rounded);
        const Standin standin{"rounded=" + rounded};
        CaenBoardConfig config = config_of({0, 2});
        config.channel_trigger = true;
        config.thresholds = {2000, 2000};
        config.registers = {{0x8110, 2}};
        config.extended_time_tag = true;
        CHECK_THROWS_WITH((CaenBoard{board_of(2), 0, config}), "board lar (optical 0, node 0): " + says);
        CHECK(standin.state().opens == standin.state().closes);
        CHECK(standin.state().buffers == 0);
    }
}

TEST_CASE("another board than the station's is refused by name", "[readout][caen][error]") {
    const auto refused = [](const std::string& words, const std::string& says, BoardInfo board = board_of(1)) {
        const Standin standin{words};
        CAPTURE(words);
        CHECK_THROWS_WITH((CaenBoard{board, 0, config_of({6})}), Contains(says));
        CHECK(standin.state().resets == 0);  // nothing was changed
        CHECK(standin.state().opens == standin.state().closes);
    };
    refused("family=x730", "board lar (optical 0, node 0): is a V1730, x730: the station file says x720");
    refused("amc=131.05", "its firmware is DPP-PSD (ROC 04.25 - Build H522, AMC 131.05 - Build H523)");
    refused("refused=1", "CAEN_DGTZ_OpenDigitizer: communication error (-1)");
    BoardInfo other = board_of(1);
    other.serial = "77";
    refused("serial=78", "its serial number is 78, 77 was expected", other);

    const Standin standin{""};
    CHECK_THROWS_WITH((CaenBoard{board_of(1), 0, config_of({8})}), Contains("has inputs 0 to 7, 8 is configured"));
}

TEST_CASE("without CAEN's library the board says so, and what to install", "[readout][caen][error]") {
    CaenBoardConfig config = config_of({0});
    config.library = "libCAENDigitizer-that-is-not-there.so";
    const Catch::Matchers::StdString::ContainsMatcher names =
        Contains("board lar: library libCAENDigitizer-that-is-not-there.so cannot be loaded: ");
    const Catch::Matchers::StdString::ContainsMatcher advises =
        Contains("install CAEN's packages CAENVMELib, CAENComm and CAENDigitizer, or set library = ");
    CHECK_THROWS_WITH((CaenBoard{board_of(1), 0, config}), names && advises);
    CHECK_THROWS_WITH(identify_board(board_of(1), config), names && advises);
    config.library = "libm.so.6";
    CHECK_THROWS_WITH((CaenBoard{board_of(1), 0, config}),
                      "board lar: library libm.so.6 has no function CAEN_DGTZ_OpenDigitizer");
}

TEST_CASE("a CAEN board is asked who it is and stays as it was", "[readout][caen]") {
    const Standin standin{"serial=4711"};
    const BoardIdentity found = identify_board(board_of(1), config_of({0}));
    CHECK(found.model == "V1720");
    CHECK(found.serial == "4711");
    CHECK(found.firmware == "ROC 04.25 - Build H522, AMC 00.11 - Build H523");
    CHECK(found.remarks == std::vector<std::string>{"x720, 8 inputs of 12 bit"});
    CHECK(standin.state().opens == 1);
    CHECK(standin.state().closes == 1);
    CHECK(standin.state().resets == 0);
    CHECK(standin.state().starts == 0);
}

TEST_CASE("every fault of a CAEN board has its counter, and the events around it are whole", "[readout][caen][error]") {
    struct Case {
        std::string words;
        Counts counts;
        std::vector<std::uint64_t> gone = {};             ///< of the events 0 to 99: not recorded
        std::map<std::size_t, std::uint32_t> flags = {};  ///< of the records, by their place
        std::size_t more = 0;                             ///< records beside one per event
    };
    const std::uint32_t restarted = record_flag::clock_restarted;
    for (const Case& one : std::vector<Case>{
             {"lost@40:5", {{"missed_triggers", 5}}, {40, 41, 42, 43, 44}},
             {"duplicated@40", {{"duplicate_record", 1}}, {}, {{41, record_flag::duplicate}}, 1},
             {"truncated@40", {{"cut_short", 1}, {"missed_triggers", 1}}, {40}},
             {"torn@40", {{"no_header", 1}, {"missed_triggers", 1}}, {40}},
             {"garbage@40:3", {{"no_header", 1}}},
             {"filler@40", {}},
             {"board_fail@40", {{"board_failed", 1}}},
             {"missing_channel@40", {{"missing_channel", 1}}, {}, {{40, record_flag::missing_channel}}},
             {"short@40", {{"unexpected_length", 1}}, {}, {{40, record_flag::unexpected_length}}},
             {"excess_bits@40", {{"excess_bits", 1}, {"missed_triggers", 1}}, {40}},
             {"stalled@40:3", {}},
             {"wrong_counter@40", {{"wrong_counter", 1}}},
             {"clock_back@40:2083334", {{"clock_backwards", 1}}, {}, {{40, record_flag::clock_backwards}}},
             {"counts_anew@40",
              {{"wrong_counter", 2}, {"clock_backwards", 1}},
              {},
              {{40, record_flag::clock_backwards}, {41, restarted}}},
             {"lost@20:2 garbage@30:1 duplicated@50 torn@60",
              {{"missed_triggers", 3}, {"no_header", 2}, {"duplicate_record", 1}},
              {20, 21, 60},
              {{49, record_flag::duplicate}},
              1}}) {
        CAPTURE(one.words);
        const Standin standin{"events=100 " + one.words};
        CaenBoard board{board_of(2), 0, config_of({0, 3})};
        const std::vector<ReadRecord> records = take(board, 100 - one.gone.size() + one.more);
        REQUIRE(records.size() == 100 - one.gone.size() + one.more);
        std::vector<std::uint64_t> numbers;
        for (std::size_t i = 0; i < records.size(); ++i) {
            const auto flags = one.flags.find(i);
            CAPTURE(i);
            CHECK(records[i].header.flags == (flags == one.flags.end() ? 0 : flags->second));
            const std::uint64_t n = event_of(records[i], {0, 3});
            if (numbers.empty() || numbers.back() != n) numbers.push_back(n);
            CHECK(records[i].header.counter == n);
            const bool other_time = one.words.starts_with("clock_back") || (records[i].header.flags != 0 && i == 40);
            if (!other_time) CHECK(records[i].header.time_ps == static_cast<std::int64_t>(n) * kStep * kClockPs);
        }
        std::vector<std::uint64_t> expected;
        for (std::uint64_t n = 0; n < 100; ++n) {
            if (std::find(one.gone.begin(), one.gone.end(), n) == one.gone.end()) expected.push_back(n);
        }
        CHECK(numbers == expected);
        CHECK(counts(board) == one.counts);
    }
}

TEST_CASE("a CAEN board that is unplugged is got back, with its settings", "[readout][caen][error]") {
    const Standin standin{"events=100 unplugged@40:3"};
    CaenBoardConfig config = config_of({0, 3});
    config.dc_offset_percent = {20, 20};
    CaenBoard board{board_of(2), 0, config};
    const std::vector<ReadRecord> records = take(board, 92);
    REQUIRE(records.size() == 92);
    // Those of the transfer that broke off, 32 to 39, are in nobody's buffer.
    for (std::size_t i = 0; i < records.size(); ++i) {
        REQUIRE(event_of(records[i], {0, 3}) == (i < 32 ? i : i + 8));
        CHECK(records[i].header.flags == (i == 32 ? record_flag::clock_restarted : 0));
    }
    // It went on counting in time: so many beats of the triggers later.
    const auto away = static_cast<std::int64_t>(records[32].header.counter - 31);
    CHECK(away >= 1);
    CHECK(records[32].header.time_ps == (31 + away) * kStep * kClockPs);
    CHECK(records[91].header.counter == static_cast<std::uint64_t>(31 + away + 59));
    CHECK(records[91].header.time_ps == (31 + away + 59) * kStep * kClockPs);
    CHECK(records[32].header.clock == 0);
    CHECK(standin.state().offset[3] == 13107);  // 20 % of 65535
    CHECK(standin.state().opens == 2);
    CHECK(standin.state().starts == 2);
    CHECK(standin.state().buffers == 1);
    CHECK(counts(board) == Counts{{"disconnects", 1}, {"failed_attempts", 3}, {"reconnects", 1}});
}

TEST_CASE("a CAEN board that lost its settings is set up again", "[readout][caen][error]") {
    const Standin standin{"events=100 rebooted@40"};
    CaenBoard board{board_of(2), 0, config_of({0, 3})};
    const std::vector<ReadRecord> records = take(board, 100);
    REQUIRE(records.size() == 100);
    for (std::size_t n = 0; n < records.size(); ++n) REQUIRE(event_of(records[n], {0, 3}) == n);
    CHECK(records[40].header.flags == record_flag::clock_restarted);
    CHECK(counts(board) == Counts{{"disconnects", 1}, {"reconnects", 1}});
    CHECK(standin.state().resets == 2);
}

TEST_CASE("while a CAEN board is away next says idle, and another board in its place is not taken", "[readout][caen]") {
    const Standin standin{"unplugged@5:1000000"};
    CaenBoardConfig config = config_of({0});
    config.events_per_read = 5;
    CaenBoard board{board_of(1), 0, config};
    REQUIRE(take(board, 5).size() == 5);
    RecordHeader header;
    CHECK(board.next(header, {}) == RecordSource::Next::idle);
    CHECK(board.next(header, {}) == RecordSource::Next::idle);
    CHECK(counts(board)["disconnects"] == 1);
    CHECK(counts(board)["failed_attempts"] > 0);
    const Standin other{"serial=999"};  // the cable now leads to it
    CHECK(board.next(header, {}) == RecordSource::Next::idle);
    CHECK(other.state().starts == 0);
    const Standin same{""};
    CHECK(take(board, 3).size() == 3);
    board.finish();
}

TEST_CASE("a stop is looked at before anything else", "[readout][caen]") {
    const Standin standin{""};
    CaenBoard board{board_of(1), 0, config_of({0})};
    REQUIRE(take(board, 1).size() == 1);
    std::stop_source stop;
    stop.request_stop();
    RecordHeader header;
    CHECK(board.next(header, stop.get_token()) == RecordSource::Next::idle);
}

TEST_CASE("the tag of a CAEN board rolls over, with 31 bits or 48", "[readout][caen]") {
    {
        const Standin standin{"first=2147483000 step=1000 events=4"};
        CaenBoard board{board_of(1), 0, config_of({0})};
        const std::vector<ReadRecord> records = take(board, 4);
        REQUIRE(records.size() == 4);
        for (std::int64_t n = 0; n < 4; ++n) {
            CHECK(records[static_cast<std::size_t>(n)].header.time_ps == (2'147'483'000 + 1000 * n) * kClockPs);
            CHECK(records[static_cast<std::size_t>(n)].header.flags == 0);
        }
        CHECK(records[1].header.clock == 352);  // 2147484000 - 2^31
        CHECK(counts(board).empty());
    }
    {
        const Standin standin{"first=281474976710000 step=1000 events=4"};  // 656 before 2^48
        CaenBoardConfig config = config_of({0});
        config.extended_time_tag = true;
        CaenBoard board{board_of(1), 0, config};
        const std::vector<ReadRecord> records = take(board, 4);
        REQUIRE(records.size() == 4);
        for (std::int64_t n = 0; n < 4; ++n)
            CHECK(records[static_cast<std::size_t>(n)].header.time_ps == (281'474'976'710'000 + 1000 * n) * kClockPs);
        CHECK(records[1].header.clock == 344);
    }
}

TEST_CASE("a roll-over that nobody saw is found by the host's clock", "[readout][caen]") {
    // A board whose clock is over after 2 ms, and had nothing for 100 ms, more than fifty times that.
    const Standin standin{"step=10 stalled@3:100"};
    BoardInfo info = board_of(1);
    info.clock_period_ps = 1;
    CaenBoardConfig config = config_of({0});
    config.events_per_read = 3;
    CaenBoard board{info, 0, config};
    const std::vector<ReadRecord> records = take(board, 4);
    REQUIRE(records.size() == 4);
    const std::uint64_t missed = counts(board)["missed_rollovers"];
    CHECK(missed > 0);
    CHECK(records[2].header.time_ps == 20);
    CHECK(records[3].header.time_ps == 30 + static_cast<std::int64_t>(missed << 31));
    CHECK(records[3].header.flags == 0);
}

TEST_CASE("missed roll-overs are those for which there was time", "[readout][caen][unit]") {
    using TimePoint = TagClock::TimePoint;
    const TimePoint start{};
    constexpr std::uint64_t kRange = std::uint64_t{1} << 31;  // 17.18 s of 8 ns
    const auto ticks = [](double seconds) { return static_cast<std::uint64_t>(seconds * 125e6); };
    const auto after = [&](std::chrono::milliseconds time) { return start + 1s + time; };
    struct Case {
        std::string what;
        double passed_s;                  ///< from the first event, whose tag is 10 s, to the second
        std::chrono::milliseconds empty;  ///< last found empty, after the first was read
        std::uint64_t missed;
    };
    const double range_s = static_cast<double>(kRange) / 125e6;
    for (const Case& one :
         std::vector<Case>{{"nothing missed", 2, 1990ms, 0},
                           {"rolled over, seen", 9, 8990ms, 0},
                           {"the tag went further by 2.8 s, 20 s passed", 20, 19'990ms, 1},
                           {"the tag went back by 0.7 s, which looks like a wrong clock", 16.5, 16'490ms, 1},
                           {"three ranges and a second", 3 * range_s + 1, 52'500ms, 3},
                           {"the board was never found empty: events may have waited", 1, -1ms, 0}}) {
        CAPTURE(one.what);
        TagClock clock{31, 8000};
        clock.found_empty(start);
        const TagClock::Result first = clock.stamp(ticks(10), false, after(0ms));
        if (one.empty >= 0ms) clock.found_empty(after(one.empty));
        const TagClock::Result second = clock.stamp(ticks(10 + one.passed_s) % kRange, true, after(one.empty) + 1ms);
        CHECK(second.missed_rollovers == one.missed);
        CHECK(static_cast<double>(second.ticks - first.ticks) / 125e6 == Approx(one.passed_s).margin(1e-6));
        CHECK_FALSE(second.backwards);
    }
}

TEST_CASE("a number that goes back is not believed, three of them are", "[readout][unit]") {
    using Kind = EventNumbers::Kind;
    EventNumbers numbers{24};
    std::uint64_t clock = 0;
    const auto takes = [&](std::uint32_t number, Kind kind, std::uint64_t counter, std::uint32_t missed = 0) {
        CAPTURE(number);
        const EventNumbers::Result result = numbers.take(number, ++clock);
        CHECK(result.kind == kind);
        CHECK(result.counter == counter);
        CHECK(result.missed == missed);
    };
    takes(0xFFFFFD, Kind::first, 0xFFFFFD);
    takes(0xFFFFFE, Kind::next, 0xFFFFFE);
    takes(2, Kind::next, 0x1000002, 3);  // over the end of 24 bits: FFFFFF, 0 and 1 are missing
    takes(0xABCDEF, Kind::wrong, 0x1000003);
    takes(4, Kind::next, 0x1000004);  // as if nothing had been
    takes(0x20004, Kind::wrong, 0x1000005);
    takes(0x20005, Kind::wrong, 0x1000006);
    takes(0x20006, Kind::next, 0x1020006, 0x1FFFF);  // 5 to 20003 are missing
    takes(0x20002, Kind::wrong, 0x1020007);
    takes(0x20003, Kind::wrong, 0x1020008);
    takes(0x20009, Kind::next, 0x1020009);  // two mistakes, though they follow each other
    takes(0, Kind::wrong, 0x102000A);
    takes(1, Kind::wrong, 0x102000B);
    takes(2, Kind::began_anew, 0x102000C);
    takes(3, Kind::next, 0x102000D);
    --clock;
    takes(3, Kind::repeated, 0x102000D);
    takes(5, Kind::next, 0x102000F, 1);
    takes(4, Kind::wrong, 0x1020010);  // it came too late ...
    takes(6, Kind::next, 0x1020010);   // ... and moves nobody
    takes(2, Kind::wrong, 0x1020011);  // it should have been 7
    takes(9, Kind::next, 0x1020013, 1);
    takes(5, Kind::wrong, 0x1020014);  // it should have been 10 ...
    --clock;
    takes(5, Kind::repeated, 0x1020014);  // ... and comes twice: one trigger
    takes(11, Kind::next, 0x1020015);
    clock = 0;  // the board began anew
    takes(0, Kind::wrong, 0x1020016);
    takes(1, Kind::began_anew, 0x1020017);
}

TEST_CASE("a board that counts anew goes on where the host's clock says, on the beat of its triggers",
          "[readout][unit]") {
    using Place = RestartBridge::Place;
    constexpr std::int64_t kSecondPs = 1'000'000'000'000, kSecondNs = 1'000'000'000;
    const auto after = [](std::uint64_t triggers, std::int64_t away_ns) {
        RestartBridge bridge;
        bridge.keep({100, 0, 0});
        bridge.keep({100 + triggers, kSecondPs, kSecondNs});
        const Place first = bridge.go_on({3, 777, kSecondNs + away_ns});
        Place second{5, 1777, 0};
        REQUIRE(bridge.carry(second));
        CHECK(second.counter == first.counter + 2);
        CHECK(second.time_ps == first.time_ps + 1000);
        return first;
    };
    // 60 Hz, and a quarter of a second later: 15 triggers. Read 7 ms late, the same.
    CHECK(after(60, 250'000'000).counter == 175);
    CHECK(after(60, 250'000'000).time_ps == kSecondPs / 4 * 5);
    CHECK(after(60, 257'000'000).counter == 175);
    CHECK(after(60, 257'000'000).time_ps == kSecondPs / 4 * 5);
    // Once a second, a quarter of a second later: the next one, and no beat is so near.
    CHECK(after(1, 250'000'000).counter == 102);
    CHECK(after(1, 250'000'000).time_ps == kSecondPs / 4 * 5);
    CHECK(after(60, -5).counter == 161);  // the host's clock was set back
    CHECK(after(60, -5).time_ps == kSecondPs);

    RestartBridge bridge;  // without any record before
    CHECK(bridge.go_on({3, 777, 5}).counter == 3);
    bridge.keep({4, 1000, 6});
    CHECK(bridge.go_on({0, 0, 6}).counter == 5);
    Place endless{0, std::numeric_limits<std::int64_t>::max(), 0};
    CHECK_FALSE(bridge.carry(endless));
    CHECK(endless.time_ps == bridge.last().time_ps);
}

TEST_CASE("readings of a CAEN board are its temperatures and how often its memory was full", "[readout][caen]") {
    const Standin standin{"family=x730 full@0 clock_lost@0"};
    CaenBoardConfig config = config_of({2, 5}, caen::Family::x730);
    config.readings_interval = 0ms;
    CaenBoard board{board_of(2, caen::Family::x730), 0, config};
    const auto has_busy = [&] {
        const auto readings = board.readings();
        return !readings.empty() && readings.back().name == "busy";
    };
    for (int tries = 0; tries < 100'000 && !has_busy(); ++tries) {
        if (take(board, 16).empty()) break;
    }
    const std::vector<BoardReading> expected{
        {"temperature_2", 42, "degC"}, {"temperature_5", 45, "degC"}, {"busy", 1, ""}};
    CHECK(board.readings() == expected);
    CHECK(counts(board)["clock_lost"] == 1);
}

TEST_CASE("software triggers are sent by the program", "[readout][caen]") {
    const Standin standin{""};
    CaenBoardConfig config = config_of({0});
    config.external_trigger = false;
    config.software_trigger = true;
    config.software_trigger_hz = 1000;
    CaenBoard board{board_of(1), 0, config};
    CHECK(standin.state().external == 0);
    CHECK(standin.state().software == 1);
    const std::vector<ReadRecord> records = take(board, 20);
    REQUIRE(records.size() == 20);
    CHECK(counts(board).empty());
}

TEST_CASE("event blocks of a file come through the library as they are", "[readout][caen]") {
    TemporaryFolder folder;
    Bytes bytes;
    // Two 12-bit samples of input 1 per word; the second event has the wrong number of words for its two inputs.
    for (const std::uint32_t word : {0xA0000005u, 0x00000002u, 0x00000000u, 0x00000010u, 0x0FFF0001u,  //
                                     0xA0000005u, 0x00000003u, 0x00000001u, 0x00000020u, 0x00010001u,  //
                                     0xA0000005u, 0x00000002u, 0x00000002u, 0x00000030u, 0x00040003u})
        append_u32(bytes, word);
    const fs::path file = write(folder, "blocks.bin", bytes);
    const Standin standin{"blocks=" + file.string()};
    BoardInfo info = board_of(1);
    info.samples = 2;
    CaenBoard board{info, 0, config_of({1})};
    const std::vector<ReadRecord> records = take(board, 2);
    REQUIRE(records.size() == 2);
    CHECK(records[0].channel<std::uint16_t>(0) == std::vector<std::uint16_t>{1, 0xFFF});
    CHECK(records[1].channel<std::uint16_t>(0) == std::vector<std::uint16_t>{3, 4});
    CHECK(records[1].header.time_ps == 0x30 * kClockPs);
    CHECK(counts(board) == Counts{{"uneven_channels", 1}, {"missed_triggers", 1}});
}

TEST_CASE("suppressed samples of a CAEN board are those that the station file says, or none", "[readout][caen]") {
    TemporaryFolder folder;
    Bytes bytes;
    // Zero-length encoded: input 0 takes four words, one of samples, then one that was left out.
    for (const std::uint32_t word : {0xA0000008u, 0x01000001u, 0x00000000u, 0x00000010u,  //
                                     0x00000004u, 0x80000001u, 0x00020001u, 0x00000001u})
        append_u32(bytes, word);
    const std::string words = "blocks=" + write(folder, "blocks.bin", bytes).string();
    BoardInfo info = board_of(1);
    info.samples = 4;
    CaenBoardConfig config = config_of({0});
    {
        const Standin standin{words};
        CaenBoard board{info, 0, config};
        RecordHeader header;
        CHECK(board.next(header, {}) == RecordSource::Next::idle);
        CHECK(counts(board) == Counts{{"no_suppressed_code", 1}});
    }
    config.suppressed_code = 3800;
    const Standin standin{words};
    CaenBoard board{info, 0, config};
    const std::vector<ReadRecord> records = take(board, 1);
    REQUIRE(records.size() == 1);
    CHECK(records[0].channel<std::uint16_t>(0) == std::vector<std::uint16_t>{1, 2, 3800, 3800});
    CHECK(counts(board).empty());
}

TEST_CASE("keys of a CAEN board become its settings", "[readout][caen][config]") {
    const ConfigFile file = ConfigFile::parse(R"(
[station]
profile = "lar"
[[board]]
name = "lar"
source = "caen"
sample_type = "uint16"
sample_period_ps = 4000
samples = 8252
trigger = "self"
[board.caen]
library = "./libCAENDigitizer.so.2"
link = "usb_a4818_v2718"
link_number = 23365
conet_node = 1
vme_address = 0x32100000
family = "x720"
inputs = [3, 1]
post_trigger_percent = 55
dc_offset_percent = [12.5]
trigger_source = ["external", "channels"]
trigger_output = true
threshold_code = [3700, 3600]
io_level = "TTL"
start_source = "s_in"
count_all_triggers = false
extended_time_tag = true
events_per_read = 255
suppressed_code = 4095
readings_interval_ms = 50
retry_interval_ms = 20
[board.caen.registers]
"0x8110" = "0x80000000"
"33060" = "7"
[[board.channel]]
name = "pmt0"
[[board.channel]]
name = "pmt1"
[[board]]
name = "recorded"
source = "caen"
trigger = "self"
sample_type = "uint16"
sample_period_ps = 4000
[[board.channel]]
name = "pmt0"
)",
                                              "station.toml");
    ConfigProblems problems;
    ConfigSection root{file, problems};
    const Station station = parse_station(root);
    const std::vector<BoardConfig> boards = parse_boards(root, station);
    CHECK(problems.lines() == std::vector<std::string>{});
    REQUIRE(boards.size() == 2);
    const auto& config = std::get<CaenBoardConfig>(boards[0]);
    CHECK(config.library == "./libCAENDigitizer.so.2");
    CHECK(config.link == caen::Link::usb_a4818_v2718);
    CHECK(config.link_number == 23365);
    CHECK(config.conet_node == 1);
    CHECK(config.vme_address == 0x32100000);
    CHECK(config.inputs == std::vector<std::uint16_t>{3, 1});
    CHECK(config.post_trigger_percent == 55);
    CHECK(config.dc_offset_percent == std::vector<double>{12.5, 12.5});
    CHECK(config.external_trigger);
    CHECK(config.channel_trigger);
    CHECK_FALSE(config.software_trigger);
    CHECK(config.trigger_output);
    CHECK(config.thresholds == std::vector<std::uint32_t>{3700, 3600});
    CHECK(config.io_level == caen::IoLevel::ttl);
    CHECK(config.start == caen::Start::s_in);
    CHECK_FALSE(config.count_all_triggers);
    CHECK(config.extended_time_tag);
    CHECK(config.events_per_read == 255);
    CHECK(config.suppressed_code == 4095);
    CHECK(config.registers == std::vector<std::pair<std::uint32_t, std::uint32_t>>{{0x8110, 0x80000000}, {33060, 7}});
    CHECK(config.readings_interval == 50ms);
    CHECK(config.retry_interval == 20ms);
    CHECK(std::holds_alternative<std::monostate>(boards[1]));
    CHECK_THROWS_WITH(open_board(station.boards[1], 1, boards[1]),
                      Contains("board recorded: to read it live it needs a table [board.caen]"));
}
