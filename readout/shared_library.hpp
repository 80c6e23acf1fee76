#pragma once
// A vendor's library, loaded when a board asks for it: the program builds and runs where there is none.

#include <memory>
#include <string>

namespace alleycat {

/// Loaded as long as this object or a copy of it lives; functions asked for are valid no longer.
class SharedLibrary {
  public:
    /// `name`: a file's path, or a name that the dynamic linker looks for ("libCAENDigitizer.so").
    /// Throws Error naming the library and what the linker said.
    explicit SharedLibrary(std::string name);

    [[nodiscard]] const std::string& name() const noexcept { return name_; }

    /// The function called `symbol`, its type as the vendor's manual declares it: get<int(int handle)>("Close").
    /// Throws Error naming library and function where it is not there: another library, or one too old.
    template <class Function>
    [[nodiscard]] Function* get(const char* symbol) const {
        return reinterpret_cast<Function*>(find(symbol));
    }

  private:
    [[nodiscard]] void* find(const char* symbol) const;

    std::string name_;
    std::shared_ptr<void> handle_;
};

}  // namespace alleycat
