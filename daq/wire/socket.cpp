#include "daq/wire/socket.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <random>

#include "daq/core/error.hpp"

namespace alleycat::wire {
namespace {

void poll(std::span<zmq::pollitem_t> items, Milliseconds timeout) {
    try {
        zmq::poll(items.data(), items.size(), std::max(timeout, Milliseconds{0}));
    } catch (const zmq::error_t& e) {
        if (e.num() != EINTR) throw;  // a signal: the caller looks at its stop_token and waits again
    }
}

}  // namespace

Socket::Socket(zmq::socket_type type, const SocketOptions& options) : context_{1}, socket_{context_, type} {
    socket_.set(zmq::sockopt::sndhwm, options.send_high_water);
    socket_.set(zmq::sockopt::rcvhwm, options.receive_high_water);
    socket_.set(zmq::sockopt::maxmsgsize, options.largest_message);
    socket_.set(zmq::sockopt::linger, static_cast<int>(options.linger.count()));
    socket_.set(zmq::sockopt::heartbeat_ivl, static_cast<int>(options.heartbeat.count()));
    socket_.set(zmq::sockopt::heartbeat_timeout, static_cast<int>(options.dead_after.count()));
    socket_.set(zmq::sockopt::reconnect_ivl, 100);
    socket_.set(zmq::sockopt::reconnect_ivl_max, 1000);
}

Socket Socket::listen(zmq::socket_type type, const std::string& endpoint, const Security& security,
                      const SocketOptions& options) {
    if (const std::string problem = endpoint_problem(endpoint); !problem.empty()) throw UsageError{problem};
    if (!is_local(endpoint) && security.secret_key.empty() && !security.allow_unencrypted) {
        throw UsageError{
            fmt::format("{} can be reached from other hosts: it needs CURVE keys (alleycat keygen) or "
                        "allow_unencrypted = true",
                        endpoint)};
    }
    try {
        Socket socket{type, options};
        if (!security.secret_key.empty()) {
            socket.socket_.set(zmq::sockopt::curve_server, true);
            socket.socket_.set(zmq::sockopt::curve_secretkey, security.secret_key);
        }
        if (type == zmq::socket_type::router) socket.socket_.set(zmq::sockopt::router_mandatory, true);
        socket.socket_.bind(endpoint);
        return socket;
    } catch (const zmq::error_t& e) {
        throw Error{fmt::format("cannot listen on {}: {}", endpoint, e.what())};
    }
}

Socket Socket::connect(zmq::socket_type type, const std::string& endpoint, const Security& security,
                       const SocketOptions& options) {
    if (const std::string problem = endpoint_problem(endpoint); !problem.empty()) throw UsageError{problem};
    try {
        Socket socket{type, options};
        if (!security.server_public_key.empty()) {
            std::array<char, 41> own_public{};
            std::array<char, 41> own_secret{};
            if (zmq_curve_keypair(own_public.data(), own_secret.data()) != 0) throw zmq::error_t{};
            socket.socket_.set(zmq::sockopt::curve_serverkey, security.server_public_key);
            socket.socket_.set(zmq::sockopt::curve_publickey, own_public.data());
            socket.socket_.set(zmq::sockopt::curve_secretkey, own_secret.data());
        }
        if (type == zmq::socket_type::sub) socket.socket_.set(zmq::sockopt::subscribe, "");
        socket.socket_.connect(connect_endpoint(endpoint));
        return socket;
    } catch (const zmq::error_t& e) {
        throw Error{fmt::format("cannot connect to {}: {}", endpoint, e.what())};
    }
}

bool Socket::receive(std::vector<zmq::message_t>& parts) {
    parts.clear();
    for (;;) {
        zmq::message_t part;
        try {
            if (!socket_.recv(part, zmq::recv_flags::dontwait)) return false;
        } catch (const zmq::error_t& e) {
            if (e.num() == EINTR) continue;
            throw;
        }
        const bool more = part.more();
        if (parts.size() < kMaxParts) parts.push_back(std::move(part));
        if (!more) return true;
    }
}

bool Socket::send(std::span<zmq::message_t> parts) {
    for (std::size_t i = 0; i < parts.size();) {
        const bool last = i + 1 == parts.size();
        try {
            const auto flags = zmq::send_flags::dontwait | (last ? zmq::send_flags::none : zmq::send_flags::sndmore);
            if (!socket_.send(parts[i], flags)) return false;
            ++i;
        } catch (const zmq::error_t& e) {
            if (e.num() == EINTR) continue;
            if (e.num() == EHOSTUNREACH) return false;
            throw;
        }
    }
    return true;
}

void Socket::wait(Milliseconds timeout) {
    std::array<zmq::pollitem_t, 1> items{{{socket_.handle(), 0, ZMQ_POLLIN, 0}}};
    poll(items, timeout);
}

void wait_for_either(Socket& a, Socket& b, Milliseconds timeout) {
    std::array<zmq::pollitem_t, 2> items{{{a.raw().handle(), 0, ZMQ_POLLIN, 0}, {b.raw().handle(), 0, ZMQ_POLLIN, 0}}};
    poll(items, timeout);
}

std::uint64_t draw_identity() {
    std::random_device device;
    for (;;) {
        const std::uint64_t identity = (std::uint64_t{device()} << 32) | device();
        if (identity != 0) return identity;
    }
}

}  // namespace alleycat::wire
