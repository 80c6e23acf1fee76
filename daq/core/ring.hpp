#pragma once
// The lock-free ring between one writing and one reading thread. Records of any size are reserved, filled and
// committed in place, looked at in place, and released in order.
//
// Layout: a power of two of bytes. Each record is a 64-byte-aligned slot: an 8-byte length, then the payload from
// byte 64 on. A record never wraps: where it does not fit before the end, a skip marker sends the reader to the start.
// The writer alone moves `written_`, the reader alone moves `released_`; both count bytes since the start and never
// wrap (2^64). Each side keeps the other's last seen position and reads the shared one only when that says "no".
// The two sides' state stands 128 bytes apart: neighbouring cache lines are fetched in pairs.
//
// Orders: the writer's release store of `written_` publishes the payload to the reader's acquire load; the reader's
// release store of `released_` gives the slot back to the writer's acquire load. Nothing else is shared.

#include <algorithm>
#include <atomic>
#include <bit>
#include <cassert>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <span>

#include "daq/core/doorbell.hpp"
#include "daq/core/error.hpp"

// The thread test builds the ring again with a weak order here or there, to prove that ThreadSanitizer would see it.
#ifndef ALLEYCAT_RING_PUBLISH
#define ALLEYCAT_RING_PUBLISH std::memory_order_release
#endif
#ifndef ALLEYCAT_RING_GIVE_BACK
#define ALLEYCAT_RING_GIVE_BACK std::memory_order_release
#endif

namespace alleycat {

struct RingStats {
    std::uint64_t capacity_bytes = 0;
    std::uint64_t used_bytes = 0;        ///< at this moment
    std::uint64_t high_water_bytes = 0;  ///< most ever used
    std::uint64_t records = 0;           ///< committed since the start
    std::uint64_t written_bytes = 0;     ///< since the start; less used_bytes: up to where the reader gave back
};

class Ring {
  public:
    static constexpr std::size_t kAlignment = 64;
    static constexpr std::size_t kHeaderBytes = kAlignment;

    /// Throws Error unless `capacity_bytes` is a power of two of at least 4096.
    explicit Ring(std::size_t capacity_bytes) : capacity_{capacity_bytes}, mask_{capacity_bytes - 1} {
        if (!std::has_single_bit(capacity_bytes) || capacity_bytes < 4096) {
            throw Error{"a ring's size must be a power of two of at least 4096 bytes"};
        }
        memory_.reset(static_cast<std::byte*>(::operator new (capacity_bytes, std::align_val_t{kAlignment})));
    }

    // ---- the writing thread -------------------------------------------------------------------------------------

    /// Space for a record of up to `bytes`, 64-byte aligned, or a span whose data() is nullptr when there is none: a
    /// record may have no bytes. `keep_free` bytes stay free for smaller records that must not be refused (count each
    /// as its slot, and one slot more for the end of the ring). A second call that finds space replaces the first
    /// reservation. Larger than largest_record(keep_free) never finds space.
    [[nodiscard]] std::span<std::byte> reserve(std::size_t bytes, std::size_t keep_free = 0) noexcept {
        if (keep_free > capacity_ - 2 * kHeaderBytes || bytes > largest_record(keep_free)) return {};
        const std::size_t slot = slot_bytes(bytes);
        const std::size_t offset = written_here_ & mask_;
        const std::size_t to_end = capacity_ - offset;
        const std::size_t skip = slot <= to_end ? 0 : to_end;
        const std::size_t needed = skip + slot + keep_free;
        if (free_bytes(needed) < needed) return {};
        reserved_at_ = written_here_ + skip;
        reserved_bytes_ = bytes;
        if (skip != 0) length_at(written_here_) = kSkip;
        return {memory_.get() + (reserved_at_ & mask_) + kHeaderBytes, bytes};
    }

    /// Hands the reserved record to the reader. `bytes` may be less than reserved.
    void commit(std::size_t bytes) noexcept {
        assert(bytes <= reserved_bytes_);
        length_at(reserved_at_) = bytes;
        written_here_ = reserved_at_ + slot_bytes(bytes);
        written_.store(written_here_, ALLEYCAT_RING_PUBLISH);
        const std::uint64_t used = written_here_ - released_seen_;
        if (used > high_water_.load(std::memory_order_relaxed)) {
            released_seen_ = released_.load(std::memory_order_acquire);
            const std::uint64_t really = written_here_ - released_seen_;
            if (really > high_water_.load(std::memory_order_relaxed)) {
                high_water_.store(really, std::memory_order_relaxed);
            }
        }
        records_.store(records_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
        ring_bell();
    }
    void commit() noexcept { commit(reserved_bytes_); }

    /// Rung after every commit. Set before the threads start.
    void set_bell(Doorbell& bell) noexcept { bell_ = &bell; }
    /// Wakes the reader for another reason than a commit (the source has ended).
    void ring_bell() noexcept {
        if (bell_ != nullptr) bell_->ring();
    }
    /// Rung after every release, for a writer that waits for space. Set before the threads start.
    void set_space_bell(Doorbell& bell) noexcept { space_bell_ = &bell; }

    // ---- the reading thread -------------------------------------------------------------------------------------

    /// The next record not yet looked at, in place, or a span whose data() is nullptr. It stays valid until released.
    [[nodiscard]] std::span<const std::byte> next() noexcept {
        const std::span<const std::byte> record = peek();
        if (record.data() != nullptr) read_here_ += slot_bytes(record.size());
        return record;
    }

    /// What next() would return, without moving on.
    [[nodiscard]] std::span<const std::byte> peek() noexcept {
        if (read_here_ == written_seen_) {
            written_seen_ = written_.load(std::memory_order_acquire);
            if (read_here_ == written_seen_) return {};
        }
        read_here_ = past_skip(read_here_);
        return {memory_.get() + (read_here_ & mask_) + kHeaderBytes, static_cast<std::size_t>(length_at(read_here_))};
    }

    /// Frees the oldest record that was looked at. Every next() is paid back by one release(), in the same order.
    void release() noexcept {
        assert(released_here_ < read_here_);
        released_here_ = past_skip(released_here_);
        released_here_ += slot_bytes(static_cast<std::size_t>(length_at(released_here_)));
        released_.store(released_here_, ALLEYCAT_RING_GIVE_BACK);
        if (space_bell_ != nullptr) space_bell_->ring();
    }

    /// Looks again from the oldest record that was not released (retransmission). What is shown again is released only
    /// after it was looked at again.
    void rewind() noexcept { read_here_ = released_here_; }

    // ---- any thread ---------------------------------------------------------------------------------------------

    [[nodiscard]] std::size_t capacity() const noexcept { return capacity_; }
    /// The largest record that an empty ring takes wherever the last one ended, with `keep_free` beside it (at most
    /// capacity - 128): waiting for space for it always ends. Check a configuration with the same `keep_free`.
    [[nodiscard]] std::size_t largest_record(std::size_t keep_free = 0) const noexcept {
        return (capacity_ - keep_free) / 2 / kAlignment * kAlignment - kHeaderBytes;
    }
    [[nodiscard]] RingStats stats() const noexcept {
        const std::uint64_t released = released_.load(std::memory_order_acquire);
        const std::uint64_t written = written_.load(std::memory_order_acquire);
        // The reader may have gone on between the two looks.
        return {capacity_, std::min<std::uint64_t>(written - released, capacity_),
                high_water_.load(std::memory_order_relaxed), records_.load(std::memory_order_relaxed), written};
    }

  private:
    static constexpr std::uint64_t kSkip = ~std::uint64_t{0};

    struct AlignedDelete {
        void operator()(std::byte* memory) const noexcept { ::operator delete (memory, std::align_val_t{kAlignment}); }
    };

    static constexpr std::size_t slot_bytes(std::size_t bytes) noexcept {
        return kHeaderBytes + (bytes + kAlignment - 1) / kAlignment * kAlignment;
    }
    std::uint64_t& length_at(std::uint64_t position) noexcept {
        return *reinterpret_cast<std::uint64_t*>(memory_.get() + (position & mask_));
    }
    std::uint64_t past_skip(std::uint64_t position) noexcept {
        return length_at(position) == kSkip ? (position | mask_) + 1 : position;
    }
    std::size_t free_bytes(std::size_t wanted) noexcept {
        if (capacity_ - (written_here_ - released_seen_) < wanted) {
            released_seen_ = released_.load(std::memory_order_acquire);
        }
        return capacity_ - static_cast<std::size_t>(written_here_ - released_seen_);
    }

    const std::size_t capacity_;
    const std::uint64_t mask_;
    std::unique_ptr<std::byte[], AlignedDelete> memory_;
    Doorbell* bell_ = nullptr;
    Doorbell* space_bell_ = nullptr;

    // the writer's own
    alignas(128) std::uint64_t written_here_ = 0;
    std::uint64_t released_seen_ = 0;
    std::uint64_t reserved_at_ = 0;
    std::size_t reserved_bytes_ = 0;
    // written by the writer, read by anyone
    alignas(128) std::atomic<std::uint64_t> written_{0};
    std::atomic<std::uint64_t> high_water_{0};
    std::atomic<std::uint64_t> records_{0};
    // the reader's own
    alignas(128) std::uint64_t read_here_ = 0;
    std::uint64_t released_here_ = 0;
    std::uint64_t written_seen_ = 0;
    // written by the reader, read by anyone
    alignas(128) std::atomic<std::uint64_t> released_{0};
};

}  // namespace alleycat
