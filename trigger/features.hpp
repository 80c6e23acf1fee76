#pragma once
// A profile's own features: [[trigger.feature]] of a station file. Which shape variable, on which channel, between
// which times; the algorithms are in shape.hpp.

#include <cstddef>
#include <cstdint>
#include <span>
#include <variant>
#include <vector>

#include "daq/core/event.hpp"
#include "daq/core/run_description.hpp"
#include "daq/core/trigger.hpp"
#include "trigger/auxiliary_channel.hpp"
#include "trigger/peaks.hpp"
#include "trigger/shape.hpp"
#include "trigger/trace.hpp"

namespace alleycat {

/// A gate as the profile writes it, in samples from the window's arrival or from its start.
struct GateFrom {
    enum class Origin : std::uint8_t { arrival, window };
    Origin origin = Origin::arrival;
    std::int64_t begin = 0;
    std::int64_t end = 0;
    bool to_the_end = false;  ///< instead of `end`: as long as the integration, or as the window's region

    [[nodiscard]] Gate in(const WindowInfo& window, std::int64_t arrival) const noexcept;
};

// What is measured, one struct per kind. Times in samples.
struct GateChargeFeature {
    GateFrom gate;
};
struct ChargeRatioFeature {
    GateFrom numerator, denominator;
};
struct RiseTimeFeature {
    GateFrom gate;
    bool of_charge = false;
    double low = 0.1, high = 0.9;
    std::int64_t average = 1;
};
struct MeanTimeFeature {
    GateFrom gate;
};
struct PeakHeightFeature {
    GateFrom gate;
};
struct MaxSlopeFeature {
    GateFrom gate;
    std::int64_t over = 1;
};
struct TrapezoidFeature {
    GateFrom gate;
    TrapezoidShape shape;
    bool time = false;  ///< where the maximum is, instead of its height
};
struct PeakCountFeature {
    GateFrom gate;
};
struct DelayedCoincidenceFeature {
    GateFrom gate;
    std::int64_t cluster = 1;
    double min_charge = 0;
    bool time = true;  ///< from the arrival to the cluster, instead of its charge
};
struct CoincidenceFeature {
    GateFrom gate;
    std::vector<std::size_t> others;  ///< FeatureConfig::others
};
struct LinearFeature {
    std::size_t of = 0;  ///< a feature that stands before this one
    double offset = 0, slope = 1;
};
struct RatioFeature {
    std::size_t of = 0, over = 0;
};
using FeatureKind = std::variant<GateChargeFeature, ChargeRatioFeature, RiseTimeFeature, MeanTimeFeature,
                                 PeakHeightFeature, MaxSlopeFeature, TrapezoidFeature, PeakCountFeature,
                                 DelayedCoincidenceFeature, CoincidenceFeature, LinearFeature, RatioFeature>;

struct FeatureRecipe {
    static constexpr std::size_t kSignal = ~std::size_t{0};

    FeatureInfo info;
    FeatureKind kind;
    std::size_t channel = kSignal;  ///< measured on: the signal, or an index of FeatureConfig::others
    bool local_baseline = true;     ///< the mean before the gate's origin is subtracted; else only the median
    bool needs_arrival = true;      ///< a window without an arrival has no value: NaN, or 0 peaks

    /// Measured on the signal in ADC counts, not made of other features.
    [[nodiscard]] bool in_counts_of_signal() const noexcept {
        const bool of_features =
            std::holds_alternative<LinearFeature>(kind) || std::holds_alternative<RatioFeature>(kind);
        return channel == kSignal && !of_features && info.unit.starts_with("adc");
    }
};

/// Another channel that features look at.
struct OtherChannel {
    ChannelRef ref;
    PeakFinding peaks;
    bool wants_peaks = false;
};

struct FeatureConfig {
    std::vector<FeatureRecipe> recipes;  ///< columns after the core features, in this order
    std::vector<OtherChannel> others;
};

/// What the trigger stage measured of a channel that features build on.
struct FeatureSettings {
    PeakFinding peaks;  ///< of the signal
    std::int64_t baseline_samples = 0;
    std::int32_t baseline_band_adc = 0;
    std::int64_t local_baseline_samples = 0;
    std::int32_t local_baseline_band_adc = 0;
    std::int64_t sample_period_ps = 0;
};

/// Measures the profile's features. Like the stage it is part of: a pure function of the trigger; keeps scratch memory
/// only.
class FeatureStage {
  public:
    FeatureStage(FeatureConfig config, const FeatureSettings& settings, const std::vector<BoardInfo>& boards,
                 Kernels kernels);
    /// Room for traces of so many samples.
    void make_room(std::size_t samples);

    [[nodiscard]] std::size_t count() const noexcept { return config_.recipes.size(); }

    /// Looks at the other channels of a trigger: their baselines and peaks. One that is absent measures nothing.
    void open(const Trigger& trigger);

    /// Writes the features of one window, after the core ones.
    ///
    /// arrival  -1: there is none
    /// gain     by which what is in ADC counts is multiplied: the signal's, measured in a channel of lower gain
    void measure(const WindowInfo& window, std::int64_t arrival, Trace& signal, std::span<const Peak> signal_peaks,
                 double gain, WindowEvent& result) noexcept;

    /// The same for a trigger without its signal.
    void measure_nothing(WindowEvent& result) const noexcept;

  private:
    struct Sight;
    [[nodiscard]] double measure_one(const FeatureRecipe& recipe, const WindowInfo& window, std::int64_t arrival,
                                     Trace& signal, std::span<const Peak> signal_peaks,
                                     const WindowEvent& result) noexcept;
    [[nodiscard]] std::int64_t coincident(const CoincidenceFeature& feature, Gate gate) const noexcept;

    FeatureConfig config_;
    FeatureSettings settings_;
    std::vector<AuxiliaryChannel> others_;  // FeatureConfig::others
};

}  // namespace alleycat
