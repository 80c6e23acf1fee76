#include "daq/run/beam_join.hpp"

#include <algorithm>
#include <array>
#include <cmath>

#include "daq/core/event.hpp"

namespace alleycat {
namespace {

constexpr std::size_t kFramesKept = 1u << 16;  // 18 minutes at 60 Hz
constexpr std::uint16_t kCycleMissing = 0x3FF;
constexpr std::int64_t kCycles = 600;  // of a super-cycle
constexpr int kMostStepped = 64;       // numbers that are no pulses, between two that are

/// How far `a` is after `b`, modulo the counter.
std::int64_t after(std::uint64_t a, std::uint64_t b) noexcept { return static_cast<std::int64_t>(a - b); }

/// Whether `other` may be the frame of the pulse `pulses` after `own`. A frame in between may be late, its number taken
/// for no pulse: the cycles tell.
bool cycle_follows(const BeamFrame& own, const BeamFrame& other, std::int64_t pulses) noexcept {
    if (own.cycle >= kCycles || other.cycle >= kCycles) return true;
    return (own.cycle + pulses + kCycles) % kCycles == other.cycle;
}

std::uint8_t parse_flavors(ConfigSection& section) {
    std::uint8_t flavors = 0;
    for (const double flavor : section.number_list("on_flavors", {1, 2}, 1, 7)) {
        if (flavor != std::floor(flavor)) section.problem("on_flavors", "flavors are whole numbers from 1 to 7");
        flavors |= static_cast<std::uint8_t>(1u << static_cast<unsigned>(flavor));
    }
    return flavors;
}

}  // namespace

BeamConfig parse_beam(ConfigSection& root) {
    using Source = BeamConfig::Source;
    BeamConfig config;
    ConfigSection section = root.section("beam");
    config.source = section.choice("source", Source::none,
                                   {{"none", Source::none},
                                    {"constant", Source::constant},
                                    {"frames", Source::frames},
                                    {"power_log", Source::power_log},
                                    {"recorded", Source::recorded}});
    config.constant_state =
        section.choice("constant_state", BeamState::on,
                       {{"on", BeamState::on}, {"off", BeamState::off}, {"unknown", BeamState::unknown}});
    config.constant_power_w = section.number("constant_power_w", -1, -1, 1e8);
    config.power_log = section.text("power_log", "");
    config.on_above_w = section.number("on_above_w", 10, 0, 1e8);
    config.on_above_charge_pc = section.number("on_above_charge_pc", 0, 0, 1e9);
    config.charge_index = section.integer("charge_index", 0, -10, 10);
    config.veto_index = section.integer("veto_index", config.charge_index, -10, 10);
    config.flavor_index = section.integer("flavor_index", 0, -10, 10);
    config.on_flavors = parse_flavors(section);
    config.veto_mask = static_cast<std::uint16_t>(section.integer("veto_mask", 0xFFF, 0, 0xFFF));
    config.index_evidence = section.number("index_evidence", 12.5, 1, 1e6);
    config.index_ticks_without_beam =
        static_cast<std::uint64_t>(section.integer("index_ticks_without_beam", 10, 1, 1'000'000'000));
    section.leave_to_others("monitor");
    config.max_delay_s = section.number("max_delay_s", 10, 0.1, 3'600);
    if (config.source == Source::power_log && config.power_log.empty()) {
        section.problem("power_log", "is missing: the file with the power history");
    }
    section.finish();
    return config;
}

BeamJoin::BeamJoin(const BeamConfig& config, std::optional<PowerLog> log, CounterRegistry& registry)
    : config_{config},
      log_{std::move(log)},
      late_frames_{registry.get("beam.late_frames")},
      duplicate_frames_{registry.get("beam.duplicate_frames")},
      missing_frames_{registry.get("beam.missing_frames")},
      misplaced_frames_{registry.get("beam.misplaced_frames")},
      vetoed_pulses_{registry.get("beam.vetoed_pulses")},
      contradictory_frames_{registry.get("beam.contradictory_frames")},
      pending_{kFramesKept},
      recorded_{config.source == BeamConfig::Source::recorded ? kFramesKept : 0} {
    if (config.source == BeamConfig::Source::frames) slots_.resize(kFramesKept);
}

void BeamJoin::add(std::uint64_t sequence, std::uint64_t tick, std::int64_t time_ps, std::int64_t utc_ns,
                   std::uint32_t tick_flags, TriggerClass trigger_class) {
    const bool is_tick = trigger_class == TriggerClass::beam_tick;
    const bool trusted = (tick_flags & trigger_flag::distrusted_tick) == 0;
    pending_.push({sequence, tick, time_ps, utc_ns, is_tick, trusted});
    if (!newest_tick_ || after(tick, *newest_tick_) > 0) newest_tick_ = tick;
    if (trusted) newest_time_ps_ = std::max(newest_time_ps_, time_ps);  // a wrong stamp makes nobody overdue
    if (!slots_.empty() && !(is_tick && trusted)) claim(tick).is_no_pulse = true;
}

void BeamJoin::add(const BeamFrame& frame) {
    if (slots_.empty()) return;  // the station does not ask this source
    const std::int64_t ahead = newest_tick_ ? after(frame.tick, *newest_tick_) : 0;
    constexpr auto kReach = static_cast<std::int64_t>(kFramesKept / 2);
    if (ahead > kReach) {
        misplaced_frames_.add();
        return;
    }
    if (ahead < -kReach) {
        late_frames_.add();
        return;
    }
    Slot& slot = claim(frame.tick);
    if (slot.has_frame) {
        duplicate_frames_.add();
        return;
    }
    // The answer that was given without it stands. Triggers that still wait have it in time.
    if (slot.missed) late_frames_.add();
    slot.frame = frame;
    slot.has_frame = true;
}

const BeamJoin::Slot* BeamJoin::find(std::uint64_t tick) const noexcept {
    const Slot& slot = slots_[tick % slots_.size()];
    return slot.used && slot.tick == tick ? &slot : nullptr;
}

BeamJoin::Slot& BeamJoin::claim(std::uint64_t tick) noexcept {
    Slot& slot = slots_[tick % slots_.size()];
    if (!slot.used || slot.tick != tick) {
        slot = Slot{};
        slot.tick = tick;
        slot.used = true;
    }
    return slot;
}

void BeamJoin::add(const BeamResolution& recorded) {
    if (config_.source == BeamConfig::Source::recorded) recorded_.push(recorded);
}

bool BeamJoin::next(BeamResolution& resolution) {
    if (pending_.empty() || !resolve(pending_.front(), resolution)) return false;
    if (pending_.front().is_tick && pending_.front().trusted) last_ = resolution;
    answered_before_ = pending_.front().sequence + 1;
    pending_.pop();
    return true;
}

double BeamJoin::lag_s() const noexcept {
    if (pending_.empty()) return 0;
    return std::max(0.0, static_cast<double>(newest_time_ps_ - pending_.front().time_ps) * 1e-12);
}

BeamState BeamJoin::state_of_power(float power_w) const noexcept {
    if (power_w < -0.1f) return BeamState::unknown;
    return static_cast<double>(power_w) > config_.on_above_w ? BeamState::on : BeamState::off;
}

bool BeamJoin::resolve(const Pending& trigger, BeamResolution& resolution) {
    const bool overdue =
        finished_ || static_cast<double>(newest_time_ps_ - trigger.time_ps) * 1e-12 > config_.max_delay_s;
    resolution = {trigger.sequence, -1, BeamState::unknown};
    if (!trigger.trusted) return true;
    if (!trigger.is_tick && config_.source == BeamConfig::Source::frames) {
        resolution = {trigger.sequence, last_.power_w, last_.state};
        return true;
    }
    switch (config_.source) {
        case BeamConfig::Source::none:
            if (config_.ticks_mean_beam) resolution.state = BeamState::on;
            return true;
        case BeamConfig::Source::constant:
            resolution.state = config_.constant_state;
            resolution.power_w = static_cast<float>(config_.constant_power_w);
            return true;
        case BeamConfig::Source::power_log:
            resolution.power_w = log_->power_w(UtcTime{std::chrono::nanoseconds{trigger.utc_ns}});
            resolution.state = state_of_power(resolution.power_w);
            return true;
        case BeamConfig::Source::frames: return resolve_by_frames(trigger, overdue, resolution);
        case BeamConfig::Source::recorded: return resolve_as_recorded(trigger, overdue, resolution);
    }
    return true;
}

BeamJoin::Place BeamJoin::frame_about(std::uint64_t tick, std::int64_t index) const noexcept {
    const Slot* const own = find(tick);
    const Slot* slot = own;
    const std::uint64_t step = index < 0 ? 1 : ~std::uint64_t{0};
    for (std::int64_t left = std::abs(index); left > 0; --left) {
        int stepped = 0;
        do {
            tick += step;
            slot = find(tick);
        } while (slot != nullptr && slot->is_no_pulse && !slot->has_frame && ++stepped < kMostStepped);
        const bool has_frame = slot != nullptr && slot->has_frame;
        if (!has_frame && newest_tick_ && after(tick, *newest_tick_) > 0) return {tick, nullptr};  // who knows yet
    }
    if (slot == nullptr || !slot->has_frame) return {tick, nullptr};
    const bool follows = own == nullptr || !own->has_frame || cycle_follows(own->frame, slot->frame, -index);
    return {tick, follows ? &slot->frame : nullptr};
}

bool BeamJoin::resolve_by_frames(const Pending& trigger, bool overdue, BeamResolution& resolution) {
    const std::array<Place, 4> places{frame_about(trigger.tick, 0), frame_about(trigger.tick, config_.charge_index),
                                      frame_about(trigger.tick, config_.veto_index),
                                      frame_about(trigger.tick, config_.flavor_index)};
    const auto is_there = [](const Place& place) { return place.frame != nullptr; };
    if (!std::all_of(places.begin(), places.end(), is_there)) {
        if (!overdue) return false;
        missing_frames_.add();
        for (const Place& place : places) {
            if (!is_there(place)) claim(place.tick).missed = true;
        }
        if (config_.ticks_mean_beam) resolution.state = BeamState::on;
        return true;
    }
    const auto& [own, charge, veto, flavor] = places;
    resolution.power_w = charge.frame->power_w;
    resolution.state = decide(*own.frame, *charge.frame, *veto.frame, *flavor.frame);
    return true;
}

/// source: the table in daq/run/README.md#beam
BeamState BeamJoin::decide(const BeamFrame& own, const BeamFrame& charge, const BeamFrame& veto,
                           const BeamFrame& flavor) noexcept {
    if ((veto.veto & config_.veto_mask) != 0) {
        vetoed_pulses_.add();
        return BeamState::unknown;
    }
    const bool charge_is_known = charge.charge_pc >= 0;
    const bool has_charge = charge_is_known && static_cast<double>(charge.charge_pc) > config_.on_above_charge_pc;
    const bool flavors_are_told = config_.on_flavors != 0;
    const bool no_flavor = flavors_are_told && flavor.flavor == 0;
    if (no_flavor && own.cycle == kCycleMissing) return BeamState::unknown;  // an empty frame, not an empty pulse
    if (no_flavor && has_charge) {
        contradictory_frames_.add();
        return BeamState::unknown;
    }
    if (own.cycle == 0 && (no_flavor || (!flavors_are_told && !has_charge))) return BeamState::no_beam_cycle;
    if (no_flavor) return BeamState::off;
    const bool to_the_target =
        !flavors_are_told || (flavor.flavor < 8 && (config_.on_flavors >> flavor.flavor & 1) != 0);
    const BeamState state = !charge_is_known ? state_of_power(charge.power_w)
                            : has_charge     ? BeamState::on
                                             : BeamState::off;
    return state == BeamState::on && !to_the_target ? BeamState::unknown : state;
}

bool BeamJoin::resolve_as_recorded(const Pending& trigger, bool overdue, BeamResolution& resolution) {
    while (!recorded_.empty() && recorded_.front().sequence < trigger.sequence) recorded_.pop();
    if (recorded_.empty()) return overdue;
    if (recorded_.front().sequence == trigger.sequence) {
        resolution = recorded_.front();
        recorded_.pop();
    }
    return true;
}

}  // namespace alleycat
