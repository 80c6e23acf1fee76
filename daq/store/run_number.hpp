#pragma once

#include <cstdint>
#include <filesystem>

namespace alleycat {

/// The number of the next run of this folder, from 1; it is taken by this call and never given again, whatever crashes.
/// Also larger than that of every file in the folder. Two processes may call it at the same time.
/// Throws Error when the folder cannot be written or its file `next_run` does not hold a number.
[[nodiscard]] std::uint64_t next_run_number(const std::filesystem::path& folder);

}  // namespace alleycat
