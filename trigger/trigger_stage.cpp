#include "trigger/trigger_stage.hpp"

#include <algorithm>
#include <limits>

#include "trigger/cuts.hpp"
#include "trigger/record_channel.hpp"
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

/// Start of the first peak's integration at or after the region's start; -1 when no peak starts in the region.
std::int64_t find_arrival(std::span<const Peak> peaks, const WindowInfo& window, std::int32_t margin) noexcept {
    const auto first = std::lower_bound(peaks.begin(), peaks.end(), window.roi_start + margin,
                                        [](const Peak& peak, std::int64_t sample) { return peak.onset < sample; });
    if (first == peaks.end() || first->onset >= window.roi_end) return -1;
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
    std::size_t longest = 65'536;
    for (const BoardInfo& board : boards) longest = std::max<std::size_t>(longest, board.samples);
    make_room(longest);
    summed_.reserve(config_.summed_channels.size());
    if (config_.signal.present) signal_channel_ = boards.at(config_.signal.board).channels.at(config_.signal.channel);
    if (config_.veto.present) veto_channel_ = boards.at(config_.veto.board).channels.at(config_.veto.channel);
}

void TriggerStage::make_room(std::size_t samples) {
    room_ = samples;
    trace_.make_room(samples);
    if (!config_.summed_channels.empty()) sum_.make_room(samples);
    features_.make_room(samples);
    peaks_.reserve(samples / static_cast<std::size_t>(config_.peaks.min_samples + 1) + 1);
    veto_peaks_.reserve(samples / static_cast<std::size_t>(config_.veto_peaks.min_samples + 1) + 1);
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

    const RecordView* const signal = trigger.of_board(config_.signal.board);
    const std::size_t position = signal == nullptr ? kMaxChannels : find_signal(signal->header());
    if (position == kMaxChannels) {
        event.flags |= trigger_flag::missing_channel;
        for (std::size_t w = 0; w < event.window_count; ++w) {
            event.window[w].set(Feature::arrival_sample, -1);
            event.window[w].set(Feature::arrival_ns, std::numeric_limits<double>::quiet_NaN());
            features_.measure_nothing(event.window[w]);
            event.window[w].cuts = kCutNoPeak | failed_cuts(config_.cuts, event.window[w], event.flags, false);
        }
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
    measure_signal(*signal, position, event);
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
    return summed_.empty() ? trace_.overflows(config_.overflow_low_code, config_.overflow_high_code)
                           : sum_.overflows();
}

void TriggerStage::measure_signal(const RecordView& record, std::size_t position, Event& event) {
    open_signal(record, position);
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
        for (const WindowInfo& window : config_.windows) {
            if (window.roi_end > trace_.samples()) event.flags |= trigger_flag::short_trace;
        }
    }
    if (signal_overflows()) event.flags |= trigger_flag::overflow;  // now that the search for peaks has seen all samples
    if (!long_enough) {
        event.flags |= trigger_flag::short_trace;
        trace_.close();  // no baseline, so no heights: every window is outside
    }
    for (std::size_t w = 0; w < config_.windows.size(); ++w) measure_window(config_.windows[w], event, event.window[w]);
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
    const bool inside = window.roi_end <= trace_.samples();
    const std::int64_t arrival = inside ? find_arrival(peaks_, window, config_.peaks.margin_samples) : -1;
    const bool fits = arrival >= 0 && arrival < window.roi_end - window.integration;

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
        result.set(Feature::arrival_ns, static_cast<double>(arrival - window.roi_start) * period_ns);
        result.set(Feature::charge_adc, charge.charge);
        result.set(Feature::charge_global_adc, global.charge);
        result.set(Feature::charge_pe, charge.charge / event.spe_charge_adc);
        result.set(Feature::t10_ns, charge.t10 * period_ns);
        result.set(Feature::t50_ns, charge.t50 * period_ns);
        result.set(Feature::t90_ns, charge.t90 * period_ns);
        result.set(Feature::t10_global_ns, global.t10 * period_ns);
        result.set(Feature::t50_global_ns, global.t50 * period_ns);
        result.set(Feature::t90_global_ns, global.t90 * period_ns);
        result.set(Feature::rise_10_90_ns, (charge.t90 - charge.t10) * period_ns);
    } else {
        result.cuts = arrival >= 0 || !inside ? kCutDoesNotFit : kCutNoPeak;
    }
    features_.measure(window, fits ? arrival : -1, trace_, peaks_, 1, result);
    result.cuts |= failed_cuts(config_.cuts, result, event.flags, fits);
}

}  // namespace alleycat
