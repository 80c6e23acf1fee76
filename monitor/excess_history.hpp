#pragma once
// The cumulative excess against beam energy: the curve on which a campaign is watched.

#include <cstdint>
#include <functional>
#include <vector>

#include "daq/core/bytes.hpp"
#include "monitor/snapshot.hpp"

namespace alleycat {

/// Counts in the analysis box. Strobe triggers are compared with ticks of either kind: then both backgrounds are the
/// same.
struct BoxCounts {
    std::uint64_t coincident_on = 0, background_on = 0;
    std::uint64_t coincident_off = 0, background_off = 0;  ///< beam off and no-beam cycles

    friend bool operator==(const BoxCounts&, const BoxCounts&) = default;
};

/// Exposure of C over that of its background. NaN: one of them is zero.
struct ExposureRatio {
    double on = 1, off = 1;  ///< for ticks with beam, and without
};

/// Everything an excess is made of, at one moment.
struct ExcessTotals {
    BoxCounts box;
    std::uint64_t ticks_on = 0, ticks_off = 0, strobes = 0;
};

/// Totals at even steps of beam energy. When the points are full the step doubles and one point per step stays, so
/// a campaign of any length keeps between half and all of them. What they hold is cumulative: nothing is lost with a
/// point.
class ExcessHistory {
  public:
    ExcessHistory(double step_gwh, std::uint32_t max_points) : step_gwh_{step_gwh}, max_points_{max_points} {}

    /// To be called with the totals after each tick with beam: keeps a point where a step is complete.
    void advance(double beam_energy_gwh, const ExcessTotals& totals);
    /// The kept points and, last, the present totals; without those at which nothing could be compared yet.
    using RatioOf = std::function<ExposureRatio(const ExcessTotals&)>;
    [[nodiscard]] std::vector<ExcessPoint> points(const RatioOf& ratio_of, double beam_energy_gwh,
                                                  const ExcessTotals& totals) const;
    [[nodiscard]] std::size_t size() const noexcept { return points_.size(); }

    void put(ByteWriter& out) const;
    [[nodiscard]] bool get(ByteReader& in);

  private:
    void thin();

    struct Point {
        double beam_energy_gwh = 0;
        ExcessTotals totals;
    };
    double step_gwh_;
    std::uint32_t max_points_;
    double next_gwh_ = 0;  ///< beam energy at which the next point is kept
    std::vector<Point> points_;
};

}  // namespace alleycat
