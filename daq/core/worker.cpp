#include "daq/core/worker.hpp"

#include <pthread.h>

#include <utility>

#include "daq/core/log.hpp"

namespace alleycat {

Worker::Worker(std::string name, std::function<void(std::stop_token)> loop)
    : name_{std::move(name)}, thread_{[this, loop = std::move(loop)](std::stop_token stop) {
          pthread_setname_np(pthread_self(), name_.substr(0, 15).c_str());
          try {
              loop(std::move(stop));
          } catch (...) {
              failure_ = std::current_exception();
          }
          done_.store(true, std::memory_order_release);
      }} {}

Worker::~Worker() {
    thread_.request_stop();
    try {
        finish();
    } catch (const std::exception& e) {
        log::core().error("thread {}: {}", name_, e.what());
    } catch (...) {
        log::core().error("thread {}: an unknown exception", name_);
    }
}

void Worker::finish() {
    if (thread_.joinable()) thread_.join();
    if (failure_) std::rethrow_exception(std::exchange(failure_, nullptr));
}

}  // namespace alleycat
