#include "gui/board_panel.hpp"

#include <QBoxLayout>
#include <QHeaderView>
#include <QTableWidget>
#include <algorithm>
#include <array>
#include <optional>

#include "gui/format.hpp"
#include "gui/theme.hpp"

namespace alleycat::gui {
namespace {

constexpr int kRowHeight = 18;
constexpr int kState = 1;  // column
const std::array kColumns{QStringLiteral("board"),     QStringLiteral("state"), QStringLiteral("offset ns"),
                          QStringLiteral("drift ppm"), QStringLiteral("°C"),    QStringLiteral("busy")};

QString fixed_text(const std::optional<double>& value, int digits) {
    return value ? QString::number(*value, 'f', digits) : kUnknown;
}

/// A board that has given nothing yet, and one in a file, is neither present nor missing.
QString state_text(const BoardStatus& board) {
    if (board.missing_s) return QStringLiteral("MISSING ") + duration_text(*board.missing_s);
    return board.last_record_utc_ns == 0 ? kUnknown : QStringLiteral("present");
}

QString signed_text(const std::optional<double>& value, int digits) {
    return (value && *value > 0 ? QStringLiteral("+") : QString{}) + fixed_text(value, digits);
}

}  // namespace

BoardPanel::BoardPanel()
    : Panel{QStringLiteral("Boards"),
            QStringLiteral("Each board of the station: whether its records are in the triggers, its clock against "
                           "that of the reference board, its highest temperature, the share of time it was busy. A "
                           "dash: not known, or nothing to compare. All that a board says stands in its tooltip.")},
      table_{make_table(kRowHeight)} {
    table_->setColumnCount(static_cast<int>(kColumns.size()));
    for (int column = 0; column < table_->columnCount(); ++column) {
        auto* header = new QTableWidgetItem{kColumns[static_cast<std::size_t>(column)]};
        header->setTextAlignment((column <= kState ? Qt::AlignLeft : Qt::AlignRight) | Qt::AlignVCenter);
        table_->setHorizontalHeaderItem(column, header);
    }
    table_->horizontalHeader()->setSectionResizeMode(QHeaderView::Stretch);
    table_->horizontalHeader()->setSectionResizeMode(kState, QHeaderView::ResizeToContents);
    body().addWidget(table_);
}

bool BoardPanel::worth_showing(const Snapshot& snapshot) {
    if (!snapshot.status) return false;
    const std::vector<BoardStatus>& boards = snapshot.status->boards;
    return boards.size() > 1 || std::ranges::any_of(boards, has_something_to_say);
}

QString BoardPanel::cell(int row, int column) const {
    const QTableWidgetItem* item = table_->item(row, column);
    return item == nullptr ? QString{} : item->text();
}

void BoardPanel::build(std::size_t boards) {
    table_->setRowCount(static_cast<int>(boards));
    for (int row = 0; row < table_->rowCount(); ++row) {
        for (int column = 0; column < table_->columnCount(); ++column) {
            auto* item = new QTableWidgetItem;
            item->setTextAlignment((column <= kState ? Qt::AlignLeft : Qt::AlignRight) | Qt::AlignVCenter);
            table_->setItem(row, column, item);
        }
    }
}

void BoardPanel::fill(int row, const BoardStatus& board) {
    const std::optional<double> busy = busy_share(board);
    const std::array cells{text(board.name),
                           state_text(board),
                           signed_text(board.clock_offset_ns, 1),
                           signed_text(board.clock_drift_ppm, 3),
                           fixed_text(highest_temperature(board), 1),
                           busy ? percent_text(*busy) : kUnknown};
    const QString tip = text(to_text(board));
    for (int column = 0; column < table_->columnCount(); ++column) {
        QTableWidgetItem& item = *table_->item(row, column);
        item.setText(cells[static_cast<std::size_t>(column)]);
        item.setToolTip(tip);
    }
    const QColor& tone = board.missing_s ? theme::kAlarm : board.last_record_utc_ns == 0 ? theme::kMuted : theme::kGood;
    table_->item(row, kState)->setForeground(tone);
}

void BoardPanel::show_snapshot(const Snapshot& snapshot) {
    if (!snapshot.status || snapshot.status->boards == shown_) return;
    const std::vector<BoardStatus>& boards = snapshot.status->boards;
    if (boards.size() != shown_.size()) build(boards.size());
    shown_ = boards;
    QStringList missing;
    for (int row = 0; row < table_->rowCount(); ++row) {
        const BoardStatus& board = boards[static_cast<std::size_t>(row)];
        fill(row, board);
        if (board.missing_s) missing += text(board.name);
    }
    set_legend(missing.isEmpty()
                   ? theme::coloured(QStringLiteral("%1, none missing").arg(boards.size()), theme::kMuted)
                   : theme::coloured(QStringLiteral("missing: ") + missing.join(QStringLiteral(", ")), theme::kAlarm));
}

}  // namespace alleycat::gui
