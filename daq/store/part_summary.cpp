#include "daq/store/part_summary.hpp"

#include <algorithm>
#include <bit>
#include <numeric>

namespace alleycat {
namespace {

constexpr double kJoulesPerGwh = 3.6e12;

bool in_box(const WindowEvent& window, const AnalysisBox& box) noexcept {
    const double pe = window[Feature::charge_pe], t = window[Feature::arrival_ns];
    return window.accepted() && box.min_pe <= pe && pe < box.max_pe && box.min_arrival_ns <= t &&
           t < box.max_arrival_ns;
}

}  // namespace

PartSummary::PartSummary(const RunDescription& run) {
    for (const WindowInfo& info : run.windows) {
        WindowSummary& window = windows.emplace_back();
        window.name = info.name;
        window.rejected.resize(run.cuts.size());
    }
}

std::uint8_t PartSummary::add_event(const Event& event, const RunDescription& run) {
    if (triggers++ == 0) {
        first_time_ps = event.time_ps;
        first_utc_ns = event.utc_ns;
    }
    last_time_ps = event.time_ps;
    last_utc_ns = event.utc_ns;
    if (first_sequence == kNoSequence) first_sequence = last_sequence = event.sequence;
    first_sequence = std::min(first_sequence, event.sequence);
    last_sequence = std::max(last_sequence, event.sequence);
    ++by_class[static_cast<std::size_t>(event.trigger_class)];
    std::uint8_t box = 0;
    for (std::size_t w = 0; w < windows.size() && w < event.window_count; ++w) {
        const WindowEvent& measured = event.window[w];
        ++windows[w].rows;
        if (measured.accepted())
            ++windows[w].accepted;
        else if (const auto first = static_cast<std::size_t>(std::countr_zero(measured.cuts));
                 first < windows[w].rejected.size()) {
            ++windows[w].rejected[first];
        }
        if (in_box(measured, run.box)) box = static_cast<std::uint8_t>(box | 1u << w);
    }
    return box;
}

void PartSummary::add_beam_state(TriggerClass trigger_class, std::uint8_t box, BeamState state, float power_w,
                                 double tick_rate_hz) {
    const std::size_t s = index_of(state);
    if (trigger_class == TriggerClass::beam_tick) add_tick(state, power_w, tick_rate_hz);
    for (std::size_t w = 0; w < windows.size(); ++w) {
        if ((box >> w & 1u) != 0) ++windows[w].in_box[static_cast<std::size_t>(trigger_class)][s];
    }
}

void PartSummary::add_tick(BeamState state, float power_w, double tick_rate_hz) {
    ++ticks[index_of(state)];
    if (state == BeamState::on && power_w > 0 && tick_rate_hz > 0) {
        beam_energy_gwh += static_cast<double>(power_w) / tick_rate_hz / kJoulesPerGwh;
    }
}

void PartSummary::add_dead_time(const DeadTime& interval) {
    if (first_sequence == kNoSequence) {
        first_sequence = interval.first_sequence;
        last_sequence = interval.last_sequence;
    }
    first_sequence = std::min(first_sequence, interval.first_sequence);
    last_sequence = std::max(last_sequence, interval.last_sequence);
    if (interval.reason < refused.size())
        refused[interval.reason] += interval.last_sequence - interval.first_sequence + 1;
    if (interval.reason != static_cast<std::uint8_t>(RefusalReason::not_kept))
        dead_time_ps += interval.end_ps - interval.begin_ps;
}

std::uint64_t PartSummary::refused_total() const noexcept {
    return std::accumulate(refused.begin(), refused.end(), std::uint64_t{0});
}

namespace {
/// Triggers that belong to a tick with beam: ticks, and hits of self-triggered boards.
std::uint64_t with_beam(const WindowSummary& window) noexcept {
    const std::size_t on = index_of(BeamState::on);
    return window.in_box[static_cast<std::size_t>(TriggerClass::beam_tick)][on] +
           window.in_box[static_cast<std::size_t>(TriggerClass::hit)][on];
}
}  // namespace

std::uint64_t n_on(const PartSummary& summary, const RunDescription& run) noexcept {
    std::uint64_t n = 0;
    for (std::size_t w = 0; w < std::min(summary.windows.size(), run.windows.size()); ++w) {
        if (run.windows[w].role == WindowRole::coincident) n += with_beam(summary.windows[w]);
    }
    return n;
}

std::uint64_t n_off(const PartSummary& summary, const RunDescription& run) noexcept {
    std::uint64_t anticoincident = 0, strobe = 0;
    bool pulse_windows = false;
    for (std::size_t w = 0; w < std::min(summary.windows.size(), run.windows.size()); ++w) {
        const auto& box = summary.windows[w].in_box;
        if (run.windows[w].role == WindowRole::anticoincident) {
            pulse_windows = true;
            anticoincident += with_beam(summary.windows[w]);
        } else {
            const auto& states = box[static_cast<std::size_t>(TriggerClass::strobe)];
            strobe += std::accumulate(states.begin(), states.end(), std::uint64_t{0});
        }
    }
    return pulse_windows ? anticoincident : strobe;
}

}  // namespace alleycat
