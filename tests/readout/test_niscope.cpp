// The driver against the stand-in for the vendor's library, in one process.

#include <catch2/catch.hpp>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "daq/core/config.hpp"
#include "daq/core/error.hpp"
#include "daq/core/station.hpp"
#include "readout/boards.hpp"
#include "readout/niscope_board.hpp"
#include "tests/readout/read_all.hpp"
#include "tools/emulator/niscope_standin.hpp"

using namespace alleycat;
using namespace std::chrono_literals;
using Catch::Matchers::Contains;

namespace {

constexpr std::uint32_t kSamples = 70;
constexpr std::uint32_t kPreTrigger = 55;
constexpr std::int64_t kPeriodPs = 2000;
constexpr std::int64_t kIntervalPs = 16'666'200'000;  // of the stand-in's triggers

/// The stand-in, told what to do; it is a new board with every one of these.
class Standin {
  public:
    explicit Standin(const std::string& words = "") : library_{ALLEYCAT_NISCOPE_STANDIN} {
        REQUIRE(library_.get<AlleycatNiScopeStandinSet>("alleycat_niscope_standin_set")(words.c_str()) == 0);
    }
    [[nodiscard]] double seen(const std::string& name) const {
        return library_.get<AlleycatNiScopeStandinGet>("alleycat_niscope_standin_get")(name.c_str());
    }

    void release_init() const { library_.get<AlleycatNiScopeStandinRelease>("alleycat_niscope_standin_release")(); }

  private:
    SharedLibrary library_;
};

BoardInfo board_of(std::size_t channels = 2) {
    BoardInfo board;
    board.name = "pci5153";
    board.source = "niscope";
    board.sample_type = SampleType::int8;
    board.sample_period_ps = kPeriodPs;
    board.samples = kSamples;
    board.clock_period_ps = 1000;
    for (std::size_t c = 0; c < channels; ++c) board.channels.push_back({.name = "in" + std::to_string(c)});
    return board;
}

NiScopeConfig config_of(std::size_t channels = 2) {
    NiScopeConfig config;
    config.library = ALLEYCAT_NISCOPE_STANDIN;
    config.resource = "Dev1";
    config.inputs.clear();
    for (std::size_t c = 0; c < channels; ++c) config.inputs.push_back({.number = static_cast<unsigned>(c)});
    config.pre_trigger_samples = kPreTrigger;
    config.fetch_timeout = 1ms;
    config.retry_interval = 10ms;
    return config;
}

/// The formula that the stand-in states.
std::int8_t sample(std::uint64_t trigger, std::uint64_t input, std::uint64_t s) {
    const std::uint64_t code = s < 4 ? trigger >> (8 * s) : 31 * trigger + 101 * input + 7 * s;
    return static_cast<std::int8_t>(static_cast<std::uint8_t>(code));
}

/// A test that waits for what does not come ends.
constexpr int kMostIdle = 200;

std::vector<testing::ReadRecord> take(RecordSource& source, std::size_t records) {
    return testing::take(source, records, kMostIdle);
}

/// The trigger that the samples say they are; every one of them is as served, and the padding is zero.
std::uint64_t trigger_of(const testing::ReadRecord& record, const std::vector<std::uint64_t>& inputs = {0, 1}) {
    std::uint64_t trigger = 0;
    for (std::size_t s = 0; s < 4; ++s) {
        trigger |= std::uint64_t{static_cast<std::uint8_t>(record.channel<std::int8_t>(0)[s])} << (8 * s);
    }
    bool equal = true;
    for (std::size_t c = 0; c < record.header.channels; ++c) {
        const std::vector<std::int8_t> codes = record.channel<std::int8_t>(c);
        for (std::size_t s = 0; s < codes.size(); ++s) equal = equal && codes[s] == sample(trigger, inputs[c], s);
    }
    for (std::size_t b = std::size_t{record.header.channels} * record.header.samples_per_channel;
         b < record.payload.size(); ++b) {
        equal = equal && record.payload[b] == std::byte{0};
    }
    REQUIRE(equal);
    return trigger;
}

/// Time of a trigger since the first whole second that the driver saw.
std::int64_t time_of(std::uint64_t trigger) { return static_cast<std::int64_t>(trigger + 1) * kIntervalPs; }

std::string opening(const BoardInfo& info, const NiScopeConfig& config) {
    try {
        const NiScopeBoard board{info, 0, config};
    } catch (const Error& e) {
        return e.what();
    }
    return "opened";
}

struct Parsed {
    NiScopeConfig config;
    std::vector<std::string> problems;
};

/// A station of one board with two channels, and these lines in [board.niscope].
Parsed parse(const std::string& lines, const std::string& board = "samples = 1000\n") {
    const ConfigFile file = ConfigFile::parse(
        "[station]\nprofile = \"x\"\n[[board]]\nname = \"adc\"\nsource = \"niscope\"\nsample_period_ps = 2000\n" +
            board + "channel = [{name = \"a\"}, {name = \"b\"}]\n[board.niscope]\n" + lines,
        "f");
    ConfigProblems problems;
    ConfigSection root{file, problems};
    const Station station = parse_station(root);
    const std::vector<BoardConfig> boards = parse_boards(root, station);
    return {std::get<NiScopeConfig>(boards.at(0)), problems.lines()};
}

const std::string kLeast = "resource = \"Dev1\"\nrange_v = [0.5]\npre_trigger_samples = 100\n";

}  // namespace

TEST_CASE("every sample of an NI board arrives, with its number and the time of its trigger", "[readout][niscope]") {
    const Standin standin{"triggers=3000"};
    NiScopeConfig config = config_of();
    config.readings_interval = 50ms;
    NiScopeBoard board{board_of(), 2, config};
    REQUIRE(board.board().model == "NI PCI-5153");
    REQUIRE(board.board().serial == "STANDIN1");
    REQUIRE(board.board().firmware == "1.0, driver stand-in");
    const std::vector<testing::ReadRecord> records = take(board, 3000);
    REQUIRE(records.size() == 3000);
    for (std::size_t n = 0; n < records.size(); ++n) {
        const RecordHeader& header = records[n].header;
        REQUIRE(trigger_of(records[n]) == n);
        REQUIRE(header.counter == n);
        REQUIRE(header.time_ps == time_of(n));
        REQUIRE(header.clock == static_cast<std::uint64_t>(time_of(n) / 1000));
        REQUIRE(header.flags == 0);
        REQUIRE(header.board == 2);
        REQUIRE(header.channel_mask == 3);
        REQUIRE(header.trigger_class == TriggerClass::beam_tick);
    }
    RecordHeader header;
    REQUIRE(board.next(header, {}) == RecordSource::Next::idle);
    REQUIRE(board.defects().empty());
    for (int idle = 0; idle < kMostIdle && board.readings().size() < 6; ++idle) (void)board.next(header, {});
    REQUIRE(board.readings() ==  // 1 V in 256 codes
            std::vector<BoardReading>{{"temperature", 41.5, "degC"},
                                      {"records_waiting", 0, ""},
                                      {"in0_per_code", 0.00390625, "V"},
                                      {"in0_at_zero", 0, "V"},
                                      {"in1_per_code", 0.00390625, "V"},
                                      {"in1_at_zero", 0, "V"}});
    board.finish();
    REQUIRE(standin.seen("Abort") == 1);
    REQUIRE(standin.seen("init") == 1);
    REQUIRE(standin.seen("close") == 1);
}

TEST_CASE("an NI board is set up as the station file says", "[readout][niscope]") {
    const Standin standin;
    BoardInfo info = board_of(1);
    info.samples = 35'000;
    NiScopeConfig config = config_of(1);
    config.inputs = {{.number = 1,
                      .range_v = 0.2,
                      .offset_v = -0.05,
                      .coupling = 0,
                      .probe_attenuation = 10,
                      .impedance_ohm = 1e6,
                      .max_frequency_hz = 2e7}};
    config.pre_trigger_samples = 27'475;
    config.trigger_slope = 0;
    config.records = 1000;
    const auto closed = [&] { return std::isnan(standin.seen("close")) ? 0 : standin.seen("close"); };
    {
        NiScopeBoard board{info, 0, config};
        REQUIRE(trigger_of(take(board, 1).at(0), {1}) == 0);
        REQUIRE(closed() == 0);
    }
    REQUIRE(closed() == 1);
    for (const auto& [name, value] : std::vector<std::pair<std::string, double>>{{"range_v.1", 0.2},
                                                                                 {"offset_v.1", -0.05},
                                                                                 {"coupling.1", 0},
                                                                                 {"attenuation.1", 10},
                                                                                 {"enabled.1", 1},
                                                                                 {"impedance_ohm.1", 1e6},
                                                                                 {"frequency_hz.1", 2e7},
                                                                                 {"enabled.0", 0},
                                                                                 {"sample_rate_hz", 5e8},
                                                                                 {"samples", 35'000},
                                                                                 {"reference_percent", 78.5},
                                                                                 {"records", 1000},
                                                                                 {"realtime", 1},
                                                                                 {"more_than_memory", 1},
                                                                                 {"digital", 1},
                                                                                 {"source VAL_PFI_1", 1},
                                                                                 {"slope", 0},
                                                                                 {"reset", 1}}) {
        CAPTURE(name);
        REQUIRE(standin.seen(name) == value);
    }

    config.inputs.front().max_frequency_hz = 0;
    config.trigger = NiScopeTrigger::edge;
    config.trigger_source = "VAL_EXTERNAL";
    config.trigger_level_v = -0.4;
    config.trigger_coupling = 3;
    REQUIRE(opening(info, config) == "opened");
    REQUIRE(standin.seen("frequency_hz.1") == -1);  // the library's word for all of it
    REQUIRE(standin.seen("digital") == 0);
    REQUIRE(standin.seen("source VAL_EXTERNAL") == 1);
    REQUIRE(standin.seen("level_v") == -0.4);
    REQUIRE(standin.seen("trigger_coupling") == 3);
}

TEST_CASE("an NI board that does something else than asked is named, with what was wanted and what it is",
          "[readout][niscope]") {
    const std::string who = "board pci5153 (Dev1): ";
    struct Expected {
        std::string words, sentence;
    };
    const auto expected =
        GENERATE(Expected{"coerce_record_length=69", "record length: wanted 70 samples, it is 69 samples"},
                 Expected{"coerce_sample_rate_hz=2.5e8", "sample rate: wanted 500000000 Hz, it is 250000000 Hz"},
                 Expected{"coerce_range_v=2", "vertical range of input 0: wanted 1 V, it is 2 V"},
                 Expected{"coerce_offset_v=0.01", "vertical offset of input 0: wanted 0 V, it is 0.01 V"},
                 Expected{"coerce_impedance_ohm=1e6", "input impedance of input 0: wanted 50 ohm, it is 1000000 ohm"},
                 Expected{"coerce_attenuation=10", "probe attenuation of input 0: wanted 1, it is 10"},
                 Expected{"coerce_coupling=0", "coupling (0 AC, 1 DC) of input 0: wanted 1, it is 0"},
                 Expected{"coerce_records=100000", "records of an acquisition: wanted 10000000, it is 100000"},
                 Expected{"coerce_slope=0", "trigger slope (0 negative, 1 positive): wanted 1, it is 0"},
                 Expected{"coerce_waveforms=4", "waveforms of a fetch: wanted 2, it is 4"},
                 Expected{"bits=14", "its samples have 14 bits, more than the 8 that are fetched"},
                 Expected{"inputs=1", "has 1 inputs, counted from 0: 1 is configured"},
                 Expected{"init_refused=1", "niScope_init: no board answers as Dev1 (-1074118654)"},
                 Expected{"refuse=niScope_ConfigureTriggerDigital",
                          "niScope_ConfigureTriggerDigital: niScope_ConfigureTriggerDigital is refused (-1074135025)"});
    CAPTURE(expected.words);
    const Standin standin{expected.words};
    REQUIRE(opening(board_of(), config_of()) == who + expected.sentence);
    if (expected.words != "init_refused=1") REQUIRE(standin.seen("close") == 1);
}

TEST_CASE("an NI board takes no setting that nothing says is wrong for one that is", "[readout][niscope]") {
    // Steps of its converters, and a longer record: what was asked for is in it.
    const Standin standin{"coerce_record_length=96,coerce_offset_v=0.004,warn=niScope_ConfigureVertical,triggers=50"};
    NiScopeBoard board{board_of(), 0, config_of()};
    const std::vector<testing::ReadRecord> records = take(board, 50);
    REQUIRE(records.size() == 50);
    for (std::size_t n = 0; n < records.size(); ++n) {
        REQUIRE(trigger_of(records[n]) == n);
        REQUIRE(records[n].header.samples_per_channel == kSamples);
        REQUIRE(records[n].header.flags == 0);
    }
    REQUIRE(board.defects() == std::vector<std::pair<std::string, std::uint64_t>>{{"warnings", 2}});  // two inputs
}

TEST_CASE("another NI board than that of the station file is refused", "[readout][niscope]") {
    const Standin standin{"serial=12AB"};
    BoardInfo info = board_of();
    info.serial = "17";
    REQUIRE(opening(info, config_of()) == "board pci5153 (Dev1): its serial number is 12AB, the station file says 17");
    info.serial = "12AB";
    REQUIRE(opening(info, config_of()) == "opened");
}

TEST_CASE("a trigger that an NI board refuses only at the start ends it with a sentence", "[readout][niscope]") {
    const Standin standin{"refuse=niScope_InitiateAcquisition"};
    NiScopeBoard board{board_of(), 0, config_of()};
    RecordHeader header;
    REQUIRE_THROWS_WITH(board.next(header, {}),
                        Contains("board pci5153 (Dev1): niScope_InitiateAcquisition: ") && Contains("is refused"));
}

TEST_CASE("where the vendor's library is missing the sentence says which, and what to do", "[readout][niscope]") {
    NiScopeConfig config = config_of();
    config.library = "libnowhere_niscope.so";
    const std::string said = opening(board_of(), config);
    REQUIRE_THAT(said, Contains("board pci5153 (Dev1): library libnowhere_niscope.so cannot be loaded: ") &&
                           Contains("install NI-SCOPE of National Instruments, or say in [board.niscope]"));
    REQUIRE_THROWS_WITH(identify_board(board_of(), config), said);
    config.library = "libm.so.6";
    REQUIRE_THAT(opening(board_of(), config), Contains("library libm.so.6 has no function niScope_init"));
}

TEST_CASE("identifying an NI board leaves it as it was", "[readout][niscope]") {
    const Standin standin;
    const BoardIdentity found = identify_board(board_of(), config_of());
    REQUIRE(found.model == "NI PCI-5153");
    REQUIRE(found.serial == "STANDIN1");
    REQUIRE(found.firmware == "1.0, driver stand-in");
    REQUIRE(found.remarks == std::vector<std::string>{"2 inputs of 8 bit", "41.50 degC"});
    REQUIRE(standin.seen("reset") == 0);
    REQUIRE(std::isnan(standin.seen("ConfigureVertical")));
    REQUIRE(std::isnan(standin.seen("InitiateAcquisition")));
    REQUIRE(standin.seen("close") == 1);
}

TEST_CASE("a fault of one record of an NI board raises its counter and touches no other", "[readout][niscope]") {
    struct Expected {
        std::string words, counter;
        std::uint32_t flag;
        bool served;
    };
    const auto expected =
        GENERATE(Expected{"short=40:60", "unexpected_length", record_flag::unexpected_length, true},
                 Expected{"damaged=40", "damaged_record", 0, false},
                 Expected{"duplicate=40", "duplicate_record", record_flag::duplicate, false},
                 Expected{"nan_time=40", "bad_time", record_flag::bad_time, true},
                 Expected{"zero_time=40", "bad_time", record_flag::bad_time, true},
                 Expected{"absurd_time=40:1e300", "bad_time", record_flag::bad_time, true},
                 Expected{"backwards=40:20000000000", "clock_backwards", record_flag::clock_backwards, true},
                 Expected{"misplaced=40", "misplaced_trigger", 0, true}, Expected{"warning=40", "warnings", 0, true},
                 Expected{"stall=40:5", "", 0, true});
    CAPTURE(expected.words);
    const Standin standin{"triggers=100," + expected.words};
    NiScopeBoard board{board_of(), 0, config_of()};
    const std::vector<testing::ReadRecord> records = take(board, expected.words == "damaged=40" ? 99 : 100);
    std::uint64_t n = 0;
    for (const testing::ReadRecord& record : records) {
        const RecordHeader& header = record.header;
        if (n == 40 && expected.words == "damaged=40") ++n;
        if (n == 40 && expected.words == "duplicate=40") {  // it says it is the one before: number 40 is missing
            REQUIRE(trigger_of(record) == 39);
            REQUIRE(header.counter == 39);
            REQUIRE(header.time_ps == time_of(39));
            REQUIRE(header.flags == record_flag::duplicate);
            ++n;
            continue;
        }
        REQUIRE(trigger_of(record) == n);
        REQUIRE(header.counter == n);
        REQUIRE(header.flags == (n == 40 ? expected.flag : 0));
        REQUIRE(header.samples_per_channel == (n == 40 && expected.words == "short=40:60" ? 60 : kSamples));
        if (n != 40) REQUIRE(header.time_ps == time_of(n));
        if (n == 40 && expected.flag == record_flag::bad_time) REQUIRE(header.time_ps == time_of(39));
        if (n == 40 && expected.flag == record_flag::clock_backwards) {
            REQUIRE(header.time_ps == time_of(40) - 20'000'000'000);
        }
        ++n;
    }
    REQUIRE(n == 100);
    if (expected.counter.empty()) {
        REQUIRE(board.defects().empty());
    } else {
        REQUIRE(board.defects() == std::vector<std::pair<std::string, std::uint64_t>>{{expected.counter, 1}});
    }
}

TEST_CASE("records that an NI board wrote over are counted and leave a hole in the numbers", "[readout][niscope]") {
    // 40 records lost from number 30 on; of the 64 in its memory a quarter, 16, is given up.
    const Standin standin{"memory_records=64,triggers=300,overwritten=30:40"};
    NiScopeBoard board{board_of(), 0, config_of()};
    const std::vector<testing::ReadRecord> records = take(board, 300 - 56);
    REQUIRE(records.size() == 300 - 56);
    for (std::size_t i = 0; i < records.size(); ++i) {
        const std::uint64_t n = i < 30 ? i : i + 56;
        REQUIRE(trigger_of(records[i]) == n);
        REQUIRE(records[i].header.counter == n);
        REQUIRE(records[i].header.time_ps == time_of(n));
        REQUIRE(records[i].header.flags == 0);
    }
    REQUIRE(board.defects() == std::vector<std::pair<std::string, std::uint64_t>>{{"overwritten_records", 56}});
}

TEST_CASE("an NI board that is unplugged, rebooted or stuck comes back by itself", "[readout][niscope]") {
    struct Expected {
        std::string words;
        std::uint64_t lost;  ///< triggers
        std::uint64_t failed_attempts;
    };
    const auto expected = GENERATE(Expected{"error=50:3", 0, 3}, Expected{"reboot=50", 0, 0},
                                   Expected{"silent_reboot=50", 0, 0}, Expected{"stall=50:1000", 1, 0});
    CAPTURE(expected.words);
    const Standin standin{"triggers=120," + expected.words};
    NiScopeBoard board{board_of(), 0, config_of()};
    const std::vector<testing::ReadRecord> records = take(board, 120 - expected.lost);
    REQUIRE(records.size() == 120 - expected.lost);
    for (std::size_t i = 0; i < records.size(); ++i) {
        const RecordHeader& header = records[i].header;
        REQUIRE(trigger_of(records[i]) == (i < 50 ? i : i + expected.lost));
        REQUIRE(header.flags == (i == 50 ? record_flag::clock_restarted : 0));
        if (i == 0) continue;
        // How many ticks went by meanwhile the host's clock says; numbers and times go on by as many.
        const std::uint64_t ticks = header.counter - records[i - 1].header.counter;
        REQUIRE((i == 50 ? ticks >= 1 && ticks < 1000 : ticks == 1));
        REQUIRE(header.time_ps - records[i - 1].header.time_ps == static_cast<std::int64_t>(ticks) * kIntervalPs);
    }
    REQUIRE(testing::defect(board, "disconnects") == 1);
    REQUIRE(testing::defect(board, "reconnects") == 1);
    REQUIRE(testing::defect(board, "failed_attempts") == expected.failed_attempts);
    REQUIRE(testing::defect(board, "numbers_restarted") == (expected.words == "silent_reboot=50" ? 1 : 0));
    REQUIRE(testing::defect(board, "stalls") == (expected.words == "stall=50:1000" ? 1 : 0));
    REQUIRE(standin.seen("init") == 2 + static_cast<double>(expected.failed_attempts));
    REQUIRE(standin.seen("close") == 1);  // the one that was lost
}

TEST_CASE("an NI board without a clock is read, and its numbers go on when it comes back", "[readout][niscope]") {
    std::string no_clock;
    for (int n = 0; n < 20; ++n) no_clock += ",zero_time=" + std::to_string(n);
    const Standin standin{"triggers=20,error=10:0" + no_clock};
    NiScopeBoard board{board_of(), 0, config_of()};
    const std::vector<testing::ReadRecord> records = take(board, 20);
    REQUIRE(records.size() == 20);
    for (std::size_t n = 0; n < records.size(); ++n) {
        REQUIRE(trigger_of(records[n]) == n);
        REQUIRE(records[n].header.counter == n);
        REQUIRE(records[n].header.flags == (record_flag::bad_time | (n == 10 ? record_flag::clock_restarted : 0)));
    }
    REQUIRE(testing::defect(board, "bad_time") == 20);
}

TEST_CASE("another board than the lost one is not taken for it", "[readout][niscope]") {
    const Standin standin{"triggers=20,error=10:0"};
    NiScopeBoard board{board_of(), 0, config_of()};
    REQUIRE(take(board, 10).size() == 10);
    const Standin other{"serial=OTHER"};
    RecordHeader header;
    for (int i = 0; i < kMostIdle && testing::defect(board, "failed_attempts") < 2; ++i) {
        REQUIRE(board.next(header, {}) == RecordSource::Next::idle);
    }
    REQUIRE(testing::defect(board, "failed_attempts") >= 2);
    REQUIRE(testing::defect(board, "reconnects") == 0);
}

TEST_CASE("an NI clock that begins anew with the library's warning is a restart, no step back", "[readout][niscope]") {
    const Standin standin{"triggers=100,rollover=50"};
    NiScopeBoard board{board_of(), 0, config_of()};
    const std::vector<testing::ReadRecord> records = take(board, 100);
    REQUIRE(records.size() == 100);
    for (std::size_t n = 1; n < records.size(); ++n) {
        REQUIRE(trigger_of(records[n]) == n);
        REQUIRE(records[n].header.counter == n);
        REQUIRE(records[n].header.flags == (n == 50 ? record_flag::clock_restarted : 0));
        REQUIRE(records[n].header.time_ps == time_of(n));  // as its numbers went on
    }
    REQUIRE(testing::defect(board, "clock_rollovers") == 1);
    REQUIRE(testing::defect(board, "warnings") == 1);
}

TEST_CASE("the first record of an NI board may be the one without a time", "[readout][niscope]") {
    const std::string fault = GENERATE("nan_time=0", "absurd_time=0:1e300");
    const Standin standin{"triggers=10," + fault};
    NiScopeBoard board{board_of(), 0, config_of()};
    const std::vector<testing::ReadRecord> records = take(board, 10);
    REQUIRE(records.size() == 10);
    REQUIRE(records[0].header.flags == record_flag::bad_time);
    for (std::size_t n = 1; n < records.size(); ++n) {
        REQUIRE(records[n].header.flags == 0);
        REQUIRE(records[n].header.time_ps == time_of(n));
    }
}

TEST_CASE("a first time stamp of an NI board that is three years off costs two records their time",
          "[readout][niscope]") {
    const Standin standin{"triggers=10,absurd_time=0:1e8"};
    NiScopeBoard board{board_of(), 0, config_of()};
    const std::vector<testing::ReadRecord> records = take(board, 10);
    REQUIRE(records.size() == 10);
    REQUIRE(records[0].header.flags == 0);  // nothing says that it is wrong
    REQUIRE(records[1].header.flags == record_flag::bad_time);
    REQUIRE(records[2].header.flags == record_flag::clock_restarted);
    REQUIRE(records[2].header.time_ps > records[1].header.time_ps);
    for (std::size_t n = 3; n < records.size(); ++n) {
        REQUIRE(records[n].header.flags == 0);
        REQUIRE(records[n].header.time_ps - records[n - 1].header.time_ps == kIntervalPs);
    }
}

TEST_CASE("an NI clock that has run for a year costs precision, not the run", "[readout][niscope]") {
    // 3.2e7 s lie between 2^24 and 2^25 s: doubles there are 2^-28 s = 3.7 ns apart.
    const Standin standin{"triggers=100,clock_start_s=3.2e7"};
    NiScopeBoard board{board_of(), 0, config_of()};
    const std::vector<testing::ReadRecord> records = take(board, 100);
    REQUIRE(records.size() == 100);
    for (std::size_t n = 0; n < records.size(); ++n) {
        REQUIRE(std::abs(records[n].header.time_ps - records[0].header.time_ps -
                         static_cast<std::int64_t>(n) * kIntervalPs) <= 7600);  // two stamps and the stand-in's sums
        REQUIRE(records[n].header.flags == 0);
    }
}

TEST_CASE("an acquisition of an NI board that is over is followed by the next", "[readout][niscope]") {
    const Standin standin{"triggers=100"};
    NiScopeConfig config = config_of();
    config.records = 30;
    NiScopeBoard board{board_of(), 0, config};
    const std::vector<testing::ReadRecord> records = take(board, 100);
    REQUIRE(records.size() == 100);
    for (std::size_t n = 0; n < records.size(); ++n) {
        REQUIRE(trigger_of(records[n]) == n);
        REQUIRE(records[n].header.counter == n);
        REQUIRE(records[n].header.time_ps == time_of(n));
        REQUIRE(records[n].header.flags == 0);
    }
    REQUIRE(board.defects() == std::vector<std::pair<std::string, std::uint64_t>>{{"acquisitions_ended", 3}});
}

TEST_CASE("an NI board with every fault at once neither hangs nor lies", "[readout][niscope]") {
    const Standin standin{
        "memory_records=64,triggers=2000,coerce_record_length=72,warn=niScope_init,short=100:3,damaged=101,"
        "duplicate=103,nan_time=104,absurd_time=105:1e300,backwards=107:1e12,warning=108,overwritten=200:100,error=500:"
        "2,"
        "stall=600:25,silent_reboot=700,error=701:1,reboot=702,zero_time=703,rollover=800,short=801:0,misplaced=802,"
        "overwritten=900:1,error=1900:0"};
    NiScopeConfig config = config_of();
    config.records = 333;
    NiScopeBoard board{board_of(), 0, config};
    std::int64_t last = -1;
    std::uint64_t last_counter = 0;
    for (int idle = 0; idle < kMostIdle && last < 1999;) {
        const std::vector<testing::ReadRecord> one = take(board, 1);
        if (one.empty()) break;
        if (one[0].header.samples_per_channel < 4) continue;
        const auto n = static_cast<std::int64_t>(trigger_of(one[0]));
        const bool repeated = (one[0].header.flags & record_flag::duplicate) != 0;
        REQUIRE((n > last || (repeated && n == last)));
        REQUIRE((one[0].header.counter > last_counter || last == -1 || repeated));
        last = n;
        last_counter = one[0].header.counter;
    }
    REQUIRE(last == 1999);
    REQUIRE(testing::defect(board, "damaged_record") == 2);  // one of them without a sample
    // The first acquisition ended with record 332, so the board wrote over no more than 200 to 299.
    REQUIRE(testing::defect(board, "overwritten_records") == 100 + 1 + 16);
    REQUIRE(testing::defect(board, "disconnects") == 6);
    REQUIRE(testing::defect(board, "reconnects") == 6);
    REQUIRE(testing::defect(board, "bad_time") == 3);
    board.finish();
}

TEST_CASE("an NI board that takes long to open holds up neither next() nor the end of the run", "[readout][niscope]") {
    const bool in_time = GENERATE(true, false);
    const Standin standin{"triggers=20,error=10:0,hold_init=2"};
    NiScopeBoard board{board_of(), 0, config_of()};
    REQUIRE(take(board, 10).size() == 10);
    // The library does not return from niScope_init before it is let go.
    RecordHeader header;
    REQUIRE(board.next(header, {}) == RecordSource::Next::idle);
    REQUIRE(board.next(header, {}) == RecordSource::Next::idle);
    if (!in_time) board.finish();
    standin.release_init();
    if (in_time) REQUIRE(take(board, 10).size() == 10);
}

TEST_CASE("an NI board that is away ends at once when asked to", "[readout][niscope]") {
    const Standin standin{"error=10:1000000"};
    NiScopeBoard board{board_of(), 0, config_of()};
    REQUIRE(take(board, 10).size() == 10);
    RecordHeader header;
    REQUIRE(board.next(header, {}) == RecordSource::Next::idle);
    std::stop_source stop;
    stop.request_stop();
    REQUIRE(board.next(header, stop.get_token()) == RecordSource::Next::idle);
    board.finish();
}

TEST_CASE("an NI board needs a name, a range and a pre-trigger, the rest has defaults", "[readout][niscope][config]") {
    const Parsed parsed = parse(kLeast);
    REQUIRE(parsed.problems.empty());
    REQUIRE(parsed.config.library == "libniscope.so");
    REQUIRE(parsed.config.inputs.size() == 2);
    REQUIRE(parsed.config.inputs[1].number == 1);
    REQUIRE(parsed.config.inputs[1].range_v == 0.5);
    REQUIRE(parsed.config.inputs[1].impedance_ohm == 50);
    REQUIRE(parsed.config.trigger == NiScopeTrigger::digital);
    REQUIRE(parsed.config.trigger_source == "VAL_PFI_1");
    REQUIRE(parse("").problems ==
            std::vector<std::string>{
                "f:9:1: board.niscope.resource: is missing: a text in quotes",
                "f:9:1: board.niscope.range_v: is missing: a list of volts, peak to peak",
                "f:9:1: board.niscope.pre_trigger_samples: is missing: an integer from 0 to 16777216"});
}

TEST_CASE("inputs of an NI board are set together or one by one", "[readout][niscope][config]") {
    const Parsed parsed = parse(
        "resource = \"Dev2\"\nrange_v = [0.2, 2]\noffset_v = [-0.1, 0.3]\ncoupling = [\"dc\", \"ac\"]\n"
        "probe_attenuation = [10]\nimpedance_ohm = [50, 1000000]\nmax_frequency_hz = [0, 2e7]\n"
        "pre_trigger_samples = 785\ntrigger = \"edge\"\ntrigger_level_v = 0.5\n"
        "trigger_coupling = \"lf_reject\"\ntrigger_slope = \"negative\"\n");
    REQUIRE(parsed.problems.empty());
    REQUIRE(parsed.config.inputs[0].range_v == 0.2);
    REQUIRE(parsed.config.inputs[1].range_v == 2);
    REQUIRE(parsed.config.inputs[1].offset_v == 0.3);
    REQUIRE(parsed.config.inputs[0].coupling == 1);
    REQUIRE(parsed.config.inputs[1].coupling == 0);
    REQUIRE(parsed.config.inputs[1].probe_attenuation == 10);
    REQUIRE(parsed.config.inputs[1].impedance_ohm == 1e6);
    REQUIRE(parsed.config.inputs[1].max_frequency_hz == 2e7);
    REQUIRE(parsed.config.trigger_source == "VAL_EXTERNAL");
    REQUIRE(parsed.config.trigger_coupling == 4);
    REQUIRE(parsed.config.trigger_slope == 0);
}

TEST_CASE("each mistake about an NI board is told where it stands", "[readout][niscope][config]") {
    const auto only = [](const Parsed& parsed) {
        CAPTURE(parsed.problems);
        REQUIRE(parsed.problems.size() == 1);
        return parsed.problems.front();
    };
    REQUIRE(
        only(parse(kLeast + "inputs = [1, 0]\n")) ==
        "f:13:10: board.niscope.inputs: names input 0 after 1: they have to ascend, put the channels in this order");
    REQUIRE(only(parse(kLeast + "inputs = [1]\n")) ==
            "f:13:10: board.niscope.inputs: has 1 numbers for the 2 channels of this board");
    REQUIRE(only(parse(kLeast + "offset_v = [1, 2, 3]\n")) ==
            "f:13:12: board.niscope.offset_v: has 3 values: one for all or one for each of the 2 channels");
    REQUIRE(only(parse("resource = \"a\"\nrange_v = [1]\npre_trigger_samples = 1001\n")) ==
            "f:12:23: board.niscope.pre_trigger_samples: 1001 are more than the record's 1000");
    REQUIRE(only(parse(kLeast + "coupling = \"gnd\"\n")) ==
            "f:13:12: board.niscope.coupling: 'gnd' is not one of dc, ac");
    REQUIRE(only(parse(kLeast + "trigger = \"edge\"\n")) ==
            "f:9:1: board.niscope.trigger_level_v: is missing: a number from -1000 to 1000");
    REQUIRE(only(parse(kLeast + "trigger_level_v = 1\n")) ==
            "f:13:19: board.niscope.trigger_level_v: belongs to trigger = \"edge\": a digital trigger has none");
    REQUIRE(only(parse(kLeast + "fetch_timeout_ms = 101\n")) ==
            "f:13:20: board.niscope.fetch_timeout_ms: 101 is outside [1, 100]");
    REQUIRE(only(parse(kLeast + "range = [1]\n")) == "f:13:1: board.niscope.range: unknown key");
    REQUIRE(only(parse(kLeast, "sample_type = \"int16\"\nsamples = 1000\n")) ==
            "f:10:1: board.niscope: the board delivers int8 samples, sample_type says int16");
    REQUIRE(only(parse(kLeast, "samples = 0\n")) ==
            "f:9:1: board.niscope: records have one length: samples must not be 0");
}
