#pragma once
// Files of raw CAEN event blocks: what block transfers gave, one after the other, as they came.

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "daq/core/config.hpp"
#include "daq/core/source.hpp"
#include "readout/caen_records.hpp"
#include "readout/clock_unwrapper.hpp"
#include "readout/defect_log.hpp"
#include "readout/file_window.hpp"

namespace alleycat {

/// [caen] of a station file.
struct CaenConfig {
    std::optional<caen::Family> family{};            ///< which boards' packing; a file does not say it
    std::vector<std::uint16_t> channels{};           ///< input of each channel of the board; empty: 0, 1, 2, ...
    bool extended_time_tag = false;                  ///< the pattern holds bits 32..47 of the time tag
    std::optional<std::uint16_t> suppressed_code{};  ///< for samples that zero-length encoding left out
};

/// Reads [caen]; problems are reported, not thrown.
[[nodiscard]] CaenConfig parse_caen(ConfigSection& root);

namespace caen {
/// Begins with an event whose size leads to another one, or to the file's end. `why_not` else.
[[nodiscard]] bool is_block_file(const std::filesystem::path& file, std::string& why_not);
}  // namespace caen

/// Triggers of one board, one event each.
///
/// Damage is skipped; what is after it is found again by its header. Counted besides what CaenRecords counts:
///
///     clock_backwards     tag earlier than the one before, without a roll-over
///     duplicate_record    same tag and counter as the one before
///     counter_backwards   event counter that started again
///
/// Times: 31-bit tags are unwrapped, a step back of more than half their range is a roll-over; where the event counter
/// went on, a sixteenth is enough. The files hold no date: utc_ns is the first file's time of last modification at the
/// first trigger, and goes on with the board's clock.
class CaenBlockSource final : public RecordSource {
  public:
    /// Files of one board in the order of time. Throws UsageError when the board cannot be this one, Error when the
    /// files hold no whole event, or suppressed samples without a suppressed_code.
    CaenBlockSource(std::vector<std::filesystem::path> files, const BoardInfo& board, std::uint16_t board_index,
                    const CaenConfig& config);

    [[nodiscard]] const BoardInfo& board() const noexcept override { return board_; }
    [[nodiscard]] Next next(RecordHeader& header, std::stop_token stop) override;
    void fill(std::span<std::byte> payload) override;
    [[nodiscard]] std::vector<std::pair<std::string, std::uint64_t>> defects() const override { return log_.counts(); }
    [[nodiscard]] std::optional<double> fraction_done() const override;
    [[nodiscard]] std::vector<std::string> remarks() const override { return log_.remarks(); }

  private:
    [[nodiscard]] bool load_event();
    [[nodiscard]] bool take(const caen::Event& event);
    void describe(RecordHeader& header);

    std::vector<std::filesystem::path> files_;
    BoardInfo board_;
    std::uint16_t board_index_;
    CaenConfig config_;
    caen::Family family_;
    CaenRecords taken_;
    DefectLog log_;
    std::size_t next_file_ = 0;
    std::optional<FileWindow> file_;
    std::uint64_t all_bytes_ = 0, bytes_of_ended_ = 0;

    bool loaded_ = false;  ///< an event was taken and is not described yet
    bool said_excess_bits_ = false;

    ClockUnwrapper clock_;
    ClockUnwrapper counter_{24};
    std::uint64_t last_tag_ = 0, last_counter_ = 0;
    std::int64_t first_time_ps_ = 0, start_utc_ns_ = 0;
    std::uint64_t records_ = 0;
};

}  // namespace alleycat
