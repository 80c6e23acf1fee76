#pragma once
// A file of another program, read from its start to its end.

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <span>
#include <string>

namespace alleycat {

/// Reads one after the other, through a buffer. Throws Error when the file cannot be opened.
class RecordedFile {
  public:
    explicit RecordedFile(const std::filesystem::path& path);

    /// As many bytes as there are, at most those asked for.
    [[nodiscard]] std::size_t read(std::span<std::byte> into) noexcept;

    /// The next bytes as they stand; false when they are not all there.
    template <class T>
    [[nodiscard]] bool get(T& value) noexcept {
        return read(std::as_writable_bytes(std::span{&value, 1})) == sizeof value;
    }
    /// From the file's start.
    [[nodiscard]] bool seek(std::uint64_t position) noexcept;

    [[nodiscard]] std::uint64_t bytes() const noexcept { return bytes_; }  ///< when it was opened
    [[nodiscard]] std::uint64_t position() const noexcept { return position_; }
    [[nodiscard]] std::uint64_t left() const noexcept { return bytes_ > position_ ? bytes_ - position_ : 0; }
    [[nodiscard]] std::string name() const { return path_.filename().string(); }  ///< without its folder
    [[nodiscard]] const std::filesystem::path& path() const noexcept { return path_; }

  private:
    struct Close {
        void operator()(std::FILE* file) const noexcept { (void)std::fclose(file); }
    };
    std::filesystem::path path_;
    std::uint64_t bytes_ = 0;
    std::uint64_t position_ = 0;
    std::unique_ptr<char[]> buffer_;
    std::unique_ptr<std::FILE, Close> file_;
};

/// When it was last written [ns since 1970]: the only date that some formats leave.
[[nodiscard]] std::int64_t modification_time_ns(const std::filesystem::path& path);

}  // namespace alleycat
