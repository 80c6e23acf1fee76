#include "gui/discriminant_panel.hpp"

#include <QBoxLayout>
#include <QComboBox>
#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <utility>

#include "gui/format.hpp"
#include "gui/theme.hpp"

namespace alleycat::gui {
namespace {

struct Choice {
    const char* name;  ///< %1: what the background is called
    DiscriminantMaps DiscriminantView::*selection;
    Spectrum2D DiscriminantMaps::*map;
    bool has_signal;  ///< blinding hides it
};
constexpr std::array<Choice, 5> kChoices{
    {{"loose: C + %1", &DiscriminantView::loose, &DiscriminantMaps::both, false},
     {"loose: C", &DiscriminantView::loose, &DiscriminantMaps::coincident, false},
     {"loose: %1", &DiscriminantView::loose, &DiscriminantMaps::anticoincident, false},
     {"all cuts, beam on: C", &DiscriminantView::on, &DiscriminantMaps::coincident, true},
     {"all cuts, beam on: %1", &DiscriminantView::on, &DiscriminantMaps::anticoincident, false}}};

bool same(const Spectrum2D& a, const Spectrum2D& b) {
    return a.counts == b.counts && a.x_edges == b.x_edges && a.y_edges == b.y_edges && a.outside == b.outside;
}
bool same(const SpectrumTriple& a, const SpectrumTriple& b) {
    return a.coincident.value == b.coincident.value && a.anticoincident.value == b.anticoincident.value;
}

/// A map that can be drawn: a count per cell.
bool sound(const Spectrum2D& map) {
    return map.x_edges.size() >= 2 && map.y_edges.size() >= 2 &&
           map.counts.size() == (map.x_edges.size() - 1) * (map.y_edges.size() - 1);
}

bool is_empty(const Spectrum2D& map) {
    return std::all_of(map.counts.begin(), map.counts.end(), [](double n) { return n == 0; });
}

/// From blue over green to yellow, each step lighter than the one before, and all lighter than the ground.
QCPColorGradient colours() {
    QCPColorGradient gradient;
    gradient.clearColorStops();
    gradient.setColorStopAt(0, QColor{0x3E, 0x55, 0xA0});
    gradient.setColorStopAt(0.3, QColor{0x2C, 0x86, 0xA8});
    gradient.setColorStopAt(0.6, QColor{0x35, 0xB7, 0x79});
    gradient.setColorStopAt(0.85, QColor{0xC3, 0xDF, 0x3A});
    gradient.setColorStopAt(1, QColor{0xFD, 0xF0, 0x60});
    gradient.setNanHandling(QCPColorGradient::nhTransparent);
    return gradient;
}

void logarithmic(QCPAxis& axis) {
    axis.setScaleType(QCPAxis::stLogarithmic);
    const QSharedPointer<QCPAxisTickerLog> ticker{new QCPAxisTickerLog};
    ticker->setTickCount(3);
    axis.setTicker(ticker);
    axis.setNumberFormat(QStringLiteral("gb"));
    axis.setNumberPrecision(0);
}

/// Centres of the first and the last bin, as QCustomPlot has it.
QCPRange centres(const std::vector<double>& edges) {
    const std::size_t n = edges.size();
    return {(edges[0] + edges[1]) / 2, (edges[n - 2] + edges[n - 1]) / 2};
}

/// `floor`: where an empty bin stands on a logarithmic axis.
void fill(QCPGraph& graph, const Spectrum& spectrum, double floor) {
    QVector<QCPGraphData> steps;
    for (std::size_t k = 0; k < spectrum.value.size(); ++k) {
        steps.append({spectrum.edges[k], std::max(spectrum.value[k], floor)});
    }
    if (!steps.isEmpty()) steps.append({spectrum.edges.back(), steps.back().value});
    graph.data()->set(steps, true);
}

/// Adds the smallest and the largest value that is not zero to `range`.
void reach(const Spectrum& spectrum, QCPRange& range) {
    for (const double n : spectrum.value) {
        if (n > 0) range.expand(n);
    }
}

}  // namespace

DiscriminantPanel::DiscriminantPanel()
    : Panel{QStringLiteral("Discriminant"),
            QStringLiteral(
                "What tells one kind of pulse from another, against another feature: counts per cell on a "
                "logarithmic scale of colour, with the profile's cuts as dashed lines. Right of it what is on "
                "the map as spectra of C and of its background for the same exposure. [monitor.discriminant] "
                "of the station file says which features these are.")},
      plot_{new Plot{std::chrono::seconds{1}}},
      choice_{new QComboBox} {
    for (std::size_t k = 0; k < kChoices.size(); ++k) choice_->addItem(QString{});
    name_choices(Background::anticoincident);
    choice_->setToolTip(QStringLiteral(
        "Loose: an arrival that fits, no other cut, all beam states; fills within minutes. All cuts: the "
        "analysis selection, arrivals in the box."));
    connect(choice_, &QComboBox::currentIndexChanged, this, [this] {
        if (snapshot_) show_snapshot(snapshot_, hide_residual_);
        plot_->changed_by_hand();
    });
    add_tool(choice_);
    body().addWidget(plot_);

    plot_->plotLayout()->clear();
    map_axes_ = new QCPAxisRect{plot_};
    projection_axes_ = new QCPAxisRect{plot_};
    scale_ = new QCPColorScale{plot_};
    auto* together = new QCPMarginGroup{plot_};
    for (QCPAxisRect* axes : {map_axes_, projection_axes_}) {
        style_axes(*axes);
        axes->setMarginGroup(QCP::msTop | QCP::msBottom, together);
    }
    scale_->setMarginGroup(QCP::msTop | QCP::msBottom, together);
    plot_->plotLayout()->addElement(0, 0, map_axes_);
    plot_->plotLayout()->addElement(0, 1, projection_axes_);
    plot_->plotLayout()->addElement(0, 2, scale_);
    plot_->plotLayout()->setColumnStretchFactor(0, 2.6);
    plot_->plotLayout()->setColumnSpacing(10);
    projection_axes_->axis(QCPAxis::atLeft)->setTickLabels(false);
    logarithmic(*projection_axes_->axis(QCPAxis::atBottom));
    label(*projection_axes_->axis(QCPAxis::atBottom), QStringLiteral("events / bin"));

    scale_->setType(QCPAxis::atRight);
    scale_->setBarWidth(9);
    scale_->setDataScaleType(QCPAxis::stLogarithmic);
    logarithmic(*scale_->axis());
    style_axis(*scale_->axis());
    scale_->setGradient(colours());

    map_ = new QCPColorMap{map_axes_->axis(QCPAxis::atBottom), map_axes_->axis(QCPAxis::atLeft)};
    map_->setInterpolate(false);
    map_->setTightBoundary(false);
    map_->setColorScale(scale_);

    const auto steps = [this](const QColor& colour) {
        auto* graph = new QCPGraph{projection_axes_->axis(QCPAxis::atLeft), projection_axes_->axis(QCPAxis::atBottom)};
        graph->setLineStyle(QCPGraph::lsStepLeft);
        graph->setPen(QPen{colour, 1.5});
        graph->setAntialiased(false);
        return graph;
    };
    background_ = steps(theme::kAnticoincident);
    coincident_ = steps(theme::kCoincident);

    hidden_ = new QCPItemText{plot_};
    hidden_->position->setType(QCPItemPosition::ptAxisRectRatio);
    hidden_->position->setAxisRect(map_axes_);
    hidden_->position->setCoords(0.5, 0.5);
    hidden_->setClipAxisRect(map_axes_);
    hidden_->setColor(theme::kMuted);
    hidden_->setText(QStringLiteral("C is hidden (blind)"));
    hidden_->setVisible(false);
    plot_->set_message(QStringLiteral("waiting for the first event"));
}

void DiscriminantPanel::choose(int choice) { choice_->setCurrentIndex(choice); }

int DiscriminantPanel::filled_cells() const {
    int filled = 0;
    for (int x = 0; x < map_->data()->keySize(); ++x) {
        for (int y = 0; y < map_->data()->valueSize(); ++y) filled += !std::isnan(map_->data()->cell(x, y));
    }
    return filled;
}

bool DiscriminantPanel::coincident_visible() const { return !coincident_->data()->isEmpty(); }

void DiscriminantPanel::name_choices(Background background) {
    for (std::size_t k = 0; k < kChoices.size(); ++k) {
        choice_->setItemText(
            static_cast<int>(k),
            QString::fromLatin1(kChoices[k].name).replace(QStringLiteral("%1"), short_name(background)));
    }
    set_legend(theme::coloured(QStringLiteral("━ C"), theme::kCoincident) + QStringLiteral("&nbsp; ") +
               theme::coloured(QStringLiteral("━ ") + short_name(background), theme::kAnticoincident));
    shown_background_ = background;
}

void DiscriminantPanel::draw_map(const Spectrum2D& map, bool hidden) {
    const auto columns = static_cast<int>(map.x_edges.size() - 1);
    const auto rows = static_cast<int>(map.y_edges.size() - 1);
    QCPColorMapData& cells = *map_->data();
    cells.setSize(columns, rows);
    cells.setRange(centres(map.x_edges), centres(map.y_edges));
    // An empty cell is no colour, and what is hidden is not in the plot at all.
    double most = 0;
    auto count = map.counts.begin();
    for (int y = 0; y < rows; ++y) {
        for (int x = 0; x < columns; ++x, ++count) {
            const bool drawn = *count > 0 && !hidden;
            cells.setCell(x, y, drawn ? *count : std::numeric_limits<double>::quiet_NaN());
            if (drawn) most = std::max(most, *count);
        }
    }
    map_->setDataRange({0.9, std::max(most, 10.0)});
    map_axes_->axis(QCPAxis::atBottom)->setRange(map.x_edges.front(), map.x_edges.back());
    for (QCPAxisRect* axes : {map_axes_, projection_axes_}) {
        axes->axis(QCPAxis::atLeft)->setRange(map.y_edges.front(), map.y_edges.back());
    }
    label(*map_axes_->axis(QCPAxis::atBottom), text(map.x_axis));
    label(*map_axes_->axis(QCPAxis::atLeft), text(map.y_axis));
    hidden_->setVisible(hidden);
    plot_->setToolTip(QStringLiteral("%1\noutside the map: %2; without a value: %3")
                          .arg(hidden ? QStringLiteral("hidden") : text(map.title), number_text(map.outside),
                               number_text(map.undefined)));
}

void DiscriminantPanel::draw_projection(const SpectrumTriple& projection, bool hidden) {
    const Spectrum nothing;
    const Spectrum& coincident = hidden ? nothing : projection.coincident;
    QCPRange range{1, 10};
    reach(projection.anticoincident, range);
    reach(coincident, range);
    const double floor = 0.5 * range.lower;
    fill(*background_, projection.anticoincident, floor);
    fill(*coincident_, coincident, floor);
    projection_axes_->axis(QCPAxis::atBottom)->setRange(floor, 2 * range.upper);
}

void DiscriminantPanel::draw_cuts(const std::vector<CutLine>& cuts) {
    for (QCPItemStraightLine* line : lines_) plot_->removeItem(line);
    lines_.clear();
    for (const CutLine& cut : cuts) {
        auto* line = new QCPItemStraightLine{plot_};
        line->setClipAxisRect(map_axes_);
        line->setPen(QPen{theme::kText, 1, Qt::DashLine});
        line->setAntialiased(false);
        for (QCPItemPosition* end : {line->point1, line->point2}) {
            end->setAxisRect(map_axes_);
            end->setAxes(map_axes_->axis(QCPAxis::atBottom), map_axes_->axis(QCPAxis::atLeft));
        }
        switch (cut.along) {
            case CutLine::Along::x:
                line->point1->setCoords(cut.at, 0);
                line->point2->setCoords(cut.at, 1);
                break;
            case CutLine::Along::y:
                line->point1->setCoords(0, cut.at);
                line->point2->setCoords(1, cut.at);
                break;
            case CutLine::Along::diagonal:
                line->point1->setCoords(0, 0);
                line->point2->setCoords(1, 1);
                break;
        }
        lines_.push_back(line);
    }
}

void DiscriminantPanel::show_snapshot(std::shared_ptr<const Snapshot> snapshot, bool hide_residual) {
    snapshot_ = std::move(snapshot);
    hide_residual_ = hide_residual;
    if (snapshot_->background != shown_background_) name_choices(snapshot_->background);
    const int k = choice_->currentIndex();
    const Choice& choice = kChoices.at(static_cast<std::size_t>(k));
    const DiscriminantView& view = snapshot_->discriminant;
    const DiscriminantMaps& maps = view.*choice.selection;
    const Spectrum2D& map = maps.*choice.map;
    // All cuts: the projection holds C, whichever map is chosen.
    const bool all_cuts = choice.selection == &DiscriminantView::on;
    const bool hidden = hide_residual && all_cuts;
    if (!view.problem.empty()) {
        plot_->set_message(text(view.problem));
        return;
    }
    if (snapshot_->events == 0 || !sound(map)) {
        plot_->set_message(QStringLiteral("waiting for the first event"));
        return;
    }
    if (is_empty(map) && !(hidden && choice.has_signal)) {
        plot_->set_message(all_cuts ? QStringLiteral("no such window with beam on has passed all cuts yet")
                                    : QStringLiteral("no such window with an arrival on the map yet"));
    } else {
        plot_->set_message({});
    }
    if (k == shown_choice_ && hidden == shown_hidden_ && view.cuts == shown_cuts_ && same(map, shown_map_) &&
        same(maps.projection, shown_projection_)) {
        return;
    }
    if (hidden != shown_hidden_) plot_->changed_by_hand();
    shown_choice_ = k;
    shown_hidden_ = hidden;
    shown_map_ = map;
    shown_projection_ = maps.projection;
    draw_map(map, hidden && choice.has_signal);
    draw_projection(maps.projection, hidden);
    if (view.cuts != shown_cuts_) {
        draw_cuts(view.cuts);
        shown_cuts_ = view.cuts;
    }
    plot_->changed();
}

}  // namespace alleycat::gui
