#include "daq/run/state_file.hpp"

#include <fcntl.h>
#include <fmt/format.h>

#include <fstream>
#include <iterator>

#include "daq/core/error.hpp"
#include "daq/store/files.hpp"

namespace alleycat {

void write_state_file(const std::filesystem::path& path, std::span<const std::byte> bytes) {
    const std::filesystem::path beside = path.string() + ".new";
    {
        const FileDescriptor file = open_file(beside, O_WRONLY | O_CREAT | O_TRUNC);
        write_at(file, bytes, 0, beside);
        sync_data(file, beside);
    }
    std::error_code error;
    std::filesystem::rename(beside, path, error);
    if (error) throw Error{fmt::format("{}: cannot be replaced: {}", path.string(), error.message())};
    sync_folder(folder_of(path));
}

std::vector<std::byte> read_state_file(const std::filesystem::path& path) {
    std::ifstream in{path, std::ios::binary};
    if (!in) throw Error{fmt::format("{}: cannot be read", path.string())};
    const std::vector<char> text{std::istreambuf_iterator<char>{in}, std::istreambuf_iterator<char>{}};
    const std::span<const std::byte> bytes = std::as_bytes(std::span{text});
    return {bytes.begin(), bytes.end()};
}

}  // namespace alleycat
