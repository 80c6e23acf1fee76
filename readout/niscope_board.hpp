#pragma once
// National Instruments digitizers of 8 bit (PCI-5153) through the vendor's NI-SCOPE library. NISCOPE.md: parameters,
// wiring, time, what goes wrong.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "daq/core/source.hpp"
#include "readout/defect_log.hpp"
#include "readout/niscope_config.hpp"
#include "readout/niscope_reopener.hpp"
#include "readout/restart_bridge.hpp"

namespace alleycat {

struct BoardIdentity;
/// Opens the board without a reset, asks and closes. Throws Error naming board and library.
[[nodiscard]] BoardIdentity identify_niscope(const BoardInfo& board, const NiScopeConfig& config);

/// One board. The constructor opens and configures it, the first next() starts it. A board that is lost is closed,
/// opened, configured and started again for as long as it takes, while next() says idle. Counted:
///
///     disconnects           a call failed, the board began anew, or it no longer gave the records it has
///     reconnects            it was got back
///     failed_attempts       to get it back
///     numbers_restarted     it says fewer records than it gave: opened again
///     stalls                it has records and does not give them: opened again
///     overwritten_records   written over in its memory before they were read: holes in the record numbers
///     damaged_record        with a number of samples that cannot be: left out, a hole in the record numbers
///     unexpected_length     records with fewer samples than configured
///     duplicate_record      with the time stamp of the record before: it was that one again
///     bad_time              without a time stamp that makes sense
///     clock_backwards       time stamp before that of the record before
///     clock_rollovers       the library says that its clock began anew
///     misplaced_trigger     records in which the trigger does not stand where it was configured
///     acquisitions_ended    all records of an acquisition were read, the next one was begun
///     warnings              of the library
class NiScopeBoard final : public RecordSource {
  public:
    /// Throws Error naming board, resource and what was not as it should be, or the library that is missing.
    NiScopeBoard(const BoardInfo& board, std::uint16_t board_index, const NiScopeConfig& config);

    [[nodiscard]] const BoardInfo& board() const noexcept override { return board_; }
    [[nodiscard]] Next next(RecordHeader& header, std::stop_token stop) override;
    void fill(std::span<std::byte> payload) override;
    void finish() override;
    [[nodiscard]] std::vector<std::pair<std::string, std::uint64_t>> defects() const override;
    [[nodiscard]] std::vector<BoardReading> readings() const override { return readings_; }

  private:
    using TimePoint = std::chrono::steady_clock::time_point;
    enum class Fetched : std::uint8_t { record, nothing, skipped, lost };

    [[nodiscard]] bool have_board(TimePoint until, const std::stop_token& stop);
    [[nodiscard]] Fetched fetch(TimePoint until);
    [[nodiscard]] Fetched look_why_nothing_came();
    [[nodiscard]] Fetched skip_overwritten();
    [[nodiscard]] Fetched begin_acquisition();
    Fetched lose(std::string_view sentence);
    void count_from_here();

    [[nodiscard]] bool describe(RecordHeader& header);
    [[nodiscard]] std::uint32_t samples_fetched() const noexcept;
    void stamp(RecordHeader& header);
    [[nodiscard]] bool trigger_time(const niscope::WfmInfo& info, std::int64_t& time_ps) const noexcept;
    void note_time(RecordHeader& header, const niscope::WfmInfo& info) noexcept;
    void clock_is_anew() noexcept;
    [[nodiscard]] bool is_elsewhere(double stamp_s) noexcept;
    void check_position(const niscope::WfmInfo& info);
    void note_scale();
    void count_warnings();
    void read_sensors(TimePoint now);

    BoardInfo board_;
    std::uint16_t board_index_;
    NiScopeConfig config_;
    std::string who_;
    std::shared_ptr<const niscope::Library> library_;
    std::unique_ptr<niscope::OpenBoard> open_;  ///< nullptr while it is lost
    TimePoint opened_at_;
    bool begun_ = false;

    /// The record that next() described: its time is known only with its samples, and a fetch may fail, so it cannot go
    /// into the ring's slot, which is reserved by the header.
    std::vector<std::int8_t> waveforms_;
    std::vector<niscope::WfmInfo> infos_;
    std::uint32_t samples_ = 0;

    std::int32_t next_record_ = 0;            ///< of the acquisition
    std::uint64_t first_of_acquisition_ = 0;  ///< its first record, counted since the board was opened
    unsigned stalled_ = 0;                    ///< time-outs in a row with records waiting

    std::optional<double> base_s_;       ///< whole seconds: keeps time_ps in its range
    std::optional<double> far_stamp_s_;  ///< of the record before, too far from there
    double last_stamp_s_ = 0;
    RestartBridge bridge_;
    std::uint64_t last_counter_ = 0;
    std::int64_t last_time_ps_ = 0;
    bool restarted_ = false;   ///< since the last record
    bool clock_anew_ = false;  ///< since the last record that has a time
    bool timed_ = false;       ///< a record had a time, ever
    bool ran_ = false;         ///< a record came, ever

    std::vector<niscope::WfmInfo> scale_;  ///< gain and offset of each input; empty before the first record
    bool scale_noted_ = false;             ///< in this session
    std::vector<BoardReading> readings_;
    TimePoint next_reading_{};
    bool has_temperature_ = true;

    DefectLog log_;
    std::uint64_t disconnects_ = 0, reconnects_ = 0, failed_attempts_ = 0;
    std::optional<niscope::Reopener> reopener_;
};

}  // namespace alleycat
