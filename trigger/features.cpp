#include "trigger/features.hpp"

#include <algorithm>
#include <limits>

#include "trigger/charge.hpp"

namespace alleycat {
namespace {

constexpr double kNothing = std::numeric_limits<double>::quiet_NaN();

}  // namespace

Gate GateFrom::in(const WindowInfo& window, std::int64_t arrival) const noexcept {
    if (origin == Origin::arrival) {
        return {arrival + begin, arrival + (to_the_end ? window.integration : end)};
    }
    return {window.roi_start + begin, to_the_end ? window.roi_end : window.roi_start + end};
}

FeatureStage::FeatureStage(FeatureConfig config, const FeatureSettings& settings, const std::vector<BoardInfo>& boards,
                           Kernels kernels)
    : config_{std::move(config)}, settings_{settings} {
    others_.reserve(config_.others.size());
    for (const OtherChannel& other : config_.others) {
        const AuxiliaryLook look{other.ref, other.peaks, settings_.baseline_samples, settings_.baseline_band_adc};
        others_.emplace_back(look, boards, kernels);
    }
}

void FeatureStage::make_room(std::size_t samples) {
    for (AuxiliaryChannel& other : others_) other.make_room(samples);
}

void FeatureStage::open(const Trigger& trigger) {
    for (std::size_t i = 0; i < others_.size(); ++i) {
        if (others_[i].open(trigger) && config_.others[i].wants_peaks) (void)others_[i].find_peaks();
    }
}

/// One channel, as a feature of one window looks at it.
struct FeatureStage::Sight {
    Trace& trace;
    std::span<const Peak> peaks;
    const PeakFinding& finding;
    const FeatureSettings& settings;
    const WindowInfo& window;
    std::int64_t arrival;
    bool local;

    [[nodiscard]] double baseline(GateFrom::Origin origin) const noexcept {
        if (!local) return 0;
        const std::int64_t end = origin == GateFrom::Origin::arrival ? arrival : window.roi_start;
        if (end > trace.samples()) return kNothing;
        return trace.local_baseline(end, settings.local_baseline_samples, settings.local_baseline_band_adc);
    }
    [[nodiscard]] Gate gate(const GateFrom& from) const noexcept { return from.in(window, arrival); }
    [[nodiscard]] double ns(double samples) const noexcept {
        return samples * static_cast<double>(settings.sample_period_ps) / 1000.0;
    }
    [[nodiscard]] std::span<const std::int32_t> heights(Gate gate) const noexcept {
        return trace.heights(gate.begin, gate.end);
    }

    [[nodiscard]] double measure(const GateChargeFeature& f) const noexcept {
        const double base = baseline(f.gate.origin);
        return gate_charge(heights(gate(f.gate)), gate(f.gate), base);
    }
    [[nodiscard]] double measure(const ChargeRatioFeature& f) const noexcept {
        const double base = baseline(f.denominator.origin);
        const Gate over = gate(f.numerator), under = gate(f.denominator);
        const Gate both{std::min(over.begin, under.begin), std::max(over.end, under.end)};
        return charge_ratio(heights(both), over, under, base);
    }
    [[nodiscard]] double measure(const RiseTimeFeature& f) const noexcept {
        const double base = baseline(f.gate.origin);
        const Gate g = gate(f.gate);
        return ns(f.of_charge ? charge_rise(heights(g), g, base, f.low, f.high)
                              : height_rise(heights(g), g, base, f.low, f.high, f.average));
    }
    [[nodiscard]] double measure(const MeanTimeFeature& f) const noexcept {
        const double base = baseline(f.gate.origin);
        return ns(mean_time(heights(gate(f.gate)), gate(f.gate), base) - origin(f.gate.origin));
    }
    [[nodiscard]] double measure(const PeakHeightFeature& f) const noexcept {
        const double base = baseline(f.gate.origin);
        return peak_height(heights(gate(f.gate)), gate(f.gate), base);
    }
    [[nodiscard]] double measure(const MaxSlopeFeature& f) const noexcept {
        return max_slope(heights(gate(f.gate)), gate(f.gate), f.over) / ns(1);
    }
    [[nodiscard]] double measure(const TrapezoidFeature& f) const noexcept {
        const double base = baseline(f.gate.origin);
        const Gate g = gate(f.gate);
        const TrapezoidTop top = trapezoid(heights({g.begin + 1 - f.shape.reach(), g.end}), g, base, f.shape);
        return f.time ? ns(top.at - origin(f.gate.origin)) : top.height;
    }
    [[nodiscard]] double measure(const PeakCountFeature& f) const noexcept {
        return static_cast<double>(count_onsets(peaks, gate(f.gate).begin, gate(f.gate).end));
    }
    [[nodiscard]] double measure(const DelayedCoincidenceFeature& f) const noexcept {
        const double base = baseline(f.gate.origin);
        const Gate g = gate(f.gate);
        const Gate with_clusters{g.begin - finding.margin_samples, g.end + f.cluster};
        const Cluster cluster = find_cluster(heights(with_clusters), peaks, finding, g, f.cluster, f.min_charge, base);
        if (cluster.start < 0) return kNothing;
        return f.time ? ns(static_cast<double>(cluster.start) - origin(f.gate.origin)) : cluster.charge;
    }

  private:
    [[nodiscard]] double origin(GateFrom::Origin from) const noexcept {
        return static_cast<double>(from == GateFrom::Origin::arrival ? arrival : window.roi_start);
    }
};

std::int64_t FeatureStage::coincident(const CoincidenceFeature& feature, Gate gate) const noexcept {
    return std::count_if(feature.others.begin(), feature.others.end(), [&](std::size_t other) {
        return count_onsets(others_[other].peaks(), gate.begin, gate.end) > 0;
    });
}

double FeatureStage::measure_one(const FeatureRecipe& recipe, const WindowInfo& window, std::int64_t arrival,
                                 Trace& signal, std::span<const Peak> signal_peaks,
                                 const WindowEvent& result) noexcept {
    if (recipe.needs_arrival && arrival < 0) return recipe.info.type == FeatureType::u32 ? 0 : kNothing;
    if (const auto* linear = std::get_if<LinearFeature>(&recipe.kind)) {
        return linear->offset + linear->slope * result.value[linear->of];
    }
    if (const auto* ratio = std::get_if<RatioFeature>(&recipe.kind)) {
        const double over = result.value[ratio->over];
        return over == 0 ? kNothing : result.value[ratio->of] / over;
    }
    if (const auto* coincidence = std::get_if<CoincidenceFeature>(&recipe.kind)) {
        return static_cast<double>(coincident(*coincidence, coincidence->gate.in(window, arrival)));
    }
    const bool of_signal = recipe.channel == FeatureRecipe::kSignal;
    if (!of_signal && !others_[recipe.channel].present()) return recipe.info.type == FeatureType::u32 ? 0 : kNothing;
    const Sight sight{of_signal ? signal : others_[recipe.channel].trace(),
                      of_signal ? signal_peaks : others_[recipe.channel].peaks(),
                      of_signal ? settings_.peaks : others_[recipe.channel].finding(),
                      settings_,
                      window,
                      arrival,
                      recipe.local_baseline};
    return std::visit(
        [&]<class Kind>(const Kind& kind) -> double {
            if constexpr (requires { sight.measure(kind); }) {
                return sight.measure(kind);
            } else {
                return kNothing;  // of other features: done above
            }
        },
        recipe.kind);
}

void FeatureStage::measure(const WindowInfo& window, std::int64_t arrival, Trace& signal,
                           std::span<const Peak> signal_peaks, double gain, WindowEvent& result) noexcept {
    for (std::size_t i = 0; i < config_.recipes.size(); ++i) {
        const FeatureRecipe& recipe = config_.recipes[i];
        const double value = measure_one(recipe, window, arrival, signal, signal_peaks, result);
        result.value[kCoreFeatures + i] = recipe.in_counts_of_signal() ? gain * value : value;
    }
}

void FeatureStage::measure_nothing(WindowEvent& result) const noexcept {
    for (std::size_t i = 0; i < config_.recipes.size(); ++i) {
        const bool counts = config_.recipes[i].info.type == FeatureType::u32;
        result.value[kCoreFeatures + i] = counts ? 0 : kNothing;
    }
}

}  // namespace alleycat
