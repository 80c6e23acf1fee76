#pragma once
// The control socket: one request, one answer. It never waits behind data: it has its own socket and its own thread.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "daq/core/counter.hpp"
#include "daq/core/status.hpp"
#include "daq/wire/security.hpp"

namespace alleycat {

inline constexpr std::uint32_t kControlVersion = 1;

enum class ControlCommand : std::uint8_t {
    status = 0,
    start = 1,
    stop = 2,
    snapshot = 3,
    quit = 4,
    comment = 5,
    mark = 6,
};
[[nodiscard]] constexpr std::string_view to_text(ControlCommand command) noexcept {
    switch (command) {
        case ControlCommand::status: return "status";
        case ControlCommand::start: return "start";
        case ControlCommand::stop: return "stop";
        case ControlCommand::snapshot: return "snapshot";
        case ControlCommand::quit: return "quit";
        case ControlCommand::comment: return "comment";
        case ControlCommand::mark: return "mark";
    }
    return "unknown";
}
/// nullopt for a word that is no command.
[[nodiscard]] std::optional<ControlCommand> control_command(std::string_view word) noexcept;

struct ControlRequest {
    ControlCommand command = ControlCommand::status;
    std::string argument{};  ///< of start: "" or "test"; of mark: "good" or "tainted"
    std::string text{};      ///< of comment; of mark: the reason
    std::string author{};    ///< of both
};

/// The monitor's accumulated state after message `number` of this publisher (MonitorPublisher::identity()).
struct MonitorSnapshot {
    std::uint64_t publisher = 0;
    std::uint64_t number = 0;
    std::vector<std::byte> state;
};

struct ControlReply {
    bool ok = true;
    std::string message;  ///< for people; why, when not ok
    std::optional<Status> status;
    std::optional<MonitorSnapshot> snapshot;
};

/// Answers requests; used by one thread of the caller's, which calls serve() in a loop.
class ControlServer {
  public:
    using Handler = std::function<ControlReply(const ControlRequest&)>;
    struct Config {
        std::string endpoint = "tcp://127.0.0.1:5557";
        Security security;
    };

    /// Listens. Throws Error, UsageError. `counters` gets "control.bad_requests" and "control.lost_replies".
    ControlServer(Config config, CounterRegistry& counters, Handler handler);
    ~ControlServer();

    /// Waits up to `timeout` for requests and answers those that are there, 16 at most; true when there was any.
    /// What the handler throws becomes the answer.
    bool serve(std::chrono::milliseconds timeout);
    [[nodiscard]] const std::string& endpoint() const noexcept;

  private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

/// Asks and waits for the answer. Used by one thread at a time.
class ControlClient {
  public:
    explicit ControlClient(std::string endpoint, Security security = {});

    /// Throws Error: "no answer from tcp://127.0.0.1:5557 within 2 s", or an answer of a newer version. A reply with
    /// ok = false is a reply.
    [[nodiscard]] ControlReply request(const ControlRequest& request,
                                       std::chrono::milliseconds timeout = std::chrono::seconds{2});

  private:
    std::string endpoint_;
    Security security_;
};

}  // namespace alleycat
