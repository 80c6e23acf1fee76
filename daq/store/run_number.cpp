#include "daq/store/run_number.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <optional>
#include <string_view>

#include "daq/core/error.hpp"
#include "daq/store/files.hpp"
#include "daq/store/part_name.hpp"

namespace alleycat {
namespace {

/// The number that stands in a file; nullopt when there is no file.
std::optional<std::uint64_t> read_number(const std::filesystem::path& path) {
    if (!std::filesystem::exists(path)) return std::nullopt;
    const FileDescriptor file = open_file(path, O_RDONLY);
    std::array<char, 32> text{};
    const std::size_t n = read_at(file, std::as_writable_bytes(std::span{text}), 0, path);
    std::uint64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + n, value);
    if (error != std::errc{} || end != text.data() + n - 1 || *end != '\n') {
        throw Error{
            fmt::format("{}: does not hold a run number; write the number of the next run into it", path.string())};
    }
    return value;
}

}  // namespace

std::uint64_t next_run_number(const std::filesystem::path& folder) {
    std::error_code error;
    std::filesystem::create_directories(folder, error);
    if (error) throw Error{fmt::format("{}: cannot be made: {}", folder.string(), error.message())};
    const FileDescriptor lock = open_file(folder / "next_run.lock", O_RDWR | O_CREAT);
    while (::flock(lock.get(), LOCK_EX) != 0) {
        if (errno != EINTR)
            throw Error{
                fmt::format("{}: cannot be locked: {}", (folder / "next_run.lock").string(), std::strerror(errno))};
    }

    const std::filesystem::path path = folder / "next_run";
    std::uint64_t number = std::max<std::uint64_t>(read_number(path).value_or(1), 1);
    for (const auto& entry : std::filesystem::directory_iterator{folder}) {
        if (const std::optional<PartName> name = parse_part_name(entry.path()))
            number = std::max(number, name->run + 1);
    }
    const std::string text = fmt::format("{}\n", number + 1);
    replace_file(path, std::as_bytes(std::span{text}));
    return number;
}

}  // namespace alleycat
