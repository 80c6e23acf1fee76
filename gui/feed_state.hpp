#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "monitor/snapshot.hpp"

namespace alleycat::gui {

/// What the feed hands to the screen, immutable: the newest snapshot and how the feed itself is doing.
struct FeedState {
    std::string source{};              ///< "tcp://127.0.0.1:5556", or the files' names
    bool live = true;                  ///< false: played from files
    bool connected = false;            ///< live: messages are coming; files: open
    std::string problem{};             ///< one sentence; "" when all is well
    std::string remark{};              ///< what else to know about these plots; ""
    std::uint64_t holes = 0;           ///< holes met in the message numbers (each was healed by a fresh snapshot)
    std::optional<double> fraction{};  ///< of the files read, 0..1
    bool ended = false;                ///< nothing more will come
    std::shared_ptr<const Snapshot> snapshot{};  ///< nullptr before the first
};

}  // namespace alleycat::gui
