#pragma once
// Full chunks of samples, compressed by threads of their own (internal to daq/store).

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "daq/core/doorbell.hpp"
#include "daq/core/ordered_workers.hpp"
#include "daq/store/store_config.hpp"

namespace alleycat::h5 {

/// Where the chunks of one dataset end up.
class ChunkOwner {
  public:
    virtual ~ChunkOwner() = default;
    /// In the thread that handed the chunk in, in the order in which chunks were handed in.
    virtual void put_down(std::uint64_t chunk, std::span<const std::byte> packed) = 0;
};

/// One for a part, used by its thread. Which of the threads compresses a chunk changes nothing in the file.
class ChunkEncoder {
  public:
    /// With one thread it is the caller's own. More hold two chunks each at most, of about 1 MB.
    ChunkEncoder(Compression compression, unsigned threads);

    /// Takes a chunk's plain bytes and leaves an empty buffer, of an earlier chunk, in its place. Waits, and has
    /// earlier chunks put down, while the threads have enough to do. Rethrows what failed for an earlier chunk.
    void submit(ChunkOwner& owner, std::uint64_t chunk, std::size_t item_bytes, std::vector<std::byte>& plain);
    /// Returns when every chunk has been put down.
    void drain();

  private:
    struct Job {
        ChunkOwner* owner = nullptr;
        std::uint64_t chunk = 0;
        std::size_t item_bytes = 1;
        std::vector<std::byte> plain, scratch;
        std::span<const std::byte> packed;  // in scratch
    };
    void put_down_oldest();

    Doorbell encoded_;
    OrderedWorkers<Job> workers_;  // last: its threads use what stands above
};

}  // namespace alleycat::h5
