#include "readout/niscope_reopener.hpp"

#include <exception>
#include <utility>

#include "daq/core/log.hpp"

namespace alleycat::niscope {

Reopener::Reopener(std::shared_ptr<const Library> library, const BoardInfo& board, const NiScopeConfig& config,
                   std::unique_ptr<OpenBoard> lost, bool rest_first)
    : library_{std::move(library)},
      board_{board},
      config_{config},
      lost_{std::move(lost)},
      worker_{"niscope-" + board.name, [this, rest_first](const std::stop_token& stop) { work(stop, rest_first); }} {}

std::unique_ptr<OpenBoard> Reopener::take(std::chrono::steady_clock::time_point until, const std::stop_token& stop) {
    std::unique_lock lock{mutex_};
    (void)changed_.wait_until(lock, stop, until, [&] { return back_ != nullptr; });
    return std::move(back_);
}

void Reopener::work(const std::stop_token& stop, bool rest_first) {
    lost_.reset();
    if (rest_first) rest(stop);
    for (bool said = false; !stop.stop_requested(); rest(stop)) {
        try {
            auto board = std::make_unique<OpenBoard>(library_, board_, config_);
            board->session.start();
            const std::lock_guard lock{mutex_};
            back_ = std::move(board);
            changed_.notify_all();
            return;
        } catch (const std::exception& e) {  // whatever it is: the board may be all right the next time
            failed_.fetch_add(1, std::memory_order_relaxed);
            if (!std::exchange(said, true)) log::readout().warn("{}; it is tried again until it works", e.what());
        }
    }
}

void Reopener::rest(const std::stop_token& stop) {
    std::unique_lock lock{mutex_};
    (void)changed_.wait_for(lock, stop, config_.retry_interval, [] { return false; });
}

}  // namespace alleycat::niscope
