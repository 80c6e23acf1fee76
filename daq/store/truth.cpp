#include "daq/store/truth.hpp"

#include <algorithm>
#include <unordered_set>
#include <vector>

#include "daq/store/hdf5.hpp"

namespace alleycat {
namespace {

constexpr std::uint64_t kBlock = 4'096;

bool is_signal(TruthKind kind) noexcept {
    return kind == TruthKind::cevns_prompt || kind == TruthKind::cevns_delayed || kind == TruthKind::prompt_neutron;
}

bool in_box(const WindowEvent& window, const AnalysisBox& box) noexcept {
    const double pe = window[Feature::charge_pe];
    const double arrival_ns = window[Feature::arrival_ns];
    return window.accepted() && pe >= box.min_pe && pe < box.max_pe && arrival_ns >= box.min_arrival_ns &&
           arrival_ns < box.max_arrival_ns;
}

}  // namespace

std::optional<TruthTally> tally_truth(const AlleycatFile& file) {
    h5::prepare();
    const hid_t id = file.hdf5_id();
    const std::vector<std::uint64_t> sequence = h5::read_column<std::uint64_t>(id, "truth/sequence");
    if (sequence.empty()) return std::nullopt;
    const std::vector<std::uint8_t> kind = h5::read_column<std::uint8_t>(id, "truth/kind");
    TruthTally tally;
    std::unordered_set<std::uint64_t> with_signal;
    for (std::size_t i = 0; i < std::min(sequence.size(), kind.size()); ++i) {
        if (kind[i] >= kTruthKindNames.size()) continue;
        ++tally.injected[kind[i]];
        if (!is_signal(static_cast<TruthKind>(kind[i]))) continue;
        ++tally.signal_injected;
        with_signal.insert(sequence[i]);
    }
    const auto coincident = std::find_if(file.run().windows.begin(), file.run().windows.end(),
                                         [](const WindowInfo& w) { return w.role == WindowRole::coincident; });
    if (coincident == file.run().windows.end()) return tally;
    const auto window = static_cast<std::size_t>(coincident - file.run().windows.begin());
    std::vector<Event> events;
    std::vector<BeamResolution> states;
    for (std::uint64_t first = 0; first < file.triggers(); first += kBlock) {
        file.read_events(first, std::min(kBlock, file.triggers() - first), events, states);
        for (std::size_t i = 0; i < events.size(); ++i) {
            if (states[i].state == BeamState::on && with_signal.contains(events[i].sequence) &&
                in_box(events[i].window[window], file.run().box)) {
                ++tally.signal_in_box;
            }
        }
    }
    return tally;
}

}  // namespace alleycat
