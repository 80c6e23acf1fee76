#pragma once
// SHA-256, fed piece by piece (internal to daq/store).

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace alleycat {

class Sha256 {
  public:
    /// Throws Error when OpenSSL does not have it.
    Sha256();
    ~Sha256();
    Sha256(const Sha256&) = delete;
    Sha256& operator=(const Sha256&) = delete;

    void add(std::span<const std::byte> bytes) noexcept;
    void add(std::string_view text) noexcept { add(std::as_bytes(std::span{text})); }
    /// Lower-case hexadecimal; nothing can be added behind it.
    [[nodiscard]] std::string finish();

  private:
    struct Context;
    std::unique_ptr<Context> context_;
};

}  // namespace alleycat
