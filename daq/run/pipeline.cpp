#include "daq/run/pipeline.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "daq/core/log.hpp"
#include "daq/core/time.hpp"
#include "daq/run/beam_item.hpp"
#include "daq/run/hit_builder.hpp"
#include "daq/run/readout_loop.hpp"

namespace alleycat {
namespace {

constexpr std::size_t kJobsUnderWay = 64;
constexpr std::size_t kBeamStatesPerFrame = 256;
/// Of the retransmit buffer, for the dead time, the counters and the end of a run that gave up.
constexpr std::size_t kEndReserve = 128u << 10;
/// Of the monitor's buffer, for what is not a trigger: a run that the screen never heard of would be a strange one.
constexpr std::size_t kMonitorReserve = 512u << 10;
constexpr auto kTick = std::chrono::milliseconds{100};
constexpr int kTicksBetweenReadings = 100;

std::vector<std::unique_ptr<BoardInput>> make_inputs(const RunDescription& run, std::size_t ring_bytes) {
    std::vector<std::unique_ptr<BoardInput>> inputs;
    for (const BoardInfo& board : run.boards) inputs.push_back(std::make_unique<BoardInput>(board.name, ring_bytes));
    return inputs;
}

std::unique_ptr<TriggerBuilder> make_builder(const RunDescription& run, const BuilderConfig& config,
                                             const std::vector<std::unique_ptr<BoardInput>>& inputs,
                                             CounterRegistry& registry) {
    if (triggers_are_hits(run)) return std::make_unique<HitBuilder>(inputs, config, registry);
    auto builder = std::make_unique<EventBuilder>(inputs, config, registry);
    if (config.tick_channel) builder->look_for_ticks(TickEdgeFinder{*config.tick_channel, run.boards});
    return builder;
}

/// A refused trigger costs its tick, a refused hit no time of its own.
std::int64_t cost_of_refusal_ps(const RunDescription& run, double tick_rate_hz) {
    return triggers_are_hits(run) || !(tick_rate_hz > 0) ? 0 : std::llround(1e12 / tick_rate_hz);
}

std::vector<double> charges_of(const std::vector<Detector>& detectors) {
    std::vector<double> charges;
    for (const Detector& detector : detectors) charges.push_back(detector.spe_charge_adc);
    return charges;
}

/// Whatever way the trigger thread ends, no reader thread waits for it any longer.
class Abandon {
  public:
    explicit Abandon(const std::vector<std::unique_ptr<BoardInput>>& inputs) : inputs_{inputs} {}
    ~Abandon() {
        for (const auto& input : inputs_) input->abandon();
    }
    Abandon(const Abandon&) = delete;
    Abandon& operator=(const Abandon&) = delete;

  private:
    const std::vector<std::unique_ptr<BoardInput>>& inputs_;
};

}  // namespace

Pipeline::Pipeline(Config config, RunDescription run, TriggerConfig trigger, BeamJoin beam,
                   std::vector<std::unique_ptr<RecordSource>> sources, RunBuffers& buffers, CounterRegistry& registry)
    : config_{std::move(config)},
      run_{std::move(run)},
      trigger_{std::move(trigger)},
      beam_{std::move(beam)},
      index_check_{beam_.config(), trigger_.beam_monitor.has_value(), registry},
      sources_{std::move(sources)},
      bell_{buffers.trigger_bell},
      frames_{buffers.frames},
      monitor_{buffers.monitor},
      registry_{registry},
      recorded_{registry.get("run.recorded_triggers")},
      given_up_{registry.get("run.given_up_triggers")},
      not_kept_{registry.get(kNotKeptCounter)},
      given_up_frames_{registry.get("run.given_up_frames")},
      monitor_dropped_{registry.get("monitor.dropped")},
      inputs_{make_inputs(run_, config_.run.ring_bytes)},
      builder_{make_builder(run_, config_.builder, inputs_, registry)},
      calibration_{{.config = trigger_.calibration,
                    .spe_charge_adc = trigger_.spe_charge_adc,
                    .detectors = std::max<std::size_t>(1, run_.detectors.size()),
                    .detector_charges = charges_of(trigger_.detectors),
                    .recorded = std::move(config_.recorded_calibration)},
                   bell_,
                   registry},
      dead_time_{cost_of_refusal_ps(run_, config_.builder.tick_rate_hz)} {
    for (const auto& input : inputs_) {
        input->records.set_bell(bell_);
        input->beam.set_bell(bell_);
        input->ticks.set_bell(bell_);
    }
    if (triggers_are_hits(run_)) hit_beam_.emplace(beam_, config_.ticks_know_the_beam, run_.tick_rate_hz);
    written_readings_.resize(inputs_.size());
    ticks_.reserve(kBeamStatesPerFrame);
    resolved_.reserve(kBeamStatesPerFrame);
    beam_frames_.reserve(kBeamStatesPerFrame);
}

Pipeline::~Pipeline() {
    request_stop();
    give_up();
    for (const auto& input : inputs_) input->abandon();
}

void Pipeline::start() {
    for (std::size_t b = 0; b < sources_.size(); ++b) {
        const auto read = [this, b](const std::stop_token& stop) {
            const EndOfInput end{*inputs_[b]};
            try {
                readout_loop(*sources_[b], *inputs_[b], registry_, config_.mode, stop);
            } catch (const std::exception& e) {
                failure_.put(std::make_shared<const std::string>(e.what()));
                throw;
            }
        };
        readout_threads_.push_back(std::make_unique<Worker>("readout-" + std::to_string(b), read));
    }
    ticker_.emplace(bell_, kTick);
    trigger_thread_ = std::make_unique<Worker>("trigger", [this](const std::stop_token&) {
        const Abandon abandon{inputs_};
        try {
            trigger_loop();
        } catch (const std::exception& e) {
            stop_readout();  // a board that nobody listens to is not read
            end_failed_run(e.what());
            throw;
        }
    });
}

/// The threads exist before the trigger thread does, and until the end.
void Pipeline::stop_readout() noexcept {
    for (const auto& thread : readout_threads_) thread->request_stop();
}

void Pipeline::request_stop() {
    stop_requested_.store(true, std::memory_order_release);
    stop_readout();
}

void Pipeline::give_up() noexcept {
    give_up_.store(true, std::memory_order_release);
    bell_.ring();
}

bool Pipeline::acquisition_ended() const noexcept {
    return std::all_of(inputs_.begin(), inputs_.end(),
                       [](const auto& input) { return input->stopped.load(std::memory_order_acquire); });
}

void Pipeline::finish() {
    std::exception_ptr failure;
    const auto join = [&](Worker& thread) {
        try {
            thread.finish();
        } catch (...) {
            if (!failure) failure = std::current_exception();
        }
    };
    for (const auto& thread : readout_threads_) join(*thread);
    if (trigger_thread_) join(*trigger_thread_);
    ticker_.reset();
    if (failure) std::rethrow_exception(failure);
}

// ---- ring -> builder -> trigger stage -> frames

void Pipeline::trigger_loop() {
    std::vector<OrderedWorkers<Job>::Work> works;
    for (unsigned i = 0; i < config_.run.workers; ++i) {
        works.push_back([stage = std::make_shared<TriggerStage>(trigger_, run_.boards, config_.run.kernels),
                         wants_peaks = calibration_.collects()](Job& job) {
            if (job.trigger.refusal != RefusalReason::none) return;
            stage->process(job.trigger, job.calibration.spe_charge_adc, job.event);
            if (wants_peaks) stage->measure_single_peaks(job.event, job.peaks);
        });
    }
    OrderedWorkers<Job> workers{kJobsUnderWay, std::move(works), bell_, "trigger"};

    for (;;) {
        const std::uint32_t seen = bell_.value();
        bool busy = build(workers);
        busy = publish_finished(workers) || busy;
        busy = join_beam() || busy;
        if (ticker_->ticked()) housekeeping();
        if (input_ended_ && workers.empty()) break;
        if (!busy) bell_.wait(seen, std::stop_token{});  // the ticker rings every 100 ms
    }
    await_readout();
    end_run();
}

/// A run of so many triggers ends while the boards are still read: what they say about the beam of the last ticks
/// counts.
void Pipeline::await_readout() {
    for (const auto& input : inputs_) input->abandon();
    for (;;) {
        const std::uint32_t seen = bell_.value();
        join_beam();
        const bool ended = std::all_of(inputs_.begin(), inputs_.end(),
                                       [](const auto& input) { return input->ended.load(std::memory_order_acquire); });
        if (ended) return;
        bell_.wait(seen, std::stop_token{});
    }
}

/// Takes triggers from the rings while there is room for jobs.
bool Pipeline::build(OrderedWorkers<Job>& workers) {
    bool any = false;
    while (!input_ended_ && !workers.full()) {
        Job& job = workers.back();
        if (!awaits_calibration_) {
            switch (builder_->next(job.trigger, job.consumed)) {
                case TriggerBuilder::Built::nothing: return any;
                case TriggerBuilder::Built::end: input_ended_ = true; return any;
                case TriggerBuilder::Built::trigger: break;
            }
            job.ledger = builder_->ledger();
            // Here, not where it is published: whether its tick or the hit came first must not depend on the workers.
            if (hit_beam_ && !begun_) begin_run(job.trigger.utc_ns);
        }
        const std::optional<CalibrationKeeper::Admission> admission = calibration_.admit(job.trigger);
        awaits_calibration_ = !admission;
        if (awaits_calibration_) return any;
        job.calibration = *admission;
        job.calibration.spe_charge_adc = calibration_.in_force()[find_detector(job.trigger, trigger_.detectors).index];
        ++under_way_.triggers;
        if (job.trigger.refusal != RefusalReason::none) ++under_way_.refused;
        workers.submit();
        any = true;
        if (builder_->ledger().triggers == config_.max_triggers) {
            stop_readout();
            input_ended_ = true;
            return any;
        }
    }
    return any;
}

/// Hands over what is measured, in order, and gives the rings their slots back.
bool Pipeline::publish_finished(OrderedWorkers<Job>& workers) {
    bool any = false;
    while (const Job* job = workers.front()) {
        const bool recorded = publish(*job);
        settle(*job, recorded);
        calibration_.collect(job->calibration.block, recorded ? &job->peaks : nullptr);
        builder_->release(job->consumed);
        workers.pop();
        any = true;
    }
    return any;
}

/// The books of a trigger, all at once when it is decided: whenever somebody looks they balance.
void Pipeline::settle(const Job& job, bool recorded) noexcept {
    built_ = job.ledger;
    settled_utc_ns_ = job.trigger.utc_ns;
    ++(recorded ? handed_over_ : refused_);
    --under_way_.triggers;
    if (job.trigger.refusal != RefusalReason::none) --under_way_.refused;
}

/// true: the trigger stands in the data stream; else it is part of the dead time.
bool Pipeline::publish(const Job& job) {
    const Trigger& trigger = job.trigger;
    if (!begun_) begin_run(trigger.utc_ns);
    write_calibrations(trigger.sequence);
    last_trigger_utc_ns_ = trigger.utc_ns;
    last_time_ps_ = trigger.time_ps;
    if (trigger.refusal != RefusalReason::none) {
        note_refused(trigger, trigger.refusal);
        return false;
    }
    const Trigger& kept = kept_part(trigger, job.event);
    const std::span<std::byte> slot = room_for_frame(trigger_frame_bytes(kept, job.event), kEndReserve);
    if (slot.empty()) {
        given_up_.add();
        if (hit_beam_) hit_beam_->lost_from(trigger.time_ps);
        note_refused(trigger, RefusalReason::run_stopping);
        return false;
    }
    if (dead_time_.open() != nullptr) {
        close_dead_time(
            trigger.time_ps);  // its frame takes the place found above: a reservation does not outlive another one
        return publish(job);
    }
    frames_.commit(encode_trigger(slot, run_.run, next_ordinal_++, kept, job.event));
    recorded_.add();
    last_recorded_ = trigger.sequence;
    if (hit_beam_) {
        hit_beam_->add(trigger);
    } else {
        beam_.add(trigger.sequence, trigger.tick, trigger.time_ps, trigger.utc_ns, trigger.tick_flags,
                  trigger.trigger_class);
        index_check_.add(job.event);
    }

    // The screen gets every event, and a few times a second the samples too.
    Trigger without_samples = trigger;
    without_samples.record_count = 0;
    const Trigger& shown = waveform_due_ ? trigger : without_samples;
    if (const std::span<std::byte> room = room_for_monitor(trigger_frame_bytes(shown, job.event), kMonitorReserve);
        !room.empty()) {
        monitor_.commit(encode_trigger(room, run_.run, 0, shown, job.event));
        waveform_due_ = false;
    }
    return true;
}

/// The trigger as the data stream carries it: samples that are not kept are not copied, checked and looked at on their
/// way to nobody. The records stay, with what the simulator says of them.
const Trigger& Pipeline::kept_part(const Trigger& trigger, const Event& event) noexcept {
    const auto accepted = [&] {
        const auto windows = std::span{event.window}.first(event.window_count);
        return std::any_of(windows.begin(), windows.end(), [](const WindowEvent& w) { return w.accepted(); });
    };
    if (config_.keep.of == RawData::all || config_.keep.keeps(accepted(), event.sequence)) return trigger;
    bare_ = trigger;
    for (std::size_t i = 0; i < trigger.record_count; ++i) {
        const RecordView& record = trigger.record[i];
        RecordHeader& header = bare_headers_[i];
        header = record.header();
        header.channels = 0;
        header.channel_mask = 0;
        header.samples_per_channel = 0;
        bare_.record[i] = RecordView{header, record.payload().last(payload_bytes(header))};
    }
    return bare_;
}

// ---- refused triggers

void Pipeline::note_refused(const Trigger& trigger, RefusalReason reason) {
    if (reason == RefusalReason::not_kept) not_kept_.add();
    const auto ended = dead_time_.refuse(trigger.sequence, trigger.time_ps, static_cast<std::uint8_t>(reason));
    if (ended) write_dead_time(*ended);
}

void Pipeline::close_dead_time(std::optional<std::int64_t> next_ps) {
    if (const std::optional<DeadTime> ended = dead_time_.end(next_ps)) write_dead_time(*ended);
}

void Pipeline::write_dead_time(const DeadTime& interval) {
    const std::vector<std::byte> frame = encode_dead_time(run_.run, next_ordinal_, interval);
    if (put_closing_frame(frame)) ++next_ordinal_;
    put_monitor(frame);
}

/// Dead time without an end in sight: the screen need not wait for it. What comes again with its first part counts
/// once.
void Pipeline::show_growing_dead_time() {
    const DeadTime* const growing = dead_time_.open();
    if (growing == nullptr || config_.mode == WhenFull::wait || growing->last_sequence == dead_time_shown_) return;
    dead_time_shown_ = growing->last_sequence;
    put_monitor(encode_dead_time(run_.run, next_ordinal_, *growing));
}

// ---- the beam

bool Pipeline::join_beam() {
    bool any = false;
    for (const auto& input : inputs_) {
        for (std::span<const std::byte> slot = input->beam.next(); !slot.empty(); slot = input->beam.next()) {
            BeamItem item;
            std::memcpy(&item, slot.data(), sizeof item);
            input->beam.release();
            any = true;
            if (item.kind == BeamItem::Kind::frame) {
                beam_.add(item.frame);
                beam_frames_.push_back(item.frame);
                if (beam_frames_.size() >= kBeamStatesPerFrame) write_beam_frames();
            } else if (!hit_beam_) {
                beam_.add(item.resolution);
            }
        }
    }
    if (hit_beam_) any = join_hits() || any;
    BeamResolution resolution;
    while (hit_beam_ ? hit_beam_->next(resolution) : beam_.next(resolution)) {
        newest_resolution_ = resolution;
        resolved_.push_back(resolution);
        if (resolved_.size() == kBeamStatesPerFrame) write_beam_states();
        any = true;
    }
    index_check_.compare(beam_);
    return any;
}

/// Ticks go to the join when their hits are through, and to the file when their beam state is known.
bool Pipeline::join_hits() {
    bool any = false;
    TickRecord tick;
    for (; builder_->next_tick(tick); any = true) {
        if (!begun_) begin_run(tick.utc_ns);  // ticks come, hits do not: the run has begun all the same
        hit_beam_->add(tick);
    }
    for (; hit_beam_->next(tick); any = true) {
        newest_resolution_ = {kNoSequence, tick.power_w, tick.state};
        ticks_.push_back(tick);
        if (ticks_.size() == kBeamStatesPerFrame) write_ticks();
    }
    return any;
}

/// Encodes in place for the data stream and for the screen: encode(room, ordinal) returns the frame's bytes.
template <class Encode>
void Pipeline::write_in_place(std::size_t bytes, std::size_t keep_free, const Encode& encode) {
    if (const std::span<std::byte> room = room_for_frame(bytes, keep_free); !room.empty()) {
        frames_.commit(encode(room, next_ordinal_++));
    } else {
        given_up_frames_.add();
    }
    if (const std::span<std::byte> room = room_for_monitor(bytes, 0); !room.empty()) monitor_.commit(encode(room, 0));
}

/// They are few, and they are the exposure: half of what is kept for the end is theirs too.
void Pipeline::write_ticks() {
    if (ticks_.empty()) return;
    write_in_place(ticks_frame_bytes(ticks_.size()), kEndReserve / 2,
                   [this](auto room, std::uint64_t ordinal) { return encode_ticks(room, run_.run, ordinal, ticks_); });
    ticks_.clear();
}

void Pipeline::write_beam_states() {
    if (resolved_.empty()) return;
    write_in_place(beam_states_frame_bytes(resolved_.size()), kEndReserve, [this](auto room, std::uint64_t ordinal) {
        return encode_beam_states(room, run_.run, ordinal, resolved_);
    });
    resolved_.clear();
}

void Pipeline::write_beam_frames() {
    if (beam_frames_.empty()) return;
    if (!begun_)
        begin_run(beam_frames_.front().utc_ns);  // pulses come, triggers do not: the run has begun all the same
    if (put_frame(encode_beam_frames(run_.run, next_ordinal_, beam_frames_))) ++next_ordinal_;
    beam_frames_.clear();
}

// ---- ten times a second

void Pipeline::housekeeping() {
    if (failure_.get() != nullptr) stop_readout();  // a board that failed ends the run, not only its own part of it
    if (!begun_) return;                            // nothing precedes the run's description
    if (const auto settled = gap_is_due_ ? settled_gap_.get() : nullptr) {
        measure_gap(*settled);
        write_gap();
    }
    write_ticks();
    write_beam_states();
    write_beam_frames();
    write_notes();
    waveform_credit_ = std::min(1.0, waveform_credit_ + config_.run.waveforms_per_s * 0.1);
    if (waveform_credit_ >= 1.0 && !waveform_due_) {
        waveform_due_ = true;
        waveform_credit_ -= 1.0;
    }
    show_growing_dead_time();
    make_progress();
    tell_index_verdict();
    tell_missing_boards();
    if (++ticks_since_counters_ >= 10) {
        ticks_since_counters_ = 0;
        write_counters();
    }
    const bool readings_due = ++ticks_since_readings_ >= kTicksBetweenReadings;
    if (readings_due) ticks_since_readings_ = 0;
    write_readings(readings_due);
}

Ledger Pipeline::ledger() const noexcept {
    Ledger ledger = built_;  // what is still with a worker is not yet in the books
    const Ledger& newest = builder_->ledger();
    ledger.has_ticks = newest.has_ticks;
    if (hit_beam_) {  // ticks apart from the triggers are with no worker
        ledger.ticks_expected = newest.ticks_expected;
        ledger.ticks_seen = newest.ticks_seen;
        ledger.ticks_missed = newest.ticks_missed;
    }
    ledger.recorded = handed_over_;
    ledger.refused = refused_;
    ledger.lost_estimated = gap_ ? gap_->lost_estimated : 0;
    return ledger;
}

/// What the boards gave and this thread has not decided on. While it waits for a writer their readers refuse: these
/// refusals count at once, not when their stubs are read.
void Pipeline::add_backlog(Progress& progress) const noexcept {
    // What the boards give behind the run's last trigger is not of this run.
    const TriggerBuilder::Backlog waiting = input_ended_ ? TriggerBuilder::Backlog{} : builder_->backlog();
    const std::uint64_t refused = waiting.refused + under_way_.refused;
    const std::uint64_t all = waiting.triggers + under_way_.triggers;
    progress.ledger.triggers += refused;
    progress.ledger.refused += refused;
    progress.in_hand = all - std::min(all, refused);
    std::int64_t longest_ps = -1;
    for (const auto& input : inputs_) {
        longest_ps = std::max(longest_ps, input->refusing_ps.load(std::memory_order_relaxed));
        progress.last_trigger_utc_ns =
            std::max(progress.last_trigger_utc_ns, input->newest_utc_ns.load(std::memory_order_relaxed));
    }
    if (longest_ps < 0) return;
    const std::int64_t one_ps = cost_of_refusal_ps(run_, config_.builder.tick_rate_hz);
    progress.dead_s = static_cast<double>(longest_ps + one_ps) * 1e-12;
}

void Pipeline::make_progress() {
    auto progress = std::make_shared<Progress>();
    progress->ledger = ledger();
    progress->backed_up = waits_for_room_;
    progress->beam_state = newest_resolution_.state;
    progress->beam_power_w = newest_resolution_.power_w;
    progress->beam_lag_s = hit_beam_ ? hit_beam_->lag_s() : beam_.lag_s();
    progress->index_check = index_check_.verdict();
    progress->start_utc_ns = begun_ ? run_.start_utc_ns : 0;
    progress->gap = gap_;
    progress->last_recorded = last_recorded_;
    progress->last_published_utc_ns = settled_utc_ns_;
    progress->last_trigger_utc_ns = last_trigger_utc_ns_;
    progress->last_time_ps = last_time_ps_;
    if (config_.mode == WhenFull::refuse) add_backlog(*progress);
    progress->made_at = std::chrono::steady_clock::now();
    progress_.put(std::move(progress));
}

void Pipeline::tell_index_verdict() {
    const IndexCheck& check = index_check_.verdict();
    if (check.verdict == told_verdict_ || check.verdict == IndexVerdict::undecided) return;
    told_verdict_ = check.verdict;
    if (check.verdict == IndexVerdict::contradicted) {
        log::run().warn("run {}: {}", run_.run, to_text(check));
    } else {
        log::run().info("run {}: {}", run_.run, to_text(check));
    }
}

/// A board that misses a trigger now and then is for the counters; one that is away is news, and so is its return.
void Pipeline::tell_missing_boards() {
    constexpr std::int64_t away_ps = 1'000'000'000'000;
    told_missing_ps_.resize(inputs_.size(), -1);
    for (std::size_t b = 0; b < inputs_.size(); ++b) {
        const std::int64_t missing_ps = inputs_[b]->missing_ps.load(std::memory_order_relaxed);
        std::int64_t& told_ps = told_missing_ps_[b];
        if (missing_ps >= away_ps && told_ps < 0)
            log::run().warn("run {}: board {} is missing from all triggers", run_.run, inputs_[b]->name);
        if (missing_ps < 0 && told_ps >= 0)
            log::run().info("run {}: board {} is back, after {:.1f} s", run_.run, inputs_[b]->name,
                            static_cast<double>(told_ps) * 1e-12);
        if (missing_ps < 0 || missing_ps >= away_ps) told_ps = missing_ps;
    }
}

void Pipeline::write_counters() {
    const CounterSample sample{utc_now().time_since_epoch().count(), handed_over_ + refused_, ledger(),
                               registry_.values()};
    if (put_frame(encode_counters(run_.run, next_ordinal_, sample))) ++next_ordinal_;
}

/// What boards say for the first time, or, with `all`, everything they said anew.
void Pipeline::write_readings(bool all) {
    std::vector<ReadingSample> samples;
    for (std::size_t b = 0; b < inputs_.size(); ++b) {
        const auto readings = inputs_[b]->readings.get();
        if (readings == nullptr || readings == written_readings_[b] || (written_readings_[b] != nullptr && !all))
            continue;
        const std::int64_t utc_ns = utc_now().time_since_epoch().count();
        for (const BoardReading& reading : *readings)
            samples.push_back({utc_ns, static_cast<std::uint16_t>(b), reading});
        if (!readings->empty()) written_readings_[b] = readings;
    }
    if (!samples.empty() && put_frame(encode_readings(run_.run, next_ordinal_, samples))) ++next_ordinal_;
}

bool Pipeline::add_note(OperatorNote note) {
    const std::lock_guard lock{note_mutex_};
    if (takes_notes_) notes_.push_back(std::move(note));
    return takes_notes_;
}

void Pipeline::write_notes() {
    std::vector<OperatorNote> notes;
    {
        const std::lock_guard lock{note_mutex_};
        notes.swap(notes_);
    }
    for (const OperatorNote& note : notes) {
        if (put_closing_frame(encode_note(run_.run, next_ordinal_, note))) {
            ++next_ordinal_;
        } else {
            log::run().error("run {}: given up for want of room: {} by {}: {}", run_.run, to_text(note.kind),
                             note.author, note.text);
        }
    }
}

void Pipeline::take_last_notes() {
    {
        const std::lock_guard lock{note_mutex_};
        takes_notes_ = false;
    }
    write_notes();
}

void Pipeline::begin_run(std::int64_t start_utc_ns) {
    begun_ = true;
    run_.start_utc_ns = start_utc_ns;
    if (config_.gap) measure_gap(*config_.gap);
    if (config_.recorded_gap) {
        gap_ = config_.recorded_gap;
        gap_is_due_ = true;
    }
    const std::vector<std::byte> run_start = encode_run_start(run_, next_ordinal_);
    if (put_closing_frame(run_start)) {
        ++next_ordinal_;
    } else {
        described_ = false;
    }
    put_monitor(run_start);
    if (config_.gap_is_settled) write_gap();
    write_calibrations(0);
}

/// From the last trigger on disk to this run's first one.
void Pipeline::measure_gap(const Gap& since) {
    gap_ = since;
    gap_is_due_ = true;
    gap_->to_utc_ns = std::max(run_.start_utc_ns, gap_->from_utc_ns);  // a host clock that was set back: no time
    const double gap_s = static_cast<double>(gap_->to_utc_ns - gap_->from_utc_ns) * 1e-9;
    gap_->lost_estimated = static_cast<std::uint64_t>(std::llround(gap_s * config_.builder.tick_rate_hz));
}

void Pipeline::write_gap() {
    if (!gap_is_due_) return;
    gap_is_due_ = false;
    log::run().warn("before run {}: {}", run_.run, to_text(*gap_));
    if (put_frame(encode_gap(run_.run, next_ordinal_, *gap_))) ++next_ordinal_;
    if (gap_->lost_estimated > 0) write_counters();  // a kill in the first second must not take it out of the ledger
}

/// What comes into force up to this sequence, before the first trigger it applies to.
void Pipeline::write_calibrations(std::uint64_t up_to_sequence) {
    for (; const Calibration* const next = calibration_.due(up_to_sequence); calibration_.pop_due()) {
        const std::vector<std::byte> frame = encode_calibration(run_.run, next_ordinal_, *next);
        if (put_frame(frame)) ++next_ordinal_;
        put_monitor(frame);
    }
}

void Pipeline::end_run() {
    if (!begun_) begin_run(utc_now().time_since_epoch().count());
    built_ = builder_->ledger();  // a trigger that was built and went nowhere leaves the books open
    write_gap();                  // nobody came who knew better
    close_dead_time(std::nullopt);
    beam_.finish();
    if (hit_beam_) hit_beam_->finish();
    join_beam();
    index_check_.finish(beam_);
    tell_index_verdict();
    write_ticks();
    write_beam_states();
    write_beam_frames();
    take_last_notes();
    write_readings(true);
    write_counters();
    RunEnd end;
    end.utc_ns = utc_now().time_since_epoch().count();
    end.ledger = ledger();
    const std::shared_ptr<const std::string> failure = failure_.get();
    end.clean = failure == nullptr;
    end.reason = failure ? *failure : stop_requested_.load(std::memory_order_acquire) ? "stopped" : "end of input";
    if (const std::shared_ptr<const std::string> note = note_.get()) end.reason += "; " + *note;
    const std::vector<std::byte> frame = encode_run_end(run_.run, next_ordinal_, end);
    if (put_closing_frame(frame)) ++next_ordinal_;
    put_monitor(frame);
    make_progress();
}

/// The trigger thread cannot go on: the run ends here, and its last frame says why.
void Pipeline::end_failed_run(const std::string& reason) noexcept {
    try {
        if (failure_.get() == nullptr) failure_.put(std::make_shared<const std::string>(reason));
        end_run();
    } catch (const std::exception& e) {
        log::run().error("the end of run {} could not be written: {}", run_.run, e.what());
    }
}

// ---- handing over

/// Room in the data stream's buffer. Waits for it: meanwhile the boards' rings fill and refuse at the edge. Empty:
/// given up.
std::span<std::byte> Pipeline::room_for_frame(std::size_t bytes, std::size_t keep_free) {
    if (bytes > frames_.largest_record(keep_free)) {
        throw Error{"a frame of " + std::to_string(bytes) +
                    " bytes does not fit the retransmit buffer: raise run.retransmit_mb"};
    }
    while (described_) {
        const std::uint32_t seen = bell_.value();
        if (const std::span<std::byte> room = frames_.reserve(bytes, keep_free); !room.empty()) return room;
        if (give_up_.load(std::memory_order_acquire)) return {};
        if (ticker_->ticked()) {
            if (failure_.get() != nullptr) stop_readout();
            waits_for_room_ = true;
            show_growing_dead_time();
            make_progress();
            waits_for_room_ = false;
        }
        bell_.wait(seen, std::stop_token{});
    }
    return {};
}

bool Pipeline::put_frame(const std::vector<std::byte>& frame) {
    return hand_over(frame, room_for_frame(frame.size(), kEndReserve));
}

/// A frame that tells what was given up: there is room for it when there is none for others.
bool Pipeline::put_closing_frame(const std::vector<std::byte>& frame) {
    const std::span<std::byte> room = room_for_frame(frame.size(), kEndReserve);
    return hand_over(frame, room.empty() && described_ ? frames_.reserve(frame.size()) : room);
}

/// Puts a frame into the room found for it; without room it is given up, and counted.
bool Pipeline::hand_over(const std::vector<std::byte>& frame, std::span<std::byte> room) {
    if (room.empty()) {
        given_up_frames_.add();
        return false;
    }
    std::memcpy(room.data(), frame.data(), frame.size());
    frames_.commit();
    return true;
}

/// Room in the monitor's buffer. Live, a full one drops and counts: the monitor never slows the run. Replay waits.
std::span<std::byte> Pipeline::room_for_monitor(std::size_t bytes, std::size_t keep_free) {
    for (;;) {
        const std::uint32_t seen = bell_.value();
        const std::span<std::byte> room = monitor_.reserve(bytes, keep_free);
        if (!room.empty()) return room;
        if (config_.mode == WhenFull::refuse || give_up_.load(std::memory_order_acquire) ||
            bytes > monitor_.largest_record(keep_free)) {
            monitor_dropped_.add();
            return {};
        }
        bell_.wait(seen, std::stop_token{});
    }
}

void Pipeline::put_monitor(std::span<const std::byte> frame) {
    const std::span<std::byte> room = room_for_monitor(frame.size(), 0);
    if (room.empty()) return;
    std::memcpy(room.data(), frame.data(), frame.size());
    monitor_.commit();
}

// ---- looked at from outside

Progress Pipeline::progress() const {
    const std::shared_ptr<const Progress> latest = progress_.get();
    return latest ? *latest : Progress{};
}

std::vector<BufferStatus> Pipeline::buffers() const {
    std::vector<BufferStatus> buffers;
    const auto add = [&](std::string name, const Ring& ring) {
        const RingStats stats = ring.stats();
        buffers.push_back({std::move(name), stats.capacity_bytes, stats.used_bytes, stats.high_water_bytes});
    };
    for (const auto& input : inputs_) add("ring " + input->name, input->records);
    add("retransmit", frames_);
    add("monitor", monitor_);
    return buffers;
}

std::vector<BoardStatus> Pipeline::boards() const {
    std::vector<BoardStatus> boards;
    for (const auto& input : inputs_) boards.push_back(status_of(*input));
    return boards;
}

std::optional<double> Pipeline::fraction_done() const {
    std::optional<double> least;
    for (const auto& input : inputs_) {
        const double fraction = input->fraction_done.load(std::memory_order_relaxed);
        if (fraction >= 0) least = std::min(least.value_or(1.0), fraction);
    }
    return least;
}

std::vector<std::string> Pipeline::remarks() const {
    std::vector<std::string> remarks;
    for (const auto& source : sources_) {
        for (std::string& remark : source->remarks()) remarks.push_back(std::move(remark));
    }
    return remarks;
}

}  // namespace alleycat
