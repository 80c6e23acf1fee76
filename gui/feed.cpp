#include "gui/feed.hpp"

#include <utility>

#include "daq/core/error.hpp"
#include "daq/store/file_reader.hpp"

namespace alleycat::gui {
namespace {

constexpr std::chrono::milliseconds kPoll{100};

std::string names_of(const std::vector<std::filesystem::path>& files) {
    if (files.empty()) return "no file";
    std::string names = files.front().filename().string();
    if (files.size() > 1) names += " and " + std::to_string(files.size() - 1) + " more";
    return names;
}

}  // namespace

LiveFeed::LiveFeed(MonitorClient::Config config, SnapshotBox<FeedState>& box) : box_{box}, client_{config} {
    state_.source = config.monitor_endpoint;
    box_.put(std::make_shared<const FeedState>(state_));
}

void LiveFeed::step() {
    client_.poll(
        accumulator_, [this](std::span<const std::byte> state) { return accumulator_.restore(state); }, kPoll);
    const auto now = std::chrono::steady_clock::now();
    if (now < due_) return;
    due_ = now + kSnapshotInterval;

    const bool new_messages = client_.message_number() != snapshot_message_;
    FeedState state = state_;
    state.connected = client_.connected();
    state.problem = client_.problem();
    state.holes = client_.holes();
    const bool same =
        state.connected == state_.connected && state.problem == state_.problem && state.holes == state_.holes;
    if (same && !new_messages) return;
    if (new_messages) {
        snapshot_message_ = client_.message_number();
        state.snapshot = accumulator_.snapshot(snapshot_message_);
    }
    state_ = std::move(state);
    box_.put(std::make_shared<const FeedState>(state_));
}

FileFeed::FileFeed(const std::vector<std::filesystem::path>& files, SnapshotBox<FeedState>& box)
    : box_{box}, source_{open_events(files)} {
    if (!files.empty()) {
        const RecordedMonitorConfig recorded = monitor_config_of(AlleycatFile{files.front()}.run());
        accumulator_ = Accumulator{recorded.config};
        if (!recorded.problem.empty())
            state_.remark = "shown with default binning, not the file's: " + recorded.problem;
    }
    state_.source = names_of(files);
    state_.live = false;
    state_.connected = true;
    state_.fraction = 0;
    box_.put(std::make_shared<const FeedState>(state_));
}

bool FileFeed::step() {
    try {
        const bool more = source_->play(accumulator_);
        const auto now = std::chrono::steady_clock::now();
        if (!more || now >= due_) {
            due_ = now + kSnapshotInterval;
            put(!more);
        }
        return more;
    } catch (const Error& error) {
        state_.problem = error.what();
        put(true);
        throw;
    }
}

void FileFeed::put(bool ended) {
    state_.ended = ended;
    state_.fraction = ended && state_.problem.empty() ? 1 : source_->fraction_done();
    state_.snapshot = accumulator_.snapshot();
    box_.put(std::make_shared<const FeedState>(state_));
}

}  // namespace alleycat::gui
