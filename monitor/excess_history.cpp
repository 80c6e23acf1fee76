#include "monitor/excess_history.hpp"

#include <algorithm>
#include <cmath>

namespace alleycat {

void ExcessHistory::advance(double beam_energy_gwh, const ExcessTotals& totals) {
    if (beam_energy_gwh < next_gwh_) return;
    if (points_.size() >= max_points_) thin();
    points_.push_back({beam_energy_gwh, totals});
    next_gwh_ = (std::floor(beam_energy_gwh / step_gwh_) + 1) * step_gwh_;
}

void ExcessHistory::thin() {
    while (points_.size() > max_points_ / 2) {
        step_gwh_ *= 2;
        const auto step_of = [&](const Point& p) { return std::floor(p.beam_energy_gwh / step_gwh_); };
        // The first point of each step stays. At last one step holds all energy: this ends.
        const auto end = std::unique(points_.begin(), points_.end(),
                                     [&](const Point& a, const Point& b) { return step_of(a) == step_of(b); });
        points_.erase(end, points_.end());
    }
}

std::vector<ExcessPoint> ExcessHistory::points(const RatioOf& ratio_of, double beam_energy_gwh,
                                               const ExcessTotals& totals) const {
    std::vector<ExcessPoint> all;
    all.reserve(points_.size() + 1);
    const auto difference = [](std::uint64_t on, std::uint64_t off, double alpha) {
        return static_cast<double>(on) - alpha * static_cast<double>(off);
    };
    const auto error = [](std::uint64_t on, std::uint64_t off, double alpha) {
        return std::sqrt(static_cast<double>(on) + alpha * alpha * static_cast<double>(off));
    };
    const auto add = [&](double gwh, const ExcessTotals& t) {
        const ExposureRatio alpha = ratio_of(t);
        if (std::isnan(alpha.on)) return;
        const BoxCounts& n = t.box;
        // Without any tick with beam off the control is nothing, known exactly.
        const double off = std::isnan(alpha.off) ? 0 : alpha.off;
        all.push_back({gwh, difference(n.coincident_on, n.background_on, alpha.on),
                       error(n.coincident_on, n.background_on, alpha.on),
                       difference(n.coincident_off, n.background_off, off),
                       error(n.coincident_off, n.background_off, off)});
    };
    for (const Point& p : points_) add(p.beam_energy_gwh, p.totals);
    add(beam_energy_gwh, totals);
    return all;
}

void ExcessHistory::put(ByteWriter& out) const {
    out.put(step_gwh_);
    out.put(next_gwh_);
    out.put_list(std::span<const Point>{points_});
}

bool ExcessHistory::get(ByteReader& in) {
    step_gwh_ = in.get<double>();
    next_gwh_ = in.get<double>();
    points_ = in.get_list<Point>();
    if (in.failed() || !(step_gwh_ > 0) || !std::isfinite(step_gwh_) || !std::isfinite(next_gwh_)) return false;
    double before = 0;
    for (const Point& p : points_) {
        if (!(p.beam_energy_gwh >= before) || !std::isfinite(p.beam_energy_gwh)) return false;
        before = p.beam_energy_gwh;
    }
    return points_.size() <= max_points_;
}

}  // namespace alleycat
