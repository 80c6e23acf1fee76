#include "gui/panel.hpp"

#include <QBoxLayout>
#include <QHeaderView>
#include <QLabel>
#include <QMouseEvent>
#include <QTableWidget>
#include <QToolButton>

namespace alleycat::gui {

Panel::Panel(const QString& title, const QString& tooltip)
    : title_{new QLabel{title}}, legend_{new QLabel}, header_{new QHBoxLayout}, body_{new QVBoxLayout} {
    setObjectName(QStringLiteral("panel"));
    title_->setObjectName(QStringLiteral("panelTitle"));
    title_->setToolTip(tooltip);
    legend_->setTextFormat(Qt::RichText);
    legend_->setToolTip(tooltip);
    legend_->setSizePolicy(QSizePolicy::Ignored, QSizePolicy::Preferred);

    auto* enlarge = new QToolButton;
    enlarge->setText(QStringLiteral("⤢"));
    enlarge->setFixedWidth(26);
    enlarge->setFocusPolicy(Qt::NoFocus);
    enlarge->setToolTip(
        QStringLiteral("Show this panel alone, or all again (double click on the header does the same)."));
    connect(enlarge, &QToolButton::clicked, this, [this] {
        if (on_enlarge) on_enlarge();
    });

    header_->setContentsMargins(0, 0, 0, 0);
    header_->addWidget(title_);
    header_->addSpacing(10);
    header_->addWidget(legend_, 1);
    header_->addWidget(enlarge);

    auto* all = new QVBoxLayout{this};
    all->setContentsMargins(8, 4, 8, 6);
    all->setSpacing(3);
    all->addLayout(header_);
    all->addLayout(body_, 1);
    body_->setContentsMargins(0, 0, 0, 0);
}

void Panel::set_legend(const QString& rich_text) {
    if (legend_->text() != rich_text) legend_->setText(rich_text);
}

QString Panel::legend() const { return legend_->text(); }
QString Panel::title() const { return title_->text(); }

void Panel::add_tool(QWidget* tool) {
    tool->setFocusPolicy(Qt::NoFocus);  // single keys belong to the window
    header_->insertWidget(header_->count() - 1, tool);
}

void Panel::mouseDoubleClickEvent(QMouseEvent* event) {
    if (event->position().y() < body_->geometry().top() && on_enlarge) on_enlarge();
}

QTableWidget* make_table(int row_height) {
    auto* table = new QTableWidget;
    table->setEditTriggers(QAbstractItemView::NoEditTriggers);
    table->setSelectionMode(QAbstractItemView::NoSelection);
    table->setFocusPolicy(Qt::NoFocus);
    table->verticalHeader()->hide();
    table->verticalHeader()->setDefaultSectionSize(row_height);
    table->verticalHeader()->setMinimumSectionSize(row_height);
    table->setShowGrid(false);
    return table;
}

}  // namespace alleycat::gui
