#include "daq/run/daemon.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "daq/core/log.hpp"
#include "daq/run/frame_writer.hpp"
#include "daq/run/ticker.hpp"
#include "daq/run/writer_process.hpp"
#include "daq/store/catalogue.hpp"
#include "daq/store/catalogue_rebuild.hpp"
#include "daq/store/part_name.hpp"
#include "daq/store/run_number.hpp"
#include "daq/store/run_quality.hpp"
#include "daq/store/run_writer.hpp"
#include "daq/store/single_file_writer.hpp"

namespace alleycat {
namespace {

using std::chrono::steady_clock;

constexpr auto kTick = std::chrono::milliseconds{100};
constexpr std::size_t kMonitorBufferBytes = 32u << 20;

/// Keeps nothing: replay without an output.
class NoSink final : public FrameSink {
  public:
    void append(const FrameView&) override {}
    std::optional<Durable> sync() override { return std::nullopt; }
    void finish() override {}
    [[nodiscard]] WriterStatus status() const override { return {}; }
};

steady_clock::duration seconds(double s) {
    return std::chrono::duration_cast<steady_clock::duration>(std::chrono::duration<double>{s});
}

}  // namespace

Daemon::Daemon(StationSetup setup, DaemonOptions options)
    : setup_{std::move(setup)},
      options_{std::move(options)},
      buffers_{setup_.run.retransmit_bytes, kMonitorBufferBytes} {
    MonitorFeed::Config feed{.monitor = setup_.monitor,
                             .trigger = setup_.trigger,
                             .tick_rate_hz = setup_.station.tick_rate_hz,
                             .real_time = options_.mode == WhenFull::refuse,
                             .campaign_file = {},
                             .publish = std::nullopt};
    if (keeps_runs()) {
        std::filesystem::create_directories(state_folder());
        gap_ = gap_by_mark();
    }
    switch (options_.writer) {
        case DaemonOptions::Writer::embedded: {
            auto writer = std::make_unique<RunWriter>(setup_.store);
            if (gap_) gap_ = gap_by_writer(last_on_disk(writer->durable()));
            gap_is_settled_ = true;
            sink_ = std::move(writer);
            break;
        }
        case DaemonOptions::Writer::single_file:
            sink_ = std::make_unique<SingleFileWriter>(options_.output, setup_.store.compression, setup_.store.raw,
                                                       setup_.store.compression_threads);
            break;
        case DaemonOptions::Writer::none: sink_ = std::make_unique<NoSink>(); break;
        case DaemonOptions::Writer::stream: break;
    }
    if (gap_) {
        log::run().warn("run {} was cut off: what it did not get to disk, and the time since, counts as lost",
                        gap_->previous_run);
    }
    if (options_.keep_campaign) {
        std::filesystem::create_directories(state_folder());
        feed.campaign_file = state_folder() / (setup_.station.profile + ".campaign");
    }
    if (options_.sockets) {
        const Security security = setup_.wire.load_security();
        feed.publish = MonitorPublisher::Config{.endpoint = setup_.wire.monitor_endpoint, .security = security};
        control_ =
            std::make_unique<ControlServer>(ControlServer::Config{setup_.wire.control_endpoint, security}, registry_,
                                            [this](const ControlRequest& request) { return handle_control(request); });
        if (options_.writer == DaemonOptions::Writer::stream) {
            DataServer::Config data{.endpoint = setup_.wire.data_endpoint,
                                    .security = security,
                                    .heartbeat = setup_.wire.heartbeat,
                                    .dead_after = setup_.wire.dead_after};
            if (setup_.run.spill_bytes > 0) {
                const std::filesystem::path& folder = setup_.run.spill_folder;
                spill_ = std::make_unique<SpillingQueue>(
                    SpillingQueue::Config{.folder = folder.empty() ? state_folder() / "spill" : folder,
                                          .max_bytes = setup_.run.spill_bytes},
                    buffers_.frames, registry_);
                if (gap_) {  // as far as it is known without a writer
                    gap_ = gap_by_writer(std::nullopt);
                    gap_->told_by_writer = false;
                }
                data_server_ = std::make_unique<DataServer>(std::move(data), *spill_, registry_);
            } else {
                data_server_ = std::make_unique<DataServer>(std::move(data), buffers_.frames, registry_);
            }
        }
    }
    feed_ = std::make_unique<MonitorFeed>(std::move(feed), buffers_, status_, registry_);
    update_status();
}

Daemon::~Daemon() { control_stop_.request_stop(); }

std::filesystem::path Daemon::state_folder() const { return setup_.store.folder; }

/// Live runs that somebody will look for: a number each, and a mark that a crash leaves behind.
bool Daemon::keeps_runs() const noexcept {
    return !options_.input &&
           (options_.writer == DaemonOptions::Writer::embedded || options_.writer == DaemonOptions::Writer::stream);
}

// ---- serving

RunResult Daemon::serve(ShutdownSignals& signals) {
    start_threads();
    std::exception_ptr failed_to_serve;
    std::stop_callback wake{signals.stop(), [this] { bell_.ring(); }};
    try {
        if (setup_.run.autostart || options_.end_with_run) start_run(options_.test_run);
        Ticker ticker{bell_, kTick};
        for (;;) {
            const std::uint32_t seen = bell_.value();
            execute_commands();
            if (signals.stop().stop_requested() || quit_) stop_run();
            step(signals);
            if (ticker.ticked()) {
                update_status();
                if (options_.on_progress && pipeline_) options_.on_progress(*status_.get(), pipeline_->fraction_done());
            }
            const bool between_runs = !pipeline_ && (state_ == RunState::idle || state_ == RunState::error);
            if (between_runs && (signals.stop().stop_requested() || quit_ || (options_.end_with_run && any_run_)))
                break;
            bell_.wait(seen, std::stop_token{});
        }
    } catch (...) {
        failed_to_serve = std::current_exception();
        pipeline_.reset();
    }
    answer_the_rest();
    stop_threads();
    const std::uint64_t lost = count_what_is_left();
    update_status();
    mark_keeper_.reset();
    if (failed_to_serve) std::rethrow_exception(failed_to_serve);
    if (writer_failure_) std::rethrow_exception(writer_failure_);
    if (failure_ && options_.end_with_run) std::rethrow_exception(failure_);
    if (lost > 0) {
        const std::string& problem = status_.get()->writer.problem;
        throw Error{fmt::format("{} triggers are lost: no writer has put them on disk{}{}", lost,
                                problem.empty() ? "" : ": ", problem)};
    }
    result_.status = *status_.get();
    result_.monitor = feed_->result();
    result_.files = files_of_run();
    return std::move(result_);
}

/// What the reader of the frames has a use for. A journal and another process get all there is: what they keep is
/// theirs to say.
RawSelection Daemon::samples_kept() const noexcept {
    switch (options_.writer) {
        case DaemonOptions::Writer::none: return RawData::none;
        case DaemonOptions::Writer::single_file: return setup_.store.raw;
        case DaemonOptions::Writer::embedded:
        case DaemonOptions::Writer::stream: break;
    }
    return RawData::all;
}

/// The closed files of the last run.
std::vector<std::filesystem::path> Daemon::files_of_run() const {
    std::vector<std::filesystem::path> files;
    if (options_.writer == DaemonOptions::Writer::single_file) files.push_back(options_.output);
    if (options_.writer == DaemonOptions::Writer::embedded) {
        for (const auto& entry : std::filesystem::directory_iterator{setup_.store.folder}) {
            const std::optional<PartName> name = parse_part_name(entry.path());
            if (name && name->run == result_.run.run && entry.path().filename() == closed_name(*name))
                files.push_back(entry.path());
        }
        std::sort(files.begin(), files.end());
    }
    std::erase_if(files, [](const std::filesystem::path& file) { return !std::filesystem::exists(file); });
    return files;
}

void Daemon::start_threads() {
    if (sink_) {
        writer_ = std::make_unique<Worker>("writer", [this](const std::stop_token& stop) {
            write_frames(buffers_, *sink_, setup_.store.sync_interval, writer_status_, stop);
            sink_->finish();
        });
    } else {
        writer_ =
            std::make_unique<Worker>("data-server", [this](const std::stop_token& stop) { data_server_->run(stop); });
    }
    feed_thread_ = std::make_unique<Worker>("monitor", [this](const std::stop_token& stop) { feed_->run(stop); });
    if (control_) {
        control_thread_ = std::make_unique<Worker>("control", [this](const std::stop_token& stop) {
            while (!stop.stop_requested()) control_->serve(kTick);
        });
    }
    if (keeps_runs()) mark_keeper_ = std::make_unique<StateKeeper>(state_folder() / "daemon.state", "run-mark");
}

/// Upstream first: the monitor and the writer still take what is in their buffers. Control last: it answers meanwhile.
void Daemon::stop_threads() {
    control_stop_.request_stop();  // no snapshot is waited for any more
    const auto end = [&](std::unique_ptr<Worker>& thread, std::exception_ptr& failure) {
        if (!thread) return;
        thread->request_stop();
        try {
            thread->finish();
        } catch (const std::exception& e) {
            if (!failure) failure = std::current_exception();
            log::run().error("{}", e.what());
        }
    };
    end(feed_thread_, failure_);
    end(writer_, writer_failure_);
    end(control_thread_, failure_);
}

/// Nobody looks at commands any longer: those that wait, and those to come, hear so.
void Daemon::answer_the_rest() {
    const ControlReply ending{.ok = false, .message = "the daemon is ending", .status = {}, .snapshot = {}};
    const std::lock_guard lock{command_mutex_};
    answering_ = false;
    for (Command& command : commands_) command.reply.set_value(ending);
    commands_.clear();
    for (auto& reply : waiting_for_stop_) reply.set_value(ending);
    waiting_for_stop_.clear();
}

/// What no writer took is gone with this process, but for what the spill has room for: counted here, and estimated
/// again by the next one.
std::uint64_t Daemon::count_what_is_left() {
    if (spill_) {
        spill_->spill_all();
        if (const std::uint64_t bytes = spill_->status().used_bytes; bytes > 0)
            log::run().info("{} bytes in the spill wait for the next start", bytes);
    }
    buffers_.frames.rewind();
    std::uint64_t triggers = 0;
    for (auto bytes = buffers_.frames.next(); bytes.data() != nullptr; bytes = buffers_.frames.next()) {
        FrameView frame;
        if (read_frame(bytes, frame) == FrameError::none && frame.header.kind == FrameKind::trigger) ++triggers;
    }
    buffers_.frames.rewind();
    if (triggers > 0) registry_.get("run.given_up_triggers").add(triggers);
    return triggers;
}

// ---- the state machine

void Daemon::start_run(bool test_run) {
    reason_.clear();
    failure_ = nullptr;
    registry_.start_anew();  // every counter is of one run
    mark_due_ = {};          // a kill in its first second must not find the mark of a run that ended
    notes_.clear();
    const bool live = !options_.input.has_value();
    std::vector<std::unique_ptr<RecordSource>> sources;
    std::uint64_t run = 0;
    std::uint64_t max_triggers = options_.triggers;
    if (live) {
        if (options_.seconds > 0 && setup_.station.tick_rate_hz > 0) {
            max_triggers =
                setup_.simulator.triggers_before(std::llround(options_.seconds * setup_.station.tick_rate_hz));
        }
        sources = make_live_sources(setup_, max_triggers);
        run = keeps_runs() ? next_run_number(state_folder()) : 1;
    } else {
        run = options_.input->run;
        sources = std::move(options_.input->sources);
    }
    Pipeline::Config config{.mode = options_.mode,
                            .run = setup_.run,
                            .builder = setup_.builder,
                            .keep = samples_kept(),
                            .ticks_know_the_beam = setup_.beam.source == BeamConfig::Source::recorded,
                            .max_triggers = setup_.station.self_triggered() ? 0 : max_triggers,
                            .gap = gap_,
                            .gap_is_settled = gap_is_settled_};
    config.builder.mode = options_.mode;
    config.builder.clocks_by_host = options_.mode == WhenFull::refuse;
    if (!live && setup_.trigger.calibration.source == CalibrationConfig::Source::fit)
        config.recorded_calibration = options_.input->calibration;
    if (!live && options_.input->is_alleycat) {
        config.recorded_gap = options_.input->gap;
        config.builder.recorded = true;
        config.builder.tick_board = 0;  // the first board's source tells them
    }
    RunDescription description = describe_run(setup_, run, sources);
    description.test_run = live ? test_run : options_.input->test_run;
    result_.run = description;
    pipeline_ = std::make_unique<Pipeline>(std::move(config), std::move(description), setup_.trigger,
                                           make_beam_join(setup_, registry_), std::move(sources), buffers_, registry_);
    run_started_ = steady_clock::now();
    pipeline_->start();
    // Until something of this run is on disk, a kill leaves the gap as old as it was.
    on_disk_ = gap_ ? UnderWay{0, gap_->from_utc_ns, gap_->last_sequence} : UnderWay{};
    marked_run_ = gap_ ? gap_->previous_run : run;
    any_on_disk_ = false;
    if (gap_is_settled_) gap_.reset();  // told once, by the first run that did start
    state_ = RunState::running;
    any_run_ = true;
    drain_expired_ = false;
    run_deadline_ = options_.seconds > 0 && max_triggers == 0 ? steady_clock::now() + seconds(options_.seconds)
                                                              : steady_clock::time_point::max();
    rates_.clear();
    written_before_run_ = buffers_.frames.stats().written_bytes;
    under_way_.clear();
    log::run().info("run {} started; trigger stage: {}", run, to_text(setup_.run.kernels));
}

void Daemon::stop_run() {
    if (pipeline_ && state_ == RunState::running) pipeline_->request_stop();
}

/// A thread of this process that has failed ends the run; without its writer the process cannot record another.
void Daemon::look_after_threads() {
    const auto failure_of = [](const std::unique_ptr<Worker>& thread) -> std::exception_ptr {
        if (!thread || !thread->failed()) return nullptr;
        try {
            thread->finish();
        } catch (...) {
            return std::current_exception();
        }
        return nullptr;
    };
    const auto words_of = [](const std::exception_ptr& failure) -> std::string {
        try {
            std::rethrow_exception(failure);
        } catch (const std::exception& e) {
            return e.what();
        } catch (...) {
            return "an unknown failure";
        }
    };
    if (const std::exception_ptr failure = failure_of(writer_)) {
        writer_failure_ = failure;
        fail(words_of(failure), "mend it, then start this program again");
    }
    if (const std::exception_ptr failure = failure_of(feed_thread_)) {
        log::run().error("the monitor has failed: {}", words_of(failure));
        if (options_.mode == WhenFull::refuse) {  // the data do not suffer
            reason_ = "the monitor has failed, the data have not: " + words_of(failure);
        } else {  // the run would wait for it
            failure_ = failure;
            fail(words_of(failure), "start this program again");
        }
    }
}

void Daemon::step(const ShutdownSignals& signals) {
    look_after_threads();
    if (!pipeline_) return;
    if (state_ == RunState::running) {
        if (steady_clock::now() >= run_deadline_) pipeline_->request_stop();
        if (!pipeline_->acquisition_ended()) return;
        state_ = RunState::draining;
        drain_deadline_ = steady_clock::now() + seconds(setup_.run.drain_timeout_s);
        for (auto& reply : waiting_for_stop_)
            reply.set_value({.ok = true, .message = "acquisition has ended", .status = {}, .snapshot = {}});
        waiting_for_stop_.clear();
    }
    // A file waits as long as it takes; what was live does not.
    const bool too_late = options_.mode == WhenFull::refuse && steady_clock::now() >= drain_deadline_;
    const bool patience_ends = state_ == RunState::draining && (too_late || signals.hurry().stop_requested());
    if (patience_ends && !drain_expired_) {
        drain_expired_ = true;
        pipeline_->give_up();
    }
    if (pipeline_->done() && (frames_drained() || drain_expired_ || state_ == RunState::error)) end_run();
}

void Daemon::end_run() {
    const std::uint64_t run = pipeline_->run().run;
    try {
        pipeline_->finish();
    } catch (const std::exception& e) {
        failure_ = std::current_exception();
        fail(e.what(), "mend it, then 'alleycat control start'");
    }
    if (!frames_drained()) {
        log::run().warn("run {}: {} bytes are not on disk{}", run, waiting_bytes(),
                        writer_failure_ ? ""
                        : spill_        ? ": they wait in memory and in the spill for a writer"
                                        : ": they wait in memory for a writer");
    }
    result_.run = pipeline_->run();
    const bool kept =
        options_.writer != DaemonOptions::Writer::none;  // then the run took until the writer had all of it
    const steady_clock::time_point ended = kept ? steady_clock::now() : pipeline_->progress().made_at;
    result_.seconds = std::chrono::duration<double>(ended - run_started_).count();
    result_.remarks = pipeline_->remarks();
    for (const std::string& remark : result_.remarks) log::readout().warn("{}", remark);
    update_status();
    const Ledger& ledger = status_.get()->ledger;
    log::run().info("run {} ended: {} triggers, {} recorded, {} refused, {} ticks missed{}", run, ledger.triggers,
                    ledger.recorded, ledger.refused, ledger.ticks_missed,
                    ledger.closes() ? "" : "; THE LEDGER DOES NOT CLOSE");
    gap_.reset();  // the run has told it, with what was known
    pipeline_.reset();
    if (state_ != RunState::error) state_ = RunState::idle;
    update_status();
}

/// Something cannot go on. The process does: it says why, and how to leave this state.
void Daemon::fail(const std::string& reason, const std::string& remedy) {
    if (options_.end_with_run) {  // the process ends by this reason and says it itself
        reason_ = reason;
    } else {
        log::run().error("{}", reason);
        reason_ = fmt::format("{} ({})", reason, remedy);
    }
    state_ = RunState::error;
    if (pipeline_) {
        pipeline_->request_stop();
        pipeline_->give_up();
    }
    for (auto& reply : waiting_for_stop_)
        reply.set_value({.ok = false, .message = reason, .status = {}, .snapshot = {}});
    waiting_for_stop_.clear();
}

// ---- control

/// In the control thread. What only looks is answered here; what changes the run's life goes to the serving thread.
ControlReply Daemon::handle_control(const ControlRequest& request) {
    if (request.command == ControlCommand::status) {
        return {.ok = true, .message = "", .status = *status_.get(), .snapshot = {}};
    }
    if (request.command == ControlCommand::snapshot) {
        const std::shared_ptr<const MonitorSnapshot> snapshot = feed_->snapshot(control_stop_.get_token());
        if (!snapshot) return {.ok = false, .message = "the daemon is ending", .status = {}, .snapshot = {}};
        return {.ok = true, .message = "", .status = {}, .snapshot = *snapshot};
    }
    std::future<ControlReply> reply;
    {
        const std::lock_guard lock{command_mutex_};
        if (!answering_) return {.ok = false, .message = "the daemon is ending", .status = {}, .snapshot = {}};
        commands_.push_back({request, {}});
        reply = commands_.back().reply.get_future();
    }
    bell_.ring();
    if (reply.wait_for(std::chrono::seconds{10}) != std::future_status::ready) {
        return {.ok = false, .message = "the daemon did not answer within 10 s", .status = {}, .snapshot = {}};
    }
    return reply.get();
}

void Daemon::execute_commands() {
    for (;;) {
        Command command;
        {
            const std::lock_guard lock{command_mutex_};
            if (commands_.empty()) return;
            command = std::move(commands_.front());
            commands_.pop_front();
        }
        if (command.request.command == ControlCommand::stop && state_ == RunState::running) {
            stop_run();
            waiting_for_stop_.push_back(std::move(command.reply));  // answered when acquisition has ended
        } else {
            command.reply.set_value(execute(command.request));
        }
    }
}

namespace {
ControlReply accept(std::string message) {
    return {.ok = true, .message = std::move(message), .status = {}, .snapshot = {}};
}
ControlReply refuse(std::string why) { return {.ok = false, .message = std::move(why), .status = {}, .snapshot = {}}; }
}  // namespace

ControlReply Daemon::execute(const ControlRequest& request) {
    switch (request.command) {
        case ControlCommand::start: return start_by(request);
        case ControlCommand::comment:
        case ControlCommand::mark: return note_by(request);
        case ControlCommand::stop: return refuse(pipeline_ ? "the run is ending" : "no run is going on");
        case ControlCommand::quit: quit_ = true; return {.ok = true, .message = "ending", .status = {}, .snapshot = {}};
        case ControlCommand::status:
        case ControlCommand::snapshot: break;
    }
    return refuse("not a command for the daemon");
}

ControlReply Daemon::start_by(const ControlRequest& request) {
    if (!request.argument.empty() && request.argument != "test")
        return refuse(fmt::format("start takes 'test' or nothing, not '{}'", request.argument));
    if (pipeline_) return refuse("a run is going on");
    if (writer_failure_) return refuse("the writer of this process has failed: start the program again");
    try {
        start_run(request.argument == "test");
    } catch (const std::exception& e) {
        fail(e.what(), "mend it, then 'alleycat control start'");
        return refuse(e.what());
    }
    return accept(fmt::format("{} {} started", request.argument.empty() ? "run" : "test run", pipeline_->run().run));
}

/// Into the data stream of the run that goes on. A file that is closed is never changed: what is said of a run that has
/// ended stands in the catalogue.
ControlReply Daemon::note_by(const ControlRequest& request) {
    OperatorNote note{.utc_ns = utc_now().time_since_epoch().count(),
                      .kind = NoteKind::comment,
                      .author = request.author,
                      .text = request.text};
    if (request.command == ControlCommand::mark) {
        if (request.argument != "good" && request.argument != "tainted")
            return refuse(fmt::format("a run is marked good or tainted, not '{}'", request.argument));
        note.kind = request.argument == "good" ? NoteKind::good : NoteKind::tainted;
    }
    if (std::string problem = note_problem(note); !problem.empty()) return refuse(std::move(problem));
    if (pipeline_ && pipeline_->add_note(note)) {
        notes_.push_back(note);
        return accept(fmt::format("noted in run {}", pipeline_->run().run));
    }
    if (!keeps_runs()) return refuse("no run is going on, and none of this program stands in a catalogue");
    if (!std::filesystem::exists(Catalogue::file_in(state_folder()))) {
        return refuse(fmt::format("no run is going on, and {} is not here: say it where the data are written",
                                  Catalogue::file_in(state_folder()).string()));
    }
    try {
        return note_in_catalogue(note);
    } catch (const Error& e) {
        return refuse(e.what());
    }
}

ControlReply Daemon::note_in_catalogue(const OperatorNote& note) {
    Catalogue catalogue{state_folder(), Catalogue::Open::write};
    std::uint64_t run = result_.run.run;
    if (run == 0) {
        const std::optional<CatalogueRun> newest = catalogue.newest_run();
        if (!newest) return refuse("there is no run yet");
        run = newest->run;
    }
    catalogue.put(comment_row(run, note));
    catalogue.judge_anew(run);
    if (run == result_.run.run) notes_.push_back(note);
    return accept(fmt::format("noted in the catalogue: run {} has ended", run));
}

// ---- status

void Daemon::update_status() {
    auto status = std::make_shared<Status>();
    const std::shared_ptr<const Status> before = status_.get();
    status->state = state_;
    status->reason = reason_;
    status->utc_ns = utc_now().time_since_epoch().count();
    status->counters = registry_.values();
    if (pipeline_) {
        const Progress progress = pipeline_->progress();
        status->run = pipeline_->run().run;
        status->run_start_utc_ns = progress.start_utc_ns;
        status->last_trigger_utc_ns = progress.last_trigger_utc_ns;
        status->beam_state = progress.beam_state;
        status->beam_power_w = progress.beam_power_w;
        status->beam_lag_s = progress.beam_lag_s;
        status->index_check = progress.index_check;
        status->ledger = progress.ledger;
        status->in_hand = progress.in_hand;
        status->backed_up = progress.backed_up;
        status->dead_s = progress.dead_s;
        status->buffers = pipeline_->buffers();
        status->boards = pipeline_->boards();
        status->gap = progress.gap;
        follow_disk(progress);
        settle_gap();
    } else if (before) {  // between runs: what the last one left
        status->run = before->run;
        status->run_start_utc_ns = before->run_start_utc_ns;
        status->last_trigger_utc_ns = before->last_trigger_utc_ns;
        status->index_check = before->index_check;
        status->ledger = before->ledger;
        status->gap = before->gap;
        status->buffers = before->buffers;
        status->boards = before->boards;
    }
    if (spill_) {
        std::erase_if(status->buffers, [](const BufferStatus& buffer) { return buffer.name == "spill"; });
        status->buffers.push_back(spill_->status());
    }
    const Ledger& ledger = status->ledger;
    // Counters are read a moment later than the ledger.
    const std::uint64_t asked = ledger.triggers - std::min(ledger.refused, not_kept(status->counters));
    if (asked > 0) {
        status->live_fraction = static_cast<double>(ledger.recorded) / static_cast<double>(asked);
    }
    if (data_server_) {
        status->writer = data_server_->status();
    } else if (const std::shared_ptr<const WriterStatus> writer = writer_status_.get()) {
        status->writer = *writer;
    }
    note_writer(status->writer);
    if (any_run_) judge_run(*status);
    if (spill_ && status->writer.problem.empty()) status->writer.problem = spill_->problem();
    update_rates(*status);
    status_.put(std::move(status));
    if (any_run_ && mark_keeper_) keep_run_mark();
}

/// As its files will say, but for what only the writer finds. A run that ended is over as far as this process knows.
void Daemon::judge_run(Status& status) const {
    RunEvidence evidence{.over = !pipeline_,
                         .end = {},
                         .ledger = status.ledger,
                         .counters = status.counters,
                         .missing = {},
                         .shortcomings = {}};
    if (!pipeline_)
        evidence.end =
            RunEnd{.utc_ns = 0, .clean = state_ != RunState::error, .reason = reason_, .ledger = status.ledger};
    RunQuality judged = judge(evidence, notes_);
    status.quality = std::move(judged.flags);
    status.quality_reasons = std::move(judged.reasons);
    if (!notes_.empty()) status.last_note = notes_.back();
}

/// That the writer stopped, and why, is known here first: it stands in the log, the counters and the end of the run.
void Daemon::note_writer(const WriterStatus& writer) {
    if (writer.state == writer_state_) return;
    writer_state_ = writer.state;
    if (writer.state != WriterState::stopped_disk_full && writer.state != WriterState::failed) {
        if (data_server_) log::run().info("the writer goes on");
        return;
    }
    registry_.get(fmt::format("writer.{}", to_text(writer.state))).add();
    if (data_server_) log::run().error("the writer has stopped: {}", writer.problem);
    if (pipeline_) pipeline_->note("the writer had stopped: " + writer.problem);
}

/// Rates over the last second of wall time.
void Daemon::update_rates(Status& status) {
    RateSample now{steady_clock::now(), status.ledger.triggers + status.in_hand, 0};
    for (const auto& [name, value] : status.counters) {
        if (name.starts_with("readout.") && name.ends_with(".bytes")) now.bytes += value;
    }
    rates_.push_back(now);
    while (rates_.size() > 2 && now.at - rates_[1].at >= std::chrono::seconds{1}) rates_.pop_front();
    const double span_s = std::chrono::duration<double>(now.at - rates_.front().at).count();
    if (span_s > 0 && now.triggers >= rates_.front().triggers) {
        status.trigger_rate_hz = static_cast<double>(now.triggers - rates_.front().triggers) / span_s;
        status.bytes_per_second = static_cast<double>(now.bytes - rates_.front().bytes) / span_s;
    }
    // By the triggers that come, not by what goes in: a full buffer takes nothing, and the rate is still there.
    if (status.ledger.recorded == 0) return;
    const double bytes_per_trigger = static_cast<double>(buffers_.frames.stats().written_bytes - written_before_run_) /
                                     static_cast<double>(status.ledger.recorded);
    for (BufferStatus& buffer : status.buffers) {
        if (buffer.name == "retransmit" || buffer.name == "spill")
            buffer.data_bytes_per_s = bytes_per_trigger * status.trigger_rate_hz;
    }
}

// ---- what a crash leaves

/// Up to which trigger the writer, or the spill, has taken the frames: the buffer frees in order what is on disk.
void Daemon::follow_disk(const Progress& progress) {
    if (on_disk_.utc_ns == 0) on_disk_.utc_ns = progress.start_utc_ns;  // nothing yet: all would be lost
    const RingStats frames = buffers_.frames.stats();
    if (progress.last_published_utc_ns != 0 &&
        (under_way_.empty() || under_way_.back().written_bytes != frames.written_bytes)) {
        under_way_.push_back({frames.written_bytes, progress.last_published_utc_ns, progress.last_recorded});
    }
    for (; !under_way_.empty() && under_way_.front().written_bytes <= frames.written_bytes - frames.used_bytes;
         under_way_.pop_front()) {
        on_disk_ = under_way_.front();
        marked_run_ = result_.run.run;
        if (!std::exchange(any_on_disk_, true)) mark_due_ = {};
    }
}

/// About once a second, and at once when it matters. Clean: the run has ended and all of it is on disk.
void Daemon::keep_run_mark() {
    if (on_disk_.utc_ns == 0) return;  // not begun: what the mark of the run before says still holds
    const bool clean = !pipeline_ && buffers_.frames.stats().used_bytes == 0 && !writer_failure_;
    std::string mark = fmt::format("run {}\non_disk_until_utc_ns {}\nclean {}\n", clean ? result_.run.run : marked_run_,
                                   on_disk_.utc_ns, clean ? 1 : 0);
    if (on_disk_.sequence != kNoSequence) mark += fmt::format("last_sequence {}\n", on_disk_.sequence);
    const steady_clock::time_point now = steady_clock::now();
    if (mark == mark_ || (pipeline_ && now < mark_due_)) return;
    mark_due_ = now + std::chrono::seconds{1};
    const std::span<const std::byte> bytes = std::as_bytes(std::span{mark});
    mark_keeper_->put({bytes.begin(), bytes.end()});
    mark_ = std::move(mark);
}

/// What the mark of a run that never ended says was on disk; nullopt when the last run ended cleanly or there was none.
std::optional<Gap> Daemon::gap_by_mark() const {
    const std::filesystem::path file = state_folder() / "daemon.state";
    if (!std::filesystem::exists(file)) return std::nullopt;
    const std::vector<std::byte> bytes = read_state_file(file);
    const std::string text{reinterpret_cast<const char*>(bytes.data()), bytes.size()};
    unsigned long long run = 0, sequence = kNoSequence;
    long long utc_ns = 0;
    int clean = 1;
    if (std::sscanf(text.c_str(), "run %llu\non_disk_until_utc_ns %lld\nclean %d\nlast_sequence %llu", &run, &utc_ns,
                    &clean, &sequence) < 3) {
        log::run().warn("{}: cannot be read: a gap before this run would not be noticed", file.string());
        return std::nullopt;
    }
    if (clean == 1 || utc_ns == 0) return std::nullopt;
    return Gap{.previous_run = run, .last_sequence = sequence, .from_utc_ns = utc_ns};
}

/// The same with what is on disk: the mark is written once a second, the writer knows the last trigger. What waits in
/// the spill is on disk too.
Gap Daemon::gap_by_writer(const std::optional<DurablePosition>& on_disk) const {
    Gap gap = *gap_;
    gap.told_by_writer = false;
    const auto reaches = [&](std::uint64_t run, std::uint64_t sequence, std::int64_t utc_ns) {
        if (run != gap.previous_run || sequence == kNoSequence || utc_ns == 0) return;
        if (gap.last_sequence != kNoSequence && sequence < gap.last_sequence) return;
        gap.last_sequence = sequence;
        gap.from_utc_ns = utc_ns;
        gap.told_by_writer = true;
    };
    if (on_disk) reaches(on_disk->frame.run, on_disk->sequence, on_disk->utc_ns);
    if (spill_ && spill_->found()) {
        const SpillingQueue::Found& found = *spill_->found();
        reaches(found.run, found.last_sequence, found.last_utc_ns);
    }
    return gap;
}

/// The first writer that comes says what it has; a run that goes on then tells the gap as it is.
void Daemon::settle_gap() {
    if (!gap_ || gap_is_settled_ || !data_server_ || !data_server_->writer_came()) return;
    pipeline_->settle_gap(gap_by_writer(data_server_->found_on_disk()));
    gap_is_settled_ = true;
    gap_.reset();
}

std::uint64_t Daemon::waiting_bytes() const noexcept {
    return spill_ ? spill_->waiting_bytes() : buffers_.frames.stats().used_bytes;
}

}  // namespace alleycat
