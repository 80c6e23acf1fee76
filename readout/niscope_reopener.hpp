#pragma once
// Gets a board back that was lost: a thread, because the vendor's calls to open a board take seconds.

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <stop_token>

#include "daq/core/worker.hpp"
#include "readout/niscope_session.hpp"

namespace alleycat::niscope {

/// A session with a board that is configured.
struct OpenBoard {
    /// Throws Error.
    OpenBoard(std::shared_ptr<const Library> library, const BoardInfo& board, const NiScopeConfig& config)
        : session{std::move(library), board, config, Session::Open::reset},
          identity{session.identity()},
          layout{session.configure(identity)} {}

    Session session;
    Identity identity;
    Layout layout;
};

/// Closes what is left of a board and opens, configures and starts it again, for as long as it takes.
class Reopener {
  public:
    /// rest_first  the board was lost as soon as it had come: it is not asked more often than one that is away
    Reopener(std::shared_ptr<const Library> library, const BoardInfo& board, const NiScopeConfig& config,
             std::unique_ptr<OpenBoard> lost, bool rest_first);

    /// The board, once it is back; nullptr: not until then.
    [[nodiscard]] std::unique_ptr<OpenBoard> take(std::chrono::steady_clock::time_point until,
                                                  const std::stop_token& stop);
    [[nodiscard]] std::uint64_t failed_attempts() const noexcept { return failed_.load(std::memory_order_relaxed); }
    void request_stop() noexcept { worker_.request_stop(); }

  private:
    void work(const std::stop_token& stop, bool rest_first);
    void rest(const std::stop_token& stop);

    std::shared_ptr<const Library> library_;
    BoardInfo board_;
    NiScopeConfig config_;
    std::unique_ptr<OpenBoard> lost_;  // the thread's
    std::atomic<std::uint64_t> failed_{0};

    std::mutex mutex_;  // the session changes hands: it has to be one thread's or the other's
    std::condition_variable_any changed_;
    std::unique_ptr<OpenBoard> back_;
    Worker worker_;
};

}  // namespace alleycat::niscope
