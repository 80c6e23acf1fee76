#include "gui/dashboard.hpp"

#include <QAction>
#include <QApplication>
#include <QBoxLayout>
#include <QDateTime>
#include <QDir>
#include <QFileInfo>
#include <QLabel>
#include <QMenuBar>
#include <QSplitter>
#include <QStatusBar>
#include <QTimer>

#include "daq/core/error.hpp"
#include "gui/alarm_list.hpp"
#include "gui/board_panel.hpp"
#include "gui/cut_flow_table.hpp"
#include "gui/detector_panel.hpp"
#include "gui/discriminant_panel.hpp"
#include "gui/excess_panel.hpp"
#include "gui/format.hpp"
#include "gui/plot.hpp"
#include "gui/scope.hpp"
#include "gui/spectrum_panel.hpp"
#include "gui/status_strip.hpp"
#include "gui/theme.hpp"
#include "gui/trends.hpp"

namespace alleycat::gui {
namespace {

constexpr int kRefreshMs = 200;
constexpr int kMessageMs = 10'000;
constexpr int kAllCuts = 0, kLoose = 2;  // of the choices below

std::vector<SpectrumChoice> choices(SpectrumTriple Snapshot::*on, SpectrumTriple Snapshot::*off,
                                    SpectrumTriple Snapshot::*loose) {
    return {{QStringLiteral("all cuts, beam on"),
             QStringLiteral("Windows that pass all cuts, ticks with beam on: the analysis selection."), on, true,
             QStringLiteral("no window with beam on has passed all cuts yet")},
            {QStringLiteral("all cuts, beam off"),
             QStringLiteral("Windows that pass all cuts, ticks without beam: C and AC must agree."), off, false,
             QStringLiteral("no window with beam off has passed all cuts yet")},
            {QStringLiteral("loose: any arrival"),
             QStringLiteral("Windows with an arrival that fits, no other cut, all beam states: fills within minutes."),
             loose, false, QStringLiteral("no window with an arrival yet")}};
}

}  // namespace

Dashboard::Dashboard(const SnapshotBox<FeedState>& box)
    : box_{box},
      strip_{new StatusStrip},
      scope_{new Scope},
      trends_{new Trends},
      discriminant_{new DiscriminantPanel},
      detectors_{new DetectorPanel},
      boards_{new BoardPanel},
      excess_{new ExcessPanel},
      cut_flow_{new CutFlowTable},
      alarms_{new AlarmList},
      source_{new QLabel} {
    const auto pe = choices(&Snapshot::pe_on, &Snapshot::pe_off, &Snapshot::pe_loose);
    const auto arrival = choices(&Snapshot::arrival_on, &Snapshot::arrival_off, &Snapshot::arrival_loose);
    spectra_ = {new SpectrumPanel{QStringLiteral("Charge"), pe, kAllCuts},
                new SpectrumPanel{QStringLiteral("Charge"), pe, kLoose},
                new SpectrumPanel{QStringLiteral("Arrival"), arrival, kAllCuts}};
    lay_out();
    make_menus();
    resize(1600, 1000);
    setWindowTitle(QStringLiteral("Alleycat monitor"));
    refresh(utc_now());
}

void Dashboard::lay_out() {
    auto* all = new QWidget;
    auto* column = new QVBoxLayout{all};
    column->setContentsMargins(6, 4, 6, 4);
    column->setSpacing(6);
    column->addWidget(strip_);

    const auto take = [this](QSplitter* into, Panel* panel) {
        into->addWidget(panel);
        panels_.push_back(panel);
        panel->on_enlarge = [this, panel] { enlarge(panel); };
    };
    // A station of several detectors has them above its alarms, which are few; so has one its boards.
    auto* corner = new QSplitter{Qt::Vertical};
    corner->setChildrenCollapsible(false);
    for (Panel* panel : {static_cast<Panel*>(detectors_), static_cast<Panel*>(boards_), static_cast<Panel*>(alarms_)}) {
        take(corner, panel);
    }
    corner->setSizes({170, 100, 100});

    auto* rows = new QSplitter{Qt::Vertical};
    const std::vector<std::vector<Panel*>> grid{
        {scope_, spectra_[0], spectra_[1]}, {trends_, spectra_[2], discriminant_}, {excess_, cut_flow_}};
    for (const std::vector<Panel*>& line : grid) {
        auto* row = new QSplitter{Qt::Horizontal};
        row->setChildrenCollapsible(false);
        for (Panel* panel : line) take(row, panel);
        rows->addWidget(row);
        splitters_.push_back(row);
    }
    splitters_.back()->addWidget(corner);
    for (QSplitter* row : splitters_) row->setSizes({600, 480, 480});
    splitters_.push_back(corner);
    rows->setChildrenCollapsible(false);
    rows->setSizes({290, 275, 275});
    column->addWidget(rows, 1);
    setCentralWidget(all);

    show_panels();

    scope_->on_freeze = [this](bool frozen) { set_frozen(frozen); };
    scope_->on_save = [this] { save_here(*scope_, QStringLiteral("scope")); };
}

void Dashboard::make_menus() {
    const auto act = [this](QMenu* menu, const QString& name, std::initializer_list<QKeySequence> keys, auto what) {
        auto* action = new QAction{name, this};
        action->setShortcuts(QList<QKeySequence>{keys});
        connect(action, &QAction::triggered, this, what);
        menu->addAction(action);
        return action;
    };
    QMenu* file = menuBar()->addMenu(QStringLiteral("&File"));
    act(file, QStringLiteral("Save screenshot"), {QKeySequence{Qt::Key_S}},
        [this] { save_here(*this, QStringLiteral("monitor")); });
    act(file, QStringLiteral("Quit"), {QKeySequence{Qt::Key_Q}, QKeySequence{Qt::CTRL | Qt::Key_Q}},
        [this] { close(); });

    QMenu* view = menuBar()->addMenu(QStringLiteral("&View"));
    freeze_action_ =
        act(view, QStringLiteral("Freeze scope"), {QKeySequence{Qt::Key_F}}, [this](bool on) { set_frozen(on); });
    freeze_action_->setCheckable(true);
    hide_action_ = act(view, QStringLiteral("Hide C residual (blind)"), {QKeySequence{Qt::Key_B}},
                       [this](bool on) { set_hide_residual(on); });
    hide_action_->setCheckable(true);
    hide_action_->setToolTip(
        QStringLiteral("Coincident spectra of the analysis selection, differences and excess disappear."));
    act(view, QStringLiteral("All panels"), {QKeySequence{Qt::Key_Escape}}, [this] {
        if (enlarged_ != nullptr) enlarge(enlarged_);
    });
    source_->setContentsMargins(0, 0, 10, 0);
    menuBar()->setCornerWidget(source_);
    statusBar()->setSizeGripEnabled(false);
    statusBar()->setMaximumHeight(20);
    statusBar()->addWidget(new QLabel{QStringLiteral("F freeze · S screenshot · B blind · Q quit")});
}

void Dashboard::start() {
    auto* timer = new QTimer{this};
    connect(timer, &QTimer::timeout, this, [this] { refresh(utc_now()); });
    timer->start(kRefreshMs);
}

void Dashboard::refresh(UtcTime now) {
    const std::shared_ptr<const FeedState> feed = box_.get();
    strip_->show_state(feed ? *feed : FeedState{.source = "the daemon"}, now);
    if (!feed) return;
    if (feed != shown_) {
        shown_ = feed;
        const QString source = text(feed->source);
        if (source_->text() != source) source_->setText(source);
    }
    if (!feed->snapshot || feed->snapshot == drawn_) return;
    drawn_ = feed->snapshot;
    const Snapshot& snapshot = *drawn_;
    if (snapshot.run) {
        const QString title =
            QStringLiteral("Alleycat monitor · run %1 · %2").arg(snapshot.run->run).arg(text(snapshot.run->profile));
        if (windowTitle() != title) setWindowTitle(title);
    }
    scope_->show_snapshot(snapshot);
    trends_->show_snapshot(snapshot);
    if (snapshot.run) {
        // A station without a timing signal never has beam: its spectra are the loose ones.
        const int selection = snapshot.run->tick_rate_hz > 0 ? kAllCuts : kLoose;
        for (SpectrumPanel* panel : {spectra_[0], spectra_[2]}) panel->suggest(selection);
    }
    for (SpectrumPanel* panel : spectra_) panel->show_snapshot(drawn_, hide_residual_);
    discriminant_->show_snapshot(drawn_, hide_residual_);
    const bool show_boards = BoardPanel::worth_showing(snapshot);
    if (several_detectors_ != !snapshot.detectors.empty() || show_boards_ != show_boards) {
        several_detectors_ = !snapshot.detectors.empty();
        show_boards_ = show_boards;
        show_panels();
    }
    detectors_->show_snapshot(snapshot);
    boards_->show_snapshot(snapshot);
    excess_->show_snapshot(snapshot, hide_residual_);
    cut_flow_->show_snapshot(snapshot, hide_residual_);
    alarms_->show_snapshot(snapshot);
}

void Dashboard::set_frozen(bool frozen) {
    scope_->set_frozen(frozen);
    freeze_action_->setChecked(frozen);
    if (!frozen && drawn_) scope_->show_snapshot(*drawn_);
}

void Dashboard::set_hide_residual(bool hide) {
    hide_residual_ = hide;
    hide_action_->setChecked(hide);
    if (!drawn_) return;
    for (SpectrumPanel* panel : spectra_) panel->show_snapshot(drawn_, hide);
    discriminant_->show_snapshot(drawn_, hide);
    excess_->show_snapshot(*drawn_, hide);
    cut_flow_->show_snapshot(*drawn_, hide);
}

void Dashboard::enlarge(Panel* panel) {
    enlarged_ = enlarged_ == panel ? nullptr : panel;
    show_panels();
}

void Dashboard::show_panels() {
    for (Panel* panel : panels_) {
        const bool exists = (panel != detectors_ || several_detectors_) && (panel != boards_ || show_boards_);
        panel->setVisible(enlarged_ == nullptr ? exists : panel == enlarged_);
    }
    for (QSplitter* splitter : splitters_) {
        splitter->setVisible(enlarged_ == nullptr || splitter->isAncestorOf(enlarged_));
    }
}

void Dashboard::save_screenshot(const QString& path) {
    QApplication::sendPostedEvents(nullptr, QEvent::LayoutRequest);  // of words that just changed
    save_png(grab(), path);
}

void Dashboard::save_here(QWidget& what, const QString& name) {
    const QString run =
        drawn_ && drawn_->run ? QStringLiteral("run%1-").arg(drawn_->run->run, 6, 10, QChar{'0'}) : QString{};
    const QString stamp = QDateTime::currentDateTimeUtc().toString(QStringLiteral("yyyyMMdd'T'HHmmss.zzz'Z'"));
    const QString path = QDir::current().filePath(QStringLiteral("alleycat-%1%2-%3.png").arg(run, name, stamp));
    try {
        if (QFileInfo::exists(path)) throw Error{path.toStdString() + ": exists already, nothing is overwritten"};
        save_png(what.grab(), path);
        statusBar()->showMessage(QStringLiteral("saved ") + path, kMessageMs);
    } catch (const Error& error) {
        statusBar()->showMessage(text(error.what()), kMessageMs);
    }
}

}  // namespace alleycat::gui
