#pragma once

#include <latch>
#include <stop_token>

#include "daq/core/worker.hpp"

namespace alleycat {

/// Turns SIGINT and SIGTERM into stop tokens. The first signal asks for a clean end; a second one also gives up what
/// waits for somebody else (a writer that is away), but files are still closed. Make it first in main, before any
/// thread: it blocks the two signals for the whole process (they stay blocked after it) and waits for them in a thread
/// of its own. SIGPIPE is ignored from then on: a peer that goes away is an error of the write, not the end of the
/// process.
class ShutdownSignals {
  public:
    ShutdownSignals();
    ~ShutdownSignals();
    ShutdownSignals(const ShutdownSignals&) = delete;
    ShutdownSignals& operator=(const ShutdownSignals&) = delete;

    [[nodiscard]] std::stop_token stop() const noexcept { return stop_.get_token(); }
    [[nodiscard]] std::stop_token hurry() const noexcept { return hurry_.get_token(); }
    /// As if the first signal had come.
    void request_stop() noexcept { stop_.request_stop(); }

  private:
    std::stop_source stop_;
    std::stop_source hurry_;
    /// Until its thread only waits: a process that is forked then is not left with a lock that the thread held.
    std::latch listens_{1};
    Worker waiter_;
};

}  // namespace alleycat
