#pragma once
// The raw data of 2015-17: one zip per minute, written by the LabVIEW program of the CsI[Na] detector.

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "daq/core/source.hpp"
#include "readout/defect_log.hpp"
#include "readout/labview_minute.hpp"
#include "readout/local_time.hpp"
#include "readout/minutes_ahead.hpp"

namespace alleycat {

/// [labview] of a station file.
struct LabviewConfig {
    TimeZone time_zone{"EST5EDT,M3.2.0,M11.1.0"};  ///< of the stamps: Oak Ridge
};

namespace labview {
/// Minutes of a file, a day's folder, a run's folder or a folder of runs, in order of time. Empty when there are none.
[[nodiscard]] std::vector<std::filesystem::path> find_minutes(const std::filesystem::path& input);

/// By day and time when all are called YYMMDD/HHMMSS.zip, whatever folder the days are in; else as given.
void put_in_order(std::vector<std::filesystem::path>& minutes);
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
    /// unzip_threads  unpack minutes ahead; 1: none, the reader's own thread does it. The records are the same.
    /// Throws UsageError when the board cannot be this one, Error when no minute holds a single trigger.
    LabviewSource(std::vector<std::filesystem::path> minutes, const BoardInfo& board, std::uint16_t board_index,
                  const LabviewConfig& config, unsigned unzip_threads = 1);

    [[nodiscard]] const BoardInfo& board() const noexcept override { return board_; }
    [[nodiscard]] Next next(RecordHeader& header, std::stop_token stop) override;
    void fill(std::span<std::byte> payload) override;
    [[nodiscard]] std::vector<std::pair<std::string, std::uint64_t>> defects() const override { return log_.counts(); }
    [[nodiscard]] std::optional<double> fraction_done() const override;
    [[nodiscard]] std::vector<std::string> remarks() const override { return log_.remarks(); }

  private:
    enum class Step { again, record, nothing, end };
    [[nodiscard]] Step step(const std::stop_token& stop);
    [[nodiscard]] Step next_block(const std::stop_token& stop);
    [[nodiscard]] bool describe_waveform();
    void finish_block();
    void find_first_record();

    BoardInfo board_;
    std::uint16_t board_index_;
    LabviewConfig config_;
    std::vector<std::filesystem::path> minutes_;
    std::vector<std::uint64_t> bytes_;  ///< of each minute's zip
    std::uint64_t total_bytes_ = 0;
    std::uint64_t done_bytes_ = 0;  ///< of the minutes that are finished
    DefectLog log_;

    const labview::MinuteBlock* block_ = nullptr;  ///< being taken apart
    std::size_t minute_ = 0;                       ///< its minute
    std::size_t next_waveform_ = 0;                ///< in it
    std::uint64_t minute_triggers_ = 0;            ///< delivered from this minute
    std::uint64_t minute_bad_stamps_ = 0;

    RecordHeader header_;       ///< of the waveform before next_waveform_
    bool have_record_ = false;  ///< header_ waits for next()
    std::uint64_t counter_ = 0;
    std::optional<UtcTime> first_utc_;
    UtcTime last_utc_{};

    std::unique_ptr<labview::MinutesAhead> ahead_;
};

}  // namespace alleycat
