#pragma once
// Where records come from. One small interface for a board, a recorded file and the simulator.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <vector>

#include "daq/core/beam.hpp"
#include "daq/core/board_reading.hpp"
#include "daq/core/record.hpp"
#include "daq/core/run_description.hpp"

namespace alleycat {

/// One board's records, in the order it gave them. Used by one thread.
///
///     RecordHeader header;
///     switch (source.next(header, stop)) {
///         case Next::record: source.fill(slot);  // or not: then the record is refused and gone
///         ...
class RecordSource {
  public:
    enum class Next {
        record,  ///< `header` is filled; `fill` may be called once
        idle,    ///< nothing within 100 ms, or stop was requested
        end,     ///< a recorded file is at its end
    };

    virtual ~RecordSource() = default;

    /// As found, after opening: what the station file left open (samples, serial) is filled in.
    [[nodiscard]] virtual const BoardInfo& board() const noexcept = 0;

    /// Waits for the next record (at most 100 ms, then `idle`) and describes it. A record that was not filled before
    /// the next call is dropped. Throws Error when the board or file cannot go on.
    [[nodiscard]] virtual Next next(RecordHeader& header, std::stop_token stop) = 0;

    /// Writes samples, zero padding to 4 bytes, and truth: exactly payload_bytes(header) bytes.
    virtual void fill(std::span<std::byte> payload) = 0;

    /// The run is over: next() is not called again, only what has been counted is still asked for. A board is stopped
    /// here, within half a second. Called by the source's own thread.
    virtual void finish() {}

    /// Beam frames that came since the last call, oldest first (a source that knows the beam: simulator, Alleycat
    /// file). Appends to `frames`.
    virtual void take_beam_frames(std::vector<BeamFrame>& frames) { (void)frames; }

    /// Ticks of a timing signal that comes apart from the records (a time-stamped input, an Alleycat file of hits)
    /// since the last call, oldest first; `tick`, `time_ps` (in this board's time, as RecordHeader::time_ps) and
    /// `utc_ns` are filled in. A tick comes before any record that is half a period or more later. Appends to `ticks`.
    virtual void take_ticks(std::vector<TickRecord>& ticks) { (void)ticks; }

    /// Recorded beam states of the records read since the last call (replay of an Alleycat file), oldest first.
    virtual void take_beam_resolutions(std::vector<BeamResolution>& resolutions) { (void)resolutions; }

    /// Defects met so far: names are counters ("truncated_record"), values counts. Called by the source's own thread.
    [[nodiscard]] virtual std::vector<std::pair<std::string, std::uint64_t>> defects() const { return {}; }

    /// What the board last said of itself; nothing while it is away, so that what is old is not told as new. Called by
    /// the source's own thread.
    [[nodiscard]] virtual std::vector<BoardReading> readings() const { return {}; }

    /// How far a file is read, 0..1; nullopt for a board.
    [[nodiscard]] virtual std::optional<double> fraction_done() const { return std::nullopt; }

    /// Sentences for the operator, once the source is at its end ("120000.zip: torn after 31 triggers").
    [[nodiscard]] virtual std::vector<std::string> remarks() const { return {}; }
};

}  // namespace alleycat
