#pragma once

#include <QFrame>
#include <functional>

class QBoxLayout;
class QLabel;
class QTableWidget;
class QToolButton;

namespace alleycat::gui {

/// A framed part of the dashboard: a title with a legend and buttons, and what is shown below them.
class Panel : public QFrame {
  public:
    Panel(const QString& title, const QString& tooltip);

    void set_legend(const QString& rich_text);
    [[nodiscard]] QString legend() const;
    /// Into the header, right of the legend.
    void add_tool(QWidget* tool);
    [[nodiscard]] QBoxLayout& body() noexcept { return *body_; }
    [[nodiscard]] QString title() const;

    /// Called when the user asks to see this panel alone, or all of them again (button or double click on the header).
    std::function<void()> on_enlarge;

  protected:
    void mouseDoubleClickEvent(QMouseEvent* event) override;

  private:
    QLabel* title_;
    QLabel* legend_;
    QBoxLayout* header_;
    QBoxLayout* body_;
};

/// A table to be read and not touched: no selection, no grid, no row numbers, narrow rows [pixels].
[[nodiscard]] QTableWidget* make_table(int row_height);

}  // namespace alleycat::gui
