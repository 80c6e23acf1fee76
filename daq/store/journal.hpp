#pragma once
// The journal: what must not be lost, in the order it came. A header, then frames (daq/core/frame.hpp) exactly as the
// daemon sent them. It is append-only, and what sync() has returned for is on the disk. A torn tail after a crash is
// normal: nothing in it was acknowledged.
//
//   offset size
//        0    8  magic "ALYJRNL\n"
//        8    4  version (kJournalVersion)
//       12    4  part
//       16    8  run
//       24    8  first ordinal of its own: frames below it repeat what the part needs (run_start, calibration in force)
//       32    8  when it was made [ns since 1970]
//       40   20  zeros
//       60    4  CRC-32 over the 60 bytes before
//       64       frames, each a multiple of 8 bytes

#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "daq/core/frame.hpp"
#include "daq/store/files.hpp"
#include "daq/store/part_name.hpp"

namespace alleycat {

inline constexpr std::uint32_t kJournalVersion = 1;

struct JournalHeader {
    std::array<char, 8> magic{'A', 'L', 'Y', 'J', 'R', 'N', 'L', '\n'};
    std::uint32_t version = kJournalVersion;
    std::uint32_t part = 0;
    std::uint64_t run = 0;
    std::uint64_t first_ordinal = 0;
    std::int64_t utc_ns = 0;
    std::array<std::uint8_t, 20> reserved{};
    std::uint32_t crc = 0;
};
static_assert(sizeof(JournalHeader) == 64);

/// Appends frames. Small frames are gathered and written together; a frame is in the file after sync() only.
/// After a DiskError it takes nothing more: the kernel may take pages it could not write for clean, so that syncing
/// once more would succeed and promise nothing. What stands up to synced_bytes() is on the disk; what is behind it is
/// to be cut off (reopen) and written again.
class JournalWriter {
  public:
    /// Makes a journal, durable in its folder. Throws Error when the file exists.
    [[nodiscard]] static JournalWriter create(const std::filesystem::path& path, const PartName& name,
                                              std::uint64_t first_ordinal);
    /// Goes on behind the `whole_bytes` that JournalReader found good; what follows is cut off.
    [[nodiscard]] static JournalWriter reopen(const std::filesystem::path& path, std::uint64_t whole_bytes);

    void append(std::span<const std::byte> frame);
    /// Everything appended so far is on the disk when this returns.
    void sync();
    [[nodiscard]] std::uint64_t bytes() const noexcept { return written_ + gathered_.size(); }
    [[nodiscard]] std::uint64_t synced_bytes() const noexcept { return synced_bytes_; }
    [[nodiscard]] const std::filesystem::path& path() const noexcept { return path_; }

  private:
    JournalWriter(std::filesystem::path path, FileDescriptor file, std::uint64_t written);
    void write(std::span<const std::byte> bytes);
    void write_gathered();
    template <class Do>
    void once(const Do& action);

    std::filesystem::path path_;
    FileDescriptor file_;
    std::uint64_t written_ = 0;       ///< bytes in the file
    std::uint64_t synced_bytes_ = 0;  ///< of them on the disk
    std::uint64_t begun_bytes_ = 0;   ///< of them on their way there
    bool failed_ = false;
    std::vector<std::byte> gathered_;  ///< frames that wait to be written together
};

/// Reads frames one after another and stops at the first that is not whole: the end, or the tear.
class JournalReader {
  public:
    static constexpr std::uint64_t kWhole = ~std::uint64_t{0};

    /// Throws Error when the file is absent, is no journal or its header is damaged. Bytes from `trusted_bytes` on are
    /// taken as not there.
    explicit JournalReader(std::filesystem::path path, std::uint64_t trusted_bytes = kWhole);
    /// What next() gives from here on comes from the disk: what a failed sync left in memory only is not seen. Throws
    /// DiskError when the disk does not take what is still to be written.
    void read_from_disk();

    [[nodiscard]] const JournalHeader& header() const noexcept { return header_; }
    [[nodiscard]] PartName name() const noexcept { return {header_.run, header_.part}; }
    /// The next frame, valid until the next call; false at the end or at the first frame that is not whole.
    [[nodiscard]] bool next(FrameView& frame);
    /// After next() gave false: every byte of the file was read.
    [[nodiscard]] bool complete() const noexcept { return whole_bytes_ == file_bytes_; }
    /// Header and whole frames.
    [[nodiscard]] std::uint64_t whole_bytes() const noexcept { return whole_bytes_; }
    /// After next() gave false: "run_..journal: cut short at byte 7128, behind frame 41"; "" when complete.
    [[nodiscard]] const std::string& why() const noexcept { return why_; }
    /// Whole frames stand behind the tear, where only damage or an unsynced power cut leaves any. Looks at the rest of
    /// the file in blocks.
    [[nodiscard]] bool frames_behind_the_tear();

  private:
    bool stop(std::string_view what);
    /// Makes `n` bytes from whole_bytes_ on available, fewer at the end of the file.
    [[nodiscard]] std::span<const std::byte> look(std::size_t n);
    [[nodiscard]] bool is_frame(std::uint64_t offset, const FrameHeader& head,
                                std::vector<std::uint64_t>& memory) const;

    std::filesystem::path path_;
    FileDescriptor file_;
    std::uint64_t file_bytes_ = 0;
    JournalHeader header_;
    std::uint64_t whole_bytes_ = 0;
    std::uint64_t last_ordinal_ = 0;
    bool any_ = false, stopped_ = false;
    std::string why_;
    std::vector<std::uint64_t> buffer_;  ///< 8-byte aligned, as read_frame asks
    std::uint64_t buffer_offset_ = 0;    ///< in the file
    std::size_t buffer_bytes_ = 0;
};

}  // namespace alleycat
