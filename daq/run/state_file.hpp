#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "daq/core/doorbell.hpp"
#include "daq/core/snapshot_box.hpp"
#include "daq/core/worker.hpp"

namespace alleycat {

/// The whole file. Throws Error naming it.
[[nodiscard]] std::vector<std::byte> read_state_file(const std::filesystem::path& path);

/// Keeps one state file up to date from a thread of its own, so that a disk that hangs holds up neither control nor the
/// monitor. A write that fails is a warning, once per reason, and is tried again with the next content.
class StateKeeper {
  public:
    StateKeeper(std::filesystem::path path, std::string thread_name);
    /// The newest content is written before this ends.
    ~StateKeeper() = default;

    /// Returns at once; of several contents the newest is written.
    void put(std::vector<std::byte> content);

  private:
    void run(const std::stop_token& stop);

    std::filesystem::path path_;
    SnapshotBox<std::vector<std::byte>> newest_;
    Doorbell bell_;
    Worker thread_;
};

}  // namespace alleycat
