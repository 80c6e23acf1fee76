#pragma once
// Keeps a board connected: a thread that owns its control connection, starts it, watches it, and gets it back.

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "daq/core/source.hpp"
#include "daq/core/worker.hpp"
#include "readout/dig2_setup.hpp"

namespace alleycat::dig2 {

/// The data connection goes to the reader once the board runs; what the two threads share is touched once per
/// connection and once per reading, never per record.
class Keeper {
  public:
    Keeper(const BoardInfo& board, const Dig2Config& config, Session session);

    /// Lets the thread start the board.
    void begin();
    /// A data connection of the board, and which of them it is.
    struct Started {
        DataLink data;
        std::uint64_t generation = 0;
    };
    /// The connection of a board that runs; nullopt: none until then.
    [[nodiscard]] std::optional<Started> take_link(std::chrono::steady_clock::time_point until, std::stop_token stop);
    /// From the reader: this connection is of no use any more.
    void link_is_lost(std::uint64_t generation);
    /// The one that is of use now; 0: the board does not answer.
    [[nodiscard]] std::uint64_t generation() const noexcept { return generation_.load(std::memory_order_acquire); }
    /// The board is disarmed and the thread ends, in its own time: within half a second.
    void request_stop() noexcept {
        if (worker_) worker_->request_stop();
    }
    [[nodiscard]] bool stopped() const noexcept { return !worker_ || worker_->done(); }

    [[nodiscard]] std::vector<BoardReading> readings() const;
    [[nodiscard]] std::uint64_t disconnects() const noexcept { return disconnects_.load(std::memory_order_relaxed); }
    [[nodiscard]] std::uint64_t reconnects() const noexcept { return reconnects_.load(std::memory_order_relaxed); }
    [[nodiscard]] std::uint64_t failed_attempts() const noexcept {
        return failed_attempts_.load(std::memory_order_relaxed);
    }

  private:
    void keep(const std::stop_token& stop);
    void open_and_start(const std::stop_token& stop);
    void watch(const std::stop_token& stop);
    void rest(const std::stop_token& stop);
    void disarm();
    void read_sensors();
    void forget_readings();

    BoardInfo board_;
    Dig2Config config_;
    std::string who_;
    std::optional<Session> session_;  // the thread's, once it runs

    mutable std::mutex mutex_;  // a connection changes hands: it has to be one thread's or the other's
    std::condition_variable_any changed_;
    std::optional<Started> started_;
    std::uint64_t lost_generation_ = 0;
    std::uint64_t generations_ = 0;
    std::vector<BoardReading> readings_;
    std::atomic<std::uint64_t> generation_{0};
    std::atomic<std::uint64_t> disconnects_{0}, reconnects_{0}, failed_attempts_{0};
    std::optional<Worker> worker_;
};

}  // namespace alleycat::dig2
