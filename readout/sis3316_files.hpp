#pragma once
// Files of native SIS3316 event words, one per channel: readout/sis3316_events.hpp is their format.

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "daq/core/source.hpp"
#include "readout/defect_log.hpp"
#include "readout/sis3316_records.hpp"

namespace alleycat {

/// [sis3316] of a station file.
struct Sis3316FilesConfig {
    sis3316::Trace trace = sis3316::Trace::raw;  ///< which of an event's traces is the record's
};

namespace sis3316 {

/// Begins with an event that another of its channel follows, or the file's end. `why_not` else.
[[nodiscard]] bool is_event_file(const std::filesystem::path& file, std::string& why_not);

class ChannelFile;
}  // namespace sis3316

/// Triggers of one board, joined from one file per channel by their time stamps (sis3316::RecordMaker counts what does
/// not fit). The order of the files is the order of the board's channels. Besides:
///
///     truncated_record    last event of a file cut short; those before it are used
///     events_damaged      words that are no event of this channel, skipped up to the next that is one
///     empty_record        event without samples in the trace that is read, skipped
///
/// The files hold no date: utc_ns is the first file's time of last modification at the first trigger, and goes on with
/// the board's clock. The length of a moving average, which events do not tell, is found from where the second begins.
class Sis3316FileSource final : public RecordSource {
  public:
    /// Throws UsageError when the board cannot be this one, Error when the files hold no whole event.
    Sis3316FileSource(const std::vector<std::filesystem::path>& files, const BoardInfo& board,
                      std::uint16_t board_index, const Sis3316FilesConfig& config);
    ~Sis3316FileSource() override;

    [[nodiscard]] const BoardInfo& board() const noexcept override { return board_; }
    [[nodiscard]] Next next(RecordHeader& header, std::stop_token stop) override;
    void fill(std::span<std::byte> payload) override;
    [[nodiscard]] std::vector<std::pair<std::string, std::uint64_t>> defects() const override { return log_.counts(); }
    [[nodiscard]] std::optional<double> fraction_done() const override;
    [[nodiscard]] std::vector<std::string> remarks() const override { return log_.remarks(); }

  private:
    [[nodiscard]] bool load_waiting();

    BoardInfo board_;
    DefectLog log_;
    sis3316::RecordMaker maker_;
    std::int64_t start_utc_ns_ = 0;  ///< when the first file was last written
    std::int64_t first_time_ps_ = 0;
    std::vector<std::unique_ptr<sis3316::ChannelFile>> files_;  ///< as the board's channels
    std::vector<const sis3316::Event*> waiting_;                ///< the same
    std::uint64_t used_up_ = 0;                                 ///< by the record described last
    std::uint64_t in_record_ = 0;
};

}  // namespace alleycat
