#include "monitor/spectra.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

namespace alleycat {
namespace {

const FeatureInfo* find_feature(const RunDescription* run, std::string_view name) {
    const std::optional<std::size_t> at = run == nullptr ? std::nullopt : column_of(*run, name);
    return at ? &run->features[*at] : nullptr;
}

/// Files say "pe" and "adc*sample", people PE and ADC·sample.
std::string spoken(std::string unit) {
    if (unit == "pe") return "PE";
    if (unit.starts_with("adc")) unit.replace(0, 3, "ADC");
    if (const std::size_t times = unit.find('*'); times != std::string::npos) unit.replace(times, 1, "·");
    return unit;
}

/// "t50" of "t50_ns": the unit stands beside the name already.
std::string_view without_unit(std::string_view name, std::string_view unit) {
    const std::string ending = fmt::format("_{}", unit);
    return !unit.empty() && name.ends_with(ending) ? name.substr(0, name.size() - ending.size()) : name;
}

}  // namespace

std::string_view name_of(WindowRole role, Background background) noexcept {
    if (role == WindowRole::coincident) return "coincident";
    switch (background) {
        case Background::anticoincident: return "anticoincident";
        case Background::strobe: return "strobe";
        case Background::none: break;
    }
    return "background";
}

std::optional<std::size_t> column_of(const RunDescription& run, std::string_view feature) {
    const auto found =
        std::find_if(run.features.begin(), run.features.end(), [&](const FeatureInfo& f) { return f.name == feature; });
    if (found == run.features.end()) return std::nullopt;
    return static_cast<std::size_t>(found - run.features.begin());
}

std::string charge_unit(const RunDescription* run) {
    const FeatureInfo* const feature = find_feature(run, "charge_pe");
    return feature == nullptr ? "PE" : spoken(feature->unit);
}

std::string axis_of(const RunDescription* run, std::string_view feature, std::string_view title) {
    const FeatureInfo* const info = find_feature(run, feature);
    const std::string unit = info == nullptr ? "" : spoken(info->unit);
    std::string_view words = title;
    if (words.empty()) {
        words = feature == "charge_pe" ? "charge" : without_unit(feature, info == nullptr ? "" : info->unit);
    }
    return unit.empty() ? std::string{words} : fmt::format("{} [{}]", words, unit);
}

Spectrum spectrum(const CountHistogram& histogram, std::string axis, double scale) {
    Spectrum s;
    s.axis = std::move(axis);
    for (std::uint32_t i = 0; i <= histogram.bins(); ++i) s.edges.push_back(histogram.edge(i) * scale);
    for (std::uint32_t i = 0; i < histogram.bins(); ++i) {
        const auto n = static_cast<double>(histogram.count(i));
        s.value.push_back(n);
        s.error.push_back(std::sqrt(n));
    }
    s.below = static_cast<double>(histogram.below());
    s.above = static_cast<double>(histogram.above());
    s.undefined = static_cast<double>(histogram.undefined());
    return s;
}

SpectrumTriple compare(Spectrum coincident, Spectrum background, Background kind, std::string_view what, double alpha) {
    SpectrumTriple t{std::move(coincident), std::move(background), {}, alpha};
    const std::string_view off = name_of(WindowRole::anticoincident, kind);
    t.coincident.title = fmt::format("coincident, {}", what);
    t.anticoincident.title = fmt::format("{}, {}", off, what);
    t.difference = t.coincident;
    t.difference.title = fmt::format("coincident - {}, {}", off, what);
    for (std::size_t i = 0; i < t.difference.value.size(); ++i) {
        const double c = t.coincident.value[i];
        const double ac = t.anticoincident.value[i];
        t.difference.value[i] = c - alpha * ac;
        t.difference.error[i] = std::sqrt(c + alpha * alpha * ac);
    }
    t.difference.below -= alpha * t.anticoincident.below;
    t.difference.above -= alpha * t.anticoincident.above;
    t.difference.undefined -= alpha * t.anticoincident.undefined;
    if (std::isnan(alpha)) return t;
    Spectrum& off_spectrum = t.anticoincident;
    for (double& value : off_spectrum.value) value *= alpha;
    for (double& error : off_spectrum.error) error *= alpha;
    for (double* outside : {&off_spectrum.below, &off_spectrum.above, &off_spectrum.undefined}) *outside *= alpha;
    return t;
}

}  // namespace alleycat
