#include "daq/wire/monitor_client.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <deque>
#include <utility>
#include <vector>

#include "daq/core/log.hpp"
#include "daq/wire/control_codec.hpp"
#include "daq/wire/monitor_codec.hpp"
#include "daq/wire/socket.hpp"

namespace alleycat {
namespace {

using wire::Clock;
using wire::Milliseconds;

constexpr std::size_t kMessagesPerPoll = 4096;
/// A snapshot is asked for once the first message came, or after this long without any.
constexpr Milliseconds kFirstMessageWait{1500};
/// Before asking again for a snapshot that was too old, and between any two questions: a monitor that cannot keep up
/// meets hole after hole and must not keep the daemon busy with snapshots.
constexpr Milliseconds kOldSnapshotWait{200};
constexpr int kMaxBackoff = 8;

struct Waiting {
    std::uint64_t number;
    zmq::message_t body;
};

}  // namespace

struct MonitorClient::Impl {
    Config config;
    wire::Socket messages;
    wire::Socket control;
    MonitorDecoder decoder;
    Clock::time_point started = Clock::now();

    // The stream as heard: messages of `publisher` up to `heard` without a hole since `waiting` began.
    std::uint64_t publisher = 0;  ///< 0: nothing heard yet
    std::uint64_t heard = 0;
    Clock::time_point last_heard{};
    UtcTime last_message{};

    // The state as applied.
    bool synchronized = false;
    MonitorMessageId applied;
    std::deque<Waiting> waiting;  ///< heard but not applied: no snapshot yet
    std::size_t waiting_bytes = 0;

    // Asking.
    bool asked = false;
    Clock::time_point last_asked{};
    Clock::time_point ask_at{};  ///< when to ask (again)
    int backoff = 1;

    std::uint64_t holes = 0;
    std::uint64_t bad_messages = 0;
    std::uint64_t refused_messages = 0;
    std::uint32_t refused_version = 0;
    std::string snapshot_problem;

    explicit Impl(Config c)
        : config{std::move(c)},
          messages{wire::Socket::connect(zmq::socket_type::sub, config.monitor_endpoint, config.security,
                                         {.receive_high_water = 100'000, .largest_message = 1 << 28})},
          control{wire::connect_control(config.control_endpoint, config.security)} {
        ask_at = started + kFirstMessageWait;
    }

    // ---- what comes

    /// Applies the message or lets it wait; returns how many were applied.
    std::size_t take(std::vector<zmq::message_t>& parts, EventSink& sink) {
        std::uint32_t version = 0;
        if (parts.size() < 3 || parts[1].size() != sizeof version) {
            ++bad_messages;
            return 0;
        }
        std::memcpy(&version, parts[1].data(), sizeof version);
        if (version > kMonitorSchemaVersion) {
            ++refused_messages;
            if (std::exchange(refused_version, version) != version) log::wire().error("{}", version_problem());
            return 0;
        }
        if (!decoder.read(wire::bytes_of(parts[2]))) {
            ++bad_messages;
            return 0;
        }
        refused_version = 0;
        last_heard = Clock::now();
        last_message = utc_now();
        const MonitorMessageId id = decoder.id();
        if (id.publisher != publisher) {
            follow(id);
        } else if (id.number != heard + 1) {
            // Numbers never go back within one publisher; should they, only a snapshot can say what is true.
            ++holes;
            log::wire().warn("{}: message {} came after {}: asking for a snapshot", config.monitor_endpoint, id.number,
                             heard);
            start_over();
        }
        heard = id.number;
        if (!synchronized) {
            wait_for_snapshot(id.number, parts[2]);
            return 0;
        }
        return apply(sink);
    }

    /// Applies what the decoder holds, unless the snapshot already held it.
    std::size_t apply(EventSink& sink) {
        if (decoder.id().number <= applied.number) return 0;
        applied = decoder.id();
        if (decoder.is_repeat()) return 0;
        decoder.deliver(sink);
        return 1;
    }

    /// A publisher not heard before: the first, or a restarted daemon.
    void follow(MonitorMessageId id) {
        if (publisher != 0) log::wire().info("{}: the daemon was restarted", config.monitor_endpoint);
        publisher = id.publisher;
        const bool continues = synchronized && applied.publisher == id.publisher && id.number <= applied.number + 1;
        if (!continues) start_over();  // else a snapshot was there before the first message, and fits
    }

    void start_over() {
        synchronized = false;
        waiting.clear();
        waiting_bytes = 0;
        asked = false;
        backoff = 1;
        ask_at = std::max(Clock::now(), last_asked + kOldSnapshotWait);
    }

    void wait_for_snapshot(std::uint64_t number, zmq::message_t& body) {
        waiting_bytes += body.size();
        waiting.push_back({number, std::move(body)});
        while (waiting.size() > config.waiting_messages || waiting_bytes > config.waiting_bytes) {
            waiting_bytes -= waiting.front().body.size();
            waiting.pop_front();
        }
    }

    // ---- the snapshot

    void ask_if_due() {
        if (synchronized || Clock::now() < ask_at) return;
        if (asked) {
            snapshot_problem = fmt::format("{} does not answer when asked for a snapshot", config.control_endpoint);
            backoff = std::min(backoff * 2, kMaxBackoff);
        }
        // When it is not taken, earlier questions still wait for the connection: that is as good as asked.
        (void)wire::send_request(control, 0, {ControlCommand::snapshot, ""});
        asked = true;
        last_asked = Clock::now();
        ask_at = last_asked + config.snapshot_timeout * backoff;
    }

    /// Any snapshot will do, also a late answer to an earlier question.
    std::size_t take_reply(const zmq::message_t& message, EventSink& sink, const Restore& restore) {
        wire::NumberedReply numbered;
        const wire::ControlDecode decoded = wire::decode(wire::bytes_of(message), numbered);
        if (synchronized) return 0;
        const auto give_up_until = [&](Milliseconds wait, std::string problem) {
            if (problem != snapshot_problem) log::wire().warn("{}", problem);
            snapshot_problem = std::move(problem);
            asked = false;
            ask_at = Clock::now() + wait;
            return std::size_t{0};
        };
        if (decoded == wire::ControlDecode::newer_version) {
            return give_up_until(
                config.snapshot_timeout,
                fmt::format("{} answers in version {} of the control messages, this program knows {}: update it",
                            config.control_endpoint, numbered.version, kControlVersion));
        }
        if (decoded == wire::ControlDecode::malformed) {
            ++bad_messages;
            return give_up_until(config.snapshot_timeout,
                                 fmt::format("{} does not speak the control protocol", config.control_endpoint));
        }
        const ControlReply& reply = numbered.reply;
        if (!reply.ok || !reply.snapshot) {
            return give_up_until(config.snapshot_timeout,
                                 fmt::format("{} gives no snapshot: {}", config.control_endpoint,
                                             reply.message.empty() ? "no reason" : reply.message));
        }
        const MonitorSnapshot& snapshot = *reply.snapshot;
        if (publisher != 0 && snapshot.publisher != publisher) {
            return give_up_until(kOldSnapshotWait, "waiting for a snapshot of the restarted daemon");
        }
        if (!waiting.empty() && waiting.front().number > snapshot.number + 1) {
            return give_up_until(kOldSnapshotWait, "waiting for a snapshot that is new enough");
        }
        if (!restore(snapshot.state)) {
            return give_up_until(config.snapshot_timeout,
                                 "the daemon's snapshot cannot be read: another version of the program?");
        }
        return resume({snapshot.publisher, snapshot.number}, sink);
    }

    /// The sink holds the state after `at`: applies what waited and came later.
    std::size_t resume(MonitorMessageId at, EventSink& sink) {
        synchronized = true;
        asked = false;
        backoff = 1;
        applied = at;
        snapshot_problem.clear();
        std::size_t count = 1;
        for (const Waiting& message : waiting) {
            // It was read without error when it came.
            if (decoder.read(wire::bytes_of(message.body))) count += apply(sink);
        }
        waiting.clear();
        waiting_bytes = 0;
        return count;
    }

    [[nodiscard]] std::string version_problem() const {
        return fmt::format("{} speaks version {} of the monitor messages, this program knows {}: update it",
                           config.monitor_endpoint, refused_version, kMonitorSchemaVersion);
    }
    [[nodiscard]] bool connected() const { return publisher != 0 && Clock::now() - last_heard < config.silent_after; }
};

MonitorClient::MonitorClient(Config config) : impl_{std::make_unique<Impl>(std::move(config))} {}
MonitorClient::~MonitorClient() = default;
MonitorClient::MonitorClient(MonitorClient&&) noexcept = default;
MonitorClient& MonitorClient::operator=(MonitorClient&&) noexcept = default;

std::size_t MonitorClient::poll(EventSink& sink, const Restore& restore, std::chrono::milliseconds timeout) {
    Impl& me = *impl_;
    const Clock::time_point deadline = Clock::now() + timeout;
    std::size_t applied = 0;
    std::size_t taken = 0;
    std::vector<zmq::message_t> parts;
    for (;;) {
        me.ask_if_due();
        while (taken < kMessagesPerPoll && me.messages.receive(parts)) {
            applied += me.take(parts, sink);
            ++taken;
        }
        while (const std::optional<zmq::message_t> reply = wire::receive_reply(me.control)) {
            applied += me.take_reply(*reply, sink, restore);
            ++taken;
        }
        const Clock::time_point now = Clock::now();
        if (taken > 0 || now >= deadline) {
            me.ask_if_due();
            return applied;
        }
        const Clock::time_point until = me.synchronized ? deadline : std::min(deadline, std::max(me.ask_at, now));
        wire::wait_for_either(me.messages, me.control, std::chrono::ceil<Milliseconds>(until - now));
    }
}

bool MonitorClient::connected() const { return impl_->connected(); }
bool MonitorClient::synchronized() const noexcept { return impl_->synchronized; }
UtcTime MonitorClient::last_message() const noexcept { return impl_->last_message; }
std::uint64_t MonitorClient::holes() const noexcept { return impl_->holes; }
std::uint64_t MonitorClient::message_number() const noexcept { return impl_->applied.number; }
std::uint64_t MonitorClient::bad_messages() const noexcept { return impl_->bad_messages; }
std::uint64_t MonitorClient::refused_messages() const noexcept { return impl_->refused_messages; }

std::string MonitorClient::problem() const {
    if (impl_->refused_version != 0) return impl_->version_problem();
    if (!connected()) return fmt::format("nothing heard from {}", impl_->config.monitor_endpoint);
    if (!impl_->synchronized) {
        return impl_->snapshot_problem.empty() ? "waiting for the daemon's snapshot" : impl_->snapshot_problem;
    }
    return "";
}

}  // namespace alleycat
