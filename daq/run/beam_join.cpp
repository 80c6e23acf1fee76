#include "daq/run/beam_join.hpp"

#include <algorithm>

namespace alleycat {
namespace {

constexpr std::size_t kFramesKept = 1u << 16;  // 18 minutes at 60 Hz
constexpr std::uint64_t kNoTick = ~std::uint64_t{0};

/// Drops what was read from the front of a vector, now and then and without giving memory back.
template <class T>
void tidy(std::vector<T>& values, std::size_t& head) {
    if (head == values.size()) {
        values.clear();
        head = 0;
    } else if (head > 4096 && head > values.size() / 2) {
        values.erase(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(head));
        head = 0;
    }
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
      missing_frames_{registry.get("beam.missing_frames")} {
    pending_.reserve(kFramesKept);
    if (config.source == BeamConfig::Source::frames) {
        frames_.resize(kFramesKept);
        for (BeamFrame& frame : frames_) frame.tick = kNoTick;
    }
    if (config.source == BeamConfig::Source::recorded) recorded_.reserve(kFramesKept);
}

void BeamJoin::add(std::uint64_t sequence, std::uint64_t tick, std::int64_t time_ps, std::int64_t utc_ns) {
    pending_.push_back({sequence, tick, time_ps, utc_ns});
    newest_time_ps_ = std::max(newest_time_ps_, time_ps);
}

void BeamJoin::add(const BeamFrame& frame) {
    if (frames_.empty()) return;  // the station does not ask this source
    BeamFrame& place = frames_[frame.tick % frames_.size()];
    if (place.tick == frame.tick) {
        duplicate_frames_.add();
        return;
    }
    if (any_frame_ && frame.tick + frames_.size() <= newest_frame_tick_) {
        late_frames_.add();
        return;
    }
    place = frame;
    newest_frame_tick_ = any_frame_ ? std::max(newest_frame_tick_, frame.tick) : frame.tick;
    any_frame_ = true;
}

void BeamJoin::add(const BeamResolution& recorded) {
    if (config_.source == BeamConfig::Source::recorded) recorded_.push_back(recorded);
}

bool BeamJoin::next(BeamResolution& resolution) {
    if (head_ == pending_.size() || !resolve(pending_[head_], resolution)) return false;
    ++head_;
    tidy(pending_, head_);
    return true;
}

double BeamJoin::lag_s() const noexcept {
    if (head_ == pending_.size()) return 0;
    return static_cast<double>(newest_time_ps_ - pending_[head_].time_ps) * 1e-12;
}

BeamState BeamJoin::state_of_power(float power_w) const noexcept {
    if (power_w < -0.1f) return BeamState::unknown;
    return static_cast<double>(power_w) > config_.on_above_w ? BeamState::on : BeamState::off;
}

bool BeamJoin::resolve(const Pending& trigger, BeamResolution& resolution) {
    const bool overdue =
        finished_ || static_cast<double>(newest_time_ps_ - trigger.time_ps) * 1e-12 > config_.max_delay_s;
    resolution = {trigger.sequence, -1, BeamState::unknown};
    switch (config_.source) {
        case BeamConfig::Source::none: return true;
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

const BeamFrame* BeamJoin::frame_of(std::uint64_t tick) const noexcept {
    const BeamFrame& frame = frames_[tick % frames_.size()];
    return frame.tick == tick ? &frame : nullptr;
}

bool BeamJoin::resolve_by_frames(const Pending& trigger, bool overdue, BeamResolution& resolution) {
    // A frame tells its own pulse's flavor and cycle, and the charge of the pulse `charge_index` after its own.
    const BeamFrame* const own = frame_of(trigger.tick);
    const std::uint64_t charge_tick = trigger.tick - static_cast<std::uint64_t>(config_.charge_index);
    const BeamFrame* const charge = frame_of(charge_tick);
    if (own == nullptr || charge == nullptr) {
        if (overdue) missing_frames_.add();
        return overdue;
    }
    resolution.power_w = charge->power_w;
    if (own->flavor == 0 && own->cycle == 0) {
        resolution.state = BeamState::no_beam_cycle;
    } else if (charge->charge_pc >= 0) {
        resolution.state =
            static_cast<double>(charge->charge_pc) > config_.on_above_charge_pc ? BeamState::on : BeamState::off;
    } else {
        resolution.state = state_of_power(charge->power_w);
    }
    return true;
}

bool BeamJoin::resolve_as_recorded(const Pending& trigger, bool overdue, BeamResolution& resolution) {
    while (recorded_head_ < recorded_.size() && recorded_[recorded_head_].sequence < trigger.sequence) ++recorded_head_;
    if (recorded_head_ == recorded_.size()) {
        tidy(recorded_, recorded_head_);
        return overdue;
    }
    if (recorded_[recorded_head_].sequence == trigger.sequence) resolution = recorded_[recorded_head_++];
    tidy(recorded_, recorded_head_);
    return true;
}

}  // namespace alleycat
