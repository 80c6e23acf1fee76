#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>

#include "daq/core/event_sink.hpp"
#include "daq/core/time.hpp"
#include "daq/wire/security.hpp"

namespace alleycat {

/// A monitor's side of the monitor stream. Gives its sink the same messages, in the same order, as a sink inside the
/// daemon gets; what was missed is made good by a snapshot of the daemon's accumulated state.
///
/// At the start, after a hole in the message numbers, and after a restart of the daemon it asks the control socket for
/// a snapshot, which holds the state after message M; it hands that to `restore`, drops what it heard up to M, and goes
/// on with M+1. What arrives in the meantime waits (bounded). While no snapshot is to be had nothing is applied: a
/// wrong histogram is worse than a late one; problem() says so. Repeated run messages are not handed on: the snapshot
/// has the run.
///
/// Used by one thread.
class MonitorClient {
  public:
    struct Config {
        std::string monitor_endpoint = "tcp://127.0.0.1:5556";
        std::string control_endpoint = "tcp://127.0.0.1:5557";
        Security security;
        std::chrono::milliseconds snapshot_timeout{5000};  ///< then asked again; doubles up to 8 times that
        std::chrono::milliseconds silent_after{5000};      ///< connected() is false when nothing came for so long
        std::size_t waiting_messages = 100'000;            ///< most that wait for a snapshot; the oldest go first
        std::size_t waiting_bytes = 256u << 20;
    };
    /// Replaces the sink's state by the one in these bytes; false when it cannot be used (then asked for again).
    using Restore = std::function<bool(std::span<const std::byte>)>;

    /// Does not wait for the daemon. Throws UsageError for an endpoint that is none.
    explicit MonitorClient(Config config);
    ~MonitorClient();
    MonitorClient(MonitorClient&&) noexcept;
    MonitorClient& operator=(MonitorClient&&) noexcept;

    /// Waits up to `timeout` for something to happen, then applies what is there (a few thousand messages at most).
    /// Returns how many messages were applied, a restored snapshot counting as one.
    std::size_t poll(EventSink& sink, const Restore& restore, std::chrono::milliseconds timeout);

    /// Messages of a version this program knows keep coming.
    [[nodiscard]] bool connected() const;
    /// The state shown is the daemon's: a snapshot was restored, nothing is missing since.
    [[nodiscard]] bool synchronized() const noexcept;
    /// Host time at which the last message came; the epoch before the first.
    [[nodiscard]] UtcTime last_message() const noexcept;
    /// Times at which message numbers were missing.
    [[nodiscard]] std::uint64_t holes() const noexcept;
    /// Of the last message applied; 0: none.
    [[nodiscard]] std::uint64_t message_number() const noexcept;
    /// Messages that could not be read (damaged, hostile), each of which leaves a hole.
    [[nodiscard]] std::uint64_t bad_messages() const noexcept;
    /// Messages of a newer schema version.
    [[nodiscard]] std::uint64_t refused_messages() const noexcept;
    /// One sentence for the operator while something is wrong; "" when all is well.
    [[nodiscard]] std::string problem() const;

  private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace alleycat
