#include "daq/run/paced_source.hpp"

#include <algorithm>
#include <condition_variable>
#include <mutex>

namespace alleycat {

RecordSource::Next PacedSource::next(RecordHeader& header, std::stop_token stop) {
    using std::chrono::steady_clock;
    if (!waiting_) {
        RecordHeader described;
        const Next next = source_->next(described, stop);
        if (next != Next::record) return next;
        waiting_ = described;
        if (!start_) {
            start_ = steady_clock::now();
            first_time_ps_ = described.time_ps;
        }
    }
    const auto due = *start_ + std::chrono::nanoseconds{(waiting_->time_ps - first_time_ps_) / 1000};
    const auto at_most = steady_clock::now() + std::chrono::milliseconds{100};
    std::mutex mutex;  // condition_variable_any asks for one; nothing is shared under it
    std::condition_variable_any wake;
    std::unique_lock lock{mutex};
    wake.wait_until(lock, stop, std::min(due, at_most), [] { return false; });
    if (due > at_most || stop.stop_requested()) return Next::idle;
    header = *waiting_;
    waiting_.reset();
    return Next::record;
}

}  // namespace alleycat
