#include "readout/udp.hpp"

#include <poll.h>

#include <algorithm>

namespace alleycat {

bool wait_readable(boost::asio::ip::udp::socket& socket, std::chrono::steady_clock::time_point deadline) {
    using namespace std::chrono;
    const nanoseconds left = std::max<nanoseconds>(deadline - steady_clock::now(), nanoseconds{0});
    const timespec longest{.tv_sec = duration_cast<seconds>(left).count(), .tv_nsec = (left % seconds{1}).count()};
    pollfd one{.fd = socket.native_handle(), .events = POLLIN, .revents = 0};
    return ppoll(&one, 1, &longest, nullptr) > 0;
}

}  // namespace alleycat
