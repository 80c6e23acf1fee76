#include "daq/core/worker.hpp"

#include <pthread.h>

#include <utility>

namespace alleycat {

Worker::Worker(std::string name, std::function<void(std::stop_token)> loop)
    : thread_{[this, name = std::move(name), loop = std::move(loop)](std::stop_token stop) {
          pthread_setname_np(pthread_self(), name.substr(0, 15).c_str());
          try {
              loop(std::move(stop));
          } catch (...) {
              failure_ = std::current_exception();
          }
          done_.store(true, std::memory_order_release);
      }} {}

Worker::~Worker() {
    thread_.request_stop();
    if (thread_.joinable()) thread_.join();
}

void Worker::finish() {
    if (thread_.joinable()) thread_.join();
    if (failure_) std::rethrow_exception(std::exchange(failure_, nullptr));
}

}  // namespace alleycat
