#include "daq/store/chunk_codec.hpp"

#include <blosc.h>
#include <fmt/format.h>
#include <hdf5.h>
#include <isa-l/igzip_lib.h>
#include <zlib.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "daq/core/error.hpp"
#include "daq/store/hdf5.hpp"

namespace alleycat::h5 {
namespace {

constexpr int kDeflateLevel = 1;  // level 6 gains 3 % on white noise and costs a factor of three
constexpr std::size_t kMostGain =
    2048;  // no filter here gains more (deflate 1032, lz4 255): a hostile size is not believed

/// The filter as HDF5 calls it, both ways. Returns the bytes of the result; 0: it failed.
std::size_t blosc_filter(unsigned flags, std::size_t count, const unsigned* values, std::size_t bytes,
                         std::size_t* capacity, void** buffer) {
    std::size_t size = 0;
    if ((flags & H5Z_FLAG_REVERSE) != 0) {
        std::size_t packed = 0, block = 0;
        blosc_cbuffer_sizes(*buffer, &size, &packed, &block);
        if (size == 0 || packed > bytes) return 0;
    } else {
        size = bytes + BLOSC_MAX_OVERHEAD;
    }
    void* out = H5allocate_memory(size, false);
    if (out == nullptr) return 0;
    const std::size_t item = count > 2 && values[2] > 0 ? values[2] : 1;
    const int made = (flags & H5Z_FLAG_REVERSE) != 0
                         ? blosc_decompress_ctx(*buffer, out, size, 1)
                         : blosc_compress_ctx(5, BLOSC_BITSHUFFLE, item, bytes, *buffer, out, size, "lz4", 0, 1);
    if (made <= 0) {
        H5free_memory(out);
        return 0;
    }
    H5free_memory(*buffer);
    *buffer = out;
    *capacity = size;
    return static_cast<std::size_t>(made);
}

/// zlib's format, by the library that undoes it in half of zlib's time; false: it is damaged or of another length.
bool inflate(std::span<const std::byte> packed, std::span<std::byte> plain) {
    inflate_state state;
    isal_inflate_init(&state);
    state.crc_flag = ISAL_ZLIB;
    state.next_in = reinterpret_cast<std::uint8_t*>(const_cast<std::byte*>(packed.data()));  // it does not write there
    state.avail_in = static_cast<std::uint32_t>(packed.size());
    state.next_out = reinterpret_cast<std::uint8_t*>(plain.data());
    state.avail_out = static_cast<std::uint32_t>(plain.size());
    return isal_inflate_stateless(&state) == ISAL_DECOMP_OK && state.block_state == ISAL_BLOCK_FINISH &&
           state.avail_out == 0;
}

/// false: the buffer is damaged or of another length.
bool undo_blosc(std::span<const std::byte> packed, std::span<std::byte> plain) {
    std::size_t size = 0, packed_size = 0, block = 0;
    if (packed.size() < BLOSC_MIN_HEADER_LENGTH) return false;
    blosc_cbuffer_sizes(packed.data(), &size, &packed_size, &block);
    if (size != plain.size() || packed_size > packed.size()) return false;
    const int made = blosc_decompress_ctx(packed.data(), plain.data(), plain.size(), 1);
    return made >= 0 && static_cast<std::size_t>(made) == plain.size();
}

/// HDF5's shuffle stores first bytes of all items, then all second bytes, ...; what is left over stays at the end.
void unshuffle(std::span<const std::byte> shuffled, std::size_t item_bytes, std::span<std::byte> plain) {
    const std::size_t items = shuffled.size() / item_bytes;
    for (std::size_t b = 0; b < item_bytes; ++b) {
        for (std::size_t i = 0; i < items; ++i) plain[i * item_bytes + b] = shuffled[b * items + i];
    }
    const std::span<const std::byte> rest = shuffled.subspan(items * item_bytes);
    std::copy(rest.begin(), rest.end(), plain.begin() + static_cast<std::ptrdiff_t>(items * item_bytes));
}

/// What we do not need to undo a filter, HDF5's own does: by others it would make other elements of a chunk, or none.
void check_parameters(H5Z_filter_t id, std::span<const unsigned> values, std::size_t item_bytes) {
    if (id == H5Z_FILTER_SHUFFLE && (values.size() != 1 || values[0] != item_bytes))
        throw Error{fmt::format("its shuffle filter is not made for elements of {} bytes", item_bytes)};
    if (id == H5Z_FILTER_DEFLATE && (values.size() != 1 || values[0] > 9))
        throw Error{"its deflate filter has a level that there is not"};
    const char* name = nullptr;
    if (id == kBloscFilter && values.size() > 6 &&
        (values[6] > 255 || blosc_compcode_to_compname(static_cast<int>(values[6]), &name) < 0))
        throw Error{"its blosc filter has a compressor that there is not"};
}

}  // namespace

void Fletcher32::add(std::span<const std::byte> bytes) noexcept {
    // Sums modulo 65535 do not mind the order of bytes in a word: add little-endian words, turn the two sums at the
    // end. A row of eight words is four lanes of two: the even words are their low halves, the odd ones their high
    // halves, so that nothing has to be widened. In a block of kRows rows, word w of row k counts 8 (kRows - k) - w
    // times in the second sum: 8 times its lane's own second sum, less w times its first. 256 rows keep a lane's second
    // sum below 2^32.
    constexpr std::size_t kLanes = 4, kRowWords = 2 * kLanes, kRows = 256, kBlock = kRowWords * kRows;
    using Lanes [[gnu::vector_size(4 * kLanes)]] = std::uint32_t;
    const std::byte* at = bytes.data();
    std::size_t words = bytes.size() / 2;
    for (; words >= kBlock; words -= kBlock) {
        Lanes first_even{}, first_odd{}, second_even{}, second_odd{};
        for (std::size_t k = 0; k < kRows; ++k, at += sizeof(Lanes)) {
            Lanes row;
            std::memcpy(&row, at, sizeof row);
            first_even += row & 0xFFFFu;
            first_odd += row >> 16;
            second_even += first_even;
            second_odd += first_odd;
        }
        std::uint64_t plain = 0, weighted = 0;
        for (std::size_t j = 0; j < kLanes; ++j) {
            const std::uint64_t even = first_even[j], odd = first_odd[j];
            plain += even + odd;
            weighted += kRowWords * (std::uint64_t{second_even[j]} + second_odd[j]) - 2 * j * even - (2 * j + 1) * odd;
        }
        sum2_ = (sum2_ + kBlock * sum1_ + weighted) % 65535;
        sum1_ = (sum1_ + plain) % 65535;
        anything_ = anything_ || plain != 0;
    }
    const auto add_word = [this](std::uint64_t word) {
        sum1_ += word;
        sum2_ += sum1_;
        anything_ = anything_ || word != 0;
    };
    for (; words > 0; --words, at += 2) {
        std::uint16_t word = 0;
        std::memcpy(&word, at, 2);
        add_word(word);
    }
    if (bytes.size() % 2 != 0) add_word(static_cast<std::uint8_t>(*at));
    sum1_ %= 65535;
    sum2_ %= 65535;
}

std::uint32_t Fletcher32::value() const noexcept {
    // The folded sums of HDF5 are 65535, not 0, for a multiple of 65535, unless every word was zero.
    const auto folded = [this](std::uint64_t sum) {
        return sum == 0 && anything_ ? 65535u : static_cast<std::uint32_t>(sum);
    };
    const auto turned = [](std::uint32_t sum) { return (sum >> 8 | sum << 8) & 0xFFFFu; };
    return turned(folded(sum2_)) << 16 | turned(folded(sum1_));
}

std::uint32_t fletcher32(std::span<const std::byte> bytes) noexcept {
    Fletcher32 checksum;
    checksum.add(bytes);
    return checksum.value();
}

std::span<const std::byte> encode_chunk(std::span<const std::byte> chunk, std::size_t item_bytes,
                                        Compression compression, std::vector<std::byte>& scratch) {
    std::size_t size = 0;
    switch (compression) {
        case Compression::none:
            scratch.resize(chunk.size() + kChecksumBytes);
            std::memcpy(scratch.data(), chunk.data(), chunk.size());
            size = chunk.size();
            break;
        case Compression::deflate: {
            uLongf packed = compressBound(chunk.size());
            scratch.resize(packed + kChecksumBytes);
            if (compress2(reinterpret_cast<Bytef*>(scratch.data()), &packed,
                          reinterpret_cast<const Bytef*>(chunk.data()), chunk.size(), kDeflateLevel) != Z_OK) {
                throw Error{"zlib could not compress a chunk of samples"};
            }
            size = packed;
            break;
        }
        case Compression::blosc: {
            scratch.resize(chunk.size() + BLOSC_MAX_OVERHEAD + kChecksumBytes);
            const int packed = blosc_compress_ctx(5, BLOSC_BITSHUFFLE, item_bytes, chunk.size(), chunk.data(),
                                                  scratch.data(), chunk.size() + BLOSC_MAX_OVERHEAD, "lz4", 0, 1);
            if (packed <= 0) throw Error{"blosc could not compress a chunk of samples"};
            size = static_cast<std::size_t>(packed);
            break;
        }
    }
    const std::uint32_t checksum = fletcher32(std::span{scratch}.first(size));
    std::memcpy(scratch.data() + size, &checksum, kChecksumBytes);
    return std::span{scratch}.first(size + kChecksumBytes);
}

std::optional<ChunkCodec> find_codec(hid_t creation, std::size_t chunk_bytes, std::size_t item_bytes) {
    ChunkCodec codec{.chunk_bytes = chunk_bytes, .item_bytes = item_bytes};
    const int filters = H5Pget_nfilters(creation);
    if (filters < 0 || filters > 3 || chunk_bytes == 0 || item_bytes == 0) return std::nullopt;
    int stage = 0;  // of the filter before: shuffle 1, compression 2, checksum 3
    for (int i = 0; i < filters; ++i) {
        unsigned flags = 0, configuration = 0;
        std::array<unsigned, 8> values{};
        std::size_t n = values.size();
        const H5Z_filter_t id =
            H5Pget_filter2(creation, static_cast<unsigned>(i), &flags, &n, values.data(), 0, nullptr, &configuration);
        check_parameters(id, std::span{values}.first(std::min(n, values.size())), item_bytes);
        const std::uint32_t bit = 1u << i;
        int here = 0;
        if (id == H5Z_FILTER_SHUFFLE) here = 1, codec.shuffle = bit;
        if (id == H5Z_FILTER_DEFLATE) here = 2, codec.deflate = bit;
        if (id == kBloscFilter) here = 2, codec.blosc = bit;
        if (id == H5Z_FILTER_FLETCHER32) here = 3, codec.checksum = bit;
        if (here <= stage) return std::nullopt;
        stage = here;
    }
    return codec;
}

std::span<const std::byte> decode_chunk(std::span<const std::byte> packed, std::uint32_t skipped_filters,
                                        const ChunkCodec& codec, std::vector<std::byte>& plain,
                                        std::vector<std::byte>& scratch, std::optional<std::uint32_t> checksum) {
    const auto applied = [&](std::uint32_t filter) { return filter != 0 && (skipped_filters & filter) == 0; };
    std::span<const std::byte> bytes = packed;
    if (applied(codec.checksum)) {
        if (bytes.size() < kChecksumBytes) throw Error{"a chunk is shorter than its checksum"};
        std::uint32_t written = 0;
        std::memcpy(&written, bytes.data() + (bytes.size() - kChecksumBytes), kChecksumBytes);
        bytes = bytes.first(bytes.size() - kChecksumBytes);
        if ((checksum ? *checksum : fletcher32(bytes)) != written)
            throw Error{"data error detected by Fletcher32 checksum"};
    }
    if (applied(codec.deflate) || applied(codec.blosc)) {
        if (codec.chunk_bytes / kMostGain > bytes.size()) throw Error{"a chunk is too short for what it should hold"};
        plain.resize(codec.chunk_bytes);
        if (!(applied(codec.deflate) ? inflate(bytes, plain) : undo_blosc(bytes, plain)))
            throw Error{"the compressed data of a chunk are damaged"};
        bytes = plain;
    }
    if (bytes.size() != codec.chunk_bytes) throw Error{"a chunk is not as long as it should be"};
    if (applied(codec.shuffle) && codec.item_bytes > 1) {
        scratch.resize(codec.chunk_bytes);
        unshuffle(bytes, codec.item_bytes, scratch);
        bytes = scratch;
    }
    return bytes;
}

void make_room_for_chunk(std::vector<std::byte>& packed, std::uint64_t bytes, std::uint64_t file_bytes) {
    if (bytes == 0) throw Error{"a chunk was never written"};
    if (bytes > file_bytes) throw Error{"a chunk is longer than its file"};
    packed.resize(bytes);
}

std::uint32_t fetch_chunk(hid_t dataset, const hsize_t* at, std::uint64_t file_bytes, std::vector<std::byte>& packed) {
    hsize_t bytes = 0;
    check(H5Dget_chunk_storage_size(dataset, at, &bytes), "HDF5 does not know a chunk's size");
    make_room_for_chunk(packed, bytes, file_bytes);
    std::uint32_t skipped_filters = 0;
    check(H5Dread_chunk(dataset, H5P_DEFAULT, at, &skipped_filters, packed.data()), "HDF5 cannot read a chunk");
    return skipped_filters;
}

void register_blosc_filter() {
    H5Z_class2_t filter{};
    filter.version = H5Z_CLASS_T_VERS;
    filter.id = kBloscFilter;
    filter.encoder_present = 1;
    filter.decoder_present = 1;
    filter.name = "blosc";
    filter.filter = blosc_filter;
    if (H5Zregister(&filter) < 0) throw Error{"HDF5 does not take the blosc filter"};
}

}  // namespace alleycat::h5
