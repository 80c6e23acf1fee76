#pragma once
// Files of CAEN's WaveDump: one per channel, wave<N>.dat, an event after the other.

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "daq/core/source.hpp"
#include "readout/clock_unwrapper.hpp"
#include "readout/defect_log.hpp"

namespace alleycat {

/// [wavedump] of a station file.
struct WaveDumpConfig {
    bool header = true;                                ///< OUTPUT_FILE_HEADER YES: each event begins with 24 bytes
    unsigned clock_bits = 31;                          ///< of the trigger time tag that count; above: flags
    std::int64_t record_interval_ps = 16'666'666'667;  ///< without headers: assumed from one record to the next [ps]
};

namespace wavedump {
inline constexpr std::size_t kHeaderBytes = 24;
inline constexpr std::uint32_t kMostSamples = 16'777'216;  ///< more in one event is taken for a damaged size

/// Six words, little endian, before the samples.
struct EventHeader {
    std::uint32_t event_bytes = 0;  ///< header and samples
    std::uint32_t board = 0;
    std::uint32_t pattern = 0;
    std::uint32_t channel = 0;
    std::uint32_t counter = 0;
    std::uint32_t time_tag = 0;
};
static_assert(sizeof(EventHeader) == kHeaderBytes);

/// Header and samples of one event could be there.
[[nodiscard]] bool plausible(const EventHeader& header) noexcept;

/// Begins with an event header, followed by another where the first says, or by the file's end. `why_not` else.
[[nodiscard]] bool has_headers(const std::filesystem::path& file, std::string& why_not);

/// Files of one recording in a folder (NAMEwave<N>.dat), by N. Empty when there are none; throws Error when the folder
/// holds several recordings.
[[nodiscard]] std::vector<std::filesystem::path> find_files(const std::filesystem::path& folder);

/// By N when all are called NAMEwave<N>.dat with different N (a shell lists wave10 before wave2), else as given.
void put_in_order(std::vector<std::filesystem::path>& files);

class ChannelFile;  // one wave<N>.dat
}  // namespace wavedump

/// Triggers of one board, merged from one file per channel by their trigger time tags, never by their place in the
/// file.
///
/// The order of the files is the order of the board's channels. A trigger that is not in every file is kept: its
/// channel_mask says what is there, the flag missing_channel is set. Counted and said:
///
///     truncated_record    last event of a file cut short; those before it are used
///     bad_event_size      size that cannot be: this file ends here, as nothing tells where the next event begins
///     empty_record        event without samples, skipped
///     missing_channel     triggers that are not in every file
///     time_tag_mismatch   event whose counter says it belongs to a trigger but whose tag says later, skipped
///     counter_mismatch    one tag, different event counters: joined all the same
///     unequal_length      event of another length than the trigger's first channel: that channel is missing
///     unexpected_length   triggers whose length differs from the configured one
///     clock_backwards     tag earlier than the one before, without a roll-over
///     duplicate_record    same tag and counter as the one before
///     counter_backwards   event counter that started again
///
/// A tag that went back by more than half its range is a roll-over; where the event counter went on, a sixteenth is
/// enough (triggers may be up to 16 s apart at 31 bits of 8 ns). A gap of a full range or more leaves no trace in the
/// file: time is then too short by it.
///
/// The files hold no date: utc_ns is the first file's time of last modification at the first trigger, and goes on with
/// the board's clock. Without headers there is no clock either: the records are record_interval_ps apart, flagged
/// bad_time, counter and clock number them.
class WaveDumpSource final : public RecordSource {
  public:
    /// Throws UsageError when the board cannot be this one, Error when the files hold no whole event.
    WaveDumpSource(const std::vector<std::filesystem::path>& files, const BoardInfo& board, std::uint16_t board_index,
                   const WaveDumpConfig& config);
    ~WaveDumpSource() override;

    [[nodiscard]] const BoardInfo& board() const noexcept override { return board_; }
    [[nodiscard]] Next next(RecordHeader& header, std::stop_token stop) override;
    void fill(std::span<std::byte> payload) override;
    [[nodiscard]] std::vector<std::pair<std::string, std::uint64_t>> defects() const override { return log_.counts(); }
    [[nodiscard]] std::optional<double> fraction_done() const override;
    [[nodiscard]] std::vector<std::string> remarks() const override { return log_.remarks(); }

  private:
    [[nodiscard]] bool load_heads();
    [[nodiscard]] std::uint32_t earliest_tag() const noexcept;
    void take(std::uint32_t tag);
    void describe();

    BoardInfo board_;
    std::uint16_t board_index_;
    WaveDumpConfig config_;
    std::uint32_t tag_mask_;
    std::int64_t start_utc_ns_ = 0;  ///< when the first file was last written
    DefectLog log_;
    std::vector<std::unique_ptr<wavedump::ChannelFile>> files_;  ///< as the board's channels

    ClockUnwrapper clock_;
    ClockUnwrapper counter_{24};
    std::uint32_t last_tag_ = 0;
    std::uint64_t last_counter_ = 0;
    std::int64_t first_time_ps_ = 0;
    std::uint64_t records_ = 0;
    RecordHeader header_;
    std::vector<std::size_t> present_;  ///< files that belong to the record next() described
};

}  // namespace alleycat
