#pragma once

#include <vector>

#include "gui/panel.hpp"
#include "monitor/snapshot.hpp"

class QTableWidget;

namespace alleycat::gui {

/// The boards of the station: which of them are there, how their clocks go, how warm and how busy they are. One that is
/// missing is named in the header.
class BoardPanel : public Panel {
  public:
    BoardPanel();
    void show_snapshot(const Snapshot& snapshot);
    /// There is more to see than that the only board is there.
    [[nodiscard]] static bool worth_showing(const Snapshot& snapshot);
    /// Text of a cell; "" outside.
    [[nodiscard]] QString cell(int row, int column) const;

  private:
    void build(std::size_t boards);
    void fill(int row, const BoardStatus& board);

    QTableWidget* table_;
    std::vector<BoardStatus> shown_;
};

}  // namespace alleycat::gui
