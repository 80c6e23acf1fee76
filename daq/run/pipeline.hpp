#pragma once
// What the daemon is: boards -> rings -> event builder -> trigger stage -> frames. Two loops: readout_loop (one thread
// per board) and Pipeline::trigger_loop (one thread), which hands the physics to ordered workers.

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <vector>

#include "daq/core/counter.hpp"
#include "daq/core/frame.hpp"
#include "daq/core/ordered_workers.hpp"
#include "daq/core/snapshot_box.hpp"
#include "daq/core/source.hpp"
#include "daq/core/worker.hpp"
#include "daq/run/beam_index_check.hpp"
#include "daq/run/beam_join.hpp"
#include "daq/run/board_input.hpp"
#include "daq/run/dead_time.hpp"
#include "daq/run/event_builder.hpp"
#include "daq/run/hit_beam.hpp"
#include "daq/run/run_buffers.hpp"
#include "daq/run/run_config.hpp"
#include "daq/run/ticker.hpp"
#include "daq/store/store_config.hpp"
#include "trigger/calibration/calibration_keeper.hpp"
#include "trigger/trigger_stage.hpp"

namespace alleycat {

/// How far a run is; made by the trigger thread about ten times a second.
struct Progress {
    Ledger ledger;              ///< triggers recorded or refused, those included that only their reader has refused
    std::uint64_t in_hand = 0;  ///< triggers that were read and are neither yet
    bool backed_up = false;     ///< the trigger thread waits for room in the frame buffer
    double dead_s = 0;          ///< for how long the boards have refused without a break [s of their data]; 0: not now
    BeamState beam_state = BeamState::unknown;
    float beam_power_w = -1;
    double beam_lag_s = 0;
    IndexCheck index_check;
    std::int64_t start_utc_ns = 0;              ///< of the first trigger; 0: none yet
    std::int64_t last_trigger_utc_ns = 0;       ///< that a board gave, refused ones included
    std::int64_t last_published_utc_ns = 0;     ///< that was handed over or refused
    std::uint64_t last_recorded = kNoSequence;  ///< sequence of the last trigger that was handed over
    std::optional<Gap> gap;                     ///< before this run
    std::int64_t last_time_ps = 0;
    std::chrono::steady_clock::time_point made_at{};
};

/// One run: from its sources to the frames of the data stream and the monitor.
class Pipeline {
  public:
    struct Config {
        WhenFull mode = WhenFull::refuse;
        RunConfig run;
        BuilderConfig builder;
        RawSelection keep{};               ///< samples that the reader of the frames has a use for
        bool ticks_know_the_beam = false;  ///< ticks of hits come with their beam state (recorded)
        std::uint64_t max_triggers = 0;    ///< the run ends after so many; 0: endless
        std::optional<Gap> gap{};    ///< since a run that was cut off before this one; its end is this run's beginning
        bool gap_is_settled = true;  ///< false: the writer may know better (settle_gap)
        std::optional<Gap> recorded_gap{};  ///< of the run that is replayed: goes into the file as it is
        std::optional<std::vector<Calibration>> recorded_calibration{};  ///< of a run that is replayed: not made anew
    };

    /// The run's start time is that of its first trigger. `buffers` outlives the pipeline and is read by others.
    Pipeline(Config config, RunDescription run, TriggerConfig trigger, BeamJoin beam,
             std::vector<std::unique_ptr<RecordSource>> sources, RunBuffers& buffers, CounterRegistry& registry);
    ~Pipeline();
    Pipeline(const Pipeline&) = delete;
    Pipeline& operator=(const Pipeline&) = delete;

    void start();
    /// Ends acquisition; what is in the rings is still processed. Returns at once.
    void request_stop();
    /// Stops waiting for room in the frame buffer: triggers that do not fit are given up, counted, and stand as dead
    /// time before the run's end, for which the buffer keeps room.
    void give_up() noexcept;
    /// What an operator said goes into the data stream, within a tenth of a second or when there is room. false: the
    /// run's last frames are on their way, and nothing can be added.
    [[nodiscard]] bool add_note(OperatorNote note);
    /// Stands behind the reason in the run's last frame. Any thread.
    void note(std::string what) { note_.put(std::make_shared<const std::string>(std::move(what))); }
    /// What the writer's side knows of the gap before this run: goes into the file instead of the estimate.
    void settle_gap(const Gap& gap) { settled_gap_.put(std::make_shared<const Gap>(gap)); }
    /// No board is read any more. (A refused trigger may still wait for room for its stub.)
    [[nodiscard]] bool acquisition_ended() const noexcept;
    /// The last frame of the run has been handed over.
    [[nodiscard]] bool done() const noexcept { return trigger_thread_ != nullptr && trigger_thread_->done(); }
    /// Waits for the end and rethrows the first failure.
    void finish();

    [[nodiscard]] const RunDescription& run() const noexcept { return run_; }
    [[nodiscard]] Progress progress() const;
    [[nodiscard]] std::vector<BufferStatus> buffers() const;
    /// In the order of the run's description.
    [[nodiscard]] std::vector<BoardStatus> boards() const;
    /// How far recorded inputs are read, 0..1; nullopt for boards.
    [[nodiscard]] std::optional<double> fraction_done() const;
    /// What the sources had to say, once all is done.
    [[nodiscard]] std::vector<std::string> remarks() const;

  private:
    struct Job {
        Trigger trigger;
        Event event;
        std::uint64_t consumed = 0;
        Ledger ledger;  ///< the builder's, up to this trigger
        CalibrationKeeper::Admission calibration;
        PeakCharges peaks;
    };

    void stop_readout() noexcept;
    void trigger_loop();
    void await_readout();
    void end_failed_run(const std::string& reason) noexcept;
    bool build(OrderedWorkers<Job>& workers);
    bool publish_finished(OrderedWorkers<Job>& workers);
    [[nodiscard]] bool publish(const Job& job);
    void settle(const Job& job, bool recorded) noexcept;
    void write_calibrations(std::uint64_t up_to_sequence);
    [[nodiscard]] const Trigger& kept_part(const Trigger& trigger, const Event& event) noexcept;
    void note_refused(const Trigger& trigger, RefusalReason reason);
    void close_dead_time(std::optional<std::int64_t> next_ps);
    void write_dead_time(const DeadTime& interval);
    void show_growing_dead_time();
    bool join_beam();
    bool join_hits();
    template <class Encode>
    void write_in_place(std::size_t bytes, std::size_t keep_free, const Encode& encode);
    void write_beam_states();
    void write_ticks();
    void write_beam_frames();
    void write_counters();
    void write_readings(bool all);
    void write_notes();
    void take_last_notes();
    void housekeeping();
    void make_progress();
    void tell_index_verdict();
    void tell_missing_boards();
    void begin_run(std::int64_t start_utc_ns);
    void measure_gap(const Gap& since);
    void write_gap();
    void end_run();
    [[nodiscard]] Ledger ledger() const noexcept;
    void add_backlog(Progress& progress) const noexcept;

    [[nodiscard]] std::span<std::byte> room_for_frame(std::size_t bytes, std::size_t keep_free);
    bool put_frame(const std::vector<std::byte>& frame);
    bool put_closing_frame(const std::vector<std::byte>& frame);
    bool hand_over(const std::vector<std::byte>& frame, std::span<std::byte> room);
    void put_monitor(std::span<const std::byte> frame);
    [[nodiscard]] std::span<std::byte> room_for_monitor(std::size_t bytes, std::size_t keep_free);

    Config config_;
    RunDescription run_;
    TriggerConfig trigger_;
    BeamJoin beam_;
    BeamIndexCheck index_check_;
    std::vector<std::unique_ptr<RecordSource>> sources_;
    Doorbell& bell_;
    Ring& frames_;
    Ring& monitor_;
    CounterRegistry& registry_;
    Counter& recorded_;
    Counter& given_up_;         // triggers
    Counter& not_kept_;         // triggers of a replay without samples
    Counter& given_up_frames_;  // beam states, beam frames, ticks, counters
    Counter& monitor_dropped_;

    std::vector<std::unique_ptr<BoardInput>> inputs_;
    std::unique_ptr<TriggerBuilder> builder_;
    std::optional<HitBeam> hit_beam_;  // where ticks come apart from the triggers
    CalibrationKeeper calibration_;

    // the trigger thread's own
    std::uint64_t next_ordinal_ = 0;
    Trigger bare_;  ///< a trigger without its samples, and the headers of its records
    std::array<RecordHeader, kMaxBoards> bare_headers_{};
    DeadTimeKeeper dead_time_;
    std::uint64_t dead_time_shown_ = kNoSequence;  ///< last sequence of the growing interval that the screen knows
    std::vector<BeamResolution> resolved_;
    std::vector<TickRecord> ticks_;
    std::vector<BeamFrame> beam_frames_;
    BeamResolution newest_resolution_;
    IndexVerdict told_verdict_ = IndexVerdict::none;
    std::vector<std::int64_t> told_missing_ps_;  // of each board that was said to be missing, how long; -1: it is there
    Ledger built_;                               // the builder's ledger, up to the trigger published last
    TriggerBuilder::Backlog under_way_;          // built, and neither handed over nor refused yet
    std::uint64_t refused_ = 0;
    std::optional<Gap> gap_;
    bool gap_is_due_ = false;  // not in the file yet
    std::uint64_t last_recorded_ = kNoSequence;
    std::uint64_t handed_over_ = 0;
    std::int64_t last_trigger_utc_ns_ = 0;
    std::int64_t settled_utc_ns_ = 0;  // of the trigger that was handed over or refused last
    std::int64_t last_time_ps_ = 0;
    bool waveform_due_ = true;
    double waveform_credit_ = 0;  // grows by waveforms_per_s, one trace costs 1
    int ticks_since_counters_ = 0, ticks_since_readings_ = 0;
    std::vector<std::shared_ptr<const std::vector<BoardReading>>> written_readings_;  // per board; nullptr: none yet
    bool input_ended_ = false;
    bool awaits_calibration_ = false;  // the trigger built last is not yet admitted
    bool begun_ = false;
    bool described_ = true;  ///< false: the frame that describes the run was given up; no writer could take the others
    bool waits_for_room_ = false;

    // Notes come from the thread that answers operators, now and then: a short list under a mutex hands them over.
    std::mutex note_mutex_;
    std::vector<OperatorNote> notes_;
    bool takes_notes_ = true;

    std::atomic<bool> give_up_{false};
    std::atomic<bool> stop_requested_{false};
    SnapshotBox<Progress> progress_;
    SnapshotBox<std::string> note_;
    SnapshotBox<Gap> settled_gap_;
    SnapshotBox<std::string> failure_;  // why a thread of the run ended, set before its input is marked ended

    std::optional<Ticker> ticker_;
    std::unique_ptr<Worker> trigger_thread_;
    std::vector<std::unique_ptr<Worker>> readout_threads_;
};

}  // namespace alleycat
