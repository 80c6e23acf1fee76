#include "readout/simulator.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <condition_variable>
#include <cstring>
#include <mutex>
#include <numbers>

#include "daq/core/code_map.hpp"
#include "daq/core/error.hpp"
#include "readout/clock_unwrapper.hpp"
#include "readout/pulse_model.hpp"

namespace alleycat {
namespace {

enum Purpose : std::uint64_t { kBoard = 100, kLight, kDark, kNoise };  // the planner's are below 100

constexpr std::size_t kFramesKept = 65'536;  // 18 minutes of beam frames that nobody fetched
constexpr unsigned kClockBits = 31;

/// From an analog level [ADC counts] to the code one channel delivers.
class Digitizer {
  public:
    /// adc_bits 0: all bits of the sample type.
    Digitizer(SampleType type, const ChannelInfo& channel, int adc_bits) {
        const int type_bits = static_cast<int>(bytes_per_sample(type)) * 8;
        const int bits = adc_bits == 0 ? type_bits : std::min(adc_bits, type_bits);
        const bool is_signed = type == SampleType::int8 || type == SampleType::int16;
        low_ = is_signed ? -(1 << (bits - 1)) : 0;
        high_ = low_ + (1 << bits) - 1;
        if (const CodeTable* const table = code_table(channel.code_map); table != nullptr) {
            for (int counts = -128; counts <= 127; ++counts) holes_.push_back(code_for(*table, counts));
        }
    }
    [[nodiscard]] std::int32_t code(double level) const noexcept {
        const auto counts = static_cast<int>(std::floor(std::clamp<double>(level, low_, high_) + 0.5));
        const int clipped = std::clamp(counts, low_, high_);
        return holes_.empty() ? clipped : holes_[static_cast<std::size_t>(clipped + 128)];
    }

  private:
    int low_ = 0, high_ = 0;
    std::vector<std::int8_t> holes_;  // code for -128 + i counts; empty: codes are counts
};

/// One input of the board: turns a baseline, noise and the pulses on a canvas into codes.
class ChannelModel {
  public:
    /// `noise` must outlive this.
    ChannelModel(const BoardInfo& board, const ChannelInfo& channel, const SimulatorConfig& config, double baseline_adc,
                 const NoiseTable& noise)
        : noise_{&noise},
          digitizer_{board.sample_type, channel, config.adc_bits},
          baseline_adc_{baseline_adc},
          sign_{channel.negative_pulses ? -1.0 : 1.0},
          canvas_{board.samples},
          blocks_((board.samples + NoiseTable::kBlock - 1) / NoiseTable::kBlock) {
        const double swing = config.baseline_drift_adc + config.baseline_wander_adc;
        first_step_ = step_of(baseline_adc - swing) - 1;
        const int steps = step_of(baseline_adc + swing) + 2 - first_step_;
        codes_.resize(static_cast<std::size_t>(steps));
        for (int s = 0; s < steps; ++s) codes_[static_cast<std::size_t>(s)] = codes_at(level_of(first_step_ + s));
    }

    [[nodiscard]] PulseCanvas& canvas() noexcept { return canvas_; }

    /// Chooses noise and baseline of each block of a tick. `drift_adc` holds for the whole trace.
    void begin(RandomStream random, double drift_adc, double wander_adc, double wander_per_block) noexcept {
        const double phase = random.uniform();
        for (std::size_t b = 0; b < blocks_.size(); ++b) {
            const double turn = phase + wander_per_block * static_cast<double>(b);
            const double level = baseline_adc_ + drift_adc + wander_adc * std::sin(2 * std::numbers::pi * turn);
            blocks_[b] = {noise_->block(random).data(), step_of(level)};
        }
    }

    /// Writes all samples of the tick and empties the canvas.
    template <class Sample>
    void digitize(Sample* out) noexcept {
        const std::size_t n = canvas_.samples();
        for (std::size_t b = 0; b < blocks_.size(); ++b) {
            const std::size_t begin = b * NoiseTable::kBlock;
            const Codes& codes = codes_[static_cast<std::size_t>(blocks_[b].baseline_step - first_step_)];
            look_up(codes, blocks_[b].noise, out + begin, std::min(NoiseTable::kBlock, n - begin));
        }
        for (std::size_t s = 0; s < canvas_.segments(); ++s) {
            if (canvas_.touched(s)) draw_segment(s, out);
        }
        canvas_.clear();
    }

    /// Overwrites samples [begin, end) with noise around a fixed level: what a closed gate lets through.
    template <class Sample>
    void force_level(double level_adc, std::size_t begin, std::size_t end, Sample* out) noexcept {
        const Codes codes = codes_at(level_adc);
        for (std::size_t i = begin; i < end; ++i) {
            out[i] = static_cast<Sample>(codes[blocks_[i / NoiseTable::kBlock].noise[i % NoiseTable::kBlock]]);
        }
    }

  private:
    using Codes = std::array<std::int16_t, 256>;  // code (its 16 low bits) for each step of the noise
    struct Block {
        const std::uint8_t* noise = nullptr;
        int baseline_step = 0;
    };
    static_assert(NoiseTable::kBlock % PulseCanvas::kSegment == 0, "a segment lies in one block");

    [[nodiscard]] int step_of(double level) const noexcept {
        return static_cast<int>(std::lround(level * noise_->steps_per_adc()));
    }
    [[nodiscard]] double level_of(int step) const noexcept {
        return static_cast<double>(step) / noise_->steps_per_adc();
    }

    [[nodiscard]] Codes codes_at(double level) const noexcept {
        Codes codes{};
        for (std::size_t q = 0; q < codes.size(); ++q) {
            const double noise = noise_->height_adc(static_cast<std::uint8_t>(q));
            codes[q] = static_cast<std::int16_t>(digitizer_.code(level + noise));
        }
        return codes;
    }
    template <class Sample>
    static void look_up(const Codes& codes, const std::uint8_t* noise, Sample* out, std::size_t n) noexcept {
        for (std::size_t i = 0; i < n; ++i) out[i] = static_cast<Sample>(codes[noise[i]]);
    }
    template <class Sample>
    void draw_segment(std::size_t s, Sample* out) noexcept {
        const std::size_t begin = s * PulseCanvas::kSegment;
        const std::size_t n = std::min(PulseCanvas::kSegment, canvas_.samples() - begin);
        const Block& block = blocks_[begin / NoiseTable::kBlock];
        const std::uint8_t* const noise = block.noise + begin % NoiseTable::kBlock;
        const double baseline = level_of(block.baseline_step);
        const std::span<const float> heights = canvas_.segment(s);
        for (std::size_t i = 0; i < n; ++i) {
            const double level = baseline + noise_->height_adc(noise[i]) + sign_ * static_cast<double>(heights[i]);
            out[begin + i] = static_cast<Sample>(digitizer_.code(level));
        }
    }

    const NoiseTable* noise_;
    Digitizer digitizer_;
    double baseline_adc_;
    double sign_;
    PulseCanvas canvas_;
    std::vector<Block> blocks_;
    int first_step_ = 0;
    std::vector<Codes> codes_;  // one table per baseline step, from first_step_ on
};

}  // namespace

struct Simulator::State {
    State(const SimulatorConfig& c, const BoardInfo& b, std::uint16_t index, std::uint64_t max);

    void draw_pulses();
    void draw_scintillation(double onset_ns, std::uint32_t photoelectrons, double fast_ns, RandomStream& random);
    void draw_afterglow(double onset_ns, std::uint32_t photoelectrons, RandomStream& random);
    void draw_dark();
    void photoelectron(double time_ns, RandomStream& random);
    template <class Sample>
    void write_samples(Sample* out);
    bool wait_until_due(const std::stop_token& stop);
    void push_frame(std::int64_t tick);
    void describe(RecordHeader& header);

    SimulatorConfig config;
    BoardInfo board;
    std::uint16_t board_index;
    std::uint64_t max_triggers;
    std::uint64_t board_seed;  // noise and light of boards that see the same events differ
    double trace_ns;
    std::int64_t start_utc_ns;
    TickPlanner planner;
    NoiseTable noise;
    PolyaCharge polya;
    PulseShape spe_shape;
    PulseShape veto_shape;
    std::vector<ChannelModel> channels;
    std::vector<std::size_t> signals;  // positions in channels
    std::optional<std::size_t> veto;

    TickPlan now;  // of the record that next() described last
    std::int64_t next_tick = 0;
    std::int64_t framed_ticks = 0;  // frames made so far
    std::uint64_t delivered = 0;
    std::uint64_t frames_dropped = 0;
    std::vector<BeamFrame> frames;
    ClockUnwrapper unwrapper{kClockBits};

    // Pacing. The mutex guards nothing: a condition variable is how to wait for a time and for a stop at once.
    std::optional<std::chrono::steady_clock::time_point> started;
    std::mutex pace_mutex;
    std::condition_variable_any pace;
};

namespace {

double trace_length_ns(const BoardInfo& board) {
    if (board.samples == 0 || board.sample_period_ps <= 0) {
        throw UsageError{fmt::format("board {}: the simulator needs `samples` and `sample_period_ps`", board.name)};
    }
    return static_cast<double>(board.samples) * static_cast<double>(board.sample_period_ps) * 1e-3;
}

}  // namespace

Simulator::State::State(const SimulatorConfig& c, const BoardInfo& b, std::uint16_t index, std::uint64_t max)
    : config{c},
      board{b},
      board_index{index},
      max_triggers{max},
      board_seed{RandomStream{c.seed, index, kBoard}.bits()},
      trace_ns{trace_length_ns(b)},
      start_utc_ns{c.start_utc.value_or(utc_now()).time_since_epoch().count()},
      planner{c, trace_ns},
      noise{board_seed, c.noise_sigma_adc},
      polya{c.spe_theta},
      spe_shape{c.spe_rise_ns, c.spe_fall_ns, static_cast<double>(b.sample_period_ps) * 1e-3},
      veto_shape{c.veto_rise_ns, c.veto_fall_ns, static_cast<double>(b.sample_period_ps) * 1e-3} {
    if (board.clock_period_ps <= 0) throw UsageError{fmt::format("board {}: clock_period_ps must be positive", b.name)};
    if (board.model.empty()) board.model = "simulator";
    for (const ChannelInfo& channel : board.channels) {
        if (channel.code_map != "plain" && board.sample_type != SampleType::int8) {
            throw UsageError{
                fmt::format("board {}: channel {}: the codes of a PCI-5153 are int8", b.name, channel.name)};
        }
        const bool is_signal =
            std::find(c.signal_channels.begin(), c.signal_channels.end(), channel.name) != c.signal_channels.end();
        if (is_signal) signals.push_back(channels.size());
        if (!is_signal && channel.name == c.veto_channel) veto = channels.size();
        channels.emplace_back(board, channel, c, is_signal ? c.baseline_adc : c.veto_baseline_adc, noise);
    }
    if (signals.empty() && !veto) {
        throw UsageError{
            fmt::format("board {}: has none of simulator.signal_channels and not simulator.veto_channel", b.name)};
    }
    now.pulses.reserve(TickPlanner::kMaxPulses);
    frames.reserve(1024);
}

void Simulator::State::photoelectron(double time_ns, RandomStream& random) {
    const std::size_t which = signals.size() == 1 ? 0 : random.below(static_cast<std::uint32_t>(signals.size()));
    const double charge = now.spe_charge_adc * polya.draw(random);
    if (time_ns < trace_ns) spe_shape.add(channels[signals[which]].canvas(), time_ns, charge);
}

void Simulator::State::draw_scintillation(double onset_ns, std::uint32_t photoelectrons, double fast_ns,
                                          RandomStream& random) {
    const ScintillationTime light{fast_ns, config.scintillation_slow_ns, config.scintillation_slow_over_fast};
    for (std::uint32_t i = 0; i < photoelectrons; ++i) photoelectron(onset_ns + light.draw(random), random);
}

void Simulator::State::draw_afterglow(double onset_ns, std::uint32_t photoelectrons, RandomStream& random) {
    const double rate = config.big_pulse_afterglow_hz_per_pe * photoelectrons * 1e-9;  // [1/ns] at the onset
    if (rate <= 0) return;
    for (double t = random.exponential(1 / rate); onset_ns + t < trace_ns; t += random.exponential(1 / rate)) {
        const bool kept = random.uniform() * (1 + t / config.big_pulse_afterglow_time_ns) < 1;
        if (kept) photoelectron(onset_ns + t, random);
    }
}

void Simulator::State::draw_dark() {
    if (now.dark_rate_hz <= 0) return;
    RandomStream random{board_seed, now.tick, kDark};
    const double gap_ns = 1e9 / now.dark_rate_hz;
    for (double t = -spe_shape.length_ns() + random.exponential(gap_ns); t < trace_ns;
         t += random.exponential(gap_ns)) {
        photoelectron(t, random);
    }
}

void Simulator::State::draw_pulses() {
    RandomStream random{board_seed, now.tick, kLight};
    for (const PlannedPulse& pulse : now.pulses) {
        const std::uint32_t n = pulse.truth.photoelectrons;
        if (pulse.truth.kind == TruthKind::muon_veto) {
            if (!veto) continue;
            veto_shape.add(channels[*veto].canvas(), pulse.onset_ns, pulse.height_adc * veto_shape.charge_per_height());
        }
        if (signals.empty()) continue;
        switch (pulse.truth.kind) {
            case TruthKind::cevns_prompt:
            case TruthKind::cevns_delayed:
            case TruthKind::prompt_neutron:
                draw_scintillation(pulse.onset_ns, n, config.scintillation_fast_recoil_ns, random);
                break;
            case TruthKind::background:
                draw_scintillation(pulse.onset_ns, n, config.scintillation_fast_electron_ns, random);
                break;
            case TruthKind::big_pulse:
                draw_scintillation(pulse.onset_ns, n, config.scintillation_fast_electron_ns, random);
                draw_afterglow(pulse.onset_ns, n, random);
                break;
            case TruthKind::cherenkov:
                for (std::uint32_t i = 0; i < n; ++i) {
                    photoelectron(pulse.onset_ns + random.exponential(config.cherenkov_width_ns), random);
                }
                break;
            case TruthKind::gated:      // after the digitizer, see write_samples
            case TruthKind::muon_veto:  // done above
            case TruthKind::nuclear_recoil:
            case TruthKind::electron_recoil:
            case TruthKind::neutron:
            case TruthKind::gamma:
            case TruthKind::neutron_capture:
            case TruthKind::preamp_reset:
            case TruthKind::beam_pulse:  // of other detectors
                break;
        }
    }
}

template <class Sample>
void Simulator::State::write_samples(Sample* out) {
    if (!signals.empty()) draw_dark();
    draw_pulses();
    const double period_ns = static_cast<double>(board.sample_period_ps) * 1e-3;
    const double wander_per_block = NoiseTable::kBlock * period_ns / config.baseline_wander_period_ns;
    for (std::size_t c = 0; c < channels.size(); ++c) {
        const RandomStream random{board_seed, now.tick, kNoise + c};
        channels[c].begin(random, now.baseline_drift_adc, config.baseline_wander_adc, wander_per_block);
        channels[c].digitize(out + c * board.samples);
    }
    for (const PlannedPulse& pulse : now.pulses) {
        if (pulse.truth.kind != TruthKind::gated) continue;
        const auto sample_at = [&](double t) {
            return static_cast<std::size_t>(
                std::clamp(std::ceil(t / period_ns), 0.0, static_cast<double>(board.samples)));
        };
        const std::size_t begin = sample_at(pulse.onset_ns);
        const std::size_t end = sample_at(pulse.onset_ns + config.linear_gate_length_ns);
        for (const std::size_t c : signals) {
            channels[c].force_level(config.linear_gate_level_adc, begin, end, out + c * board.samples);
        }
    }
}

bool Simulator::State::wait_until_due(const std::stop_token& stop) {
    using namespace std::chrono;
    if (!started) started = steady_clock::now();
    const auto due = *started + duration_cast<steady_clock::duration>(Picoseconds{planner.time_ps(next_tick)});
    if (steady_clock::now() >= due) return true;
    std::unique_lock lock{pace_mutex};
    (void)pace.wait_until(lock, stop, std::min(due, steady_clock::now() + milliseconds{100}), [] { return false; });
    return steady_clock::now() >= due;
}

void Simulator::State::push_frame(std::int64_t tick) {
    framed_ticks = tick + 1;
    if (board_index != 0) return;
    if (frames.size() >= kFramesKept) {
        ++frames_dropped;
    } else {
        frames.push_back(planner.frame(tick, start_utc_ns));
    }
}

void Simulator::State::describe(RecordHeader& header) {
    header = RecordHeader{};
    const std::int64_t clock = config.clock_start_ticks + now.time_ps / board.clock_period_ps;
    header.counter = static_cast<std::uint64_t>(now.tick);
    header.clock = static_cast<std::uint64_t>(clock) & ((std::uint64_t{1} << kClockBits) - 1);
    header.time_ps = static_cast<std::int64_t>(unwrapper.unwrap(header.clock).ticks) * board.clock_period_ps;
    header.utc_ns = start_utc_ns + now.time_ps / 1000;
    header.channels = static_cast<std::uint16_t>(channels.size());
    header.channel_mask = channels.size() == 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << channels.size()) - 1;
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
        if (s.config.pacing == Pacing::realtime && !s.wait_until_due(stop)) return Next::idle;
        s.planner.plan(s.next_tick, s.now);
        s.push_frame(s.next_tick++);
    } while (s.now.missed);
    ++s.delivered;
    s.describe(header);
    return Next::record;
}

void Simulator::fill(std::span<std::byte> payload) {
    State& s = *state_;
    with_sample_type(s.board.sample_type,
                     [&]<class Sample>(Sample) { s.write_samples(reinterpret_cast<Sample*>(payload.data())); });
    const std::size_t samples = s.channels.size() * s.board.samples * bytes_per_sample(s.board.sample_type);
    const std::size_t padded = (samples + 3) / 4 * 4;
    std::memset(payload.data() + samples, 0, padded - samples);
    std::byte* to = payload.data() + padded;
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

TickPlan Simulator::plan(std::int64_t tick) const {
    TickPlan plan;
    plan.pulses.reserve(TickPlanner::kMaxPulses);
    state_->planner.plan(tick, plan);
    return plan;
}

}  // namespace alleycat
