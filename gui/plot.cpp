#include "gui/plot.hpp"

#include <QLabel>
#include <QPixmap>
#include <QTimer>
#include <cmath>

#include "daq/core/error.hpp"
#include "gui/theme.hpp"

namespace alleycat::gui {

Plot::Plot(std::chrono::milliseconds at_most_every)
    : message_{new QLabel{this}}, later_{new QTimer{this}}, interval_{at_most_every} {
    later_->setSingleShot(true);
    connect(later_, &QTimer::timeout, this, qOverload<>(&QWidget::update));
    setBackground(QBrush{theme::kPanel});
    setMinimumSize(120, 80);
    plotLayout()->setRowSpacing(2);
    message_->setAlignment(Qt::AlignCenter);
    message_->setWordWrap(true);
    message_->setMargin(8);
    message_->setAttribute(Qt::WA_TransparentForMouseEvents);
    message_->setStyleSheet(QStringLiteral("color: %1; font-size: 14px; background: %2;")
                                .arg(theme::css(theme::kMuted), theme::css(theme::kPanel)));
    message_->hide();
}

void Plot::set_message(const QString& message) {
    if (message == message_->text()) return;
    message_->setText(message);
    message_->setVisible(!message.isEmpty());
    place_message();
}

QString Plot::message() const { return message_->text(); }

void Plot::changed() {
    stale_ = true;
    if (later_->isActive()) return;
    // An update reaches visible widgets only, which then draw anew in paintEvent().
    const auto left = interval_ - (std::chrono::steady_clock::now() - drawn_at_);
    if (left.count() <= 0) {
        update();
    } else {
        later_->start(std::chrono::ceil<std::chrono::milliseconds>(left));
    }
}

void Plot::changed_by_hand() {
    stale_ = true;
    update();
}

void Plot::paintEvent(QPaintEvent* event) {
    if (stale_) {
        stale_ = false;
        drawn_at_ = std::chrono::steady_clock::now();
        ++redraws_;
        replot(rpQueuedRefresh);
    }
    QCustomPlot::paintEvent(event);
}

void Plot::resizeEvent(QResizeEvent* event) {
    QCustomPlot::resizeEvent(event);
    place_message();
}

void Plot::place_message() { message_->setGeometry(rect()); }

void style_axis(QCPAxis& axis) {
    QFont ticks{QStringLiteral("DejaVu Sans")};
    ticks.setPixelSize(10);
    QFont words = ticks;
    words.setPixelSize(11);
    axis.setBasePen(QPen{theme::kAxis});
    axis.setTickPen(QPen{theme::kAxis});
    axis.setSubTickPen(QPen{theme::kGrid});
    axis.setTickLabelColor(theme::kMuted);
    axis.setLabelColor(theme::kMuted);
    axis.setTickLabelFont(ticks);
    axis.setLabelFont(words);
    axis.setLabelPadding(1);
    axis.setTickLabelPadding(3);
    axis.setTickLengthIn(4);
    axis.setSubTicks(false);
    axis.grid()->setPen(QPen{theme::kGrid, 1, Qt::DotLine});
    axis.grid()->setZeroLinePen(QPen{theme::kGrid.lighter(150)});
}

void style_axes(QCPAxisRect& rect) {
    rect.setMinimumMargins(QMargins{6, 4, 8, 2});
    for (QCPAxis* axis : rect.axes()) style_axis(*axis);
}

void label(QCPAxis& axis, const QString& text) {
    if (axis.label() != text) axis.setLabel(text);
}

QCPRange padded(double low, double high) {
    if (!(high > low)) {
        const double room = low == 0 || !std::isfinite(low) ? 1 : std::abs(low) * 0.05;
        return std::isfinite(low) ? QCPRange{low - room, low + room} : QCPRange{0, 1};
    }
    const double room = 0.08 * (high - low);
    return {low - room, high + room};
}

void save_png(const QPixmap& picture, const QString& path) {
    if (picture.isNull() || !picture.save(path, "PNG")) {
        throw Error{path.toStdString() + ": the picture cannot be written"};
    }
}

}  // namespace alleycat::gui
