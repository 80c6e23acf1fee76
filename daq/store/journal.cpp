#include "daq/store/journal.hpp"

#include <fcntl.h>
#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "daq/core/error.hpp"
#include "daq/core/time.hpp"

namespace alleycat {
namespace {

constexpr std::size_t kGather = 1 << 20;    // one write(2) for this much of small frames
constexpr std::size_t kBigFrame = 1 << 18;  // from here on copying costs more than a call
constexpr std::size_t kReadAhead = 1 << 22;
constexpr std::uint64_t kWriteBack = 1 << 23;  // a disk at work all the time, not only when it is synced

std::uint32_t header_crc(const JournalHeader& header) {
    return crc32(std::as_bytes(std::span{&header, 1}).first(offsetof(JournalHeader, crc)));
}

}  // namespace

JournalWriter::JournalWriter(std::filesystem::path path, FileDescriptor file, std::uint64_t written)
    : path_{std::move(path)}, file_{std::move(file)}, written_{written} {
    gathered_.reserve(kGather);
}

JournalWriter JournalWriter::create(const std::filesystem::path& path, const PartName& name,
                                    std::uint64_t first_ordinal) {
    JournalHeader header;
    header.part = name.part;
    header.run = name.run;
    header.first_ordinal = first_ordinal;
    header.utc_ns = utc_now().time_since_epoch().count();
    header.crc = header_crc(header);
    JournalWriter journal{path, open_file(path, O_WRONLY | O_CREAT | O_EXCL), 0};
    journal.append(std::as_bytes(std::span{&header, 1}));
    journal.sync();
    sync_folder(folder_of(path));
    return journal;
}

JournalWriter JournalWriter::reopen(const std::filesystem::path& path, std::uint64_t whole_bytes) {
    JournalWriter journal{path, open_file(path, O_WRONLY), whole_bytes};
    truncate_at(journal.file_, whole_bytes, path);
    sync_data(journal.file_, path);
    journal.synced_bytes_ = journal.begun_bytes_ = whole_bytes;
    return journal;
}

/// After a failure never again.
template <class Do>
void JournalWriter::once(const Do& action) {
    if (failed_) throw DiskError{fmt::format("{}: the disk has refused this journal before", path_.string()), EIO};
    failed_ = true;
    action();
    failed_ = false;
}

void JournalWriter::write(std::span<const std::byte> bytes) {
    once([&] { write_at(file_, bytes, written_, path_); });
    written_ += bytes.size();
    if (written_ < begun_bytes_ + kWriteBack) return;
    begin_writing_back(file_, begun_bytes_, written_ - begun_bytes_);
    begun_bytes_ = written_;
}

void JournalWriter::write_gathered() {
    if (gathered_.empty()) return;
    write(gathered_);
    gathered_.clear();
}

void JournalWriter::append(std::span<const std::byte> frame) {
    if (gathered_.size() + frame.size() > kGather) write_gathered();
    if (frame.size() < kBigFrame) {
        gathered_.insert(gathered_.end(), frame.begin(), frame.end());
        return;
    }
    write_gathered();
    write(frame);
}

void JournalWriter::sync() {
    write_gathered();
    if (synced_bytes_ == written_) return;
    once([&] { sync_data(file_, path_); });
    synced_bytes_ = written_;
}

JournalReader::JournalReader(std::filesystem::path path, std::uint64_t trusted_bytes)
    : path_{std::move(path)}, file_{open_file(path_, O_RDONLY)} {
    file_bytes_ = std::min<std::uint64_t>(std::filesystem::file_size(path_), trusted_bytes);
    const std::size_t got = read_at(file_, std::as_writable_bytes(std::span{&header_, 1}), 0, path_);
    if (got < sizeof header_)
        throw Error{fmt::format("{}: cut short within its header, it holds no frame", path_.string())};
    if (header_.magic != JournalHeader{}.magic) throw Error{fmt::format("{}: is not a journal", path_.string())};
    if (header_.crc != header_crc(header_)) throw Error{fmt::format("{}: its header is damaged", path_.string())};
    if (header_.version > kJournalVersion) {
        throw Error{fmt::format("{}: has journal version {}, this program reads up to {}", path_.string(),
                                header_.version, kJournalVersion)};
    }
    whole_bytes_ = sizeof header_;
}

void JournalReader::read_from_disk() { forget_cached(file_, path_); }

std::span<const std::byte> JournalReader::look(std::size_t n) {
    const auto in_buffer = [&] {
        return buffer_offset_ + buffer_bytes_ - std::min(whole_bytes_, buffer_offset_ + buffer_bytes_);
    };
    if (in_buffer() < n && buffer_offset_ + buffer_bytes_ < file_bytes_) {
        const std::uint64_t left = file_bytes_ - whole_bytes_;
        const std::size_t size =
            static_cast<std::size_t>(std::min<std::uint64_t>(left, std::max(n, kReadAhead))) / sizeof(std::uint64_t) +
            1;
        if (buffer_.size() < size) buffer_.resize(size);
        buffer_offset_ = whole_bytes_;
        buffer_bytes_ = read_at(file_, std::as_writable_bytes(std::span{buffer_}), buffer_offset_, path_);
    }
    const std::span<const std::byte> all = std::as_bytes(std::span{buffer_}).first(buffer_bytes_);
    return whole_bytes_ < buffer_offset_ ? all.first(0)
                                         : all.subspan(static_cast<std::size_t>(whole_bytes_ - buffer_offset_));
}

bool JournalReader::stop(std::string_view what) {
    stopped_ = true;
    why_ = fmt::format("{}: {} at byte {}, {}", path_.string(), what, whole_bytes_,
                       any_ ? fmt::format("behind frame {}", last_ordinal_) : "before any frame");
    return false;
}

bool JournalReader::next(FrameView& frame) {
    if (stopped_ || whole_bytes_ >= file_bytes_) return false;
    std::span<const std::byte> bytes = look(sizeof(FrameHeader));
    if (bytes.size() >= sizeof(FrameHeader)) {
        FrameHeader head;
        std::memcpy(&head, bytes.data(), sizeof head);
        const std::uint64_t size = frame_bytes(head.body_bytes);
        // A length that cannot be is judged by read_frame; it is not a reason to take a gigabyte of memory.
        if (head.magic == kFrameMagic && size <= file_bytes_ - whole_bytes_)
            bytes = look(static_cast<std::size_t>(size));
    }
    FrameView found;
    const FrameError error = read_frame(bytes, found);
    if (error != FrameError::none) return stop(to_text(error));
    if (found.header.run != header_.run) return stop(fmt::format("a frame of run {}", found.header.run));
    if (any_ && found.header.ordinal <= last_ordinal_) return stop(fmt::format("frame {} again", found.header.ordinal));
    any_ = true;
    last_ordinal_ = found.header.ordinal;
    whole_bytes_ += found.bytes.size();
    frame = found;
    return true;
}

bool JournalReader::frames_behind_the_tear() {
    std::vector<std::uint64_t> block(kReadAhead / sizeof(std::uint64_t)), whole;
    const std::span<std::byte> bytes = std::as_writable_bytes(std::span{block});
    for (std::uint64_t offset = whole_bytes_ + 8; offset + sizeof(FrameHeader) <= file_bytes_;) {
        const std::size_t got = read_at(file_, bytes, offset, path_);
        std::size_t at = 0;
        for (; at + sizeof(FrameHeader) <= got; at += 8) {
            FrameHeader head;
            std::memcpy(&head, bytes.data() + at, sizeof head);
            if (head.magic == kFrameMagic && head.run == header_.run && is_frame(offset + at, head, whole)) return true;
        }
        if (at == 0) return false;
        offset += at;  // what is left is looked at again with what follows
    }
    return false;
}

bool JournalReader::is_frame(std::uint64_t offset, const FrameHeader& head, std::vector<std::uint64_t>& memory) const {
    const std::uint64_t size = frame_bytes(head.body_bytes);
    if (head.body_bytes > kMaxBodyBytes || size > file_bytes_ - offset) return false;
    if (memory.size() < size / 8) memory.resize(static_cast<std::size_t>(size / 8));
    const std::span<std::byte> bytes = std::as_writable_bytes(std::span{memory}).first(static_cast<std::size_t>(size));
    FrameView frame;
    return read_at(file_, bytes, offset, path_) == size && read_frame(bytes, frame) == FrameError::none;
}

}  // namespace alleycat
