#include "readout/file_window.hpp"

#include <algorithm>
#include <cstring>

namespace alleycat {
namespace {
constexpr std::size_t kStepBytes = 1024 * 1024;
}  // namespace

void FileWindow::more() {
    if (begin_ != 0) std::memmove(window_.data(), window_.data() + begin_, end_ - begin_);
    end_ -= begin_;
    begin_ = 0;
    // A small file takes little memory: the window is never larger than what is left, or a byte more to see the end.
    const std::size_t step = static_cast<std::size_t>(std::min<std::uint64_t>(kStepBytes, file_.left() + 1));
    if (window_.size() - end_ < step)
        window_.resize(std::max(end_ + step, std::min(2 * window_.size(), end_ + 64 * kStepBytes)));
    const std::size_t wanted = window_.size() - end_;
    const std::size_t got = file_.read(std::span{window_}.subspan(end_));
    end_ += got;
    at_end_ = got < wanted;
}

}  // namespace alleycat
