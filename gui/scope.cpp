#include "gui/scope.hpp"

#include <QBoxLayout>
#include <QSignalBlocker>
#include <QToolButton>
#include <algorithm>
#include <cmath>
#include <limits>

#include "gui/envelope.hpp"
#include "gui/format.hpp"
#include "gui/theme.hpp"

namespace alleycat::gui {
namespace {

constexpr double kPsPerUs = 1e6;
constexpr double kLane = 0.055;  // height of a pretrace bar, as a share of the strip

const QColor& colour_of(WindowRole role) {
    return role == WindowRole::coincident ? theme::kCoincident : theme::kAnticoincident;
}
QColor faint(QColor colour, int alpha) {
    colour.setAlpha(alpha);
    return colour;
}

/// Where a channel of a waveform stands in the run: its configuration, and whether it is the signal.
struct Configured {
    const ChannelInfo* info = nullptr;
    bool is_signal = false;
    bool int8 = false;
};
Configured setup_of(const RunDescription* run, const WaveformChannel& channel) {
    if (run == nullptr) return {};
    for (std::size_t b = 0; b < run->boards.size(); ++b) {
        const BoardInfo& board = run->boards[b];
        if (board.name != channel.board) continue;
        for (std::size_t c = 0; c < board.channels.size(); ++c) {
            if (board.channels[c].name != channel.channel) continue;
            return {&board.channels[c], run->signal.present && run->signal.board == b && run->signal.channel == c,
                    board.sample_type == SampleType::int8};
        }
    }
    return {};
}

/// A rectangle in time over a share of a strip's height.
void shade(QCPAxisRect& axes, double begin_us, double end_us, double top, double bottom, const QColor& fill,
           const QColor& edge) {
    auto* rect = new QCPItemRect{axes.parentPlot()};
    rect->setLayer(QStringLiteral("background"));
    rect->setClipAxisRect(&axes);
    rect->setClipToAxisRect(true);
    for (QCPItemPosition* corner : {rect->topLeft, rect->bottomRight}) {
        corner->setTypeX(QCPItemPosition::ptPlotCoords);
        corner->setTypeY(QCPItemPosition::ptAxisRectRatio);
        corner->setAxisRect(&axes);
        corner->setAxes(axes.axis(QCPAxis::atBottom), axes.axis(QCPAxis::atLeft));
    }
    rect->topLeft->setCoords(begin_us, top);
    rect->bottomRight->setCoords(end_us, bottom);
    rect->setBrush(fill);
    rect->setPen(QPen{edge});
    rect->setSelectable(false);
}

QCPItemText* words(QCPAxisRect& axes, const QString& text, const QColor& colour) {
    auto* item = new QCPItemText{axes.parentPlot()};
    item->setClipAxisRect(&axes);
    item->setClipToAxisRect(true);
    item->position->setAxisRect(&axes);
    item->position->setAxes(axes.axis(QCPAxis::atBottom), axes.axis(QCPAxis::atLeft));
    item->setColor(colour);
    item->setText(text);
    QFont font = item->font();
    font.setPixelSize(11);
    item->setFont(font);
    item->setSelectable(false);
    return item;
}

}  // namespace

Scope::Scope()
    : Panel{QStringLiteral("Scope"),
            QStringLiteral("The newest sampled waveform, every channel, in ADC counts against the time since its first "
                           "sample. Shaded: the windows in which peaks are looked for; bars on top: their pretraces.")},
      plot_{new Plot{std::chrono::milliseconds{400}}},
      freeze_{new QToolButton} {
    plot_->plotLayout()->clear();
    plot_->setInteractions(QCP::iRangeDrag | QCP::iRangeZoom);
    plot_->set_message(QStringLiteral("waiting for the first waveform"));
    body().addWidget(plot_);

    freeze_->setText(QStringLiteral("freeze"));
    freeze_->setCheckable(true);
    freeze_->setToolTip(QStringLiteral("Keep this trace on the screen (F)."));
    connect(freeze_, &QToolButton::toggled, this, [this](bool on) {
        set_frozen(on);
        if (on_freeze) on_freeze(on);
    });
    add_tool(freeze_);

    auto* save = new QToolButton;
    save->setText(QStringLiteral("save PNG"));
    save->setToolTip(QStringLiteral("Save this panel as a PNG in the current folder (S saves the whole window)."));
    connect(save, &QToolButton::clicked, this, [this] {
        if (on_save) on_save();
    });
    add_tool(save);

    connect(plot_, &QCustomPlot::mouseDoubleClick, this, [this] {
        zoomed_ = false;
        draw_all();
        plot_->changed_by_hand();
    });
    connect(plot_, &QCustomPlot::afterLayout, this, [this] {
        // A new width asks for another number of strokes.
        for (Strip& strip : strips_) {
            if (strip.axes->width() != strip.columns) draw(strip, strip.axes->axis(QCPAxis::atBottom)->range());
        }
    });
}

void Scope::set_frozen(bool frozen) {
    frozen_ = frozen;
    const QSignalBlocker quiet{freeze_};
    freeze_->setChecked(frozen);
    freeze_->setText(frozen ? QStringLiteral("FROZEN") : QStringLiteral("freeze"));
}

void Scope::show_snapshot(const Snapshot& snapshot) {
    if (frozen_ && drawn_) return;
    run_ = snapshot.run;
    if (!snapshot.waveform || snapshot.waveform->channels.empty()) return;
    const Waveform& waveform = *snapshot.waveform;
    const bool same = drawn_ && drawn_->sequence == waveform.sequence && drawn_->utc_ns == waveform.utc_ns;
    if (same && built_for_ == run_) return;
    drawn_ = snapshot.waveform;
    if (!fits(waveform)) build_strips(waveform);
    load(waveform);
    draw_all();
}

void Scope::zoom_to(double begin_us, double end_us) {
    if (strips_.empty()) return;
    strips_.front().axes->axis(QCPAxis::atBottom)->setRange(begin_us, end_us);
}

/// The strips on the screen are for these channels of this run.
bool Scope::fits(const Waveform& waveform) const {
    const bool same_run = built_for_ == run_ || (built_for_ && run_ && *built_for_ == *run_);
    if (!same_run || strips_.size() != waveform.channels.size()) return false;
    for (std::size_t k = 0; k < strips_.size(); ++k) {
        const WaveformChannel& channel = waveform.channels[k];
        if (strips_[k].name->text() != text(channel.board + " · " + channel.channel)) return false;
    }
    return true;
}

void Scope::build_strips(const Waveform& waveform) {
    built_for_ = run_;
    strips_.clear();
    plot_->clearItems();
    plot_->clearPlottables();
    plot_->plotLayout()->clear();
    auto* together = new QCPMarginGroup{plot_};
    double signal_period_us = static_cast<double>(waveform.channels.front().sample_period_ps) / kPsPerUs;
    bool any_signal = false;
    for (const WaveformChannel& channel : waveform.channels) {
        const Configured configured = setup_of(run_.get(), channel);
        if (configured.is_signal) signal_period_us = static_cast<double>(channel.sample_period_ps) / kPsPerUs;
        any_signal = any_signal || configured.is_signal;
    }
    for (std::size_t k = 0; k < waveform.channels.size(); ++k) {
        const WaveformChannel& channel = waveform.channels[k];
        const Configured configured = setup_of(run_.get(), channel);
        Strip strip;
        strip.axes = new QCPAxisRect{plot_};
        style_axes(*strip.axes);
        strip.axes->setRangeDrag(Qt::Horizontal);
        strip.axes->setRangeZoom(Qt::Horizontal);
        strip.axes->setMarginGroup(QCP::msLeft | QCP::msRight, together);
        plot_->plotLayout()->addElement(static_cast<int>(k), 0, strip.axes);
        strip.period_us = static_cast<double>(channel.sample_period_ps) / kPsPerUs;
        strip.is_signal = any_signal ? configured.is_signal : k == 0;
        if (configured.info != nullptr) {
            strip.negative_pulses = configured.info->negative_pulses;
            strip.codes = configured.int8 ? code_table(configured.info->code_map) : nullptr;
        }
        plot_->plotLayout()->setRowStretchFactor(static_cast<int>(k), strip.is_signal ? 2.2 : 1);

        QCPAxis* const time = strip.axes->axis(QCPAxis::atBottom);
        QCPAxis* const height = strip.axes->axis(QCPAxis::atLeft);
        const bool last = k + 1 == waveform.channels.size();
        time->setTickLabels(last);
        if (last) label(*time, QStringLiteral("time in the trace [µs]"));
        label(*height, configured.info != nullptr ? QStringLiteral("ADC counts") : QStringLiteral("ADC codes"));
        height->ticker()->setTickCount(strip.is_signal ? 5 : 3);
        shade_windows(strip, signal_period_us);

        strip.trace = new QCPGraph{time, height};
        strip.trace->setPen(QPen{strip.is_signal ? theme::kTrace : theme::kControl, 1});
        strip.trace->setAdaptiveSampling(false);  // it is an envelope already
        strip.trace->setAntialiased(false);
        if (strip.is_signal) {
            strip.peaks = new QCPGraph{time, height};
            strip.peaks->setLineStyle(QCPGraph::lsNone);
            strip.peaks->setAdaptiveSampling(false);
            strip.peaks->setScatterStyle(QCPScatterStyle{
                strip.negative_pulses ? QCPScatterStyle::ssTriangle : QCPScatterStyle::ssTriangleInverted,
                theme::kWarning, theme::kWarning, 6});
            strip.baseline = new QCPItemStraightLine{plot_};
            strip.baseline->setPen(QPen{theme::kDifference, 1, Qt::DashLine});
            strip.baseline->setClipAxisRect(strip.axes);
            for (QCPItemPosition* point : {strip.baseline->point1, strip.baseline->point2}) {
                point->setAxisRect(strip.axes);
                point->setAxes(time, height);
            }
        }
        strip.name = words(*strip.axes, text(channel.board + " · " + channel.channel), theme::kText);
        strip.name->position->setType(QCPItemPosition::ptAxisRectRatio);
        strip.name->setPositionAlignment(Qt::AlignLeft | Qt::AlignBottom);
        strip.name->position->setCoords(0.005, 0.99);

        connect(time, qOverload<const QCPRange&>(&QCPAxis::rangeChanged), this, [this, time](const QCPRange& range) {
            if (drawing_) return;
            zoomed_ = true;
            drawing_ = true;
            const double begin = std::clamp(range.lower, 0.0, full_us_);
            const double end = std::clamp(range.upper, 0.0, full_us_);
            for (Strip& other : strips_) {
                if (end > begin) other.axes->axis(QCPAxis::atBottom)->setRange(begin, end);
                draw(other, time->range());
            }
            drawing_ = false;
            plot_->changed_by_hand();
        });
        strips_.push_back(std::move(strip));
    }
}

/// The regions of interest over the whole height, the pretraces as bars on top, each in its lane: they overlap.
void Scope::shade_windows(const Strip& strip, double signal_period_us) {
    if (!run_ || triggers_are_hits(*run_)) return;  // a hit's windows lie where its tick is, mostly far outside
    for (std::size_t w = 0; w < run_->windows.size(); ++w) {
        const WindowInfo& window = run_->windows[w];
        const QColor& colour = colour_of(window.role);
        const auto us = [&](std::int64_t sample) { return static_cast<double>(sample) * signal_period_us; };
        shade(*strip.axes, us(window.roi_start), us(window.roi_end), 0, 1, faint(colour, 46), faint(colour, 110));
        if (!strip.is_signal) continue;
        const double lane = static_cast<double>(w);
        shade(*strip.axes, us(window.pretrace_start), us(window.roi_start), kLane * lane, kLane * (lane + 0.8),
              faint(colour, 150), Qt::transparent);
        QCPItemText* const roi = words(*strip.axes, text(window.name), colour);
        roi->position->setTypeX(QCPItemPosition::ptPlotCoords);
        roi->position->setTypeY(QCPItemPosition::ptAxisRectRatio);
        roi->setPositionAlignment(Qt::AlignHCenter | Qt::AlignTop);
        roi->position->setCoords(us(window.roi_start + window.roi_end) / 2,
                                 kLane * static_cast<double>(run_->windows.size()) + 0.01);
        if (w + 1 == run_->windows.size()) {
            QCPItemText* const pretraces = words(*strip.axes, QStringLiteral("pretraces"), theme::kMuted);
            pretraces->position->setType(QCPItemPosition::ptAxisRectRatio);
            pretraces->setPositionAlignment(Qt::AlignLeft | Qt::AlignTop);
            pretraces->position->setCoords(0.005, kLane * (lane + 1) + 0.01);
            pretraces->setPadding({0, 14, 0, 0});  // a line below the names of narrow windows at the left
        }
    }
}

void Scope::load(const Waveform& waveform) {
    full_us_ = 0;
    for (std::size_t k = 0; k < strips_.size(); ++k) {
        Strip& strip = strips_[k];
        strip.samples = waveform.channels[k].codes;
        if (strip.codes != nullptr) {
            for (std::int32_t& sample : strip.samples) {
                sample = (*strip.codes)[static_cast<std::size_t>(std::clamp(sample, -128, 127) + 128)];
            }
        }
        full_us_ = std::max(full_us_, static_cast<double>(strip.samples.size()) * strip.period_us);
        if (strip.is_signal) {
            strip.baseline->point1->setCoords(0, waveform.baseline_median_adc);
            strip.baseline->point2->setCoords(1, waveform.baseline_median_adc);
        }
    }
    set_legend(theme::coloured(
                   QStringLiteral("trigger %1 · %2").arg(count_text(waveform.sequence), clock_text(waveform.utc_ns)),
                   theme::kMuted) +
               QStringLiteral("&nbsp; ") +
               (waveform.peaks_known
                    ? theme::coloured(QStringLiteral("▲ %1 peaks").arg(waveform.peaks.size()), theme::kWarning)
                    : theme::coloured(QStringLiteral("peaks are not in the file"), theme::kMuted)) +
               QStringLiteral("&nbsp; ") +
               theme::coloured(QStringLiteral("-- baseline %1").arg(number_text(waveform.baseline_median_adc)),
                               theme::kDifference));
    plot_->set_message(full_us_ > 0 ? QString{} : QStringLiteral("the waveform holds no samples"));
}

void Scope::draw_all() {
    if (strips_.empty()) return;
    drawing_ = true;
    QCPRange visible = zoomed_ ? strips_.front().axes->axis(QCPAxis::atBottom)->range() : QCPRange{0, full_us_};
    if (visible.upper > full_us_ || visible.size() <= 0) {
        visible = {0, full_us_};
        zoomed_ = false;
    }
    for (Strip& strip : strips_) {
        strip.axes->axis(QCPAxis::atBottom)->setRange(visible);
        draw(strip, visible);
    }
    drawing_ = false;
    plot_->changed();
}

void Scope::draw(Strip& strip, QCPRange visible_us) {
    const auto sample_at = [&](double us) {
        const double sample = strip.period_us > 0 ? us / strip.period_us : 0;
        return static_cast<std::size_t>(std::clamp(sample, 0.0, static_cast<double>(strip.samples.size())));
    };
    const std::size_t begin = sample_at(visible_us.lower);
    const std::size_t end = std::min(strip.samples.size(), sample_at(visible_us.upper) + 2);
    const std::span<const std::int32_t> visible = std::span{strip.samples}.subspan(begin, end - begin);
    const auto us_of = [&](double sample) { return sample * strip.period_us; };

    strip.columns = strip.axes->width();
    const auto columns = static_cast<std::size_t>(std::max(1, strip.columns));
    QVector<QCPGraphData> points;
    std::int32_t low = std::numeric_limits<std::int32_t>::max(), high = std::numeric_limits<std::int32_t>::min();
    if (visible.size() <= 2 * columns) {
        points.reserve(static_cast<qsizetype>(visible.size()));
        for (std::size_t k = 0; k < visible.size(); ++k) {
            points.append({us_of(static_cast<double>(begin + k)), static_cast<double>(visible[k])});
            low = std::min(low, visible[k]);
            high = std::max(high, visible[k]);
        }
        strip.trace->setLineStyle(columns > 8 * visible.size() ? QCPGraph::lsStepCenter : QCPGraph::lsLine);
    } else {
        const std::vector<MinMax> pieces = envelope(visible, columns);
        const double per_piece = static_cast<double>(visible.size()) / static_cast<double>(pieces.size());
        points.reserve(static_cast<qsizetype>(2 * pieces.size()));
        for (std::size_t k = 0; k < pieces.size(); ++k) {
            const double at = us_of(static_cast<double>(begin) + (static_cast<double>(k) + 0.5) * per_piece);
            points.append({at, static_cast<double>(pieces[k].min)});
            points.append({at, static_cast<double>(pieces[k].max)});
            low = std::min(low, pieces[k].min);
            high = std::max(high, pieces[k].max);
        }
        strip.trace->setLineStyle(QCPGraph::lsLine);
    }
    strip.trace->data()->set(points, true);
    if (low <= high) {
        QCPRange range = padded(low, high);
        range.lower -= strip.is_signal ? 0.07 * range.size() : 0;  // room for the marks of the deepest peak
        if (strip.is_signal) range.upper += 0.2 * range.size();    // room for the pretrace bars and the names
        strip.axes->axis(QCPAxis::atLeft)->setRange(range);
    }
    if (strip.peaks == nullptr || !drawn_) return;

    QVector<QCPGraphData> marks;
    const double off = 0.05 * strip.axes->axis(QCPAxis::atLeft)->range().size() * (strip.negative_pulses ? -1 : 1);
    for (const WaveformPeak& peak : drawn_->peaks) {
        const auto first = static_cast<std::size_t>(
            std::clamp<std::int64_t>(peak.begin, 0, static_cast<std::int64_t>(strip.samples.size())));
        const auto last = static_cast<std::size_t>(
            std::clamp<std::int64_t>(peak.end, 0, static_cast<std::int64_t>(strip.samples.size())));
        if (first >= last || last < begin || first >= end) continue;
        const MinMax height = envelope(std::span{strip.samples}.subspan(first, last - first), 1).front();
        marks.append({us_of(0.5 * static_cast<double>(first + last)),
                      static_cast<double>(strip.negative_pulses ? height.min : height.max) + off});
    }
    strip.peaks->data()->set(marks, true);
}

}  // namespace alleycat::gui
