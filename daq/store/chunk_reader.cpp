#include "daq/store/chunk_reader.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "daq/core/error.hpp"

namespace alleycat::h5 {
namespace {

constexpr std::size_t kBlockBytes = 1 << 20;  // of a dataset that HDF5 has to read: so much at once
// Under way per thread: finished chunks wait for the older ones, and the reader's thread does not always get a core at
// once. With 3 a quarter of the threads' time was lost.
constexpr std::size_t kChunksPerThread = 8;
constexpr std::size_t kBytesPerThread = 16 << 20;  // at most, unless a single chunk is larger
// HDF5 1.10 finds a chunk's place by walking over all before it, 13 ns each: with more chunks it had better read
// itself.
constexpr std::uint64_t kMostToWalkOver = 1 << 15;

constexpr std::size_t kPieceBytes = 64 << 10;

}  // namespace

ChunkReader::ChunkReader(hid_t file, std::string path, hid_t type, unsigned decode_threads)
    : file_{file},
      type_{type},
      path_{std::move(path)},
      dataset_{check(H5Dopen2(file, path_.c_str(), H5P_DEFAULT), "cannot open /" + path_)} {
    look_at_chunks();
    start(codec_ ? decode_threads : 1);
}

void ChunkReader::look_at_chunks() {
    const Handle space{H5Dget_space(dataset_.get())};
    std::array<hsize_t, H5S_MAX_RANK> size{}, chunk{};
    const int rank = H5Sget_simple_extent_dims(space.get(), size.data(), nullptr);
    if (rank < 1) throw Error{fmt::format("/{} has no rows", path_)};
    const std::size_t item = H5Tget_size(type_);
    rows_ = size[0];
    row_bytes_ = item;
    for (int d = 1; d < rank; ++d) row_bytes_ *= size[static_cast<std::size_t>(d)];
    if (row_bytes_ == 0) throw Error{fmt::format("/{} has rows without elements", path_)};

    const Handle creation{H5Dget_create_plist(dataset_.get())};
    const Handle stored{H5Dget_type(dataset_.get())};
    const bool whole_rows = H5Pget_layout(creation.get()) == H5D_CHUNKED &&
                            H5Pget_chunk(creation.get(), rank, chunk.data()) == rank &&
                            std::equal(chunk.begin() + 1, chunk.begin() + rank, size.begin() + 1);
    if (whole_rows && H5Tequal(stored.get(), type_) > 0) {
        try {
            codec_ = find_codec(creation.get(), chunk[0] * row_bytes_, item);
        } catch (const Error& e) {
            throw Error{fmt::format("/{}: {}", path_, e.what())};
        }
    }
    rows_per_chunk_ = codec_ ? chunk[0] : std::max<std::uint64_t>(1, kBlockBytes / row_bytes_);
    chunks_ = (rows_ + rows_per_chunk_ - 1) / rows_per_chunk_;
    if (chunks_ <= kMostToWalkOver) descriptor_ = descriptor_of(file_);
}

void ChunkReader::start(unsigned decode_threads) {
    const OrderedWorkers<Chunk>::Work decode = [this](Chunk& chunk) { this->decode(chunk); };
    const std::size_t most =
        std::max<std::size_t>(1, kBytesPerThread * decode_threads / (rows_per_chunk_ * row_bytes_));
    const std::size_t ahead = decode_threads == 1 ? 1 : std::min<std::size_t>(most, kChunksPerThread * decode_threads);
    workers_ = std::make_unique<OrderedWorkers<Chunk>>(
        ahead, std::vector<OrderedWorkers<Chunk>::Work>(decode_threads, decode), decoded_, "decode");
}

void ChunkReader::read(std::uint64_t first, std::uint64_t n, std::span<std::byte> into) {
    if (first > rows_ || n > rows_ - first) {
        throw Error{fmt::format("/{} has {} rows, rows {} to {} were asked for", path_, rows_, first, first + n - 1)};
    }
    while (n > 0) {
        const std::uint64_t in_chunk = first % rows_per_chunk_;
        const std::uint64_t now = std::min(n, rows_per_chunk_ - in_chunk);
        std::memcpy(into.data(), rows_of_chunk(first / rows_per_chunk_).data() + in_chunk * row_bytes_,
                    now * row_bytes_);
        into = into.subspan(now * row_bytes_);
        first += now;
        n -= now;
    }
}

/// The rows of this chunk. The oldest chunk under way is kept until another one is asked for.
std::span<const std::byte> ChunkReader::rows_of_chunk(std::uint64_t index) {
    if (index != oldest_ || oldest_ == next_) {
        const bool under_way = index >= oldest_ && index < next_;
        while (oldest_ != next_ && !(under_way && oldest_ == index)) drop_oldest();
        if (!under_way) oldest_ = next_ = index;
        fetch_ahead();
    }
    return oldest().rows;
}

void ChunkReader::fetch_ahead() {
    for (; !workers_->full() && next_ < chunks_; ++next_) {
        fetch(next_, workers_->back());
        workers_->submit();
    }
}

/// What goes wrong here is told when somebody asks for these rows.
void ChunkReader::fetch(std::uint64_t index, Chunk& into) {
    into.failure = nullptr;
    into.stands_at.reset();
    into.checksum.reset();
    try {
        if (!codec_) {
            fetch_plain(index, into);
        } else if (descriptor_) {
            find_packed(index, into);
        } else {
            fetch_packed(index, into);
        }
    } catch (...) {
        into.failure = std::current_exception();
    }
}

/// Where the chunk stands: whoever decodes it reads it there.
void ChunkReader::find_packed(std::uint64_t index, Chunk& into) const {
    std::array<hsize_t, H5S_MAX_RANK> at{};
    at[0] = index * rows_per_chunk_;
    unsigned skipped = 0;
    haddr_t place = HADDR_UNDEF;
    hsize_t bytes = 0;
    check(H5Dget_chunk_info_by_coord(dataset_.get(), at.data(), &skipped, &place, &bytes),
          "HDF5 does not know a chunk's place");
    make_room_for_chunk(into.packed, place == HADDR_UNDEF ? 0 : bytes, file_bytes(file_));
    into.skipped_filters = skipped;
    into.stands_at = place;
}

void ChunkReader::fetch_packed(std::uint64_t index, Chunk& into) const {
    std::array<hsize_t, H5S_MAX_RANK> at{};
    at[0] = index * rows_per_chunk_;
    into.skipped_filters = fetch_chunk(dataset_.get(), at.data(), file_bytes(file_), into.packed);
}

void ChunkReader::fetch_plain(std::uint64_t index, Chunk& into) {
    const std::uint64_t first = index * rows_per_chunk_;
    into.plain.resize(rows_per_chunk_ * row_bytes_);
    read_rows(file_, path_, first, std::min(rows_per_chunk_, rows_ - first), type_, into.plain.data());
    into.rows = into.plain;
}

/// In any thread: reading at a place leaves HDF5's own position alone. The checksum is taken piece by piece, while a
/// piece is still in the core's own cache.
void ChunkReader::read_packed(Chunk& chunk) const {
    const bool summed = codec_->checksum != 0 && chunk.packed.size() > kChecksumBytes;
    std::size_t to_sum = summed ? chunk.packed.size() - kChecksumBytes : 0;
    Fletcher32 sum;
    std::span<std::byte> left = chunk.packed;
    for (std::uint64_t at = *chunk.stands_at; !left.empty(); at += kPieceBytes) {
        const std::span<std::byte> piece = left.first(std::min(left.size(), kPieceBytes));
        read_exactly(*descriptor_, piece, at);
        left = left.subspan(piece.size());
        const std::size_t now = std::min(piece.size(), to_sum);
        sum.add(piece.first(now));
        to_sum -= now;
    }
    if (summed) chunk.checksum = sum.value();
}

/// In any thread.
void ChunkReader::decode(Chunk& chunk) const {
    if (chunk.failure) std::rethrow_exception(chunk.failure);
    if (chunk.stands_at) read_packed(chunk);
    if (codec_)
        chunk.rows =
            decode_chunk(chunk.packed, chunk.skipped_filters, *codec_, chunk.plain, chunk.scratch, chunk.checksum);
}

const ChunkReader::Chunk& ChunkReader::oldest() {
    try {
        for (;;) {
            const std::uint32_t seen = decoded_.value();
            if (const Chunk* const chunk = workers_->front()) return *chunk;
            decoded_.wait(seen, std::stop_token{});
        }
    } catch (const Error& e) {
        if (!codec_) throw;  // read_rows() has said all of it
        const std::uint64_t first = oldest_ * rows_per_chunk_;
        throw Error{fmt::format("cannot read rows {} to {} of /{}: {}", first,
                                std::min(first + rows_per_chunk_, rows_) - 1, path_, e.what())};
    }
}

void ChunkReader::drop_oldest() {
    try {
        (void)oldest();
    } catch (const std::exception&) {
        // Nobody asked for these rows, or somebody has been told.
    }
    workers_->pop();
    ++oldest_;
}

}  // namespace alleycat::h5
