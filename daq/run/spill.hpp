#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <deque>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "daq/core/counter.hpp"
#include "daq/core/frame.hpp"
#include "daq/core/frame_queue.hpp"
#include "daq/core/snapshot_box.hpp"
#include "daq/core/status.hpp"
#include "daq/store/files.hpp"
#include "daq/store/journal.hpp"

namespace alleycat {

/// The retransmit buffer with a disk behind it: when the ring passes `spill_above` of its size, the oldest frames that
/// no writer has acknowledged go into journals (daq/store/journal.hpp), and are sent from there first. What an earlier
/// process left in the folder is sent before anything else.
///
/// The order of frames never changes: files hold the oldest, the ring the newest. A file goes when all of it is
/// released. When the files hold `max_bytes`, or the disk takes nothing, frames stay in the ring, and who fills it
/// refuses triggers as without a spill.
///
/// Of a damaged file what stands before the damage is sent. What cannot be is named and counted, the file kept beside
/// as
/// *.damaged: the writer records the gap. Counters: "spill.frames", "spill.lost_triggers" and
/// "spill.lost_bytes" (of damaged files).
class SpillingQueue final : public FrameQueue {
  public:
    struct Config {
        std::filesystem::path folder;
        std::uint64_t max_bytes = 0;  ///< of all files together
        std::uint64_t segment_bytes = 64u << 20;
        double spill_above = 0.5;  ///< share of the ring
        double spill_down_to = 0.375;
    };
    /// What an earlier process left.
    struct Found {
        std::uint64_t run = 0;                            ///< the newest
        std::uint64_t last_sequence = ~std::uint64_t{0};  ///< its last trigger in the spill; 2^64-1: none
        std::int64_t last_utc_ns = 0;
        std::uint64_t frames = 0;  ///< of all runs
        std::uint64_t triggers = 0;
        std::uint64_t lost_triggers = 0;  ///< that stand behind a damage
        std::uint64_t lost_bytes = 0;
    };

    /// Makes the folder, locks it and reads what is in it. Throws Error when another process uses it.
    SpillingQueue(Config config, Ring& ring, CounterRegistry& registry);
    ~SpillingQueue() override;

    [[nodiscard]] std::span<const std::byte> peek() override;
    [[nodiscard]] std::span<const std::byte> next() override;
    void release() override;
    void rewind() override;
    bool keep_room() override;
    [[nodiscard]] std::uint64_t waiting_bytes() const noexcept override;

    /// Everything that is still in the ring, as far as there is room: this process ends.
    void spill_all();

    [[nodiscard]] const std::optional<Found>& found() const noexcept { return found_; }
    // ---- any thread
    [[nodiscard]] BufferStatus status() const;
    /// Why nothing is spilled although there should be; "" when all is well.
    [[nodiscard]] std::string problem() const;

  private:
    /// One journal. Frames from `begin` to `end` are good.
    struct Segment {
        std::filesystem::path path;
        FileDescriptor file;
        std::uint64_t end = sizeof(JournalHeader);
        bool damaged = false;
    };
    struct Place {
        std::uint64_t segment = 0;  ///< counted since the start, of this process
        std::uint64_t offset = sizeof(JournalHeader);
    };

    void find_left_behind();
    void read_left_behind(const std::filesystem::path& path, std::optional<FrameHeader>& last, bool& broken);
    void count_lost(const std::filesystem::path& path, std::uint64_t from, const std::string& why);
    static void set_aside(const std::filesystem::path& path);
    [[nodiscard]] Segment& segment(std::uint64_t number) { return segments_[number - first_segment_]; }
    [[nodiscard]] std::uint64_t segments_end() const noexcept { return first_segment_ + segments_.size(); }
    void skip_ends(Place& place);
    [[nodiscard]] std::span<const std::byte> frame_at(const Place& place);
    [[nodiscard]] std::span<const std::byte> look(const Place& place, std::size_t bytes);
    void drop_first_segment();
    [[nodiscard]] bool spill(std::size_t at_most_bytes);
    void append(std::span<const std::byte> frame);
    void begin_segment(const FrameHeader& first);
    void take_back(std::size_t segments, std::uint64_t end);
    void say(std::string problem);
    void count_file_bytes();

    Config config_;
    Ring& ring_;
    Counter& frames_spilled_;
    Counter& lost_triggers_;
    Counter& lost_bytes_;
    FileDescriptor lock_;
    std::optional<Found> found_;

    std::deque<Segment> segments_;
    std::uint64_t first_segment_ = 0;  ///< number of segments_.front()
    std::uint64_t next_name_ = 1;
    std::optional<JournalWriter> writer_;  ///< of the last segment
    std::uint64_t writer_run_ = 0;
    Place read_, released_;
    std::deque<std::uint32_t> looked_at_;  ///< sizes of frames in the files between released_ and read_
    std::size_t ring_looked_at_ = 0;
    bool spilling_ = false;
    bool has_problem_ = false;
    std::chrono::steady_clock::time_point try_again_{};

    std::vector<std::uint64_t> buffer_;  ///< of the file that is read, 8-byte aligned
    Place buffer_at_;
    std::size_t buffer_bytes_ = 0;

    std::atomic<std::uint64_t> file_bytes_{0}, high_water_{0}, unreleased_{0};
    SnapshotBox<std::string> problem_;
};

}  // namespace alleycat
