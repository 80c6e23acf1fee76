#pragma once

#include <atomic>
#include <chrono>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>

#include "daq/core/counter.hpp"
#include "daq/core/frame.hpp"
#include "daq/core/snapshot_box.hpp"
#include "daq/core/status.hpp"
#include "daq/run/run_buffers.hpp"
#include "daq/run/state_file.hpp"
#include "daq/wire/control.hpp"
#include "daq/wire/monitor_publisher.hpp"
#include "monitor/accumulator.hpp"
#include "monitor/alarms.hpp"
#include "trigger/trigger_stage.hpp"

namespace alleycat {

/// The monitor's thread inside the daemon: keeps the campaign's state, publishes it, and watches for alarms.
///
/// Everything the publisher sends is applied to the accumulator first, in the same thread: the state it gives out for
/// message M is exactly what a monitor holds that heard all messages up to M.
class MonitorFeed {
  public:
    struct Config {
        MonitorConfig monitor;
        TriggerConfig trigger;  ///< finds the peaks of the traces that are shown
        double tick_rate_hz = 60;
        bool real_time = true;                ///< false: as fast as it goes, host times mean nothing to alarms
        std::filesystem::path campaign_file;  ///< where the state lives between runs and restarts; "": nowhere
        std::optional<MonitorPublisher::Config> publish;
    };

    /// Binds the monitor socket and reads the campaign's state. Throws Error.
    MonitorFeed(Config config, RunBuffers& buffers, const SnapshotBox<Status>& status, CounterRegistry& registry);
    ~MonitorFeed();

    /// The thread's loop: until stop is requested and the buffer is empty.
    void run(const std::stop_token& stop);

    /// State after the last message, made by the feed's thread. Any thread may ask; waits for it. nullptr: stop was
    /// requested, or the loop has ended.
    [[nodiscard]] std::shared_ptr<const MonitorSnapshot> snapshot(const std::stop_token& stop);
    /// What the screen would show now. Only when the loop has ended.
    [[nodiscard]] std::shared_ptr<const Snapshot> result() const { return accumulator_.snapshot(); }

  private:
    void serve(const std::stop_token& stop);
    void handle(std::span<const std::byte> bytes);
    void handle_trigger(const FrameView& frame);
    void every_second();
    void answer_snapshot();
    void choose_campaign(bool test_run);
    void load_campaign();
    void save_campaign();

    Config config_;
    RunBuffers& buffers_;
    const SnapshotBox<Status>& status_;
    Counter& damaged_;
    Accumulator accumulator_;
    AlarmWatch alarms_;
    std::optional<MonitorPublisher> publisher_;
    std::optional<RunDescription> run_;
    std::optional<TriggerStage> stage_;
    TriggerFrame trigger_;
    int seconds_since_saved_ = 0;
    std::optional<std::vector<std::byte>> put_aside_;  ///< the station's campaign, during a test run

    std::atomic<std::uint64_t> asked_{0};
    std::atomic<std::uint64_t> answered_{0};
    Doorbell answer_bell_;
    SnapshotBox<MonitorSnapshot> answer_;
    std::atomic<bool> ended_{false};

    std::unique_ptr<StateKeeper> campaign_keeper_;
};

}  // namespace alleycat
