#pragma once

#include <chrono>

#include "readout/asio.hpp"

namespace alleycat {

/// Waits until a packet stands in the socket, the deadline, or somebody stops `io`. Runs nothing else on `io`.
[[nodiscard]] bool wait_readable(boost::asio::io_context& io, boost::asio::ip::udp::socket& socket,
                                 std::chrono::steady_clock::time_point deadline);

}  // namespace alleycat
