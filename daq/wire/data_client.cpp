#include "daq/wire/data_client.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <map>
#include <utility>
#include <vector>

#include "daq/core/log.hpp"
#include "daq/core/station.hpp"
#include "daq/wire/convert.hpp"
#include "daq/wire/data_protocol.hpp"
#include "daq/wire/socket.hpp"

namespace alleycat {
namespace {

using wire::Clock;
using wire::Milliseconds;

/// A frame that arrives damaged this often in a row is damaged where it comes from.
constexpr int kAttemptsPerFrame = 3;
/// Consumption below a quarter of the credit is told after this time: not per frame, but before anybody waits long.
constexpr Milliseconds kCreditDelay{10};

}  // namespace

struct DataClient::Impl {
    Config config;
    LastDurable last_durable;
    wire::Socket socket;
    google::protobuf::LogSilencer quiet;  // damaged messages are counted, not printed by Protobuf

    const std::uint64_t identity = wire::draw_identity();
    std::uint64_t session = 0;  ///< 0: not accepted (any more)
    bool paused = false;
    Clock::time_point last_heard{};
    Clock::time_point next_hello{};
    Clock::time_point last_progress{};
    std::string refused;

    std::uint64_t consumed_cost = 0;
    std::uint64_t reported_cost = 0;
    std::optional<FramePosition> durable;  ///< acknowledged by the caller
    WriterStatus status;

    std::map<std::uint64_t, std::uint64_t> given;  ///< last ordinal given, or on disk at the start, by run
    std::optional<FramePosition> damaged;
    int damaged_times = 0;
    Counts counts;

    zmq::message_t current;              ///< what the caller's view points into
    std::vector<std::uint64_t> aligned;  ///< the same, where ZeroMQ's memory was not aligned
    std::vector<zmq::message_t> parts;
    v1::DataRequest request;
    v1::DataReply reply;

    Impl(Config c, LastDurable asks)
        : config{std::move(c)},
          last_durable{std::move(asks)},
          socket{wire::Socket::connect(zmq::socket_type::dealer, config.endpoint, config.security,
                                       {.send_high_water = 16,
                                        .receive_high_water = 0,  // limited by credit
                                        .largest_message = (std::int64_t{1} << 30) + 64,
                                        .linger = Milliseconds{100},
                                        .heartbeat = config.heartbeat,
                                        .dead_after = config.dead_after})} {
        if (config.name.empty()) config.name = fmt::format("{}:{}", host_name(), ::getpid());
    }

    // ---- what is said

    bool send() {
        const std::string bytes = request.SerializeAsString();
        std::array<zmq::message_t, 1> message{zmq::message_t{bytes.data(), bytes.size()}};
        return socket.send(message);
    }

    void say_hello(Clock::time_point now) {
        session = 0;
        const std::optional<DurablePosition> on_disk = last_durable();
        v1::Hello& hello = *request.mutable_hello();
        hello.set_version(wire::kDataStreamVersion);
        hello.set_identity(identity);
        hello.set_writer(wire::valid_utf8(config.name));
        hello.set_credit_bytes(config.credit_bytes);
        hello.clear_durable();
        if (on_disk) {
            const FramePosition& frame = on_disk->frame;
            wire::to_proto(frame, *hello.mutable_durable());
            hello.set_last_trigger(on_disk->sequence + 1);
            hello.set_last_trigger_utc_ns(on_disk->utc_ns);
            std::uint64_t& last = given.try_emplace(frame.run, frame.ordinal).first->second;
            last = std::max(last, frame.ordinal);
        }
        (void)send();  // not taken: earlier hellos still wait for the connection
        next_hello = now + config.heartbeat;
    }

    void say_progress(Clock::time_point now) {
        v1::Progress& progress = *request.mutable_progress();
        progress.set_session(session);
        progress.set_consumed_bytes(consumed_cost);
        progress.clear_durable();
        if (durable) wire::to_proto(*durable, *progress.mutable_durable());
        wire::to_proto(status, *progress.mutable_status());
        if (send()) reported_cost = consumed_cost;
        last_progress = now;
    }
    /// When the daemon must hear of this writer: by its heartbeat, and soon when it may be waiting for credit.
    [[nodiscard]] Clock::time_point next_progress() const {
        const std::uint64_t unreported = consumed_cost - reported_cost;
        if (unreported > config.credit_bytes / 4) return last_progress;
        return last_progress + (unreported == 0 ? config.heartbeat : std::min(config.heartbeat, kCreditDelay));
    }

    /// Hellos and heartbeats that are due.
    void keep_alive(Clock::time_point now) {
        if (session != 0 && now - last_heard > config.dead_after) {
            log::wire().warn("daemon {} is silent", config.endpoint);
            session = 0;
        }
        if (session == 0) {
            if (now >= next_hello) say_hello(now);
        } else if (now >= next_progress()) {
            say_progress(now);
        }
    }

    // ---- what is heard

    /// A frame for the caller, if the message holds one.
    std::optional<FrameView> handle(Clock::time_point now) {
        wire::Packed packed;
        if (parts.size() != 1 || !wire::unpack(wire::bytes_of(parts[0]), packed) ||
            !reply.ParseFromArray(packed.reply.data(), static_cast<int>(packed.reply.size()))) {
            if (counts.bad_messages++ == 0) log::wire().warn("{} sends what is not the data stream", config.endpoint);
            return std::nullopt;
        }
        switch (reply.body_case()) {
            case v1::DataReply::kWelcome: welcome(reply.welcome(), now); return std::nullopt;
            case v1::DataReply::kRefusal: refusal(reply.refusal()); return std::nullopt;
            case v1::DataReply::kFrame: return frame(reply.frame(), packed.frame, now);
            case v1::DataReply::kHeartbeat:
                if (reply.heartbeat().session() == session) last_heard = now;
                return std::nullopt;
            case v1::DataReply::kUnknownSession:
                if (reply.unknown_session().session() == session) hello_now(now);
                return std::nullopt;
            case v1::DataReply::kGoodbye:
                if (session != 0 && reply.goodbye().session() == session) {
                    log::wire().info("daemon {} ends", config.endpoint);
                    session = 0;
                    next_hello = now + config.heartbeat;
                }
                return std::nullopt;
            case v1::DataReply::BODY_NOT_SET: return std::nullopt;  // of a newer daemon
        }
        return std::nullopt;
    }

    void hello_now(Clock::time_point now) {
        session = 0;
        next_hello = now;
    }

    void welcome(const v1::Welcome& said, Clock::time_point now) {
        if (said.version() != wire::kDataStreamVersion) {
            refuse(fmt::format("the daemon speaks version {} of the data stream, this writer {}: update the {}",
                               said.version(), wire::kDataStreamVersion,
                               said.version() < wire::kDataStreamVersion ? "daemon" : "writer"));
            return;
        }
        session = said.session();
        refused.clear();
        consumed_cost = 0;
        reported_cost = 0;
        durable.reset();  // the hello said it; what comes next is acknowledged anew
        last_heard = now;
        last_progress = now;
        ++counts.hellos;
    }

    void refusal(const v1::Refusal& said) { refuse(said.reason()); }
    void refuse(std::string reason) {
        if (reason != refused) log::wire().warn("{}: not writing: {}", config.endpoint, reason);
        refused = std::move(reason);
    }

    std::optional<FrameView> frame(const v1::FrameEnvelope& envelope, std::span<const std::byte> bytes,
                                   Clock::time_point now) {
        if (session == 0 || envelope.session() != session) return std::nullopt;  // of an earlier session
        last_heard = now;
        if (paused) return std::nullopt;
        consumed_cost += wire::credit_cost(bytes.size());
        const FramePosition position{envelope.run(), envelope.ordinal()};
        current = std::move(parts[0]);  // its memory stays where it is, unless it is a few bytes only
        bytes = wire::bytes_of(current).last(bytes.size());
        FrameView view;
        const FrameError error = read_frame(align(bytes), view);
        if (error == FrameError::bad_version) {
            // Not damage: every frame would be lost. Nothing is acknowledged, the daemon keeps them.
            refuse("its frames are of a newer format version: update this writer");
            session = 0;
            next_hello = now + config.heartbeat;
            return std::nullopt;
        }
        if (error != FrameError::none || view.bytes.size() != bytes.size() || view.header.run != position.run ||
            view.header.ordinal != position.ordinal) {
            refuse_frame(position, error, now);
            return std::nullopt;
        }
        if (!is_next(position)) return std::nullopt;
        ++counts.frames;
        return view;
    }

    /// The same bytes at an address that is a multiple of 8.
    [[nodiscard]] std::span<const std::byte> align(std::span<const std::byte> bytes) {
        if (reinterpret_cast<std::uintptr_t>(bytes.data()) % 8 == 0) return bytes;
        aligned.resize((bytes.size() + 7) / 8);
        std::memcpy(aligned.data(), bytes.data(), bytes.size());
        return std::as_bytes(std::span{aligned}).first(bytes.size());
    }

    /// Asks for a damaged frame again; after a few times goes on without it.
    void refuse_frame(FramePosition position, FrameError error, Clock::time_point now) {
        ++counts.bad_frames;
        damaged_times = damaged == position ? damaged_times + 1 : 1;
        damaged = position;
        if (damaged_times == 1) {
            log::wire().warn("run {} frame {} arrived with {}", position.run, position.ordinal, to_text(error));
        }
        if (damaged_times < kAttemptsPerFrame) {
            hello_now(now);
            return;
        }
        if (!is_next(position)) return;  // given up before
        ++counts.missing;
        log::wire().error("run {} frame {} is damaged in the daemon: going on without it", position.run,
                          position.ordinal);
    }

    /// Not given before. Counts what is missing before it.
    bool is_next(FramePosition position) {
        const auto known = given.find(position.run);
        const std::uint64_t expected = known == given.end() ? 0 : known->second + 1;
        if (position.ordinal < expected) {
            ++counts.duplicates;
            return false;
        }
        if (position.ordinal > expected) {
            log::wire().error("run {}: frames {} to {} are missing, the daemon does not have them any more",
                              position.run, expected, position.ordinal - 1);
            counts.missing += position.ordinal - expected;
        }
        given[position.run] = position.ordinal;
        return true;
    }
};

DataClient::DataClient(Config config, LastDurable last_durable)
    : impl_{std::make_unique<Impl>(std::move(config), std::move(last_durable))} {}

DataClient::~DataClient() {
    if (impl_->session == 0) return;
    impl_->request.mutable_leave()->set_session(impl_->session);
    (void)impl_->send();
}

std::optional<FrameView> DataClient::receive(std::chrono::milliseconds timeout) {
    Impl& me = *impl_;
    const Clock::time_point deadline = Clock::now() + timeout;
    for (;;) {
        const Clock::time_point now = Clock::now();
        me.keep_alive(now);
        if (me.socket.receive(me.parts)) {
            if (std::optional<FrameView> frame = me.handle(now)) return frame;
            continue;
        }
        if (now >= deadline) return std::nullopt;
        const Clock::time_point next = me.session != 0 ? me.next_progress() : me.next_hello;
        me.socket.wait(std::chrono::ceil<Milliseconds>(std::min(deadline, next) - now));
    }
}

void DataClient::pause() noexcept { impl_->paused = true; }

void DataClient::resume() {
    Impl& me = *impl_;
    me.paused = false;
    const std::optional<DurablePosition> on_disk = me.last_durable();
    if (on_disk) {
        me.given.erase(me.given.upper_bound(on_disk->frame.run), me.given.end());
        me.given[on_disk->frame.run] = on_disk->frame.ordinal;
    } else {
        me.given.clear();
    }
    me.hello_now(Clock::now());
}

void DataClient::acknowledge(FramePosition durable, const WriterStatus& status) {
    impl_->durable = durable;
    report(status);
}

void DataClient::report(const WriterStatus& status) {
    impl_->status = status;
    if (impl_->session != 0) impl_->say_progress(Clock::now());
}

bool DataClient::connected() const noexcept { return impl_->session != 0; }
const std::string& DataClient::refused() const noexcept { return impl_->refused; }
const DataClient::Counts& DataClient::counts() const noexcept { return impl_->counts; }

}  // namespace alleycat
