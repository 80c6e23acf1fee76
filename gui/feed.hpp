#pragma once
// Where snapshots come from: a daemon's monitor stream, or recorded files. A feed is worked by one thread, which owns
// its sockets or files and its accumulator; what it puts into the box is immutable.

#include <chrono>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "daq/core/snapshot_box.hpp"
#include "daq/core/source.hpp"
#include "daq/wire/monitor_client.hpp"
#include "gui/feed_state.hpp"
#include "monitor/accumulator.hpp"

namespace alleycat::gui {

/// Time between two snapshots: nobody reads faster.
inline constexpr std::chrono::milliseconds kSnapshotInterval{200};

/// Follows a daemon; comes back by itself after it was away.
class LiveFeed {
  public:
    /// Does not wait for the daemon. Throws UsageError for an endpoint that is none.
    LiveFeed(MonitorClient::Config config, SnapshotBox<FeedState>& box);

    /// Waits at most 100 ms for messages, applies them, and puts a new state into the box when one is due.
    void step();

  private:
    SnapshotBox<FeedState>& box_;
    MonitorClient client_;
    Accumulator accumulator_;
    FeedState state_;  ///< as last put
    std::uint64_t snapshot_message_ = 0;
    std::chrono::steady_clock::time_point due_;
};

/// Plays files from their start to their end, with the binning and the limits of the station text in the first of them.
class FileFeed {
  public:
    /// Throws Error naming the file that cannot be opened.
    FileFeed(const std::vector<std::filesystem::path>& files, SnapshotBox<FeedState>& box);

    /// Plays one block; false at the end. When a file cannot go on, the box says so and the Error is thrown on.
    bool step();

  private:
    void put(bool ended);

    SnapshotBox<FeedState>& box_;
    std::unique_ptr<EventSource> source_;
    Accumulator accumulator_;
    FeedState state_;
    std::chrono::steady_clock::time_point due_;
};

}  // namespace alleycat::gui
