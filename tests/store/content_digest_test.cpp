// The digest a part carries, made a second time by h5py from what FORMAT.md says.

#include "daq/store/content_digest.hpp"

#include <catch2/catch.hpp>

#include "builders.hpp"
#include "daq/store/single_file_writer.hpp"

using namespace alleycat;
using namespace alleycat::testing;

namespace {

constexpr const char* kSecondMethod = R"(
import hashlib, sys, h5py
from h5py import h5a, h5d

out = []

def type_name(t):
    if isinstance(t, h5py.h5t.TypeStringID):
        return "text" if t.is_variable_str() else f"text{t.get_size()}"
    bits = 8 * t.get_size()
    if isinstance(t, h5py.h5t.TypeFloatID):
        return f"f{bits}"
    return ("i" if t.get_sign() else "u") + str(bits)

def shape(space):
    return "x".join(map(str, space.shape)) or "scalar"

def content(value, t):
    if isinstance(t, h5py.h5t.TypeStringID):
        return (value if isinstance(value, bytes) else str(value).encode()) + b"\0"
    return value.tobytes()

def attributes(item, path):
    for name in sorted(item.attrs):
        if path == "/summary" and name == "content_sha256":
            continue
        a = h5a.open(item.id, name.encode())
        out.append(f"attribute {name} {type_name(a.get_type())} {shape(a.get_space())} {content(item.attrs[name], a.get_type()).hex()}")

def group(item, path):
    out.append(f"group {path}")
    attributes(item, path)
    for name in sorted(item):
        below = path.rstrip("/") + "/" + name
        if isinstance(item[name], h5py.Group):
            group(item[name], below)
        else:
            dataset(item[name], below)

def dataset(item, path):
    t, plist = item.id.get_type(), item.id.get_create_plist()
    out.append(f"dataset {path} {type_name(t)} {shape(item.id.get_space())}")
    attributes(item, path)
    if item.chunks is None:
        out.append(f"content {content(item[()], t).hex()}")
        return
    filters = ",".join(str(plist.get_filter(i)[0]) for i in range(plist.get_nfilters())) or "scalar"
    out.append(f"chunks {'x'.join(map(str, item.chunks))} filters {filters}")
    chunks = sorted((item.id.get_chunk_info(i) for i in range(item.id.get_num_chunks())), key=lambda c: c.chunk_offset)
    for c in chunks:
        data = open(sys.argv[1], "rb").read()[c.byte_offset:c.byte_offset + c.size]
        checksum = int.from_bytes(data[-4:], "little")
        out.append(f"chunk {','.join(map(str, c.chunk_offset))} {c.filter_mask} {c.size} {checksum:08x}")

with h5py.File(sys.argv[1], "r") as file:
    group(file, "/")
    print(hashlib.sha256(("\n".join(out) + "\n").encode()).hexdigest() == file["summary"].attrs["content_sha256"])
)";

}  // namespace

TEST_CASE("the digest in a part is the one h5py finds by FORMAT.md", "[store][digest]") {
    const Compression compression = GENERATE(Compression::none, Compression::deflate, Compression::blosc);
    const TemporaryFolder folder;
    SingleFileWriter writer{folder / "a.h5", compression, RawData::all};
    RunFrames frames{make_run(2)};
    writer.append(view(frames.start()));
    for (std::uint64_t s = 0; s < 1500; ++s) writer.append(view(frames.trigger(s)));
    writer.append(view(frames.trigger_without_veto(1500)));
    writer.append(view(frames.end(1501)));
    writer.finish();
    int status = 0;
    REQUIRE(run_python(kSecondMethod, {(folder / "a.h5").string()}, status) == "True\n");
    REQUIRE(status == 0);
}

TEST_CASE("letters of a set that there is not change the digest: others cannot read such a text", "[store][digest]") {
    const TemporaryFolder folder;
    const std::filesystem::path path = folder / "a.h5";
    {
        SingleFileWriter writer{path, Compression::none, RawData::all};
        RunFrames frames{make_run(2)};
        writer.append(view(frames.start()));
        writer.append(view(frames.trigger(0)));
        writer.append(view(frames.end(1)));
        writer.finish();
    }
    const auto is_as_written = [&] {
        const h5::Handle file{H5Fopen(path.c_str(), H5F_ACC_RDONLY, H5P_DEFAULT)};
        return h5::content_digest(file.get()) == h5::get_content_digest(file.get());
    };
    REQUIRE(is_as_written());
    const std::string bytes = bytes_of(path);
    // The type of a text in the heap: its class, text and not sequence, its letters (UTF-8), its size.
    const std::size_t type_at = bytes.find(std::string{"\x19\1\1\0\x10\0\0\0", 8});
    REQUIRE(type_at != std::string::npos);
    put_byte(path, type_at + 2, '\x9');
    REQUIRE_FALSE(is_as_written());
}
