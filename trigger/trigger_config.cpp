#include "trigger/trigger_config.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "trigger/codes.hpp"
#include "trigger/feature_config.hpp"
#include "trigger/signal_sum.hpp"

namespace alleycat {
namespace {

constexpr double kLongest_ns = 1e12;

PeakFinding parse_peaks(ConfigSection section, const PeakFinding& fallback) {
    PeakFinding peaks;
    peaks.threshold_adc =
        static_cast<std::int32_t>(section.integer("threshold_adc", fallback.threshold_adc, 1, 65'535));
    peaks.min_samples = static_cast<std::int32_t>(section.integer("min_samples", fallback.min_samples, 1, 10'000));
    peaks.margin_samples =
        static_cast<std::int32_t>(section.integer("margin_samples", fallback.margin_samples, 0, 10'000));
    peaks.close_at_trace_end = section.boolean("close_at_trace_end", fallback.close_at_trace_end);
    section.finish();
    return peaks;
}

/// One range of a cut: feature, min, max, below. Adds to `meaning` what files and screens say of it.
std::optional<CutRange> parse_range(ConfigSection& section, const TriggerConfig& config, std::string& meaning) {
    const std::string name = section.text("feature", "");
    const std::optional<std::size_t> feature = find_feature(config, name);
    constexpr double infinity = std::numeric_limits<double>::infinity();
    CutRange range;
    range.min = section.number("min", -infinity, -1e15, 1e15);
    range.max = section.number("max", infinity, -1e15, 1e15);
    const std::string below = section.text("below", "");
    if (!feature) {
        section.problem("feature", fmt::format("'{}' is not a feature: {}", name, feature_names(config)));
        return std::nullopt;
    }
    range.feature = *feature;
    if (!below.empty()) {
        range.below_feature = find_feature(config, below);
        if (!range.below_feature) {
            section.problem("below", fmt::format("'{}' is not a feature: {}", below, feature_names(config)));
        } else if (range.below_feature == range.feature) {
            section.problem("below", fmt::format("'{}' is never below itself: the cut would remove everything", below));
        }
    }
    if (range.min > range.max) section.problem("min", fmt::format("{} is above max {}", range.min, range.max));
    if (!section.has("min") && !section.has("max") && below.empty()) {
        section.problem("feature", "the cut has neither min, max nor below: it would remove nothing");
    }
    if (!meaning.empty()) meaning += " or ";
    if (section.has("min")) meaning += fmt::format("{} <= ", range.min);
    meaning += name;
    if (section.has("max")) meaning += fmt::format(" <= {}", range.max);
    if (!below.empty()) meaning += " < " + below;
    return range;
}

Cut parse_cut(ConfigSection& section, const TriggerConfig& config) {
    Cut cut;
    cut.name = required_name(section);
    const std::string flag = section.text("flag", "");
    std::string ranges;
    bool without_arrival = true;
    if (!flag.empty()) {
        const auto known = std::find(kTriggerFlagNames.begin(), kTriggerFlagNames.end(), flag);
        if (known == kTriggerFlagNames.end()) {
            section.problem("flag", fmt::format("'{}' is not a flag: {}", flag, fmt::join(kTriggerFlagNames, ", ")));
        } else {
            cut.forbidden_flags = 1u << (known - kTriggerFlagNames.begin());
            // A veto that was not recorded is not a veto that was silent.
            if (cut.forbidden_flags == trigger_flag::muon_veto) cut.forbidden_flags |= trigger_flag::missing_veto;
        }
    }
    const auto add = [&](ConfigSection& range_section) {
        if (const std::optional<CutRange> range = parse_range(range_section, config, ranges)) {
            cut.any_of.push_back(*range);
            without_arrival = without_arrival && !feature_needs_arrival(config, range->feature);
        }
    };
    if (section.has("feature")) add(section);
    std::vector<ConfigSection> alternatives = section.sections("any");
    for (ConfigSection& alternative : alternatives) {
        add(alternative);
        alternative.finish();
    }
    if (flag.empty() && !section.has("feature") && alternatives.empty()) {
        section.problem("name", "the cut names neither a flag nor a feature");
    }
    cut.needs_arrival = !without_arrival;
    cut.meaning = flag.empty() ? ranges : ranges.empty() ? "not " + flag : fmt::format("not {} and ({})", flag, ranges);
    section.finish();
    return cut;
}

class TriggerParser {
  public:
    TriggerParser(ConfigSection section, const Station& station) : section_{std::move(section)}, station_{station} {}

    TriggerConfig parse() {
        config_.self_triggered = station_.self_triggered();
        config_.spe_charge_adc = section_.number("spe_charge_adc", 70, 1e-6, 1e9);
        config_.detectors = parse_detectors(section_, station_, config_.spe_charge_adc);
        if (config_.detectors.empty()) {
            parse_signal();
        } else {
            use_detectors();
        }
        const std::string veto = section_.text("veto", "");
        if (!veto.empty()) config_.veto = station_.find_channel(veto, section_, "veto");
        if (config_.self_triggered && section_.has("veto")) {
            section_.problem("veto", "a hit holds no channel but its own: boards that trigger themselves have no veto");
        }
        check_veto();
        if (config_.signal.present) {
            const BoardInfo& board = station_.boards[config_.signal.board];
            config_.sample_period_ps = board.sample_period_ps;
            trace_samples_ = board.samples;
            set_code_range(board.sample_type);
            check_sum(board);
        }
        config_.tick_sample = samples("tick_position_ns", 0, 0);
        config_.baseline_samples = samples("baseline_ns", 40'000, 1);
        config_.baseline_band_adc = static_cast<std::int32_t>(section_.integer("baseline_band_adc", 5, 1, 65'535));
        parse_charge_unit();
        if (config_.self_triggered && trace_samples_ != 0 && config_.tick_sample >= trace_samples_) {
            section_.problem("tick_position_ns", "the hit's time stamp lies behind the trace");
        }
        config_.peaks = parse_peaks(section_.section("peaks"), config_.peaks);
        config_.veto_peaks = parse_peaks(section_.section("veto_peaks"), config_.veto_peaks);
        parse_linear_gate();
        parse_local_baseline();
        parse_spe_calibration();
        parse_reset();
        parse_windows();
        parse_features(section_, station_, trace_samples_, config_);
        for (ConfigSection& cut : section_.sections("cut")) {
            Cut parsed = parse_cut(cut, config_);
            const auto same = [&](const CutInfo& other) { return other.name == parsed.name; };
            const std::vector<CutInfo> before = cut_infos(config_);
            if (std::any_of(before.begin(), before.end(), same)) cut.problem("name", "two cuts have this name");
            config_.cuts.push_back(std::move(parsed));
        }
        if (config_.cuts.size() + kFixedCuts > kMaxCuts) section_.problem("cut", "there are more than 30 cuts");
        if (trace_samples_ != 0 && config_.baseline_samples > trace_samples_) {
            section_.problem("baseline_ns", "the baseline region is longer than the trace");
        }
        section_.finish();
        return std::move(config_);
    }

  private:
    /// A time in ns as whole samples of the signal channel.
    std::int64_t samples(ConfigSection& section, std::string_view key, double fallback_ns, std::int64_t at_least,
                         double min_ns) {
        return parse_samples(section, key, fallback_ns, at_least, min_ns, config_.sample_period_ps);
    }
    std::int64_t samples(std::string_view key, double fallback_ns, std::int64_t at_least) {
        return samples(section_, key, fallback_ns, at_least, 0);
    }

    /// The first one stands for all where samples and codes are concerned.
    void use_detectors() {
        config_.signal = config_.detectors.front().channel;
        if (section_.has("signal")) {
            section_.problem("signal", "there are detectors: each names its own channel");
            section_.leave_to_others("signal");
        }
        if (!config_.self_triggered) {
            section_.problem("detector", "of a board that is triggered from outside there is one signal");
        }
    }

    void check_veto() {
        const std::vector<std::uint16_t>& summed = config_.summed_channels;
        const bool in_sum = config_.veto.board == config_.signal.board &&
                            std::find(summed.begin(), summed.end(), config_.veto.channel) != summed.end();
        if (config_.veto.present && (config_.veto == config_.signal || in_sum)) {
            section_.problem("veto", "is the signal: every pulse would be a muon");
        }
    }

    /// One channel, or several of one board that add up.
    void parse_signal() {
        const std::vector<std::string> names = section_.text_list("signal", {});
        if (names.empty()) section_.problem("signal", "is missing: the name of the signal channel");
        for (const std::string& name : names) {
            const ChannelRef channel = station_.find_channel(name, section_, "signal");
            if (!channel.present) continue;
            if (!config_.signal.present) config_.signal = channel;
            if (names.size() == 1) continue;
            const std::vector<std::uint16_t>& before = config_.summed_channels;
            if (channel.board != config_.signal.board) {
                section_.problem("signal", "'" + name + "' is on another board: only channels of one board add up");
            } else if (std::find(before.begin(), before.end(), channel.channel) != before.end()) {
                section_.problem("signal", "'" + name + "' stands there twice");
            } else {
                config_.summed_channels.push_back(channel.channel);
            }
        }
    }

    /// Channels that add up must be alike, and their sum must fit 16 bits.
    void check_sum(const BoardInfo& board) {
        const ChannelInfo& first = board.channels[config_.signal.channel];
        for (const std::uint16_t index : config_.summed_channels) {
            const ChannelInfo& channel = board.channels[index];
            if (channel.negative_pulses != first.negative_pulses || channel.code_map != "plain") {
                section_.problem("signal", "channels that add up need the same polarity, and plain codes");
                return;
            }
        }
        const std::size_t n = config_.summed_channels.size();
        if (!sum_fits(board.sample_type, n, config_.overflow_low_code, config_.overflow_high_code)) {
            section_.problem("signal", fmt::format("the sum of {} channels does not fit 16 bits: overflow_low_code and "
                                                   "overflow_high_code must say what the ADC's codes are",
                                                   n));
        }
    }

    void parse_reset() {
        ConfigSection reset = section_.section("reset");
        if (!reset.present()) return;
        PreampReset values;
        values.min_drop_adc = static_cast<std::int32_t>(reset.required_integer("min_drop_adc", 1, 65'535));
        values.within_samples = samples(reset, "within_ns", 1'000, 1, 0);
        if (trace_samples_ != 0 && values.within_samples >= trace_samples_) {
            reset.problem("within_ns", "is longer than the trace");
        }
        reset.finish();
        config_.reset = values;
    }

    void set_code_range(SampleType type) {
        const auto [low, high] = code_range(type);
        config_.overflow_low_code = static_cast<std::int32_t>(section_.integer("overflow_low_code", low, low, high));
        config_.overflow_high_code = static_cast<std::int32_t>(section_.integer("overflow_high_code", high, low, high));
        if (config_.overflow_low_code >= config_.overflow_high_code) {
            section_.problem("overflow_low_code", "is not below overflow_high_code");
        }
    }

    void parse_charge_unit() {
        config_.charge_unit = section_.text("charge_unit", config_.charge_unit);
        if (!usable_unit(config_.charge_unit)) section_.problem("charge_unit", kUsableUnit);
    }

    void parse_linear_gate() {
        ConfigSection gate = section_.section("linear_gate");
        if (!gate.present()) return;
        LinearGate values;
        values.closed_at_adc = static_cast<std::int32_t>(gate.integer("closed_at_adc", 18, -32'768, 65'535));
        values.min_baseline_adc = static_cast<std::int32_t>(gate.integer("min_baseline_adc", 50, -32'768, 65'535));
        gate.finish();
        config_.linear_gate = values;
    }

    void parse_local_baseline() {
        ConfigSection local = section_.section("local_baseline");
        config_.local_baseline_samples = samples(local, "length_ns", 1'000, 1, 0);
        config_.local_baseline_band_adc = static_cast<std::int32_t>(local.integer("band_adc", 3, 0, 65'535));
        local.finish();
    }

    void parse_spe_calibration() {
        ConfigSection calibration = section_.section("calibration");
        config_.calibration = parse_calibration(calibration, config_.spe_charge_adc);
        const double fallback_ns = 75e-3 * static_cast<double>(config_.sample_period_ps);  // whole samples
        config_.calibration.baseline_samples = samples(calibration, "baseline_ns", fallback_ns, 1, 0);
        const SpeFitConfig& fit = config_.calibration.fit;
        for (const Detector& detector : config_.detectors) {
            const bool fits = fit.min_adc < detector.spe_charge_adc && detector.spe_charge_adc < fit.max_adc;
            if (config_.calibration.source == CalibrationConfig::Source::none || fits) continue;
            calibration.problem("spe_min_adc",
                                fmt::format("spe_charge_adc = {} of detector {} is not between {} and {}",
                                            detector.spe_charge_adc, detector.name, fit.min_adc, fit.max_adc));
        }
        calibration.finish();
    }

    void parse_windows() {
        std::vector<ConfigSection> windows = section_.sections("window");
        if (windows.empty()) section_.problem("window", "is missing: at least one [[trigger.window]]");
        if (windows.size() > kMaxWindows) section_.problem("window", "there are more than 4 windows");
        for (ConfigSection& window : windows) {
            WindowInfo info;
            info.name = required_name(window);
            for (const WindowInfo& other : config_.windows) {
                if (other.name == info.name) window.problem("name", "two windows have this name");
            }
            info.role =
                window.choice("role", WindowRole::coincident,
                              {{"coincident", WindowRole::coincident}, {"anticoincident", WindowRole::anticoincident}});
            info.roi_start = config_.tick_sample + samples(window, "start_ns", 0, -(1ll << 40), -kLongest_ns);
            const std::int64_t length = samples(window, "length_ns", 0, 1, 0);
            info.roi_end = info.roi_start + length;
            info.pretrace_start = info.roi_start - samples(window, "pretrace_ns", 0, 0, 0);
            info.integration = samples(window, "integration_ns", 3'000, 1, 0);
            if (config_.self_triggered) {  // its window is where the tick is, and may hold the whole trace or nothing
                                           // of it
                if (trace_samples_ != 0 && info.integration > trace_samples_) {
                    window.problem("integration_ns", "the integration is longer than the trace: nothing would fit");
                }
                window.finish();
                config_.windows.push_back(info);
                continue;
            }
            if (info.pretrace_start < 0) {
                window.problem("pretrace_ns", "the pretrace starts before the trace");
            }
            if (trace_samples_ != 0 && info.roi_end > trace_samples_) {
                window.problem("length_ns", fmt::format("the window ends at sample {}, after the trace of {}",
                                                        info.roi_end, trace_samples_));
            }
            if (info.integration > length) {
                window.problem("integration_ns", "the integration is longer than the window: nothing would fit");
            }
            window.finish();
            config_.windows.push_back(info);
        }
    }

    ConfigSection section_;
    const Station& station_;
    TriggerConfig config_;
    std::int64_t trace_samples_ = 0;  // 0: differs from record to record
};

}  // namespace

TriggerConfig parse_trigger(ConfigSection& root, const Station& station) {
    if (!root.has("trigger")) root.problem("trigger", "is missing: what to look for in the traces");
    TriggerConfig config = TriggerParser{root.section("trigger"), station}.parse();
    const double sample_ns = static_cast<double>(config.sample_period_ps) / 1000.0;
    config.beam_monitor = parse_beam_monitor(root, station, static_cast<double>(config.tick_sample) * sample_ns,
                                             static_cast<double>(config.baseline_samples) * sample_ns);
    return config;
}

std::vector<FeatureInfo> feature_infos(const TriggerConfig& config) {
    std::vector<FeatureInfo> infos = core_features();
    infos[static_cast<std::size_t>(Feature::charge_pe)].unit = config.charge_unit;
    for (const FeatureRecipe& recipe : config.features.recipes) infos.push_back(recipe.info);
    return infos;
}

std::optional<std::size_t> find_feature(const TriggerConfig& config, std::string_view name) {
    const std::vector<FeatureInfo> known = feature_infos(config);
    for (std::size_t i = 0; i < known.size(); ++i) {
        if (known[i].name == name) return i;
    }
    return std::nullopt;
}

std::string feature_names(const TriggerConfig& config) {
    std::string names;
    for (const FeatureInfo& feature : feature_infos(config)) names += (names.empty() ? "" : ", ") + feature.name;
    return names;
}

bool feature_needs_arrival(const TriggerConfig& config, std::size_t feature) {
    return feature < kCoreFeatures ? needs_arrival(feature)
                                   : config.features.recipes[feature - kCoreFeatures].needs_arrival;
}

std::vector<CutInfo> cut_infos(const TriggerConfig& config) {
    std::vector<CutInfo> infos{{"no_peak", "a peak starts in the region of interest"},
                               {"does_not_fit", "the integration window ends within the region of interest"}};
    for (const Cut& cut : config.cuts) infos.push_back({cut.name, cut.meaning});
    return infos;
}

}  // namespace alleycat
