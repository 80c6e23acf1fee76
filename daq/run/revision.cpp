#include "daq/run/revision.hpp"

#include <fmt/format.h>

#include "revision_of_source.hpp"  // made by revision.cmake, in the build folder

namespace alleycat {

std::string source_revision() { return kRevisionOfSource; }

std::string compiler_version() {
#if defined(__clang__)
    return fmt::format("Clang {}.{}.{}", __clang_major__, __clang_minor__, __clang_patchlevel__);
#else
    return fmt::format("GCC {}.{}.{}", __GNUC__, __GNUC_MINOR__, __GNUC_PATCHLEVEL__);
#endif
}

}  // namespace alleycat
