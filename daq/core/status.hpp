#pragma once
// How the run is doing, once a second: what the operator's strip shows and the ledger balances.

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "daq/core/beam.hpp"
#include "daq/core/board_reading.hpp"
#include "daq/core/counter.hpp"
#include "daq/core/operator_note.hpp"

namespace alleycat {

enum class RunState : std::uint8_t { idle = 0, running = 1, draining = 2, error = 3 };
[[nodiscard]] constexpr std::string_view to_text(RunState state) noexcept {
    switch (state) {
        case RunState::idle: return "idle";
        case RunState::running: return "running";
        case RunState::draining: return "draining";
        case RunState::error: return "error";
    }
    return "error";
}

/// Consecutive triggers that were refused: no data, but known to have been there.
struct DeadTime {
    std::uint64_t first_sequence = 0;
    std::uint64_t last_sequence = 0;  ///< inclusive
    std::int64_t begin_ps = 0;        ///< time of the first refused trigger since the run's first tick
    std::int64_t end_ps = 0;          ///< time of the last one plus one nominal tick, or of the next trigger if sooner
    std::uint8_t reason = 0;          ///< RefusalReason
    std::uint8_t reserved[7] = {};

    friend bool operator==(const DeadTime&, const DeadTime&) = default;
};

/// Per run these must balance: expected = seen + missed; triggers = recorded + refused + lost (estimated).
struct Ledger {
    bool has_ticks = true;             ///< false: a source without a timing signal, the first line is absent
    std::uint64_t ticks_expected = 0;  ///< from the board's own trigger counter
    std::uint64_t ticks_seen = 0;      ///< triggers of class beam_tick, refused ones included
    std::uint64_t ticks_missed = 0;    ///< from the time between ticks
    std::uint64_t triggers = 0;        ///< sequence numbers given
    std::uint64_t recorded = 0;        ///< handed to the data stream (live) or the file (replay)
    std::uint64_t refused = 0;         ///< as dead-time intervals
    std::uint64_t lost_estimated = 0;  ///< in crash gaps before this run

    [[nodiscard]] bool closes() const noexcept {
        return (!has_ticks || ticks_expected == ticks_seen + ticks_missed) && triggers == recorded + refused;
    }
    friend bool operator==(const Ledger&, const Ledger&) = default;
};

/// Of the refused triggers of a replay those that are no dead time: their samples were not kept (RefusalReason).
[[nodiscard]] std::uint64_t not_kept(const CounterValues& counters) noexcept;
/// Counter of these.
inline constexpr std::string_view kNotKeptCounter = "run.triggers_without_samples";

/// Boards that are missing from triggers, and from how many: in counters of these names, "builder.NAME.missing".
[[nodiscard]] std::vector<std::pair<std::string, std::uint64_t>> missing_by_board(const CounterValues& counters);

struct BufferStatus {
    std::string name;  ///< "ring pci5153", "retransmit", "spill"
    std::uint64_t capacity_bytes = 0;
    std::uint64_t used_bytes = 0;
    std::uint64_t high_water_bytes = 0;
    double data_bytes_per_s = 0;  ///< what the present triggers would put into it; 0: not known

    friend bool operator==(const BufferStatus&, const BufferStatus&) = default;
};

/// What the writer does with what it is sent.
enum class WriterState : std::uint8_t {
    writing = 0,
    disk_low = 1,           ///< still written; free space is below the warning
    stopped_disk_full = 2,  ///< nothing is taken until there is room
    failed = 3,             ///< the disk gave an error; it is tried again and again
};
inline constexpr std::array<std::string_view, 4> kWriterStateNames{"writing", "disk_low", "stopped_disk_full",
                                                                   "failed"};
[[nodiscard]] constexpr std::string_view to_text(WriterState state) noexcept {
    return kWriterStateNames[static_cast<std::size_t>(state)];
}

/// What waits for the writer, in seconds of data at the present rate.
struct WaitingData {
    double held_s = 0;  ///< in memory and in the spill
    double left_s = 0;  ///< until triggers are refused, if the writer takes nothing
};
/// Of the retransmit buffer and its spill together; nullopt: no such buffer, or its rate is not known.
[[nodiscard]] std::optional<WaitingData> waiting_for_writer(std::span<const BufferStatus> buffers) noexcept;

/// Triggers that no file has, between a run that was cut off and the one that records it.
struct Gap {
    std::uint64_t previous_run = 0;
    std::uint64_t last_sequence = ~std::uint64_t{0};  ///< its last trigger on disk; 2^64-1: none
    std::int64_t from_utc_ns = 0;                     ///< host time of that trigger
    std::int64_t to_utc_ns = 0;                       ///< host time of this run's first trigger
    std::uint64_t lost_estimated = 0;                 ///< triggers, from the time between and the nominal rate
    bool told_by_writer = false;  ///< false: by the daemon's own mark, which is up to a second too early

    friend bool operator==(const Gap&, const Gap&) = default;
};
/// "run 4 was cut off after trigger 1201: 2.5 s, an estimated 150 triggers are lost"
[[nodiscard]] std::string to_text(const Gap& gap);
/// " (from what is on disk)": who knew where it begins, to be added.
[[nodiscard]] std::string_view provenance_of(const Gap& gap) noexcept;

struct WriterStatus {
    bool connected = false;
    WriterState state = WriterState::writing;
    std::uint64_t durable_triggers = 0;  ///< acknowledged as being on disk
    std::uint64_t unacknowledged_bytes = 0;
    std::string file;  ///< part being written
    std::uint64_t file_bytes = 0;
    std::uint64_t disk_free_bytes = 0;
    std::uint64_t disk_stop_bytes = 0;  ///< writing stops when fewer are free
    std::uint64_t journal_bytes = 0;    ///< of the disk, given back when the parts made from them are closed
    std::string problem;                ///< "" when all is well

    friend bool operator==(const WriterStatus&, const WriterStatus&) = default;
};

/// Whether the index by which beam frames are shifted against ticks agrees with a channel that sees the beam.
enum class IndexVerdict : std::uint8_t {
    none = 0,          ///< no such channel: nothing is checked
    undecided = 1,     ///< too little seen: the normal state of a quiet detector
    confirmed = 2,     ///< the configured index explains the data, no other does
    contradicted = 3,  ///< another index explains them: what is called ON is wrong by a pulse
};
inline constexpr std::array<std::string_view, 4> kIndexVerdictNames{"none", "undecided", "confirmed", "contradicted"};

struct IndexCheck {
    IndexVerdict verdict = IndexVerdict::none;
    std::int32_t configured = 0;  ///< charge index of the station file
    std::int32_t best = 0;        ///< the one that explains the channel best
    double evidence = 0;      ///< log likelihood of the configured index over the best other one (negative: against it)
    std::uint64_t ticks = 0;  ///< looked at

    friend bool operator==(const IndexCheck&, const IndexCheck&) = default;
};

/// "the charge index -1 is confirmed: evidence 14.8 from 6000 ticks"
[[nodiscard]] std::string to_text(const IndexCheck& check);

/// How one board does. Its clock is that of its records against the reference board's: the reference itself, and a
/// station of one board, have neither offset nor drift.
struct BoardStatus {
    std::string name;
    std::optional<double> missing_s;        ///< triggers go on without it for so long [s of data]; nullopt: it is there
    std::optional<double> clock_offset_ns;  ///< what its time is ahead; nullopt: not known
    std::optional<double> clock_drift_ppm;  ///< by how much its clock is faster; nullopt: not known
    std::int64_t last_record_utc_ns = 0;    ///< host time of its newest record, a refused one included; 0: none yet
    std::vector<BoardReading> readings;     ///< the newest

    friend bool operator==(const BoardStatus&, const BoardStatus&) = default;
};
/// Of its temperatures the highest [degC]; nullopt: it tells none.
[[nodiscard]] std::optional<double> highest_temperature(const BoardStatus& board) noexcept;
/// Share of time it was busy, 0..1; nullopt: it does not tell.
[[nodiscard]] std::optional<double> busy_share(const BoardStatus& board) noexcept;
/// Anything beside its name and that it is there.
[[nodiscard]] bool has_something_to_say(const BoardStatus& board) noexcept;
/// "board v2745: MISSING for 3.2 s; clock +12.0 ns, +0.310 ppm; temperature_core 41.50 degC; busy 0.31 %"
[[nodiscard]] std::string to_text(const BoardStatus& board);

struct Status {
    std::uint64_t run = 0;
    RunState state = RunState::idle;
    std::string reason;       ///< of an error, and how to leave it
    std::int64_t utc_ns = 0;  ///< when this was made
    std::int64_t run_start_utc_ns = 0;
    std::int64_t last_trigger_utc_ns = 0;
    double trigger_rate_hz = 0;  ///< over the last second of wall time
    double bytes_per_second = 0;
    double live_fraction = 1;                   ///< recorded / (recorded + refused) triggers of this run
    std::uint64_t in_hand = 0;                  ///< triggers that were read, neither recorded nor refused yet
    bool backed_up = false;                     ///< no room in the retransmit buffer: the trigger thread waits for it
    double dead_s = 0;                          ///< triggers are being refused, for so long without a break; 0: not now
    BeamState beam_state = BeamState::unknown;  ///< of the newest resolved tick
    float beam_power_w = -1;
    double beam_lag_s = 0;  ///< how far beam states are behind events
    IndexCheck index_check;
    Ledger ledger;
    std::optional<Gap> gap;  ///< before this run
    /// What the run is worth so far: "tainted", "degraded,tainted", "good"; "": nothing speaks against it yet.
    std::string quality;
    std::string quality_reasons;            ///< a line "flag: reason" each
    std::optional<OperatorNote> last_note;  ///< of this run
    std::vector<BufferStatus> buffers;
    std::vector<BoardStatus> boards;  ///< in the order of the run's description; empty: no run yet
    WriterStatus writer;
    CounterValues counters;

    friend bool operator==(const Status&, const Status&) = default;
};

enum class AlarmLevel : std::uint8_t { info = 0, warning = 1, alarm = 2 };

/// Something an operator must see. `name` is stable ("trigger_rate"): raised and cleared by it.
struct Alarm {
    std::string name;
    AlarmLevel level = AlarmLevel::warning;
    bool active = true;
    std::int64_t utc_ns = 0;
    std::string text;  ///< one sentence with the numbers

    friend bool operator==(const Alarm&, const Alarm&) = default;
};

}  // namespace alleycat
