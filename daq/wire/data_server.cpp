#include "daq/wire/data_server.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstring>
#include <deque>
#include <utility>
#include <vector>

#include "daq/core/error.hpp"
#include "daq/core/frame.hpp"
#include "daq/core/log.hpp"
#include "daq/core/snapshot_box.hpp"
#include "daq/wire/convert.hpp"
#include "daq/wire/data_protocol.hpp"
#include "daq/wire/socket.hpp"

namespace alleycat {
namespace {

using wire::Clock;
using wire::Milliseconds;

/// How long the loop waits on its socket before it looks at the ring again: the ring cannot wake a socket.
constexpr Milliseconds kIdleWait{5};
constexpr Milliseconds kNobodyWait{50};
constexpr int kFramesPerTurn = 64;

struct Report {
    std::optional<FramePosition> durable;
    std::uint64_t durable_triggers = 0;  ///< of durable->run
    WriterStatus writer;                 ///< as the writer said
};

/// A frame that was looked at and not released.
struct Sent {
    FramePosition position;
    FrameKind kind;
};

struct Session {
    std::string peer;  ///< routing id
    std::string name;
    std::uint64_t identity = 0;  ///< of the writer's process
    std::uint64_t id = 0;
    std::uint64_t credit = 0;
    std::uint64_t sent_cost = 0;
    std::uint64_t consumed_cost = 0;
    Clock::time_point last_heard;
};

FrameHeader header_of(std::span<const std::byte> record) {
    FrameHeader header;
    if (record.size() < sizeof header) throw Error{"the retransmit buffer holds something that is not a frame"};
    std::memcpy(&header, record.data(), sizeof header);
    if (header.magic != kFrameMagic) throw Error{"the retransmit buffer holds something that is not a frame"};
    return header;
}

}  // namespace

struct DataServer::Impl {
    Config config;
    FrameQueue& frames;
    wire::Socket socket;
    std::string endpoint;
    Counter& frames_sent;
    Counter& frames_sent_again;
    Counter& bad_messages;
    Counter& writers;
    Counter& refused_hellos;
    google::protobuf::LogSilencer quiet;  // hostile messages are counted, not printed by Protobuf

    std::optional<Session> session;
    std::deque<Sent> sent;
    std::uint64_t released = 0;   ///< frames, ever
    std::uint64_t ever_sent = 0;  ///< frames, each once
    FramePosition newest_sent;    ///< of them
    Report report;
    std::string last_refusal;
    Clock::time_point next_heartbeat{};
    v1::DataRequest request;
    v1::DataReply reply;
    std::string reply_bytes;

    std::atomic<bool> connected{false};
    std::atomic<bool> came{false};       ///< a writer was accepted
    SnapshotBox<DurablePosition> found;  ///< on its disk, set before
    SnapshotBox<Report> published;

    Impl(Config c, FrameQueue& queue, CounterRegistry& counters)
        : config{std::move(c)},
          frames{queue},
          // No high-water mark in messages: what is under way is limited in bytes, by credit.
          socket{wire::Socket::listen(zmq::socket_type::router, config.endpoint, config.security,
                                      {.send_high_water = 0,
                                       .linger = Milliseconds{200},
                                       .heartbeat = config.heartbeat,
                                       .dead_after = config.dead_after})},
          endpoint{socket.endpoint()},
          frames_sent{counters.get("data.frames_sent")},
          frames_sent_again{counters.get("data.frames_sent_again")},
          bad_messages{counters.get("data.bad_messages")},
          writers{counters.get("data.writers")},
          refused_hellos{counters.get("data.refused_hellos")} {}

    // ---- sending

    /// Sends `reply`; false: that writer is not there any more.
    bool send_reply(const std::string& peer, std::span<const std::byte> frame = {}) {
        reply.SerializeToString(&reply_bytes);
        std::array<zmq::message_t, 2> parts{zmq::message_t{peer.data(), peer.size()}, wire::pack(reply_bytes, frame)};
        return socket.send(parts);
    }
    bool send_heartbeat() {
        reply.mutable_heartbeat()->set_session(session->id);
        return send_reply(session->peer);
    }
    void leave() {
        log::wire().info("writer {} has left", session->name);
        session.reset();
        connected.store(false, std::memory_order_relaxed);
    }
    void end_session(std::string_view why) {
        log::wire().warn("writer {} is gone ({}): {} bytes wait for the next", session->name, why,
                         frames.waiting_bytes());
        session.reset();
        connected.store(false, std::memory_order_relaxed);
    }

    /// Sends what is there and what the credit allows; true when anything was sent.
    bool send_frames() {
        for (int i = 0; i < kFramesPerTurn; ++i) {
            const std::span<const std::byte> frame = session ? frames.peek() : std::span<const std::byte>{};
            if (frame.data() == nullptr) return i > 0;
            const std::uint64_t cost = wire::credit_cost(frame.size());
            const std::uint64_t under_way = session->sent_cost - session->consumed_cost;
            if (under_way != 0 && under_way + cost > session->credit) return i > 0;  // one frame may always go
            const FrameHeader header = header_of(frame);
            v1::FrameEnvelope& envelope = *reply.mutable_frame();
            envelope.set_session(session->id);
            envelope.set_run(header.run);
            envelope.set_ordinal(header.ordinal);
            // A copy, not the ring's own memory: what ZeroMQ still holds for a writer that is gone must not change when
            // its successor acknowledges and the space is written again.
            if (!send_reply(session->peer, frame)) {
                end_session("its connection is closed");
                return true;
            }
            (void)frames.next();
            session->sent_cost += cost;
            note_sent({header.run, header.ordinal}, header.kind);
        }
        return true;
    }
    void note_sent(FramePosition position, FrameKind kind) {
        sent.push_back({position, kind});
        if (released + sent.size() <= ever_sent) {
            frames_sent_again.add();
            return;
        }
        frames_sent.add();
        ever_sent = released + sent.size();
        newest_sent = position;
    }

    // ---- releasing

    void release(const Sent& frame) {
        frames.release();
        ++released;
        if (!report.durable || report.durable->run != frame.position.run) report.durable_triggers = 0;
        if (frame.kind == FrameKind::trigger) ++report.durable_triggers;
        report.durable = frame.position;
    }
    void publish() { published.put(std::make_shared<const Report>(report)); }

    /// Gives back what was sent, up to and including `durable`. false: that frame was never sent.
    ///
    /// After a reconnection the writer may acknowledge frames it was given before and that are not yet sent again: then
    /// what is sent so far is given back, and the rest when the writer repeats itself.
    bool acknowledge(FramePosition durable) {
        if (report.durable && report.durable->run == durable.run && durable.ordinal <= report.durable->ordinal)
            return true;
        if (ever_sent == 0 || (newest_sent.run == durable.run && durable.ordinal > newest_sent.ordinal)) return false;
        const auto of_run = [&](const Sent& f) { return f.position.run == durable.run; };
        const auto first = std::find_if(sent.begin(), sent.end(), of_run);
        if (first == sent.end() && newest_sent.run != durable.run) return false;
        // Frames of earlier runs stand before it in the stream: when it is on disk, so are they.
        const auto end = std::find_if(first, sent.end(), [&](const Sent& f) {
            return f.position.run != durable.run || f.position.ordinal > durable.ordinal;
        });
        for (auto n = end - sent.begin(); n > 0; --n) {
            release(sent.front());
            sent.pop_front();
        }
        return true;
    }

    /// Makes the ring stand behind the last frame this writer has on disk. Returns why that cannot be, or "".
    std::string settle(const std::optional<FramePosition>& durable) {
        frames.rewind();
        sent.clear();
        if (!durable) return "";
        std::vector<Sent> covered;  // looked at up to here
        std::size_t on_disk = 0;
        std::optional<std::uint64_t> newest;  // ordinal of that run in the ring
        for (auto record = frames.next(); record.data() != nullptr; record = frames.next()) {
            const FrameHeader header = header_of(record);
            if (header.run == durable->run) {
                newest = header.ordinal;
                if (header.ordinal > durable->ordinal) break;
                on_disk = covered.size() + 1;
            } else if (newest || header.run > durable->run) {
                break;  // runs count upwards: what waits behind is not looked through in vain
            }
            covered.push_back({{header.run, header.ordinal}, header.kind});
        }
        frames.rewind();
        if (newest && *newest < durable->ordinal) {
            return fmt::format(
                "the writer has frame {} of run {} on disk, which has {} frames only: another run of the same number?",
                durable->ordinal, durable->run, *newest + 1);
        }
        for (std::size_t i = 0; i < on_disk; ++i) {
            (void)frames.next();
            release(covered[i]);
        }
        return "";
    }

    // ---- what the writer says

    void handle(const std::vector<zmq::message_t>& parts, Clock::time_point now) {
        if (parts.size() != 2 || !request.ParseFromArray(parts[1].data(), static_cast<int>(parts[1].size()))) {
            bad_messages.add();
            return;
        }
        const std::string peer = parts[0].to_string();
        switch (request.body_case()) {
            case v1::DataRequest::kHello: hello(peer, request.hello(), now); return;
            case v1::DataRequest::kProgress: progress(peer, request.progress(), now); return;
            case v1::DataRequest::kLeave:
                if (is_session(peer, request.leave().session())) leave();
                return;
            case v1::DataRequest::BODY_NOT_SET: bad_messages.add(); return;
        }
    }

    [[nodiscard]] bool is_session(const std::string& peer, std::uint64_t id) const {
        return session && session->peer == peer && session->id == id;
    }

    void refuse(const std::string& peer, const std::string& writer, std::string reason) {
        refused_hellos.add();
        std::string line = fmt::format("writer {} refused: {}", writer, reason);
        if (line != last_refusal) log::wire().warn("{}", line);  // it asks again every second: said once
        last_refusal = std::move(line);
        reply.mutable_refusal()->set_reason(std::move(reason));
        (void)send_reply(peer);
    }

    void hello(const std::string& peer, const v1::Hello& said, Clock::time_point now) {
        const std::string writer = said.writer();
        if (said.version() != wire::kDataStreamVersion) {
            refuse(
                peer, writer,
                fmt::format("it speaks version {} of the data stream, this daemon {}: update the {}", said.version(),
                            wire::kDataStreamVersion, said.version() < wire::kDataStreamVersion ? "writer" : "daemon"));
            return;
        }
        if (session && session->peer != peer) {
            // Sending tells whether its connection still stands.
            const bool heard = now - session->last_heard < config.dead_after;
            const bool stands = send_heartbeat();
            if (stands && heard && session->identity != said.identity()) {
                refuse(peer, writer, fmt::format("{} is writing", session->name));
                return;
            }
            end_session(!stands ? "its connection is closed" : heard ? "it has a new connection" : "not heard of");
        }
        session.reset();
        std::optional<FramePosition> durable;
        if (said.has_durable()) durable = wire::position_from(said.durable());
        if (std::string reason = settle(durable); !reason.empty()) {
            connected.store(false, std::memory_order_relaxed);
            refuse(peer, writer, std::move(reason));
            return;
        }
        publish();
        if (!came.load(std::memory_order_relaxed)) {
            if (durable) {
                found.put(std::make_shared<const DurablePosition>(*durable, said.last_trigger() - 1,
                                                                  said.last_trigger_utc_ns()));
            }
            came.store(true, std::memory_order_release);
        }
        session = Session{.peer = peer,
                          .name = writer,
                          .identity = said.identity(),
                          .id = wire::draw_identity(),
                          .credit = std::clamp<std::uint64_t>(said.credit_bytes(), 1, wire::kMaxCreditBytes),
                          .last_heard = now};
        v1::Welcome& welcome = *reply.mutable_welcome();
        welcome.set_version(wire::kDataStreamVersion);
        welcome.set_session(session->id);
        if (!send_reply(peer)) {
            session.reset();
            return;
        }
        writers.add();
        last_refusal.clear();
        connected.store(true, std::memory_order_relaxed);
        if (durable) {
            log::wire().info("writer {} continues behind run {} frame {}", writer, durable->run, durable->ordinal);
        } else {
            log::wire().info("writer {} begins", writer);
        }
    }

    void progress(const std::string& peer, const v1::Progress& said, Clock::time_point now) {
        if (!is_session(peer, said.session())) {
            reply.mutable_unknown_session()->set_session(said.session());
            (void)send_reply(peer);
            return;
        }
        session->last_heard = now;
        connected.store(true, std::memory_order_relaxed);
        if (said.consumed_bytes() > session->sent_cost || said.consumed_bytes() < session->consumed_cost) {
            bad_messages.add();
            return;
        }
        session->consumed_cost = said.consumed_bytes();
        if (said.has_durable() && !acknowledge(wire::position_from(said.durable()))) bad_messages.add();
        if (said.has_status() && !wire::from_proto(said.status(), report.writer)) bad_messages.add();
        publish();
    }

    // ---- the loop

    void keep_alive(Clock::time_point now) {
        if (!session) return;
        const bool heard = now - session->last_heard < config.dead_after;
        connected.store(heard, std::memory_order_relaxed);
        // A writer that hangs takes nothing off its socket: heartbeats would pile up there without limit.
        if (!heard || now < next_heartbeat) return;
        next_heartbeat = now + config.heartbeat;
        if (!send_heartbeat()) end_session("its connection is closed");
    }

    void run(const std::stop_token& stop) {
        std::vector<zmq::message_t> parts;
        while (!stop.stop_requested()) {
            const bool makes_room = frames.keep_room();
            const bool busy = send_frames() || makes_room;
            socket.wait(busy ? Milliseconds{0} : session ? kIdleWait : kNobodyWait);
            const Clock::time_point now = Clock::now();
            for (int i = 0; i < kFramesPerTurn && socket.receive(parts); ++i) handle(parts, now);
            keep_alive(now);
        }
        if (session) {
            reply.mutable_goodbye()->set_session(session->id);
            (void)send_reply(session->peer);
            session.reset();
        }
        connected.store(false, std::memory_order_relaxed);
    }
};

DataServer::DataServer(Config config, FrameQueue& frames, CounterRegistry& counters)
    : impl_{std::make_unique<Impl>(std::move(config), frames, counters)} {}
DataServer::DataServer(Config config, Ring& frames, CounterRegistry& counters)
    : ring_{std::make_unique<RingQueue>(frames)}, impl_{std::make_unique<Impl>(std::move(config), *ring_, counters)} {}
DataServer::~DataServer() = default;

void DataServer::run(std::stop_token stop) { impl_->run(stop); }

const std::string& DataServer::endpoint() const noexcept { return impl_->endpoint; }
bool DataServer::writer_connected() const noexcept { return impl_->connected.load(std::memory_order_relaxed); }

std::optional<FramePosition> DataServer::durable() const {
    const auto report = impl_->published.get();
    return report ? report->durable : std::nullopt;
}
std::optional<DurablePosition> DataServer::found_on_disk() const {
    if (!writer_came()) return std::nullopt;
    const auto found = impl_->found.get();
    return found ? std::optional{*found} : std::nullopt;
}
bool DataServer::writer_came() const noexcept { return impl_->came.load(std::memory_order_acquire); }
std::uint64_t DataServer::durable_ordinal() const { return durable().value_or(FramePosition{}).ordinal; }

WriterStatus DataServer::status() const {
    const auto report = impl_->published.get();
    WriterStatus status = report ? report->writer : WriterStatus{};
    status.connected = writer_connected();
    status.durable_triggers = report ? report->durable_triggers : 0;
    status.unacknowledged_bytes = unacknowledged_bytes();
    return status;
}
std::uint64_t DataServer::unacknowledged_bytes() const noexcept { return impl_->frames.waiting_bytes(); }

}  // namespace alleycat
