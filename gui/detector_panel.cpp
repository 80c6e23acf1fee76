#include "gui/detector_panel.hpp"

#include <QBoxLayout>
#include <algorithm>
#include <cmath>
#include <limits>

#include "gui/format.hpp"
#include "gui/theme.hpp"

namespace alleycat::gui {
namespace {

constexpr std::size_t kMostNames = 12;  // more do not fit side by side: then numbers stand there

bool same(const DetectorState& a, const DetectorState& b) {
    const auto equal = [](double x, double y) { return x == y || (std::isnan(x) && std::isnan(y)); };
    return a.name == b.name && a.rate_hz == b.rate_hz && a.silent == b.silent && equal(a.mean_charge, b.mean_charge) &&
           a.spe_charge_adc == b.spe_charge_adc;
}

QString described(const DetectorState& d, const QString& unit) {
    QString words =
        QStringLiteral("%1: %2 Hz, %3 events, mean charge %4 %5")
            .arg(text(d.name), number_text(d.rate_hz), count_text(d.events), number_text(d.mean_charge), unit);
    if (d.spe_charge_adc > 0) {
        words += QStringLiteral(", SPE %1 ADC·sample").arg(value_error_text(d.spe_charge_adc, d.spe_charge_error_adc));
    }
    return d.silent ? words + QStringLiteral(" — SILENT") : words;
}

}  // namespace

DetectorPanel::DetectorPanel()
    : Panel{QStringLiteral("Detectors"),
            QStringLiteral(
                "Each detector of the station, in the order of the station file: its rate over the newest "
                "interval, its mean charge, its newest SPE charge. A detector is silent when the others had so "
                "many events since its last one that it should have had some.")},
      plot_{new Plot{std::chrono::seconds{2}}} {
    body().addWidget(plot_);
    plot_->plotLayout()->clear();
    rate_ = make_row(theme::kAnticoincident, true);
    charge_ = make_row(theme::kCoincident, false);
    gain_ = make_row(theme::kDifference, false);
    auto* together = new QCPMarginGroup{plot_};
    int k = 0;
    for (Row* row : {&rate_, &charge_, &gain_}) {
        row->axes->setMarginGroup(QCP::msLeft | QCP::msRight, together);
        plot_->plotLayout()->addElement(k++, 0, row->axes);
    }
    label(*rate_.axes->axis(QCPAxis::atLeft), QStringLiteral("Hz"));
    label(*gain_.axes->axis(QCPAxis::atLeft), QStringLiteral("SPE"));
    plot_->set_message(QStringLiteral("waiting for the first event"));
}

DetectorPanel::Row DetectorPanel::make_row(const QColor& colour, bool bars) {
    Row row;
    row.axes = new QCPAxisRect{plot_};
    style_axes(*row.axes);
    QCPAxis* const x = row.axes->axis(QCPAxis::atBottom);
    QCPAxis* const y = row.axes->axis(QCPAxis::atLeft);
    x->setTickLabels(false);
    x->grid()->setVisible(false);
    y->ticker()->setTickCount(2);
    if (bars) {
        row.bars = new QCPBars{x, y};
        row.bars->setWidth(0.7);
        row.bars->setPen(Qt::NoPen);
        row.bars->setBrush(colour);
        row.bars->setAntialiased(false);
    }
    row.points = new QCPGraph{x, y};
    row.points->setLineStyle(QCPGraph::lsNone);
    if (!bars) row.points->setScatterStyle(QCPScatterStyle{QCPScatterStyle::ssDisc, colour, colour, 4});
    row.errors = new QCPErrorBars{x, y};
    row.errors->setDataPlottable(row.points);
    row.errors->setPen(QPen{bars ? theme::kText : colour, 1});
    row.errors->setWhiskerWidth(0);
    row.errors->setSymbolGap(bars ? 0 : 4);
    return row;
}

void DetectorPanel::fill(Row& row, const std::vector<double>& value, const std::vector<double>& error) {
    QVector<QCPGraphData> points;
    QVector<QCPErrorBarsData> errors;
    QVector<double> x, heights;
    QCPRange range{0, 0};
    for (std::size_t k = 0; k < value.size(); ++k) {
        const double at = static_cast<double>(k) + 1;
        points.append({at, value[k]});
        errors.append(QCPErrorBarsData{error[k]});
        x.append(at);
        heights.append(value[k]);
        range.expand(value[k] + error[k]);
    }
    row.points->data()->set(points, true);
    *row.errors->data() = errors;
    if (row.bars != nullptr) row.bars->setData(x, heights, true);
    row.axes->axis(QCPAxis::atBottom)->setRange(0.4, static_cast<double>(value.size()) + 0.6);
    row.axes->axis(QCPAxis::atLeft)->setRange(0, range.upper > 0 ? 1.15 * range.upper : 1);
}

/// Names below the lowest row that is shown; numbers from 1 on where there are too many of them.
void DetectorPanel::name_detectors(const std::vector<DetectorState>& detectors) {
    const bool gains = gain_.axes->visible();
    for (Row* row : {&rate_, &charge_, &gain_}) row->axes->axis(QCPAxis::atBottom)->setTickLabels(false);
    QCPAxis& axis = *(gains ? gain_ : charge_).axes->axis(QCPAxis::atBottom);
    axis.setTickLabels(true);
    const QSharedPointer<QCPAxisTickerText> ticker{new QCPAxisTickerText};
    const bool names = detectors.size() <= kMostNames;
    const std::size_t step = names ? 1 : (detectors.size() + kMostNames - 1) / kMostNames;
    for (std::size_t k = 0; k < detectors.size(); k += step) {
        ticker->addTick(static_cast<double>(k) + 1, names ? text(detectors[k].name) : QString::number(k + 1));
    }
    axis.setTicker(ticker);
}

void DetectorPanel::show_snapshot(const Snapshot& snapshot) {
    const std::vector<DetectorState>& detectors = snapshot.detectors;
    const bool any = std::any_of(detectors.begin(), detectors.end(), [](const auto& d) { return d.events > 0; });
    plot_->set_message(any ? QString{} : QStringLiteral("no event of any detector yet"));
    if (std::equal(detectors.begin(), detectors.end(), shown_.begin(), shown_.end(), same)) return;
    const bool others = !std::equal(detectors.begin(), detectors.end(), shown_.begin(), shown_.end(),
                                    [](const auto& a, const auto& b) { return a.name == b.name; });
    shown_ = detectors;

    std::vector<double> rate, rate_error, charge, charge_error, gain, gain_error;
    QString tip;
    QStringList silent;
    for (const DetectorState& d : detectors) {
        rate.push_back(d.rate_hz);
        rate_error.push_back(d.rate_error_hz);
        charge.push_back(d.mean_charge);
        charge_error.push_back(d.mean_charge_error);
        gain.push_back(d.spe_charge_adc > 0 ? d.spe_charge_adc : std::numeric_limits<double>::quiet_NaN());
        gain_error.push_back(d.spe_charge_error_adc);
        tip += described(d, text(snapshot.charge_unit)) + '\n';
        if (d.silent) silent += text(d.name);
    }
    plot_->setToolTip(tip.trimmed());
    set_legend(silent.isEmpty()
                   ? theme::coloured(QStringLiteral("%1, none silent").arg(detectors.size()), theme::kMuted)
                   : theme::coloured(QStringLiteral("silent: ") + silent.join(QStringLiteral(", ")), theme::kAlarm));
    fill(rate_, rate, rate_error);
    fill(charge_, charge, charge_error);
    fill(gain_, gain, gain_error);
    label(*charge_.axes->axis(QCPAxis::atLeft), text(snapshot.charge_unit));
    const bool gains = std::any_of(gain.begin(), gain.end(), [](double g) { return g > 0; });
    if (others || gains != gain_.axes->visible()) {
        gain_.axes->setVisible(gains);
        name_detectors(detectors);
    }
    plot_->changed();
}

}  // namespace alleycat::gui
