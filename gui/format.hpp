#pragma once
// How numbers read on the screen: a unit, and no more digits than they deserve.

#include <QString>
#include <cstdint>

#include "monitor/snapshot.hpp"

namespace alleycat::gui {

inline constexpr QChar kThinSpace{0x202F};
inline const QString kUnknown = QStringLiteral("–");

[[nodiscard]] inline QString text(const std::string& utf8) { return QString::fromStdString(utf8); }

/// What C is compared with, in as few letters as fit beside a curve: "AC", "strobe", "background"
[[nodiscard]] QString short_name(Background background);
/// Why nothing can be subtracted while an exposure is zero.
[[nodiscard]] QString why_not_comparable(const Snapshot& snapshot);

/// "1 234 567" (narrow spaces)
[[nodiscard]] QString count_text(std::uint64_t count);
/// "2.31 TB", "845 MB": powers of 1000
[[nodiscard]] QString bytes_text(std::uint64_t bytes);
/// "99.98 %". Never rounds a loss away: 0.999999 is ">99.99 %", 1e-6 is "<0.01 %".
[[nodiscard]] QString percent_text(double fraction);
/// "0.3 s", "42 s", "3 min 05 s", "2 h 10 min", "5 d 3 h"
[[nodiscard]] QString duration_text(double seconds);
/// "1.402 MW", "12.0 kW", "3 W"; negative: unknown
[[nodiscard]] QString power_text(double watt);
/// "7.476 GWh", "512 MWh", "41 kWh"
[[nodiscard]] QString energy_text(double gwh);
/// "142 ± 31", "0.4 ± 1.2": two digits of the error when it is below 10
[[nodiscard]] QString value_error_text(double value, double error);
/// "[112, 173]": digits as value_error_text() would give them to an error of half its width
[[nodiscard]] QString interval_text(double low, double high);
/// Three or four significant digits without an exponent where that is readable: "60.00", "0.903", "1250"
[[nodiscard]] QString number_text(double value);
/// A configured number as it was meant: "60", "0.5"
[[nodiscard]] QString plain_text(double value);
/// "2026-01-31 12:00:05 UTC"
[[nodiscard]] QString utc_text(std::int64_t utc_ns);
/// "12:00:05"
[[nodiscard]] QString clock_text(std::int64_t utc_ns);

}  // namespace alleycat::gui
