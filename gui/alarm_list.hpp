#pragma once

#include <vector>

#include "gui/panel.hpp"
#include "monitor/snapshot.hpp"

class QTableWidget;

namespace alleycat::gui {

/// Active alarms, worst first, then what was raised and cleared before, newest first.
class AlarmList : public Panel {
  public:
    AlarmList();
    void show_snapshot(const Snapshot& snapshot);
    [[nodiscard]] int rows() const;
    [[nodiscard]] QString cell(int row, int column) const;

  private:
    QTableWidget* table_;
    std::vector<Alarm> active_, log_;  ///< on the screen
};

}  // namespace alleycat::gui
