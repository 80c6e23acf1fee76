#include "gui/alarm_list.hpp"

#include <QBoxLayout>
#include <QHeaderView>
#include <QTableWidget>
#include <QVariant>

#include "gui/format.hpp"
#include "gui/theme.hpp"

namespace alleycat::gui {
namespace {

struct Look {
    QString word;
    QColor colour;
};
Look look_of(const Alarm& alarm) {
    if (!alarm.active) return {QStringLiteral("cleared"), theme::kMuted};
    switch (alarm.level) {
        case AlarmLevel::info: return {QStringLiteral("info"), theme::kAnticoincident};
        case AlarmLevel::warning: return {QStringLiteral("warning"), theme::kWarning};
        case AlarmLevel::alarm: break;
    }
    return {QStringLiteral("ALARM"), theme::kAlarm};
}

}  // namespace

AlarmList::AlarmList()
    : Panel{QStringLiteral("Alarms"),
            QStringLiteral(
                "Active alarms, the worst first; below them what was raised and cleared before, newest first.")},
      table_{make_table(20)} {
    table_->setColumnCount(3);
    table_->horizontalHeader()->hide();
    table_->horizontalHeader()->setSectionResizeMode(QHeaderView::ResizeToContents);
    table_->horizontalHeader()->setSectionResizeMode(2, QHeaderView::Stretch);
    body().addWidget(table_);
    set_legend(theme::coloured(QStringLiteral("none yet"), theme::kMuted));
}

int AlarmList::rows() const { return table_->rowCount(); }

QString AlarmList::cell(int row, int column) const {
    const QTableWidgetItem* item = table_->item(row, column);
    return item == nullptr ? QString{} : item->text();
}

void AlarmList::show_snapshot(const Snapshot& snapshot) {
    set_legend(snapshot.alarms.empty() ? theme::coloured(QStringLiteral("none active"), theme::kGood)
                                       : theme::coloured(QStringLiteral("%1 active").arg(snapshot.alarms.size()),
                                                         look_of(snapshot.alarms.front()).colour));
    if (active_ == snapshot.alarms && log_ == snapshot.alarm_log) return;
    active_ = snapshot.alarms;
    log_ = snapshot.alarm_log;

    table_->setRowCount(static_cast<int>(active_.size() + log_.size()));
    int row = 0;
    const auto add = [&](const Alarm& alarm, bool now) {
        const Look look = look_of(alarm);
        const QString columns[3] = {now ? look.word : clock_text(alarm.utc_ns),
                                    now ? clock_text(alarm.utc_ns) : look.word, text(alarm.text)};
        for (int column = 0; column < 3; ++column) {
            QTableWidgetItem* item = table_->item(row, column);
            if (item == nullptr) table_->setItem(row, column, item = new QTableWidgetItem);
            item->setText(columns[column]);
            item->setToolTip(text(alarm.name) + QStringLiteral(" · ") + utc_text(alarm.utc_ns) + QStringLiteral("\n") +
                             text(alarm.text));
            const bool strong = now && alarm.level != AlarmLevel::info;
            item->setBackground(strong ? QBrush{look.colour} : QBrush{});
            item->setForeground(strong ? (alarm.level == AlarmLevel::alarm ? QColor{Qt::white} : QColor{Qt::black})
                                : column == 2 && now ? theme::kText
                                                     : look.colour);
        }
        ++row;
    };
    for (const Alarm& alarm : active_) add(alarm, true);
    for (const Alarm& alarm : log_) add(alarm, false);
}

}  // namespace alleycat::gui
