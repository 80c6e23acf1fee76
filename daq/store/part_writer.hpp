#pragma once
// Writes one HDF5 part (FORMAT.md). While it is written its name ends in ".part"; close() gives it its final name.

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>

#include "daq/core/run_description.hpp"
#include "daq/store/frame_content.hpp"
#include "daq/store/part_summary.hpp"
#include "daq/store/store_config.hpp"

namespace alleycat {

inline constexpr std::uint32_t kFormatVersion = 3;

/// Why a part is closed.
struct PartEnd {
    bool run_ended = false;                   ///< it is the last of its run
    bool clean = false;                       ///< and the run ended without an error
    bool repaired = false;                    ///< rebuilt from its journal by hand
    std::string reason{};                     ///< "part full", the run's reason, "interrupted"
    bool salvaged = false;                    ///< made of what could still be read of a damaged part
    std::string lost{};                       ///< of a salvaged part: what is missing, in plain words
    std::vector<OperatorNote> notes{};        ///< of the whole run; with none, those of this part
    std::vector<std::string> missing{};       ///< RunEvidence::missing
    std::vector<std::string> shortcomings{};  ///< RunEvidence::shortcomings
};

/// Used by one thread. An Error leaves the part unfinished: rebuild it from its journal.
class PartWriter {
  public:
    /// Makes `file` + ".part". Throws Error when either exists. `run_start` is the frame the run began with.
    /// threads  that compress samples; 1: the caller's own
    PartWriter(std::filesystem::path file, const FrameView& run_start, std::uint32_t part, Compression compression,
               const RawSelection& raw, unsigned threads = 1);
    /// Not closed: the .part file stays as it was last flushed.
    ~PartWriter();
    PartWriter(const PartWriter&) = delete;
    PartWriter& operator=(const PartWriter&) = delete;

    /// Any frame of the run but its run_start, which the constructor took. Beam states of sequences that are not here
    /// are not an error: they may be of a refused trigger (counted as beam_states_without_row) or of another part.
    void add(const FrameContent& frame);

    /// Everything added is handed to the operating system: stock h5py usually opens the .part from then on.
    void flush();
    /// Writes /summary, closes and syncs the file, and renames it. Throws Error when the final name is taken.
    void close(const PartEnd& end);

    [[nodiscard]] const RunDescription& run() const noexcept;
    [[nodiscard]] const std::filesystem::path& file() const noexcept;  ///< final name
    [[nodiscard]] std::filesystem::path unfinished_file() const;       ///< name while it is written
    [[nodiscard]] std::uint64_t bytes() const noexcept;                ///< about what the file takes
    [[nodiscard]] std::uint64_t triggers() const noexcept;
    [[nodiscard]] std::uint64_t pending_beam_states() const noexcept;  ///< rows that wait for their beam state
    /// Of the data stream, so far. The triggers that were in the last of them are known when the next one comes.
    [[nodiscard]] std::uint64_t missing_frames() const noexcept;
    [[nodiscard]] bool stream_gap_is_open() const noexcept;                 ///< that next one has not come
    [[nodiscard]] std::int64_t first_time_ps() const noexcept;              ///< of the first trigger, if there is one
    [[nodiscard]] const PartSummary& summary() const noexcept;              ///< of what was added and is resolved
    [[nodiscard]] const std::vector<OperatorNote>& notes() const noexcept;  ///< that came to this part

  private:
    class File;
    std::unique_ptr<File> file_;
};

}  // namespace alleycat
