#include "gui/spectrum_panel.hpp"

#include <QBoxLayout>
#include <QComboBox>
#include <algorithm>
#include <cmath>
#include <utility>

#include "gui/format.hpp"
#include "gui/theme.hpp"

namespace alleycat::gui {
namespace {

bool same(const Spectrum& a, const Spectrum& b) {
    return a.edges == b.edges && a.value == b.value && a.error == b.error && a.above == b.above && a.below == b.below;
}

/// A spectrum that can be drawn: as many values and errors as bins.
bool sound(const Spectrum& spectrum) {
    return spectrum.edges.size() >= 2 && spectrum.value.size() + 1 == spectrum.edges.size() &&
           spectrum.error.size() == spectrum.value.size();
}

bool all_zero(const Spectrum& spectrum) {
    return std::all_of(spectrum.value.begin(), spectrum.value.end(), [](double v) { return v == 0; });
}

/// Lowest and highest point of values with their errors, added to `range`.
void reach(const Spectrum& spectrum, QCPRange& range) {
    for (std::size_t k = 0; k < spectrum.value.size(); ++k) {
        range.expand(spectrum.value[k] - spectrum.error[k]);
        range.expand(spectrum.value[k] + spectrum.error[k]);
    }
}

}  // namespace

SpectrumPanel::SpectrumPanel(const QString& title, std::vector<SpectrumChoice> choices, int first_choice)
    : Panel{title, choices.at(static_cast<std::size_t>(first_choice)).tooltip},
      choices_{std::move(choices)},
      plot_{new Plot{std::chrono::seconds{1}}},
      choice_{new QComboBox} {
    for (const SpectrumChoice& choice : choices_) {
        choice_->addItem(choice.name);
        choice_->setItemData(choice_->count() - 1, choice.tooltip, Qt::ToolTipRole);
    }
    choice_->setCurrentIndex(first_choice);
    choice_->setToolTip(choices_[static_cast<std::size_t>(first_choice)].tooltip);
    connect(choice_, &QComboBox::currentIndexChanged, this, [this](int k) {
        choice_->setToolTip(choices_[static_cast<std::size_t>(k)].tooltip);
        if (snapshot_) show_snapshot(snapshot_, hide_residual_);
        plot_->changed_by_hand();
    });
    connect(choice_, &QComboBox::activated, this, [this] { chosen_by_hand_ = true; });
    add_tool(choice_);
    body().addWidget(plot_);

    plot_->plotLayout()->clear();
    upper_ = new QCPAxisRect{plot_};
    lower_ = new QCPAxisRect{plot_};
    auto* together = new QCPMarginGroup{plot_};
    for (QCPAxisRect* axes : {upper_, lower_}) {
        style_axes(*axes);
        axes->setMarginGroup(QCP::msLeft | QCP::msRight, together);
    }
    plot_->plotLayout()->addElement(0, 0, upper_);
    plot_->plotLayout()->addElement(1, 0, lower_);
    plot_->plotLayout()->setRowStretchFactor(0, 1.9);
    upper_->axis(QCPAxis::atBottom)->setTickLabels(false);
    lower_->axis(QCPAxis::atLeft)->ticker()->setTickCount(3);
    label(*upper_->axis(QCPAxis::atLeft), QStringLiteral("events / bin"));

    anticoincident_ = make_curve(*upper_, theme::kAnticoincident, true, false);
    coincident_ = make_curve(*upper_, theme::kCoincident, false, false);
    difference_ = make_curve(*lower_, theme::kDifference, false, true);

    hidden_ = new QCPItemText{plot_};
    hidden_->position->setType(QCPItemPosition::ptAxisRectRatio);
    hidden_->position->setAxisRect(lower_);
    hidden_->position->setCoords(0.5, 0.5);
    hidden_->setClipAxisRect(lower_);
    hidden_->setColor(theme::kMuted);
    hidden_->setVisible(false);
    name_background({}, 1);
    plot_->set_message(QStringLiteral("waiting for the first event"));
}

/// C is compared with its background at the same exposure; where that took a factor, the factor is shown.
void SpectrumPanel::name_background(Background background, double alpha) {
    const QString off = short_name(background);
    const bool plain = alpha == 1 || std::isnan(alpha);
    const QString factor = plain ? QString{} : number_text(alpha) + QStringLiteral(" ");
    set_legend(theme::coloured(QStringLiteral("━ C"), theme::kCoincident) + QStringLiteral("&nbsp; ") +
               theme::coloured(QStringLiteral("━ ") + factor + off, theme::kAnticoincident) +
               QStringLiteral("&nbsp; ") + theme::coloured(QStringLiteral("● C − ") + off, theme::kDifference));
    label(*lower_->axis(QCPAxis::atLeft), QStringLiteral("C − ") + off);
}

void SpectrumPanel::choose(int choice) {
    chosen_by_hand_ = true;
    choice_->setCurrentIndex(choice);
}
void SpectrumPanel::suggest(int choice) {
    if (!chosen_by_hand_) choice_->setCurrentIndex(choice);
}
bool SpectrumPanel::coincident_visible() const {
    return coincident_.steps->visible() && !coincident_.steps->data()->isEmpty();
}
bool SpectrumPanel::difference_visible() const {
    return difference_.centres->visible() && !difference_.centres->data()->isEmpty();
}

SpectrumPanel::Curve SpectrumPanel::make_curve(QCPAxisRect& axes, const QColor& colour, bool filled, bool points) {
    QCPAxis* const x = axes.axis(QCPAxis::atBottom);
    QCPAxis* const y = axes.axis(QCPAxis::atLeft);
    Curve curve;
    curve.steps = new QCPGraph{x, y};
    curve.steps->setLineStyle(QCPGraph::lsStepLeft);
    curve.steps->setPen(QPen{colour, 2});
    curve.steps->setAntialiased(false);  // steps and error bars run along the pixels
    curve.steps->setAntialiasedFill(false);
    curve.steps->setVisible(!points);
    if (filled) {
        QColor fill = colour;
        fill.setAlpha(50);
        curve.steps->setBrush(fill);
    }
    curve.centres = new QCPGraph{x, y};
    curve.centres->setLineStyle(QCPGraph::lsNone);
    if (points) curve.centres->setScatterStyle(QCPScatterStyle{QCPScatterStyle::ssDisc, colour, colour, 4});
    curve.errors = new QCPErrorBars{x, y};
    curve.errors->setDataPlottable(curve.centres);
    curve.errors->setPen(QPen{colour, 1});
    curve.errors->setAntialiased(false);
    curve.errors->setWhiskerWidth(0);
    curve.errors->setSymbolGap(points ? 4 : 0);
    return curve;
}

/// `shift` moves the error bars aside, as a share of the bin, so that two spectra do not hide each other's.
void SpectrumPanel::fill(Curve& curve, const Spectrum& spectrum, double shift) {
    QVector<QCPGraphData> steps, centres;
    QVector<QCPErrorBarsData> errors;
    for (std::size_t k = 0; k < spectrum.value.size(); ++k) {
        const double width = spectrum.edges[k + 1] - spectrum.edges[k];
        steps.append({spectrum.edges[k], spectrum.value[k]});
        centres.append({spectrum.edges[k] + (0.5 + shift) * width, spectrum.value[k]});
        errors.append(QCPErrorBarsData{spectrum.error[k]});
    }
    if (!spectrum.value.empty()) steps.append({spectrum.edges.back(), spectrum.value.back()});
    curve.steps->data()->set(steps, true);
    curve.centres->data()->set(centres, true);
    *curve.errors->data() = errors;
}

void SpectrumPanel::show_snapshot(std::shared_ptr<const Snapshot> snapshot, bool hide_residual) {
    snapshot_ = std::move(snapshot);
    hide_residual_ = hide_residual;
    const int k = choice_->currentIndex();
    const SpectrumChoice& choice = choices_[static_cast<std::size_t>(k)];
    const SpectrumTriple& spectra = (*snapshot_).*choice.spectra;
    const bool hidden = hide_residual && choice.has_signal;
    if (hidden != shown_hidden_) plot_->changed_by_hand();
    const bool drawable = sound(spectra.coincident) && sound(spectra.anticoincident) && sound(spectra.difference);
    if (snapshot_->events == 0 || !drawable) {
        plot_->set_message(QStringLiteral("waiting for the first event"));
        return;
    }
    name_background(snapshot_->background, spectra.alpha);
    const bool comparable = !std::isnan(spectra.alpha);
    hidden_->setVisible(hidden || !comparable);
    hidden_->setText(hidden ? QStringLiteral("C and the difference are hidden (blind)")
                            : why_not_comparable(*snapshot_));
    const bool empty = all_zero(spectra.anticoincident) && (hidden || all_zero(spectra.coincident));
    plot_->set_message(empty ? choice.empty : QString{});
    if (k == shown_choice_ && hidden == shown_hidden_ && same(spectra.coincident, shown_.coincident) &&
        same(spectra.anticoincident, shown_.anticoincident) && same(spectra.difference, shown_.difference)) {
        return;
    }
    shown_choice_ = k;
    shown_hidden_ = hidden;
    shown_ = spectra;

    // What is hidden is not in the plot at all: no zoom and no file brings it back.
    const Spectrum nothing;
    fill(coincident_, hidden ? nothing : spectra.coincident, -0.06);
    fill(anticoincident_, spectra.anticoincident, hidden ? 0 : 0.06);
    fill(difference_, hidden ? nothing : spectra.difference, 0);

    const QCPRange x{spectra.anticoincident.edges.front(), spectra.anticoincident.edges.back()};
    QCPRange upper{0, 0}, lower{0, 0};
    reach(spectra.anticoincident, upper);
    if (!hidden) {
        reach(spectra.coincident, upper);
        reach(spectra.difference, lower);
    }
    upper_->axis(QCPAxis::atBottom)->setRange(x);
    lower_->axis(QCPAxis::atBottom)->setRange(x);
    upper_->axis(QCPAxis::atLeft)->setRange(0, upper.upper > 0 ? 1.08 * upper.upper : 1);
    lower_->axis(QCPAxis::atLeft)->setRange(padded(lower.lower, lower.upper));
    label(*lower_->axis(QCPAxis::atBottom),
          text(spectra.anticoincident.axis).replace(QStringLiteral("[us]"), QStringLiteral("[µs]")));
    const auto outside = [](const Spectrum& s) {
        return QStringLiteral("%1 below, %2 above").arg(number_text(s.below), number_text(s.above));
    };
    plot_->setToolTip(QStringLiteral("%1\noutside the axis: AC %2%3")
                          .arg(choice.tooltip, outside(spectra.anticoincident),
                               hidden ? QString{} : QStringLiteral("; C ") + outside(spectra.coincident)));
    plot_->changed();
}

}  // namespace alleycat::gui
