#include "readout/simulator.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <deque>
#include <utility>

#include "daq/core/error.hpp"
#include "daq/core/real_time.hpp"
#include "readout/beam_instruments.hpp"
#include "readout/clock_unwrapper.hpp"
#include "readout/detector_model.hpp"

namespace alleycat {
namespace {

constexpr std::size_t kFramesKept = 65'536;  // 18 minutes of beam frames that nobody fetched
constexpr unsigned kClockBits = 31;

}  // namespace

struct Simulator::State {
    State(const SimulatorConfig& c, const BoardInfo& b, std::uint16_t index, std::uint64_t max);

    void make_plan(std::int64_t tick, bool strobe, TickPlan& plan) const noexcept;
    void plan_next();
    bool wait_until_due(const std::stop_token& stop);
    void push_frame(std::int64_t tick);
    void deliver_frame(const BeamFrame& frame);
    void describe(RecordHeader& header);

    SimulatorConfig config;
    BoardInfo board;
    std::uint16_t board_index;
    std::uint64_t max_triggers;
    std::int64_t start_utc_ns;
    SimulatedBoard inputs;
    TickPlanner planner;
    std::unique_ptr<DetectorModel> detector;
    BeamInstruments instruments;
    TimingDefects defects;

    TickPlan now;  // of the record that next() described last
    std::int64_t next_tick = 0;
    bool strobe_is_next = false;   // before next_tick
    TimingDefects::OfTick defect;  // of `now`
    bool repeat_is_next = false;   // the second record of `now`: a duplicate tick
    std::uint64_t repeats = 0;     // so far: the board counts them
    std::int64_t phase_ps = 0;     // by which stamps are off for good: the phase jumps so far
    std::deque<std::pair<std::int64_t, BeamFrame>> late_frames;  // and the tick at which they come
    std::int64_t framed_ticks = 0;                               // frames made so far
    std::uint64_t delivered = 0;
    std::uint64_t frames_dropped = 0;
    std::vector<BeamFrame> frames;
    ClockUnwrapper unwrapper{kClockBits};

    RealTime real_time;
};

Simulator::State::State(const SimulatorConfig& c, const BoardInfo& b, std::uint16_t index, std::uint64_t max)
    : config{c},
      board{b},
      board_index{index},
      max_triggers{max},
      start_utc_ns{c.start_utc.value_or(utc_now()).time_since_epoch().count()},
      inputs{c, b, index},
      planner{c, inputs.trace_ns()},
      detector{make_detector(c, inputs)},
      instruments{c, b, inputs},
      defects{c.defects, c.seed, c.tick_period_ns} {
    if (board.clock_period_ps <= 0) throw UsageError{fmt::format("board {}: clock_period_ps must be positive", b.name)};
    if (board.model.empty()) board.model = "simulator";
    now.pulses.reserve(TickPlan::kMaxPulses);
    frames.reserve(1024);
}

void Simulator::State::make_plan(std::int64_t tick, bool strobe, TickPlan& plan) const noexcept {
    planner.plan(tick, strobe, plan);
    detector->plan(plan);
    instruments.plan(plan);
}

void Simulator::State::plan_next() {
    if (repeat_is_next) {
        repeat_is_next = false;
        ++repeats;
        return;
    }
    if (strobe_is_next) {
        defect = {};
        make_plan(next_tick - 1, true, now);
        strobe_is_next = false;
        return;
    }
    make_plan(next_tick, false, now);
    defect = defects.of_tick(next_tick);
    if (defect.defect == TickDefect::phase_jump) phase_ps += std::exchange(defect.off_ps, 0);
    repeat_is_next = defect.defect == TickDefect::duplicate && !now.missed;
    push_frame(next_tick++);
    strobe_is_next = config.strobe_every_ticks > 0 && next_tick % config.strobe_every_ticks == 0;
}

bool Simulator::State::wait_until_due(const std::stop_token& stop) {
    return real_time.wait_until(strobe_is_next ? planner.strobe_ps(next_tick - 1) : planner.time_ps(next_tick), stop);
}

void Simulator::State::push_frame(std::int64_t tick) {
    framed_ticks = tick + 1;
    if (board_index != 0) return;
    for (; !late_frames.empty() && late_frames.front().first <= tick; late_frames.pop_front()) {
        deliver_frame(late_frames.front().second);
    }
    BeamFrame frame = planner.frame(tick, start_utc_ns);
    frame.tick += repeats;
    switch (defects.of_frame(tick)) {
        case FrameDefect::lost: break;
        case FrameDefect::late: late_frames.emplace_back(tick + defects.late_ticks(), frame); break;
        case FrameDefect::duplicate: deliver_frame(frame); [[fallthrough]];
        case FrameDefect::none: deliver_frame(frame); break;
    }
}

void Simulator::State::deliver_frame(const BeamFrame& frame) {
    if (frames.size() >= kFramesKept) {
        ++frames_dropped;
    } else {
        frames.push_back(frame);
    }
}

void Simulator::State::describe(RecordHeader& header) {
    header = RecordHeader{};
    // A duplicate comes as it should, and then once more.
    const bool is_first_of_two = defect.defect == TickDefect::duplicate && repeat_is_next;
    const std::int64_t stamp_ps = now.time_ps + phase_ps + (is_first_of_two ? 0 : defect.off_ps);
    const std::int64_t clock = config.clock_start_ticks + stamp_ps / board.clock_period_ps;
    header.counter = config.triggers_before(now.tick) + (now.strobe ? 1 : 0) + repeats;
    header.trigger_class = now.strobe ? TriggerClass::strobe : TriggerClass::beam_tick;
    header.clock = static_cast<std::uint64_t>(clock) & ((std::uint64_t{1} << kClockBits) - 1);
    const ClockUnwrapper::Result unwrapped = unwrapper.unwrap(header.clock);
    if (unwrapped.backwards) header.flags |= record_flag::clock_backwards;
    header.time_ps = static_cast<std::int64_t>(unwrapped.ticks) * board.clock_period_ps;
    header.utc_ns = start_utc_ns + now.time_ps / 1000;
    header.channels = static_cast<std::uint16_t>(inputs.inputs());
    header.channel_mask = ~std::uint64_t{0} >> (kMaxChannels - inputs.inputs());
    header.samples_per_channel = board.samples;
    header.board = board_index;
    header.truth_count = static_cast<std::uint16_t>(now.pulses.size());
    header.sample_type = board.sample_type;
}

Simulator::Simulator(const SimulatorConfig& config, const BoardInfo& board, std::uint16_t board_index,
                     std::uint64_t max_triggers)
    : state_{std::make_unique<State>(config, board, board_index, max_triggers)} {}
Simulator::~Simulator() = default;

const BoardInfo& Simulator::board() const noexcept { return state_->board; }

RecordSource::Next Simulator::next(RecordHeader& header, std::stop_token stop) {
    State& s = *state_;
    if (s.max_triggers != 0 && s.delivered == s.max_triggers) {
        const int shift = std::min(s.config.frame_index_shift, s.config.flavor_index_shift);
        while (s.framed_ticks < s.next_tick - shift) s.push_frame(s.framed_ticks);
        return Next::end;
    }
    if (stop.stop_requested()) return Next::idle;
    do {
        if (s.config.pacing == Pacing::realtime && !s.repeat_is_next && !s.wait_until_due(stop)) return Next::idle;
        s.plan_next();
    } while (s.now.missed);
    ++s.delivered;
    s.describe(header);
    return Next::record;
}

void Simulator::fill(std::span<std::byte> payload) {
    State& s = *state_;
    s.detector->draw(s.now);
    s.instruments.draw(s.now);
    s.inputs.digitize(s.now, s.board.sample_type, payload.data());
    const std::size_t samples = s.inputs.inputs() * s.board.samples * bytes_per_sample(s.board.sample_type);
    const std::size_t truth = payload.size() - s.now.pulses.size() * sizeof(TruthPulse);
    std::memset(payload.data() + samples, 0, truth - samples);
    std::byte* to = payload.data() + truth;
    for (const PlannedPulse& pulse : s.now.pulses) {
        std::memcpy(to, &pulse.truth, sizeof(TruthPulse));
        to += sizeof(TruthPulse);
    }
}

void Simulator::take_beam_frames(std::vector<BeamFrame>& frames) {
    frames.insert(frames.end(), state_->frames.begin(), state_->frames.end());
    state_->frames.clear();
}

std::vector<std::pair<std::string, std::uint64_t>> Simulator::defects() const {
    return {{"beam_frames_not_fetched", state_->frames_dropped}};
}

std::optional<double> Simulator::fraction_done() const {
    if (state_->max_triggers == 0) return std::nullopt;
    return static_cast<double>(state_->delivered) / static_cast<double>(state_->max_triggers);
}

TickPlan Simulator::plan(std::int64_t tick, bool strobe) const {
    TickPlan plan;
    plan.pulses.reserve(TickPlan::kMaxPulses);
    state_->make_plan(tick, strobe, plan);
    return plan;
}

}  // namespace alleycat
