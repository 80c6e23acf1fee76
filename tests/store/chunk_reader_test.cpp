#include "daq/store/chunk_reader.hpp"

#include <hdf5.h>

#include <algorithm>
#include <array>
#include <catch2/catch.hpp>
#include <fstream>

#include "builders.hpp"
#include "daq/core/error.hpp"
#include "tests/temporary_folder.hpp"

using namespace alleycat;
using namespace alleycat::testing;
using testing::TemporaryFolder;

namespace {

constexpr std::size_t kRows = 1000, kColumns = 30;

/// Element (r, c) of every dataset here.
std::uint16_t element(std::size_t r, std::size_t c) { return static_cast<std::uint16_t>((r * 131 + c * 7) % 5000); }

/// A dataset kRows x kColumns of u16, written by HDF5 with what `describe` puts into its creation list.
class Dataset {
  public:
    template <class Describe>
    Dataset(const std::filesystem::path& path, hid_t type, const Describe& describe) {
        h5::prepare();
        const h5::Handle file{H5Fcreate(path.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT)};
        const std::array<hsize_t, 2> size{kRows, kColumns};
        const h5::Handle space{H5Screate_simple(2, size.data(), nullptr)};
        const h5::Handle creation{H5Pcreate(H5P_DATASET_CREATE)};
        describe(creation.get());
        const h5::Handle dataset{
            H5Dcreate2(file.get(), "numbers", type, space.get(), H5P_DEFAULT, creation.get(), H5P_DEFAULT)};
        std::vector<std::uint16_t> numbers;
        for (std::size_t r = 0; r < kRows; ++r) {
            for (std::size_t c = 0; c < kColumns; ++c) numbers.push_back(element(r, c));
        }
        REQUIRE(H5Dwrite(dataset.get(), H5T_NATIVE_UINT16, H5S_ALL, H5S_ALL, H5P_DEFAULT, numbers.data()) >= 0);
    }
};

void chunks_of(hid_t creation, hsize_t rows, hsize_t columns = kColumns) {
    const std::array<hsize_t, 2> chunk{rows, columns};
    H5Pset_chunk(creation, 2, chunk.data());
}

h5::Handle open(const std::filesystem::path& path) {
    return h5::Handle{H5Fopen(path.c_str(), H5F_ACC_RDONLY, H5P_DEFAULT)};
}

/// Whether rows [first, first + n) come as they are.
bool reads(h5::ChunkReader& reader, std::size_t first, std::size_t n) {
    std::vector<std::uint16_t> rows(n * kColumns);
    reader.read(first, n, std::as_writable_bytes(std::span{rows}));
    for (std::size_t i = 0; i < rows.size(); ++i) {
        if (rows[i] != element(first + i / kColumns, i % kColumns)) return false;
    }
    return true;
}

std::string refusal(h5::ChunkReader& reader, std::size_t row) {
    try {
        (void)reads(reader, row, 1);
        return "";
    } catch (const Error& e) {
        return e.what();
    }
}

struct Where {
    std::uint64_t at = 0, bytes = 0;
};
Where chunk_in(const std::filesystem::path& path, hsize_t row) {
    const h5::Handle file = open(path);
    const h5::Handle dataset{H5Dopen2(file.get(), "numbers", H5P_DEFAULT)};
    const std::array<hsize_t, 2> offset{row, 0};  // of a dataset of one dimension the first counts
    unsigned mask = 0;
    haddr_t at = 0;
    hsize_t bytes = 0;
    REQUIRE(H5Dget_chunk_info_by_coord(dataset.get(), offset.data(), &mask, &at, &bytes) >= 0);
    return {at, bytes};
}

void flip_byte(const std::filesystem::path& path, std::uint64_t at) {
    put_byte(path, at, static_cast<char>(bytes_of(path).at(at) ^ 0x10));
}

}  // namespace

TEST_CASE("rows come as HDF5 wrote them, whatever the filters, the layout and the number of threads",
          "[store][threads]") {
    const TemporaryFolder folder;
    const unsigned threads = GENERATE(1u, 2u, 5u);
    struct Case {
        const char* name;
        hid_t type;
        void (*describe)(hid_t);
    };
    const std::array<unsigned, 7> blosc{2, 2, 2, 64 * kColumns * 2, 5, 2, 1};
    static const std::array<unsigned, 7> blosc_values = blosc;
    const std::vector<Case> cases{
        {"plain chunks", H5T_NATIVE_UINT16, [](hid_t c) { chunks_of(c, 64); }},
        {"checksum", H5T_NATIVE_UINT16, [](hid_t c) { chunks_of(c, 64), H5Pset_fletcher32(c); }},
        {"deflate, checksum", H5T_NATIVE_UINT16,
         [](hid_t c) { chunks_of(c, 64), H5Pset_deflate(c, 6), H5Pset_fletcher32(c); }},
        {"shuffle, deflate, checksum", H5T_NATIVE_UINT16,
         [](hid_t c) { chunks_of(c, 64), H5Pset_shuffle(c), H5Pset_deflate(c, 1), H5Pset_fletcher32(c); }},
        {"blosc, checksum", H5T_NATIVE_UINT16,
         [](hid_t c) {
             chunks_of(c, 64);
             H5Pset_filter(c, h5::kBloscFilter, H5Z_FLAG_OPTIONAL, 7, blosc_values.data());
             H5Pset_fletcher32(c);
         }},
        {"a chunk of all rows", H5T_NATIVE_UINT16, [](hid_t c) { chunks_of(c, kRows), H5Pset_deflate(c, 1); }},
        // What only HDF5 can read.
        {"contiguous", H5T_NATIVE_UINT16, [](hid_t) {}},
        {"chunks that cut rows", H5T_NATIVE_UINT16, [](hid_t c) { chunks_of(c, 64, 7), H5Pset_deflate(c, 1); }},
        {"another order of filters", H5T_NATIVE_UINT16,
         [](hid_t c) { chunks_of(c, 64), H5Pset_fletcher32(c), H5Pset_deflate(c, 1); }},
        {"a foreign filter", H5T_NATIVE_UINT16,
         [](hid_t c) { chunks_of(c, 64), H5Pset_scaleoffset(c, H5Z_SO_INT, H5Z_SO_INT_MINBITS_DEFAULT); }},
        {"another type", H5T_STD_I32BE, [](hid_t c) { chunks_of(c, 64), H5Pset_deflate(c, 1); }},
    };
    for (const Case& one : cases) {
        INFO(one.name);
        const Dataset written{folder / "a.h5", one.type, one.describe};
        const h5::Handle file = open(folder / "a.h5");
        h5::ChunkReader reader{file.get(), "numbers", H5T_NATIVE_UINT16, threads};
        REQUIRE(reader.rows() == kRows);
        REQUIRE(reader.row_bytes() == 2 * kColumns);
        bool right = true;
        for (std::size_t r = 0; r < kRows; ++r) right = right && reads(reader, r, 1);
        CHECK(right);
        CHECK(reads(reader, 0, kRows));  // back, and over all chunks
        CHECK(reads(reader, 900, 100));  // ahead
        CHECK(reads(reader, 63, 2));
        CHECK(reads(reader, 130, 1));
        CHECK(reads(reader, kRows, 0));
        CHECK(refusal(reader, kRows) == "/numbers has 1000 rows, rows 1000 to 1000 were asked for");
    }
}

TEST_CASE("a damaged chunk is told when its rows are asked for, by name, and the others are read", "[store][threads]") {
    const TemporaryFolder folder;
    const std::filesystem::path path = folder / "a.h5";
    const unsigned threads = GENERATE(1u, 2u, 4u);
    const bool deflate = GENERATE(false, true);
    const Dataset written{path, H5T_NATIVE_UINT16, [&](hid_t c) {
                              chunks_of(c, 100);
                              if (deflate) H5Pset_deflate(c, 1);
                              H5Pset_fletcher32(c);
                          }};
    const Where chunk = chunk_in(path, 300);
    flip_byte(path, chunk.at + chunk.bytes / 2);
    const h5::Handle file = open(path);
    h5::ChunkReader reader{file.get(), "numbers", H5T_NATIVE_UINT16, threads};
    for (std::size_t r = 0; r < 300; ++r) REQUIRE(reads(reader, r, 1));
    const std::string sentence = "cannot read rows 300 to 399 of /numbers: data error detected by Fletcher32 checksum";
    REQUIRE(refusal(reader, 300) == sentence);
    REQUIRE(refusal(reader, 399) == sentence);  // and again
    for (std::size_t r = 400; r < kRows; ++r) REQUIRE(reads(reader, r, 1));
    // So it is by read_rows().
    std::vector<std::uint16_t> row(kColumns);
    REQUIRE_THROWS_WITH(h5::read_rows(file.get(), "numbers", 350, 1, H5T_NATIVE_UINT16, row.data()),
                        Catch::Contains("data error detected by Fletcher32 checksum"));
}

TEST_CASE("chunks that hold less than a damaged header makes of them are refused, not read beyond",
          "[store][hostile]") {
    const TemporaryFolder folder;
    const std::filesystem::path path = folder / "a.h5";
    const auto describe = GENERATE(
        +[](hid_t c) { chunks_of(c, 100); }, +[](hid_t c) { chunks_of(c, 100), H5Pset_fletcher32(c); },
        +[](hid_t c) { chunks_of(c, 100), H5Pset_deflate(c, 1), H5Pset_fletcher32(c); },
        +[](hid_t c) { chunks_of(c, 64, 7), H5Pset_deflate(c, 1); });
    const Dataset written{path, H5T_NATIVE_UINT16, describe};
    // A bit of the type's size: elements of 65,538 bytes. The message: class and version, sign, size, offset,
    // precision.
    const std::string bytes = bytes_of(path);
    const std::size_t type_at = bytes.find(std::string{"\x10\0\0\0\2\0\0\0\0\0\x10\0", 12});
    REQUIRE(type_at != std::string::npos);
    put_byte(path, type_at + 6, '\1');

    const h5::Handle file = open(path);
    const h5::Handle dataset{H5Dopen2(file.get(), "numbers", H5P_DEFAULT)}, type{H5Dget_type(dataset.get())};
    REQUIRE(H5Tget_size(type.get()) == 65'538);
    std::vector<std::byte> row(kColumns * 65'538);
    CHECK_THROWS_WITH(h5::read_rows(file.get(), "numbers", 350, 1, type.get(), row.data()),
                      Catch::Contains("cannot read rows 350 to 350 of /numbers"));
    CHECK_THROWS_WITH(h5::read_rows(file.get(), "numbers", 350, 1, H5T_NATIVE_UINT16, row.data()),
                      Catch::Contains("its numbers are of no usual type"));
    h5::ChunkReader reader{file.get(), "numbers", type.get(), 1};
    CHECK_THROWS_AS(reader.read(350, 1, row), Error);
}

TEST_CASE("filters with parameters by which HDF5 cannot undo them are damage", "[store][hostile]") {
    struct Case {
        void (*describe)(hid_t);
        const char* name;    // of the filter, as it stands in the file, filled up to 8 bytes
        std::size_t offset;  // of a byte of its values behind that
        char value;
        const char* sentence;
    };
    static constexpr std::array<unsigned, 7> blosc{2, 2, 2, 64 * kColumns * 2, 5, 2, 1};
    const std::vector<Case> cases{
        {[](hid_t c) { chunks_of(c, 100), H5Pset_shuffle(c); }, "shuffle", 0, 5, "not made for elements of 2 bytes"},
        {[](hid_t c) { chunks_of(c, 100), H5Pset_deflate(c, 1); }, "deflate", 1, 1, "a level that there is not"},
        {[](hid_t c) {
             chunks_of(c, 64);
             H5Pset_filter(c, h5::kBloscFilter, H5Z_FLAG_OPTIONAL, blosc.size(), blosc.data());
         },
         "blosc", 25, 1, "a compressor that there is not"}};
    for (const Case& one : cases) {
        CAPTURE(one.name);
        const TemporaryFolder folder;
        const std::filesystem::path path = folder / "a.h5";
        const Dataset written{path, H5T_NATIVE_UINT16, one.describe};
        const std::string bytes = bytes_of(path);
        const std::size_t name_at = bytes.find(one.name);
        REQUIRE(name_at != std::string::npos);
        put_byte(path, name_at + 8 + one.offset, one.value);

        const h5::Handle file = open(path);
        std::vector<std::uint16_t> row(kColumns);
        CHECK_THROWS_WITH(h5::read_rows(file.get(), "numbers", 350, 1, H5T_NATIVE_UINT16, row.data()),
                          Catch::Contains("cannot read rows 350 to 350 of /numbers") && Catch::Contains(one.sentence));
        CHECK_THROWS_WITH((h5::ChunkReader{file.get(), "numbers", H5T_NATIVE_UINT16, 1}),
                          Catch::Contains("/numbers: its ") && Catch::Contains(one.sentence));
    }
}

TEST_CASE("a chunk that was never written is refused, not made up", "[store][hostile]") {
    const TemporaryFolder folder;
    const std::filesystem::path path = folder / "a.h5";
    {
        h5::prepare();
        const h5::Handle file{H5Fcreate(path.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT)};
        const std::array<hsize_t, 2> size{kRows, kColumns};
        const h5::Handle space{H5Screate_simple(2, size.data(), nullptr)};
        const h5::Handle creation{H5Pcreate(H5P_DATASET_CREATE)};
        chunks_of(creation.get(), 100);
        H5Pset_fletcher32(creation.get());
        const h5::Handle dataset{H5Dcreate2(file.get(), "numbers", H5T_NATIVE_UINT16, space.get(), H5P_DEFAULT,
                                            creation.get(), H5P_DEFAULT)};
    }
    const unsigned threads = GENERATE(1u, 3u);
    const h5::Handle file = open(path);
    h5::ChunkReader reader{file.get(), "numbers", H5T_NATIVE_UINT16, threads};
    REQUIRE_THAT(refusal(reader, 250),
                 Catch::Contains("cannot read rows 200 to 299 of /numbers: a chunk was never written"));
}

TEST_CASE("a dataset of more chunks than are walked over is read as well, damage included", "[store][threads]") {
    constexpr std::size_t kMany = 40'000;
    const TemporaryFolder folder;
    const std::filesystem::path path = folder / "a.h5";
    {
        h5::prepare();
        const h5::Handle file{H5Fcreate(path.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT)};
        const hsize_t size = kMany, chunk = 1;
        const h5::Handle space{H5Screate_simple(1, &size, nullptr)};
        const h5::Handle creation{H5Pcreate(H5P_DATASET_CREATE)};
        H5Pset_chunk(creation.get(), 1, &chunk);
        H5Pset_fletcher32(creation.get());
        const h5::Handle dataset{H5Dcreate2(file.get(), "numbers", H5T_NATIVE_UINT16, space.get(), H5P_DEFAULT,
                                            creation.get(), H5P_DEFAULT)};
        std::vector<std::uint16_t> numbers;
        for (std::size_t r = 0; r < kMany; ++r) numbers.push_back(element(r, 0));
        REQUIRE(H5Dwrite(dataset.get(), H5T_NATIVE_UINT16, H5S_ALL, H5S_ALL, H5P_DEFAULT, numbers.data()) >= 0);
    }
    const unsigned threads = GENERATE(1u, 3u);
    const auto value = [](h5::ChunkReader& reader, std::size_t row) {
        std::uint16_t one = 0;
        reader.read(row, 1, std::as_writable_bytes(std::span{&one, 1}));
        return one;
    };
    {
        const h5::Handle file = open(path);
        h5::ChunkReader reader{file.get(), "numbers", H5T_NATIVE_UINT16, threads};
        std::size_t wrong = 0;
        for (std::size_t r = 0; r < kMany; ++r) wrong += value(reader, r) == element(r, 0) ? 0 : 1;
        REQUIRE(wrong == 0);
    }
    flip_byte(path, chunk_in(path, 35'000).at);
    const h5::Handle file = open(path);
    h5::ChunkReader reader{file.get(), "numbers", H5T_NATIVE_UINT16, threads};
    REQUIRE(value(reader, 34'999) == element(34'999, 0));
    REQUIRE_THROWS_WITH(value(reader, 35'000),
                        "cannot read rows 35000 to 35000 of /numbers: data error detected by Fletcher32 checksum");
    REQUIRE(value(reader, 35'001) == element(35'001, 0));
}

TEST_CASE("a file with a user block before it is read as well", "[store][threads]") {
    const TemporaryFolder folder;
    const std::filesystem::path path = folder / "a.h5";
    {
        h5::prepare();
        const h5::Handle places{H5Pcreate(H5P_FILE_CREATE)};
        H5Pset_userblock(places.get(), 512);
        const h5::Handle file{H5Fcreate(path.c_str(), H5F_ACC_TRUNC, places.get(), H5P_DEFAULT)};
        const hsize_t size = 100, chunk = 10;
        const h5::Handle space{H5Screate_simple(1, &size, nullptr)};
        const h5::Handle creation{H5Pcreate(H5P_DATASET_CREATE)};
        H5Pset_chunk(creation.get(), 1, &chunk);  // no checksum: nothing would tell a wrong place
        const h5::Handle dataset{H5Dcreate2(file.get(), "numbers", H5T_NATIVE_UINT16, space.get(), H5P_DEFAULT,
                                            creation.get(), H5P_DEFAULT)};
        std::vector<std::uint16_t> numbers;
        for (std::size_t r = 0; r < size; ++r) numbers.push_back(element(r, 0));
        REQUIRE(H5Dwrite(dataset.get(), H5T_NATIVE_UINT16, H5S_ALL, H5S_ALL, H5P_DEFAULT, numbers.data()) >= 0);
    }
    const h5::Handle file = open(path);
    h5::ChunkReader reader{file.get(), "numbers", H5T_NATIVE_UINT16, 2};
    std::vector<std::uint16_t> numbers(100);
    reader.read(0, 100, std::as_writable_bytes(std::span{numbers}));
    std::size_t wrong = 0;
    for (std::size_t r = 0; r < 100; ++r) wrong += numbers[r] == element(r, 0) ? 0 : 1;
    REQUIRE(wrong == 0);
}

TEST_CASE("a reader that nobody asks any more ends with its threads", "[store][threads]") {
    const TemporaryFolder folder;
    const Dataset written{folder / "a.h5", H5T_NATIVE_UINT16, [](hid_t c) { chunks_of(c, 1), H5Pset_deflate(c, 1); }};
    const h5::Handle file = open(folder / "a.h5");
    for (std::size_t asked = 0; asked < 20; ++asked) {
        h5::ChunkReader reader{file.get(), "numbers", H5T_NATIVE_UINT16, 4};
        if (asked > 0) REQUIRE(reads(reader, 0, asked));
    }
}
