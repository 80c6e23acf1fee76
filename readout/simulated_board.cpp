#include "readout/simulated_board.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numbers>

#include "daq/core/code_map.hpp"
#include "daq/core/error.hpp"

namespace alleycat {
namespace {

enum Purpose : std::uint64_t { kBoard = 100, kNoise = 103 };  // one of noise per input, from kNoise on

template <class Sample>
void look_up(std::span<const std::int16_t> codes, const std::uint8_t* noise, Sample* out, std::size_t n) noexcept {
    for (std::size_t i = 0; i < n; ++i) out[i] = static_cast<Sample>(codes[noise[i]]);
}

}  // namespace

Digitizer::Digitizer(SampleType type, const ChannelInfo& channel, int adc_bits) {
    const int type_bits = static_cast<int>(bytes_per_sample(type)) * 8;
    const int bits = adc_bits == 0 ? type_bits : std::min(adc_bits, type_bits);
    const bool is_signed = type == SampleType::int8 || type == SampleType::int16;
    low_ = is_signed ? -(1 << (bits - 1)) : 0;
    high_ = low_ + (1 << bits) - 1;
    if (const CodeTable* const table = code_table(channel.code_map); table != nullptr) {
        for (int counts = -128; counts <= 127; ++counts) holes_.push_back(code_for(*table, counts));
    }
}

std::int32_t Digitizer::code(double level) const noexcept {
    const auto counts = static_cast<int>(std::floor(std::clamp<double>(level, low_, high_) + 0.5));
    const int clipped = std::clamp(counts, low_, high_);
    return holes_.empty() ? clipped : holes_[static_cast<std::size_t>(clipped + 128)];
}

SimulatedInput::SimulatedInput(const BoardInfo& board, const ChannelInfo& channel, const SimulatorConfig& config,
                               double baseline_adc, const NoiseTable& noise)
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

int SimulatedInput::step_of(double level) const noexcept {
    return static_cast<int>(std::lround(level * noise_->steps_per_adc()));
}

SimulatedInput::Codes SimulatedInput::codes_at(double level) const noexcept {
    Codes codes{};
    for (std::size_t q = 0; q < codes.size(); ++q) {
        const double noise = noise_->height_adc(static_cast<std::uint8_t>(q));
        codes[q] = static_cast<std::int16_t>(digitizer_.code(level + noise));
    }
    return codes;
}

void SimulatedInput::begin(RandomStream random, double drift_adc, double wander_adc, double wander_per_block) noexcept {
    const double phase = random.uniform();
    for (std::size_t b = 0; b < blocks_.size(); ++b) {
        const double turn = phase + wander_per_block * static_cast<double>(b);
        const double level = baseline_adc_ + drift_adc + wander_adc * std::sin(2 * std::numbers::pi * turn);
        blocks_[b] = {noise_->block(random).data(), step_of(level)};
    }
}

template <class Sample>
void SimulatedInput::digitize(Sample* out) noexcept {
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
    if (forced_.begin < forced_.end) {
        const Codes codes = codes_at(forced_.level_adc);
        for (std::size_t i = forced_.begin; i < forced_.end; ++i) {
            out[i] = static_cast<Sample>(codes[blocks_[i / NoiseTable::kBlock].noise[i % NoiseTable::kBlock]]);
        }
    }
    forced_ = {};
}

template <class Sample>
void SimulatedInput::draw_segment(std::size_t s, Sample* out) noexcept {
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

SimulatedBoard::SimulatedBoard(const SimulatorConfig& config, const BoardInfo& board, std::uint16_t board_index)
    : seed_{RandomStream{config.seed, board_index, kBoard}.bits()},
      samples_{board.samples},
      sample_period_ns_{static_cast<double>(board.sample_period_ps) * 1e-3},
      wander_adc_{config.baseline_wander_adc},
      wander_per_block_{NoiseTable::kBlock * sample_period_ns_ / config.baseline_wander_period_ns},
      noise_{seed_, config.noise_sigma_adc} {
    if (board.samples == 0 || board.sample_period_ps <= 0) {
        throw UsageError{fmt::format("board {}: the simulator needs `samples` and `sample_period_ps`", board.name)};
    }
    inputs_.reserve(board.channels.size());  // pointers into it are kept
    for (const ChannelInfo& channel : board.channels) {
        if (channel.code_map != "plain" && board.sample_type != SampleType::int8) {
            throw UsageError{
                fmt::format("board {}: channel {}: the codes of a PCI-5153 are int8", board.name, channel.name)};
        }
        names_.push_back(channel.name);
        const auto& names = config.signal_channels;
        const bool is_signal = std::find(names.begin(), names.end(), channel.name) != names.end();
        SimulatedInput& input = inputs_.emplace_back(
            board, channel, config, is_signal ? config.baseline_adc : config.veto_baseline_adc, noise_);
        if (is_signal) {
            signals_.push_back(&input);
        } else if (channel.name == config.veto_channel) {
            veto_ = &input;
        }
    }
    if (signals_.empty() && veto_ == nullptr) {
        throw UsageError{
            fmt::format("board {}: has none of simulator.signal_channels and not simulator.veto_channel", board.name)};
    }
}

SimulatedInput* SimulatedBoard::input(std::string_view name) noexcept {
    const auto found = std::find(names_.begin(), names_.end(), name);
    return found == names_.end() ? nullptr : &inputs_[static_cast<std::size_t>(found - names_.begin())];
}

void SimulatedBoard::digitize(const TickPlan& plan, SampleType type, std::byte* out) noexcept {
    for (std::size_t c = 0; c < inputs_.size(); ++c) {
        inputs_[c].begin(RandomStream{seed_, plan.stream, kNoise + c}, plan.baseline_drift_adc, wander_adc_,
                         wander_per_block_);
        with_sample_type(
            type, [&]<class Sample>(Sample) { inputs_[c].digitize(reinterpret_cast<Sample*>(out) + c * samples_); });
    }
}

Photomultipliers::Photomultipliers(const SimulatorConfig& config, SimulatedBoard& board)
    : board_{&board},
      polya_{config.spe_theta},
      shape_{config.spe_rise_ns, config.spe_fall_ns, board.sample_period_ns()} {}

void Photomultipliers::photoelectron(double time_ns, double mean_charge_adc, RandomStream& random) noexcept {
    const std::span<SimulatedInput* const> tubes = board_->signals();
    if (tubes.empty()) return;
    const std::size_t which = tubes.size() == 1 ? 0 : random.below(static_cast<std::uint32_t>(tubes.size()));
    const double charge = mean_charge_adc * polya_.draw(random);
    if (time_ns < board_->trace_ns()) shape_.add(tubes[which]->canvas(), time_ns, charge);
}

void Photomultipliers::dark(double rate_hz, double mean_charge_adc, RandomStream random) noexcept {
    if (rate_hz <= 0) return;
    const double gap_ns = 1e9 / rate_hz;
    for (double t = -shape_.length_ns() + random.exponential(gap_ns); t < board_->trace_ns();
         t += random.exponential(gap_ns)) {
        photoelectron(t, mean_charge_adc, random);
    }
}

}  // namespace alleycat
