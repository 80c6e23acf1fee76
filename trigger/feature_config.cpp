#include "trigger/feature_config.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <optional>
#include <string>

namespace alleycat {
namespace {

constexpr double kLongestNs = 1e12;
constexpr std::string_view kKinds =
    "charge, charge_ratio, prompt_fraction, rise_time, mean_time, peak_height, max_slope, trapezoid, peak_count, "
    "delayed_coincidence, coincidence, linear, ratio";

/// Where a gate may lie.
enum class Reach : std::uint8_t {
    integration,  ///< what is measured of a pulse lies in its integration
    trace,        ///< what comes later, or in other channels, may lie anywhere
};

/// One [[trigger.feature]].
class FeatureParser {
  public:
    FeatureParser(ConfigSection& section, const Station& station, std::int64_t trace_samples, TriggerConfig& config)
        : section_{section}, station_{station}, trace_samples_{trace_samples}, config_{config} {
        of_hits_ = std::any_of(station.boards.begin(), station.boards.end(),
                               [](const BoardInfo& board) { return board.self_triggered; });
    }

    void parse() {
        parse_name();
        const std::string kind = section_.required_text("kind");
        if (const std::optional<FeatureKind> parsed = parse_kind(kind)) {
            recipe_.kind = *parsed;
        } else if (section_.has("kind")) {
            section_.problem("kind", fmt::format("'{}' is not one of {}", kind, kKinds));
        }
        section_.finish();
        config_.features.recipes.push_back(std::move(recipe_));
    }

  private:
    std::optional<FeatureKind> parse_kind(std::string_view kind) {
        if (kind == "linear") return linear();
        if (kind == "ratio") return ratio();
        if (kind == "coincidence") return coincidence();
        if (kind == "charge") return charge();
        if (kind == "charge_ratio") return charge_ratio();
        if (kind == "prompt_fraction") return prompt_fraction();
        if (kind == "rise_time") return rise_time();
        if (kind == "mean_time") return mean_time();
        if (kind == "peak_height") return peak_height();
        if (kind == "max_slope") return max_slope();
        if (kind == "trapezoid") return trapezoid();
        if (kind == "peak_count") return peak_count();
        if (kind == "delayed_coincidence") return delayed_coincidence();
        return std::nullopt;
    }

    void parse_name() {
        const std::string& name = recipe_.info.name = required_name(section_);
        constexpr std::array<std::string_view, 3> columns{"sequence", "cuts", "accepted"};
        if (!usable_name(name)) return;
        if (find_feature(config_, name) || std::find(columns.begin(), columns.end(), name) != columns.end()) {
            section_.problem("name", "a feature or a column '" + name + "' is there already");
        }
    }

    void describe(std::string_view unit, std::string meaning, FeatureType type = FeatureType::f64) {
        recipe_.info.unit = unit;
        recipe_.info.type = type;
        recipe_.info.meaning = std::move(meaning);
    }

    // --- times and gates

    std::int64_t samples(ConfigSection& section, std::string_view key, double fallback_ns, std::int64_t at_least,
                         double min_ns = 0) {
        return parse_samples(section, key, fallback_ns, at_least, min_ns, config_.sample_period_ps);
    }
    [[nodiscard]] double ns(std::int64_t samples) const {
        return static_cast<double>(samples) * static_cast<double>(config_.sample_period_ps) / 1000.0;
    }

    GateFrom::Origin parse_origin() {
        using enum GateFrom::Origin;
        const GateFrom::Origin origin = section_.choice("from", arrival, {{"arrival", arrival}, {"window", window}});
        recipe_.needs_arrival = origin == arrival;
        if (of_hits_ && origin == window) section_.problem("from", "hits are measured from their arrival only");
        return origin;
    }

    /// start_ns and length_ns; without a length the gate reaches to the end of the integration, or of the region.
    GateFrom parse_gate(ConfigSection& section, GateFrom::Origin origin, Reach reach, std::int64_t looks_back = 0) {
        GateFrom gate{.origin = origin};
        gate.begin = samples(section, "start_ns", 0, std::numeric_limits<std::int64_t>::min(), -kLongestNs);
        gate.to_the_end = !section.has("length_ns");
        if (!gate.to_the_end) gate.end = gate.begin + samples(section, "length_ns", 0, 1);
        check_gate(section, gate, reach, looks_back);
        return gate;
    }
    GateFrom parse_gate(Reach reach) {
        const GateFrom::Origin origin = parse_origin();
        return parse_gate(section_, origin, reach);
    }

    /// One problem at most: the first window in which the gate cannot lie.
    void check_gate(ConfigSection& section, const GateFrom& gate, Reach reach, std::int64_t looks_back) {
        const std::string_view key = gate.to_the_end ? "start_ns" : "length_ns";
        for (const WindowInfo& window : config_.windows) {
            const bool of_arrival = gate.origin == GateFrom::Origin::arrival;
            const std::int64_t last_arrival = std::max(window.roi_start, window.roi_end - window.integration - 1);
            const Gate earliest = gate.in(window, window.roi_start);
            const Gate latest = gate.in(window, of_arrival ? last_arrival : window.roi_start);
            if (earliest.length() <= 0 && !gate.to_the_end) return;  // a length below one sample: said already
            if (earliest.length() <= 0) {
                return section.problem(key, fmt::format("the gate is empty in window '{}'", window.name));
            }
            if (of_arrival && reach == Reach::integration && gate.in(window, 0).end > window.integration) {
                return section.problem(
                    key,
                    fmt::format("the gate ends {} ns after the arrival, the integration of window '{}' after {} ns",
                                ns(gate.end), window.name, ns(window.integration)));
            }
            if (of_hits_) {  // they come anywhere in the trace: what leaves it measures nothing
                const Gate of_first = gate.in(window, 0);
                const bool may_lie = of_first.length() + looks_back <= trace_samples_ &&
                                     of_first.end <= trace_samples_ && of_first.begin > -trace_samples_;
                const bool only_inside =
                    reach == Reach::integration || looks_back > 0;  // peaks are counted in any part
                if (may_lie || !only_inside || trace_samples_ == 0) continue;
                return section.problem(
                    key, fmt::format("the gate{} lies in no trace of {} samples, wherever the hit is",
                                     looks_back > 0 ? " with what the filter looks back" : "", trace_samples_));
            }
            if (earliest.begin - looks_back < 0) {
                return section.problem(
                    "start_ns", fmt::format("the gate{} starts before the trace in window '{}'",
                                            looks_back > 0 ? " with what the filter looks back" : "", window.name));
            }
            if (trace_samples_ != 0 && latest.end > trace_samples_) {
                return section.problem(
                    key, fmt::format("the gate ends at sample {}, after the trace of {}, in window '{}'", latest.end,
                                     trace_samples_, window.name));
            }
            if (!of_arrival && latest.end > window.roi_end) {
                return section.problem(key, fmt::format("the gate ends after window '{}'", window.name));
            }
        }
    }

    /// The gate's length in the window where it is shortest; a wrong gate, said already, is long enough for everything.
    [[nodiscard]] std::int64_t shortest(const GateFrom& gate) const {
        std::int64_t length = std::numeric_limits<std::int64_t>::max();
        for (const WindowInfo& window : config_.windows) {
            const std::int64_t here = gate.in(window, window.roi_start).length();
            if (here > 0) length = std::min(length, here);
        }
        return length;
    }

    [[nodiscard]] std::string text(const GateFrom& gate) const {
        const bool of_arrival = gate.origin == GateFrom::Origin::arrival;
        const std::string end = !gate.to_the_end ? fmt::format("{} ns", ns(gate.end))
                                : of_arrival     ? "the integration's end"
                                                 : "the window's end";
        return fmt::format("from {} ns to {} after the {}", ns(gate.begin), end,
                           of_arrival ? "arrival" : "window's start");
    }

    // --- channels

    void parse_channel(bool wants_peaks = false) {
        if (const std::string name = section_.text("channel", ""); !name.empty()) {
            if (const std::optional<std::size_t> other = parse_other("channel", name, config_.peaks, wants_peaks)) {
                recipe_.channel = *other;
            }
        }
    }

    /// `channel` and `baseline` of what is measured in heights.
    void parse_waveform(bool wants_peaks = false) {
        parse_channel(wants_peaks);
        recipe_.local_baseline = section_.choice("baseline", true, {{"local", true}, {"median", false}});
    }

    /// A channel beside the signal, which several features may share.
    std::optional<std::size_t> parse_other(std::string_view key, const std::string& name, const PeakFinding& peaks,
                                           bool wants_peaks) {
        const ChannelRef ref = station_.find_channel(name, section_, key);
        if (!ref.present) return std::nullopt;
        if (station_.boards[ref.board].sample_period_ps != config_.sample_period_ps) {
            section_.problem(key, "channel '" + name + "' has another sample period than the signal");
            return std::nullopt;
        }
        std::vector<OtherChannel>& others = config_.features.others;
        const auto same = [&](const OtherChannel& other) { return other.ref == ref && other.peaks == peaks; };
        auto found = std::find_if(others.begin(), others.end(), same);
        if (found == others.end()) found = others.insert(found, {.ref = ref, .peaks = peaks});
        found->wants_peaks = found->wants_peaks || wants_peaks;
        return static_cast<std::size_t>(found - others.begin());
    }

    [[nodiscard]] std::string on_channel() {
        const std::string name = section_.text("channel", "");
        return name.empty() ? "" : " of " + name;
    }
    [[nodiscard]] std::string_view baseline_text() const { return recipe_.local_baseline ? "local" : "median"; }

    // --- the kinds

    FeatureKind charge() {
        parse_waveform();
        const GateChargeFeature f{parse_gate(Reach::integration)};
        describe("adc*sample", fmt::format("charge{} {}, {} baseline", on_channel(), text(f.gate), baseline_text()));
        return f;
    }

    FeatureKind charge_ratio() {
        parse_waveform();
        const GateFrom::Origin origin = parse_origin();
        const auto part = [&](std::string_view key) {
            ConfigSection section = section_.section(key);
            if (!section.present()) section_.problem(key, "is missing: {start_ns = ..., length_ns = ...}");
            const GateFrom gate = parse_gate(section, origin, Reach::integration);
            section.finish();
            return gate;
        };
        const GateFrom numerator = part("numerator");
        const ChargeRatioFeature f{numerator, part("denominator")};
        describe("", fmt::format("charge{} {} over charge {}, {} baseline", on_channel(), text(f.numerator),
                                 text(f.denominator), baseline_text()));
        return f;
    }

    FeatureKind prompt_fraction() {
        parse_waveform();
        ChargeRatioFeature f;
        f.denominator = parse_gate(Reach::integration);
        f.numerator = f.denominator;
        f.numerator.to_the_end = false;
        f.numerator.end = f.numerator.begin + samples(section_, "prompt_ns", 0, 1);
        if (!f.denominator.to_the_end && f.numerator.end >= f.denominator.end) {
            section_.problem("prompt_ns", "the prompt part is as long as the whole gate");
        } else {
            check_gate(section_, f.numerator, Reach::integration, 0);
        }
        describe("", fmt::format("charge{} of the first {} ns over charge {}, {} baseline", on_channel(),
                                 ns(f.numerator.end - f.numerator.begin), text(f.denominator), baseline_text()));
        return f;
    }

    FeatureKind rise_time() {
        parse_waveform();
        RiseTimeFeature f;
        f.gate = parse_gate(Reach::integration);
        f.of_charge = section_.choice("of", false, {{"height", false}, {"charge", true}});
        f.low = section_.number("low", 0.1, 0.001, 0.999);
        f.high = section_.number("high", 0.9, 0.001, 0.999);
        if (f.low >= f.high) section_.problem("low", fmt::format("{} is not below high {}", f.low, f.high));
        f.average = samples(section_, "average_ns", ns(1), 1);
        if (f.of_charge && f.average != 1) section_.problem("average_ns", "is for the rise of the height");
        if (f.average > shortest(f.gate)) section_.problem("average_ns", "is longer than the gate");
        describe("ns", fmt::format("time from {} to {} of the {}{} {}", f.low, f.high,
                                   f.of_charge ? "charge" : "largest height", on_channel(), text(f.gate)));
        return f;
    }

    FeatureKind mean_time() {
        parse_waveform();
        const MeanTimeFeature f{parse_gate(Reach::integration)};
        describe("ns", fmt::format("mean time{} of the charge {}", on_channel(), text(f.gate)));
        return f;
    }

    FeatureKind peak_height() {
        parse_waveform();
        const PeakHeightFeature f{parse_gate(Reach::integration)};
        describe("adc", fmt::format("largest height{} {}, {} baseline", on_channel(), text(f.gate), baseline_text()));
        return f;
    }

    FeatureKind max_slope() {
        parse_channel();
        MaxSlopeFeature f;
        f.gate = parse_gate(Reach::integration);
        f.over = samples(section_, "over_ns", ns(1), 1);
        if (f.over >= shortest(f.gate)) section_.problem("over_ns", "is not shorter than the gate");
        describe("adc/ns", fmt::format("steepest rise{} within {} ns, {}", on_channel(), ns(f.over), text(f.gate)));
        return f;
    }

    FeatureKind trapezoid() {
        parse_waveform();
        TrapezoidFeature f;
        f.shape.rise = samples(section_, "rise_ns", 0, 1);
        f.shape.flat = samples(section_, "flat_ns", 0, 0);
        f.shape.decay_samples = section_.number("decay_ns", 0, 0, kLongestNs) / ns(1);
        f.time = section_.choice("measure", false, {{"energy", false}, {"time", true}});
        f.gate = parse_gate(section_, parse_origin(), Reach::trace, f.shape.reach() - 1);
        const std::string filter = fmt::format(
            "trapezoid{} of {} ns rise, {} ns flat top, {}", on_channel(), ns(f.shape.rise), ns(f.shape.flat),
            f.shape.decay_samples > 0 ? fmt::format("{} ns decay", f.shape.decay_samples * ns(1)) : "no decay");
        describe(f.time ? "ns" : "adc",
                 fmt::format("{} of the maximum of a {}, {}", f.time ? "time" : "height", filter, text(f.gate)));
        return f;
    }

    FeatureKind peak_count() {
        parse_channel(true);
        const PeakCountFeature f{parse_gate(Reach::trace)};
        describe("", fmt::format("peaks{} {}", on_channel(), text(f.gate)), FeatureType::u32);
        return f;
    }

    FeatureKind delayed_coincidence() {
        parse_waveform(true);
        DelayedCoincidenceFeature f;
        require("length_ns");
        f.gate = parse_gate(Reach::trace);
        f.cluster = samples(section_, "cluster_ns", 0, 1);
        f.min_charge = section_.required_number("min_charge_adc", 1e-6, 1e12);
        f.time = section_.choice("measure", true, {{"time", true}, {"charge", false}});
        describe(f.time ? "ns" : "adc*sample",
                 fmt::format("{} of the first peaks{} with a charge of {} within {} ns, {}", f.time ? "time" : "charge",
                             on_channel(), f.min_charge, ns(f.cluster), text(f.gate)));
        return f;
    }

    FeatureKind coincidence() {
        CoincidenceFeature f;
        require("length_ns");
        f.gate = parse_gate(Reach::trace);
        PeakFinding peaks = config_.peaks;
        peaks.threshold_adc =
            static_cast<std::int32_t>(section_.integer("threshold_adc", peaks.threshold_adc, 1, 65'535));
        peaks.min_samples = static_cast<std::int32_t>(section_.integer("min_samples", peaks.min_samples, 1, 10'000));
        const std::vector<std::string> names = section_.text_list("channels", {});
        if (names.empty()) section_.problem("channels", "is missing: the channels that may show a peak too");
        for (const std::string& name : names) {
            if (const std::optional<std::size_t> other = parse_other("channels", name, peaks, true)) {
                // One of several that are summed is a detector part of its own: photomultipliers in coincidence.
                if (config_.summed_channels.empty() && station_.find_channel(name) == config_.signal) {
                    section_.problem("channels", "'" + name + "' is the signal itself");
                }
                const bool twice = std::find(f.others.begin(), f.others.end(), *other) != f.others.end();
                if (twice) section_.problem("channels", "'" + name + "' stands there twice");
                f.others.push_back(*other);
            }
        }
        describe("", fmt::format("channels of {} with a peak {}", fmt::join(names, ", "), text(f.gate)),
                 FeatureType::u32);
        return f;
    }

    FeatureKind linear() {
        LinearFeature f;
        f.of = feature("of");
        f.slope = section_.required_number("slope", -1e15, 1e15);
        f.offset = section_.number("offset", 0, -1e15, 1e15);
        const std::string unit = section_.text("unit", "");
        if (!unit.empty() && !usable_unit(unit)) section_.problem("unit", std::string{kUsableUnit});
        recipe_.needs_arrival = feature_needs_arrival(config_, f.of);
        describe(unit, fmt::format("{} + {} x {}", f.offset, f.slope, section_.text("of", "")));
        return f;
    }

    FeatureKind ratio() {
        RatioFeature f;
        f.of = feature("of");
        f.over = feature("over");
        recipe_.needs_arrival = feature_needs_arrival(config_, f.of) || feature_needs_arrival(config_, f.over);
        describe("", fmt::format("{} / {}", section_.text("of", ""), section_.text("over", "")));
        return f;
    }

    std::size_t feature(std::string_view key) {
        const std::string name = section_.required_text(key);
        const std::optional<std::size_t> found = find_feature(config_, name);
        if (!found && section_.has(key)) {
            section_.problem(key,
                             fmt::format("'{}' is not a feature before this one: {}", name, feature_names(config_)));
        }
        return found.value_or(0);
    }

    void require(std::string_view key) {
        if (!section_.has(key)) section_.problem(key, "is missing");
    }

    ConfigSection& section_;
    const Station& station_;
    std::int64_t trace_samples_;
    TriggerConfig& config_;
    bool of_hits_ = false;
    FeatureRecipe recipe_;
};

}  // namespace

bool usable_unit(std::string_view unit) noexcept {
    return !unit.empty() && unit.size() <= 16 &&
           std::all_of(unit.begin(), unit.end(), [](char c) { return c > ' ' && c <= '~'; });
}

void parse_features(ConfigSection& trigger, const Station& station, std::int64_t trace_samples, TriggerConfig& config) {
    for (ConfigSection& section : trigger.sections("feature")) {
        if (kCoreFeatures + config.features.recipes.size() == kMaxFeatures) {
            return trigger.problem("feature",
                                   fmt::format("there are more than {} features besides the {} of every profile",
                                               kMaxFeatures - kCoreFeatures, kCoreFeatures));
        }
        FeatureParser{section, station, trace_samples, config}.parse();
    }
}

std::int64_t parse_samples(ConfigSection& section, std::string_view key, double fallback_ns, std::int64_t at_least,
                           double min_ns, std::int64_t sample_period_ps) {
    const double time_ns = section.number(key, fallback_ns, min_ns, kLongestNs);
    const double exact = time_ns * 1000.0 / static_cast<double>(sample_period_ps);
    const std::int64_t whole = std::llround(exact);
    if (std::abs(exact - static_cast<double>(whole)) > 1e-6) {
        section.problem(key, fmt::format("{} ns is not a whole number of samples of {} ps", time_ns, sample_period_ps));
    }
    if (whole < at_least) section.problem(key, fmt::format("{} ns is less than {} sample", time_ns, at_least));
    return whole;
}

}  // namespace alleycat
