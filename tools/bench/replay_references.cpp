#include "tools/bench/replay_references.hpp"

#include <archive.h>
#include <archive_entry.h>
#include <blosc.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <hdf5.h>
#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <functional>
#include <memory>
#include <string>

#include "daq/core/error.hpp"
#include "daq/core/worker.hpp"

namespace alleycat::bench {
namespace fs = std::filesystem;
namespace {

constexpr std::size_t kReadBytes = 1 << 20;
constexpr unsigned kBloscFilter = 32001;

class OpenFile {
  public:
    explicit OpenFile(const fs::path& path) : descriptor_{::open(path.c_str(), O_RDONLY | O_CLOEXEC)} {
        if (descriptor_ < 0) throw Error{fmt::format("{}: cannot be opened", path.string())};
    }
    ~OpenFile() { ::close(descriptor_); }
    OpenFile(const OpenFile&) = delete;
    OpenFile& operator=(const OpenFile&) = delete;
    [[nodiscard]] int get() const noexcept { return descriptor_; }

  private:
    int descriptor_;
};

/// `jobs` of them, each done once by one of the threads.
void share(unsigned threads, std::size_t jobs, const std::function<void(std::size_t)>& job) {
    std::atomic<std::size_t> next{0};
    std::vector<std::unique_ptr<Worker>> workers;
    for (unsigned t = 0; t < threads; ++t) {
        workers.push_back(std::make_unique<Worker>("reference", [&](const std::stop_token&) {
            for (std::size_t i = next++; i < jobs; i = next++) job(i);
        }));
    }
    for (const auto& worker : workers) worker->finish();
}

struct Chunk {
    haddr_t at = 0;
    hsize_t bytes = 0;
};

/// One dataset of samples: where its chunks stand and what they are packed with.
struct Samples {
    std::vector<Chunk> chunks;
    std::size_t chunk_bytes = 0;
    H5Z_filter_t packed_by = H5Z_FILTER_NONE;
};

Samples look_at(hid_t dataset) {
    Samples samples;
    const hid_t creation = H5Dget_create_plist(dataset), space = H5Dget_space(dataset), type = H5Dget_type(dataset);
    std::array<hsize_t, H5S_MAX_RANK> shape{};
    const int rank = H5Pget_chunk(creation, shape.size(), shape.data());
    samples.chunk_bytes = H5Tget_size(type);
    for (int d = 0; d < rank; ++d) samples.chunk_bytes *= shape[static_cast<std::size_t>(d)];
    for (int i = 0; i < H5Pget_nfilters(creation); ++i) {
        unsigned flags = 0, configuration = 0;
        std::size_t values = 0;
        const H5Z_filter_t id =
            H5Pget_filter2(creation, static_cast<unsigned>(i), &flags, &values, nullptr, 0, nullptr, &configuration);
        if (id == H5Z_FILTER_DEFLATE || id == static_cast<H5Z_filter_t>(kBloscFilter)) samples.packed_by = id;
    }
    hsize_t chunks = 0;
    H5Dget_num_chunks(dataset, space, &chunks);
    for (hsize_t i = 0; i < chunks; ++i) {
        Chunk chunk;
        unsigned mask = 0;
        std::array<hsize_t, H5S_MAX_RANK> offset{};
        H5Dget_chunk_info(dataset, space, i, offset.data(), &mask, &chunk.at, &chunk.bytes);
        samples.chunks.push_back(chunk);
    }
    H5Tclose(type);
    H5Sclose(space);
    H5Pclose(creation);
    return samples;
}

std::vector<Samples> look_at_boards(const fs::path& path) {
    std::vector<Samples> all;
    const hid_t file = H5Fopen(path.c_str(), H5F_ACC_RDONLY, H5P_DEFAULT);
    if (file < 0) throw Error{fmt::format("{}: HDF5 cannot open it", path.string())};
    const auto add = [](hid_t raw, const char* board, const H5L_info_t*, void* into) -> herr_t {
        for (const std::string name : {"/samples", "/samples/flattened_data"}) {
            const std::string dataset = board + name;
            H5O_info_t info;
            if (H5Lexists(raw, dataset.c_str(), H5P_DEFAULT) <= 0 ||
                H5Oget_info_by_name2(raw, dataset.c_str(), &info, H5O_INFO_BASIC, H5P_DEFAULT) < 0)
                return 0;
            if (info.type != H5O_TYPE_DATASET) continue;  // of a board of hits the group that holds the second
            const hid_t id = H5Dopen2(raw, dataset.c_str(), H5P_DEFAULT);
            static_cast<std::vector<Samples>*>(into)->push_back(look_at(id));
            H5Dclose(id);
            return 0;
        }
        return 0;
    };
    const hid_t raw = H5Gopen2(file, "raw", H5P_DEFAULT);
    if (raw >= 0) {
        H5Literate(raw, H5_INDEX_NAME, H5_ITER_INC, nullptr, add, &all);
        H5Gclose(raw);
    }
    H5Fclose(file);
    return all;
}

std::uint64_t unpack(const Samples& samples, std::vector<std::byte>& packed, std::vector<std::byte>& plain) {
    plain.resize(samples.chunk_bytes);
    if (samples.packed_by == H5Z_FILTER_DEFLATE) {
        uLongf made = plain.size();
        uncompress(reinterpret_cast<Bytef*>(plain.data()), &made, reinterpret_cast<const Bytef*>(packed.data()),
                   packed.size());
        return made;
    }
    if (samples.packed_by != H5Z_FILTER_NONE) {
        return static_cast<std::uint64_t>(
            std::max(0, blosc_decompress_ctx(packed.data(), plain.data(), plain.size(), 1)));
    }
    return samples.chunk_bytes;
}

std::uint64_t decode_hdf5(const fs::path& path, unsigned threads) {
    const OpenFile file{path};
    std::atomic<std::uint64_t> bytes{0};
    for (const Samples& samples : look_at_boards(path)) {
        share(threads, samples.chunks.size(), [&](std::size_t i) {
            thread_local std::vector<std::byte> packed, plain;
            packed.resize(samples.chunks[i].bytes);
            if (::pread(file.get(), packed.data(), packed.size(), static_cast<off_t>(samples.chunks[i].at)) !=
                static_cast<ssize_t>(packed.size()))
                throw Error{fmt::format("{}: a chunk cannot be read", path.string())};
            bytes += unpack(samples, packed, plain);
        });
    }
    return bytes;
}

std::uint64_t unzip(const fs::path& path) {
    archive* const zip = archive_read_new();
    archive_read_support_format_zip_streamable(zip);
    std::uint64_t bytes = 0;
    if (archive_read_open_filename(zip, path.c_str(), kReadBytes) == ARCHIVE_OK) {
        archive_entry* entry = nullptr;
        while (archive_read_next_header(zip, &entry) == ARCHIVE_OK) {
            const void* block = nullptr;
            std::size_t size = 0;
            la_int64_t offset = 0;
            while (archive_read_data_block(zip, &block, &size, &offset) == ARCHIVE_OK) bytes += size;
        }
    }
    archive_read_free(zip);
    return bytes;
}

bool is_zip(const fs::path& path) { return path.extension() == ".zip"; }

}  // namespace

std::vector<fs::path> files_of(const fs::path& input) {
    if (!fs::is_directory(input)) return {input};
    std::vector<fs::path> files;
    for (const fs::directory_entry& entry : fs::recursive_directory_iterator{input}) {
        if (entry.is_regular_file()) files.push_back(entry.path());
    }
    std::sort(files.begin(), files.end());
    return files;
}

void drop_from_page_cache(const std::vector<fs::path>& files) {
    for (const fs::path& path : files) {
        const OpenFile file{path};
        ::fdatasync(file.get());  // what is not yet on the disk stays in memory
        ::posix_fadvise(file.get(), 0, 0, POSIX_FADV_DONTNEED);
    }
}

std::uint64_t read_files(const std::vector<fs::path>& files) {
    std::vector<std::byte> buffer(kReadBytes);
    std::uint64_t bytes = 0;
    for (const fs::path& path : files) {
        const OpenFile file{path};
        for (ssize_t n; (n = ::read(file.get(), buffer.data(), buffer.size())) > 0;) {
            bytes += static_cast<std::uint64_t>(n);
        }
    }
    return bytes;
}

std::uint64_t decode_files(const std::vector<fs::path>& files, unsigned threads) {
    std::uint64_t bytes = 0;
    std::vector<fs::path> zips;
    for (const fs::path& path : files) {
        if (is_zip(path)) {
            zips.push_back(path);
        } else {
            bytes += decode_hdf5(path, threads);
        }
    }
    std::atomic<std::uint64_t> unzipped{0};
    share(threads, zips.size(), [&](std::size_t i) { unzipped += unzip(zips[i]); });
    return bytes + unzipped;
}

}  // namespace alleycat::bench
