#include <catch2/catch.hpp>

#include <algorithm>
#include <atomic>
#include <map>
#include <thread>

#include "daq/core/error.hpp"
#include "readout/asio.hpp"
#include "readout/boards.hpp"
#include "readout/fcio_file.hpp"
#include "tests/readout/read_all.hpp"
#include "tools/emulator/fcio_emulator.hpp"

using namespace alleycat;
using namespace alleycat::testing;

namespace {

BoardInfo board_of(std::size_t channels, std::uint32_t samples = 0) {
    BoardInfo board{.name = "flashcam",
                    .source = "fcio",
                    .model = "",
                    .serial = "",
                    .firmware = "",
                    .sample_type = SampleType::uint16,
                    .sample_period_ps = 16000,
                    .samples = samples,
                    .clock_period_ps = 4000,
                    .channels = {}};
    for (std::size_t c = 0; c < channels; ++c) board.channels.push_back({.name = "ge" + std::to_string(c)});
    return board;
}

/// Records 1 ms apart whose samples say which one they are.
class NumberedRecords final : public RecordSource {
  public:
    explicit NumberedRecords(std::uint64_t records) : records_{records} {}
    [[nodiscard]] const BoardInfo& board() const noexcept override { return board_; }
    [[nodiscard]] Next next(RecordHeader& header, std::stop_token) override {
        if (next_ == records_) return Next::end;
        header = {.counter = next_,
                  .time_ps = static_cast<std::int64_t>(next_ + 1) * 1'000'000'000,
                  .channel_mask = 3,
                  .samples_per_channel = 5,
                  .channels = 2,
                  .sample_type = SampleType::uint16};
        ++next_;
        return Next::record;
    }
    void fill(std::span<std::byte> payload) override {
        for (std::size_t i = 0; i < 10; ++i) {
            const auto code = static_cast<std::uint16_t>(10 * (next_ - 1) + i);
            std::memcpy(payload.data() + 2 * i, &code, 2);
        }
    }

  private:
    BoardInfo board_ = board_of(2, 5);
    std::uint64_t records_, next_ = 0;
};

/// What a board reads from an emulator until this has nothing left to serve.
struct Served {
    std::vector<ReadRecord> records;
    std::map<std::string, std::uint64_t> defects;
    std::map<std::string, std::uint64_t> struck;
    std::vector<BoardReading> readings, readings_when_away;
};
Served serve(std::unique_ptr<RecordSource> source, const BoardInfo& board, std::string_view faults = "",
             std::uint64_t seed = 1) {
    EmulatorConfig config;
    config.faults = FaultPlan::parse(faults, seed);
    const std::unique_ptr<Emulator> emulator = make_fcio_emulator(std::move(source), config);
    std::atomic<bool> ended = false;
    std::jthread server{[&](std::stop_token stop) {
        emulator->serve(stop);
        ended = true;
    }};
    Served served;
    {
        const std::unique_ptr<RecordSource> driver =
            open_board(board, 0, FcioConfig{.host = "127.0.0.1", .port = emulator->port()});
        RecordHeader header;
        for (int idle_after_end = 0; idle_after_end < 3;) {
            const bool was_ended = ended;
            switch (driver->next(header, {})) {
                case RecordSource::Next::record:
                    served.records.push_back({header, std::vector<std::byte>(payload_bytes(header), std::byte{0xEE})});
                    driver->fill(served.records.back().payload);
                    break;
                case RecordSource::Next::idle: idle_after_end += was_ended ? 1 : 0; break;
                case RecordSource::Next::end: FAIL("a board has no end");
            }
            if (std::vector<BoardReading> told = driver->readings(); !told.empty()) served.readings = std::move(told);
        }
        for (const auto& [name, n] : driver->defects()) served.defects[name] = n;
        served.readings_when_away = driver->readings();
    }
    server.join();
    for (const auto& [name, n] : emulator->counts()) served.struck[name] = n;
    return served;
}

/// Number of a record of NumberedRecords; nullopt: its samples are not whole.
std::optional<std::uint64_t> number_of(const ReadRecord& record) {
    const std::vector<std::uint16_t> first = record.channel<std::uint16_t>(0),
                                     second = record.channel<std::uint16_t>(1);
    for (std::size_t i = 0; i < 5; ++i) {
        if (first[i] != first[0] + i || second[i] != first[0] + 5 + i) return std::nullopt;
    }
    return first[0] / 10;
}
std::vector<std::uint64_t> numbers_of(const Served& served) {
    std::vector<std::uint64_t> numbers;
    for (const ReadRecord& one : served.records) {
        REQUIRE(one.header.channel_mask == 3);
        REQUIRE(number_of(one));
        numbers.push_back(*number_of(one));
    }
    return numbers;
}

}  // namespace

TEST_CASE("a recorded FlashCam stream served by the emulator arrives unchanged", "[readout][fcio][real]") {
    const fs::path file = real_file("fcio/th228.fcio");
    if (file.empty()) return;
    FcioFileSource recorded{{file}, board_of(1), 0, {}};
    const std::vector<ReadRecord> expected = read_all(recorded);
    const Served served = serve(
        std::make_unique<FcioFileSource>(std::vector{file}, board_of(1), 0, std::vector<std::uint16_t>{}), board_of(1));
    REQUIRE(served.records.size() == 1000);
    for (std::size_t i = 0; i < expected.size(); ++i) {
        RecordHeader header = served.records[i].header;
        CHECK(header.utc_ns != 0);
        header.utc_ns = expected[i].header.utc_ns;  // when it came here, not when it was recorded
        REQUIRE(header == expected[i].header);
        REQUIRE(served.records[i].payload == expected[i].payload);
    }
    CHECK(served.struck.at("events_served") == 1000);
    CHECK(served.defects == std::map<std::string, std::uint64_t>{{"connection_lost", 1}});  // when all was served
    // A status came with the first event: its card's temperature is between 38 and 40 degrees.
    CHECK(served.readings_when_away.empty());  // an old temperature is not told as one of now
    REQUIRE(served.readings.size() == 2);
    CHECK(served.readings[1].name == "card0_temperature");
    CHECK(served.readings[1].unit == "degC");
    CHECK(served.readings[1].value >= 38);
    CHECK(served.readings[1].value < 40);
}

TEST_CASE("each fault of a FlashCam stream has its counter, other events are untouched", "[readout][fcio][unit]") {
    constexpr std::uint64_t kRecords = 2000;
    const auto with = [&](std::string_view faults) {
        return serve(std::make_unique<NumberedRecords>(kRecords), board_of(2), faults);
    };
    SECTION("lost") {
        const Served served = with("lost=0.01");
        const std::vector<std::uint64_t> numbers = numbers_of(served);
        REQUIRE(served.struck.at("lost") > 0);
        CHECK(numbers.size() == kRecords - served.struck.at("lost"));
        CHECK(std::is_sorted(numbers.begin(), numbers.end()));
        // The board's own number tells which one is missing; of several in a row, and of the last, there is one gap or
        // none.
        CHECK(served.defects.at("number_gap") > 0);
        CHECK(served.defects.at("number_gap") <= served.struck.at("lost"));
        for (const ReadRecord& one : served.records) REQUIRE(one.header.counter == number_of(one));
    }
    SECTION("repeated") {
        const Served served = with("repeated=0.01");
        CHECK(served.records.size() == kRecords + served.struck.at("repeated"));
        CHECK(served.defects.at("duplicate_record") == served.struck.at("repeated"));
    }
    SECTION("reordered") {
        const Served served = with("reordered=0.01");
        CHECK(numbers_of(served).size() == kRecords);
        CHECK(served.defects.at("clock_backwards") > 0);
        CHECK(served.defects.at("clock_backwards") <= served.struck.at("reordered"));
    }
    SECTION("wrong numbers") {
        const Served served = with("wrong_counter=0.01");
        CHECK(numbers_of(served).size() == kRecords);
        CHECK(served.defects.at("counter_backwards") > 0);
    }
    SECTION("without traces") {
        const Served served = with("short_reply=0.01");
        CHECK(numbers_of(served).size() == kRecords - served.struck.at("short_reply"));
        CHECK(served.defects.at("short_message") == served.struck.at("short_reply"));
    }
    SECTION("a clock that jumps") {
        const Served served = with("clock_change=0.001");
        CHECK(numbers_of(served).size() == kRecords);
        const std::int64_t jumps = static_cast<std::int64_t>(served.struck.at("clock_change"));
        CHECK(served.records.back().header.time_ps == (std::int64_t{kRecords} + 10'000 * jumps) * 1'000'000'000);
    }
}

TEST_CASE("a FlashCam that comes back is read on by itself", "[readout][fcio][unit]") {
    constexpr std::uint64_t kRecords = 3000;
    for (const char* fault : {"reboot", "garbage"}) {
        INFO(fault);
        const Served served =
            serve(std::make_unique<NumberedRecords>(kRecords), board_of(2), std::string{fault} + "=0.001", 3);
        REQUIRE(served.struck.at(fault) > 0);
        REQUIRE(served.struck.at(fault) < 10);
        const std::vector<std::uint64_t> numbers = numbers_of(served);
        CHECK(std::is_sorted(numbers.begin(), numbers.end()));
        CHECK(served.defects.at("reconnected") == served.struck.at(fault));
        CHECK(served.defects.at("connection_lost") == served.struck.at(fault) + 1);  // and the end
        std::uint64_t restarts = 0;
        for (const ReadRecord& one : served.records)
            restarts += (one.header.flags & record_flag::clock_restarted) != 0 ? 1 : 0;
        CHECK(restarts == served.struck.at(fault));
        if (fault == std::string_view{"garbage"}) {
            CHECK(served.defects.at("stream_lost") == served.struck.at(fault));
            // The event in whose place the garbage came is gone, nothing else is.
            CHECK(numbers.size() == kRecords - served.struck.at(fault));
        } else {
            CHECK(numbers.size() == kRecords);
            CHECK(served.records.back().header.counter < kRecords - 1);  // it counted anew
        }
    }
}

TEST_CASE("a FlashCam says who it is, or why it cannot be read", "[readout][fcio][error]") {
    const std::unique_ptr<Emulator> emulator = make_fcio_emulator(std::make_unique<NumberedRecords>(10), {});
    const FcioConfig config{.host = "127.0.0.1", .port = emulator->port()};
    {
        std::jthread server{[&](std::stop_token stop) { emulator->serve(stop); }};
        const BoardIdentity identity = identify_board(board_of(2), config);
        CHECK(identity.model == "FlashCam");
        CHECK(identity.firmware == "FlashCamV1");
        REQUIRE(identity.remarks.size() == 1);
        CHECK(identity.remarks[0] ==
              "2 ADC and 0 trigger traces of 5 samples, 16 bit, on 1 ADC cards; its clock runs free");
    }
    const std::unique_ptr<Emulator> another = make_fcio_emulator(std::make_unique<NumberedRecords>(10), {});
    std::jthread server{[&](std::stop_token stop) { another->serve(stop); }};
    const FcioConfig wrong_trace{.host = "127.0.0.1", .port = another->port(), .traces = {7, 8}};
    CHECK_THROWS_WITH(open_board(board_of(2), 0, wrong_trace),
                      Catch::Contains("board flashcam: the stream has 2 traces, channel ge0 is to be number 7"));
}

TEST_CASE("what is no FlashCam is refused by name and address", "[readout][fcio][error]") {
    using boost::asio::ip::tcp;
    boost::asio::io_context io;
    tcp::acceptor acceptor{io, tcp::endpoint{boost::asio::ip::address_v4::loopback(), 0}};
    const FcioConfig config{.host = "127.0.0.1", .port = acceptor.local_endpoint().port()};
    {
        std::jthread server{[&] {
            tcp::socket client = acceptor.accept();
            boost::asio::write(client, boost::asio::buffer(std::string{"SSH-2.0-OpenSSH_9.2\r\n"}));
        }};
        CHECK_THROWS_WITH(
            open_board(board_of(2), 0, config),
            Catch::Contains("board flashcam (127.0.0.1:" + std::to_string(config.port) + "): is no FlashCam"));
    }
    acceptor.close();
    CHECK_THROWS_WITH(open_board(board_of(2), 0, config), Catch::Contains("Connection refused"));
}
