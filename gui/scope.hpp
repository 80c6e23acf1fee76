#pragma once

#include <memory>
#include <vector>

#include "daq/core/code_map.hpp"
#include "gui/panel.hpp"
#include "gui/plot.hpp"
#include "monitor/snapshot.hpp"

class QToolButton;

namespace alleycat::gui {

/// The newest waveform: one strip per channel, windows shaded, peaks marked, baseline drawn; may be frozen.
///
/// Drawn as a min/max envelope of the visible samples, in ADC counts after the channel's code map (codes as delivered
/// while the run is not known). Wheel and drag zoom and pan in time; a double click shows everything again.
class Scope : public Panel {
  public:
    Scope();

    void show_snapshot(const Snapshot& snapshot);
    void set_frozen(bool frozen);
    [[nodiscard]] bool frozen() const noexcept { return frozen_; }
    /// Sequence of the trace on the screen; 0 before the first.
    [[nodiscard]] std::uint64_t sequence() const noexcept { return drawn_ ? drawn_->sequence : 0; }
    /// Zooms to this part of the trace.
    void zoom_to(double begin_us, double end_us);
    [[nodiscard]] Plot& plot() noexcept { return *plot_; }

    std::function<void(bool)> on_freeze;  ///< the freeze button was toggled
    std::function<void()> on_save;        ///< the save button was pressed

  private:
    /// One strip: a channel, its samples in the unit shown, and what draws it.
    struct Strip {
        QCPAxisRect* axes = nullptr;
        QCPGraph* trace = nullptr;
        QCPGraph* peaks = nullptr;  ///< marks; signal channel only
        QCPItemStraightLine* baseline = nullptr;
        QCPItemText* name = nullptr;
        std::vector<std::int32_t> samples;
        int columns = 0;  ///< pixels it was drawn for
        double period_us = 0;
        bool is_signal = false;
        bool negative_pulses = true;
        const CodeTable* codes = nullptr;  ///< nullptr: codes are counts
    };
    [[nodiscard]] bool fits(const Waveform& waveform) const;
    void build_strips(const Waveform& waveform);
    void shade_windows(const Strip& strip, double signal_period_us);
    void load(const Waveform& waveform);
    void draw_all();
    void draw(Strip& strip, QCPRange visible_us);

    Plot* plot_;
    QToolButton* freeze_;
    std::vector<Strip> strips_;
    std::shared_ptr<const Waveform> drawn_;
    std::shared_ptr<const RunDescription> run_;        ///< newest
    std::shared_ptr<const RunDescription> built_for_;  ///< strips and shades were made for it
    bool frozen_ = false;
    bool zoomed_ = false;
    bool drawing_ = false;  ///< ranges are being set by draw_all(), not by the user
    double full_us_ = 0;
};

}  // namespace alleycat::gui
