#pragma once

#include <QString>
#include <string>
#include <vector>

#include "gui/panel.hpp"
#include "gui/plot.hpp"
#include "monitor/snapshot.hpp"

namespace alleycat::gui {

/// What stands behind the SPE charge in force: "70.31 ± 0.15 ADC·sample, fit χ²/ndf 1.05", "... kept from an earlier
/// fit", "... configured".
[[nodiscard]] QString spe_charge_text(const Calibration& calibration);
/// The same in a sentence, with the block of data it comes from.
[[nodiscard]] QString spe_charge_tooltip(const Calibration& calibration);

/// Small plots against time, one per trend; those in percent share one. The newest value stands beside the name.
class Trends : public Panel {
  public:
    Trends();
    void show_snapshot(const Snapshot& snapshot);
    [[nodiscard]] Plot& plot() noexcept { return *plot_; }
    /// Trends on the screen.
    [[nodiscard]] std::size_t curves() const noexcept { return curves_.size(); }

  private:
    struct Curve {
        std::string name;
        QCPAxisRect* axes = nullptr;
        QCPGraph* line = nullptr;
        QCPGraph* low = nullptr;  ///< of the error band
        QCPGraph* high = nullptr;
        QCPItemText* words = nullptr;
        QString title, value;  ///< what the words are made of
        std::size_t drawn_points = 0;
        TrendPoint drawn_last;
    };
    [[nodiscard]] bool fits(const std::vector<Trend>& trends) const;
    void build(const std::vector<Trend>& trends);

    Plot* plot_;
    std::vector<QCPAxisRect*> rects_;
    std::vector<Curve> curves_;
};

}  // namespace alleycat::gui
