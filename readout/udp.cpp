#include "readout/udp.hpp"

namespace alleycat {

bool wait_readable(boost::asio::io_context& io, boost::asio::ip::udp::socket& socket,
                   std::chrono::steady_clock::time_point deadline) {
    bool done = false, readable = false;
    socket.async_wait(boost::asio::ip::udp::socket::wait_read, [&](boost::system::error_code error) {
        done = true;
        readable = !error;
    });
    io.restart();
    io.run_until(deadline);
    if (!done) {  // the handler refers to this frame: it has to run
        boost::system::error_code ignored;
        socket.cancel(ignored);
        io.restart();
        io.run();
    }
    return readable;
}

}  // namespace alleycat
