#include "gui/format.hpp"

#include <QDateTime>
#include <QTimeZone>
#include <algorithm>
#include <array>
#include <cmath>

namespace alleycat::gui {
namespace {

QString fixed(double value, int digits) {
    const QString shown = QString::number(value, 'f', digits);
    // "-0.0" is a zero that rounding gave a sign.
    return shown.startsWith('-') && shown.toDouble() == 0 ? shown.mid(1) : shown;
}

/// Three significant digits of a number that was scaled into [1, 1000).
QString three_digits(double scaled) { return fixed(scaled, scaled < 9.995 ? 2 : scaled < 99.95 ? 1 : 0); }

/// Digits behind the point that show two significant ones of an error.
int digits_for(double error) {
    return error <= 0 ? 0 : std::clamp(1 - static_cast<int>(std::floor(std::log10(error))), 0, 4);
}

QDateTime utc(std::int64_t utc_ns) { return QDateTime::fromMSecsSinceEpoch(utc_ns / 1'000'000, QTimeZone::utc()); }

}  // namespace

QString short_name(Background background) {
    switch (background) {
        case Background::anticoincident: return QStringLiteral("AC");
        case Background::strobe: return QStringLiteral("strobe");
        case Background::none: break;
    }
    return QStringLiteral("background");
}

QString why_not_comparable(const Snapshot& snapshot) {
    return snapshot.background == Background::none
               ? QStringLiteral("no AC window, no strobe trigger: nothing to subtract")
               : QStringLiteral("no tick of this beam state yet: nothing to compare");
}

QString count_text(std::uint64_t count) {
    QString digits = QString::number(count);
    for (qsizetype at = digits.size() - 3; at > 0; at -= 3) digits.insert(at, kThinSpace);
    return digits;
}

QString bytes_text(std::uint64_t bytes) {
    static constexpr std::array<const char*, 6> kUnits{"B", "kB", "MB", "GB", "TB", "PB"};
    double scaled = static_cast<double>(bytes);
    std::size_t unit = 0;
    while (scaled >= 999.5 && unit + 1 < kUnits.size()) {
        scaled /= 1000;
        ++unit;
    }
    return (unit == 0 ? fixed(scaled, 0) : three_digits(scaled)) + ' ' + kUnits[unit];
}

QString percent_text(double fraction) {
    if (!std::isfinite(fraction)) return kUnknown;
    const double percent = 100 * fraction;
    if (fraction < 1 && percent > 99.99) return QStringLiteral(">99.99 %");
    if (fraction > 0 && percent < 0.01) return QStringLiteral("<0.01 %");
    if (fraction == 0 || fraction == 1) return fixed(percent, 0) + QStringLiteral(" %");
    return fixed(percent, 2) + QStringLiteral(" %");
}

QString duration_text(double seconds) {
    if (!std::isfinite(seconds)) return kUnknown;
    const QString sign = seconds < 0 ? QStringLiteral("-") : QString{};
    const double size = std::abs(seconds);
    if (size < 9.95) return sign + fixed(size, 1) + QStringLiteral(" s");
    if (size >= 1e11) return sign + QStringLiteral("> 3000 y");
    const auto whole = static_cast<long long>(std::llround(size));
    if (whole < 60) return sign + QStringLiteral("%1 s").arg(whole);
    if (whole < 3600) return sign + QStringLiteral("%1 min %2 s").arg(whole / 60).arg(whole % 60, 2, 10, QChar{'0'});
    if (whole < 86400) {
        return sign + QStringLiteral("%1 h %2 min").arg(whole / 3600).arg(whole / 60 % 60, 2, 10, QChar{'0'});
    }
    if (whole < 365LL * 86400) return sign + QStringLiteral("%1 d %2 h").arg(whole / 86400).arg(whole / 3600 % 24);
    return sign + fixed(size / (365.25 * 86400), 1) + QStringLiteral(" y");
}

QString power_text(double watt) {
    if (!std::isfinite(watt) || watt < 0) return kUnknown;
    if (watt >= 0.1e6) return fixed(watt / 1e6, 3) + QStringLiteral(" MW");
    if (watt >= 1e3) return fixed(watt / 1e3, 1) + QStringLiteral(" kW");
    return fixed(watt, 0) + QStringLiteral(" W");
}

QString energy_text(double gwh) {
    if (!std::isfinite(gwh)) return kUnknown;
    if (gwh >= 0.9995) return fixed(gwh, 3) + QStringLiteral(" GWh");
    if (gwh >= 0.9995e-3) return three_digits(gwh * 1e3) + QStringLiteral(" MWh");
    return fixed(gwh * 1e6, gwh * 1e6 < 9.95 && gwh > 0 ? 1 : 0) + QStringLiteral(" kWh");
}

QString interval_text(double low, double high) {
    if (!std::isfinite(low) || !std::isfinite(high)) return kUnknown;
    const int digits = digits_for((high - low) / 2);
    return QStringLiteral("[%1, %2]").arg(fixed(low, digits), fixed(high, digits));
}

QString plain_text(double value) { return std::isfinite(value) ? QString::number(value, 'g', 6) : kUnknown; }

QString value_error_text(double value, double error) {
    if (!std::isfinite(value) || !std::isfinite(error)) return kUnknown;
    const int digits = digits_for(error);
    return fixed(value, digits) + QStringLiteral(" ± ") + fixed(error, digits);
}

QString number_text(double value) {
    if (!std::isfinite(value)) return kUnknown;
    const double size = std::abs(value);
    if (size == 0) return QStringLiteral("0");
    if (size >= 1e6 || size < 1e-3) return QString::number(value, 'g', 3);
    return fixed(value, size >= 999.5 ? 0 : size >= 99.95 ? 1 : size >= 9.995 ? 2 : 3);
}

QString utc_text(std::int64_t utc_ns) { return utc(utc_ns).toString(QStringLiteral("yyyy-MM-dd HH:mm:ss 'UTC'")); }
QString clock_text(std::int64_t utc_ns) { return utc(utc_ns).toString(QStringLiteral("HH:mm:ss")); }

}  // namespace alleycat::gui
