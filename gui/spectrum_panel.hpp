#pragma once

#include <memory>
#include <vector>

#include "gui/panel.hpp"
#include "gui/plot.hpp"
#include "monitor/snapshot.hpp"

class QComboBox;

namespace alleycat::gui {

/// One selection that a SpectrumPanel can show.
struct SpectrumChoice {
    QString name;  ///< "all cuts, beam on"
    QString tooltip;
    SpectrumTriple Snapshot::*spectra;
    bool has_signal;  ///< blinding hides C and the difference
    QString empty;    ///< what stands there while nothing is in it
};

/// Coincident against anticoincident, with errors, and their difference below.
class SpectrumPanel : public Panel {
  public:
    SpectrumPanel(const QString& title, std::vector<SpectrumChoice> choices, int first_choice);

    void show_snapshot(std::shared_ptr<const Snapshot> snapshot, bool hide_residual);
    [[nodiscard]] Plot& plot() noexcept { return *plot_; }
    [[nodiscard]] bool coincident_visible() const;
    [[nodiscard]] bool difference_visible() const;
    void choose(int choice);
    /// Shows this one as long as the user has chosen none.
    void suggest(int choice);

  private:
    /// A histogram's step line and its error bars.
    struct Curve {
        QCPGraph* steps = nullptr;
        QCPGraph* centres = nullptr;  ///< carries the error bars, or the points of the difference
        QCPErrorBars* errors = nullptr;
    };
    [[nodiscard]] Curve make_curve(QCPAxisRect& axes, const QColor& colour, bool filled, bool points);
    static void fill(Curve& curve, const Spectrum& spectrum, double shift);
    void name_background(Background background, double alpha);

    std::vector<SpectrumChoice> choices_;
    Plot* plot_;
    QComboBox* choice_;
    QCPAxisRect* upper_;
    QCPAxisRect* lower_;
    Curve coincident_, anticoincident_, difference_;
    QCPItemText* hidden_;  ///< why there is no difference

    // What is on the screen: drawn again only when it differs.
    std::shared_ptr<const Snapshot> snapshot_;
    SpectrumTriple shown_;
    int shown_choice_ = -1;
    bool shown_hidden_ = false;
    bool hide_residual_ = false;
    bool chosen_by_hand_ = false;
};

}  // namespace alleycat::gui
