#include "daq/run/beam_index_check.hpp"

#include <cmath>
#include <limits>

namespace alleycat {
namespace {

/// Triggers behind a tick before it is judged: the pulses kReach after it are among them.
constexpr std::uint64_t kTriggersBehind = 64;
/// Ticks from one look at the tables to the next: 10 s.
constexpr std::uint64_t kTicksPerLook = 600;
/// After a verdict the tables start anew once they hold so many ticks (an hour): an index that changes is found, and a
/// wrong verdict (less than exp(-12.5) per start) is not to be expected in the life of an experiment.
constexpr std::uint64_t kTicksPerStart = 216'000;
constexpr std::size_t kTicksWaiting = 1u << 16;  // 18 minutes at 60 Hz

double log_likelihood_of(std::uint64_t seen, std::uint64_t total) noexcept {
    const auto n = static_cast<double>(total);
    const auto k = static_cast<double>(seen);
    double sum = 0;
    if (seen > 0) sum += k * std::log(k / n);
    if (seen < total) sum += (n - k) * std::log((n - k) / n);
    return sum;
}

}  // namespace

double BeamIndexCheck::Table::log_likelihood() const noexcept {
    // More pulses without beam than with it: then the best rates allowed are equal ones.
    const double with_beam = static_cast<double>(seen[1]) * static_cast<double>(total[0]);
    const double without = static_cast<double>(seen[0]) * static_cast<double>(total[1]);
    if (with_beam < without) return log_likelihood_of(seen[0] + seen[1], total[0] + total[1]);
    return log_likelihood_of(seen[0], total[0]) + log_likelihood_of(seen[1], total[1]);
}

BeamIndexCheck::BeamIndexCheck(const BeamConfig& config, bool monitored, CounterRegistry& registry)
    : config_{config},
      active_{monitored && config.source == BeamConfig::Source::frames},
      ticks_{registry.get("beam_index.ticks")},
      confirmed_{registry.get("beam_index.confirmed")},
      contradicted_{registry.get("beam_index.contradicted")},
      waiting_{active_ ? kTicksWaiting : 0} {
    verdict_.configured = verdict_.best = static_cast<std::int32_t>(config.charge_index);
    if (active_) verdict_.verdict = IndexVerdict::undecided;
}

void BeamIndexCheck::add(const Event& event) {
    constexpr std::uint32_t unusable = trigger_flag::distrusted_tick | trigger_flag::missing_board;
    if (!active_ || event.trigger_class != TriggerClass::beam_tick || (event.flags & unusable) != 0) return;
    waiting_.push({event.sequence, event.tick, (event.flags & trigger_flag::beam_pulse) != 0});
}

void BeamIndexCheck::compare(const BeamJoin& join) {
    for (; !waiting_.empty() && waiting_.front().sequence + kTriggersBehind < join.answered_before(); waiting_.pop()) {
        judge(join, waiting_.front());
    }
}

void BeamIndexCheck::finish(const BeamJoin& join) {
    if (!active_) return;
    for (; !waiting_.empty(); waiting_.pop()) judge(join, waiting_.front());
    decide();
}

void BeamIndexCheck::judge(const BeamJoin& join, const Tick& tick) {
    std::array<Says, kCandidates> says{};
    for (std::size_t c = 0; c < kCandidates; ++c) {
        const std::int64_t index = config_.charge_index - kReach + static_cast<std::int64_t>(c);
        const BeamFrame* const frame = join.frame_about(tick.tick, index).frame;
        says[c] = frame == nullptr || frame->charge_pc < 0                             ? Says::unknown
                  : static_cast<double>(frame->charge_pc) > config_.on_above_charge_pc ? Says::beam
                                                                                       : Says::no_beam;
    }
    count(says, tick.pulse);
}

void BeamIndexCheck::count(std::span<const Says, kCandidates> says, bool pulse) {
    for (const Says s : says) {
        if (s == Says::unknown) return;
    }
    for (std::size_t c = 0; c < kCandidates; ++c) {
        const auto row = static_cast<std::size_t>(says[c]);
        ++tables_[c].total[row];
        if (pulse) ++tables_[c].seen[row];
    }
    ticks_.add();
    if ((tables_[0].total[0] + tables_[0].total[1]) % kTicksPerLook == 0) decide();
}

/// Looks at the tables. A verdict stays until another one is reached.
void BeamIndexCheck::decide() {
    const Table& configured = tables_[kReach];
    const std::uint64_t ticks = configured.total[0] + configured.total[1];
    double best_other = -std::numeric_limits<double>::infinity();
    std::size_t best = 0;
    for (std::size_t c = 0; c < kCandidates; ++c) {
        if (c == kReach) continue;
        const double likelihood = tables_[c].log_likelihood();
        if (likelihood > best_other) {
            best_other = likelihood;
            best = c;
        }
    }
    const double evidence = configured.log_likelihood() - best_other;
    const bool enough = configured.total[0] >= config_.index_ticks_without_beam &&
                        configured.total[1] >= config_.index_ticks_without_beam &&
                        std::abs(evidence) >= config_.index_evidence;
    if (!enough && verdict_.verdict != IndexVerdict::undecided) return;
    verdict_.ticks = ticks;
    verdict_.evidence = evidence;
    if (!enough) return;
    const bool against = evidence < 0;
    const IndexVerdict before = verdict_.verdict;
    verdict_.verdict = against ? IndexVerdict::contradicted : IndexVerdict::confirmed;
    verdict_.best = static_cast<std::int32_t>(config_.charge_index) +
                    (against ? static_cast<std::int32_t>(best) - static_cast<std::int32_t>(kReach) : 0);
    if (verdict_.verdict != before) (against ? contradicted_ : confirmed_).add();
    if (ticks >= kTicksPerStart) tables_ = {};
}

}  // namespace alleycat
