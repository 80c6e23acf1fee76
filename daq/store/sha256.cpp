#include "daq/store/sha256.hpp"

#include <fmt/format.h>
#include <openssl/evp.h>

#include <array>

#include "daq/core/error.hpp"

namespace alleycat {

struct Sha256::Context {
    std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> evp{EVP_MD_CTX_new(), EVP_MD_CTX_free};
};

Sha256::Sha256() : context_{std::make_unique<Context>()} {
    if (!context_->evp || EVP_DigestInit_ex(context_->evp.get(), EVP_sha256(), nullptr) != 1)
        throw Error{"OpenSSL has no SHA-256"};
}
Sha256::~Sha256() = default;

void Sha256::add(std::span<const std::byte> bytes) noexcept {
    EVP_DigestUpdate(context_->evp.get(), bytes.data(), bytes.size());
}

std::string Sha256::finish() {
    std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
    unsigned size = 0;
    EVP_DigestFinal_ex(context_->evp.get(), digest.data(), &size);
    std::string text;
    for (unsigned i = 0; i < size; ++i) text += fmt::format("{:02x}", digest[i]);
    return text;
}

}  // namespace alleycat
