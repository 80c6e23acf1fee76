#pragma once
// The raw data of 2015-17: one zip per minute, written by the LabVIEW program of the CsI[Na] detector.

#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "daq/core/source.hpp"
#include "readout/archive.hpp"
#include "readout/defect_log.hpp"
#include "readout/local_time.hpp"

namespace alleycat {

/// [labview] of a station file.
struct LabviewConfig {
    TimeZone time_zone{"EST5EDT,M3.2.0,M11.1.0"};  ///< of the stamps: Oak Ridge
};

/// The format: chunks of up to ten waveforms, each 7 columns of time stamp and 35,000 of samples, a column being one
/// byte per channel.
///
///     int32 big endian   columns that follow (35,007 per waveform); more than 350,070: LabVIEW's leftovers, the end
///     int32 big endian   channels, always 2
///     columns            (CsI, veto) pairs of int8; of the stamp's pairs the second byte counts: yy mm dd HH MM SS cc
namespace labview {
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

/// Minutes of a file, a day's folder, a run's folder or a folder of runs, in order of time. Empty when there are none.
[[nodiscard]] std::vector<std::filesystem::path> find_minutes(const std::filesystem::path& input);

/// By day and time when all are called YYMMDD/HHMMSS.zip, whatever folder the days are in; else as given.
void put_in_order(std::vector<std::filesystem::path>& minutes);

/// A zip with a member that begins as a minute does; `why_not` says what else it is.
[[nodiscard]] bool is_minute(const std::filesystem::path& file, std::string& why_not);
}  // namespace labview

/// Triggers of a list of minutes, in the order of the list.
///
/// Whatever is whole before a tear is used. What is not right is counted (defects) and said (remarks):
///
///     torn_file         zip cut short or undecodable; the triggers before the tear were delivered
///     crc_error         checksum wrong at the end of a minute whose triggers were delivered
///     unreadable_file   nothing of this minute could be read
///     empty_file        a sound zip without a trigger
///     foreign_member    a member of the zip that is not a minute was skipped
///     bad_chunk         a chunk header that cannot be: the rest of this minute was skipped
///     truncated_record  waveform cut short at the member's end
///     truncated_chunk   fewer waveforms than the chunk's header says
///     trailing_bytes    bytes skipped after the last chunk (LabVIEW's leftovers)
///     bad_timestamp     stamp that is no time, or more than 100 days from the first
///     untimed_record    bad_timestamp before any good one: nothing tells when it was, the trigger was skipped
///     clock_backwards   stamp earlier than the one before (daylight saving time is taken care of)
///
/// A trigger with a bad stamp is kept: its samples are as good as any. It takes the time of the trigger before it and
/// the flag bad_time. RecordHeader::clock is the stamp in hundredths of a second of local time since 1970, 0 when bad;
/// counter numbers the triggers from 0, skipped ones included.
class LabviewSource final : public RecordSource {
  public:
    /// Throws UsageError when the board cannot be this one, Error when no minute holds a single trigger.
    LabviewSource(std::vector<std::filesystem::path> minutes, const BoardInfo& board, std::uint16_t board_index,
                  const LabviewConfig& config);

    [[nodiscard]] const BoardInfo& board() const noexcept override { return board_; }
    [[nodiscard]] Next next(RecordHeader& header, std::stop_token stop) override;
    void fill(std::span<std::byte> payload) override;
    [[nodiscard]] std::vector<std::pair<std::string, std::uint64_t>> defects() const override { return log_.counts(); }
    [[nodiscard]] std::optional<double> fraction_done() const override;
    [[nodiscard]] std::vector<std::string> remarks() const override { return log_.remarks(); }

  private:
    enum class Step { again, record, end };
    [[nodiscard]] Step step();
    [[nodiscard]] bool open_next_minute();
    [[nodiscard]] Step begin_chunk();
    [[nodiscard]] Step read_waveform();
    [[nodiscard]] bool describe_waveform();
    void skip_rest_of_member();
    void end_member();
    void end_minute();
    [[nodiscard]] std::string name() const;

    BoardInfo board_;
    std::uint16_t board_index_;
    LabviewConfig config_;
    std::vector<std::filesystem::path> minutes_;
    std::vector<std::uint64_t> bytes_;  ///< of each minute's zip
    std::uint64_t total_bytes_ = 0;
    std::uint64_t done_bytes_ = 0;  ///< of the minutes that are finished
    DefectLog log_;

    std::size_t next_minute_ = 0;
    std::optional<ZipStream> zip_;
    enum class Where { between_members, between_chunks, in_chunk, skipping } where_ = Where::between_members;
    std::size_t waveforms_left_ = 0;     ///< in this chunk
    std::uint64_t minute_triggers_ = 0;  ///< delivered from this minute
    std::uint64_t minute_bad_stamps_ = 0;
    std::uint64_t skipped_bytes_ = 0;  ///< after the chunk at which this member's reading stopped
    bool first_chunk_ = true;
    bool minute_has_remark_ = false;

    std::vector<std::byte> waveform_;  ///< the one described by header_, kWaveformBytes
    RecordHeader header_;
    bool have_record_ = false;  ///< header_ and waveform_ wait for next()
    std::uint64_t counter_ = 0;
    std::optional<UtcTime> first_utc_;
    UtcTime last_utc_{};
};

}  // namespace alleycat
