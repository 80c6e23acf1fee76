#pragma once

#include <memory>
#include <vector>

#include "gui/panel.hpp"
#include "gui/plot.hpp"
#include "monitor/snapshot.hpp"

class QComboBox;

namespace alleycat::gui {

/// The discriminant against another feature: a map of one selection with the profile's cuts as lines, and beside it
/// what is on the map as spectra of C and its background.
class DiscriminantPanel : public Panel {
  public:
    DiscriminantPanel();

    void show_snapshot(std::shared_ptr<const Snapshot> snapshot, bool hide_residual);
    [[nodiscard]] Plot& plot() noexcept { return *plot_; }
    void choose(int choice);
    /// Cells of the map that are coloured.
    [[nodiscard]] int filled_cells() const;
    [[nodiscard]] bool coincident_visible() const;
    /// Cuts drawn on the map.
    [[nodiscard]] std::size_t cut_lines() const noexcept { return lines_.size(); }

  private:
    void name_choices(Background background);
    void draw_map(const Spectrum2D& map, bool hidden);
    void draw_projection(const SpectrumTriple& projection, bool hidden);
    void draw_cuts(const std::vector<CutLine>& cuts);

    Plot* plot_;
    QComboBox* choice_;
    QCPAxisRect *map_axes_, *projection_axes_;
    QCPColorMap* map_;
    QCPColorScale* scale_;
    QCPGraph *coincident_, *background_;
    std::vector<QCPItemStraightLine*> lines_;
    QCPItemText* hidden_;  ///< "hidden" over the map

    // What is on the screen: drawn again only when it differs.
    std::shared_ptr<const Snapshot> snapshot_;
    bool hide_residual_ = false;
    Background shown_background_ = Background::anticoincident;
    int shown_choice_ = -1;
    bool shown_hidden_ = false;
    Spectrum2D shown_map_;
    SpectrumTriple shown_projection_;
    std::vector<CutLine> shown_cuts_;
};

}  // namespace alleycat::gui
