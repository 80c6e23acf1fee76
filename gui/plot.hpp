#pragma once

#include <qcustomplot.h>

#include <chrono>

class QLabel;

namespace alleycat::gui {

/// A QCustomPlot in the colours of the dashboard that says in words why it is empty, and that draws only when it is
/// looked at and not more often than an eye can use.
class Plot : public QCustomPlot {
  public:
    explicit Plot(std::chrono::milliseconds at_most_every);

    /// Words over the plot, such as "waiting for the first event"; "" takes them away.
    void set_message(const QString& message);
    [[nodiscard]] QString message() const;

    /// The data changed: draw again soon, or, while nobody can see this, when it comes into sight.
    void changed();
    /// The user changed something: draw again now.
    void changed_by_hand();
    /// How often it was drawn because of changed().
    [[nodiscard]] std::uint64_t redraws() const noexcept { return redraws_; }

  protected:
    void paintEvent(QPaintEvent* event) override;
    void resizeEvent(QResizeEvent* event) override;

  private:
    void place_message();

    QLabel* message_;
    QTimer* later_;
    std::chrono::steady_clock::duration interval_;
    std::chrono::steady_clock::time_point drawn_at_;
    bool stale_ = false;
    std::uint64_t redraws_ = 0;
};

/// Colours, small fonts and a discreet grid, for one axis and for a rectangle of them.
void style_axis(QCPAxis& axis);
void style_axes(QCPAxisRect& rect);
void label(QCPAxis& axis, const QString& text);

/// A y range that holds [low, high] with room to breathe, and never an empty one.
[[nodiscard]] QCPRange padded(double low, double high);

/// The whole plot, or window, as a PNG; throws Error naming the file when it cannot be written.
void save_png(const QPixmap& picture, const QString& path);

}  // namespace alleycat::gui
