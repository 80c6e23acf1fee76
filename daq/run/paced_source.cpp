#include "daq/run/paced_source.hpp"

namespace alleycat {

RecordSource::Next PacedSource::next(RecordHeader& header, std::stop_token stop) {
    if (!waiting_) {
        RecordHeader described;
        const Next next = source_->next(described, stop);
        if (next != Next::record) return next;
        waiting_ = described;
        if (!first_time_ps_) first_time_ps_ = described.time_ps;
    }
    const bool due = real_time_.wait_until(waiting_->time_ps - *first_time_ps_, stop);
    if (!due || stop.stop_requested()) return Next::idle;
    header = *waiting_;
    waiting_.reset();
    return Next::record;
}

}  // namespace alleycat
