#include "trigger/trigger_stage.hpp"

#include <algorithm>
#include <limits>
#include <optional>

#include "trigger/cuts.hpp"
#include "trigger/record_channel.hpp"
#include "trigger/samples.hpp"
#include "trigger/shape.hpp"

namespace alleycat {
namespace {

FeatureSettings feature_settings(const TriggerConfig& config) {
    return {.peaks = config.peaks,
            .baseline_samples = config.baseline_samples,
            .baseline_band_adc = config.baseline_band_adc,
            .local_baseline_samples = config.local_baseline_samples,
            .local_baseline_band_adc = config.local_baseline_band_adc,
            .sample_period_ps = config.sample_period_ps};
}

/// Start of the first peak's integration at or after the region's start; nullopt when no peak starts in the region. Of
/// a hit the first peak decides: what follows is its afterglow.
std::optional<std::int64_t> find_arrival(std::span<const Peak> peaks, const WindowInfo& window, std::int32_t margin,
                                         bool of_hit) noexcept {
    const auto first = first_from(peaks, window.roi_start + margin);
    if (first == peaks.end() || (of_hit && first != peaks.begin())) return std::nullopt;
    if (first->onset >= window.roi_end) return std::nullopt;
    return first->onset - margin;
}

/// A trace with one of these says nothing about single photoelectrons.
constexpr std::uint32_t kSpoilsSinglePeaks =
    trigger_flag::overflow | trigger_flag::muon_veto | trigger_flag::linear_gate | trigger_flag::missing_channel |
    trigger_flag::short_trace | trigger_flag::low_gain | trigger_flag::preamp_reset;

}  // namespace

TriggerStage::TriggerStage(TriggerConfig config, const std::vector<BoardInfo>& boards, Kernels kernels)
    : config_{std::move(config)},
      trace_{0, kernels},
      features_{config_.features, feature_settings(config_), boards, kernels} {
    windows_ = config_.windows;
    std::size_t longest = 65'536;
    for (const BoardInfo& board : boards) longest = std::max<std::size_t>(longest, board.samples);
    make_room(longest);
    summed_.reserve(config_.summed_channels.size());
    if (config_.signal.present) signal_channel_ = boards.at(config_.signal.board).channels.at(config_.signal.channel);
    for (const Detector& detector : config_.detectors) {
        const auto info = [&](const ChannelRef& ref) {
            return ref.present ? boards.at(ref.board).channels.at(ref.channel) : ChannelInfo{};
        };
        detector_channels_.push_back({info(detector.channel), info(detector.low_gain)});
    }
    if (config_.beam_monitor) beam_pulses_.emplace(*config_.beam_monitor, boards, kernels);
    if (config_.veto.present) veto_channel_ = boards.at(config_.veto.board).channels.at(config_.veto.channel);
}

void TriggerStage::make_room(std::size_t samples) {
    room_ = samples;
    trace_.make_room(samples);
    if (!config_.summed_channels.empty()) sum_.make_room(samples);
    features_.make_room(samples);
    peaks_.reserve(most_peaks(samples, config_.peaks));
    veto_peaks_.reserve(most_peaks(samples, config_.veto_peaks));
}

/// The windows move with the tick, which stands `since_tick_ps` before tick_sample: a window holds the samples whose
/// time after the tick lies in it.
void TriggerStage::place_windows(std::int64_t since_tick_ps) noexcept {
    const std::int64_t earlier = whole_samples(since_tick_ps, config_.sample_period_ps);
    part_of_sample_ps_ = since_tick_ps - earlier * config_.sample_period_ps;
    for (std::size_t w = 0; w < windows_.size(); ++w) {
        windows_[w].pretrace_start = config_.windows[w].pretrace_start - earlier;
        windows_[w].roi_start = config_.windows[w].roi_start - earlier;
        windows_[w].roi_end = config_.windows[w].roi_end - earlier;
    }
}

/// A trigger without signal or tick is in no window.
void TriggerStage::leave_windows_out(Event& event, std::uint32_t because) const noexcept {
    for (std::size_t w = 0; w < event.window_count; ++w) {
        event.window[w].set(Feature::arrival_sample, -1);
        event.window[w].set(Feature::arrival_ns, std::numeric_limits<double>::quiet_NaN());
        features_.measure_nothing(event.window[w]);
        event.window[w].cuts = because | failed_cuts(config_.cuts, event.window[w], event.flags, false);
    }
}

void TriggerStage::process(const Trigger& trigger, double spe_charge_adc, Event& event) {
    event = Event{};
    event.sequence = trigger.sequence;
    event.time_ps = trigger.time_ps;
    event.utc_ns = trigger.utc_ns;
    event.trigger_class = trigger.trigger_class;
    event.flags = trigger.tick_flags;
    event.tick = trigger.tick;
    event.since_tick_ps = trigger.since_tick_ps;
    event.window_count = static_cast<std::uint8_t>(config_.windows.size());
    event.feature_count = static_cast<std::uint8_t>(kCoreFeatures + features_.count());
    event.spe_charge_adc = spe_charge_adc;
    peaks_.clear();

    if (trigger.missing_boards != 0) event.flags |= trigger_flag::missing_board;
    for (const RecordView& record : trigger.records()) {
        if ((record.header().flags & record_flag::clock_backwards) != 0) event.flags |= trigger_flag::clock_backwards;
    }

    if (beam_pulses_ && beam_pulses_->sees_pulse(trigger)) event.flags |= trigger_flag::beam_pulse;

    if (!config_.detectors.empty()) {
        measure_detector(trigger, event);
        return;
    }
    const RecordView* const signal = trigger.of_board(config_.signal.board);
    const std::size_t position = signal == nullptr ? kMaxChannels : find_signal(signal->header());
    if (position == kMaxChannels) {
        event.flags |= trigger_flag::missing_channel;
        leave_windows_out(event, kCutNoPeak);
        return;
    }
    // The veto first: it uses the same scratch as the signal, whose heights and peaks stay for the scope.
    if (config_.veto.present) {
        const RecordView* const veto = trigger.of_board(config_.veto.board);
        const std::size_t at = veto == nullptr ? kMaxChannels : position_of(veto->header(), config_.veto.channel);
        if (at == kMaxChannels) {
            event.flags |= trigger_flag::missing_veto;
        } else if (has_veto_peak(*veto, at)) {
            event.flags |= trigger_flag::muon_veto;
        }
    }
    features_.open(trigger);
    place_windows(trigger.since_tick_ps);
    open_signal(*signal, position);
    measure_signal(event);
}

/// The detector that was hit, in the channel of the higher gain that does not overflow.
void TriggerStage::measure_detector(const Trigger& trigger, Event& event) {
    const FoundDetector found = find_detector(trigger, config_.detectors);
    if (found.record == nullptr) {
        event.flags |= trigger_flag::missing_channel;
        leave_windows_out(event, kCutNoPeak);
        return;
    }
    const Detector& detector = config_.detectors[found.index];
    const DetectorChannels& channels = detector_channels_[found.index];
    event.detector = found.index;
    if (found.several) event.flags |= trigger_flag::several_detectors;
    features_.open(trigger);
    place_windows(trigger.since_tick_ps);
    gain_ = 1;
    open(*found.record, found.position, channels.channel);
    if (signal_overflows() && found.low_gain_position != kMaxChannels) {
        event.flags |= trigger_flag::low_gain;
        gain_ = detector.low_gain_ratio;
        open(*found.record, found.low_gain_position, channels.low_gain);
    }
    measure_signal(event);
}

std::size_t TriggerStage::find_signal(const RecordHeader& header) noexcept {
    summed_.clear();
    for (const std::uint16_t channel : config_.summed_channels) {
        summed_.push_back(position_of(header, channel));
        if (summed_.back() == kMaxChannels) return kMaxChannels;
    }
    return position_of(header, config_.signal.channel);
}

void TriggerStage::open(const RecordView& record, std::size_t position, const ChannelInfo& channel) {
    if (record.header().samples_per_channel > room_) make_room(record.header().samples_per_channel);
    trace_.open(record, position, channel);
}

bool TriggerStage::has_veto_peak(const RecordView& record, std::size_t position) {
    open(record, position, veto_channel_);
    if (trace_.samples() < config_.baseline_samples) return false;
    (void)trace_.take_baseline(config_.baseline_samples, config_.baseline_band_adc);
    veto_peaks_.clear();
    trace_.find_peaks(config_.veto_peaks, veto_peaks_);
    return !veto_peaks_.empty();
}

void TriggerStage::open_signal(const RecordView& record, std::size_t position) {
    if (summed_.empty()) {
        open(record, position, signal_channel_);
    } else {
        open(sum_.add(record, summed_, config_.overflow_low_code, config_.overflow_high_code), 0, signal_channel_);
    }
}

bool TriggerStage::signal_overflows() noexcept {
    return summed_.empty() ? trace_.overflows(config_.overflow_low_code, config_.overflow_high_code) : sum_.overflows();
}

/// What is open.
void TriggerStage::measure_signal(Event& event) {
    const bool long_enough = trace_.samples() >= config_.baseline_samples;
    if (long_enough) {
        const Baseline baseline = trace_.take_baseline(config_.baseline_samples, config_.baseline_band_adc);
        event.baseline_median_adc = baseline.median;
        event.baseline_mean_adc = baseline.mean;
        event.baseline_sigma_adc = baseline.sigma;
        if (config_.linear_gate && trace_.gate_closed(*config_.linear_gate)) event.flags |= trigger_flag::linear_gate;
        if (config_.reset &&
            has_drop(trace_.heights(0, trace_.samples()), config_.reset->min_drop_adc, config_.reset->within_samples)) {
            event.flags |= trigger_flag::preamp_reset;
        }
        trace_.find_peaks(config_.peaks, peaks_);
        for (const WindowInfo& window : windows_) {
            if (!is_inside(window)) event.flags |= trigger_flag::short_trace;
        }
    }
    if (signal_overflows())
        event.flags |= trigger_flag::overflow;  // now that the search for peaks has seen all samples
    if (!long_enough) {
        event.flags |= trigger_flag::short_trace;
        trace_.close();  // no baseline, so no heights: every window is outside
    }
    if ((event.flags & trigger_flag::no_tick) != 0) {
        leave_windows_out(event, kCutDoesNotFit);
        return;
    }
    for (std::size_t w = 0; w < windows_.size(); ++w) measure_window(windows_[w], event, event.window[w]);
}

/// The integration ends within the region; that of a hit, whose region says only when it came, within the trace.
bool TriggerStage::holds(const WindowInfo& window, std::int64_t arrival) const noexcept {
    if (!config_.self_triggered) return arrival >= 0 && arrival < window.roi_end - window.integration;
    return arrival >= 0 && arrival + window.integration <= trace_.samples();
}

void TriggerStage::measure_single_peaks(const Event& event, PeakCharges& charges) noexcept {
    charges.count = 0;
    charges.detector = event.detector;
    if ((event.flags & kSpoilsSinglePeaks) != 0) return;
    add_single_peaks(trace_, peaks_,
                     {.margin_samples = config_.peaks.margin_samples,
                      .baseline_samples = config_.calibration.baseline_samples,
                      .baseline_band_adc = config_.local_baseline_band_adc},
                     charges);
}

void TriggerStage::measure_window(const WindowInfo& window, Event& event, WindowEvent& result) {
    const bool inside = is_inside(window);
    const std::optional<std::int64_t> first =
        inside ? find_arrival(peaks_, window, config_.peaks.margin_samples, config_.self_triggered) : std::nullopt;
    const std::int64_t arrival = first.value_or(-1);
    const bool fits = first && holds(window, arrival);

    result.set(Feature::pretrace_peaks,
               static_cast<double>(count_onsets(peaks_, window.pretrace_start, window.roi_start)));
    result.set(Feature::roi_peaks, static_cast<double>(count_onsets(peaks_, window.roi_start, window.roi_end)));
    result.set(Feature::arrival_sample, fits ? static_cast<double>(arrival) : -1.0);
    result.set(Feature::arrival_ns, std::numeric_limits<double>::quiet_NaN());
    if (fits) {
        const double period_ns = static_cast<double>(config_.sample_period_ps) / 1000.0;
        const double local =
            trace_.local_baseline(arrival, config_.local_baseline_samples, config_.local_baseline_band_adc);
        const auto [global, charge] = trace_.charges(peaks_, config_.peaks, arrival, window.integration, local);
        result.set(Feature::window_peaks,
                   static_cast<double>(count_onsets(peaks_, arrival, arrival + window.integration)));
        result.set(Feature::arrival_ns, static_cast<double>(arrival - window.roi_start) * period_ns +
                                            static_cast<double>(part_of_sample_ps_) / 1000.0);
        result.set(Feature::charge_adc, gain_ * charge.charge);
        result.set(Feature::charge_global_adc, gain_ * global.charge);
        result.set(Feature::charge_pe, gain_ * charge.charge / event.spe_charge_adc);
        result.set(Feature::t10_ns, charge.t10 * period_ns);
        result.set(Feature::t50_ns, charge.t50 * period_ns);
        result.set(Feature::t90_ns, charge.t90 * period_ns);
        result.set(Feature::t10_global_ns, global.t10 * period_ns);
        result.set(Feature::t50_global_ns, global.t50 * period_ns);
        result.set(Feature::t90_global_ns, global.t90 * period_ns);
        result.set(Feature::rise_10_90_ns, (charge.t90 - charge.t10) * period_ns);
    } else {
        result.cuts = first || !inside ? kCutDoesNotFit : kCutNoPeak;
    }
    features_.measure(window, fits ? arrival : -1, trace_, peaks_, gain_, result);
    result.cuts |= failed_cuts(config_.cuts, result, event.flags, fits);
}

}  // namespace alleycat
