#pragma once

#include <vector>

#include "gui/panel.hpp"
#include "monitor/snapshot.hpp"

class QTableWidget;

namespace alleycat::gui {

/// What each cut removed, per window, side by side: C and AC must agree down to the last cut.
class CutFlowTable : public Panel {
  public:
    CutFlowTable();
    void show_snapshot(const Snapshot& snapshot, bool hide_residual);
    /// Text of a cell; "" outside.
    [[nodiscard]] QString cell(int row, int column) const;
    [[nodiscard]] int rows() const;

  private:
    void build(const Snapshot& snapshot);
    void set(int row, int column, const QString& text);
    void explain(int row, int column, const QString& line);

    QTableWidget* table_;
    std::vector<std::string> windows_;  ///< in the columns
    std::vector<std::string> cuts_;     ///< in the rows
};

}  // namespace alleycat::gui
