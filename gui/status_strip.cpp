#include "gui/status_strip.hpp"

#include <QBoxLayout>
#include <QFrame>
#include <QGridLayout>
#include <QLabel>
#include <QPainter>
#include <QStyleOption>
#include <algorithm>
#include <filesystem>
#include <initializer_list>

#include "gui/format.hpp"
#include "gui/theme.hpp"

namespace alleycat::gui {
namespace {

constexpr double kAgeWarningS = 3, kAgeAlarmS = 10;  // at 60 Hz and five snapshots a second, age is about 0.3 s

Tone tone_of(AlarmLevel level) {
    switch (level) {
        case AlarmLevel::info: return Tone::plain;
        case AlarmLevel::warning: return Tone::warning;
        case AlarmLevel::alarm: break;
    }
    return Tone::alarm;
}

const Status* status_of(const FeedState& feed) {
    return feed.snapshot && feed.snapshot->status ? &*feed.snapshot->status : nullptr;
}

/// The same, of a run that is going on: a file's status says how the run ended, not how it is.
const Status* live_status_of(const FeedState& feed) { return feed.live ? status_of(feed) : nullptr; }

/// `tone`, or that of the worst active alarm whose name starts with one of `names`.
Tone with_alarms(const FeedState& feed, std::initializer_list<std::string_view> names, Tone tone) {
    if (!feed.snapshot) return tone;
    for (const Alarm& alarm : feed.snapshot->alarms) {
        const bool meant = std::any_of(names.begin(), names.end(),
                                       [&](std::string_view name) { return alarm.name.starts_with(name); });
        if (meant && alarm.active) tone = std::max(tone, tone_of(alarm.level));
    }
    return tone;
}

Tile run_tile(const FeedState& feed, UtcTime now) {
    Tile tile{"RUN", kUnknown, "",
              "Number of the run; below it the detector's profile and how long the run has lasted."};
    if (!feed.snapshot || !feed.snapshot->run) return tile;
    const RunDescription& run = *feed.snapshot->run;
    tile.value = QString::number(run.run);
    tile.detail = text(run.profile);
    if (run.start_utc_ns > 0) {
        const double seconds = static_cast<double>(now.time_since_epoch().count() - run.start_utc_ns) * 1e-9;
        tile.detail += feed.live ? QStringLiteral(" · for ") + duration_text(seconds)
                                 : QStringLiteral(" · ") + utc_text(run.start_utc_ns);
    }
    if (run.test_run) {
        tile.value += QStringLiteral(" TEST");
        tile.tone = Tone::warning;
    }
    if (run.rate_boost != 1) tile.detail += QStringLiteral(" · rates × ") + plain_text(run.rate_boost);
    return tile;
}

/// "tainted" of "degraded,tainted": what an operator said comes before what the program found.
QString shown_flag(const QString& flags) { return flags.section(QLatin1Char{','}, -1); }

/// The reason behind a flag: what follows "flag: " in its last line.
QString reason_of(const QString& flag, const QString& reasons) {
    QString found;
    for (const QString& line : reasons.split(QLatin1Char{'\n'})) {
        if (line.startsWith(flag + QStringLiteral(": "))) found = line.mid(flag.size() + 2);
    }
    return found;
}

Tile quality_tile(const FeedState& feed) {
    Tile tile{"QUALITY", kUnknown, "",
              "What the run is worth: good, or what speaks against it; below it why, or what an operator said last.",
              Tone::unknown};
    const Status* status = status_of(feed);
    if (status == nullptr || status->run == 0) return tile;
    const QString flags = text(status->quality), flag = shown_flag(flags);
    tile.value = flags.isEmpty() ? QStringLiteral("no fault") : flag.toUpper();
    tile.tone = flags.isEmpty() || flags == QStringLiteral("good") ? Tone::good : Tone::warning;
    tile.detail = reason_of(flag, text(status->quality_reasons));
    for (const QString& line : text(status->quality_reasons).split(QLatin1Char{'\n'}, Qt::SkipEmptyParts))
        tile.tooltip += QStringLiteral("\n") + line;
    if (const std::optional<OperatorNote>& note = status->last_note) {
        const QString said = text(note->author) + QStringLiteral(": ") + text(note->text);
        tile.tooltip += QStringLiteral("\n%1, %2").arg(utc_text(note->utc_ns), said);
        if (tile.detail.isEmpty()) tile.detail = said;
    }
    return tile;
}

Tile state_tile(const FeedState& feed) {
    Tile tile{"STATE", kUnknown, "",
              "State of the acquisition: idle, running, draining (stopped, handing over what is left) or error.",
              Tone::unknown};
    if (!feed.live) {
        tile.title = "FILE";
        tile.tooltip = "A recorded run is read; the fraction says how much of it is in the plots.";
        tile.value = feed.ended ? QStringLiteral("complete") : percent_text(feed.fraction.value_or(0));
        tile.tone = feed.ended ? Tone::good : Tone::plain;
        tile.detail = text(feed.source);
        if (!feed.problem.empty()) {
            tile.value = "error";
            tile.tone = Tone::alarm;
        }
        return tile;
    }
    if (!feed.connected) {
        tile.value = "NO LINK";
        tile.detail = QStringLiteral("no connection to ") + text(feed.source);
        tile.tone = Tone::alarm;
        return tile;
    }
    const Status* status = status_of(feed);
    if (status == nullptr) {
        tile.detail = "waiting for the first status";
        return tile;
    }
    tile.value = QString::fromUtf8(to_text(status->state).data()).toUpper();
    tile.detail = status->reason.empty() ? text(feed.source) : text(status->reason);
    switch (status->state) {
        case RunState::idle: tile.tone = Tone::unknown; break;
        case RunState::running: tile.tone = Tone::good; break;
        case RunState::draining: tile.tone = Tone::warning; break;
        case RunState::error: tile.tone = Tone::alarm; break;
    }
    return tile;
}

Tile beam_tile(const FeedState& feed) {
    Tile tile{
        "BEAM", kUnknown, "no beam data yet",
        "Beam on target: state and power of the newest tick whose state is known. Beam data come late; the lag says "
        "by how much. Where a channel sees the beam, the index by which frames are shifted is checked against it.",
        Tone::unknown};
    if (!feed.live) tile.detail = "of a live run only";  // a file's beam is in its energy
    const Status* status = live_status_of(feed);
    if (status == nullptr) return tile;
    switch (status->beam_state) {
        case BeamState::unknown: tile.value = "UNKNOWN"; break;
        case BeamState::off:
            tile.value = "OFF";
            tile.tone = Tone::plain;
            break;
        case BeamState::on:
            tile.value = "ON";
            tile.tone = Tone::good;
            break;
        case BeamState::no_beam_cycle:
            tile.value = "no-beam cycle";
            tile.tone = Tone::plain;
            break;
    }
    if (status->beam_power_w >= 0) {
        // The no-beam cycle is one tick in 600 of a beam that is on: its name would not fit beside the power.
        if (status->beam_state != BeamState::unknown) tile.value += ' ' + power_text(status->beam_power_w);
        tile.detail = QStringLiteral("lag ") + duration_text(status->beam_lag_s);
        if (status->beam_state == BeamState::unknown)
            tile.detail += QStringLiteral(" · last power ") + power_text(status->beam_power_w);
    } else if (status->beam_state != BeamState::unknown) {
        tile.detail = QStringLiteral("power not reported · lag ") + duration_text(status->beam_lag_s);
    }
    switch (status->index_check.verdict) {
        case IndexVerdict::none: break;
        case IndexVerdict::undecided: tile.detail += QStringLiteral(" · index undecided"); break;
        case IndexVerdict::confirmed: tile.detail += QStringLiteral(" · index confirmed"); break;
        case IndexVerdict::contradicted:
            tile.detail = QStringLiteral("INDEX WRONG · ") + tile.detail;
            tile.tone = Tone::alarm;
            break;
    }
    tile.tone = with_alarms(feed, {"beam"}, tile.tone);
    return tile;
}

Tile rate_tile(const FeedState& feed) {
    Tile tile{"TRIGGER RATE", kUnknown, "",
              "Triggers in the last second of wall time, refused ones included, against the nominal rate of the timing "
              "signal."};
    const Snapshot* const snapshot = feed.snapshot.get();
    if (snapshot != nullptr && snapshot->run) {
        const bool with_others = snapshot->exposure.strobes > 0 || triggers_are_hits(*snapshot->run);
        tile.detail = snapshot->run->tick_rate_hz == 0
                          ? QStringLiteral("no timing signal")
                          : (with_others ? QStringLiteral("ticks: nominal %1 Hz") : QStringLiteral("nominal %1 Hz"))
                                .arg(plain_text(snapshot->run->tick_rate_hz));
    }
    const Status* status = live_status_of(feed);
    if (status == nullptr) {
        tile.tone = Tone::unknown;
        return tile;
    }
    tile.value = QString::number(status->trigger_rate_hz, 'f', status->trigger_rate_hz < 1000 ? 2 : 0) + " Hz";
    const bool silent = status->state == RunState::running && status->trigger_rate_hz == 0;
    tile.tone = with_alarms(feed, {"trigger_rate"}, silent ? Tone::alarm : Tone::plain);
    return tile;
}

Tile live_tile(const FeedState& feed) {
    Tile tile{
        "LIVE", kUnknown, "",
        "Recorded triggers over all triggers of this run: what is missing was refused because a buffer was full."};
    const Status* status = status_of(feed);
    if (status == nullptr) {
        tile.tone = Tone::unknown;
        return tile;
    }
    tile.value = percent_text(status->live_fraction);
    tile.detail = count_text(status->ledger.triggers) + QStringLiteral(" triggers");
    if (!status->ledger.closes()) {
        tile.detail = "LEDGER DOES NOT CLOSE";
        tile.tone = Tone::alarm;
    }
    tile.tone = with_alarms(feed, {"ledger"}, tile.tone);
    return tile;
}

Tile age_tile(const FeedState& feed, UtcTime now) {
    Tile tile{"DATA AGE", kUnknown, "waiting for the first event",
              "Wall time since the newest event that is in these plots; by the clocks of both hosts.", Tone::unknown};
    if (!feed.snapshot || feed.snapshot->newest_event_utc_ns == 0) return tile;
    const std::int64_t newest = feed.snapshot->newest_event_utc_ns;
    if (!feed.live) {
        tile.title = "NEWEST EVENT";
        tile.tooltip = "When the newest event read so far was recorded.";
        tile.value = clock_text(newest);
        tile.detail = utc_text(newest);
        tile.tone = Tone::plain;
        return tile;
    }
    const double age = static_cast<double>(now.time_since_epoch().count() - newest) * 1e-9;
    tile.value = duration_text(age);
    tile.detail = QStringLiteral("newest event ") + clock_text(newest) + QStringLiteral(" UTC");
    tile.tone = age > kAgeAlarmS ? Tone::alarm : age > kAgeWarningS ? Tone::warning : Tone::good;
    if (age < -1) {
        tile.detail = "the clocks of the hosts disagree";
        tile.tone = Tone::warning;
    }
    tile.tone = with_alarms(feed, {"stale_data"}, tile.tone);
    return tile;
}

Tile alarm_tile(const FeedState& feed) {
    Tile tile{"ALARMS", kUnknown, "", "Alarms that are active now; the list at the lower right names them.",
              Tone::unknown};
    if (!feed.snapshot) return tile;
    const std::vector<Alarm>& alarms = feed.snapshot->alarms;
    tile.value = alarms.empty() ? QStringLiteral("none") : QStringLiteral("%1 active").arg(alarms.size());
    tile.tone = Tone::good;
    for (const Alarm& alarm : alarms) tile.tone = std::max(tile.tone, tone_of(alarm.level));
    if (!alarms.empty()) tile.detail = text(alarms.front().name);
    return tile;
}

Tile energy_tile(const FeedState& feed) {
    Tile tile{"BEAM ENERGY", kUnknown, "no beam data yet",
              "Beam energy on target during the recorded ticks with beam on, all runs of the campaign.", Tone::unknown};
    if (!feed.snapshot) return tile;
    const Exposure& exposure = feed.snapshot->exposure;
    if (exposure.ticks_on + exposure.ticks_off + exposure.ticks_no_beam_cycle == 0) return tile;
    tile.value = energy_text(exposure.beam_energy_gwh);
    tile.detail = QStringLiteral("live on ") + duration_text(exposure.live_on_s);
    tile.tone = Tone::plain;
    return tile;
}

Tile refused_tile(const FeedState& feed) {
    Tile tile{"REFUSED / LOST", kUnknown, "",
              "Triggers refused because a buffer was full, and triggers lost while the daemon was down (estimated).",
              Tone::unknown};
    const Status* status = status_of(feed);
    if (status == nullptr) return tile;
    const Ledger& ledger = status->ledger;
    tile.value = count_text(ledger.refused) + QStringLiteral(" / ") + count_text(ledger.lost_estimated);
    tile.detail = QStringLiteral("ticks missed ") + count_text(ledger.ticks_missed);
    if (status->dead_s > 0 && feed.live) tile.detail = QStringLiteral("REFUSING for ") + duration_text(status->dead_s);
    tile.tone =
        with_alarms(feed, {"refused"}, ledger.refused + ledger.lost_estimated > 0 ? Tone::warning : Tone::plain);
    return tile;
}

/// The fullest of the buffers whose name starts with `prefix`.
Tile buffer_tile(const FeedState& feed, const QString& title, std::string_view prefix, const QString& tooltip) {
    Tile tile{title, kUnknown, "", tooltip, Tone::unknown};
    const Status* status = live_status_of(feed);
    if (status == nullptr) return tile;
    const auto fill = [](std::uint64_t bytes, std::uint64_t capacity) {
        return capacity == 0 ? 0 : static_cast<double>(bytes) / static_cast<double>(capacity);
    };
    const BufferStatus* fullest = nullptr;
    for (const BufferStatus& buffer : status->buffers) {
        if (!buffer.name.starts_with(prefix)) continue;
        if (fullest == nullptr ||
            fill(buffer.used_bytes, buffer.capacity_bytes) > fill(fullest->used_bytes, fullest->capacity_bytes))
            fullest = &buffer;
    }
    if (fullest == nullptr) return tile;
    const double used = fill(fullest->used_bytes, fullest->capacity_bytes);
    tile.value = percent_text(used);
    tile.detail = QStringLiteral("of %1 · at most %2")
                      .arg(bytes_text(fullest->capacity_bytes),
                           percent_text(fill(fullest->high_water_bytes, fullest->capacity_bytes)));
    tile.tone = used > 0.9 ? Tone::alarm : used > 0.5 ? Tone::warning : Tone::plain;
    return tile;
}

/// What waits for the writer, as the time it stands for: that is what an operator has left.
Tile retransmit_tile(const FeedState& feed) {
    Tile tile =
        buffer_tile(feed, "RETRANSMIT", "retransmit",
                    "Seconds of data that are kept until the writer has them on disk, in memory and in the spill, "
                    "and how long until triggers are refused if it takes nothing.");
    const Status* status = live_status_of(feed);
    if (status == nullptr) return tile;
    if (const std::optional<WaitingData> waiting = waiting_for_writer(status->buffers)) {
        tile.detail = QStringLiteral("full in %1 · %2 used").arg(duration_text(waiting->left_s), tile.value);
        tile.value = duration_text(waiting->held_s);
    }
    if (status->backed_up) {
        tile.detail = "FULL: triggers are refused";
        tile.tone = Tone::alarm;
    }
    return tile;
}

Tile writer_tile(const FeedState& feed) {
    Tile tile{"WRITER", kUnknown, "",
              "The program that puts triggers on disk: the file it writes and how much stands in it.", Tone::unknown};
    const Status* status = live_status_of(feed);
    if (status == nullptr) return tile;
    const WriterStatus& writer = status->writer;
    tile.value = writer.connected ? bytes_text(writer.file_bytes) : QStringLiteral("absent");
    tile.detail = text(std::filesystem::path{writer.file}.filename().string());
    tile.tone = writer.connected ? Tone::plain : Tone::warning;
    if (!writer.connected && writer.unacknowledged_bytes > 0) {
        tile.detail = bytes_text(writer.unacknowledged_bytes) + QStringLiteral(" wait for it");
    }
    if (!writer.problem.empty()) {
        tile.value = "PROBLEM";
        tile.detail = text(writer.problem);
        tile.tone = Tone::alarm;
    }
    tile.tone = with_alarms(feed, {"writer"}, tile.tone);
    return tile;
}

Tile disk_tile(const FeedState& feed) {
    Tile tile{
        "DISK FREE", kUnknown, "",
        "Free space where the writer writes, and how long it lasts by what it lost in the last ten minutes. In the "
        "first minute of a run: at least so long, by the data rate without compression.",
        Tone::unknown};
    const Status* status = live_status_of(feed);
    if (status == nullptr || (status->writer.disk_free_bytes == 0 && !status->writer.connected)) return tile;
    tile.value = bytes_text(status->writer.disk_free_bytes);
    tile.tone = Tone::plain;
    if (const std::optional<DiskOutlook>& disk = feed.snapshot->disk) {
        const double hours = disk->hours_left;
        tile.detail = QStringLiteral("%1%2 h to full")
                          .arg(disk->measured ? QString{} : QStringLiteral("> "),
                               hours < 10 ? QString::number(hours, 'f', 1)
                                          : count_text(static_cast<std::uint64_t>(std::min(hours, 1e9))));
    }
    tile.tone = with_alarms(feed, {"disk"}, tile.tone);
    return tile;
}

Tile message_tile(const FeedState& feed) {
    Tile tile{"EVENTS", kUnknown, "",
              "Events in these plots, all runs of the campaign; below it the monitor messages, and the holes in their "
              "numbers, each healed by asking for a fresh snapshot.",
              Tone::unknown};
    if (!feed.snapshot) return tile;
    tile.value = count_text(feed.snapshot->events);
    tile.tone = Tone::plain;
    tile.detail = feed.live ? QStringLiteral("message %1 · holes %2")
                                  .arg(count_text(feed.snapshot->message_number), count_text(feed.holes))
                            : QString{};
    if (feed.snapshot->skipped_events > 0) {
        tile.detail = QStringLiteral("%1 skipped (bad order or schema)").arg(count_text(feed.snapshot->skipped_events));
        tile.tone = Tone::warning;
    }
    return tile;
}

QString tile_style(Tone tone, bool large) {
    const auto sheet = [large](const QColor& ground, const QColor& value, const QColor& words, const QColor& edge) {
        return QStringLiteral(
                   "QFrame { background: %1; border: 1px solid %2; border-radius: 5px; }"
                   "QLabel { border: none; background: transparent; color: %3; font-size: %5px; }"
                   "QLabel#value { color: %4; font-size: %6px; font-weight: bold; }")
            .arg(theme::css(ground), theme::css(edge), theme::css(words), theme::css(value))
            .arg(large ? 12 : 11)
            .arg(large ? 25 : 16);
    };
    switch (tone) {
        case Tone::plain: return sheet(theme::kPanel, theme::kText, theme::kMuted, theme::kGrid);
        case Tone::good: return sheet(theme::kPanel, theme::kGood, theme::kMuted, theme::kGrid);
        case Tone::unknown: return sheet(theme::kPanel, theme::kMuted, theme::kMuted, theme::kGrid);
        case Tone::warning: return sheet(theme::kWarning, Qt::black, Qt::black, theme::kWarning);
        case Tone::alarm: break;
    }
    return sheet(theme::kAlarm, Qt::white, Qt::white, theme::kAlarm);
}

/// A label that shortens its text instead of asking for room.
class ElidedLabel : public QLabel {
  public:
    ElidedLabel() { setSizePolicy(QSizePolicy::Ignored, QSizePolicy::Fixed); }

  protected:
    void paintEvent(QPaintEvent*) override {
        QPainter painter{this};
        QStyleOption ground;
        ground.initFrom(this);
        style()->drawPrimitive(QStyle::PE_Widget, &ground, &painter, this);
        painter.setFont(font());
        painter.setPen(palette().color(foregroundRole()));
        painter.drawText(contentsRect(), Qt::AlignLeft | Qt::AlignVCenter,
                         fontMetrics().elidedText(text(), Qt::ElideRight, contentsRect().width()));
    }
};

}  // namespace

std::vector<Tile> status_tiles(const FeedState& feed, UtcTime now) {
    return {run_tile(feed, now),
            state_tile(feed),
            beam_tile(feed),
            rate_tile(feed),
            live_tile(feed),
            age_tile(feed, now),
            alarm_tile(feed),
            energy_tile(feed),
            refused_tile(feed),
            buffer_tile(
                feed, "RING", "ring",
                "Fill of the ring between board and event builder, the fullest one: full means triggers are refused."),
            retransmit_tile(feed),
            writer_tile(feed),
            disk_tile(feed),
            message_tile(feed),
            quality_tile(feed)};
}

Banner status_banner(const FeedState& feed) {
    if (feed.live && !feed.connected) {
        QString words = QStringLiteral("no connection to ") + text(feed.source);
        if (feed.snapshot) words += QStringLiteral(": what is shown is old");
        if (!feed.problem.empty() && !QString{words}.contains(text(feed.problem)))
            words += QStringLiteral(" (%1)").arg(text(feed.problem));
        return {words, Tone::alarm};
    }
    if (!feed.problem.empty()) return {text(feed.problem), Tone::alarm};
    const Status* status = status_of(feed);
    if (status != nullptr && status->state == RunState::error) {
        return {QStringLiteral("run in error: ") + text(status->reason), Tone::alarm};
    }
    if (feed.snapshot && !feed.snapshot->alarms.empty()) {
        const Alarm& worst = feed.snapshot->alarms.front();
        if (worst.level != AlarmLevel::info) return {text(worst.text), tone_of(worst.level)};
    }
    if (!feed.remark.empty()) return {text(feed.remark), Tone::warning};
    return {feed.snapshot ? QStringLiteral("no active alarm") : QStringLiteral("waiting for data"), Tone::plain};
}

/// One tile on the screen.
class StatusStrip::TileView : public QFrame {
  public:
    explicit TileView(bool large)
        : large_{large}, title_{new ElidedLabel}, value_{new ElidedLabel}, detail_{new ElidedLabel} {
        auto* lines = new QVBoxLayout{this};
        lines->setContentsMargins(8, large ? 4 : 2, 6, large ? 4 : 2);
        lines->setSpacing(0);
        value_->setObjectName(QStringLiteral("value"));
        for (QLabel* line : {title_, value_, detail_}) lines->addWidget(line);
        title_->setFixedHeight(large ? 16 : 14);
        value_->setFixedHeight(large ? 32 : 21);
        detail_->setFixedHeight(large ? 16 : 14);
        setStyleSheet(tile_style(Tone::plain, large_));
    }
    void show_tile(const Tile& tile) {
        set(title_, tile.title);
        set(value_, tile.value);
        set(detail_, tile.detail);
        const QString tip = tile.tooltip + (tile.detail.isEmpty() ? QString{}
                                                                  : QStringLiteral("\n") + tile.value +
                                                                        QStringLiteral(" · ") + tile.detail);
        if (toolTip() != tip) setToolTip(tip);
        if (tile.tone != tone_) {
            tone_ = tile.tone;
            setStyleSheet(tile_style(tone_, large_));
        }
    }

  private:
    static void set(QLabel* label, const QString& text) {
        if (label->text() != text) label->setText(text);
    }
    bool large_;
    Tone tone_ = Tone::plain;
    QLabel *title_, *value_, *detail_;
};

StatusStrip::StatusStrip() : banner_{new ElidedLabel} {
    auto* all = new QVBoxLayout{this};
    all->setContentsMargins(0, 0, 0, 0);
    all->setSpacing(4);
    QBoxLayout* rows[2] = {new QHBoxLayout, new QHBoxLayout};
    // Widths by what stands there: state and beam have the longest words.
    static constexpr int kStretch[kTiles] = {10, 13, 15, 12, 11, 12, 10, 10, 10, 10, 12, 12, 10, 11, 12};
    for (std::size_t k = 0; k < kTiles; ++k) {
        views_.push_back(new TileView{k < kLargeTiles});
        rows[k < kLargeTiles ? 0 : 1]->addWidget(views_.back(), kStretch[k]);
    }
    for (QBoxLayout* row : rows) {
        row->setSpacing(4);
        all->addLayout(row);
    }
    banner_->setFixedHeight(26);
    all->addWidget(banner_);
}

void StatusStrip::show_state(const FeedState& feed, UtcTime now) {
    const std::vector<Tile> tiles = status_tiles(feed, now);
    for (std::size_t k = 0; k < views_.size(); ++k) views_[k]->show_tile(tiles[k]);

    const Banner banner = status_banner(feed);
    if (banner_->text() != banner.text) {
        banner_->setText(banner.text);
        banner_->setToolTip(banner.text);
    }
    if (!banner_tone_ || *banner_tone_ != banner.tone) {
        banner_tone_ = banner.tone;
        const bool alarm = banner.tone == Tone::alarm;
        if (banner.tone == Tone::plain) {
            banner_->setStyleSheet(
                QStringLiteral("color: %1; font-size: 13px; padding-left: 8px;").arg(theme::css(theme::kMuted)));
            return;
        }
        banner_->setStyleSheet(
            QStringLiteral(
                "background: %1; color: %2; font-size: 17px; font-weight: bold; padding-left: 8px; border-radius: 5px;")
                .arg(theme::css(alarm ? theme::kAlarm : theme::kWarning), alarm ? "white" : "black"));
    }
}

}  // namespace alleycat::gui
