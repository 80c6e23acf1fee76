#pragma once
// Private to daq/wire: a ZeroMQ socket with its context, set up the same way everywhere. Used by one thread.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>
#include <zmq.hpp>

#include "daq/wire/security.hpp"

namespace alleycat::wire {

using Clock = std::chrono::steady_clock;
using Milliseconds = std::chrono::milliseconds;

struct SocketOptions {
    int send_high_water = 1000;  ///< messages; 0: no limit (the protocol above limits bytes)
    int receive_high_water = 1000;
    std::int64_t largest_message = 1 << 20;  ///< bytes; who sends more is disconnected
    Milliseconds linger{0};                  ///< how long closing waits for what was sent
    Milliseconds heartbeat{2000};            ///< of the connection itself, done by ZeroMQ's own thread
    Milliseconds dead_after{6000};
};

class Socket {
  public:
    /// Throws UsageError for an endpoint that may not be listened on unencrypted, Error when it cannot be.
    [[nodiscard]] static Socket listen(zmq::socket_type type, const std::string& endpoint, const Security& security,
                                       const SocketOptions& options);
    /// Returns at once; ZeroMQ connects, and reconnects, behind the scenes. What is sent to a peer that is away waits,
    /// up to the send high-water mark: keep that low. (ZMQ_IMMEDIATE would refuse it instead, but with it libzmq 4.3.4
    /// aborts the program when a connection breaks between the parts of a message: "Assertion failed: !_more
    /// (src/fq.cpp:112)".)
    [[nodiscard]] static Socket connect(zmq::socket_type type, const std::string& endpoint, const Security& security,
                                        const SocketOptions& options);

    [[nodiscard]] zmq::socket_t& raw() noexcept { return socket_; }
    /// With the port that was chosen for "*".
    [[nodiscard]] std::string endpoint() const { return socket_.get(zmq::sockopt::last_endpoint); }

    /// Takes one whole message if there is one; parts beyond `kMaxParts` are thrown away.
    [[nodiscard]] bool receive(std::vector<zmq::message_t>& parts);
    /// Never waits. false: the peer is not there (ROUTER), or the queue is full; then nothing of it is sent. The parts
    /// are used up when it returns true.
    [[nodiscard]] bool send(std::span<zmq::message_t> parts);
    /// Waits until something can be received.
    void wait(Milliseconds timeout);

    static constexpr std::size_t kMaxParts = 8;

  private:
    Socket(zmq::socket_type type, const SocketOptions& options);

    zmq::context_t context_;
    zmq::socket_t socket_;
};

/// Waits until one of two sockets has something.
void wait_for_either(Socket& a, Socket& b, Milliseconds timeout);

[[nodiscard]] inline std::span<const std::byte> bytes_of(const zmq::message_t& message) noexcept {
    return {static_cast<const std::byte*>(message.data()), message.size()};
}
/// A number nobody else will draw: the identity of a publisher, a session, a hello.
[[nodiscard]] std::uint64_t draw_identity();

}  // namespace alleycat::wire
