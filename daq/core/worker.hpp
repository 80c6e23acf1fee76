#pragma once

#include <atomic>
#include <exception>
#include <functional>
#include <stop_token>
#include <string>
#include <thread>

namespace alleycat {

/// A named thread that keeps its exception. Owned by what it serves and declared last there.
/// The loop looks at its stop_token at least every 100 ms.
class Worker {
  public:
    Worker() noexcept = default;
    /// `name` is cut to 15 characters, as the kernel shows no more.
    Worker(std::string name, std::function<void(std::stop_token)> loop);
    Worker(const Worker&) = delete;
    Worker& operator=(const Worker&) = delete;
    /// Asks the thread to stop and waits for it. What it threw and nobody fetched by finish() is logged as an error.
    ~Worker();

    void request_stop() noexcept { thread_.request_stop(); }
    /// Joins and rethrows what the thread threw (once).
    void finish();
    /// The loop has returned or thrown.
    [[nodiscard]] bool done() const noexcept { return done_.load(std::memory_order_acquire); }
    /// Done, and by an exception: finish() will throw it.
    [[nodiscard]] bool failed() const noexcept { return done() && failure_ != nullptr; }

  private:
    std::string name_;
    std::atomic<bool> done_{false};
    std::exception_ptr failure_;  // written by the thread before done_, read after it
    std::jthread thread_;
};

}  // namespace alleycat
