#pragma once
// What tells one kind of pulse from another, against another feature: a map per role and selection. Included by sources
// of this folder only: the histograms are heavy.

#include <array>
#include <cstddef>
#include <optional>
#include <vector>

#include "daq/core/bytes.hpp"
#include "daq/core/run_description.hpp"
#include "monitor/histogram.hpp"
#include "monitor/pending_events.hpp"
#include "monitor/snapshot.hpp"

namespace alleycat {

/// The maps of a campaign. Without a discriminant in the configuration, or with one that is no column of the run, there
/// is nothing in them and the view says why.
class Discriminant {
  public:
    explicit Discriminant(const DiscriminantConfig& config);

    /// Finds the columns and the cuts of this run.
    void adopt(const RunDescription& run);
    /// The two values of a window; NaN where an event holds no such column.
    [[nodiscard]] DiscriminantPoint point(const WindowEvent& window, std::size_t features) const noexcept;
    void add_loose(WindowRole role, const DiscriminantPoint& point) { add(loose_, role, point); }
    void add_analysis(WindowRole role, const DiscriminantPoint& point) { add(analysis_, role, point); }

    /// `run` as last adopted, or nullptr before.
    [[nodiscard]] DiscriminantView view(const RunDescription* run, Background background, double alpha,
                                        double loose_alpha) const;

    void put(ByteWriter& out) const;
    void get(ByteReader& in);

  private:
    using Maps = std::vector<CountMap>;  ///< by role; empty without a discriminant

    [[nodiscard]] DiscriminantMaps ready(const Maps& maps, const RunDescription* run, Background background,
                                         std::string_view what, double alpha) const;
    void add(Maps& maps, WindowRole role, const DiscriminantPoint& point) {
        if (feature_ && against_) maps[static_cast<std::size_t>(role)].fill(point.against, point.feature);
    }

    DiscriminantConfig config_;
    Maps loose_, analysis_;
    std::optional<std::size_t> feature_, against_;  ///< columns of the run
    std::vector<CutLine> cuts_;
};

}  // namespace alleycat
