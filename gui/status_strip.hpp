#pragma once

#include <QString>
#include <QWidget>
#include <optional>
#include <vector>

#include "daq/core/time.hpp"
#include "gui/feed_state.hpp"

class QGridLayout;
class QLabel;

namespace alleycat::gui {

/// How a tile looks: by words and colour, so that nobody has to tell colours apart.
enum class Tone { plain, good, unknown, warning, alarm };

/// One number of the strip, in words.
struct Tile {
    QString title;    ///< "TRIGGER RATE"
    QString value;    ///< "60.00 Hz"
    QString detail;   ///< "nominal 60 Hz"
    QString tooltip;  ///< one sentence of what it is
    Tone tone = Tone::plain;
};

/// The tiles of the strip: always as many and in the same places. The first kLargeTiles are the large ones.
inline constexpr std::size_t kLargeTiles = 7, kTiles = 15;
[[nodiscard]] std::vector<Tile> status_tiles(const FeedState& feed, UtcTime now);

/// The one line below the strip: what is most wrong now. It is always there, so that nothing jumps when it speaks.
struct Banner {
    QString text;
    Tone tone = Tone::plain;
};
[[nodiscard]] Banner status_banner(const FeedState& feed);

/// Shows tiles and banner; touches only what differs from what it shows.
class StatusStrip : public QWidget {
  public:
    StatusStrip();
    void show_state(const FeedState& feed, UtcTime now);

  private:
    class TileView;
    std::vector<TileView*> views_;
    QLabel* banner_;
    std::optional<Tone> banner_tone_;  ///< nullopt: not drawn yet
};

}  // namespace alleycat::gui
