#pragma once

#include <cstddef>
#include <filesystem>
#include <span>
#include <vector>

namespace alleycat {

/// Small files that must be whole after any crash: written beside, synced, renamed over the old one, folder synced.
/// Throws Error naming the file.
void write_state_file(const std::filesystem::path& path, std::span<const std::byte> bytes);

/// The whole file. Throws Error naming it.
[[nodiscard]] std::vector<std::byte> read_state_file(const std::filesystem::path& path);

}  // namespace alleycat
