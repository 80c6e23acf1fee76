#include "daq/wire/monitor_codec.hpp"

#include <catch2/catch.hpp>
#include <random>
#include <string>
#include <vector>

#include "proto/monitor.pb.h"
#include "samples.hpp"

using namespace alleycat;
using namespace alleycat::test;

namespace {

constexpr MonitorMessageId kId{0xFEDCBA9876543210u, 18446744073709551615u};

std::vector<std::byte> bytes_of(const v1::MonitorMessage& message) {
    const std::string text = message.SerializeAsString();
    const auto bytes = std::as_bytes(std::span{text});
    return {bytes.begin(), bytes.end()};
}

v1::MonitorMessage numbered() {
    v1::MonitorMessage message;
    message.set_number(1);
    message.set_publisher(2);
    return message;
}

/// What arrives of a message that was sent.
LastSink received(std::span<const std::byte> body) {
    MonitorDecoder decoder;
    LastSink sink;
    REQUIRE(decoder.read(body));
    REQUIRE(decoder.id() == kId);
    decoder.deliver(sink);
    return sink;
}

}  // namespace

TEST_CASE("every monitor message arrives as it was sent, NaN and extreme integers included", "[wire][unit]") {
    MonitorEncoder encoder;
    CHECK(received(encoder.encode(kId, sample_run(), false)).run == sample_run());
    CHECK(identical(received(encoder.encode(kId, sample_event())).event, sample_event()));
    CHECK(received(encoder.encode(kId, sample_event())).event.utc_ns == kHigh);
    CHECK(received(encoder.encode(kId, sample_waveform())).waveform == sample_waveform());
    CHECK(received(encoder.encode(kId, sample_status())).status == sample_status());
    CHECK(received(encoder.encode(kId, sample_alarm())).alarm == sample_alarm());
    CHECK(received(encoder.encode(kId, sample_dead_time())).dead_time == sample_dead_time());
    const Calibration calibration{kBig, 0.1, 0.2, 0.3, kBig, 12, CalibrationOrigin::kept, 255};
    CHECK(received(encoder.encode(kId, calibration)).calibration == calibration);
    const std::vector<BeamResolution> beams{{kBig, 1.5e6f, BeamState::on},
                                            {1, -1, BeamState::unknown},
                                            {2, 0, BeamState::off},
                                            {3, 0, BeamState::no_beam_cycle}};
    CHECK(received(encoder.encode(kId, std::span{beams})).beams == beams);
    const std::vector<TickRecord> ticks{{kBig, kLow, kHigh, trigger_flag::of_ticks, 1.5e6f, BeamState::on, {}},
                                        {0, kHigh, kLow, 0, -1, BeamState::unknown, {}}};
    CHECK(received(encoder.encode(kId, std::span{ticks})).ticks == ticks);
}

TEST_CASE("the bits of a NaN survive the wire", "[wire][unit]") {
    Event event = sample_event();
    const auto odd_nan = std::bit_cast<double>(std::uint64_t{0xFFF8000000ABCDEF});
    event.window[0].value[3] = odd_nan;
    MonitorEncoder encoder;
    CHECK(bits(received(encoder.encode(kId, event)).event.window[0].value[3]) == "fff8000000abcdef");
    CHECK(bits(received(encoder.encode(kId, event)).event.baseline_mean_adc) == "8000000000000000");
}

TEST_CASE("a default message of every kind arrives as it was sent", "[wire][unit]") {
    MonitorEncoder encoder;
    CHECK(received(encoder.encode(kId, RunDescription{}, false)).run == RunDescription{});
    CHECK(identical(received(encoder.encode(kId, Event{})).event, Event{}));
    CHECK(received(encoder.encode(kId, Waveform{})).waveform == Waveform{});
    CHECK(received(encoder.encode(kId, Status{})).status == Status{});
    CHECK(received(encoder.encode(kId, Alarm{})).alarm == Alarm{});
    CHECK(received(encoder.encode(kId, DeadTime{})).dead_time == DeadTime{});
    CHECK(received(encoder.encode(kId, Calibration{})).calibration == Calibration{});
}

TEST_CASE("an encoder that is used again leaves nothing of the message before", "[wire][unit]") {
    MonitorEncoder encoder;
    (void)encoder.encode(kId, sample_run(), true);
    (void)encoder.encode(kId, sample_status());
    (void)encoder.encode(kId, sample_event());
    Event small;
    small.sequence = 3;
    small.window_count = 1;
    small.feature_count = 1;
    small.window[0].value[0] = 5;
    const LastSink sink = received(encoder.encode(kId, small));
    CHECK(identical(sink.event, small));
    CHECK(sink.calls == 1);
}

TEST_CASE("text that is not UTF-8 arrives with question marks and does not spoil the message", "[wire][unit]") {
    Alarm alarm = sample_alarm();
    // a lone continuation byte, an overlong slash, a surrogate, a cut sequence; then a whole two-byte character
    alarm.text =
        "a\x80"
        "b\xC0\xAF"
        "c\xED\xA0\x80"
        "d\xC2\xB5"
        "e\xE2\x82";
    MonitorEncoder encoder;
    CHECK(received(encoder.encode(kId, alarm)).alarm.text ==
          "a?b??c???d\xC2\xB5"
          "e??");
}

TEST_CASE("a field from a newer program is ignored", "[wire][unit]") {
    MonitorEncoder encoder;
    const auto known = encoder.encode(kId, sample_event());
    std::string body{reinterpret_cast<const char*>(known.data()), known.size()};
    body += std::string("\xC2\x3E", 2) + std::string(
                                             "\x03"
                                             "new",
                                             4);  // field 1000, three bytes
    const LastSink sink = received(std::as_bytes(std::span{body}));
    CHECK(identical(sink.event, sample_event()));
}

TEST_CASE("a message of a kind that is not known counts but delivers nothing", "[wire][unit]") {
    const std::vector<std::byte> body = bytes_of(numbered());
    MonitorDecoder decoder;
    LastSink sink;
    REQUIRE(decoder.read(body));
    CHECK(decoder.id() == MonitorMessageId{2, 1});
    decoder.deliver(sink);
    CHECK(sink.calls == 0);
}

TEST_CASE("what a daemon never sends is refused", "[wire][hostile]") {
    MonitorDecoder decoder;
    v1::MonitorMessage message = numbered();
    const auto accepted = [&] { return decoder.read(bytes_of(message)); };

    SECTION("no number") { message.set_number(0); }
    SECTION("no publisher") { message.set_publisher(0); }
    SECTION("two bodies") {
        message.mutable_alarm();
        message.mutable_calibration();
    }
    SECTION("more windows than there can be") {
        for (std::size_t i = 0; i <= kMaxWindows; ++i) message.mutable_event()->add_windows();
    }
    SECTION("more features than there can be") {
        message.mutable_event()->set_feature_count(kMaxFeatures + 1);
        for (std::size_t i = 0; i <= kMaxFeatures; ++i) {
            if (i == 0) message.mutable_event()->add_windows();
            message.mutable_event()->mutable_windows(0)->add_value(1);
        }
    }
    SECTION("values that are not as many as features") {
        message.mutable_event()->set_feature_count(2);
        message.mutable_event()->add_windows()->add_value(1);
    }
    SECTION("a trigger class that is none") {
        message.mutable_event()->set_trigger_class(static_cast<v1::TriggerClass>(5));
    }
    SECTION("a beam state that is none") {
        message.mutable_beam()->add_resolutions()->set_state(static_cast<v1::BeamState>(-2));
    }
    SECTION("a run state that is none") { message.mutable_status()->set_state(static_cast<v1::RunState>(4)); }
    SECTION("an alarm level that is none") { message.mutable_alarm()->set_level(static_cast<v1::AlarmLevel>(-1)); }
    SECTION("a refusal for no known reason") {
        message.mutable_dead_time()->set_reason(static_cast<v1::RefusalReason>(4));
    }
    SECTION("a dead time that ends before it begins") { message.mutable_dead_time()->set_first_sequence(1); }
    SECTION("a sample type that is none") {
        message.mutable_run()->add_boards()->set_sample_type(static_cast<v1::SampleType>(9));
    }
    SECTION("too many boards") {
        for (std::size_t i = 0; i <= kMaxBoards; ++i) message.mutable_run()->add_boards();
    }
    SECTION("too many channels") {
        message.mutable_run()->add_boards();
        for (std::size_t i = 0; i <= kMaxChannels; ++i) message.mutable_run()->mutable_boards(0)->add_channels();
    }
    SECTION("too many cuts") {
        for (std::size_t i = 0; i <= kMaxCuts; ++i) message.mutable_run()->add_cuts();
    }
    SECTION("a channel number beyond 16 bits") { message.mutable_run()->mutable_signal()->set_channel(65536); }
    SECTION("a peak outside its trace") {
        message.mutable_waveform()->add_channels()->add_codes(1);
        message.mutable_waveform()->add_peaks()->set_end(2);
    }
    CHECK_FALSE(accepted());
    LastSink sink;
    decoder.deliver(sink);
    CHECK(sink.calls == 0);
}

TEST_CASE("no damaged message crashes the decoder or yields more windows than there are", "[wire][hostile]") {
    MonitorEncoder encoder;
    std::vector<std::vector<std::byte>> bodies;
    const auto keep = [&](std::span<const std::byte> body) { bodies.emplace_back(body.begin(), body.end()); };
    keep(encoder.encode(kId, sample_run(), false));
    keep(encoder.encode(kId, sample_event()));
    keep(encoder.encode(kId, sample_status()));
    keep(encoder.encode(kId, sample_waveform()));
    keep(encoder.encode(kId, sample_dead_time()));
    keep(encoder.encode(kId, sample_alarm()));

    std::mt19937_64 random{20150625};
    MonitorDecoder decoder;
    LastSink sink;
    int refused = 0;
    for (int i = 0; i < 30'000; ++i) {
        std::vector<std::byte> body = bodies[random() % bodies.size()];
        const std::size_t changes = 1 + random() % 4;
        for (std::size_t c = 0; c < changes; ++c) body[random() % body.size()] = static_cast<std::byte>(random());
        if (random() % 4 == 0) body.resize(random() % body.size());
        if (decoder.read(body)) {
            decoder.deliver(sink);
        } else {
            ++refused;
        }
        REQUIRE(sink.event.window_count <= kMaxWindows);
        REQUIRE(sink.event.feature_count <= kMaxFeatures);
        REQUIRE(sink.run.features.size() <= kMaxFeatures);
    }
    CHECK(refused > 1000);
}
