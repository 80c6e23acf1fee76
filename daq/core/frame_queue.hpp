#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "daq/core/ring.hpp"

namespace alleycat {

/// Frames that wait for the writer, oldest first, as the one who sends them sees them: in a ring, or in a ring and in
/// files behind it. Used by one thread.
class FrameQueue {
  public:
    FrameQueue() = default;
    virtual ~FrameQueue() = default;
    FrameQueue(const FrameQueue&) = delete;
    FrameQueue& operator=(const FrameQueue&) = delete;

    /// The next frame not yet looked at, 8-byte aligned, or a span whose data() is nullptr. Valid until the next call.
    [[nodiscard]] virtual std::span<const std::byte> peek() = 0;
    /// The same, and moves on.
    [[nodiscard]] virtual std::span<const std::byte> next() = 0;
    /// Gives up the oldest frame that was looked at: it is on the writer's disk.
    virtual void release() = 0;
    /// Looks again from the oldest frame that was not released.
    virtual void rewind() = 0;
    /// Called between two turns: keeps room for those who put frames in. true: there is more to do at once.
    virtual bool keep_room() { return false; }
    /// Bytes not released. Any thread.
    [[nodiscard]] virtual std::uint64_t waiting_bytes() const noexcept = 0;
};

/// A ring and nothing behind it.
class RingQueue final : public FrameQueue {
  public:
    explicit RingQueue(Ring& ring) noexcept : ring_{ring} {}

    [[nodiscard]] std::span<const std::byte> peek() override { return ring_.peek(); }
    [[nodiscard]] std::span<const std::byte> next() override { return ring_.next(); }
    void release() override { ring_.release(); }
    void rewind() override { ring_.rewind(); }
    [[nodiscard]] std::uint64_t waiting_bytes() const noexcept override { return ring_.stats().used_bytes; }

  private:
    Ring& ring_;
};

}  // namespace alleycat
