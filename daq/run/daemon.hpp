#pragma once
// The process around the pipeline: runs begin and end, buffers have their readers, control is answered. `alleycat run`,
// `daq`, `replay` and `simulate` are this class with other sources and other writers.

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <filesystem>
#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "daq/core/shutdown.hpp"
#include "daq/run/monitor_feed.hpp"
#include "daq/run/pipeline.hpp"
#include "daq/run/spill.hpp"
#include "daq/run/state_file.hpp"
#include "daq/run/station_setup.hpp"
#include "daq/store/frame_sink.hpp"
#include "daq/wire/control.hpp"
#include "daq/wire/data_server.hpp"
#include "monitor/snapshot.hpp"

namespace alleycat {

struct DaemonOptions {
    enum class Writer : std::uint8_t {
        embedded,     ///< this process writes the station's folder
        stream,       ///< another process connects to the data socket
        single_file,  ///< everything into `output`, no journal
        none,         ///< nothing is kept
    };
    Writer writer = Writer::embedded;
    std::filesystem::path output{};  ///< of single_file
    bool sockets = true;             ///< monitor and control
    bool end_with_run = false;       ///< leave when the (first) run has ended
    double seconds = 0;              ///< length of a run; 0: until stopped
    std::uint64_t triggers = 0;      ///< length of a run in triggers; 0: endless
    WhenFull mode = WhenFull::refuse;
    std::optional<RecordedInput> input{};  ///< recorded input instead of the station's boards (one run)
    bool test_run = false;                 ///< of the (first) run: not for physics
    bool keep_campaign = true;             ///< the monitor's state lives on in the store's folder
    std::function<void(const Status&, std::optional<double> fraction_done)> on_progress{};  ///< ten times a second
};

/// What the last run gave.
struct RunResult {
    RunDescription run;
    Status status;
    std::string end_reason;
    double seconds = 0;                        ///< of wall time, until the last trigger was measured and written
    std::vector<std::string> remarks;          ///< of the sources: what was torn, skipped, odd
    std::vector<std::filesystem::path> files;  ///< written and closed
    std::shared_ptr<const Snapshot> monitor;   ///< spectra, cut flow, excess of the campaign
};

class Daemon {
  public:
    /// Binds sockets and recovers what an earlier process left in the folder. Throws Error.
    Daemon(StationSetup setup, DaemonOptions options);
    ~Daemon();

    /// Serves until a signal, a quit command or (end_with_run) the end of the run. Throws Error when a run cannot start
    /// or ends by a failure and nobody is there to start another (end_with_run), or when the writer of this process
    /// failed.
    RunResult serve(ShutdownSignals& signals);

  private:
    struct Command {
        ControlRequest request;
        std::promise<ControlReply> reply;
    };
    struct RateSample {
        std::chrono::steady_clock::time_point at;
        std::uint64_t triggers = 0;
        std::uint64_t bytes = 0;
    };

    [[nodiscard]] std::vector<std::filesystem::path> files_of_run() const;
    void start_threads();
    void stop_threads();
    void answer_the_rest();
    std::uint64_t count_what_is_left();
    void start_run(bool test_run);
    void stop_run();
    void step(const ShutdownSignals& signals);
    void end_run();
    void fail(const std::string& reason, const std::string& remedy);
    void look_after_threads();
    [[nodiscard]] std::uint64_t waiting_bytes() const noexcept;
    [[nodiscard]] bool frames_drained() const noexcept { return waiting_bytes() == 0; }

    [[nodiscard]] ControlReply handle_control(const ControlRequest& request);
    void execute_commands();
    ControlReply execute(const ControlRequest& request);
    ControlReply start_by(const ControlRequest& request);
    ControlReply note_by(const ControlRequest& request);
    [[nodiscard]] ControlReply note_in_catalogue(const OperatorNote& note);

    void update_status();
    void update_rates(Status& status);
    void note_writer(const WriterStatus& writer);
    void judge_run(Status& status) const;
    [[nodiscard]] std::optional<Gap> gap_by_mark() const;
    [[nodiscard]] Gap gap_by_writer(const std::optional<DurablePosition>& on_disk) const;
    void settle_gap();
    void follow_disk(const Progress& progress);
    void keep_run_mark();
    [[nodiscard]] bool keeps_runs() const noexcept;
    [[nodiscard]] RawSelection samples_kept() const noexcept;
    [[nodiscard]] std::filesystem::path state_folder() const;

    StationSetup setup_;
    DaemonOptions options_;
    CounterRegistry registry_;
    RunBuffers buffers_;
    SnapshotBox<Status> status_;
    SnapshotBox<WriterStatus> writer_status_;
    std::unique_ptr<FrameSink> sink_;
    std::unique_ptr<SpillingQueue> spill_;
    std::unique_ptr<DataServer> data_server_;
    std::unique_ptr<MonitorFeed> feed_;
    std::unique_ptr<ControlServer> control_;

    RunState state_ = RunState::idle;
    std::string reason_;
    std::exception_ptr failure_;         // of the run that ended last; a start command may try again
    std::exception_ptr writer_failure_;  // of this process's writer: nothing can be recorded any more
    std::unique_ptr<Pipeline> pipeline_;
    RunResult result_;
    std::chrono::steady_clock::time_point run_started_{};
    bool any_run_ = false;
    std::vector<OperatorNote> notes_;  // of the run that goes on, or went last
    bool quit_ = false;
    bool drain_expired_ = false;
    std::chrono::steady_clock::time_point run_deadline_{};
    std::chrono::steady_clock::time_point drain_deadline_{};
    std::deque<RateSample> rates_;
    WriterState writer_state_ = WriterState::writing;  // as reported last
    std::uint64_t written_before_run_ = 0;             ///< to the frame buffer
    /// A trigger, and how many bytes had been written to the frame buffer with it.
    struct UnderWay {
        std::uint64_t written_bytes = 0;
        std::int64_t utc_ns = 0;
        std::uint64_t sequence = kNoSequence;
    };
    std::optional<Gap> gap_;  // what an earlier process left: for the first run
    bool gap_is_settled_ = false;
    std::deque<UnderWay> under_way_;
    UnderWay on_disk_;              // or in the spill
    std::uint64_t marked_run_ = 0;  ///< whose trigger on_disk_ is
    bool any_on_disk_ = false;      ///< of this run
    std::string mark_;
    std::chrono::steady_clock::time_point mark_due_{};
    std::vector<std::promise<ControlReply>> waiting_for_stop_;

    Doorbell bell_;
    std::stop_source control_stop_;
    // Commands come from the control thread and change the run's life, which is the serving thread's: a short list
    // under a mutex hands them over, one by one, each with a promise of its answer.
    std::mutex command_mutex_;
    std::deque<Command> commands_;
    bool answering_ = true;  // under the same mutex: false: the serving thread looks at commands no longer

    std::unique_ptr<Worker> writer_;
    std::unique_ptr<Worker> feed_thread_;
    std::unique_ptr<StateKeeper> mark_keeper_;
    std::unique_ptr<Worker> control_thread_;
};

}  // namespace alleycat
