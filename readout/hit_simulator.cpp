#include "readout/hit_simulator.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <numbers>

#include "daq/core/error.hpp"
#include "daq/core/real_time.hpp"
#include "readout/clock_unwrapper.hpp"
#include "readout/decay_shape.hpp"
#include "readout/neutrino_times.hpp"
#include "readout/pulse_model.hpp"
#include "readout/simulated_board.hpp"
#include "readout/simulator_plan.hpp"

namespace alleycat {
namespace {

// Random sequences of their own; below 200 are those of the other simulator and its planner.
enum Purpose : std::uint64_t {
    kLost = 200,
    kLate,
    kGain,
    kGainPhase,
    kJitter,
    kHitBoard = 300,  // and from here on one for each channel, or for 64 channels of each of 16 boards
    kLight = 400,
    kNoise = 500,
    kOrder = 2'000,
    kBackground = 4'000,
    kBeam = 6'000
};

constexpr unsigned kClockBits = 31;
constexpr double kPotassiumKev = 1'461, kThalliumKev = 2'615;
constexpr std::size_t kFramesKept = 65'536;
constexpr double kTimingWidthNs = 100;
constexpr float kTimingHeight = 1'000;  // ADC counts

std::int64_t picoseconds(double ns) { return std::llround(ns * 1e3); }

/// Hits of the detectors of one board. A pure function of the tick.
class HitPlanner {
  public:
    HitPlanner(const SimulatorConfig& beam, std::uint16_t board_index, std::size_t detectors, bool has_tick_channel,
               double trace_ns)
        : beam_{beam},
          config_{beam.hits},
          first_detector_{board_index * kMaxChannels},
          detectors_{detectors},
          has_tick_channel_{has_tick_channel},
          trace_ps_{picoseconds(trace_ns)},
          ticks_{beam, beam.trigger_position_ns + 1},
          nominal_pc_{beam.beam_power_w * beam.tick_period_ns * 1e-9 / (beam.proton_energy_gev * 1e9) * 1e12} {
        const double most = (config_.background_rate_hz * beam.tick_period_ns * 1e-9 + config_.prompt_per_pulse +
                             config_.delayed_per_pulse) *
                            beam.rate_boost;
        if (most > 100) {
            throw UsageError{
                fmt::format("simulator.rate_boost: {} puts {:.3g} hits into every tick of a detector; at most "
                            "100 make sense",
                            beam.rate_boost, most)};
        }
    }

    [[nodiscard]] const TickPlanner& ticks() const noexcept { return ticks_; }
    [[nodiscard]] bool lost(std::int64_t tick) const noexcept {
        return RandomStream{beam_.seed, tick, kLost}.uniform() < beam_.missed_tick_share;
    }
    [[nodiscard]] bool late(std::int64_t tick) const noexcept {
        return RandomStream{beam_.seed, tick, kLate}.uniform() < config_.late_tick_share;
    }

    /// Overwrites `hits`; returns how many came while their detector's trace was being taken.
    std::size_t plan(std::int64_t tick, std::vector<PlannedHit>& hits) const {
        hits.clear();
        const std::int64_t begin_ps = ticks_.time_ps(tick), end_ps = ticks_.time_ps(tick + 1);
        std::size_t busy = 0;
        for (std::size_t d = 0; d < detectors_; ++d) {
            const std::size_t first = hits.size();
            add_background(tick, d, begin_ps, end_ps, hits);
            add_beam(tick, d, begin_ps, hits);
            const auto of_detector = hits.begin() + static_cast<std::ptrdiff_t>(first);
            std::sort(of_detector, hits.end(), by_time);
            busy += leave_busy_out(hits, first);
        }
        if (has_tick_channel_ && !lost(tick)) {
            hits.push_back({begin_ps, PlannedHit::kTimingSignal, TruthKind::beam_pulse, 0});
        }
        std::sort(hits.begin(), hits.end(), by_time);
        if (config_.disorder_ns > 0) disturb(tick, hits);
        return busy;
    }

  private:
    static bool by_time(const PlannedHit& a, const PlannedHit& b) noexcept {
        return a.time_ps != b.time_ps ? a.time_ps < b.time_ps : a.detector < b.detector;
    }

    void add_background(std::int64_t tick, std::size_t d, std::int64_t begin_ps, std::int64_t end_ps,
                        std::vector<PlannedHit>& hits) const {
        RandomStream random{beam_.seed, tick, kBackground + first_detector_ + d};
        const double period_ps = static_cast<double>(end_ps - begin_ps);
        const double mean = config_.background_rate_hz * beam_.rate_boost * period_ps * 1e-12;
        for (auto n = random.poisson(mean); n > 0; --n) {
            const auto time_ps = begin_ps + static_cast<std::int64_t>(random.uniform() * period_ps);
            const double which = random.uniform();
            double energy_kev = config_.threshold_kev + random.exponential(config_.continuum_kev);
            if (which < config_.potassium_share) {
                energy_kev = kPotassiumKev;
            } else if (which < config_.potassium_share + config_.thallium_share) {
                energy_kev = kThalliumKev;
            }
            hits.push_back({time_ps, static_cast<std::uint32_t>(d), TruthKind::gamma, energy_kev});
        }
    }

    void add_beam(std::int64_t tick, std::size_t d, std::int64_t begin_ps, std::vector<PlannedHit>& hits) const {
        const BeamTruth beam = ticks_.beam(tick);
        if (!beam.delivered || nominal_pc_ <= 0) return;
        RandomStream random{beam_.seed, tick, kBeam + first_detector_ + d};
        const double scale = beam.charge_pc / nominal_pc_ * beam_.rate_boost;
        // All detectors see the protons at the same moment.
        const double protons_ns = beam_.pulse_delay_ns + beam_.timing_offset_ns +
                                  beam_.timing_jitter_ns * RandomStream{beam_.seed, tick, kJitter}.gaussian();
        const auto add = [&](TruthKind kind, double after_ns, double energy_kev) {
            const double at_ns = protons_ns + beam_.proton_pulse_sigma_ns * random.gaussian() + after_ns;
            hits.push_back({begin_ps + std::max<std::int64_t>(0, picoseconds(at_ns)), static_cast<std::uint32_t>(d),
                            kind, energy_kev});
        };
        for (auto n = random.poisson(scale * config_.prompt_per_pulse); n > 0; --n) {
            add(TruthKind::neutron, 0, config_.threshold_kev + random.exponential(config_.prompt_kev));
        }
        const bool neutrinos = config_.detector == HitSimulatorConfig::Detector::nai;
        for (auto n = random.poisson(scale * config_.delayed_per_pulse); n > 0; --n) {
            const double energy_kev = random.uniform(config_.delayed_min_kev, config_.delayed_max_kev);
            add(neutrinos ? TruthKind::electron_recoil : TruthKind::neutron, random.exponential(kMuonLifetimeNs),
                energy_kev);
        }
    }

    std::size_t leave_busy_out(std::vector<PlannedHit>& hits, std::size_t first) const {
        std::size_t kept = first;
        for (std::size_t i = first; i < hits.size(); ++i) {
            if (kept == first || hits[i].time_ps >= hits[kept - 1].time_ps + trace_ps_) hits[kept++] = hits[i];
        }
        const std::size_t busy = hits.size() - kept;
        hits.resize(kept);
        return busy;
    }

    /// As a board that reads its channels one by one: no hit is overtaken by one that is later by more than
    /// disorder_ns.
    void disturb(std::int64_t tick, std::vector<PlannedHit>& hits) const {
        RandomStream random{beam_.seed, tick, kOrder + first_detector_};
        const std::int64_t at_most_ps = picoseconds(config_.disorder_ns);
        for (std::size_t i = 1; i < hits.size(); ++i) {
            if (hits[i].time_ps - hits[i - 1].time_ps <= at_most_ps && random.uniform() < 0.5) {
                std::swap(hits[i], hits[i - 1]);
                ++i;  // nobody moves twice
            }
        }
    }

    SimulatorConfig beam_;
    HitSimulatorConfig config_;
    std::uint64_t first_detector_;
    std::size_t detectors_;
    bool has_tick_channel_;
    std::int64_t trace_ps_;
    TickPlanner ticks_;
    double nominal_pc_;
};

/// One input of the board: from heights above the baseline to codes.
class HitInput {
  public:
    HitInput(const BoardInfo& board, const ChannelInfo& channel, const SimulatorConfig& config)
        : digitizer_{board.sample_type, channel, config.adc_bits},
          baseline_adc_{config.baseline_adc},
          sign_{channel.negative_pulses ? -1.0 : 1.0},
          canvas_{board.samples} {}
    [[nodiscard]] PulseCanvas& canvas() noexcept { return canvas_; }

    /// Writes all samples and empties the canvas.
    template <class Sample>
    void digitize(const NoiseTable& noise, RandomStream random, Sample* out) noexcept {
        const std::size_t n = canvas_.samples();
        std::span<const std::uint8_t> steps;
        for (std::size_t i = 0; i < n; ++i) {
            if (i % NoiseTable::kBlock == 0) steps = noise.block(random);
            const double height = canvas_.segment(i / PulseCanvas::kSegment)[i % PulseCanvas::kSegment];
            const double level = baseline_adc_ + noise.height_adc(steps[i % NoiseTable::kBlock]) + sign_ * height;
            out[i] = static_cast<Sample>(digitizer_.code(level));
        }
        canvas_.clear();
    }

  private:
    Digitizer digitizer_;
    double baseline_adc_;
    double sign_;
    PulseCanvas canvas_;
};

std::size_t find_channel(const BoardInfo& board, const std::string& name) {
    const auto found = std::find_if(board.channels.begin(), board.channels.end(),
                                    [&](const ChannelInfo& c) { return !name.empty() && c.name == name; });
    return static_cast<std::size_t>(found - board.channels.begin());
}

/// Channels of each detector, in the order of the board; the timing signal's is none of them.
std::vector<std::size_t> detector_channels(const BoardInfo& board, const std::string& tick_channel) {
    std::vector<std::size_t> channels;
    for (std::size_t c = 0; c < board.channels.size(); ++c) {
        if (c != find_channel(board, tick_channel)) channels.push_back(c);
    }
    return channels;
}

double trace_length_ns(const BoardInfo& board) {
    return static_cast<double>(board.samples) * static_cast<double>(board.sample_period_ps) * 1e-3;
}

void require_fitting(const BoardInfo& board, const SimulatorConfig& config, std::size_t channels,
                     std::size_t per_detector) {
    const auto refuse = [&](const std::string& why) { throw UsageError{fmt::format("board {}: {}", board.name, why)}; };
    if (!triggers_itself(config.detector)) {
        refuse("it triggers itself: simulator.detector is nai or cells for such boards");
    }
    if (board.samples == 0 || board.sample_period_ps <= 0)
        refuse("the simulator needs `samples` and `sample_period_ps`");
    if (board.clock_period_ps <= 0) refuse("clock_period_ps must be positive");
    if (channels % per_detector != 0) {
        refuse(fmt::format("{} channels are no whole number of detectors of {}", channels, per_detector));
    }
    const double trace_ns = trace_length_ns(board);
    if (config.trigger_position_ns >= trace_ns) {
        refuse(fmt::format("simulator.trigger_position_ns: {} lies behind the trace of {} ns",
                           config.trigger_position_ns, trace_ns));
    }
    for (const ChannelInfo& channel : board.channels) {
        if (channel.code_map != "plain") refuse("channel " + channel.name + ": the hits' ADC leaves no codes out");
    }
}

}  // namespace

struct HitSimulator::State {
    State(const SimulatorConfig& c, const BoardInfo& b, std::uint16_t index, bool ticks_too, std::uint64_t max);

    void begin_period();
    void release_ticks();
    void describe(RecordHeader& header);
    void draw();
    template <class Sample>
    void write_samples(Sample* out);
    [[nodiscard]] bool wait_until_due(const std::stop_token& stop);
    [[nodiscard]] double gain(std::uint32_t detector, std::int64_t time_ps) const noexcept;
    [[nodiscard]] std::int64_t clock_at(std::int64_t time_ps) const noexcept {
        return beam.clock_start_ticks + time_ps / board.clock_period_ps;
    }

    SimulatorConfig beam;
    HitSimulatorConfig config;
    BoardInfo board;
    std::uint16_t board_index;
    bool tells_ticks;
    std::uint64_t max_ticks;
    std::uint64_t seed;
    std::int64_t start_utc_ns;
    std::size_t tick_channel;  // the number of channels: none
    std::vector<std::size_t> channels;
    std::size_t per_detector;
    HitPlanner planner;
    NoiseTable noise;
    DecayShape fast, slow;
    std::vector<HitInput> inputs;
    std::vector<float> timing_pulse;
    std::vector<double> gains, phases;  // per detector

    std::vector<PlannedHit> hits;  // of the present period
    std::size_t next_hit = 0;
    std::int64_t period = -1;
    PlannedHit now;
    double onset_ns = 0;
    std::uint32_t photoelectrons = 0;
    std::uint64_t delivered = 0, busy = 0, frames_dropped = 0;
    std::int64_t framed_ticks = 0;
    std::vector<BeamFrame> frames;
    struct DueTick {
        TickRecord tick;
        std::int64_t period = 0;  // in which it is delivered
    };
    std::vector<DueTick> waiting_ticks;
    std::vector<TickRecord> ticks;
    ClockUnwrapper unwrapper{kClockBits};

    RealTime real_time;
};

HitSimulator::State::State(const SimulatorConfig& c, const BoardInfo& b, std::uint16_t index, bool ticks_too,
                           std::uint64_t max)
    : beam{c},
      config{c.hits},
      board{b},
      board_index{index},
      tells_ticks{ticks_too},
      max_ticks{max},
      seed{RandomStream{beam.seed, index, kHitBoard}.bits()},
      start_utc_ns{beam.start_utc.value_or(utc_now()).time_since_epoch().count()},
      tick_channel{find_channel(board, config.tick_channel)},
      channels{detector_channels(board, config.tick_channel)},
      per_detector{config.detector == HitSimulatorConfig::Detector::nai ? 2u : 1u},
      planner{beam, index, channels.size() / per_detector, tick_channel < board.channels.size(),
              trace_length_ns(board)},
      noise{seed, beam.noise_sigma_adc},
      fast{config.response_ns, config.fast_ns, static_cast<double>(board.sample_period_ps) * 1e-3, board.samples},
      slow{config.response_ns, config.slow_ns, static_cast<double>(board.sample_period_ps) * 1e-3, board.samples} {
    require_fitting(board, beam, channels.size(), per_detector);
    if (board.model.empty()) board.model = "simulator";
    for (const ChannelInfo& channel : board.channels) inputs.emplace_back(board, channel, beam);
    for (std::size_t d = 0; d < channels.size() / per_detector; ++d) {
        const auto which = static_cast<std::int64_t>(index * kMaxChannels + d);
        gains.push_back(std::max(0.1, 1 + config.gain_spread * RandomStream{beam.seed, which, kGain}.gaussian()));
        phases.push_back(RandomStream{beam.seed, which, kGainPhase}.uniform());
    }
    timing_pulse.assign(
        static_cast<std::size_t>(std::ceil(kTimingWidthNs * 1e3 / static_cast<double>(board.sample_period_ps))), 1.0F);
    frames.reserve(1024);
    hits.reserve(1024);
}

double HitSimulator::State::gain(std::uint32_t detector, std::int64_t time_ps) const noexcept {
    const double turn = static_cast<double>(time_ps) * 1e-12 / beam.gain_drift_period_s + phases[detector];
    return gains[detector] * (1 + beam.gain_drift * std::sin(2 * std::numbers::pi * turn));
}

bool HitSimulator::State::wait_until_due(const std::stop_token& stop) {
    return real_time.wait_until(planner.ticks().time_ps(period + 2), stop);  // its hits are delivered when it is over
}

void HitSimulator::State::begin_period() {
    ++period;
    busy += planner.plan(period, hits);
    next_hit = 0;
    // Whoever reads a board sees its clock often enough to know of every roll-over.
    (void)unwrapper.unwrap(static_cast<std::uint64_t>(clock_at(planner.ticks().time_ps(period))));
    if (board_index == 0) {
        framed_ticks = period + 1;
        if (frames.size() >= kFramesKept) {
            ++frames_dropped;
        } else {
            frames.push_back(planner.ticks().frame(period, start_utc_ns));
        }
    }
    if (tells_ticks && !planner.lost(period)) {
        const std::int64_t time_ps = planner.ticks().time_ps(period);
        TickRecord tick;
        tick.tick = static_cast<std::uint64_t>(period);
        tick.time_ps = clock_at(time_ps) * board.clock_period_ps;
        tick.utc_ns = start_utc_ns + time_ps / 1000;
        waiting_ticks.push_back({tick, period + (planner.late(period) ? config.late_by_ticks : 0)});
    }
    release_ticks();
}

/// In their order: a late one holds up those behind it.
void HitSimulator::State::release_ticks() {
    std::size_t n = 0;
    for (; n < waiting_ticks.size() && waiting_ticks[n].period <= period; ++n) ticks.push_back(waiting_ticks[n].tick);
    waiting_ticks.erase(waiting_ticks.begin(), waiting_ticks.begin() + static_cast<std::ptrdiff_t>(n));
}

void HitSimulator::State::describe(RecordHeader& header) {
    header = RecordHeader{};
    const std::int64_t clock = clock_at(now.time_ps);
    header.counter = delivered++;
    header.clock = static_cast<std::uint64_t>(clock) & ((std::uint64_t{1} << kClockBits) - 1);
    header.time_ps = static_cast<std::int64_t>(unwrapper.unwrap(header.clock).ticks) * board.clock_period_ps;
    header.utc_ns = start_utc_ns + now.time_ps / 1000;
    header.samples_per_channel = board.samples;
    header.board = board_index;
    header.sample_type = board.sample_type;
    header.trigger_class = TriggerClass::hit;
    const std::int64_t since_stamp_ps = now.time_ps - (clock - beam.clock_start_ticks) * board.clock_period_ps;
    onset_ns = beam.trigger_position_ns + static_cast<double>(since_stamp_ps) * 1e-3;
    if (now.detector == PlannedHit::kTimingSignal) {
        header.channels = 1;
        header.channel_mask = std::uint64_t{1} << tick_channel;
        return;
    }
    header.channels = static_cast<std::uint16_t>(per_detector);
    for (std::size_t i = 0; i < per_detector; ++i) {
        header.channel_mask |= std::uint64_t{1} << channels[now.detector * per_detector + i];
    }
    header.truth_count = 1;
}

void HitSimulator::State::draw() {
    if (now.detector == PlannedHit::kTimingSignal) {
        const double at = onset_ns * 1e3 / static_cast<double>(board.sample_period_ps);
        inputs[tick_channel].canvas().add(static_cast<std::ptrdiff_t>(at), timing_pulse, kTimingHeight);
        return;
    }
    RandomStream random{seed, now.time_ps, kLight + now.detector};
    const bool recoil = now.kind == TruthKind::neutron;
    const double slow_share = recoil ? config.slow_share_recoil : config.slow_share_electron;
    const double mean = now.energy_kev * config.photoelectrons_per_kev;
    const std::uint32_t fast_pe = random.poisson_any(mean * (1 - slow_share));
    const std::uint32_t slow_pe = random.poisson_any(mean * slow_share);
    photoelectrons = fast_pe + slow_pe;
    const double charge = config.charge_per_kev_adc / config.photoelectrons_per_kev * gain(now.detector, now.time_ps);
    for (std::size_t i = 0; i < per_detector; ++i) {
        const double scale = i == 0 ? charge : charge / config.low_gain_ratio;
        PulseCanvas& canvas = inputs[channels[now.detector * per_detector + i]].canvas();
        if (fast_pe > 0) fast.add(canvas, onset_ns, fast_pe * scale);
        if (slow_pe > 0) slow.add(canvas, onset_ns, slow_pe * scale);
    }
}

template <class Sample>
void HitSimulator::State::write_samples(Sample* out) {
    draw();
    const bool timing = now.detector == PlannedHit::kTimingSignal;
    for (std::size_t i = 0; i < (timing ? 1 : per_detector); ++i) {
        const std::size_t c = timing ? tick_channel : channels[now.detector * per_detector + i];
        inputs[c].digitize(noise, RandomStream{seed, now.time_ps, kNoise + c}, out + i * board.samples);
    }
}

HitSimulator::HitSimulator(const SimulatorConfig& config, const BoardInfo& board, std::uint16_t board_index,
                           bool tells_ticks, std::uint64_t max_ticks)
    : state_{std::make_unique<State>(config, board, board_index, tells_ticks, max_ticks)} {}
HitSimulator::~HitSimulator() = default;

const BoardInfo& HitSimulator::board() const noexcept { return state_->board; }

RecordSource::Next HitSimulator::next(RecordHeader& header, std::stop_token stop) {
    State& s = *state_;
    while (s.next_hit == s.hits.size()) {
        if (stop.stop_requested()) return Next::idle;
        if (s.max_ticks != 0 && s.period + 1 == static_cast<std::int64_t>(s.max_ticks)) {
            const int shift = std::min(s.beam.frame_index_shift, s.beam.flavor_index_shift);
            for (; s.board_index == 0 && s.framed_ticks < s.period + 1 - shift; ++s.framed_ticks) {
                s.frames.push_back(s.planner.ticks().frame(s.framed_ticks, s.start_utc_ns));
            }
            for (const auto& late : s.waiting_ticks) s.ticks.push_back(late.tick);
            s.waiting_ticks.clear();
            return Next::end;
        }
        if (s.beam.pacing == Pacing::realtime && !s.wait_until_due(stop)) return Next::idle;
        s.begin_period();
    }
    s.now = s.hits[s.next_hit++];
    s.describe(header);
    return Next::record;
}

void HitSimulator::fill(std::span<std::byte> payload) {
    State& s = *state_;
    with_sample_type(s.board.sample_type,
                     [&]<class Sample>(Sample) { s.write_samples(reinterpret_cast<Sample*>(payload.data())); });
    const bool timing = s.now.detector == PlannedHit::kTimingSignal;
    const std::size_t samples = (timing ? 1 : s.per_detector) * s.board.samples * bytes_per_sample(s.board.sample_type);
    const std::size_t behind = payload.size() - (timing ? 0 : sizeof(TruthPulse));
    std::memset(payload.data() + samples, 0, behind - samples);
    if (timing) return;
    const TruthPulse truth{static_cast<float>(s.onset_ns), s.photoelectrons, s.now.kind, {}};
    std::memcpy(payload.data() + behind, &truth, sizeof truth);
}

void HitSimulator::take_beam_frames(std::vector<BeamFrame>& frames) {
    frames.insert(frames.end(), state_->frames.begin(), state_->frames.end());
    state_->frames.clear();
}

void HitSimulator::take_ticks(std::vector<TickRecord>& ticks) {
    ticks.insert(ticks.end(), state_->ticks.begin(), state_->ticks.end());
    state_->ticks.clear();
}

std::vector<std::pair<std::string, std::uint64_t>> HitSimulator::defects() const {
    return {{"beam_frames_not_fetched", state_->frames_dropped}, {"hits_while_busy", state_->busy}};
}

std::optional<double> HitSimulator::fraction_done() const {
    if (state_->max_ticks == 0) return std::nullopt;
    return static_cast<double>(state_->period + 1) / static_cast<double>(state_->max_ticks);
}

std::vector<PlannedHit> HitSimulator::plan(std::int64_t tick) const {
    std::vector<PlannedHit> hits;
    state_->planner.plan(tick, hits);
    return hits;
}

}  // namespace alleycat
