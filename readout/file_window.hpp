#pragma once
// A recorded file seen through a window: for decoders that look at what stands in memory and ask for more.

#include <cstddef>
#include <filesystem>
#include <span>
#include <vector>

#include "readout/recorded_file.hpp"

namespace alleycat {

/// The window grows with what is read into it, never with what a damaged length claims.
class FileWindow {
  public:
    explicit FileWindow(const std::filesystem::path& path) : file_{path} { more(); }

    /// What is in memory and not yet taken. Aligned to 8 bytes as long as multiples of 8 are taken, to 4 likewise.
    [[nodiscard]] std::span<const std::byte> bytes() const noexcept {
        return std::span{window_}.subspan(begin_, end_ - begin_);
    }
    /// Nothing will follow what is in memory.
    [[nodiscard]] bool complete() const noexcept { return at_end_; }
    void take(std::size_t bytes) noexcept { begin_ += bytes; }
    /// Reads on, which moves what bytes() gave.
    void more();

    [[nodiscard]] const RecordedFile& file() const noexcept { return file_; }
    /// Bytes of the file that were taken.
    [[nodiscard]] std::uint64_t taken() const noexcept { return file_.position() - (end_ - begin_); }

  private:
    RecordedFile file_;
    std::vector<std::byte> window_;
    std::size_t begin_ = 0, end_ = 0;
    bool at_end_ = false;
};

}  // namespace alleycat
