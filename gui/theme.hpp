#pragma once
// One place for colours. The data colours are those of Okabe and Ito (2008), told apart by every kind of eye; the
// ground is dark so that the screen does not blind anybody at night.

#include <QColor>

class QApplication;
class QWidget;

namespace alleycat::gui::theme {

inline constexpr QColor kGround{0x10, 0x14, 0x19};
inline constexpr QColor kPanel{0x19, 0x1F, 0x26};
inline constexpr QColor kRaised{0x24, 0x2C, 0x36};
inline constexpr QColor kGrid{0x2C, 0x35, 0x40};
inline constexpr QColor kAxis{0x6B, 0x78, 0x86};
inline constexpr QColor kText{0xE8, 0xEC, 0xF0};
inline constexpr QColor kMuted{0x9A, 0xA7, 0xB4};

inline constexpr QColor kCoincident{0xE6, 0x9F, 0x00};      ///< orange
inline constexpr QColor kAnticoincident{0x56, 0xB4, 0xE9};  ///< sky blue
inline constexpr QColor kDifference{0x1F, 0xC7, 0x9A};      ///< bluish green, lightened for the dark ground
inline constexpr QColor kControl{0xCC, 0x79, 0xA7};         ///< reddish purple: beam off
inline constexpr QColor kTrace{0xD5, 0xDB, 0xE1};           ///< a waveform
inline constexpr QColor kGood{0x1F, 0xC7, 0x9A};
inline constexpr QColor kWarning{0xF0, 0xE4, 0x42};  ///< yellow
inline constexpr QColor kAlarm{0xD5, 0x3E, 0x0F};    ///< vermilion

/// Palette, fonts and style sheet of the whole program.
void apply(QApplication& application);

/// "#E69F00", for rich text and style sheets.
[[nodiscard]] inline QString css(const QColor& colour) { return colour.name(); }
/// `text` in this colour, as rich text.
[[nodiscard]] QString coloured(const QString& text, const QColor& colour);

}  // namespace alleycat::gui::theme
