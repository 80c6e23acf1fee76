#pragma once

#include <QMainWindow>
#include <memory>
#include <vector>

#include "daq/core/snapshot_box.hpp"
#include "daq/core/time.hpp"
#include "gui/feed_state.hpp"

class QAction;
class QLabel;
class QSplitter;

namespace alleycat::gui {

class AlarmList;
class BoardPanel;
class CutFlowTable;
class DetectorPanel;
class DiscriminantPanel;
class ExcessPanel;
class Panel;
class Scope;
class SpectrumPanel;
class StatusStrip;
class Trends;

/// The window of the shift operator. It pulls what the feed left in the box on a timer; nothing else reaches it.
class Dashboard : public QMainWindow {
  public:
    /// `box` must outlive the window.
    explicit Dashboard(const SnapshotBox<FeedState>& box);

    /// Looks into the box now, as the timer does five times a second.
    void refresh(UtcTime now);
    /// Starts the timer.
    void start();

    void set_frozen(bool frozen);
    /// Blinding: coincident spectra of the analysis selection, their differences and the excess disappear.
    void set_hide_residual(bool hide);

    /// Saves the whole window; throws Error naming the file.
    void save_screenshot(const QString& path);

    [[nodiscard]] Scope& scope() noexcept { return *scope_; }
    [[nodiscard]] Trends& trends() noexcept { return *trends_; }
    [[nodiscard]] ExcessPanel& excess() noexcept { return *excess_; }
    [[nodiscard]] CutFlowTable& cut_flow() noexcept { return *cut_flow_; }
    [[nodiscard]] AlarmList& alarms() noexcept { return *alarms_; }
    [[nodiscard]] StatusStrip& strip() noexcept { return *strip_; }
    [[nodiscard]] DiscriminantPanel& discriminant() noexcept { return *discriminant_; }
    [[nodiscard]] DetectorPanel& detectors() noexcept { return *detectors_; }
    [[nodiscard]] BoardPanel& boards() noexcept { return *boards_; }
    /// Charge selected, charge loose, arrival selected.
    [[nodiscard]] SpectrumPanel& spectrum(std::size_t k) { return *spectra_.at(k); }

  private:
    void make_menus();
    void lay_out();
    void enlarge(Panel* panel);
    /// Which panels are to be seen: the enlarged one, or all that have something to show in this station.
    void show_panels();
    /// Saves under a new name in the current folder and says so, or why not, in the status bar.
    void save_here(QWidget& what, const QString& name);

    const SnapshotBox<FeedState>& box_;
    std::shared_ptr<const FeedState> shown_;
    std::shared_ptr<const Snapshot> drawn_;
    bool hide_residual_ = false;

    StatusStrip* strip_;
    Scope* scope_;
    Trends* trends_;
    std::vector<SpectrumPanel*> spectra_;
    DiscriminantPanel* discriminant_;
    DetectorPanel* detectors_;
    BoardPanel* boards_;
    ExcessPanel* excess_;
    CutFlowTable* cut_flow_;
    AlarmList* alarms_;
    std::vector<QSplitter*> splitters_;  ///< all but the outermost
    std::vector<Panel*> panels_;
    Panel* enlarged_ = nullptr;
    bool several_detectors_ = false, show_boards_ = false;
    QAction* freeze_action_ = nullptr;
    QAction* hide_action_ = nullptr;
    QLabel* source_;
};

}  // namespace alleycat::gui
