#include "daq/run/monitor_feed.hpp"

#include <fmt/format.h>

#include "daq/core/log.hpp"
#include "daq/run/ticker.hpp"

namespace alleycat {
namespace {

constexpr auto kTick = std::chrono::milliseconds{100};
constexpr int kTicksPerSecond = 10;
constexpr int kSaveEvery_s = 10;

/// A trigger as the scope shows it.
Waveform make_waveform(const TriggerFrame& frame, const RunDescription& run, TriggerStage& stage) {
    Waveform waveform;
    waveform.sequence = frame.event.sequence;
    waveform.utc_ns = frame.event.utc_ns;
    waveform.baseline_median_adc = frame.event.baseline_median_adc;
    for (const RecordView& record : frame.trigger.records()) {
        const RecordHeader& header = record.header();
        if (header.board >= run.boards.size()) continue;
        const BoardInfo& board = run.boards[header.board];
        std::size_t position = 0;
        for (std::size_t c = 0; c < board.channels.size() && position < header.channels; ++c) {
            if ((header.channel_mask >> c & 1) == 0) continue;
            WaveformChannel channel{board.name, board.channels[c].name, board.sample_period_ps, {}};
            with_sample_type(header.sample_type, [&]<class Sample>(Sample) {
                const std::span<const Sample> codes = record.channel<Sample>(position);
                channel.codes.assign(codes.begin(), codes.end());
            });
            waveform.channels.push_back(std::move(channel));
            ++position;
        }
    }
    Event again;
    stage.process(frame.trigger, frame.event.spe_charge_adc, again);
    for (const Peak& peak : stage.peaks()) waveform.peaks.push_back({peak.onset, peak.end});
    return waveform;
}

}  // namespace

MonitorFeed::MonitorFeed(Config config, RunBuffers& buffers, const SnapshotBox<Status>& status,
                         CounterRegistry& registry)
    : config_{std::move(config)},
      buffers_{buffers},
      status_{status},
      damaged_{registry.get("monitor.damaged_frames")},
      accumulator_{config_.monitor},
      alarms_{config_.monitor.alarms} {
    if (config_.publish) publisher_.emplace(*config_.publish);
    if (!config_.campaign_file.empty()) {
        load_campaign();
        campaign_keeper_ = std::make_unique<StateKeeper>(config_.campaign_file, "campaign");
    }
}

MonitorFeed::~MonitorFeed() = default;

void MonitorFeed::run(const std::stop_token& stop) {
    // However the loop ends: who waits for a snapshot then waits for nobody.
    struct Ended {
        MonitorFeed& feed;
        ~Ended() {
            feed.ended_.store(true, std::memory_order_release);
            feed.answer_bell_.ring();
        }
    };
    const Ended ended{*this};
    serve(stop);
    save_campaign();
    campaign_keeper_.reset();
}

void MonitorFeed::serve(const std::stop_token& stop) {
    Ticker ticker{buffers_.monitor_bell, kTick};
    int ticks = 0;
    for (;;) {
        const std::uint32_t seen = buffers_.monitor_bell.value();
        const bool ending = stop.stop_requested();
        if (asked_.load(std::memory_order_acquire) != answered_.load(std::memory_order_relaxed)) answer_snapshot();
        if (ticker.ticked() && ++ticks >= kTicksPerSecond) {
            ticks = 0;
            every_second();
        }
        const std::span<const std::byte> frame = buffers_.monitor.next();
        if (!frame.empty()) {
            handle(frame);
            buffers_.monitor.release();
        } else if (ending) {
            break;
        } else {
            buffers_.monitor_bell.wait(seen, stop);
        }
    }
    every_second();
}

void MonitorFeed::handle(std::span<const std::byte> bytes) {
    FrameView frame;
    if (read_frame(bytes, frame) != FrameError::none) {
        damaged_.add();
        return;
    }
    const auto tell = [&](auto method, const auto& value) {
        (static_cast<EventSink&>(accumulator_).*method)(value);
        if (publisher_) (static_cast<EventSink&>(*publisher_).*method)(value);
    };
    switch (frame.header.kind) {
        case FrameKind::run_start:
            run_ = decode_run_start(frame);
            if (!run_) break;
            stage_.emplace(config_.trigger, run_->boards);
            choose_campaign(run_->test_run);
            tell(&EventSink::on_run, *run_);
            return;
        case FrameKind::trigger:
            if (!decode_trigger(frame, trigger_)) break;
            tell(&EventSink::on_event, trigger_.event);
            if (run_ && stage_ && trigger_.trigger.record_count > 0) {
                tell(&EventSink::on_waveform, make_waveform(trigger_, *run_, *stage_));
            }
            return;
        case FrameKind::beam_states: {
            const std::optional<std::vector<BeamResolution>> states = decode_beam_states(frame);
            if (!states) break;
            for (const BeamResolution& state : *states) accumulator_.on_beam(state);
            if (publisher_) publisher_->on_beams(*states);
            return;
        }
        case FrameKind::ticks:
            if (const std::optional<std::vector<TickRecord>> ticks = decode_ticks(frame)) {
                tell(&EventSink::on_ticks, std::span<const TickRecord>{*ticks});
                return;
            }
            break;
        case FrameKind::dead_time:
            if (const std::optional<DeadTime> interval = decode_dead_time(frame)) {
                tell(&EventSink::on_dead_time, *interval);
                return;
            }
            break;
        case FrameKind::calibration:
            if (const std::optional<Calibration> calibration = decode_calibration(frame)) {
                tell(&EventSink::on_calibration, *calibration);
                return;
            }
            break;
        case FrameKind::run_end: save_campaign(); return;
        case FrameKind::beam_frames:
        case FrameKind::gap:  // stands in the status
        case FrameKind::counters:
        case FrameKind::readings:      // the status has the newest
        case FrameKind::note: return;  // not for the screen
    }
    damaged_.add();
}

void MonitorFeed::every_second() {
    const std::shared_ptr<const Status> status = status_.get();
    if (status) {
        accumulator_.on_status(*status);
        if (publisher_) publisher_->on_status(*status);
        const AlarmInput look{*status,   accumulator_.conditions(),       config_.tick_rate_hz, config_.real_time,
                              utc_now(), run_ && triggers_are_hits(*run_)};
        for (const Alarm& alarm : alarms_.update(look)) {
            const auto level =
                alarm.active && alarm.level == AlarmLevel::alarm ? spdlog::level::warn : spdlog::level::info;
            log::monitor().log(level, "{} {}: {}", alarm.active ? "alarm" : "cleared", alarm.name, alarm.text);
            accumulator_.on_alarm(alarm);
            if (publisher_) publisher_->on_alarm(alarm);
        }
    }
    if (publisher_) publisher_->repeat_run();
    if (++seconds_since_saved_ >= kSaveEvery_s) save_campaign();
}

void MonitorFeed::answer_snapshot() {
    const std::uint64_t asked = asked_.load(std::memory_order_acquire);
    auto snapshot = std::make_shared<MonitorSnapshot>();
    if (publisher_) {
        snapshot->publisher = publisher_->identity();
        snapshot->number = publisher_->message_number();
    }
    snapshot->state = accumulator_.state();
    answer_.put(std::move(snapshot));
    answered_.store(asked, std::memory_order_release);
    answer_bell_.ring();
}

std::shared_ptr<const MonitorSnapshot> MonitorFeed::snapshot(const std::stop_token& stop) {
    const std::uint64_t mine = asked_.fetch_add(1, std::memory_order_acq_rel) + 1;
    buffers_.monitor_bell.ring();
    while (!stop.stop_requested()) {
        const std::uint32_t seen = answer_bell_.value();
        if (answered_.load(std::memory_order_acquire) >= mine) return answer_.get();
        if (ended_.load(std::memory_order_acquire)) return nullptr;
        answer_bell_.wait(seen, stop);
    }
    return nullptr;
}

/// A test run adds nothing to the station's campaign, which waits, and is a campaign of its own that nobody keeps.
void MonitorFeed::choose_campaign(bool test_run) {
    if (!campaign_keeper_ || test_run == put_aside_.has_value()) return;
    if (test_run) {
        save_campaign();
        put_aside_ = accumulator_.state();
        return;
    }
    (void)accumulator_.resume(*put_aside_);  // our own bytes
    put_aside_.reset();
    if (publisher_) publisher_->leave_hole();
}

void MonitorFeed::load_campaign() {
    if (!std::filesystem::exists(config_.campaign_file)) return;
    const std::vector<std::byte> state = read_state_file(config_.campaign_file);
    if (!accumulator_.restore(state)) {
        log::monitor().warn("{}: cannot be used: the campaign starts anew", config_.campaign_file.string());
    } else if (!(accumulator_.config() == config_.monitor)) {
        log::monitor().info("{}: was made with other [monitor] settings: the campaign starts anew",
                            config_.campaign_file.string());
        accumulator_ = Accumulator{config_.monitor};
    }
}

void MonitorFeed::save_campaign() {
    seconds_since_saved_ = 0;
    if (campaign_keeper_ && !put_aside_) campaign_keeper_->put(accumulator_.state());
}

}  // namespace alleycat
