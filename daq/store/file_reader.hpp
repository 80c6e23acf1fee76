#pragma once
// Alleycat files, read: row by row, as records to be replayed, as events to be shown, and as a summary for people.

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "daq/core/event_sink.hpp"
#include "daq/core/frame.hpp"
#include "daq/core/source.hpp"
#include "daq/core/status.hpp"
#include "daq/store/part_summary.hpp"

namespace alleycat {

/// Whether a file is ours, by content. Also true for an HDF5 file that is cut short or of which HDF5 crashes: opening
/// it says so.
[[nodiscard]] bool is_alleycat_file(const std::filesystem::path& path);

/// Frames of the run's own data stream that did not reach its writer whole, from /gaps.
struct StreamGap {
    std::uint64_t last_sequence = kNoSequence;  ///< accounted for before it; kNoSequence: none
    std::uint64_t triggers = 0;                 ///< lost with them, refused ones included
    std::uint64_t frames = 0;
};

/// One part, open for reading; closed, still being written, or left behind by a crash. Used by one thread.
class AlleycatFile {
  public:
    /// Throws Error "FILE: ..." when it is absent, empty, a folder, no HDF5, not ours, newer than this program, or
    /// torn. Of some damage HDF5 crashes: info(), verify() and open_recorded_run() try that out in another process.
    explicit AlleycatFile(const std::filesystem::path& path);
    /// One of which something is known to be wrong, to save what can be: a /summary that cannot be read counts as
    /// absent, and chunks may be missing. Throws Error when HDF5 cannot open it or it does not say what run it is of.
    [[nodiscard]] static AlleycatFile open_damaged(const std::filesystem::path& path);
    ~AlleycatFile();
    AlleycatFile(AlleycatFile&&) noexcept;
    AlleycatFile& operator=(AlleycatFile&&) noexcept;

    [[nodiscard]] const std::filesystem::path& path() const noexcept { return path_; }
    [[nodiscard]] const RunDescription& run() const noexcept { return run_; }
    [[nodiscard]] std::uint32_t part() const noexcept { return part_; }
    /// Closed in order: it has a /summary. Otherwise it is being written or was cut short.
    [[nodiscard]] bool closed() const noexcept { return summary_.has_value(); }
    [[nodiscard]] const std::optional<PartSummary>& summary() const noexcept { return summary_; }
    /// The same from the columns; what only the run knew (ledger, reason) is taken from the file where it is there.
    [[nodiscard]] PartSummary recompute_summary() const;

    [[nodiscard]] std::uint64_t triggers() const noexcept { return triggers_; }
    /// Rows [first, first + n) of /triggers and /windows, and their beam states; both vectors are refilled.
    /// Throws Error when rows cannot be read (damage) or are not there.
    void read_events(std::uint64_t first, std::uint64_t n, std::vector<Event>& events,
                     std::vector<BeamResolution>& beam_states) const;
    [[nodiscard]] std::vector<DeadTime> dead_time() const;
    /// Frames of the data stream that did not come, within this run.
    [[nodiscard]] std::vector<StreamGap> stream_gaps() const;
    /// What no file has between a run that was cut off and this one: in the first part one row, elsewhere none.
    [[nodiscard]] std::vector<Gap> gaps() const;
    [[nodiscard]] std::vector<Calibration> calibration() const;
    [[nodiscard]] std::vector<BeamFrame> beam_frames() const;
    /// Ticks that came apart from the triggers (stations of self-triggered boards), in order of time.
    [[nodiscard]] std::vector<TickRecord> ticks() const;
    /// What operators said of the run while this part was written.
    [[nodiscard]] std::vector<OperatorNote> notes() const;
    /// What the boards said of themselves, in the order it was taken down; empty in older files.
    [[nodiscard]] std::vector<ReadingSample> readings() const;
    /// The last sample of every counter; nullopt when none was recorded.
    [[nodiscard]] std::optional<CounterSample> last_counters() const;
    /// Whether samples of any trigger can be in here.
    [[nodiscard]] bool has_raw() const;
    /// The last (at most) `n` triggers that have samples, as the scope shows them, oldest first.
    [[nodiscard]] std::vector<Waveform> last_waveforms(std::size_t n) const;

    /// HDF5's identifier of the open file (hid_t), for the other readers of this folder.
    [[nodiscard]] std::int64_t hdf5_id() const noexcept { return id_; }

  private:
    enum class Damage { none, expected };
    AlleycatFile(const std::filesystem::path& path, Damage damage);
    void read_summary(Damage damage);

    std::filesystem::path path_;
    std::int64_t id_ = -1;
    RunDescription run_;
    std::uint32_t part_ = 0;
    std::uint64_t triggers_ = 0;
    std::optional<PartSummary> summary_;
};

/// One source per board over all parts of a run, which may be given in any order. Membership is as recorded
/// (RecordHeader::sequence); header.time_ps is the trigger's recorded time. The first board's source also gives the
/// recorded beam frames, beam states and, of hits, ticks; after `end` it gives what is left of them.
///
/// decode_threads  check and decompress samples ahead of the boards' readers, shared among the boards; 1: none, each
///                 reader's own thread does it. The records are the same.
/// Throws Error when the files are of different runs, twice the same part, or hold no samples.
[[nodiscard]] std::vector<std::unique_ptr<RecordSource>> open_recorded_run(
    const std::vector<std::filesystem::path>& paths, unsigned decode_threads = 1);

/// Plays runs into a sink: run, calibrations, events with their beam states, dead time, the last few waveforms, and the
/// counters and ledger at the end as a status. Parts of a run are put in order; runs are played in the order given.
/// Throws Error for a file that cannot be opened.
[[nodiscard]] std::unique_ptr<EventSource> open_events(const std::vector<std::filesystem::path>& paths);

/// What `alleycat info` prints of one file.
struct FileInfo {
    std::filesystem::path path;
    std::uint64_t bytes = 0;
    std::uint32_t part = 0;
    bool closed = false;  ///< false: being written, or cut short; the summary is then made from the columns
    RunDescription run;
    PartSummary summary;
    std::uint64_t n_on = 0;   ///< in the box in ticks with beam, coincident windows
    std::uint64_t n_off = 0;  ///< the same, anticoincident windows
    double live_time_s = 0;   ///< ticks of known beam state / tick rate
    struct Board {
        std::string name;
        std::uint64_t records = 0;    ///< of the board's own shape (rows, for boards that deliver hits)
        std::uint64_t irregular = 0;  ///< rows of records of another shape
        struct Reading {
            BoardReading last;
            double lowest = 0, highest = 0;
        };
        std::vector<Reading> readings{};  ///< of each name, in the order they first came
    };
    std::vector<Board> boards;
    struct DetectorHits {
        std::string name;
        std::uint64_t triggers = 0;
        std::vector<std::uint64_t> accepted;  ///< per window
    };
    std::vector<DetectorHits> detectors;  ///< empty: there is one
    std::vector<OperatorNote> notes;      ///< in this part
    std::vector<Gap> gaps;                ///< before this run; none: no run was cut off before it, or a later part
};
[[nodiscard]] FileInfo info(const std::filesystem::path& path);

}  // namespace alleycat
