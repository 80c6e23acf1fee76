#include "gui/theme.hpp"

#include <QApplication>
#include <QFont>
#include <QPalette>
#include <QStyleFactory>

namespace alleycat::gui::theme {

void apply(QApplication& application) {
    QApplication::setStyle(QStyleFactory::create(QStringLiteral("Fusion")));
    QPalette palette;
    palette.setColor(QPalette::Window, kGround);
    palette.setColor(QPalette::WindowText, kText);
    palette.setColor(QPalette::Base, kPanel);
    palette.setColor(QPalette::AlternateBase, kRaised);
    palette.setColor(QPalette::Text, kText);
    palette.setColor(QPalette::PlaceholderText, kMuted);
    palette.setColor(QPalette::Button, kRaised);
    palette.setColor(QPalette::ButtonText, kText);
    palette.setColor(QPalette::BrightText, kWarning);
    palette.setColor(QPalette::Highlight, kAnticoincident.darker(180));
    palette.setColor(QPalette::HighlightedText, kText);
    palette.setColor(QPalette::ToolTipBase, kRaised);
    palette.setColor(QPalette::ToolTipText, kText);
    palette.setColor(QPalette::Disabled, QPalette::Text, kAxis);
    palette.setColor(QPalette::Disabled, QPalette::ButtonText, kAxis);
    QApplication::setPalette(palette);

    QFont font{QStringLiteral("DejaVu Sans")};
    font.setStyleHint(QFont::SansSerif);
    font.setPixelSize(12);
    QApplication::setFont(font);

    application.setStyleSheet(QStringLiteral(R"(
        QToolTip { background: %1; color: %2; border: 1px solid %3; padding: 4px; }
        QFrame#panel { background: %4; border: 1px solid %5; border-radius: 6px; }
        QLabel#panelTitle { color: %2; font-weight: bold; font-size: 13px; }
        QTableWidget { background: %4; border: none; gridline-color: %5; }
        QHeaderView::section { background: %4; color: %6; border: none; border-bottom: 1px solid %5; padding: 1px 4px; }
        QSplitter::handle { background: %7; }
        QComboBox, QToolButton { background: %1; border: 1px solid %5; border-radius: 4px; padding: 1px 5px; }
        QToolButton:checked { background: %8; color: %7; }
        QMenuBar { background: %7; }
        QStatusBar { color: %6; }
    )")
                                  .arg(css(kRaised), css(kText), css(kAxis), css(kPanel), css(kGrid), css(kMuted),
                                       css(kGround), css(kWarning)));
}

QString coloured(const QString& text, const QColor& colour) {
    return QStringLiteral("<span style=\"color:%1\">%2</span>").arg(css(colour), text);
}

}  // namespace alleycat::gui::theme
