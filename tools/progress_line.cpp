#include "tools/progress_line.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>

#include "daq/core/time.hpp"

namespace alleycat {

ProgressLine::ProgressLine() : terminal_{isatty(STDERR_FILENO) == 1} {}

ProgressLine::~ProgressLine() {
    if (shown_) std::fputs("\r\x1b[K", stderr);
}

void ProgressLine::show(std::uint64_t triggers, double bytes_per_second, std::optional<double> fraction) {
    using namespace std::chrono;
    const auto now = steady_clock::now();
    if (!terminal_ || now - start_ < seconds{2} || now - last_ < milliseconds{500}) return;
    last_ = now;
    shown_ = true;
    const double elapsed_s = duration<double>(now - start_).count();
    std::string line = fmt::format("{} triggers, {:.0f}/s, {:.0f} MB/s", triggers,
                                   static_cast<double>(triggers) / elapsed_s, bytes_per_second / 1e6);
    if (fraction && *fraction > 0) {
        const auto left = seconds{static_cast<long>(elapsed_s * (1 - *fraction) / *fraction)};
        line += fmt::format(", {:.0f} %, {} left", *fraction * 100, to_text(left));
    }
    fmt::print(stderr, "\r\x1b[K{}", line);
    std::fflush(stderr);
}

}  // namespace alleycat
