#pragma once

#include <chrono>

#include "readout/asio.hpp"

namespace alleycat {

/// Waits until a packet stands in the socket, at most until the deadline. Allocates nothing, which an asynchronous wait
/// does outside of its io_context's run().
[[nodiscard]] bool wait_readable(boost::asio::ip::udp::socket& socket, std::chrono::steady_clock::time_point deadline);

}  // namespace alleycat
