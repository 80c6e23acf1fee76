#pragma once

#include <vector>

#include "gui/panel.hpp"
#include "gui/plot.hpp"
#include "monitor/snapshot.hpp"

namespace alleycat::gui {

/// The detectors of a station of several, side by side: how often each is seen, its mean charge, its gain. One that is
/// silent is named in the header.
class DetectorPanel : public Panel {
  public:
    DetectorPanel();

    void show_snapshot(const Snapshot& snapshot);
    [[nodiscard]] Plot& plot() noexcept { return *plot_; }

  private:
    /// One row: a value per detector.
    struct Row {
        QCPAxisRect* axes = nullptr;
        QCPGraph* points = nullptr;
        QCPErrorBars* errors = nullptr;
        QCPBars* bars = nullptr;  ///< of the rates
    };
    [[nodiscard]] Row make_row(const QColor& colour, bool bars);
    void fill(Row& row, const std::vector<double>& value, const std::vector<double>& error);
    void name_detectors(const std::vector<DetectorState>& detectors);

    Plot* plot_;
    Row rate_, charge_, gain_;

    std::vector<DetectorState> shown_;
};

}  // namespace alleycat::gui
