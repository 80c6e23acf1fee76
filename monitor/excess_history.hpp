#pragma once
// The cumulative excess against beam energy: the curve on which a campaign is watched.

#include <cstdint>
#include <vector>

#include "daq/core/bytes.hpp"
#include "monitor/snapshot.hpp"

namespace alleycat {

/// Counts in the analysis box.
struct BoxCounts {
    std::uint64_t coincident_on = 0, anticoincident_on = 0;
    std::uint64_t coincident_off = 0, anticoincident_off = 0;  ///< beam off and no-beam cycles

    friend bool operator==(const BoxCounts&, const BoxCounts&) = default;
};

/// Box counts at even steps of beam energy. When the points are full the step doubles and one point per step stays, so
/// a campaign of any length keeps between half and all of them. What they hold is cumulative: nothing is lost with a
/// point.
class ExcessHistory {
  public:
    ExcessHistory(double step_gwh, std::uint32_t max_points) : step_gwh_{step_gwh}, max_points_{max_points} {}

    /// To be called with the totals after each tick with beam: keeps a point where a step is complete.
    void advance(double beam_energy_gwh, const BoxCounts& totals);
    /// The kept points and, last, the present totals.
    [[nodiscard]] std::vector<ExcessPoint> points(double alpha, double beam_energy_gwh, const BoxCounts& totals) const;
    [[nodiscard]] std::size_t size() const noexcept { return points_.size(); }

    void put(ByteWriter& out) const;
    [[nodiscard]] bool get(ByteReader& in);

  private:
    void thin();

    struct Point {
        double beam_energy_gwh = 0;
        BoxCounts counts;
    };
    double step_gwh_;
    std::uint32_t max_points_;
    double next_gwh_ = 0;  ///< beam energy at which the next point is kept
    std::vector<Point> points_;
};

}  // namespace alleycat
