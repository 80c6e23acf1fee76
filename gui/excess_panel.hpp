#pragma once

#include "gui/panel.hpp"
#include "gui/plot.hpp"
#include "monitor/snapshot.hpp"

class QLabel;

namespace alleycat::gui {

/// The cumulative excess against beam energy with its error band, the beam-off control, and the numbers in words.
class ExcessPanel : public Panel {
  public:
    ExcessPanel();
    void show_snapshot(const Snapshot& snapshot, bool hide_residual);
    [[nodiscard]] QString words() const;
    [[nodiscard]] bool excess_visible() const { return !excess_.line->data()->isEmpty(); }
    [[nodiscard]] bool control_visible() const { return !control_.line->data()->isEmpty(); }
    [[nodiscard]] Plot& plot() noexcept { return *plot_; }

  private:
    struct Band {
        QCPGraph *line, *low, *high;
    };
    [[nodiscard]] Band make_band(const QColor& colour);

    Plot* plot_;
    QLabel* words_;
    Band control_, excess_;
    // What is on the screen.
    std::size_t drawn_points_ = 0;
    ExcessPoint drawn_last_;
    bool drawn_hidden_ = false;
};

}  // namespace alleycat::gui
