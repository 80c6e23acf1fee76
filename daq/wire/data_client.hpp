#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "daq/core/frame.hpp"
#include "daq/core/status.hpp"
#include "daq/wire/data_position.hpp"
#include "daq/wire/security.hpp"

namespace alleycat {

/// The writer's side of the data stream. Gives every frame once, in order, checked; connects, and connects again, by
/// itself, and then names the last frame that is on disk so that the daemon goes on behind it.
///
/// Frames that were given but not yet acknowledged come again after a reconnection; they are dropped here (and
/// counted), so that one process never sees a frame twice. A new process starts from what its journal holds.
///
/// Used by one thread, which must call receive() at least every few seconds: it also keeps the connection alive.
class DataClient {
  public:
    struct Config {
        std::string endpoint = "tcp://127.0.0.1:5555";
        Security security;
        std::string name;                            ///< for the daemon's log; "": host and process
        std::chrono::milliseconds heartbeat{1000};   ///< also between two attempts
        std::chrono::milliseconds dead_after{5000};  ///< a daemon silent for so long is gone
        std::uint64_t credit_bytes = 16u << 20;      ///< most that may be under way [bytes]; one frame always may
    };
    /// Last frame on disk; nullopt: none. Asked at every hello, on the thread that calls receive().
    using LastDurable = std::function<std::optional<DurablePosition>()>;

    struct Counts {
        std::uint64_t frames = 0;        ///< given
        std::uint64_t hellos = 0;        ///< accepted by the daemon
        std::uint64_t duplicates = 0;    ///< came again after a reconnection, dropped
        std::uint64_t bad_frames = 0;    ///< failed their check on arrival, asked for again
        std::uint64_t bad_messages = 0;  ///< not of the data stream at all
        std::uint64_t missing = 0;       ///< ordinals that never came: the daemon does not have them any more
    };

    /// Does not wait for the daemon. Throws UsageError for an endpoint that is none.
    DataClient(Config config, LastDurable last_durable);
    /// Tells the daemon that this writer leaves.
    ~DataClient();
    DataClient(const DataClient&) = delete;
    DataClient& operator=(const DataClient&) = delete;

    /// The next frame, or nullopt when none came in time. Its bytes are 8-byte aligned and hold until the next call.
    [[nodiscard]] std::optional<FrameView> receive(std::chrono::milliseconds timeout);

    /// Takes no frames until resume(): receive() keeps the connection alive and gives nothing. What comes is dropped
    /// and earns no credit, so that the daemon stops sending and keeps it.
    void pause() noexcept;
    /// The daemon goes on behind `last_durable`: frames that were given and did not get to disk are given again.
    void resume();

    /// All frames up to and including this one are on disk. The status goes along and is repeated as heartbeat.
    void acknowledge(FramePosition durable, const WriterStatus& status);
    /// A status without news from the disk.
    void report(const WriterStatus& status);

    /// The daemon has accepted this writer and was heard within `dead_after`.
    [[nodiscard]] bool connected() const noexcept;
    /// Why this writer gets nothing (the daemon refused it, or is newer); "" when it does. It goes on asking every
    /// heartbeat.
    [[nodiscard]] const std::string& refused() const noexcept;
    [[nodiscard]] const Counts& counts() const noexcept;

  private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace alleycat
