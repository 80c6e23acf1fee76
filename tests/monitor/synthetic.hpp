#pragma once
// A small run and its events, made by hand: what the tests of this folder feed.

#include <cmath>
#include <cstdint>
#include <limits>
#include <string>

#include "daq/core/event_sink.hpp"

namespace alleycat::synthetic {

inline constexpr std::int64_t kSecond = 1'000'000'000;
inline constexpr std::int64_t kStart = 1'443'787'200 * kSecond;  // 2015-10-02T12:00:00Z

/// C and AC of the CsI[Na] detector, a cut flow of four, no board.
inline RunDescription run(std::uint64_t number = 1) {
    RunDescription r;
    r.run = number;
    r.profile = "csi";
    r.start_utc_ns = kStart;
    BoardInfo board;
    board.name = "pci5153";
    board.source = "labview";
    board.sample_period_ps = 2000;
    board.channels = {{"csi", true, "pci5153_signal"}};
    r.boards = {board};
    r.signal = {0, 0, true};
    r.windows = {{"coincident", WindowRole::coincident, 7675, 27475, 35000, 1500},
                 {"anticoincident", WindowRole::anticoincident, 150, 19950, 27475, 1500}};
    r.features = core_features();
    r.cuts = {{"no_peak", ""}, {"does_not_fit", ""}, {"overflow", ""}, {"pretrace", "pretrace_peaks <= 3"}};
    return r;
}

inline constexpr std::uint32_t kNoPeak = 1u << 0, kDoesNotFit = 1u << 1, kOverflow = 1u << 2, kPretrace = 1u << 3;

inline void set_window(WindowEvent& window, double charge_pe, double arrival_ns, std::uint32_t cuts = 0) {
    window.cuts = cuts;
    window.set(Feature::charge_pe, charge_pe);
    window.set(Feature::arrival_ns, arrival_ns);
    window.set(Feature::arrival_sample, std::isnan(arrival_ns) ? -1 : 27475 + std::floor(arrival_ns / 2));
}

/// A tick at 60 Hz with an empty C and AC window.
inline Event event(std::uint64_t sequence) {
    Event e;
    e.sequence = sequence;
    e.time_ps = static_cast<std::int64_t>(sequence) * 50'000'000'000 / 3;
    e.utc_ns = kStart + static_cast<std::int64_t>(sequence) * 50'000'000 / 3;
    e.window_count = 2;
    e.feature_count = static_cast<std::uint8_t>(kCoreFeatures);
    e.baseline_median_adc = 100;
    e.baseline_mean_adc = 100;
    e.baseline_sigma_adc = 0.9;
    e.spe_charge_adc = 70;
    for (std::size_t w = 0; w < 2; ++w) {
        set_window(e.window[w], 0, std::numeric_limits<double>::quiet_NaN(), kNoPeak);
    }
    return e;
}

inline Event with_c(Event e, double charge_pe, double arrival_ns, std::uint32_t cuts = 0) {
    set_window(e.window[0], charge_pe, arrival_ns, cuts);
    return e;
}
inline Event with_ac(Event e, double charge_pe, double arrival_ns, std::uint32_t cuts = 0) {
    set_window(e.window[1], charge_pe, arrival_ns, cuts);
    return e;
}

}  // namespace alleycat::synthetic
