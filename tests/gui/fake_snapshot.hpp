#pragma once
// A made-up day at the CsI[Na] detector, as a snapshot: for tests and for looking at the dashboard without a daemon.

#include <cstdint>
#include <memory>
#include <vector>

#include "gui/feed_state.hpp"
#include "monitor/snapshot.hpp"

namespace alleycat::fake {

/// 2026-01-31T12:00:00Z
inline constexpr std::int64_t kNoonNs = 1'769'860'800'000'000'000;

[[nodiscard]] RunDescription run_description();

/// The state of the campaign after `gwh` of beam energy, with a trace of this sequence; `seed` varies the noise.
[[nodiscard]] std::shared_ptr<Snapshot> snapshot(double gwh, std::uint64_t sequence, unsigned seed = 1);

/// So many detectors, one of them silent (none, if there is no such).
[[nodiscard]] std::vector<DetectorState> detectors(std::size_t n, std::size_t silent);

/// Three boards: the reference, one whose clock drifts, one that is missing.
[[nodiscard]] std::vector<BoardStatus> boards();

/// A feed that delivers it from a daemon.
[[nodiscard]] gui::FeedState live(std::shared_ptr<const Snapshot> snapshot);

}  // namespace alleycat::fake
