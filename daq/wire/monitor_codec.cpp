#include "daq/wire/monitor_codec.hpp"

#include <string>
#include <variant>
#include <vector>

#include "daq/wire/convert.hpp"

namespace alleycat {

using wire::from_proto;
using wire::to_proto;

// ---- out

struct MonitorEncoder::Impl {
    v1::MonitorMessage message;
    std::string bytes;

    v1::MonitorMessage& start(MonitorMessageId id) {
        message.Clear();
        message.set_publisher(id.publisher);
        message.set_number(id.number);
        return message;
    }
    std::span<const std::byte> finish() {
        message.SerializeToString(&bytes);
        return std::as_bytes(std::span{bytes});
    }
};

MonitorEncoder::MonitorEncoder() : impl_{std::make_unique<Impl>()} {}
MonitorEncoder::~MonitorEncoder() = default;
MonitorEncoder::MonitorEncoder(MonitorEncoder&&) noexcept = default;

std::span<const std::byte> MonitorEncoder::encode(MonitorMessageId id, const RunDescription& run, bool repeat) {
    v1::Run& body = *impl_->start(id).mutable_run();
    to_proto(run, body);
    body.set_repeat(repeat);
    return impl_->finish();
}
std::span<const std::byte> MonitorEncoder::encode(MonitorMessageId id, const Event& event) {
    to_proto(event, *impl_->start(id).mutable_event());
    return impl_->finish();
}
std::span<const std::byte> MonitorEncoder::encode(MonitorMessageId id, std::span<const BeamResolution> resolutions) {
    to_proto(resolutions, *impl_->start(id).mutable_beam());
    return impl_->finish();
}
std::span<const std::byte> MonitorEncoder::encode(MonitorMessageId id, std::span<const TickRecord> ticks) {
    to_proto(ticks, *impl_->start(id).mutable_ticks());
    return impl_->finish();
}
std::span<const std::byte> MonitorEncoder::encode(MonitorMessageId id, const DeadTime& interval) {
    to_proto(interval, *impl_->start(id).mutable_dead_time());
    return impl_->finish();
}
std::span<const std::byte> MonitorEncoder::encode(MonitorMessageId id, const Calibration& calibration) {
    to_proto(calibration, *impl_->start(id).mutable_calibration());
    return impl_->finish();
}
std::span<const std::byte> MonitorEncoder::encode(MonitorMessageId id, const Waveform& waveform) {
    to_proto(waveform, *impl_->start(id).mutable_waveform());
    return impl_->finish();
}
std::span<const std::byte> MonitorEncoder::encode(MonitorMessageId id, const Status& status) {
    to_proto(status, *impl_->start(id).mutable_status());
    return impl_->finish();
}
std::span<const std::byte> MonitorEncoder::encode(MonitorMessageId id, const Alarm& alarm) {
    to_proto(alarm, *impl_->start(id).mutable_alarm());
    return impl_->finish();
}

// ---- in

namespace {

struct UnknownKind {};
using Body = std::variant<UnknownKind, RunDescription, Event, std::vector<BeamResolution>, std::vector<TickRecord>,
                          DeadTime, Calibration, Waveform, Status, Alarm>;

struct Deliver {
    EventSink& sink;
    void operator()(const UnknownKind&) const {}
    void operator()(const RunDescription& run) const { sink.on_run(run); }
    void operator()(const Event& event) const { sink.on_event(event); }
    void operator()(const std::vector<BeamResolution>& resolutions) const {
        for (const BeamResolution& resolution : resolutions) sink.on_beam(resolution);
    }
    void operator()(const std::vector<TickRecord>& ticks) const { sink.on_ticks(ticks); }
    void operator()(const DeadTime& interval) const { sink.on_dead_time(interval); }
    void operator()(const Calibration& calibration) const { sink.on_calibration(calibration); }
    void operator()(const Waveform& waveform) const { sink.on_waveform(waveform); }
    void operator()(const Status& status) const { sink.on_status(status); }
    void operator()(const Alarm& alarm) const { sink.on_alarm(alarm); }
};

}  // namespace

struct MonitorDecoder::Impl {
    google::protobuf::LogSilencer quiet;  // damaged messages are counted, not printed by Protobuf
    v1::MonitorMessage message;
    MonitorMessageId id;
    bool repeat = false;
    Body body;

    /// Converts a body that is set; counts the bodies.
    template <class T, class Message>
    bool take(bool is_set, const Message& from, int& bodies) {
        if (!is_set) return true;
        ++bodies;
        if (!std::holds_alternative<T>(body)) body.emplace<T>();
        return from_proto(from, std::get<T>(body));
    }
    bool take_body() {
        const v1::MonitorMessage& m = message;
        int bodies = 0;
        const bool good =
            take<RunDescription>(m.has_run(), m.run(), bodies) && take<Event>(m.has_event(), m.event(), bodies) &&
            take<std::vector<BeamResolution>>(m.has_beam(), m.beam(), bodies) &&
            take<std::vector<TickRecord>>(m.has_ticks(), m.ticks(), bodies) &&
            take<DeadTime>(m.has_dead_time(), m.dead_time(), bodies) &&
            take<Calibration>(m.has_calibration(), m.calibration(), bodies) &&
            take<Waveform>(m.has_waveform(), m.waveform(), bodies) &&
            take<Status>(m.has_status(), m.status(), bodies) && take<Alarm>(m.has_alarm(), m.alarm(), bodies);
        if (bodies == 0) body = UnknownKind{};
        return good && bodies <= 1;
    }
};

MonitorDecoder::MonitorDecoder() : impl_{std::make_unique<Impl>()} {}
MonitorDecoder::~MonitorDecoder() = default;
MonitorDecoder::MonitorDecoder(MonitorDecoder&&) noexcept = default;

bool MonitorDecoder::read(std::span<const std::byte> body) {
    v1::MonitorMessage& message = impl_->message;
    const bool good = body.size() <= (1u << 30) && message.ParseFromArray(body.data(), static_cast<int>(body.size())) &&
                      message.publisher() != 0 && message.number() != 0 && impl_->take_body();
    impl_->id = good ? MonitorMessageId{message.publisher(), message.number()} : MonitorMessageId{};
    impl_->repeat = good && message.has_run() && message.run().repeat();
    if (!good) impl_->body = UnknownKind{};
    return good;
}

MonitorMessageId MonitorDecoder::id() const noexcept { return impl_->id; }
bool MonitorDecoder::is_repeat() const noexcept { return impl_->repeat; }
void MonitorDecoder::deliver(EventSink& sink) const { std::visit(Deliver{sink}, impl_->body); }

}  // namespace alleycat
