#include "gui/cut_flow_table.hpp"

#include <QBoxLayout>
#include <QHeaderView>
#include <QTableWidget>
#include <algorithm>

#include "gui/format.hpp"
#include "gui/theme.hpp"

namespace alleycat::gui {
namespace {

constexpr int kRowHeight = 18;
constexpr std::size_t kWindowsWithShares = 2;  // more leave no room for them: then they stand in the tooltips

const WindowInfo* window_named(const RunDescription* run, const std::string& name) {
    if (run == nullptr) return nullptr;
    const auto found = std::find_if(run->windows.begin(), run->windows.end(),
                                    [&](const WindowInfo& window) { return window.name == name; });
    return found == run->windows.end() ? nullptr : &*found;
}

bool is_coincident(const Snapshot& snapshot, const std::string& window) {
    const WindowInfo* info = window_named(snapshot.run.get(), window);
    return info != nullptr && info->role == WindowRole::coincident;
}

QString share(std::uint64_t part, std::uint64_t whole) {
    return whole == 0 ? kUnknown : percent_text(static_cast<double>(part) / static_cast<double>(whole));
}

}  // namespace

CutFlowTable::CutFlowTable()
    : Panel{QStringLiteral("Cut flow"),
            QStringLiteral(
                "Triggers that each cut removed first, per window, all beam states; rows = accepted + what the "
                "cuts removed.")},
      table_{make_table(kRowHeight)} {
    body().addWidget(table_);
    set_legend(theme::coloured(QStringLiteral("waiting for the first event"), theme::kMuted));
}

int CutFlowTable::rows() const { return table_->rowCount(); }

QString CutFlowTable::cell(int row, int column) const {
    const QTableWidgetItem* item = table_->item(row, column);
    return item == nullptr ? QString{} : item->text();
}

void CutFlowTable::set(int row, int column, const QString& text) {
    QTableWidgetItem* item = table_->item(row, column);
    if (item != nullptr && item->text() != text) item->setText(text);
}

/// Adds a line to what the cut of this row means.
void CutFlowTable::explain(int row, int column, const QString& line) {
    QTableWidgetItem* item = table_->item(row, column);
    const QTableWidgetItem* cut = table_->item(row, 0);
    if (item == nullptr || cut == nullptr) return;
    const QString words = cut->toolTip().isEmpty() ? line : cut->toolTip() + '\n' + line;
    if (item->toolTip() != words) item->setToolTip(words);
}

/// Rows: triggers, the cuts in their order, accepted. Columns: the cut, then count and share per window.
void CutFlowTable::build(const Snapshot& snapshot) {
    windows_.clear();
    for (const CutFlow& flow : snapshot.cut_flow) windows_.push_back(flow.window);
    cuts_ = snapshot.cut_flow.front().names;
    table_->clear();
    table_->setColumnCount(static_cast<int>(1 + 2 * windows_.size()));
    table_->setRowCount(static_cast<int>(cuts_.size() + 2));
    table_->horizontalHeader()->setSectionResizeMode(QHeaderView::Stretch);
    for (int column = 0; column < table_->columnCount(); column += 2) {
        table_->horizontalHeader()->setSectionResizeMode(column, QHeaderView::ResizeToContents);
    }
    table_->horizontalHeader()->setDefaultAlignment(Qt::AlignRight | Qt::AlignVCenter);

    auto* first = new QTableWidgetItem{QStringLiteral("removed first by")};
    first->setTextAlignment(Qt::AlignLeft | Qt::AlignVCenter);
    table_->setHorizontalHeaderItem(0, first);
    for (std::size_t w = 0; w < windows_.size(); ++w) {
        const QColor& colour = is_coincident(snapshot, windows_[w]) ? theme::kCoincident : theme::kAnticoincident;
        for (int part = 0; part < 2; ++part) {
            auto* header = new QTableWidgetItem{part == 0 ? text(windows_[w]) : QStringLiteral("share")};
            header->setForeground(colour);
            table_->setHorizontalHeaderItem(static_cast<int>(1 + 2 * w) + part, header);
        }
        table_->setColumnHidden(static_cast<int>(2 + 2 * w), windows_.size() > kWindowsWithShares);
    }
    for (int row = 0; row < table_->rowCount(); ++row) {
        const bool total = row == 0 || row + 1 == table_->rowCount();
        QString name = row == 0 ? QStringLiteral("triggers")
                       : total  ? QStringLiteral("accepted")
                                : text(cuts_[static_cast<std::size_t>(row - 1)]);
        QString meaning;
        if (!total && snapshot.run) {
            const auto cut = std::find_if(
                snapshot.run->cuts.begin(), snapshot.run->cuts.end(),
                [&](const CutInfo& info) { return info.name == cuts_[static_cast<std::size_t>(row - 1)]; });
            if (cut != snapshot.run->cuts.end()) meaning = text(cut->meaning);
        }
        for (int column = 0; column < table_->columnCount(); ++column) {
            auto* item = new QTableWidgetItem{column == 0 ? name : QString{}};
            item->setTextAlignment((column == 0 ? Qt::AlignLeft : Qt::AlignRight) | Qt::AlignVCenter);
            item->setToolTip(meaning);
            if (column > 0 && column % 2 == 0) item->setForeground(theme::kMuted);
            if (total) {
                QFont font = table_->font();
                font.setBold(true);
                item->setFont(font);
            }
            table_->setItem(row, column, item);
        }
    }
}

void CutFlowTable::show_snapshot(const Snapshot& snapshot, bool hide_residual) {
    if (snapshot.cut_flow.empty() || snapshot.events == 0) return;
    const bool same = cuts_ == snapshot.cut_flow.front().names &&
                      std::equal(windows_.begin(), windows_.end(), snapshot.cut_flow.begin(), snapshot.cut_flow.end(),
                                 [](const std::string& window, const CutFlow& flow) { return window == flow.window; });
    if (!same || table_->rowCount() == 0) build(snapshot);
    set_legend(theme::coloured(QStringLiteral("all beam states"), theme::kMuted));

    const int accepted_row = table_->rowCount() - 1;
    for (std::size_t w = 0; w < snapshot.cut_flow.size(); ++w) {
        const CutFlow& flow = snapshot.cut_flow[w];
        const int column = static_cast<int>(1 + 2 * w);
        set(0, column, count_text(flow.rows));
        for (std::size_t cut = 0; cut < cuts_.size() && cut < flow.removed_first.size(); ++cut) {
            set(static_cast<int>(cut + 1), column, count_text(flow.removed_first[cut]));
            const QString part = share(flow.removed_first[cut], flow.rows);
            set(static_cast<int>(cut + 1), column + 1, part);
            explain(static_cast<int>(cut + 1), column, part + QStringLiteral(" of ") + text(flow.window));
        }
        const bool hidden = hide_residual && is_coincident(snapshot, flow.window);
        set(accepted_row, column, hidden ? QStringLiteral("hidden") : count_text(flow.accepted));
        set(accepted_row, column + 1, hidden ? QString{} : share(flow.accepted, flow.rows));
    }
}

}  // namespace alleycat::gui
