#include "gui/trends.hpp"

#include <QBoxLayout>
#include <QTimeZone>
#include <algorithm>
#include <array>
#include <cmath>

#include "gui/format.hpp"
#include "gui/theme.hpp"

namespace alleycat::gui {
namespace {

/// Those in percent share a rectangle and tell themselves apart by colour and words.
const std::array<QColor, 5> kPercentColours{theme::kControl, theme::kCoincident, theme::kAnticoincident,
                                            theme::kWarning, theme::kDifference};

bool in_percent(const Trend& trend) { return trend.unit == "%"; }

/// What is shown of a trend: power in MW, units in their own signs, short names where several share a line.
struct Look {
    QString title, unit;
    double scale = 1;
};
Look look_of(const Trend& trend) {
    if (in_percent(trend)) return {text(trend.name).remove(QStringLiteral("_percent")), QStringLiteral("%")};
    if (trend.name == "spe_charge") return {QStringLiteral("SPE charge"), QStringLiteral("ADC·sample")};
    if (trend.unit == "W") return {text(trend.title), QStringLiteral("MW"), 1e-6};
    return {text(trend.title), text(trend.unit).replace(QStringLiteral(" x "), QStringLiteral("·"))};
}

/// "1.402 MW"
QString newest(const Trend& trend, const Snapshot& snapshot) {
    const Look look = look_of(trend);
    const bool is_spe = trend.name == "spe_charge" && snapshot.calibration && snapshot.calibration->spe_charge_adc > 0;
    if (is_spe) return spe_charge_text(*snapshot.calibration);
    if (trend.points.empty()) return QStringLiteral("no data yet");
    return number_text(trend.points.back().value * look.scale) + ' ' + look.unit;
}

/// "beam power  1.402 MW", the name shortened where it would not fit into `width` pixels.
QString words(const QString& title, const QString& value, const QFont& font, int width) {
    const QFontMetrics metrics{font};
    const QString ending = QStringLiteral("  ") + value;
    return metrics.elidedText(title, Qt::ElideRight, std::max(40, width - metrics.horizontalAdvance(ending))) + ending;
}

/// Hours and minutes; seconds too where ticks are less than a minute apart, else several would read alike.
class ClockTicker : public QCPAxisTickerDateTime {
  public:
    ClockTicker() {
        setDateTimeSpec(Qt::UTC);
        setTickCount(4);
    }

  private:
    double getTickStep(const QCPRange& range) override {
        const double step_s = QCPAxisTickerDateTime::getTickStep(range);
        setDateTimeFormat(step_s < 60 ? QStringLiteral("HH:mm:ss") : QStringLiteral("HH:mm"));
        return step_s;
    }
};

}  // namespace

QString spe_charge_text(const Calibration& c) {
    const QString value = c.spe_charge_error_adc > 0 ? value_error_text(c.spe_charge_adc, c.spe_charge_error_adc)
                                                     : number_text(c.spe_charge_adc);
    const QString origin = c.origin == CalibrationOrigin::configured ? QStringLiteral(" configured")
                           : c.origin == CalibrationOrigin::kept     ? QStringLiteral(" KEPT: no good fit")
                           : c.fit_quality > 0 ? QStringLiteral(", χ²/ndf %1").arg(c.fit_quality, 0, 'f', 2)
                                               : QString{};
    return value + QStringLiteral(" ADC·sample") + origin;
}

QString spe_charge_tooltip(const Calibration& c) {
    const QString from = QStringLiteral("from trigger %1 on").arg(count_text(c.from_sequence));
    if (c.origin == CalibrationOrigin::configured)
        return QStringLiteral("SPE charge of the station file, %1: %2").arg(from, spe_charge_text(c));
    return QStringLiteral("SPE charge after block %1 of the data (%2 peaks), %3: %4")
        .arg(count_text(c.block), count_text(c.peaks), from, spe_charge_text(c));
}

Trends::Trends()
    : Panel{QStringLiteral("Trends"),
            QStringLiteral("How rates, baseline, calibration, vetoes and beam went with time (UTC).")},
      plot_{new Plot{std::chrono::seconds{2}}} {
    plot_->plotLayout()->clear();
    plot_->set_message(QStringLiteral("waiting for the first trend point"));
    body().addWidget(plot_);
    // Only when it is drawn the plot has its width.
    connect(plot_, &QCustomPlot::beforeReplot, this, [this] {
        for (const Curve& curve : curves_) {
            curve.words->setText(words(curve.title, curve.value, curve.words->font(), plot_->width() / 2 - 50));
        }
    });
}

bool Trends::fits(const std::vector<Trend>& trends) const {
    return std::equal(curves_.begin(), curves_.end(), trends.begin(), trends.end(),
                      [](const Curve& curve, const Trend& trend) { return curve.name == trend.name; });
}

void Trends::build(const std::vector<Trend>& trends) {
    curves_.clear();
    rects_.clear();
    plot_->clearItems();
    plot_->clearPlottables();
    plot_->plotLayout()->clear();

    auto* together = new QCPMarginGroup{plot_};
    QCPAxisRect* percent = nullptr;
    std::vector<QCPAxisRect*> of_trend;
    for (const Trend& trend : trends) {
        if (in_percent(trend) && percent != nullptr) {
            of_trend.push_back(percent);
            continue;
        }
        auto* axes = new QCPAxisRect{plot_};
        style_axes(*axes);
        axes->axis(QCPAxis::atBottom)->setTicker(QSharedPointer<ClockTicker>::create());
        axes->axis(QCPAxis::atLeft)->ticker()->setTickCount(3);
        if (in_percent(trend)) percent = axes;
        rects_.push_back(axes);
        of_trend.push_back(axes);
    }
    // Two columns; those in percent last, over the whole width.
    if (percent != nullptr) {
        std::erase(rects_, percent);
        rects_.push_back(percent);
    }
    int row = 0;
    QCPLayoutGrid* line = nullptr;
    for (std::size_t k = 0; k < rects_.size(); ++k) {
        QCPAxisRect* const axes = rects_[k];
        const bool left = line == nullptr || line->columnCount() == 2 || axes == percent;
        if (left) {
            line = new QCPLayoutGrid;
            plot_->plotLayout()->addElement(row++, 0, line);
            axes->setMarginGroup(QCP::msLeft, together);
        }
        line->addElement(0, left ? 0 : 1, axes);
        axes->axis(QCPAxis::atBottom)->setTickLabels(k + 1 == rects_.size());
    }

    std::size_t percents = 0;
    for (std::size_t k = 0; k < trends.size(); ++k) {
        QCPAxis* const time = of_trend[k]->axis(QCPAxis::atBottom);
        QCPAxis* const value = of_trend[k]->axis(QCPAxis::atLeft);
        QColor colour = theme::kAnticoincident;
        if (in_percent(trends[k])) colour = kPercentColours[percents % kPercentColours.size()];
        Curve curve;
        curve.name = trends[k].name;
        curve.axes = of_trend[k];
        QColor band = colour;
        band.setAlpha(60);
        curve.low = new QCPGraph{time, value};
        curve.high = new QCPGraph{time, value};
        curve.low->setPen(Qt::NoPen);
        curve.high->setPen(Qt::NoPen);
        curve.high->setBrush(band);
        curve.high->setChannelFillGraph(curve.low);
        curve.line = new QCPGraph{time, value};
        curve.line->setPen(QPen{colour, 1.3});
        curve.words = new QCPItemText{plot_};
        curve.words->setClipAxisRect(of_trend[k]);
        curve.words->position->setAxisRect(of_trend[k]);
        curve.words->position->setType(QCPItemPosition::ptAxisRectRatio);
        curve.words->setPositionAlignment(Qt::AlignLeft | Qt::AlignTop);
        curve.words->position->setCoords(0.01 + (in_percent(trends[k]) ? 0.25 * static_cast<double>(percents) : 0),
                                         0.01);
        curve.words->setColor(in_percent(trends[k]) ? colour : theme::kText);
        QFont font = curve.words->font();
        font.setPixelSize(11);
        curve.words->setFont(font);
        curve.words->setText({});
        percents += in_percent(trends[k]);
        curves_.push_back(curve);
    }
}

void Trends::show_snapshot(const Snapshot& snapshot) {
    if (!fits(snapshot.trends)) build(snapshot.trends);
    bool changed = false, any = false;
    for (std::size_t k = 0; k < curves_.size(); ++k) {
        Curve& curve = curves_[k];
        const std::vector<TrendPoint>& points = snapshot.trends[k].points;
        any = any || !points.empty();
        const TrendPoint last = points.empty() ? TrendPoint{} : points.back();
        const QString value = newest(snapshot.trends[k], snapshot);
        const bool same = points.size() == curve.drawn_points && last.utc_ns == curve.drawn_last.utc_ns &&
                          last.value == curve.drawn_last.value && value == curve.value;
        if (same) continue;
        changed = true;
        curve.drawn_points = points.size();
        curve.drawn_last = last;
        QVector<QCPGraphData> line, low, high;
        bool band = false;
        const double scale = look_of(snapshot.trends[k]).scale;
        for (const TrendPoint& point : points) {
            const double t = static_cast<double>(point.utc_ns) * 1e-9;
            line.append({t, scale * point.value});
            low.append({t, scale * (point.value - point.error)});
            high.append({t, scale * (point.value + point.error)});
            band = band || point.error > 0;
        }
        curve.line->data()->set(line, true);
        curve.low->data()->set(band ? low : QVector<QCPGraphData>{}, true);
        curve.high->data()->set(band ? high : QVector<QCPGraphData>{}, true);
        curve.title = look_of(snapshot.trends[k]).title;
        curve.value = value;
    }
    plot_->setToolTip(snapshot.calibration ? spe_charge_tooltip(*snapshot.calibration) : QString{});
    plot_->set_message(any ? QString{} : QStringLiteral("waiting for the first trend point"));
    if (!changed) return;

    for (QCPAxisRect* axes : rects_) {
        bool found_x = false, found_y = false;
        QCPRange x, y;
        for (const Curve& curve : curves_) {
            if (curve.axes != axes) continue;
            for (const QCPGraph* graph : {curve.line, curve.low, curve.high}) {
                bool here = false;
                const QCPRange keys = graph->getKeyRange(here);
                if (here) x = found_x ? x.expanded(keys) : keys, found_x = true;
                const QCPRange values = graph->getValueRange(here);
                if (here) y = found_y ? y.expanded(values) : values, found_y = true;
            }
        }
        if (found_x) axes->axis(QCPAxis::atBottom)->setRange(x.size() > 0 ? x : QCPRange{x.lower - 30, x.upper + 30});
        if (found_y) {
            // A rate that is constant to a millionth is a line, not a magnified nothing.
            const double least = 1e-3 * std::max(std::abs(y.lower), std::abs(y.upper));
            if (y.size() < least) y = QCPRange{y.center() - least / 2, y.center() + least / 2};
            QCPRange range = padded(y.lower, y.upper);
            range.upper += 0.45 * range.size();  // room for the words
            axes->axis(QCPAxis::atLeft)->setRange(range);
        }
    }
    plot_->changed();
}

}  // namespace alleycat::gui
