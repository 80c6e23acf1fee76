#include "gui/excess_panel.hpp"

#include <QBoxLayout>
#include <QLabel>
#include <cmath>
#include <utility>

#include "gui/format.hpp"
#include "gui/theme.hpp"

namespace alleycat::gui {
namespace {

bool same(const ExcessPoint& a, const ExcessPoint& b) {
    return a.beam_energy_gwh == b.beam_energy_gwh && a.excess == b.excess && a.error == b.error &&
           a.control == b.control && a.control_error == b.control_error;
}

QString significance(double sigma) {
    return std::isfinite(sigma) ? QString::number(sigma, 'f', 1) + QStringLiteral(" σ") : kUnknown;
}

QString row(const QString& name, const QString& value) {
    return QStringLiteral("<tr><td style=\"padding-right:8px\">%1</td><td align=\"right\">%2</td></tr>")
        .arg(theme::coloured(name, theme::kMuted), value);
}

QString box_text(const AnalysisBox& box, const std::string& charge_unit) {
    const auto us = [](double ns) { return plain_text(ns / 1000); };
    return QStringLiteral("%1 ≤ %5 &lt; %2, %3 ≤ t &lt; %4 µs")
        .arg(box.min_pe)
        .arg(box.max_pe)
        .arg(us(box.min_arrival_ns), us(box.max_arrival_ns), text(charge_unit).toHtmlEscaped());
}

QString sentences(const Snapshot& snapshot, bool hidden) {
    const Excess& on = snapshot.excess;
    const Excess& off = snapshot.control;
    const Exposure& exposure = snapshot.exposure;
    QString text = theme::coloured(QStringLiteral("excess, beam on"), theme::kMuted) +
                   QStringLiteral("<div style=\"font-size:22px; font-weight:bold\">%1</div>")
                       .arg(theme::coloured(hidden ? QStringLiteral("hidden") : value_error_text(on.excess, on.error),
                                            hidden ? theme::kMuted : theme::kDifference));
    text += QStringLiteral("<table cellspacing=\"0\">");
    if (!hidden) {
        text += row(QStringLiteral("68 % interval"), interval_text(on.interval_low, on.interval_high));
        // An excess below zero is quoted by its limit.
        if (on.excess < 0)
            text += row(QStringLiteral("90 % limit"), QStringLiteral("&lt; ") + number_text(on.upper_limit_90));
        text += row(QStringLiteral("Li–Ma"), significance(on.li_ma));
        text += row(QStringLiteral("N<sub>on</sub>"), theme::coloured(count_text(on.n_on), theme::kCoincident));
    }
    text += row(QStringLiteral("N<sub>off</sub>"), theme::coloured(count_text(on.n_off), theme::kAnticoincident));
    text += row(QStringLiteral("α"), number_text(on.alpha));
    text += row(QStringLiteral("beam off"), theme::coloured(value_error_text(off.excess, off.error), theme::kControl));
    text += row(QString{}, theme::coloured(significance(off.li_ma), theme::kControl));
    if (snapshot.background == Background::strobe) {
        text += row(QStringLiteral("strobes"), count_text(exposure.strobes));
    }
    text += row(QStringLiteral("live on"), duration_text(exposure.live_on_s));
    text += row(QStringLiteral("live off"), duration_text(exposure.live_off_s));
    text += row(QStringLiteral("pending / unknown"),
                count_text(exposure.ticks_pending) + QStringLiteral(" / ") + count_text(exposure.ticks_unknown));
    if (exposure.ticks_on_without_power > 0) {
        text += row(QStringLiteral("no power"),
                    theme::coloured(count_text(exposure.ticks_on_without_power), theme::kWarning));
    }
    return text + QStringLiteral("</table>");
}

/// What beam energies are drawn in: in a run's first minutes numbers of GWh are all zeros, and do not fit side by side.
struct EnergyUnit {
    const char* name;
    double per_gwh;
};
EnergyUnit unit_for(double most_gwh) {
    if (most_gwh >= 0.05) return {"GWh", 1};
    if (most_gwh >= 5e-5) return {"MWh", 1e3};
    return most_gwh >= 5e-8 ? EnergyUnit{"kWh", 1e6} : EnergyUnit{"Wh", 1e9};
}

}  // namespace

ExcessPanel::ExcessPanel()
    : Panel{QStringLiteral("Beam excess"),
            QStringLiteral(
                "Counts in the coincident window minus alpha times those in the anticoincident window, or in the "
                "coincident window of strobe triggers, inside the analysis box, against the beam energy on target; "
                "with beam off the same must be null. "
                "Pending: ticks whose beam state is not known yet; unknown: whose state never will be; no "
                "power: with beam, but missing from the beam energy.")},
      plot_{new Plot{std::chrono::seconds{1}}},
      words_{new QLabel} {
    auto* side_by_side = new QHBoxLayout;
    side_by_side->setSpacing(8);
    side_by_side->addWidget(plot_, 1);
    words_->setTextFormat(Qt::RichText);
    words_->setAlignment(Qt::AlignLeft | Qt::AlignTop);
    words_->setFixedWidth(230);  // longer numbers must not push the plot about
    words_->setSizePolicy(QSizePolicy::Fixed, QSizePolicy::Ignored);
    words_->setToolTip(
        QStringLiteral("The excess with its Poisson error, the 68 % interval of the profile likelihood, its "
                       "significance after Li and Ma (1983), and the counts and exposures it is made of."));
    side_by_side->addWidget(words_);
    body().addLayout(side_by_side);

    style_axes(*plot_->axisRect());
    plot_->setInteractions(QCP::Interactions{});
    label(*plot_->xAxis, QStringLiteral("beam energy [GWh]"));
    label(*plot_->yAxis, QStringLiteral("C − α AC [events]"));
    control_ = make_band(theme::kControl);
    excess_ = make_band(theme::kDifference);
    plot_->set_message(QStringLiteral("no beam data yet"));
}

QString ExcessPanel::words() const { return words_->text(); }

ExcessPanel::Band ExcessPanel::make_band(const QColor& colour) {
    QColor fill = colour;
    fill.setAlpha(55);
    Band band{plot_->addGraph(), plot_->addGraph(), plot_->addGraph()};
    band.low->setPen(Qt::NoPen);
    band.high->setPen(Qt::NoPen);
    band.high->setBrush(fill);
    band.high->setChannelFillGraph(band.low);
    band.line->setPen(QPen{colour, 2});
    return band;
}

void ExcessPanel::show_snapshot(const Snapshot& snapshot, bool hide_residual) {
    const QString now = sentences(snapshot, hide_residual);
    if (words_->text() != now) words_->setText(now);
    QString legend = theme::coloured(QStringLiteral("━ beam on"), theme::kDifference) + QStringLiteral("&nbsp; ") +
                     theme::coloured(QStringLiteral("━ beam off"), theme::kControl);
    if (snapshot.run)
        legend += QStringLiteral("&nbsp; ") +
                  theme::coloured(box_text(snapshot.run->box, snapshot.charge_unit), theme::kMuted);
    set_legend(legend);

    const std::vector<ExcessPoint>& history = snapshot.excess_history;
    label(*plot_->yAxis, QStringLiteral("C − α %1 [events]").arg(short_name(snapshot.background)));
    const bool no_background = snapshot.background == Background::none && snapshot.exposure.ticks_on > 0;
    plot_->set_message(!history.empty()       ? QString{}
                       : snapshot.events == 0 ? QStringLiteral("waiting for the first event")
                       : no_background        ? why_not_comparable(snapshot)
                                              : QStringLiteral("no beam data yet"));
    const ExcessPoint last = history.empty() ? ExcessPoint{} : history.back();
    if (history.size() == drawn_points_ && same(last, drawn_last_) && hide_residual == drawn_hidden_) return;
    drawn_points_ = history.size();
    drawn_last_ = last;
    const bool was_hidden = std::exchange(drawn_hidden_, hide_residual);

    struct Points {
        QVector<QCPGraphData> line, low, high;
        void add(double x, double value, double error, QCPRange& y) {
            line.append({x, value});
            low.append({x, value - error});
            high.append({x, value + error});
            y.expand(value - error);
            y.expand(value + error);
        }
        void give(const Band& band) const {
            band.line->data()->set(line);
            band.low->data()->set(low);
            band.high->data()->set(high);
        }
    };
    Points excess, control;
    QCPRange x{0, 0}, y{0, 0};
    const EnergyUnit unit = last.beam_energy_gwh > 0 ? unit_for(last.beam_energy_gwh) : EnergyUnit{"GWh", 1};
    label(*plot_->xAxis, QStringLiteral("beam energy [%1]").arg(QLatin1String{unit.name}));
    for (const ExcessPoint& point : history) {
        const double energy = point.beam_energy_gwh * unit.per_gwh;
        x.expand(energy);
        if (!hide_residual) excess.add(energy, point.excess, point.error, y);
        control.add(energy, point.control, point.control_error, y);
    }
    excess.give(excess_);
    control.give(control_);
    plot_->xAxis->setRange(0, x.upper > 0 ? x.upper : 1);
    plot_->yAxis->setRange(padded(y.lower, y.upper));
    if (hide_residual == was_hidden) {
        plot_->changed();
    } else {
        plot_->changed_by_hand();
    }
}

}  // namespace alleycat::gui
