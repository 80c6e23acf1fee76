#pragma once

#include <atomic>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "daq/core/counter.hpp"
#include "daq/core/data_time.hpp"
#include "daq/core/ring.hpp"
#include "daq/core/snapshot_box.hpp"
#include "daq/core/status.hpp"

namespace alleycat {

/// What stands between one board's reader thread and the trigger thread.
struct BoardInput {
    BoardInput(std::string board_name, std::size_t ring_bytes) : name{std::move(board_name)}, records{ring_bytes} {
        records.set_space_bell(space);
        beam.set_space_bell(space);
        ticks.set_space_bell(space);
    }
    /// Its reader waits for room, and there has been none since.
    [[nodiscard]] bool waits_in_vain() const noexcept {
        return waits.load(std::memory_order_acquire) == std::uint64_t{space.value()} + 1;
    }
    /// The trigger thread is gone: nobody will ever make space again.
    void abandon() noexcept {
        abandoned.store(true, std::memory_order_release);
        space.ring();
    }

    std::string name;
    Ring records;          ///< RecordHeader, then the payload
    Ring beam{1u << 20};   ///< BeamItems this source delivers
    Ring ticks{1u << 18};  ///< TickItems: a minute at 60 Hz
    Doorbell space;        ///< rung when the trigger thread gives space back
    std::atomic<bool> abandoned{false};
    std::atomic<bool> stopped{false};     ///< no record is taken any more; a last stub may still wait for room
    std::atomic<bool> ended{false};       ///< the source is at its end (set after its last commit)
    std::atomic<std::uint64_t> waits{0};  ///< for room for a record: 1 + value of `space` when there was none; 0: no
    std::atomic<std::int64_t> newest_time_ps{kNever};  ///< data time of the board
    std::atomic<double> fraction_done{-1};             ///< of a recorded input; -1: a board

    // What the reader has seen, whatever became of it: the books of a run close though the trigger thread stands still.
    std::atomic<std::uint64_t> seen{0};          ///< triggers or hits, refused ones included
    std::atomic<std::uint64_t> refused{0};       ///< of them
    std::atomic<std::int64_t> newest_utc_ns{0};  ///< host time of the newest of them; 0: none yet
    std::atomic<std::int64_t> refusing_ps{-1};  ///< data time since the first refusal without a record after it; -1: no

    /// What the board says of itself; nullptr: nothing so far. A box with a mutex: it is filled once a second at most,
    /// and looked at as often.
    SnapshotBox<std::vector<BoardReading>> readings;

    // What the event builder finds; NaN: not known.
    std::atomic<double> clock_offset_ns{
        std::numeric_limits<double>::quiet_NaN()};  ///< gone ahead of the reference board
    std::atomic<double> clock_drift_ppm{std::numeric_limits<double>::quiet_NaN()};  ///< faster than the reference board
    std::atomic<std::int64_t> missing_ps{-1};  ///< data time that triggers went on without it; -1: it is there
    void show_clock(std::optional<double> offset_ns, std::optional<double> drift_ppm) noexcept {
        constexpr double unknown = std::numeric_limits<double>::quiet_NaN();
        clock_offset_ns.store(offset_ns.value_or(unknown), std::memory_order_relaxed);
        clock_drift_ppm.store(drift_ppm.value_or(unknown), std::memory_order_relaxed);
    }
};

[[nodiscard]] BoardStatus status_of(const BoardInput& input);

/// Marks the input ended on every way out of its thread, so that nobody waits for a board that is gone.
class EndOfInput {
  public:
    explicit EndOfInput(BoardInput& input) : input_{input} {}
    ~EndOfInput() {
        input_.stopped.store(true, std::memory_order_release);
        input_.ended.store(true, std::memory_order_release);
        input_.records.ring_bell();
    }
    EndOfInput(const EndOfInput&) = delete;
    EndOfInput& operator=(const EndOfInput&) = delete;

  private:
    BoardInput& input_;
};

/// How the two sides of a full buffer behave.
enum class WhenFull : std::uint8_t {
    refuse,  ///< live: the record is refused, a stub says so
    wait,    ///< replay: the file waits
};

}  // namespace alleycat
