#include "readout/recorded_file.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <chrono>
#include <cstring>

#include "daq/core/error.hpp"

namespace alleycat {
namespace {
constexpr std::size_t kBufferBytes = 256 * 1024;
}  // namespace

RecordedFile::RecordedFile(const std::filesystem::path& path)
    : path_{path},
      bytes_{std::filesystem::file_size(path)},
      buffer_{std::make_unique<char[]>(kBufferBytes)},
      file_{std::fopen(path.c_str(), "rb")} {
    if (file_ == nullptr) throw Error{fmt::format("{}: cannot be opened: {}", path.string(), std::strerror(errno))};
    (void)std::setvbuf(file_.get(), buffer_.get(), _IOFBF, kBufferBytes);
}

std::size_t RecordedFile::read(std::span<std::byte> into) noexcept {
    const std::size_t got = std::fread(into.data(), 1, into.size(), file_.get());
    position_ += got;
    return got;
}

bool RecordedFile::seek(std::uint64_t position) noexcept {
    if (std::fseek(file_.get(), static_cast<long>(position), SEEK_SET) != 0) return false;
    position_ = position;
    return true;
}

std::int64_t modification_time_ns(const std::filesystem::path& path) {
    using namespace std::chrono;
    return duration_cast<nanoseconds>(file_clock::to_sys(std::filesystem::last_write_time(path)).time_since_epoch())
        .count();
}

}  // namespace alleycat
