// The ring between one writing and one reading thread.

#include "daq/core/ring.hpp"

#include <algorithm>
#include <atomic>
#include <catch2/catch.hpp>
#include <cstdint>
#include <deque>
#include <random>
#include <span>
#include <stop_token>
#include <thread>
#include <vector>

#include "daq/core/doorbell.hpp"
#include "daq/core/worker.hpp"

using namespace alleycat;

namespace {

constexpr std::size_t kRingBytes = 4096;  // the smallest there is: everything below happens soon

/// A record that tells itself apart from any other: every byte follows from its number.
void write_pattern(std::span<std::byte> record, std::uint64_t number) {
    for (std::size_t i = 0; i < record.size(); ++i) record[i] = static_cast<std::byte>(number * 31 + i * 7);
}
bool holds_pattern(std::span<const std::byte> record, std::uint64_t number) {
    for (std::size_t i = 0; i < record.size(); ++i) {
        if (record[i] != static_cast<std::byte>(number * 31 + i * 7)) return false;
    }
    return true;
}

bool put(Ring& ring, std::size_t bytes, std::uint64_t number, std::size_t keep_free = 0) {
    const std::span<std::byte> slot = ring.reserve(bytes, keep_free);
    if (slot.data() == nullptr) return false;
    write_pattern(slot, number);
    ring.commit();
    return true;
}

}  // namespace

TEST_CASE("a ring's size is a power of two of at least a page", "[core][unit]") {
    REQUIRE_THROWS_AS(Ring{0}, Error);
    REQUIRE_THROWS_AS(Ring{2048}, Error);
    REQUIRE_THROWS_AS(Ring{5000}, Error);
    REQUIRE(Ring{4096}.capacity() == 4096);
}

TEST_CASE("a record is read as it was committed and stays until it is released", "[core][unit]") {
    Ring ring{kRingBytes};
    REQUIRE(ring.next().data() == nullptr);

    const std::span<std::byte> slot = ring.reserve(100);
    REQUIRE(slot.size() == 100);
    REQUIRE(reinterpret_cast<std::uintptr_t>(slot.data()) % Ring::kAlignment == 0);
    REQUIRE(ring.next().data() == nullptr);  // reserved is not committed
    write_pattern(slot, 1);
    ring.commit();

    REQUIRE(ring.peek().size() == 100);
    REQUIRE(ring.peek().size() == 100);  // peeking does not move
    const std::span<const std::byte> record = ring.next();
    REQUIRE(record.data() == slot.data());  // in place
    REQUIRE(holds_pattern(record, 1));
    REQUIRE(ring.next().data() == nullptr);
    REQUIRE(ring.stats().used_bytes == 64 + 128);  // header, and 100 bytes in slots of 64
    ring.release();
    REQUIRE(ring.stats().used_bytes == 0);
    REQUIRE(ring.stats().high_water_bytes == 64 + 128);
    REQUIRE(ring.stats().records == 1);
}

TEST_CASE("a commit may be shorter than its reservation and gives the rest back", "[core][unit]") {
    Ring ring{kRingBytes};
    REQUIRE(ring.reserve(1000).size() == 1000);
    ring.commit(10);
    REQUIRE(ring.next().size() == 10);
    REQUIRE(ring.stats().used_bytes == 64 + 64);
}

TEST_CASE("a second reservation replaces the first", "[core][unit]") {
    Ring ring{kRingBytes};
    REQUIRE(ring.reserve(500).size() == 500);
    REQUIRE(put(ring, 20, 7));
    const std::span<const std::byte> record = ring.next();
    REQUIRE(record.size() == 20);
    REQUIRE(holds_pattern(record, 7));
    REQUIRE(ring.stats().records == 1);
}

TEST_CASE("a record that does not fit before the end goes to the start, and both sides agree", "[core][unit]") {
    Ring ring{kRingBytes};
    // 21 records of 192 bytes: 4032 used, 64 left before the end. Free the first ten.
    for (std::uint64_t i = 0; i < 21; ++i) REQUIRE(put(ring, 128, i));
    for (std::uint64_t i = 0; i < 21; ++i) REQUIRE(holds_pattern(ring.next(), i));
    const std::byte* const start = ring.reserve(0).data();  // a header alone would still fit before the end
    REQUIRE(start != nullptr);
    for (int i = 0; i < 10; ++i) ring.release();

    REQUIRE(put(ring, 128, 21));
    const std::span<const std::byte> wrapped = ring.next();
    REQUIRE(wrapped.data() < start);
    REQUIRE(holds_pattern(wrapped, 21));
    // 11 old records, the 64 bytes skipped, one new record.
    REQUIRE(ring.stats().used_bytes == 11 * 192 + 64 + 192);
    for (int i = 0; i < 12; ++i) ring.release();
    REQUIRE(ring.stats().used_bytes == 0);
}

TEST_CASE("a smaller record takes the place where a larger one had left a skip marker", "[core][unit]") {
    Ring ring{kRingBytes};
    for (std::uint64_t i = 0; i < 20; ++i) {  // 3840 used: 256 left before the end
        REQUIRE(put(ring, 128, i));
        (void)ring.next();
        ring.release();
    }
    REQUIRE(ring.reserve(1000).size() == 1000);  // marks the end as skipped, is then given up
    REQUIRE(put(ring, 128, 20));
    REQUIRE(holds_pattern(ring.next(), 20));
    ring.release();
    REQUIRE(ring.stats().used_bytes == 0);
}

TEST_CASE("a full ring refuses, and takes again what was released", "[core][unit]") {
    Ring ring{kRingBytes};
    std::uint64_t written = 0;
    while (put(ring, 192, written)) ++written;
    REQUIRE(written == 16);  // 4096 / (64 + 192)
    REQUIRE(ring.stats().used_bytes == kRingBytes);
    REQUIRE(ring.stats().high_water_bytes == kRingBytes);
    REQUIRE(ring.reserve(0).data() == nullptr);

    REQUIRE(holds_pattern(ring.next(), 0));
    REQUIRE_FALSE(put(ring, 192, written));  // looked at is not released
    ring.release();
    REQUIRE(put(ring, 192, written));
    for (std::uint64_t i = 1; i <= 16; ++i) {
        REQUIRE(holds_pattern(ring.next(), i));
        ring.release();
    }
    REQUIRE(ring.next().data() == nullptr);
}

TEST_CASE("space that is kept free takes small records when large ones are refused", "[core][unit]") {
    Ring ring{kRingBytes};
    std::uint64_t large = 0, small = 0;
    while (put(ring, 192, large, 512)) ++large;
    REQUIRE(large == 14);  // 3584 used, 512 kept
    while (put(ring, 64, 100 + small)) ++small;
    REQUIRE(small == 4);  // 512 / (64 + 64)
    for (std::uint64_t i = 0; i < large; ++i) REQUIRE(holds_pattern(ring.next(), i));
    for (std::uint64_t i = 0; i < small; ++i) REQUIRE(holds_pattern(ring.next(), 100 + i));
}

TEST_CASE("a record without bytes is a record", "[core][unit]") {
    Ring ring{kRingBytes};
    for (std::uint64_t i = 0; i < 200; ++i) {  // several times round
        REQUIRE(put(ring, 0, i));
        REQUIRE(put(ring, 1, i));
        REQUIRE(ring.next().data() != nullptr);
        REQUIRE(holds_pattern(ring.next(), i));
        REQUIRE(ring.next().data() == nullptr);
        ring.release();
        ring.release();
    }
    REQUIRE(ring.stats().records == 400);
}

TEST_CASE("the largest record fits an empty ring wherever the last one ended, a larger one never", "[core][unit]") {
    for (const std::size_t keep_free :
         {std::size_t{0}, std::size_t{64}, std::size_t{1024}, std::size_t{3072}, kRingBytes - 128}) {
        Ring ring{kRingBytes};
        const std::size_t largest = ring.largest_record(keep_free);
        REQUIRE(largest + 128 >= (kRingBytes - keep_free) / 2);
        for (std::uint64_t i = 0; i < 3 * kRingBytes / 64; ++i) {  // each step ends 64 or 128 bytes further
            REQUIRE(put(ring, largest, i, keep_free));
            REQUIRE(holds_pattern(ring.next(), i));
            ring.release();
            REQUIRE(ring.reserve(largest + 1, keep_free).data() == nullptr);
            REQUIRE(put(ring, i % 2 * 64, i));
            REQUIRE(holds_pattern(ring.next(), i));
            ring.release();
        }
    }
}

TEST_CASE("sizes that no ring can hold are refused, also where adding to them would overflow", "[core][unit]") {
    Ring ring{kRingBytes};
    constexpr std::size_t kMost = std::numeric_limits<std::size_t>::max();
    REQUIRE(ring.reserve(kRingBytes).data() == nullptr);
    for (const std::size_t less : {0, 1, 63, 64, 65, 128}) {
        REQUIRE(ring.reserve(kMost - less).data() == nullptr);
        REQUIRE(ring.reserve(8, kMost - less).data() == nullptr);
    }
    REQUIRE(put(ring, 8, 1));
}

TEST_CASE("rewinding shows again what was not released, in the same order", "[core][unit]") {
    Ring ring{kRingBytes};
    for (std::uint64_t round = 0; round < 50; ++round) {  // the positions move over the end
        for (std::uint64_t i = 0; i < 5; ++i) REQUIRE(put(ring, 300 + 10 * i, i));
        for (std::uint64_t i = 0; i < 3; ++i) REQUIRE(holds_pattern(ring.next(), i));
        ring.release();
        ring.rewind();
        for (std::uint64_t i = 1; i < 5; ++i) {
            const std::span<const std::byte> record = ring.next();
            REQUIRE(record.size() == 300 + 10 * i);
            REQUIRE(holds_pattern(record, i));
        }
        REQUIRE(ring.next().data() == nullptr);
        for (int i = 0; i < 4; ++i) ring.release();
    }
    REQUIRE(ring.stats().used_bytes == 0);
}

TEST_CASE("any order of calls gives what a queue of copies gives", "[core][property]") {
    for (std::uint64_t seed = 0; seed < 20; ++seed) {
        std::mt19937_64 random{seed};
        Ring ring{kRingBytes};
        std::deque<std::pair<std::uint64_t, std::size_t>> not_released;
        std::size_t looked_at = 0;
        std::uint64_t number = 0;
        for (int step = 0; step < 5000; ++step) {
            switch (random() % 4) {
                case 0: {
                    const std::size_t bytes = random() % 900;
                    if (put(ring, bytes, number)) not_released.emplace_back(number++, bytes);
                    break;
                }
                case 1: {
                    const std::span<const std::byte> record = ring.next();
                    REQUIRE((record.data() != nullptr) == (looked_at < not_released.size()));
                    if (record.data() == nullptr) break;
                    REQUIRE(record.size() == not_released[looked_at].second);
                    REQUIRE(holds_pattern(record, not_released[looked_at].first));
                    ++looked_at;
                    break;
                }
                case 2:
                    if (looked_at == 0) break;
                    ring.release();
                    not_released.pop_front();
                    --looked_at;
                    break;
                default:
                    if (random() % 8 == 0) {
                        ring.rewind();
                        looked_at = 0;
                    }
            }
        }
        REQUIRE(number > 500);
    }
}

TEST_CASE("two threads hand over 200,000 records of any size without losing or changing one", "[core][threads]") {
    constexpr std::uint64_t kRecords = 200'000;
    Ring ring{1 << 15};
    Doorbell data, space;
    ring.set_bell(data);
    ring.set_space_bell(space);
    // Payloads are 64-bit words on the heap, so that ThreadSanitizer sees every access.
    const auto words_of = [](std::mt19937_64& random) { return random() % 100; };

    Worker writer{"writer", [&](const std::stop_token& stop) {
                      std::mt19937_64 random{42};
                      for (std::uint64_t i = 0; i < kRecords; ++i) {
                          const std::size_t words = words_of(random);
                          std::span<std::byte> slot;
                          for (;;) {
                              const auto seen = space.value();
                              slot = ring.reserve(words * 8, 128);
                              if (slot.data() != nullptr) break;
                              space.wait(seen, stop);
                              if (stop.stop_requested()) return;
                          }
                          auto* const word = reinterpret_cast<std::uint64_t*>(slot.data());
                          for (std::size_t w = 0; w < words; ++w) word[w] = i * 1000 + w;
                          ring.commit();
                      }
                  }};
    std::mt19937_64 random{42};
    std::uint64_t wrong = 0;
    for (std::uint64_t i = 0; i < kRecords; ++i) {
        std::span<const std::byte> record;
        for (;;) {
            const auto seen = data.value();
            record = ring.next();
            if (record.data() != nullptr) break;
            data.wait(seen, {});
        }
        const std::size_t words = words_of(random);
        const auto* const word = reinterpret_cast<const std::uint64_t*>(record.data());
        if (record.size() != words * 8) {
            ++wrong;
        } else {
            for (std::size_t w = 0; w < words; ++w) wrong += word[w] != i * 1000 + w;
        }
        ring.release();
    }
    writer.finish();
    REQUIRE(wrong == 0);
    REQUIRE(ring.next().data() == nullptr);
    REQUIRE(ring.stats().records == kRecords);
    REQUIRE(ring.stats().used_bytes == 0);
    REQUIRE(ring.stats().high_water_bytes <= ring.capacity());
}

TEST_CASE("a third thread never sees more used than there is", "[core][threads]") {
    Ring ring{kRingBytes};
    std::atomic<bool> ended{false};
    std::atomic<std::uint64_t> looks{0}, impossible{0};
    Worker onlooker{"onlooker", [&](const std::stop_token&) {
                        while (!ended.load()) {
                            const RingStats stats = ring.stats();
                            impossible += stats.used_bytes > stats.capacity_bytes;
                            ++looks;
                        }
                    }};
    Worker writer{"writer", [&](const std::stop_token& stop) {
                      for (std::uint64_t i = 0; i < 50'000 && !stop.stop_requested(); ++i) {
                          while (ring.reserve(8).data() == nullptr && !stop.stop_requested()) std::this_thread::yield();
                          ring.commit();
                      }
                  }};
    for (std::uint64_t i = 0; i < 50'000; ++i) {
        while (ring.next().data() == nullptr) std::this_thread::yield();
        ring.release();
    }
    ended = true;
    writer.finish();
    onlooker.finish();
    REQUIRE(looks > 0);
    REQUIRE(impossible == 0);
}
