#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>

#include "daq/core/counter.hpp"
#include "daq/core/frame_queue.hpp"
#include "daq/core/ring.hpp"
#include "daq/core/status.hpp"
#include "daq/wire/data_position.hpp"
#include "daq/wire/security.hpp"

namespace alleycat {

/// The daemon's side of the data stream. Reads frames (daq/core/frame.hpp) from the retransmit buffer, sends them to
/// the one writer, and gives their space back only when the writer says that they are on disk.
///
/// A writer starts with a hello that names the last frame it has on disk; sending begins behind it. When it goes away,
/// everything not acknowledged is sent again to the next hello. A second writer is refused while the first is alive:
/// its connection stands and it was heard within `dead_after`. A killed writer's connection is closed by its host, so
/// that its successor is let in at once.
///
/// How much is under way is limited by the writer's credit; when no writer keeps up the ring fills, and who writes into
/// it refuses triggers.
class DataServer {
  public:
    struct Config {
        std::string endpoint = "tcp://127.0.0.1:5555";
        Security security;
        std::chrono::milliseconds heartbeat{1000};
        std::chrono::milliseconds dead_after{5000};
    };

    /// Listens. Throws Error, UsageError. Owns the reading side of `frames` from here on. Counters: "data.frames_sent",
    /// "data.frames_sent_again", "data.bad_messages", "data.writers" (accepted hellos), "data.refused_hellos".
    DataServer(Config config, FrameQueue& frames, CounterRegistry& counters);
    /// The same of a ring with nothing behind it.
    DataServer(Config config, Ring& frames, CounterRegistry& counters);
    ~DataServer();

    /// The socket's thread: returns when stop is requested, having told the writer. Throws Error when the ring holds
    /// something that is not a frame.
    void run(std::stop_token stop);

    // ---- any thread

    [[nodiscard]] const std::string& endpoint() const noexcept;
    /// There is a writer and it was heard within `dead_after`.
    [[nodiscard]] bool writer_connected() const noexcept;
    /// Last frame known to be on disk; nullopt: none yet.
    [[nodiscard]] std::optional<FramePosition> durable() const;
    /// What the first writer that was accepted had on its disk when it came; nullopt: none came yet, or it had nothing.
    [[nodiscard]] std::optional<DurablePosition> found_on_disk() const;
    /// A writer was accepted, now or earlier.
    [[nodiscard]] bool writer_came() const noexcept;
    /// Its ordinal; 0 also when there is none yet.
    [[nodiscard]] std::uint64_t durable_ordinal() const;
    /// What the writer reported last, with what is known here: whether it is there, triggers of the durable frame's run
    /// that are on disk, bytes not acknowledged.
    [[nodiscard]] WriterStatus status() const;
    /// Bytes that wait.
    [[nodiscard]] std::uint64_t unacknowledged_bytes() const noexcept;

  private:
    struct Impl;
    std::unique_ptr<RingQueue> ring_;
    std::unique_ptr<Impl> impl_;
};

}  // namespace alleycat
