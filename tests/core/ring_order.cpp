// Proof that ThreadSanitizer would see a memory order of the ring that is too weak. This program is built three times:
// as it is (must end clean), with a relaxed publish, and with a relaxed give-back (both must be reported as races).
// Payloads are 64-bit words on the heap: ThreadSanitizer misses inlined memset, bytes, and static arrays. The threads
// spin, because a doorbell would order them by itself.

#include <cstdint>
#include <cstdio>
#include <span>
#include <thread>

#include "daq/core/ring.hpp"

namespace {

constexpr std::uint64_t kRecords = 20'000;
constexpr std::size_t kWords = 8;

void write_all(alleycat::Ring& ring) {
    for (std::uint64_t i = 0; i < kRecords; ++i) {
        std::span<std::byte> slot;
        while ((slot = ring.reserve(kWords * sizeof(std::uint64_t))).empty()) std::this_thread::yield();
        auto* const word = reinterpret_cast<std::uint64_t*>(slot.data());
        for (std::size_t w = 0; w < kWords; ++w) word[w] = i + w;
        ring.commit();
    }
}

std::uint64_t read_all(alleycat::Ring& ring) {
    std::uint64_t wrong = 0;
    for (std::uint64_t i = 0; i < kRecords; ++i) {
        std::span<const std::byte> record;
        while ((record = ring.next()).empty()) std::this_thread::yield();
        const auto* const word = reinterpret_cast<const std::uint64_t*>(record.data());
        for (std::size_t w = 0; w < kWords; ++w) wrong += word[w] != i + w;
        ring.release();
    }
    return wrong;
}

}  // namespace

int main() {
    alleycat::Ring ring{4096};
    std::jthread writer{[&] { write_all(ring); }};
    const std::uint64_t wrong = read_all(ring);
    std::printf("%llu records, %llu words wrong\n", static_cast<unsigned long long>(kRecords),
                static_cast<unsigned long long>(wrong));
    return wrong == 0 ? 0 : 1;
}
