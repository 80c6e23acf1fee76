#include "monitor/disk_watch.hpp"

#include <algorithm>
#include <utility>

namespace alleycat {
namespace {

constexpr double kFirstS = 60;  // until the loss is believed
constexpr double kSpanS = 600;  // and over how long it is taken: other programs come and go
constexpr double kSamples = 60;
constexpr double kLeastHours = 1e-3;

double seconds_between(std::int64_t from_ns, std::int64_t to_ns) { return static_cast<double>(to_ns - from_ns) * 1e-9; }

}  // namespace

void DiskWatch::look(const Status& status, std::int64_t now_utc_ns) {
    outlook_.reset();
    const WriterStatus& writer = status.writer;
    const bool writing = status.state == RunState::running && writer.connected && writer.disk_free_bytes > 0 &&
                         writer.state != WriterState::stopped_disk_full && writer.state != WriterState::failed;
    if (std::exchange(run_, status.run) != status.run || !writing) samples_.clear();
    if (!writing) return;
    const std::uint64_t without_journals = writer.disk_free_bytes + writer.journal_bytes;
    if (samples_.empty() || seconds_between(samples_.back().utc_ns, now_utc_ns) >= kSpanS / kSamples)
        samples_.push_back({now_utc_ns, without_journals});
    while (samples_.size() > 2 && seconds_between(samples_[1].utc_ns, now_utc_ns) >= kSpanS) samples_.pop_front();

    const double span_s = seconds_between(samples_.front().utc_ns, now_utc_ns);
    const bool measured = span_s >= kFirstS;
    const double lost = static_cast<double>(samples_.front().bytes) - static_cast<double>(without_journals);
    const double rate = measured ? lost / span_s : status.bytes_per_second;
    if (!(rate > 0)) return;
    const double left =
        static_cast<double>(writer.disk_free_bytes - std::min(writer.disk_free_bytes, writer.disk_stop_bytes));
    outlook_ = DiskOutlook{rate, std::max(left / rate / 3600, kLeastHours), measured};
}

}  // namespace alleycat
