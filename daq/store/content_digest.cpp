#include "daq/store/content_digest.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>

#include "daq/core/error.hpp"
#include "daq/store/chunk_codec.hpp"
#include "daq/store/sha256.hpp"

namespace alleycat::h5 {
namespace {

constexpr const char* kAttribute = "content_sha256";
constexpr int kDeepest = 16;                    // groups within groups; ours are four deep
constexpr std::size_t kMostOutside = 64 << 20;  // bytes of an attribute or a dataset without chunks
constexpr hsize_t kMostToWalkOver = 1 << 13;    // HDF5 1.10 finds a place by walking over all chunks before it
constexpr std::size_t kChunkWorthReading = 1
                                           << 16;  // a smaller one is fetched whole, of a larger one its checksum only

/// The machine's own type of this kind and size: what our columns are of.
hid_t usual_type(H5T_class_t kind, std::size_t bytes, bool is_signed) {
    if (kind == H5T_FLOAT) return bytes == 4 ? H5T_NATIVE_FLOAT : bytes == 8 ? H5T_NATIVE_DOUBLE : H5I_INVALID_HID;
    switch (bytes) {
        case 1: return is_signed ? H5T_NATIVE_INT8 : H5T_NATIVE_UINT8;
        case 2: return is_signed ? H5T_NATIVE_INT16 : H5T_NATIVE_UINT16;
        case 4: return is_signed ? H5T_NATIVE_INT32 : H5T_NATIVE_UINT32;
        case 8: return is_signed ? H5T_NATIVE_INT64 : H5T_NATIVE_UINT64;
        default: return H5I_INVALID_HID;
    }
}

std::string type_name(hid_t type) {
    const std::size_t bytes = H5Tget_size(type);
    const H5T_class_t kind = H5Tget_class(type);
    if (kind == H5T_STRING) {
        const H5T_cset_t letters = H5Tget_cset(type);
        const H5T_str_t filled = H5Tget_strpad(type);
        const bool known = (letters == H5T_CSET_ASCII || letters == H5T_CSET_UTF8) && filled >= H5T_STR_NULLTERM &&
                           filled <= H5T_STR_SPACEPAD;
        return fmt::format("text{}{}", H5Tis_variable_str(type) > 0 ? "" : std::to_string(bytes), known ? "" : "odd");
    }
    if (kind != H5T_INTEGER && kind != H5T_FLOAT) return fmt::format("class{}_{}", static_cast<int>(kind), bytes);
    const bool is_signed = kind == H5T_FLOAT || H5Tget_sign(type) != H5T_SGN_NONE;
    // Another order of bytes, bits left out or shifted: HDF5 reads other values then, from the same bytes.
    const hid_t usual = usual_type(kind, bytes, is_signed);
    const char* const odd = usual >= 0 && H5Tequal(type, usual) > 0 ? "" : "odd";
    return fmt::format("{}{}{}", kind == H5T_FLOAT ? 'f' : is_signed ? 'i' : 'u', 8 * bytes, odd);
}

std::string joined(std::span<const hsize_t> numbers, char between) {
    std::string text;
    for (const hsize_t n : numbers) text += (text.empty() ? "" : std::string{between}) + std::to_string(n);
    return text.empty() ? "scalar" : text;
}

std::string hex(std::span<const std::byte> bytes) {
    std::string text;
    text.reserve(2 * bytes.size());
    for (const std::byte b : bytes) fmt::format_to(std::back_inserter(text), "{:02x}", static_cast<unsigned>(b));
    return text;
}

std::vector<hsize_t> size_of(hid_t space) {
    std::vector<hsize_t> size(H5S_MAX_RANK);
    const int rank = H5Sget_simple_extent_dims(space, size.data(), nullptr);
    size.resize(static_cast<std::size_t>(std::max(rank, 0)));
    return size;
}

class Walk {
  public:
    enum class Damage : std::uint8_t { ends_it, is_passed_over };
    Walk(hid_t file, Damage damage) : file_{file}, damage_{damage} {}

    std::string digest() {
        add_group("/", 0);
        return sha_.finish();
    }

  private:
    template <class... Parts>
    void line(fmt::format_string<Parts...> form, Parts&&... parts) {
        sha_.add(fmt::format(form, std::forward<Parts>(parts)...) + "\n");
    }

    template <class Do>
    void step(const Do& action) {
        if (damage_ == Damage::ends_it) return action();
        try {
            action();
        } catch (const Error&) {
            // What stands beside it is looked at all the same.
        }
    }

    void add_group(const std::string& path, int depth) {
        if (depth > kDeepest) throw Error{fmt::format("{}: its groups are nested without end", path)};
        const Handle group = open_group(file_, path);
        line("group {}", path);
        step([&] { add_attributes(group.get(), path); });
        for (const std::string& name : sorted_links(path))
            step([&] { add_object(path == "/" ? "/" + name : path + "/" + name, depth + 1); });
    }

    void add_object(const std::string& path, int depth) {
        H5O_info_t object{};
        check(H5Oget_info_by_name2(file_, path.c_str(), &object, H5O_INFO_BASIC, H5P_DEFAULT),
              path + " cannot be looked at");
        switch (object.type) {
            case H5O_TYPE_GROUP: add_group(path, depth); break;
            case H5O_TYPE_DATASET: add_dataset(path); break;
            default: line("other {}", path);
        }
    }

    std::vector<std::string> sorted_links(const std::string& path) {
        std::vector<std::string> names = links(file_, path);
        std::sort(names.begin(), names.end());
        return names;
    }

    void add_attributes(hid_t object, const std::string& path) {
        std::vector<std::string> names;
        const auto collect = [](hid_t, const char* name, const H5A_info_t*, void* into) -> herr_t {
            static_cast<std::vector<std::string>*>(into)->emplace_back(name);
            return 0;
        };
        check(H5Aiterate2(object, H5_INDEX_NAME, H5_ITER_INC, nullptr, collect, &names),
              path + ": its attributes cannot be listed");
        std::sort(names.begin(), names.end());
        for (const std::string& name : names) {
            if (path == "/summary" && name == kAttribute && damage_ == Damage::ends_it) continue;
            step([&] { add_attribute(object, path, name); });
        }
    }

    void add_attribute(hid_t object, const std::string& path, const std::string& name) {
        const Handle attribute{
            check(H5Aopen(object, name.c_str(), H5P_DEFAULT), fmt::format("{}: no attribute {}", path, name))};
        const Handle type{H5Aget_type(attribute.get())}, space{H5Aget_space(attribute.get())};
        const auto read = [&](hid_t in_memory, void* into) { return H5Aread(attribute.get(), in_memory, into); };
        line("attribute {} {} {} {}", name, type_name(type.get()), joined(size_of(space.get()), 'x'),
             hex(content(type.get(), space.get(), read, fmt::format("{}: attribute {}", path, name))));
    }

    void add_dataset(const std::string& path) {
        const Handle dataset{check(H5Dopen2(file_, path.c_str(), H5P_DEFAULT), path + " cannot be opened")};
        const Handle type{H5Dget_type(dataset.get())}, space{H5Dget_space(dataset.get())};
        const Handle creation{H5Dget_create_plist(dataset.get())};
        const std::vector<hsize_t> size = size_of(space.get());
        line("dataset {} {} {}", path, type_name(type.get()), joined(size, 'x'));
        step([&] { add_attributes(dataset.get(), path); });
        if (H5Pget_layout(creation.get()) != H5D_CHUNKED) {
            const auto read = [&](hid_t in_memory, void* into) {
                return H5Dread(dataset.get(), in_memory, H5S_ALL, H5S_ALL, H5P_DEFAULT, into);
            };
            line("content {}", hex(content(type.get(), space.get(), read, path)));
            return;
        }
        std::vector<hsize_t> chunk(size.size());
        if (H5Pget_chunk(creation.get(), static_cast<int>(chunk.size()), chunk.data()) < 0 || size.empty())
            throw Error{path + ": its chunks have no shape"};
        line("chunks {} filters {}", joined(chunk, 'x'), filters(creation.get()));
        check_all_written(dataset.get(), path);
        const std::size_t bytes = H5Tget_size(type.get());
        add_chunks(dataset.get(), path, size, chunk, bytes);
    }

    static std::string filters(hid_t creation) {
        std::vector<hsize_t> ids;
        for (int i = 0; i < H5Pget_nfilters(creation); ++i) {
            unsigned flags = 0, configuration = 0;
            std::size_t values = 0;
            ids.push_back(static_cast<hsize_t>(H5Pget_filter2(creation, static_cast<unsigned>(i), &flags, &values,
                                                              nullptr, 0, nullptr, &configuration)));
        }
        return joined(ids, ',');
    }

    void add_chunks(hid_t dataset, const std::string& path, const std::vector<hsize_t>& size,
                    const std::vector<hsize_t>& chunk, std::size_t item_bytes) {
        if (size[0] == 0) return;
        hsize_t chunk_bytes = item_bytes;
        for (const hsize_t n : chunk) chunk_bytes *= n;
        std::vector<hsize_t> at(size.size(), 0);
        const std::optional<int> descriptor = descriptor_of(file_);
        const bool walk = descriptor && chunk_bytes > kChunkWorthReading && size[0] / chunk[0] < kMostToWalkOver;
        for (bool more = true; more;) {
            const Chunk found = walk ? look_at(dataset, at, *descriptor) : fetch(dataset, at);
            if (found.bytes < kChecksumBytes) throw Error{fmt::format("{}: a chunk was never written", path)};
            line("chunk {} {} {} {:08x}", joined(at, ','), found.skipped_filters, found.bytes, found.checksum);
            more = false;
            for (std::size_t d = size.size(); d-- > 0 && !more;) {  // as an odometer
                at[d] += chunk[d];
                more = at[d] < size[d];
                if (!more) at[d] = 0;
            }
        }
    }

    struct Chunk {
        std::uint32_t skipped_filters = 0;
        hsize_t bytes = 0;
        std::uint32_t checksum = 0;  ///< its last four bytes
    };

    /// A small chunk, through HDF5, which finds it by its tree.
    Chunk fetch(hid_t dataset, const std::vector<hsize_t>& at) {
        Chunk found;
        check(H5Dget_chunk_storage_size(dataset, at.data(), &found.bytes), "HDF5 does not know a chunk's size");
        if (found.bytes < kChecksumBytes || found.bytes > file_bytes(file_)) return {};
        packed_.resize(found.bytes);
        check(H5Dread_chunk(dataset, H5P_DEFAULT, at.data(), &found.skipped_filters, packed_.data()),
              "HDF5 cannot read a chunk");
        std::memcpy(&found.checksum, packed_.data() + (found.bytes - kChecksumBytes), kChecksumBytes);
        return found;
    }

    /// Of a large one only the place: the checksum is read there.
    Chunk look_at(hid_t dataset, const std::vector<hsize_t>& at, int descriptor) {
        Chunk found;
        unsigned skipped = 0;
        haddr_t place = HADDR_UNDEF;
        check(H5Dget_chunk_info_by_coord(dataset, at.data(), &skipped, &place, &found.bytes),
              "HDF5 does not know a chunk's place");
        if (place == HADDR_UNDEF || found.bytes < kChecksumBytes) return {};
        found.skipped_filters = skipped;
        read_exactly(descriptor, std::as_writable_bytes(std::span{&found.checksum, 1}),
                     place + found.bytes - kChecksumBytes);
        return found;
    }

    /// The elements as they stand in memory; of texts their bytes, each with a zero behind.
    template <class Read>
    static std::vector<std::byte> content(hid_t type, hid_t space, const Read& read, const std::string& what) {
        const hssize_t n = H5Sget_simple_extent_npoints(space);
        const std::size_t item = H5Tget_size(type);
        if (n < 0 || item == 0 || static_cast<std::size_t>(n) > kMostOutside / item)
            throw Error{what + ": is too large to be ours"};
        std::vector<std::byte> bytes;
        if (n == 0) return bytes;
        if (H5Tis_variable_str(type) > 0) {
            std::vector<char*> texts(static_cast<std::size_t>(n), nullptr);
            check(read(type, texts.data()), what + " cannot be read");
            for (char* const text : texts) {
                const std::string_view view{text != nullptr ? text : ""};
                const auto as_bytes = std::as_bytes(std::span{view});
                bytes.insert(bytes.end(), as_bytes.begin(), as_bytes.end());
                bytes.push_back(std::byte{0});
                H5free_memory(text);
            }
            return bytes;
        }
        if (H5Tdetect_class(type, H5T_VLEN) > 0) throw Error{what + ": is of a type that is not ours"};
        bytes.resize(static_cast<std::size_t>(n) * item);
        check(read(type, bytes.data()), what + " cannot be read");
        return bytes;
    }

    hid_t file_;
    Damage damage_;
    Sha256 sha_;
    std::vector<std::byte> packed_;
};

}  // namespace

std::string content_digest(hid_t file) { return Walk{file, Walk::Damage::ends_it}.digest(); }

void try_everything(hid_t file) { (void)Walk{file, Walk::Damage::is_passed_over}.digest(); }

void put_content_digest(hid_t file) {
    check(H5Fflush(file, H5F_SCOPE_LOCAL), "cannot be flushed");
    put_text(open_group(file, "summary").get(), kAttribute, content_digest(file));
}

std::optional<std::string> get_content_digest(hid_t file) {
    if (!exists(file, "summary")) return std::nullopt;
    return get_text(open_group(file, "summary").get(), kAttribute);
}

}  // namespace alleycat::h5
