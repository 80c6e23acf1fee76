#include "readout/shared_library.hpp"

#include <dlfcn.h>
#include <fmt/format.h>

#include <utility>

#include "daq/core/error.hpp"

namespace alleycat {

SharedLibrary::SharedLibrary(std::string name) : name_{std::move(name)} {
    // Every symbol at once: what is missing must be told now, not in the middle of a run.
    void* handle = dlopen(name_.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (handle == nullptr) {
        const char* reason = dlerror();
        throw Error{fmt::format("library {} cannot be loaded: {}", name_, reason != nullptr ? reason : "unknown")};
    }
    handle_ = std::shared_ptr<void>{handle, [](void* library) { dlclose(library); }};
}

void* SharedLibrary::find(const char* symbol) const {
    void* address = dlsym(handle_.get(), symbol);
    if (address == nullptr) throw Error{fmt::format("library {} has no function {}", name_, symbol)};
    return address;
}

}  // namespace alleycat
