#pragma once

#include <string>

namespace alleycat {

/// The source this program was built from, as git calls it ("a58ad2d", with "-dirty" where files were changed since);
/// "unknown" where it was built from an archive.
[[nodiscard]] std::string source_revision();
/// "GCC 12.2.0"
[[nodiscard]] std::string compiler_version();

}  // namespace alleycat
