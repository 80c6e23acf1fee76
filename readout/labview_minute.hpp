#pragma once
// One minute of 2015-17: a zip of waveforms, taken apart.

#include <array>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <filesystem>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <vector>

#include "readout/archive.hpp"
#include "readout/defect_log.hpp"
#include "readout/local_time.hpp"

namespace alleycat::labview {

/// The format: chunks of up to ten waveforms, each 7 columns of time stamp and 35,000 of samples, a column being one
/// byte per channel.
///
///     int32 big endian   columns that follow (35,007 per waveform); more than 350,070: LabVIEW's leftovers, the end
///     int32 big endian   channels, always 2
///     columns            (CsI, veto) pairs of int8; of the stamp's pairs the second byte counts: yy mm dd HH MM SS cc
inline constexpr std::size_t kChannels = 2;
inline constexpr std::size_t kStampColumns = 7;
inline constexpr std::size_t kSamples = 35'000;
inline constexpr std::size_t kColumns = kStampColumns + kSamples;
inline constexpr std::size_t kWaveformBytes = kColumns * kChannels;
inline constexpr std::size_t kMostColumns = 10 * kColumns;
inline constexpr std::size_t kChunkHeaderBytes = 8;
inline constexpr std::int64_t kHundredthPs = 10'000'000'000;  ///< one tick of the stamps [ps]

enum class ChunkKind { waveforms, leftovers, bad };
struct ChunkHeader {
    ChunkKind kind = ChunkKind::bad;
    std::size_t waveforms = 0;
};
[[nodiscard]] ChunkHeader decode_chunk_header(std::span<const std::byte, kChunkHeaderBytes> bytes) noexcept;

/// The stamp at a waveform's start as it stands there; whether it is a time is for is_valid() to say.
[[nodiscard]] LocalTime decode_stamp(std::span<const std::byte, kStampColumns * kChannels> bytes) noexcept;

/// (CsI, veto) pairs into shape (2, samples).
void deinterleave(std::span<const std::byte> pairs, std::span<std::byte> channels) noexcept;

/// A zip with a member that begins as a minute does; `why_not` says what else it is.
[[nodiscard]] bool is_minute(const std::filesystem::path& file, std::string& why_not);

/// "151002/120000.zip", for people who look at a folder of thousands; "120000.zip" when it is the only one.
[[nodiscard]] std::string short_name(const std::filesystem::path& minute, bool one_of_many);

/// Some waveforms of a minute, one behind the other, as they stand there.
struct MinuteBlock {
    static constexpr std::size_t kMost = 16;

    std::vector<std::byte>
        bytes;                  ///< room for kMost waveforms once the first is read; kept when the block is used again
    std::size_t waveforms = 0;  ///< whole ones in `bytes`
    DefectLog log;              ///< what was not as it should be since the block before
    std::uint64_t packed_bytes = 0;  ///< of the zip, read up to here
    bool last = false;               ///< the minute ends with it
    std::exception_ptr failure;      ///< of the program, not of the file: to be thrown where the block is used

    /// Columns and stamp: kWaveformBytes.
    [[nodiscard]] std::span<const std::byte, kWaveformBytes> waveform(std::size_t i) const {
        return std::span{bytes}.subspan(i * kWaveformBytes).first<kWaveformBytes>();
    }
    /// Where the next waveform goes; only while there are less than kMost.
    [[nodiscard]] std::span<std::byte, kWaveformBytes> free_place() {
        return std::span{bytes}.subspan(waveforms * kWaveformBytes).first<kWaveformBytes>();
    }
    /// Empty again, its memory kept.
    void clear();
};

/// Reads one minute forward, a block at a time. Every defect but those of the stamps is noted here (labview.hpp).
class MinuteReader {
  public:
    /// name  for sentences: short_name(). The file is opened by the first read().
    MinuteReader(std::filesystem::path path, std::string name);

    /// Fills an empty block. It is full, the minute's last, or stop was requested: then it may hold less, and the next
    /// one goes on from there. A file that cannot be read is a defect, not an Error.
    void read(MinuteBlock& block, const std::stop_token& stop);

  private:
    void step(MinuteBlock& block);
    void open(MinuteBlock& block);
    void next_member(MinuteBlock& block);
    void begin_chunk(MinuteBlock& block);
    void read_waveform(MinuteBlock& block);
    void skip_rest_of_member(MinuteBlock& block);
    void end_member(MinuteBlock& block);
    void end(MinuteBlock& block);

    std::filesystem::path path_;
    std::string name_;
    std::optional<ZipStream> zip_;
    enum class Where { before, between_members, between_chunks, in_chunk, skipping } where_ = Where::before;
    std::size_t waveforms_left_ = 0;   ///< in this chunk
    std::uint64_t triggers_ = 0;       ///< whole waveforms so far
    std::uint64_t skipped_bytes_ = 0;  ///< after the chunk at which this member's reading stopped
    bool first_chunk_ = true;          ///< of the member
    bool has_remark_ = false;
};

}  // namespace alleycat::labview
