#pragma once
// List files of CAEN's CoMPASS (.BIN): hits of boards that trigger themselves, with or without their waveforms.
// source: readout/COMPASS.md

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "daq/core/config.hpp"
#include "daq/core/source.hpp"
#include "readout/channel_numbers.hpp"
#include "readout/defect_log.hpp"

namespace alleycat {
namespace compass {

/// What stands in each record: the low bits of the file's first word, 0xCAE0.
struct Fields {
    bool energy = false;             ///< bit 0: in channels
    bool calibrated_energy = false;  ///< bit 1
    bool short_energy = false;       ///< bit 2: of the short gate
    bool waveform = false;           ///< bit 3

    friend bool operator==(const Fields&, const Fields&) = default;
};
/// nullopt: no such word.
[[nodiscard]] std::optional<Fields> parse_header(std::uint16_t word) noexcept;

/// More in one waveform is taken for a damaged number.
inline constexpr std::uint32_t kMostSamples = 16'777'216;
inline constexpr unsigned kMostBoards = 64, kMostInputs = 128;

enum class Status : std::uint8_t {
    ok,
    cut_short,   ///< more bytes are needed
    bad_record,  ///< numbers that cannot be: nothing tells where the next record begins
};

/// One record. `samples` are bytes of the file: little-endian uint16, at any address.
struct Hit {
    Status status = Status::ok;
    std::size_t bytes = 0;  ///< of the record; of cut_short: what it needs at least
    std::uint16_t board = 0;
    std::uint16_t input = 0;
    std::uint64_t time_ps = 0;
    std::uint16_t energy = 0;
    double calibrated_energy = 0;
    std::uint16_t short_energy = 0;
    std::uint32_t flags = 0;
    std::uint8_t waveform_code = 0;
    std::span<const std::byte> samples;
};
/// The record `bytes` begin with.
[[nodiscard]] Hit read_hit(std::span<const std::byte> bytes, Fields fields) noexcept;

/// Begins with the word 0xCAE0 and a record that can be. `why_not` else.
[[nodiscard]] bool is_list_file(const std::filesystem::path& file, std::string& why_not);

class Stream;  // files of one list, one after the other
}  // namespace compass

/// [compass] of a station file.
struct CompassConfig {
    std::uint16_t board = 0;                  ///< number of the board in the files
    std::vector<std::uint16_t> channels{};    ///< input of each channel of the board; empty: 0, 1, 2, ...
    std::string settings{};                   ///< settings file; "": the one beside the recording, if there is one
    std::optional<compass::Fields> fields{};  ///< of files that begin without the word that says it
};

/// Reads [compass]; problems are reported, not thrown.
[[nodiscard]] CompassConfig parse_compass(ConfigSection& root);

/// Hits of one board, in the order of their files; several lists (one per input) are merged by time. A list that
/// CoMPASS wrote is not in the order of time, though each input's hits are: hits are put in order by the event builder,
/// within builder.skew_ns. Counted and said:
///
///     truncated_record   last record of a file cut short; those before it are used
///     bad_record         numbers that cannot be: this file ends here
///     other_board        hits of other boards, skipped
///     no_listed_channel  hits of inputs that are no channels of the board, skipped
///     without_waveform   hits without samples: kept, nothing can be measured in them
///     unexpected_length  hits whose length differs from the settings'
///     clock_backwards    hit earlier than the one before of the same input
///     and what CoMPASS says of hits: dead_time_before, clock_reset, fake_event, memory_full_before,
///     trigger_lost_before, saturated_in_gate, saturated_input, pile_up, pll_lock_lost, over_temperature, adc_shutdown
///
/// The files hold no date: utc_ns is the first file's time of last modification at the first hit.
class CompassSource final : public RecordSource {
  public:
    /// Throws UsageError when the board cannot be this one, Error when the files hold no whole hit of it.
    CompassSource(const std::vector<std::filesystem::path>& files, const BoardInfo& board, std::uint16_t board_index,
                  const CompassConfig& config);
    ~CompassSource() override;

    [[nodiscard]] const BoardInfo& board() const noexcept override { return board_; }
    [[nodiscard]] Next next(RecordHeader& header, std::stop_token stop) override;
    void fill(std::span<std::byte> payload) override;
    [[nodiscard]] std::vector<std::pair<std::string, std::uint64_t>> defects() const override { return log_.counts(); }
    [[nodiscard]] std::optional<double> fraction_done() const override;
    [[nodiscard]] std::vector<std::string> remarks() const override { return log_.remarks(); }

  private:
    void open(const std::vector<std::filesystem::path>& files);
    void take_settings(const std::filesystem::path& first_file);
    [[nodiscard]] bool find_next();
    [[nodiscard]] bool skips(const compass::Hit& hit);
    void describe(RecordHeader& header);

    BoardInfo board_;
    std::uint16_t board_index_;
    CompassConfig config_;
    ChannelNumbers numbers_;
    DefectLog log_;
    std::vector<std::unique_ptr<compass::Stream>> streams_;
    compass::Stream* current_ = nullptr;  ///< that holds the next hit
    bool described_ = false;              ///< the hit of current_ was delivered
    std::vector<std::uint64_t> last_ps_;  ///< of each channel
    std::uint64_t first_ps_ = 0;
    std::int64_t start_utc_ns_ = 0;
    std::uint64_t hits_ = 0;
};

}  // namespace alleycat
