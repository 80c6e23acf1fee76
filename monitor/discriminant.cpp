#include "monitor/discriminant.hpp"

#include <fmt/format.h>

#include <cmath>
#include <utility>

#include "monitor/cut_lines.hpp"
#include "monitor/spectra.hpp"

namespace alleycat {
namespace {

Spectrum2D counts(const CountMap& map) {
    Spectrum2D s;
    for (std::uint32_t i = 0; i <= map.columns(); ++i) s.x_edges.push_back(map.x_edge(i));
    for (std::uint32_t i = 0; i <= map.rows(); ++i) s.y_edges.push_back(map.y_edge(i));
    s.counts.reserve(std::size_t{map.columns()} * map.rows());
    double inside = 0;
    for (std::uint32_t row = 0; row < map.rows(); ++row) {
        for (std::uint32_t i = 0; i < map.columns(); ++i) {
            s.counts.push_back(static_cast<double>(map.count(i, row)));
            inside += s.counts.back();
        }
    }
    s.outside = map.total() - inside;
    s.undefined = static_cast<double>(map.undefined());
    return s;
}

/// The rows of a map as a spectrum.
Spectrum rows_of(const Spectrum2D& map) {
    Spectrum s;
    s.axis = map.y_axis;
    s.edges = map.y_edges;
    const std::size_t columns = map.x_edges.size() - 1;
    for (std::size_t at = 0; at < map.counts.size(); at += columns) {
        double n = 0;
        for (std::size_t i = 0; i < columns; ++i) n += map.counts[at + i];
        s.value.push_back(n);
        s.error.push_back(std::sqrt(n));
    }
    return s;
}

Spectrum2D sum(const Spectrum2D& a, const Spectrum2D& b) {
    Spectrum2D s = a;
    for (std::size_t i = 0; i < s.counts.size(); ++i) s.counts[i] += b.counts[i];
    s.outside += b.outside;
    s.undefined += b.undefined;
    return s;
}

}  // namespace

Discriminant::Discriminant(const DiscriminantConfig& config) : config_{config} {
    if (config_.feature.empty()) return;
    const CountMap nothing{config_.against_bins, config_.bins};
    loose_.assign(2, nothing);
    analysis_.assign(2, nothing);
}

void Discriminant::adopt(const RunDescription& run) {
    feature_ = loose_.empty() ? std::nullopt : column_of(run, config_.feature);
    against_ = loose_.empty() ? std::nullopt : column_of(run, config_.against);
    cuts_ = cut_lines(run, config_);
}

DiscriminantPoint Discriminant::point(const WindowEvent& window, std::size_t features) const noexcept {
    DiscriminantPoint point;
    if (feature_ && *feature_ < features) point.feature = window.value[*feature_];
    if (against_ && *against_ < features) point.against = window.value[*against_];
    return point;
}

DiscriminantMaps Discriminant::ready(const Maps& maps, const RunDescription* run, Background background,
                                     std::string_view what, double alpha) const {
    const auto map = [&](WindowRole role) {
        Spectrum2D s = counts(maps[static_cast<std::size_t>(role)]);
        s.title = fmt::format("{}, {}", name_of(role, background), what);
        s.x_axis = axis_of(run, config_.against, config_.against_title);
        s.y_axis = axis_of(run, config_.feature, config_.title);
        return s;
    };
    DiscriminantMaps all;
    all.coincident = map(WindowRole::coincident);
    all.anticoincident = map(WindowRole::anticoincident);
    all.both = sum(all.coincident, all.anticoincident);
    all.both.title = fmt::format("coincident and {}, {}", name_of(WindowRole::anticoincident, background), what);
    all.projection = compare(rows_of(all.coincident), rows_of(all.anticoincident), background, what, alpha);
    return all;
}

DiscriminantView Discriminant::view(const RunDescription* run, Background background, double alpha,
                                    double loose_alpha) const {
    DiscriminantView view;
    if (loose_.empty()) {
        view.problem = "the station file names no discriminant: [monitor.discriminant]";
        return view;
    }
    view.problem.clear();
    if (run != nullptr && !(feature_ && against_)) {
        view.problem = fmt::format("the run has no feature '{}'", feature_ ? config_.against : config_.feature);
    }
    view.on = ready(analysis_, run, background, "beam on", alpha);
    view.loose = ready(loose_, run, background, "loose", loose_alpha);
    view.cuts = cuts_;
    return view;
}

void Discriminant::put(ByteWriter& out) const {
    for (const Maps* maps : {&loose_, &analysis_}) {
        for (const CountMap& map : *maps) map.put(out);
    }
}

void Discriminant::get(ByteReader& in) {
    for (Maps* maps : {&loose_, &analysis_}) {
        for (CountMap& map : *maps) map.get(in);
    }
}

}  // namespace alleycat
