#include "daq/run/daemon.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "daq/core/log.hpp"
#include "daq/run/frame_writer.hpp"
#include "daq/run/state_file.hpp"
#include "daq/run/ticker.hpp"
#include "daq/store/part_name.hpp"
#include "daq/store/run_number.hpp"
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
    switch (options_.writer) {
        case DaemonOptions::Writer::embedded: sink_ = std::make_unique<RunWriter>(setup_.store); break;
        case DaemonOptions::Writer::single_file:
            sink_ = std::make_unique<SingleFileWriter>(options_.output, setup_.store.compression, setup_.store.raw);
            break;
        case DaemonOptions::Writer::none: sink_ = std::make_unique<NoSink>(); break;
        case DaemonOptions::Writer::stream: break;
    }
    if (options_.keep_campaign) {
        std::filesystem::create_directories(state_folder());
        feed.campaign_file = state_folder() / (setup_.station.profile + ".campaign");
    }
    if (options_.sockets) {
        const Security security = setup_.wire.load_security();
        feed.publish = MonitorPublisher::Config{.endpoint = setup_.wire.monitor_endpoint, .security = security};
        control_ = std::make_unique<ControlServer>(ControlServer::Config{setup_.wire.control_endpoint, security}, registry_,
                                                   [this](const ControlRequest& request) { return handle_control(request); });
        if (options_.writer == DaemonOptions::Writer::stream) {
            data_server_ = std::make_unique<DataServer>(
                DataServer::Config{.endpoint = setup_.wire.data_endpoint,
                                   .security = security,
                                   .heartbeat = setup_.wire.heartbeat,
                                   .dead_after = setup_.wire.dead_after},
                buffers_.frames, registry_);
        }
    }
    feed_ = std::make_unique<MonitorFeed>(std::move(feed), buffers_, status_, registry_);
    update_status();
}

Daemon::~Daemon() { control_stop_.request_stop(); }

std::filesystem::path Daemon::state_folder() const { return setup_.store.folder; }

// ---- serving ---------------------------------------------------------------------------------------------------------

RunResult Daemon::serve(ShutdownSignals& signals) {
    start_threads();
    std::stop_callback wake{signals.stop(), [this] { bell_.ring(); }};
    try {
        if (setup_.run.autostart || options_.end_with_run) start_run();
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
            const bool between_runs = state_ == RunState::idle || state_ == RunState::error;
            if (between_runs && (signals.stop().stop_requested() || quit_ || (options_.end_with_run && any_run_))) break;
            bell_.wait(seen, std::stop_token{});
        }
    } catch (...) {
        failure_ = std::current_exception();
        if (pipeline_) pipeline_->give_up();
        pipeline_.reset();
    }
    update_status();
    stop_threads(signals);
    if (failure_ && (options_.end_with_run || !any_run_)) std::rethrow_exception(failure_);
    result_.status = *status_.get();
    result_.monitor = feed_->result();
    result_.files = files_of_run();
    return std::move(result_);
}

/// The closed files of the last run.
std::vector<std::filesystem::path> Daemon::files_of_run() const {
    std::vector<std::filesystem::path> files;
    if (options_.writer == DaemonOptions::Writer::single_file) files.push_back(options_.output);
    if (options_.writer == DaemonOptions::Writer::embedded) {
        for (const auto& entry : std::filesystem::directory_iterator{setup_.store.folder}) {
            const std::optional<PartName> name = parse_part_name(entry.path());
            if (name && name->run == result_.run.run && entry.path().filename() == closed_name(*name)) files.push_back(entry.path());
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
        writer_ = std::make_unique<Worker>("data-server", [this](const std::stop_token& stop) { data_server_->run(stop); });
    }
    feed_thread_ = std::make_unique<Worker>("monitor", [this](const std::stop_token& stop) { feed_->run(stop); });
    if (control_) {
        control_thread_ = std::make_unique<Worker>("control", [this](const std::stop_token& stop) {
            while (!stop.stop_requested()) control_->serve(kTick);
        });
    }
    if (options_.keep_campaign) {
        // A disk that hangs must not hold up whoever serves control: the mark has a thread of its own.
        mark_keeper_ = std::make_unique<Worker>("run-mark", [this](const std::stop_token& stop) {
            Doorbell bell;
            Ticker ticker{bell, std::chrono::seconds{1}};
            std::string kept;
            for (bool last = false; !last;) {
                const std::uint32_t seen = bell.value();
                last = stop.stop_requested();
                const std::shared_ptr<const std::string> mark = run_mark_.get();
                if (mark && *mark != kept) {
                    try {
                        write_state_file(state_folder() / "daemon.state", std::as_bytes(std::span{*mark}));
                        kept = *mark;
                    } catch (const Error& e) {
                        log::run().warn("{}", e.what());
                    }
                }
                if (!last) bell.wait(seen, stop);
            }
        });
    }
}

/// Upstream first: the monitor and the writer still take what is in their buffers.
void Daemon::stop_threads(const ShutdownSignals& signals) {
    const auto end = [&](std::unique_ptr<Worker>& thread) {
        if (!thread) return;
        thread->request_stop();
        try {
            thread->finish();
        } catch (const std::exception& e) {
            if (!failure_) failure_ = std::current_exception();
            log::run().error("{}", e.what());
        }
    };
    (void)signals;
    end(feed_thread_);
    buffers_.writer_bell.ring();
    end(writer_);
    if (data_server_ && !frames_drained()) {
        log::run().error("{} bytes of data are lost: no writer has put them on disk", buffers_.frames.stats().used_bytes);
    }
    end(mark_keeper_);
    control_stop_.request_stop();
    end(control_thread_);
}

// ---- the state machine -----------------------------------------------------------------------------------------------

void Daemon::start_run() {
    reason_.clear();
    const bool live = !options_.input.has_value();
    std::vector<std::unique_ptr<RecordSource>> sources;
    std::uint64_t run = 0;
    std::uint64_t max_triggers = options_.triggers;
    if (live) {
        if (options_.seconds > 0 && setup_.station.tick_rate_hz > 0) {
            max_triggers = static_cast<std::uint64_t>(std::llround(options_.seconds * setup_.station.tick_rate_hz));
        }
        sources = make_live_sources(setup_, max_triggers);
        const bool keeps_runs = options_.writer == DaemonOptions::Writer::embedded ||
                                options_.writer == DaemonOptions::Writer::stream;
        run = keeps_runs ? next_run_number(state_folder()) : 1;
    } else {
        run = options_.input->run;
        sources = std::move(options_.input->sources);
    }
    Pipeline::Config config{.mode = options_.mode,
                            .run = setup_.run,
                            .builder = setup_.builder,
                            .max_triggers = max_triggers,
                            .lost_since_utc_ns = live && options_.keep_campaign ? end_of_interrupted_run() : std::nullopt};
    config.builder.mode = options_.mode;
    RunDescription description = describe_run(setup_, run, sources);
    result_.run = description;
    pipeline_ = std::make_unique<Pipeline>(config, std::move(description), setup_.trigger,
                                           make_beam_join(setup_, registry_), std::move(sources), buffers_, registry_);
    pipeline_->start();
    state_ = RunState::running;
    any_run_ = true;
    drain_expired_ = false;
    run_deadline_ = options_.seconds > 0 && max_triggers == 0 ? steady_clock::now() + seconds(options_.seconds)
                                                              : steady_clock::time_point::max();
    rates_.clear();
    log::run().info("run {} started", run);
}

void Daemon::stop_run() {
    if (pipeline_ && state_ == RunState::running) pipeline_->request_stop();
}

void Daemon::step(const ShutdownSignals& signals) {
    if (writer_failed() && !failure_) {
        try {
            writer_->finish();
        } catch (const std::exception& e) {
            failure_ = std::current_exception();
            fail(e.what());
        }
    }
    if (!pipeline_) return;
    if (state_ == RunState::running) {
        if (steady_clock::now() >= run_deadline_) pipeline_->request_stop();
        if (!pipeline_->acquisition_ended()) return;
        state_ = RunState::draining;
        drain_deadline_ = steady_clock::now() + seconds(setup_.run.drain_timeout_s);
        for (auto& reply : waiting_for_stop_) reply.set_value({.ok = true, .message = "acquisition has ended", .status = {}, .snapshot = {}});
        waiting_for_stop_.clear();
    }
    // Only a writer elsewhere, or one that has failed, can keep us waiting for nothing.
    const bool patience_ends = options_.mode == WhenFull::refuse && options_.writer == DaemonOptions::Writer::stream &&
                               (steady_clock::now() >= drain_deadline_ || signals.hurry().stop_requested());
    if (patience_ends && !drain_expired_) {
        drain_expired_ = true;
        pipeline_->give_up();
    }
    if (pipeline_->done() && (frames_drained() || drain_expired_ || failure_)) end_run();
}

void Daemon::end_run() {
    const std::uint64_t run = pipeline_->run().run;
    try {
        pipeline_->finish();
    } catch (const std::exception& e) {
        if (!failure_) failure_ = std::current_exception();
        fail(e.what());
    }
    if (!frames_drained() && !failure_) {
        log::run().warn("run {}: no writer took the last {} bytes within {} s: they wait for one as long as this process lives",
                        run, buffers_.frames.stats().used_bytes, setup_.run.drain_timeout_s);
    }
    result_.run = pipeline_->run();
    result_.remarks = pipeline_->remarks();
    for (const std::string& remark : result_.remarks) log::readout().warn("{}", remark);
    update_status();
    const Ledger& ledger = status_.get()->ledger;
    log::run().info("run {} ended: {} triggers, {} recorded, {} refused, {} ticks missed{}", run, ledger.triggers,
                    ledger.recorded, ledger.refused, ledger.ticks_missed, ledger.closes() ? "" : "; THE LEDGER DOES NOT CLOSE");
    keep_run_mark(true);
    pipeline_.reset();
    if (state_ != RunState::error) state_ = RunState::idle;
}

/// Something cannot go on. The process does: it says why, and a start command may try again.
void Daemon::fail(const std::string& reason) {
    if (options_.end_with_run) {  // the process ends by this reason and says it itself
        reason_ = reason;
    } else {
        log::run().error("{}", reason);
        reason_ = reason + " (mend it, then 'alleycat control start')";
    }
    state_ = RunState::error;
    if (pipeline_) {
        pipeline_->request_stop();
        pipeline_->give_up();
    }
    for (auto& reply : waiting_for_stop_) reply.set_value({.ok = false, .message = reason, .status = {}, .snapshot = {}});
    waiting_for_stop_.clear();
}

// ---- control ---------------------------------------------------------------------------------------------------------

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

ControlReply Daemon::execute(const ControlRequest& request) {
    const auto refuse = [](std::string why) { return ControlReply{.ok = false, .message = std::move(why), .status = {}, .snapshot = {}}; };
    switch (request.command) {
        case ControlCommand::start:
            if (pipeline_) return refuse("a run is going on");
            if (failure_) return refuse("the writer of this process has failed: restart it");
            try {
                start_run();
            } catch (const std::exception& e) {
                fail(e.what());
                return refuse(e.what());
            }
            return {.ok = true, .message = fmt::format("run {} started", pipeline_->run().run), .status = {}, .snapshot = {}};
        case ControlCommand::stop: return refuse("no run is going on");
        case ControlCommand::quit:
            quit_ = true;
            return {.ok = true, .message = "ending", .status = {}, .snapshot = {}};
        case ControlCommand::status:
        case ControlCommand::snapshot: break;
    }
    return refuse("not a command for the daemon");
}

// ---- status ----------------------------------------------------------------------------------------------------------

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
        status->ledger = progress.ledger;
        status->buffers = pipeline_->buffers();
        keep_run_mark(false);
    } else if (before) {  // between runs: what the last one left
        status->run = before->run;
        status->run_start_utc_ns = before->run_start_utc_ns;
        status->last_trigger_utc_ns = before->last_trigger_utc_ns;
        status->ledger = before->ledger;
        status->buffers = before->buffers;
    }
    const Ledger& ledger = status->ledger;
    if (ledger.triggers > 0) {
        status->live_fraction = static_cast<double>(ledger.recorded) / static_cast<double>(ledger.triggers);
    }
    if (data_server_) {
        status->writer = data_server_->status();
    } else if (const std::shared_ptr<const WriterStatus> writer = writer_status_.get()) {
        status->writer = *writer;
    }
    update_rates(*status);
    status_.put(std::move(status));
}

/// Rates over the last second of wall time.
void Daemon::update_rates(Status& status) {
    RateSample now{steady_clock::now(), status.ledger.triggers, 0};
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
}

// ---- what a crash leaves ---------------------------------------------------------------------------------------------

void Daemon::keep_run_mark(bool clean) {
    const std::shared_ptr<const Status> status = status_.get();
    if (!status || !pipeline_) return;
    run_mark_.put(std::make_shared<const std::string>(
        fmt::format("run {}\nlast_trigger_utc_ns {}\nclean {}\n", status->run, status->last_trigger_utc_ns, clean ? 1 : 0)));
}

/// Host time of the last trigger of a run that never ended; nullopt when the last run ended cleanly or there was none.
std::optional<std::int64_t> Daemon::end_of_interrupted_run() const {
    const std::filesystem::path file = state_folder() / "daemon.state";
    if (!std::filesystem::exists(file)) return std::nullopt;
    const std::vector<std::byte> bytes = read_state_file(file);
    const std::string text{reinterpret_cast<const char*>(bytes.data()), bytes.size()};
    unsigned long long run = 0;
    long long utc_ns = 0;
    int clean = 1;
    if (std::sscanf(text.c_str(), "run %llu\nlast_trigger_utc_ns %lld\nclean %d", &run, &utc_ns, &clean) != 3) {
        log::run().warn("{}: cannot be read: a gap before this run would not be noticed", file.string());
        return std::nullopt;
    }
    if (clean == 1 || utc_ns == 0) return std::nullopt;
    log::run().warn("run {} was cut off: what it did not get to disk, and the time since, counts as lost", run);
    return utc_ns;
}

}  // namespace alleycat
