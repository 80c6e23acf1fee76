#include "daq/core/shutdown.hpp"

#include <csignal>
#include <ctime>

#include "daq/core/log.hpp"

namespace alleycat {
namespace {

sigset_t end_signals() {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    return set;
}

}  // namespace

ShutdownSignals::ShutdownSignals()
    : waiter_{[this] {
                  const sigset_t set = end_signals();
                  pthread_sigmask(SIG_BLOCK, &set, nullptr);
                  std::signal(SIGPIPE, SIG_IGN);
                  return std::string{"signals"};
              }(),
              [this](const std::stop_token& stop) {
                  const sigset_t set = end_signals();
                  const timespec at_most{.tv_sec = 0, .tv_nsec = 100'000'000};
                  listens_.count_down();
                  while (!stop.stop_requested()) {
                      const int signal = sigtimedwait(&set, nullptr, &at_most);
                      if (signal < 0) continue;
                      const char* const name = signal == SIGINT ? "SIGINT" : "SIGTERM";
                      if (stop_.request_stop()) {
                          log::core().info("{}: ending cleanly; once more gives up what waits for others", name);
                      } else {
                          log::core().warn("{} again: giving up what waits for others", name);
                          hurry_.request_stop();
                      }
                  }
              }} {
    listens_.wait();
}

ShutdownSignals::~ShutdownSignals() {
    waiter_.request_stop();
    waiter_.finish();
}

}  // namespace alleycat
