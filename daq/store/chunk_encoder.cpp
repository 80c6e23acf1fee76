#include "daq/store/chunk_encoder.hpp"

#include <utility>

#include "daq/store/chunk_codec.hpp"

namespace alleycat::h5 {
namespace {

constexpr std::size_t kChunksPerThread = 2;  // one in work, one waiting

}  // namespace

ChunkEncoder::ChunkEncoder(Compression compression, unsigned threads)
    : workers_{threads < 2 ? 1 : kChunksPerThread * threads,
               std::vector<OrderedWorkers<Job>::Work>(threads < 2 ? 1 : threads,
                                                      [compression](Job& job) {
                                                          job.packed = encode_chunk(job.plain, job.item_bytes,
                                                                                    compression, job.scratch);
                                                      }),
               encoded_, "compress"} {}

void ChunkEncoder::submit(ChunkOwner& owner, std::uint64_t chunk, std::size_t item_bytes,
                          std::vector<std::byte>& plain) {
    if (workers_.full()) put_down_oldest();
    Job& job = workers_.back();
    job.owner = &owner;
    job.chunk = chunk;
    job.item_bytes = item_bytes;
    job.plain.swap(plain);
    workers_.submit();
}

void ChunkEncoder::drain() {
    while (!workers_.empty()) put_down_oldest();
}

void ChunkEncoder::put_down_oldest() {
    const Job& job = workers_.wait_for_front();
    job.owner->put_down(job.chunk, job.packed);
    workers_.pop();
}

}  // namespace alleycat::h5
