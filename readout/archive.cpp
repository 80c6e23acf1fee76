#include "readout/archive.hpp"

#include <archive.h>
#include <archive_entry.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "daq/core/error.hpp"

namespace alleycat {
namespace {
constexpr std::size_t kReadBytes = 128 * 1024;  // of the packed file at a time

const char* text_of(archive* a) {
    const char* const text = archive_error_string(a);
    return text != nullptr ? text : "unknown cause";
}
}  // namespace

void ZipStream::Close::operator()(archive* a) const noexcept { archive_read_free(a); }

ZipStream::ZipStream(const std::filesystem::path& path) : archive_{archive_read_new()} {
    if (archive_ == nullptr) throw Error{fmt::format("{}: no memory to read a zip file", path.string())};
    archive_read_support_format_zip_streamable(archive_.get());
    if (archive_read_open_filename(archive_.get(), path.c_str(), kReadBytes) != ARCHIVE_OK) {
        throw Error{fmt::format("{}: cannot be read: {}", path.string(), text_of(archive_.get()))};
    }
}

void ZipStream::note_problem(Damage damage) {
    damage_ = damage;
    problem_ = text_of(archive_.get());
}

bool ZipStream::next_member() {
    block_ = {};
    while (damage_ != Damage::torn) {
        archive_entry* entry = nullptr;
        const int status = archive_read_next_header(archive_.get(), &entry);
        if (status == ARCHIVE_EOF) return false;
        if (status != ARCHIVE_OK && status != ARCHIVE_WARN) {
            note_problem(Damage::torn);
            return false;
        }
        if (archive_entry_filetype(entry) != AE_IFREG) continue;
        const char* const name = archive_entry_pathname(entry);
        member_ = name != nullptr ? name : "";
        member_ended_ = false;
        damage_ = Damage::none;
        problem_.clear();
        return true;
    }
    return false;
}

std::size_t ZipStream::read(std::span<std::byte> into) {
    std::size_t done = 0;
    while (done < into.size()) {
        if (block_.empty()) {
            if (member_ended_) break;
            const void* data = nullptr;
            std::size_t bytes = 0;
            la_int64_t offset = 0;
            const int status = archive_read_data_block(archive_.get(), &data, &bytes, &offset);
            if (status != ARCHIVE_OK) {
                member_ended_ = true;
                if (status == ARCHIVE_EOF) break;
                const bool all_came = status == ARCHIVE_WARN || status == ARCHIVE_FAILED;
                note_problem(all_came ? Damage::checksum : Damage::torn);
                // A checksum is found wrong together with the member's last bytes: these are handed out.
                if (!all_came || data == nullptr) break;
            }
            block_ = {static_cast<const std::byte*>(data), bytes};
            if (block_.empty()) continue;
        }
        const std::size_t now = std::min(into.size() - done, block_.size());
        std::memcpy(into.data() + done, block_.data(), now);
        block_ = block_.subspan(now);
        done += now;
    }
    return done;
}

std::uint64_t ZipStream::bytes_consumed() const noexcept {
    return static_cast<std::uint64_t>(std::max<la_int64_t>(archive_filter_bytes(archive_.get(), -1), 0));
}

}  // namespace alleycat
